//! The live feed: what changes among an event's seats, as it changes.

use std::{convert::Infallible, fmt::Write, future, pin::pin, sync::Arc, time::Duration};

use axum::{Extension, extract::State, response::Response};
use bytes::Bytes;
use evently_core::{
    domain::{EventId, LayoutId},
    ports::{Delta, Subscription},
    services::EventView,
};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use tokio::{
    sync::broadcast::error::RecvError,
    time::{Instant, Interval, MissedTickBehavior},
};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
};
use utoipa::IntoParams;

use crate::{
    compose::App,
    context,
    extract::{Path, Query},
    middleware::ClientAddress,
    problem::Problem,
    seat_bodies::{Bodies, seat_json},
    server::{Closing, LiveRoom},
    websocket::{Handshake, WebSocket, fragments},
};

/// How often a connection is tried.
const PING: Duration = Duration::from_secs(20);
/// Pings in a row that a client may leave unanswered: who has lost their signal goes without a word.
const UNANSWERED_MAX: usize = 3;
/// Bytes after which one more may be: who is slow hears a ping after all that was sent before it, of which much is on the way or with a proxy.
const SLOWLY: usize = 200 << 10;
/// How long a client may take to accept a frame, of which a long text has many, before it is dropped.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a client may send: nothing of use, and so not much of it.
const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// Bytes that are read ahead on each connection for as long as it lives, so few of them.
const BUFFER: usize = 4 << 10;
/// Messages, pings included, that a client may send from one of our pings to the next.
const MESSAGES_MAX: usize = 100;
/// Bytes that a client may send in that time. Frames in the middle of a message are no messages, however many come.
const BYTES_MAX: usize = 4 * MESSAGE_BYTES_MAX;
/// How long a client may take to read a farewell and stop sending.
const MOMENT: Duration = Duration::from_secs(2);
/// When to try again to follow where a client follows enough already, or all together do.
const LATER: Duration = Duration::from_secs(10);

/// Tells a client that what it has is of no use any more.
const RESYNC: &[u8] = br#"{"type":"resync"}"#;

/// From where on.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct From {
    /// The `seq` of the state that the client has.
    since: Option<u64>,
}

/// Follow an event's seats over a WebSocket. The first frame is a `snapshot`, or with `since` the deltas that were missed; then
/// comes a `delta` for each change, `seq` by `seq`. A client that cannot be caught up gets `resync` and a new snapshot.
#[utoipa::path(get, path = "/api/v1/events/{event_id}/live", tag = "events", params(("event_id" = Uuid, Path), From),
    responses((status = 101, description = "The connection is a WebSocket now")))]
pub async fn follow(
    State(app): State<Arc<App>>,
    Path(id): Path<EventId>,
    Query(from): Query<From>,
    closing: Option<Extension<Closing>>,
    room: Option<Extension<LiveRoom>>,
    Extension(client): Extension<ClientAddress>,
    handshake: Result<Handshake, Problem>,
) -> Result<Response, Problem> {
    context::note_event(id);
    let view = app.events.public(id).await?;
    let handshake = handshake?;
    let place = app.live_places.take(client.network()).ok_or_else(|| Problem::rate_limited(LATER))?;
    let place_of_all = match room {
        Some(Extension(room)) => Some(room.take().ok_or_else(|| Problem::too_many_feeds(LATER))?),
        None => None,
    };
    let subscription = app.events.subscribe(id, from.since).await?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
        .read_buffer_size(BUFFER);
    Ok(handshake.accept(config, async move |socket| {
        let follower = Follower::new(app, view, socket, closing.map(|Extension(closing)| closing), from.since);
        follower.follow(subscription).await;
        drop((place, place_of_all));
    }))
}

struct Follower {
    app: Arc<App>,
    view: Arc<EventView>,
    socket: WebSocket,
    /// Kept to the end, so that a shutdown waits for the farewell.
    closing: Option<Closing>,
    ping: Interval,
    /// Pings that were not answered, and bytes that were sent since the client was heard.
    unanswered: usize,
    unheard: usize,
    /// Messages that have come since the last ping.
    messages: usize,
    /// The state that the client has.
    seq: Option<u64>,
}

/// Why a connection is over.
enum Over {
    /// The client has gone, takes nothing any more, or answers nothing.
    Gone,
    /// The service is going down.
    Closing,
    /// The client sends what it should not.
    Misused,
}

impl Follower {
    fn new(app: Arc<App>, view: Arc<EventView>, socket: WebSocket, closing: Option<Closing>, seq: Option<u64>) -> Self {
        let mut ping = tokio::time::interval_at(Instant::now() + PING, PING);
        // Several at once would ask for answers that nobody had the time to give.
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { app, view, socket, closing, ping, unanswered: 0, unheard: 0, messages: 0, seq }
    }

