//! Numbers with a unit.

use std::time::Duration;

use super::Value;

const DURATIONS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl Value for Duration {
    const RIGHT: &'static str = "a duration such as 250ms, 90s, 5m, 12h or 7d";

    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = split_unit(text)?;
        let (_, millis) = DURATIONS.iter().find(|(name, _)| *name == unit)?;
        number.checked_mul(*millis).filter(|millis| *millis <= 1000 * DURATIONS[4].1).map(Self::from_millis)
    }

    fn show(&self) -> String {
        in_units(u64::try_from(self.as_millis()).unwrap_or(u64::MAX), &DURATIONS)
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub usize);

const SIZES: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

impl Value for Size {
    const RIGHT: &'static str = "a size such as 512KiB or 1MiB";

    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = split_unit(text)?;
        let (_, bytes) = SIZES.iter().find(|(name, _)| *name == unit)?;
        number.checked_mul(*bytes)?.try_into().ok().map(Self)
    }

    fn show(&self) -> String {
        in_units(self.0 as u64, &SIZES)
    }
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    Some((number.parse().ok()?, unit.trim_start()))
}

fn in_units(number: u64, units: &[(&str, u64)]) -> String {
    let (name, unit) = units.iter().rev().find(|(_, unit)| number > 0 && number.is_multiple_of(*unit)).unwrap_or(&units[0]);
    format!("{}{name}", number / unit)
}

/// So many in a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many; at least one.
    pub permits: u32,
    /// In what time.
    pub per: Duration,
}

/// Buckets count in 64 bits, and take what is longer for a little more than this.
const SPAN_MAX: Duration = Duration::from_hours(12 * 24);

const SPANS: [(&str, u64); 4] = [("second", 1), ("minute", 60), ("hour", 3600), ("day", 86_400)];

impl Value for Rate {
    const RIGHT: &'static str = "a rate such as 5/second, 100/minute or 10/15m, in 12d at most";

    fn parse(text: &str) -> Option<Self> {
        let (permits, span) = text.split_once('/')?;
        let permits = permits.trim().parse().ok().filter(|permits| (1..=1_000_000).contains(permits))?;
        let named = SPANS.iter().find(|(name, _)| *name == span.trim()).map(|(_, secs)| Duration::from_secs(*secs));
        let per = named.or_else(|| Duration::parse(span.trim())).filter(|per| !per.is_zero() && *per <= SPAN_MAX)?;
        Some(Self { permits, per })
    }

    fn show(&self) -> String {
        let named = SPANS.iter().find(|(_, secs)| Duration::from_secs(*secs) == self.per);
        let span = named.map_or_else(|| self.per.show(), |(name, _)| (*name).to_owned());
        format!("{}/{span}", self.permits)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::is_kept, *};

    #[test]
    fn what_is_shown_can_be_written() {
        for text in ["250ms", "90s", "5m", "12h", "7d", "0ms"] {
            assert!(is_kept::<Duration>(text), "{text}");
        }
        for text in ["1MiB", "512KiB", "3B", "0B"] {
            assert!(is_kept::<Size>(text), "{text}");
        }
        for text in ["5/second", "100/minute", "1000/hour", "10/15m", "10/12d"] {
            assert!(is_kept::<Rate>(text), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for text in ["5", "m", "5 minutes", "-5m", "1.5h", "99999999999999999999d", ""] {
            assert_eq!(Duration::parse(text), None, "{text}");
        }
        for text in ["1", "1MB", "MiB", "99999999999GiB"] {
            assert_eq!(Size::parse(text), None, "{text}");
        }
        for text in ["0/minute", "10", "10/fortnight", "10/0s", "-1/second", "x/minute", "10/13d", "10/50d"] {
            assert_eq!(Rate::parse(text), None, "{text}");
        }
    }
}
