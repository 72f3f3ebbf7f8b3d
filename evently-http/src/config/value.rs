//! What a setting can be: how it is written, read, and shown again.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

/// Something that a setting can be.
pub(super) trait Value: Sized {
    /// What would be right, for whoever wrote something else.
    const RIGHT: &'static str;

    /// Reads the value; `None` where it is not one.
    fn parse(text: &str) -> Option<Self>;

    /// The value as it would be written.
    fn show(&self) -> String;
}

impl Value for bool {
    const RIGHT: &'static str = "true or false";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl Value for $number {
            const RIGHT: &'static str = "a whole number";

            fn parse(text: &str) -> Option<Self> {
                text.replace('_', "").parse().ok()
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

numbers!(u32 usize);

impl Value for SocketAddr {
    const RIGHT: &'static str = "an address with a port, such as 127.0.0.1:8080 or [::]:8080";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for PathBuf {
    const RIGHT: &'static str = "a path";

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.into())
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

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

const SPANS: [(&str, u64); 4] = [("second", 1), ("minute", 60), ("hour", 3600), ("day", 86_400)];

impl Value for Rate {
    const RIGHT: &'static str = "a rate such as 5/second, 100/minute or 10/15m";

    fn parse(text: &str) -> Option<Self> {
        let (permits, span) = text.split_once('/')?;
        let permits = permits.trim().parse().ok().filter(|permits| (1..=1_000_000).contains(permits))?;
        let named = SPANS.iter().find(|(name, _)| *name == span.trim()).map(|(_, secs)| Duration::from_secs(*secs));
        let per = named.or_else(|| Duration::parse(span.trim())).filter(|per| !per.is_zero())?;
        Some(Self { permits, per })
    }

    fn show(&self) -> String {
        let named = SPANS.iter().find(|(_, secs)| Duration::from_secs(*secs) == self.per);
        let span = named.map_or_else(|| self.per.show(), |(name, _)| (*name).to_owned());
        format!("{}/{span}", self.permits)
    }
}

/// A range of addresses, such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// Whether the address lies in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (mine, length) = bits(self.address);
        let (other, other_length) = bits(address.to_canonical());
        length == other_length && (self.prefix == 0 || (mine ^ other) >> (length - self.prefix) == 0)
    }
}

fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (address.to_bits().into(), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

impl Value for Network {
    const RIGHT: &'static str = "an address or a range such as 10.0.0.0/8 or fd00::/8";

    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().ok()?;
        let (_, longest) = bits(address);
        let prefix = prefix.map_or(Some(longest), |prefix| prefix.parse().ok())?;
        (prefix <= longest).then_some(Self { address, prefix })
    }

    fn show(&self) -> String {
        format!("{}/{}", self.address, self.prefix)
    }
}

/// A list is written with commas, or as a list in YAML.
impl<T: Value> Value for Vec<T> {
    const RIGHT: &'static str = T::RIGHT;

    fn parse(text: &str) -> Option<Self> {
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(T::parse).collect()
    }

    fn show(&self) -> String {
        self.iter().map(T::show).collect::<Vec<_>>().join(",")
    }
}

/// An origin that pages may call from: scheme, host and port, without a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(pub String);

impl Value for Origin {
    const RIGHT: &'static str = "an origin such as https://evently.com, without a path";

