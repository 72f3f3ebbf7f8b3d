//! Closing the listening socket without losing a connection.
//!
//! The system lets connections in on its own and keeps them until we take them. Whatever it has let in when the socket is closed is
//! reset, with the request that may already have come on it; and between looking for the last one and closing there is always room
//! for another. So the system is first told to let nobody in. Those who come meanwhile get no answer, try again after a second, as
//! TCP does, and are refused then.

use std::{net::SocketAddr, time::Duration};

use tokio::net::{TcpListener, TcpStream};

/// How long it takes to let in who has begun to connect: a journey there and back.
pub(super) const HANDSHAKE: Duration = Duration::from_millis(50);

/// Lets nobody in any more who has not begun to connect.
#[cfg(target_os = "linux")]
pub(super) fn newcomers(listener: &TcpListener) {
    use socket2::{SockFilter, SockRef};
    // A program for the kernel's packet filter, <https://www.kernel.org/doc/html/latest/networking/filter.html>. It sees a segment
    // from its TCP header on, whose byte 13 has the flags; SYN is what a connection begins with. Connections that have been let in
    // have the filter, too, and never get such a segment.
    const FLAGS: u32 = 13;
    const SYN: u32 = 2;
    let program = [
        // Load a byte.
        SockFilter::new(0x30, 0, 0, FLAGS),
        // Go on if the bit is set, else skip one.
        SockFilter::new(0x45, 0, 1, SYN),
        // Keep nothing of it.
        SockFilter::new(0x06, 0, 0, 0),
        // Keep all of it.
        SockFilter::new(0x06, 0, 0, u32::MAX),
    ];
    if let Err(error) = SockRef::from(listener).attach_filter(&program) {
        tracing::warn!(%error, "who connects in this moment may be reset instead of refused");
    }
}

/// Other systems have no such filter.
#[cfg(not(target_os = "linux"))]
pub(super) const fn newcomers(_listener: &TcpListener) {}

/// Closes the socket, and returns the connections that were let in last.
pub(super) fn last_ones(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    // By asking the system itself: the runtime may not yet know of them.
    let Ok(listener) = listener.into_std() else { return Vec::new() };
    let accepted = std::iter::from_fn(|| listener.accept().ok());
    let usable = accepted.filter_map(|(stream, peer)| {
        stream.set_nonblocking(true).ok()?;
        Some((TcpStream::from_std(stream).ok()?, peer))
    });
    usable.collect()
}
