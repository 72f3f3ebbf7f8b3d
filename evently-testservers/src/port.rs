//! Ports that nobody else takes.

use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process;

/// Below the range from which the kernel takes the ports of outgoing connections, so that none of these gets in between.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port of 127.0.0.1 that is ours until this is dropped, also while the server on it is down.
pub struct Port {
    /// Its number.
    pub number: u16,
    /// A name that only one process of the machine can have, and that goes with the process.
    _claim: UnixListener,
}

impl Port {
    /// One that nobody has.
    pub fn claim() -> Result<Self, String> {
        // Processes that start together begin to look in different places.
        let start = u16::try_from(process::id().wrapping_mul(61) % u32::from(COUNT)).expect("COUNT is a u16");
        let mut candidates = (start..COUNT).chain(0..start).map(|offset| FIRST + offset);
        candidates.find_map(Self::try_claim).ok_or_else(|| format!("no free port from {FIRST} on"))
    }

    fn try_claim(number: u16) -> Option<Self> {
        let name = SocketAddr::from_abstract_name(format!("evently-testservers-{number}")).ok()?;
        let claim = UnixListener::bind_addr(&name).ok()?;
        // Somebody may use it who does not know of the claims.
        TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        Some(Self { number, _claim: claim })
    }
}
