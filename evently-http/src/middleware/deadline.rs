//! Too large is refused, too slow is cut off.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use axum::{
    body::Body,
    extract::{DefaultBodyLimit, MatchedPath, Request},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::header;
use http_body::{Body as _, Frame, SizeHint};
use tokio::time;

use super::Stack;
use crate::problem::{Code, Problem};

/// A file of the largest size takes so many times as long as any other request may.
const PATIENCE: u32 = 6;

pub(super) async fn in_time(stack: &Stack, mut request: Request, next: Next) -> Response {
    let route = request.extensions().get().map_or("", MatchedPath::as_str);
    let (bytes_max, time) = if stack.uploads.contains(&route) {
        (stack.http.import_limit.0, stack.http.request_timeout * PATIENCE)
    } else {
        (stack.http.body_limit.0, stack.http.request_timeout)
    };
    if announced(&request).is_some_and(|bytes| bytes > bytes_max as u64) {
        return Problem::new(Code::BodyTooLarge, format!("at most {bytes_max} bytes")).into_response();
    }
    DefaultBodyLimit::max(bytes_max).apply(&mut request);
    let may_change = !request.method().is_safe();
    let arrived = Arc::new(AtomicBool::new(request.body().is_end_stream()));
    let watch = Arc::clone(&arrived);
    let request = request.map(|body| if body.is_end_stream() { body } else { Body::new(Watched { body, arrived: watch }) });
    match time::timeout(time, next.run(request)).await {
        Ok(response) => response,
        // What was asked may be done all the same: it has been handed in.
        Err(_) if arrived.load(Ordering::Relaxed) && may_change => Problem::late().into_response(),
        Err(_) if arrived.load(Ordering::Relaxed) => Problem::overloaded().into_response(),
        Err(_) => Problem::new(Code::RequestTimeout, "send the body faster").into_response(),
    }
}

/// How many bytes the client says it will send.
fn announced(request: &Request) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A body that tells when all of it has come.
struct Watched {
    body: Body,
    arrived: Arc<AtomicBool>,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None)) || self.body.is_end_stream() {
            self.arrived.store(true, Ordering::Relaxed);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
