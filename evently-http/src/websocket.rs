//! WebSocket, RFC 6455: the handshake of a server, and long texts in fragments.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::derive_accept_key,
        protocol::{
            Role, WebSocketConfig,
            frame::{
                Frame,
                coding::{Data, OpCode},
            },
        },
    },
};

use crate::problem::{Code, Problem};

/// The largest payload of a frame of [`fragments`]. A connection has a buffer for the largest frame it has sent, for as long as it lives.
const FRAGMENT: usize = 8 << 10;

/// A connection on which messages come and go.
pub type WebSocket = WebSocketStream<Metered>;

/// The bytes of a connection, of which no more may come than somebody takes. Those of a message that never ends, in frames with nothing in
/// them for instance, are told to nobody.
#[derive(Debug)]
pub struct Metered {
    bytes: TokioIo<Upgraded>,
    /// How many may still come.
    left: usize,
}

impl Metered {
    /// So many may come from now on; one more is an error.
    pub const fn take(&mut self, bytes: usize) {
        self.left = bytes;
    }
}

impl AsyncRead for Metered {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.bytes).poll_read(cx, into))?;
        let left = self.left.checked_sub(into.filled().len() - before);
        self.left = left.unwrap_or(0);
        Poll::Ready(left.map(|_| ()).ok_or_else(|| io::Error::other("more has come than is taken")))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.bytes).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_shutdown(cx)
    }
}

/// A client asks to go on with a WebSocket.
#[derive(Debug)]
pub struct Handshake {
    /// What shows that we have understood.
    accept: String,
    upgrade: OnUpgrade,
}

impl<S: Send + Sync> FromRequestParts<S> for Handshake {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let asked = parts.method == Method::GET
            && names(&parts.headers, &header::CONNECTION, "upgrade")
            && names(&parts.headers, &header::UPGRADE, "websocket")
            && names(&parts.headers, &header::SEC_WEBSOCKET_VERSION, "13");
        let key = parts.headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| asked);
        let accept = key.map(|key| derive_accept_key(key.as_bytes()));
        // It is there on a connection that can be upgraded, for whoever takes it first.
        let handshake = accept.and_then(|accept| Some(Self { accept, upgrade: parts.extensions.remove()? }));
        handshake.ok_or_else(|| Problem::new(Code::MalformedHeader, "ask for a WebSocket: `Upgrade: websocket`"))
    }
}

impl Handshake {
    /// Answers that it is one now, and does `follow` with it once the answer is sent.
    pub fn accept<F>(self, config: WebSocketConfig, follow: impl FnOnce(WebSocket) -> F + Send + 'static) -> Response
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let upgrade = self.upgrade;
        tokio::spawn(async move {
            // An error is a client who has left before the answer.
            if let Ok(upgraded) = upgrade.await {
                let bytes = Metered { bytes: TokioIo::new(upgraded), left: usize::MAX };
                follow(WebSocket::from_raw_socket(bytes, Role::Server, Some(config)).await).await;
            }
        });
        let switched =
            [(header::CONNECTION, HeaderValue::from_static("upgrade")), (header::UPGRADE, HeaderValue::from_static("websocket"))];
        (StatusCode::SWITCHING_PROTOCOLS, switched, [(header::SEC_WEBSOCKET_ACCEPT, self.accept)]).into_response()
    }
}

/// Whether this is among what the header lists.
fn names(headers: &HeaderMap, header: &HeaderName, word: &str) -> bool {
    let lists = headers.get_all(header).iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|listed| listed.trim().eq_ignore_ascii_case(word))
}

/// The frames of a text, of which at least one character is there. Each is made when it is asked for, so that nobody has a copy of the whole.
/// Pings, their answers and a farewell may go between them, RFC 6455, section 5.4.
pub fn fragments(text: &[u8]) -> impl Iterator<Item = Message> {
    let count = text.len().div_ceil(FRAGMENT);
    (1..).zip(text.chunks(FRAGMENT)).map(move |(nth, payload)| {
        let kind = if nth == 1 { Data::Text } else { Data::Continue };
        Message::Frame(Frame::message(Bytes::copy_from_slice(payload), OpCode::Data(kind), nth == count))
    })
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    async fn accepted(method: Method, headers: &[(&'static str, &'static str)]) -> Result<String, Problem> {
        let mut request = Request::builder().method(method).body(()).unwrap();
        for (name, value) in headers {
            request.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        let upgrade = hyper::upgrade::on(&mut request);
        request.extensions_mut().insert(upgrade);
        Handshake::from_request_parts(&mut request.into_parts().0, &()).await.map(|handshake| handshake.accept)
    }

    #[tokio::test]
    async fn a_handshake_has_all_its_headers() {
        let right = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        // The example of RFC 6455, section 1.3.
        assert_eq!(accepted(Method::GET, &right).await.unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(accepted(Method::POST, &right).await.is_err());
        for wrong in 0..right.len() {
            let without = right.iter().enumerate().filter(|(i, _)| *i != wrong).map(|(_, header)| *header).collect::<Vec<_>>();
            assert_eq!(accepted(Method::GET, &without).await.unwrap_err().code(), Code::MalformedHeader, "{without:?}");
        }
        for other in [("connection", "upgraded"), ("upgrade", "h2c"), ("sec-websocket-version", "8")] {
            let headers = right.map(|header| if header.0 == other.0 { other } else { header });
            assert_eq!(accepted(Method::GET, &headers).await.unwrap_err().code(), Code::MalformedHeader, "{other:?}");
        }
    }

    #[test]
    fn the_fragments_of_a_text_are_the_text() {
        for length in [1, FRAGMENT - 1, FRAGMENT, FRAGMENT + 1, 3 * FRAGMENT] {
            let text = (0..=u8::MAX).cycle().take(length).collect::<Vec<_>>();
            let frames = fragments(&text).map(|message| match message {
                Message::Frame(frame) => frame,
                other => panic!("{other:?}"),
            });
            let frames = frames.collect::<Vec<_>>();
            let heads = frames.iter().map(|frame| (frame.header().opcode, frame.header().is_final)).collect::<Vec<_>>();
            let count = length.div_ceil(FRAGMENT);
            let head = |i| (OpCode::Data(if i == 0 { Data::Text } else { Data::Continue }), i == count - 1);
            assert_eq!(heads, (0..count).map(head).collect::<Vec<_>>());
            assert!(frames.iter().all(|frame| frame.payload().len() <= FRAGMENT));
            assert!(frames.iter().flat_map(Frame::payload).eq(&text));
        }
    }
}
