//! Bytes on a connection: what our own client is answered, and what a browser sends.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use evently_cli::http1;
use hyper::server::conn::http1::Builder;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};

use crate::{block_on, service::House};

/// Bytes that come in pieces.
struct Pieces<'a> {
    bytes: &'a [u8],
    size: usize,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let (piece, rest) = this.bytes.split_at(this.size.min(buffer.remaining()).min(this.bytes.len()));
        buffer.put_slice(piece);
        this.bytes = rest;
        Poll::Ready(Ok(()))
    }
}

/// An answer, which means the same however it is cut on its way. The first byte says how.
pub fn answers(bytes: &[u8]) {
    let Some((size, bytes)) = bytes.split_first() else { return };
    let read = |size| {
        let received = block_on(http1::receive(&mut Pieces { bytes, size }));
        received.map(|(answer, goes_on)| (answer.status, answer.body().to_vec(), answer.retry_after(), goes_on))
    };
    match (read(usize::MAX), read(usize::from(*size).max(1))) {
        (Ok(whole), Ok(cut)) => {
            assert!((100..1000).contains(&whole.0));
            // Whether more has come than was asked for is only seen where it has come already.
            assert_eq!((whole.0, &whole.1, whole.2), (cut.0, &cut.1, cut.2));
        }
        (Err(whole), Err(_)) => assert!(!whole.to_string().is_empty()),
        (whole, cut) => panic!("{whole:?} as a whole, and in pieces {cut:?}"),
    }
}

/// How a browser asks to follow the seats of the event.
fn handshake(house: &House) -> String {
    format!(
        "GET /api/v1/events/{}/live HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        house.event
    )
}

/// `w` and what is sent on a WebSocket, or `h` and what is sent on a new connection.
pub fn live(bytes: &[u8]) {
    let Some((kind, sent)) = bytes.split_first().filter(|(kind, _)| matches!(kind, b'w' | b'h')) else { return };
    let (kind, sent) = (*kind, sent.to_vec());
    block_on(async {
        let house = House::open().await;
        let (client, server) = tokio::io::duplex(64 << 10);
        let router = house.router.clone();
        let serving = tokio::spawn(async move {
            let service = TowerToHyperService::new(router);
            // Who has said everything still wants to hear the answer.
            let connection =
                Builder::new().half_close(true).timer(TokioTimer::new()).serve_connection(TokioIo::new(server), service);
            // What a client has broken is its own affair.
            let _ = connection.with_upgrades().await;
        });
        let (mut reader, mut writer) = tokio::io::split(client);
        if kind == b'w' {
            // It may have closed the connection by then.
            let _ = writer.write_all(handshake(&house).as_bytes()).await;
        }
        let reading = async {
            let mut heard = Vec::new();
            let _ = reader.read_to_end(&mut heard).await;
            heard
        };
        let writing = async {
            let _ = writer.write_all(&sent).await;
            let _ = writer.shutdown().await;
        };
        let (heard, ()) = tokio::join!(reading, writing);
        serving.await.expect("the service does not panic");
        if kind == b'w' {
            followed(&heard);
        } else {
            answered(&heard);
        }
        house.check().await;
    });
}

fn head(heard: &[u8]) -> Option<(&str, &[u8])> {
    let end = heard.windows(4).position(|part| part == b"\r\n\r\n")?;
    Some((std::str::from_utf8(&heard[..end]).expect("our heads are ASCII"), &heard[end + 4..]))
}

fn answered(heard: &[u8]) {
    let Some((head, _)) = head(heard) else { return assert!(heard.is_empty()) };
    let status = head.split(' ').nth(1).expect("a status");
    assert!(head.starts_with("HTTP/1.") && !status.starts_with('5'), "{head}");
}

/// A handshake, and then whole frames that are none of a client's.
fn followed(heard: &[u8]) {
    let (head, mut frames) = head(heard).expect("the handshake was answered");
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    while let [first, second, rest @ ..] = frames {
        assert!(first & 0x70 == 0 && second & 0x80 == 0, "a frame that no server sends");
        let (length, rest) = match second {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            127 => panic!("the event has few seats"),
            length => (usize::from(*length), rest),
        };
        let (payload, rest) = rest.split_at(length);
        match first & 0x0f {
            1 => assert!(serde_json::from_slice::<serde_json::Value>(payload).is_ok_and(|frame| frame["type"].is_string())),
            8 if !payload.is_empty() => {
                let code = u16::from_be_bytes([payload[0], payload[1]]);
                assert!((1000..1016).contains(&code) || (3000..5000).contains(&code), "closed with {code}");
                assert!(std::str::from_utf8(&payload[2..]).is_ok());
            }
            8..=10 => {}
            other => panic!("a frame of kind {other}"),
        }
        frames = rest;
    }
    assert!(frames.is_empty(), "half a frame");
}