    fn parse(text: &str) -> Option<Self> {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
        let right = !host.is_empty() && host.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-:[]".contains(c));
        right.then(|| Self(text.to_owned()))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

/// Something that no log and no table shows. More than one, separated by commas, where keys are being changed: the first one
/// signs, and all of them are taken.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secrets(pub Vec<String>);

impl Secrets {
    /// Fewer bytes can be tried out.
    pub const BYTES_MIN: usize = 32;

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

impl Value for Secrets {
    const RIGHT: &'static str = "at least 32 bytes that nobody can guess, as `openssl rand -hex 32` makes them";

    fn parse(text: &str) -> Option<Self> {
        let secrets: Vec<String> =
            text.split(',').map(|secret| secret.trim().to_owned()).filter(|secret| !secret.is_empty()).collect();
        secrets.iter().all(|secret| secret.len() >= Self::BYTES_MIN).then_some(Self(secrets))
    }

    fn show(&self) -> String {
        if self.is_empty() { String::new() } else { "********".to_owned() }
    }
}

/// Where the store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// In the data folder.
    InData,
    /// In this SQLite file.
    Sqlite(PathBuf),
}

impl Value for StoreUrl {
    const RIGHT: &'static str = "sqlite: and a path, such as sqlite:/var/lib/evently/evently.db (PostgreSQL comes with the \
                                 production stack)";

    fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("sqlite:") {
            None => text.is_empty().then_some(Self::InData),
            Some(path) => {
                let path = path.strip_prefix("//").unwrap_or(path);
                (!path.is_empty()).then(|| Self::Sqlite(path.into()))
            }
        }
    }

    fn show(&self) -> String {
        match self {
            Self::InData => String::new(),
            Self::Sqlite(path) => format!("sqlite:{}", path.display()),
        }
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $right:literal: $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl Value for $name {
            const RIGHT: &'static str = $right;

            fn parse(text: &str) -> Option<Self> {
                match text {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }

            fn show(&self) -> String {
                match self {
                    $(Self::$variant => $word,)+
                }.to_owned()
            }
        }
    };
}

words!(
    /// What a line of the log looks like.
    LogFormat, "json or text":
    /// One JSON object a line, for machines.
    Json = "json",
    /// For people.
    Text = "text"
);

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLevel(pub String);

impl Value for LogLevel {
    const RIGHT: &'static str = "error, warn, info, debug or trace, also for parts of the service as in info,evently_http=debug";

    fn parse(text: &str) -> Option<Self> {
        let right = text.split(',').all(|part| {
            let level = part.rsplit_once('=').map_or(part, |(_, level)| level);
            matches!(level.trim(), "off" | "error" | "warn" | "info" | "debug" | "trace")
        });
        right.then(|| Self(text.to_owned()))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

words!(
    /// Who moves the money.
    Gateway, "sandbox":
    /// Nobody: it plays a gateway, for trying out and for tests.
    Sandbox = "sandbox"
);

words!(
    /// What the service is there for.
    Profile, "development, staging or production":
    /// Somebody's own machine.
    Development = "development",
    /// A rehearsal.
    Staging = "staging",
    /// Real buyers and real money.
    Production = "production"
);

#[cfg(test)]
mod tests {
    use super::*;

    fn kept<T: Value>(text: &str) -> bool {
        T::parse(text).is_some_and(|value| value.show() == text)
    }

    #[test]
    fn what_is_shown_can_be_written() {
        for text in ["250ms", "90s", "5m", "12h", "7d", "0ms"] {
            assert!(kept::<Duration>(text), "{text}");
        }
        for text in ["1MiB", "512KiB", "3B", "0B"] {
            assert!(kept::<Size>(text), "{text}");
        }
        for text in ["5/second", "100/minute", "1000/hour", "10/15m"] {
            assert!(kept::<Rate>(text), "{text}");
        }
        assert!(kept::<Vec<Origin>>("https://evently.com,http://localhost:5173"));
        assert!(kept::<Vec<Network>>("10.0.0.0/8,::1/128"));
        assert!(kept::<StoreUrl>("sqlite:/tmp/evently.db"));
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for text in ["5", "m", "5 minutes", "-5m", "1.5h", "99999999999999999999d", ""] {
            assert_eq!(Duration::parse(text), None, "{text}");
        }
        for text in ["1", "1MB", "MiB", "99999999999GiB"] {
            assert_eq!(Size::parse(text), None, "{text}");
        }
        for text in ["0/minute", "10", "10/fortnight", "10/0s", "-1/second", "x/minute"] {
            assert_eq!(Rate::parse(text), None, "{text}");
        }
        for text in ["evently.com", "https://evently.com/", "*", "null", "https://"] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
        for text in ["postgres://host/evently", "sqlite:", "evently.db"] {
            assert_eq!(StoreUrl::parse(text), None, "{text}");
        }
        assert_eq!(Secrets::parse("too short"), None);
        assert_eq!(Network::parse("10.0.0.0/33"), None);
    }

    #[test]
    fn a_network_knows_its_own() {
        let network = Network::parse("10.1.0.0/16").unwrap();
        assert!(network.contains("10.1.255.1".parse().unwrap()));
        assert!(network.contains("::ffff:10.1.0.1".parse().unwrap()));
        assert!(!network.contains("10.2.0.1".parse().unwrap()));
        assert!(!network.contains("::1".parse().unwrap()));
        assert!(Network::parse("0.0.0.0/0").unwrap().contains("203.0.113.9".parse().unwrap()));
    }
}
