//! Instants in UTC, to the microsecond.

use std::{fmt, ops, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An instant: microseconds since 1970-01-01T00:00:00Z.
///
/// Microseconds, because every store keeps them without rounding, so that an instant is the same before and after it was
/// written down. As text it is RFC 3339 in UTC.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// An instant from microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// An instant from whole seconds since the epoch.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs * 1_000_000)
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }

    /// The start of the hour that the instant lies in.
    #[must_use]
    pub const fn hour(self) -> Self {
        Self(self.0 - self.0.rem_euclid(3_600_000_000))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }
}

impl ops::Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(instant) => instant.fmt(f),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is not an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time; a time is RFC 3339 such as 2026-11-22T19:30:00Z")]
pub struct InvalidTimestamp;

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        text.parse::<jiff::Timestamp>().map(|instant| Self(instant.as_microsecond())).map_err(|_| InvalidTimestamp)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_instant_agree() {
        let instant: Timestamp = "2026-11-22T19:30:00.000001Z".parse().unwrap();
        assert_eq!(instant.to_string(), "2026-11-22T19:30:00.000001Z");
        assert_eq!("2026-11-22T20:30:00+01:00".parse(), Ok(Timestamp::from_secs(instant.as_secs())));
        assert_eq!("tomorrow".parse::<Timestamp>(), Err(InvalidTimestamp));
    }

    #[test]
    fn hours_round_down_before_the_epoch_too() {
        assert_eq!(Timestamp::from_secs(-1).hour(), Timestamp::from_secs(-3600));
        assert_eq!(Timestamp::from_secs(7199).hour(), Timestamp::from_secs(3600));
    }

    #[test]
    fn an_instant_is_written_as_it_is_read() {
        let instant: Timestamp = "2026-11-22T19:30:00Z".parse().unwrap();
        let json = serde_json::to_string(&instant).unwrap();
        assert_eq!((json.as_str(), format!("{instant:?}").as_str()), ("\"2026-11-22T19:30:00Z\"", "2026-11-22T19:30:00Z"));
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), instant);
    }
}
