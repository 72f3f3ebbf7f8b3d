//! The live feed: what changes among an event's seats, as it changes.

use std::{convert::Infallible, fmt::Write, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::{
        State,
        ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code, rejection::WebSocketUpgradeRejection},
    },
    response::{IntoResponse, Response},
};
use evently_core::{
    domain::{EventId, LayoutId},
    ports::{Delta, Subscription},
    services::EventView,
};
use serde::Deserialize;
use tokio::{sync::broadcast::error::RecvError, time::MissedTickBehavior};
use utoipa::IntoParams;

use crate::{
    compose::App,
    context,
    extract::{Path, Query},
    middleware::ClientAddress,
    problem::{Code, Problem},
    seat_bodies::{Bodies, seat_json},
    server::{Closing, LiveRoom},
};

/// How often a connection is tried.
const PING: Duration = Duration::from_secs(20);
/// Pings in a row that a client may leave unanswered: who has lost their signal goes without a word, and who is slow hears a ping after all
/// that was sent before it.
const UNANSWERED_MAX: u32 = 3;
/// How long a client may take to accept a frame before it is dropped.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a client may send: nothing of use, and so not much of it.
const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// Bytes that are read ahead on each connection for as long as it lives, so few of them.
const BUFFER: usize = 4 << 10;
/// Messages, pings included, that a client may send from one of our pings to the next.
const MESSAGES_MAX: usize = 100;
/// How long a client may take to read a farewell and stop sending.
const MOMENT: Duration = Duration::from_secs(2);
/// When to try again to follow where a client follows enough already, or all together do.
const LATER: Duration = Duration::from_secs(10);

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
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    context::note_event(id);
    let view = app.events.public(id).await?;
    let upgrade = upgrade.map_err(|_| Problem::new(Code::MalformedHeader, "ask for a WebSocket: `Upgrade: websocket`"))?;
    let place = app.live_places.take(client.network()).ok_or_else(|| Problem::rate_limited(LATER))?;
    let place_of_all = match room {
        Some(Extension(room)) => Some(room.take().ok_or_else(|| Problem::too_many_feeds(LATER))?),
        None => None,
    };
    let subscription = app.events.subscribe(id, from.since).await?;
    Ok(upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .read_buffer_size(BUFFER)
        .on_upgrade(async move |socket| {
            let follower = Follower { app, view, socket, closing: closing.map(|Extension(closing)| closing) };
            follower.follow(subscription, from.since.is_some()).await;
            drop((place, place_of_all));
        })
        .into_response())
}

struct Follower {
    app: Arc<App>,
    view: Arc<EventView>,
    socket: WebSocket,
    /// Kept to the end, so that a shutdown waits for the farewell.
    closing: Option<Closing>,
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
    async fn follow(mut self, subscription: Subscription, resuming: bool) {
        let lost_place = resuming && subscription.snapshot.is_some();
        if lost_place && self.send(r#"{"type":"resync"}"#.to_owned()).await.is_err() {
            return;
        }
        let Err(over) = self.follow_from(subscription).await;
        let (code, reason) = match over {
            Over::Gone => return,
            Over::Closing => (close_code::RESTART, "the service is going down"),
            Over::Misused => (close_code::POLICY, "this feed takes only a few small messages"),
        };
        let farewell = CloseFrame { code, reason: reason.into() };
        let _ = tokio::time::timeout(PATIENCE, self.socket.send(Message::Close(Some(farewell)))).await;
        // What is closed with something still to read is reset, and a reset may overtake the farewell.
        let _ = tokio::time::timeout(MOMENT, async { while let Some(Ok(_)) = self.socket.recv().await {} }).await;
    }

    async fn follow_from(&mut self, mut subscription: Subscription) -> Result<Infallible, Over> {
        let mut closing = self.closing.clone();
        let mut messages = 0;
        let mut ping = tokio::time::interval_at(tokio::time::Instant::now() + PING, PING);
        // Several at once would ask for answers that nobody had the time to give.
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut unanswered = 0;
        self.begin(&mut subscription).await?;
        loop {
            tokio::select! {
                // What has come is heard before it is missed.
                biased;
                () = begun(closing.as_mut()) => return Err(Over::Closing),
                message = self.socket.recv() => match message {
                    Some(Ok(Message::Close(_))) | None => return Err(Over::Gone),
                    Some(Ok(_)) if messages < MESSAGES_MAX => (messages, unanswered) = (messages + 1, 0),
                    // An error is a broken connection, to which a farewell does no harm, or a message that is too large.
                    Some(Ok(_) | Err(_)) => return Err(Over::Misused),
                },
                _ = ping.tick() => {
                    if unanswered == UNANSWERED_MAX {
                        return Err(Over::Gone);
                    }
                    (unanswered, messages) = (unanswered + 1, 0);
                    self.send_message(Message::Ping(bytes::Bytes::new())).await?;
                }
                delta = subscription.deltas.recv() => match delta {
                    Ok(delta) => self.send_delta(&delta).await?,
                    // Closed means that the feed has had to number its states anew.
                    Err(RecvError::Lagged(_) | RecvError::Closed) => {
                        self.send(r#"{"type":"resync"}"#.to_owned()).await?;
                        subscription = self.app.events.subscribe(self.view.event.id, None).await.map_err(|_| Over::Gone)?;
                        // It may have been changed since.
                        self.view = self.app.events.view(self.view.event.id).await.map_err(|_| Over::Gone)?;
                        self.begin(&mut subscription).await?;
                    }
                },
            }
        }
    }

    async fn begin(&mut self, subscription: &mut Subscription) -> Result<(), Over> {
        if let Some(map) = subscription.snapshot.take() {
            let bodies = self.app.seat_bodies.of(&self.view, map.clone());
            // The bodies at hand may be of a later state than our place in the deltas.
            let snapshot = if bodies.seq() == map.seq() {
                bodies.snapshot().to_owned()
            } else {
                Bodies::alone(&self.view, map).snapshot().to_owned()
            };
            self.send(snapshot).await?;
        }
        for delta in std::mem::take(&mut subscription.missed) {
            self.send_delta(&delta).await?;
        }
        Ok(())
    }

    async fn send_delta(&mut self, delta: &Delta) -> Result<(), Over> {
        let layout = self.view.event.layout_id;
        let frame = delta.frame(|delta| encode(delta, layout)).to_owned();
        self.send(frame).await
    }

    async fn send(&mut self, frame: String) -> Result<(), Over> {
        self.send_message(Message::Text(frame.into())).await
    }

    /// Sends a frame, or drops a client that does not take it.
    async fn send_message(&mut self, message: Message) -> Result<(), Over> {
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
