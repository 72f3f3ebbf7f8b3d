//! Who is at the other end of a connection.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::{Extensions, HeaderMap};

use crate::config::Network;

/// Who has opened the connection: a client or a proxy. The server puts it into each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// The address of the client itself, as far as it can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// The address of whoever opened the connection, unless that is a trusted proxy: then the last one in `X-Forwarded-For` that
    /// is not, since every proxy appends the address it sees, and what stands before was written by the client.
    pub(super) fn of(extensions: &Extensions, headers: &HeaderMap, trusted: &[Network]) -> Self {
        let peer = extensions.get::<Peer>().map_or(Ipv6Addr::UNSPECIFIED.into(), |Peer(peer)| peer.ip().to_canonical());
        let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
        if !is_trusted(peer) {
            return Self(peer);
        }
        let mut nearest = peer;
        let values = headers.get_all("x-forwarded-for").iter().rev().map(|value| value.to_str().unwrap_or_default());
        for address in values.flat_map(|value| value.rsplit(',')) {
            let Some(address) = parse(address.trim()) else { break };
            nearest = address;
            if !is_trusted(address) {
                break;
            }
        }
        Self(nearest)
    }

    /// The address, and of IPv6 only the network: one subscriber has 2^64 addresses.
    pub(crate) fn network(self) -> IpAddr {
        match self.0 {
            IpAddr::V4(_) => self.0,
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        }
    }
}

/// An address, which some proxies write with a port.
fn parse(text: &str) -> Option<IpAddr> {
    let address = text.parse().or_else(|_| text.parse().map(|address: SocketAddr| address.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Sources};

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let flags = vec![("--trust", "http.trusted_proxies", "10.0.0.0/8,fd00::/8".to_owned())];
        let trusted = Config::load(&Sources { flags, ..Sources::default() }).unwrap().http.trusted_proxies;
        let mut extensions = Extensions::new();
        extensions.insert(Peer(SocketAddr::new(peer.parse().unwrap(), 1234)));
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        ClientAddress::of(&extensions, &headers, &trusted).0.to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(client("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("::ffff:10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn what_the_client_has_written_itself_is_passed_over() {
        assert_eq!(client("10.0.0.1", &["1.1.1.1, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["1.1.1.1", "198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["1.1.1.1, unknown"]), "10.0.0.1");
        assert_eq!(client("fd00::1", &["2001:db8::1"]), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["::ffff:198.51.100.1"]), "198.51.100.1", "they are not all one network");
    }

    #[test]
    fn a_subscriber_has_one_network() {
        let network = |address: &str| ClientAddress(address.parse().unwrap()).network();
        assert_eq!(network("2001:db8:1:2::3"), network("2001:db8:1:2:ffff::"));
        assert_ne!(network("2001:db8:1:2::3"), network("2001:db8:1:3::3"));
        assert_ne!(network("198.51.100.1"), network("198.51.100.2"));
    }
}
