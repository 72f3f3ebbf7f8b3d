//! A connection that listens.

use std::time::Duration;

use futures_util::StreamExt as _;
use redis::aio::{PubSub, PubSubSink, PubSubStream};
use tokio::time::{Interval, interval, timeout};

/// A connection that listens to channels.
pub(crate) struct Listener {
    sink: PubSubSink,
    messages: PubSubStream,
    look: Interval,
    /// How long the server may take to say that it is there.
    patience: Duration,
}

/// What was heard.
pub(crate) enum Heard {
    /// What was said on a channel.
    Message(String, String),
    /// Nothing for a while, and the server is still there.
    Nothing,
}

impl Listener {
    /// Looks every `probe` whether the server is still there.
    pub(crate) fn new(connection: PubSub, probe: Duration, patience: Duration) -> Self {
        let (sink, messages) = connection.split();
        Self { sink, messages, look: interval(probe), patience }
    }

    /// What is heard next; `None` when the connection is of no use any more.
    pub(crate) async fn next(&mut self) -> Option<Heard> {
        tokio::select! {
            message = self.messages.next() => {
                let message = message?;
                let text = String::from_utf8_lossy(message.get_payload_bytes()).into_owned();
                Some(Heard::Message(message.get_channel_name().to_owned(), text))
            }
            _ = self.look.tick() => {
                matches!(timeout(self.patience, self.sink.ping::<redis::Value>()).await, Ok(Ok(_))).then_some(Heard::Nothing)
            }
        }
    }
}