    async fn follow(mut self, subscription: Subscription) {
        self.socket.get_mut().take(BYTES_MAX);
        let Err(over) = self.follow_from(subscription).await;
        let (code, reason) = match over {
            Over::Gone => return,
            Over::Closing => (CloseCode::Restart, "the service is going down"),
            Over::Misused => (CloseCode::Policy, "this feed takes only a few small messages"),
        };
        let farewell = CloseFrame { code, reason: reason.into() };
        let _ = tokio::time::timeout(PATIENCE, self.socket.send(Message::Close(Some(farewell)))).await;
        // What is closed with something still to read is reset, and a reset may overtake the farewell.
        let _ = tokio::time::timeout(MOMENT, async { while let Some(Ok(_)) = self.socket.next().await {} }).await;
    }

    async fn follow_from(&mut self, mut subscription: Subscription) -> Result<Infallible, Over> {
        self.begin(&mut subscription).await?;
        loop {
            let since = match self.minding(subscription.deltas.recv()).await? {
                Ok(delta) => {
                    self.send_delta(&delta).await?;
                    continue;
                }
                Err(RecvError::Lagged(_)) => self.seq,
                // The feed has had to number its states anew.
                Err(RecvError::Closed) => None,
            };
            let id = self.view.event.id;
            subscription = self.app.events.subscribe(id, since).await.map_err(|_| Over::Gone)?;
            // It may have been changed since.
            self.view = self.app.events.view(id).await.map_err(|_| Over::Gone)?;
            self.begin(&mut subscription).await?;
        }
    }

    /// Sees to the connection until `done` is.
    async fn minding<T>(&mut self, done: impl Future<Output = T>) -> Result<T, Over> {
        let mut done = pin!(done);
        loop {
            tokio::select! {
                // What has come is heard before it is missed.
                biased;
                () = begun(self.closing.as_mut()) => return Err(Over::Closing),
                message = self.socket.next() => match message {
                    Some(Ok(Message::Close(_))) => {
                        // The answer to it goes out.
                        let _ = tokio::time::timeout(MOMENT, self.socket.flush()).await;
                        return Err(Over::Gone);
                    }
                    None => return Err(Over::Gone),
                    Some(Ok(_)) if self.messages < MESSAGES_MAX => {
                        (self.messages, self.unanswered, self.unheard) = (self.messages + 1, 0, 0);
                    }
                    // An error is a broken connection, to which a farewell does no harm, a message that is too large, or too much in all.
                    Some(Ok(_) | Err(_)) => return Err(Over::Misused),
                },
                _ = self.ping.tick() => {
                    if self.unanswered >= UNANSWERED_MAX + self.unheard / SLOWLY {
                        return Err(Over::Gone);
                    }
                    (self.unanswered, self.messages) = (self.unanswered + 1, 0);
                    self.socket.get_mut().take(BYTES_MAX);
                    self.send_message(Message::Ping(Bytes::new())).await?;
                }
                done = &mut done => return Ok(done),
            }
        }
    }

    async fn begin(&mut self, subscription: &mut Subscription) -> Result<(), Over> {
        if let Some(map) = subscription.snapshot.take() {
            if self.seq.is_some() {
                self.send(RESYNC).await?;
            }
            self.seq = Some(map.seq());
            let mut bodies = self.app.seat_bodies.of(&self.view, map.clone());
            // The bodies at hand may be of a later state than our place in the deltas.
            if bodies.seq() != map.seq() {
                bodies = Arc::new(Bodies::alone(&self.view, map));
            }
            let snapshot = bodies.snapshot();
            // Whoever takes long keeps no other form of it.
            drop(bodies);
            self.send(&snapshot).await?;
        }
        for delta in std::mem::take(&mut subscription.missed) {
            self.send_delta(&delta).await?;
        }
        Ok(())
    }

    async fn send_delta(&mut self, delta: &Delta) -> Result<(), Over> {
        let layout = self.view.event.layout_id;
        self.seq = Some(delta.seq);
        self.send(delta.frame(|delta| encode(delta, layout)).as_bytes()).await
    }

    /// Sends a text. One that takes long is no reason not to hear the client meanwhile.
    async fn send(&mut self, text: &[u8]) -> Result<(), Over> {
        for (i, fragment) in fragments(text).enumerate() {
            if i > 0 {
                self.minding(future::ready(())).await?;
            }
            self.send_message(fragment).await?;
        }
        Ok(())
    }

    /// Sends a frame, or drops a client that does not take it.
    async fn send_message(&mut self, message: Message) -> Result<(), Over> {
        self.unheard += message.len();
        match tokio::time::timeout(PATIENCE, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Over::Gone),
        }
    }
}

async fn begun(closing: Option<&mut Closing>) {
    match closing {
        Some(closing) => closing.begun().await,
        None => std::future::pending().await,
    }
}

fn encode(delta: &Delta, layout: LayoutId) -> String {
    let mut frame = format!(r#"{{"type":"delta","seq":{},"seats":["#, delta.seq);
    for (i, change) in delta.changes.iter().enumerate() {
        let comma = if i > 0 { "," } else { "" };
        let seat = seat_json(layout.seat(change.number), change.status, change.version);
        write!(frame, "{comma}{seat}").expect("a string takes everything");
    }
    frame.push_str("]}");
    frame
}
