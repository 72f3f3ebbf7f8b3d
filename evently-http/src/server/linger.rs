//! Ends of a connection: for a client that takes no more of its answer, and so that the last answer arrives.
//!
//! Where a client is still sending when we close, the system answers with a reset, and a reset may overtake the answer: whoever
//! sends too large a body would see a broken connection instead of a 413. So what it still sends is read and thrown away, for
//! a moment.

use std::{
    future::Future,
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{self, Sleep},
};

/// How long a client may take to read the answer and stop sending.
const MOMENT: Duration = Duration::from_secs(2);

/// A connection that lingers.
pub(super) struct Linger {
    stream: TcpStream,
    /// How long a client may take nothing of what is sent to it.
    patience: Duration,
    /// Until when it has to take something, where it takes nothing now.
    stalled: Option<Pin<Box<Sleep>>>,
    /// From when our side was closed.
    until: Option<Pin<Box<Sleep>>>,
}

impl Linger {
    pub(super) const fn new(stream: TcpStream, patience: Duration) -> Self {
        Self { stream, patience, stalled: None, until: None }
    }

    /// The outcome of a write, which fails once the client has taken nothing for too long.
    fn in_time(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(time::sleep(patience)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Throws away what comes until the other side is closed too.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut space = [0; 16 << 10];
        loop {
            let mut buffer = ReadBuf::new(&mut space);
            let read = pin!(&mut self.stream).poll_read(cx, &mut buffer);
            if !matches!(ready!(read), Ok(()) if !buffer.filled().is_empty()) {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncRead for Linger {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Linger {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.in_time(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, buffers);
        self.in_time(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let linger = &mut *self;
        if linger.until.is_none() {
            ready!(Pin::new(&mut linger.stream).poll_shutdown(cx))?;
        }
        let until = linger.until.get_or_insert_with(|| Box::pin(time::sleep(MOMENT)));
        if until.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        linger.poll_drain(cx)
    }
}
