//! Who is at the other end.

use std::net::IpAddr;

use super::Value;

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
        let prefix = prefix.map_or(Some(longest), |prefix| prefix.parse().ok()).filter(|prefix| *prefix <= longest)?;
        // An address of version 4 in the form of one of version 6 is that of version 4, here as in `contains`.
        let canonical = address.to_canonical();
        let prefix = prefix.checked_sub(longest - bits(canonical).1)?;
        Some(Self { address: canonical, prefix })
    }

    fn show(&self) -> String {
        format!("{}/{}", self.address, self.prefix)
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

#[cfg(test)]
mod tests {
    use super::{super::tests::is_kept, *};

    #[test]
    fn what_is_shown_can_be_written() {
        assert!(is_kept::<Vec<Origin>>("https://evently.com,http://localhost:5173"));
        assert!(is_kept::<Vec<Network>>("10.0.0.0/8,::1/128"));
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for text in ["evently.com", "https://evently.com/", "*", "null", "https://"] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
        for text in ["10.0.0.0/33", "fd00::/129", "::ffff:10.0.0.0/95"] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_network_knows_its_own() {
        let network = Network::parse("10.1.0.0/16").unwrap();
        assert!(network.contains("10.1.255.1".parse().unwrap()));
        assert!(network.contains("::ffff:10.1.0.1".parse().unwrap()));
        assert!(!network.contains("10.2.0.1".parse().unwrap()));
        assert_eq!(Network::parse("::ffff:10.1.0.0/112"), Some(network));
        assert!(!network.contains("::1".parse().unwrap()));
        assert!(Network::parse("0.0.0.0/0").unwrap().contains("203.0.113.9".parse().unwrap()));
    }
}
