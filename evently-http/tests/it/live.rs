//! Clients of the live feed that do not behave.

use std::{
    net::{Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use evently_core::{
    domain::{EventId, SeatChange, SeatStatus},
    memory::MemorySeatFeed,
    ports::SeatFeed,
};
use evently_http::server::{self, Limits};
use futures_util::{SinkExt, StreamExt};
use http::Method;
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use serde_json::{Value, json};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, duplex, split},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::oneshot,
    time,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, client_async,
    tungstenite::{
        Bytes, Error, Message,
        client::IntoClientRequest,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use crate::{
    app::{TestApp, WITHOUT_REDIS},
    taken::Taken,
};

const PATIENCE: Duration = Duration::from_secs(30);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn served(settings: &[(&'static str, &str)]) -> (TestApp, EventId, SocketAddr) {
    let app = TestApp::with(settings).await;
    let (_, event) = app.on_sale(1).await;
    let address = serve(&app, std::future::pending());
    (app, event, address)
}

fn serve(app: &TestApp, stop: impl Future<Output = ()> + Send + 'static) -> SocketAddr {
    serve_at(server::bind("127.0.0.1:0".parse().unwrap()).unwrap(), app, stop)
}

fn serve_at(listener: TcpListener, app: &TestApp, stop: impl Future<Output = ()> + Send + 'static) -> SocketAddr {
    let address = listener.local_addr().unwrap();
    tokio::spawn(server::serve(listener, app.router.clone(), Limits::from(&app.app.config.http), stop));
    address
}

async fn follow(address: SocketAddr, event: EventId, by: &str) -> Result<Socket, Error> {
    let mut request = format!("ws://{address}/api/v1/events/{event}/live").into_client_request().unwrap();
    request.headers_mut().insert("x-forwarded-for", by.parse().unwrap());
    tokio_tungstenite::connect_async(request).await.map(|(socket, _)| socket)
}

/// How the service says farewell.
async fn farewell<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>) -> CloseCode {
    let farewell = async {
        loop {
            match socket.next().await.expect("with a farewell") {
                Ok(Message::Close(Some(farewell))) => return farewell.code,
                Ok(_) => {}
                Err(error) => panic!("without a farewell: {error}"),
            }
        }
    };
    time::timeout(PATIENCE, farewell).await.expect("it is closed")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_client_follows_only_so_often() {
    let settings = [("http.live_per_client", "2"), ("http.trusted_proxies", "127.0.0.1")];
    let (_app, event, address) = served(&settings).await;
    let (ada, bob) = ("203.0.113.1", "203.0.113.2");
    let mut first = follow(address, event, ada).await.unwrap();
    let _second = follow(address, event, ada).await.unwrap();
    let Err(Error::Http(refused)) = follow(address, event, ada).await else { panic!("it is refused") };
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (429, &"10".parse().unwrap()));
    assert!(follow(address, event, bob).await.is_ok(), "somebody else behind the same proxy");
    first.close(None).await.unwrap();
    time::timeout(PATIENCE, async { while follow(address, event, ada).await.is_err() {} })
        .await
        .expect("its place is free again");
}

/// Else whoever has a network of their own, with more addresses than anybody can count, takes the places of all others.
#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_follows_only_so_often_whatever_addresses_they_come_from() {
    let settings = [("http.live_per_client", "2"), ("http.trusted_proxies", "127.0.0.1")];
    let (_app, event, address) = served(&settings).await;
    let mut following = Vec::new();
    for own in ["2001:db8:1:2::1", "2001:db8:1:2::2"] {
        following.push(follow(address, event, own).await.unwrap());
    }
    let Err(Error::Http(refused)) = follow(address, event, "2001:db8:1:2::3").await else { panic!("it is refused") };
    assert_eq!(refused.status(), 429);
    assert!(follow(address, event, "2001:db8:1:3::1").await.is_ok(), "somebody else");
}

/// Else live feeds could take all open files, and nobody else would be let in.
#[tokio::test(flavor = "multi_thread")]
async fn who_follows_keeps_the_place_of_a_connection() {
    for setting in ["http.connections_max", "http.connections_per_client"] {
        let (_app, event, address) = served(&[(setting, "3")]).await;
        let _asks_nothing = TcpStream::connect(address).await.unwrap();
        let mut following = vec![follow(address, event, "").await.unwrap(), follow(address, event, "").await.unwrap()];
        // At the door, not by an answer.
        let refused = follow(address, event, "").await;
        assert!(matches!(refused, Err(ref error) if !matches!(error, Error::Http(_))), "{setting}: {refused:?}");
        following.pop().unwrap().close(None).await.unwrap();
        let let_in = async { while follow(address, event, "").await.is_err() {} };
        time::timeout(PATIENCE, let_in).await.expect("its place is free again");
    }
}

/// Whoever watches must not shut out whoever buys, or looks after the service.
#[tokio::test(flavor = "multi_thread")]
async fn live_feeds_leave_a_quarter_of_the_connections_to_others() {
    let (_app, event, address) = served(&[("http.connections_max", "8")]).await;
    let mut following = Vec::new();
    for _ in 0..6 {
        following.push(follow(address, event, "").await.unwrap());
    }
    let Err(Error::Http(refused)) = follow(address, event, "").await else { panic!("it is refused") };
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (503, &"10".parse().unwrap()));
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    let said = serde_json::from_slice::<Value>(refused.body().as_ref().unwrap()).unwrap();
    assert_eq!(said["code"], "overloaded", "{said}");
    following.pop().unwrap().close(None).await.unwrap();
    let let_in = async { while follow(address, event, "").await.is_err() {} };
    time::timeout(PATIENCE, let_in).await.expect("its place is free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_ends_its_feed_with_a_farewell() {
    let (_app, event, address) = served(&[]).await;
    let mut socket = follow(address, event, "").await.unwrap();
    for _ in 0..1000 {
        // It may have been closed meanwhile.
        let _ = socket.send(Message::Ping(Bytes::new())).await;
    }
    assert_eq!(farewell(&mut socket).await, CloseCode::Policy);
    let mut quiet = follow(address, event, "").await.unwrap();
    for _ in 0..50 {
        quiet.send(Message::Text("hello".into())).await.unwrap();
    }
    assert!(is_alive(&mut quiet).await, "a few messages do no harm");
}

/// A frame of a client that begins or continues a text, and is not its end.
fn part(begins: bool, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    // Its length is in the two bytes that follow. With a mask of zeros what is sent stays as it is.
    [&[u8::from(begins), 0xFE][..], &length, &[0; 4], payload].concat()
}

/// Each of these sends what never becomes a message of the kind that is counted.
#[tokio::test]
async fn what_never_becomes_a_message_ends_its_feed_with_a_farewell() {
    const LIMIT: usize = 64 << 10;
    let (app, event, _) = served(&[]).await;
    let half = b"x".repeat(LIMIT / 2);
    let too_long = [part(true, &half), part(false, &half), part(false, b"x")].concat();
    let announced = [&[0x81, 0xFF][..], &(LIMIT as u64 + 1).to_be_bytes(), &[0; 4]].concat();
    let endless = [part(true, b""), part(false, b"").repeat(40_000)].concat();
    let mut taken = Vec::new();
    for (what, bytes) in [("a message in parts", too_long), ("a frame", announced), ("nothing, again and again", endless)] {
        let (way, service) = duplex(1 << 20);
        let mut socket = follow_over(way, service, &app, event).await;
        frame(&mut socket).await;
        socket.get_mut().write_all(&bytes).await.unwrap();
        let ended = time::timeout(PATIENCE, socket.next()).await;
        let is_policy = |said: &CloseFrame| said.code == CloseCode::Policy;
        if !matches!(ended, Ok(Some(Ok(Message::Close(Some(ref said))))) if is_policy(said)) {
            taken.push((what, ended));
        }
    }
    assert!(taken.is_empty(), "{taken:?}");
}

/// On one thread, whose clock goes on by itself whenever nobody has anything to do. No server has the time to answer then.
#[tokio::test]
async fn who_sends_a_little_from_one_ping_to_the_next_may_go_on_for_ever() {
    let (_app, event, address) = served(&[WITHOUT_REDIS]).await;
    let mut socket = follow(address, event, "").await.unwrap();
    time::pause();
    // Together more than may come at once; of two rounds less.
    for _ in 0..4 {
        for _ in 0..40 {
            socket.send(Message::Text("hello".into())).await.unwrap();
        }
        loop {
            match socket.next().await {
                Some(Ok(Message::Ping(_))) => break,
                Some(Ok(Message::Text(_))) => {}
                over => panic!("{over:?}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_large_ends_its_feed_and_no_other() {
    let (_app, event, address) = served(&[]).await;
    let mut quiet = follow(address, event, "").await.unwrap();
    quiet.send(Message::Text("x".repeat(64 << 10).into())).await.unwrap();
    let mut socket = follow(address, event, "").await.unwrap();
    let _ = socket.send(Message::Text("x".repeat((64 << 10) + 1).into())).await;
    let over = async { while let Some(Ok(_)) = socket.next().await {} };
    time::timeout(PATIENCE, over).await.expect("it is closed");
    assert!(is_alive(&mut quiet).await);
}

/// The next frame.
async fn frame<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>) -> Value {
    loop {
        let message = time::timeout(PATIENCE, socket.next()).await.expect("it goes on").unwrap().unwrap();
        if let Message::Text(frame) = message {
            return serde_json::from_str(&frame).unwrap();
        }
    }
}

async fn is_alive(socket: &mut Socket) -> bool {
    socket.send(Message::Ping("still there".into())).await.unwrap();
    let pong = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Pong(said))) if said == "still there" => return true,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return false,
                Some(Ok(_)) => {}
            }
        }
    };
    time::timeout(PATIENCE, pong).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_is_told_that_the_service_goes_down() {
    let app = TestApp::new().await;
    let (_, event) = app.on_sale(1).await;
    let (stop, stopped) = oneshot::channel::<()>();
    let address = serve(&app, async move { drop(stopped.await) });
    let mut socket = follow(address, event, "").await.unwrap();
    assert!(is_alive(&mut socket).await);
    drop(stop);
    assert_eq!(farewell(&mut socket).await, CloseCode::Restart);
}

/// Follows with few bytes on the way, for as long as nobody reads at this end.
async fn follow_with_little_room(address: SocketAddr, event: EventId) -> WebSocketStream<TcpStream> {
    let way = TcpSocket::new_v4().unwrap();
    way.set_recv_buffer_size(4096).unwrap();
    let way = way.connect(address).await.unwrap();
    client_async(format!("ws://{address}/api/v1/events/{event}/live"), way).await.unwrap().0
}

/// A follower who reads too slowly misses changes, and must be told so: what is sent afterwards would not fit.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_too_slow_begins_anew() {
    const SEATS: u32 = 400;
    // More than the feed keeps for those who come back, and together more than fits on the way.
    const CHANGES: u32 = 1_500;
    let house = TestApp::new().await;
    let (_, event_id) = house.on_sale(SEATS as usize / 10).await;
    let catalog = house.app.store.catalog.clone();
    let feed = Arc::new(MemorySeatFeed::new(catalog.clone()));
    let app = house.beside_showing(catalog, feed.clone()).await;
    let address = serve(&app, std::future::pending());
    let mut socket = follow_with_little_room(address, event_id).await;
    let mut seq = frame(&mut socket).await["seq"].as_u64().unwrap();
    for version in 1..=CHANGES {
        let change = |number| SeatChange { event_id, number, status: SeatStatus::Blocked, version };
        feed.publish(&(0..SEATS).map(change).collect::<Vec<_>>()).await;
    }
    let last = app.app.events.seat_map(event_id).await.unwrap().seq();
    let mut anew = 0;
    while seq < last {
        let frame = frame(&mut socket).await;
        match frame["type"].as_str().unwrap() {
            "resync" => anew += 1,
            "snapshot" => seq = frame["seq"].as_u64().unwrap(),
            _ => {
                assert_eq!(frame["seq"], seq + 1, "nothing is left out in silence");
                seq += 1;
            }
        }
    }
    assert!(anew > 0, "it was too slow");
}

/// What is kept for those who come back is there for those who have not gone as well: a slow way would be given the whole for ever.
#[tokio::test]
async fn who_falls_behind_a_little_is_told_all_that_was_missed() {
    // More than is kept for each of those who follow, and less than for those who come back.
    const CHANGES: u32 = 800;
    let house = TestApp::new().await;
    let (_, event_id) = house.on_sale(1).await;
    let catalog = house.app.store.catalog.clone();
    let feed = Arc::new(MemorySeatFeed::new(catalog.clone()));
    let app = house.beside_showing(catalog, feed.clone()).await;
    let mut socket = follow_narrowly(&app, event_id).await;
    let seq = frame(&mut socket).await["seq"].as_u64().unwrap();
    for version in 1..=CHANGES {
        feed.publish(&[SeatChange { event_id, number: 0, status: SeatStatus::Blocked, version }]).await;
    }
    for nth in 1..=u64::from(CHANGES) {
        let frame = frame(&mut socket).await;
        assert_eq!((&frame["type"], &frame["seq"]), (&json!("delta"), &json!(seq + nth)));
    }
}

/// Whoever follows since before an edit puts nothing of before in the place of what is kept for all, or it is made anew for each of them.
#[tokio::test]
async fn who_is_too_slow_begins_anew_with_the_event_as_it_is() {
    let house = TestApp::new().await;
    let (organizer, event) = house.on_sale(1).await;
    let catalog = house.app.store.catalog.clone();
    let feed = Arc::new(MemorySeatFeed::new(catalog.clone()));
    let app = house.beside_showing(catalog, feed.clone()).await;
    let mut socket = follow_narrowly(&app, event).await;
    frame(&mut socket).await;
    let path = format!("/api/v1/admin/events/{event}");
    app.call(Method::PATCH, &path, Some(&organizer), Some(json!({"description": "Late"}))).await.expect(200);
    // Together more than the feed keeps for those who come back, and at once: who takes nothing for long is cut off instead.
    for version in 1..=1_500 {
        feed.publish(&[SeatChange { event_id: event, number: 0, status: SeatStatus::Blocked, version }]).await;
    }
    let view = app.app.events.view(event).await.unwrap();
    let of_now = async || app.app.seat_bodies.of(&view, app.app.events.seat_map(event).await.unwrap());
    let kept = of_now().await;
    while frame(&mut socket).await["type"] != "snapshot" {}
    assert!(Arc::ptr_eq(&kept, &of_now().await));
}

/// The state is shown to somebody else after the change, and before it is sent to whoever had taken their place before it.
#[tokio::test(flavor = "multi_thread")]
async fn who_follows_begins_at_the_place_that_was_taken() {
    let house = TestApp::new().await;
    let (_, event_id) = house.on_sale(1).await;
    let catalog = house.app.store.catalog.clone();
    let feed = Arc::new(Taken::before_all(catalog.clone(), event_id).await);
    let app = house.beside_showing(catalog, feed.clone()).await;
    feed.publish(&[SeatChange { event_id, number: 0, status: SeatStatus::Blocked, version: 1 }]).await;
    let shown = app.get(&format!("/api/v1/events/{event_id}/seats"), None).await.expect(200);
    let mut socket = follow(serve(&app, std::future::pending()), event_id, "").await.unwrap();
    let [snapshot, delta] = [frame(&mut socket).await, frame(&mut socket).await];
    assert_eq!([&snapshot["type"], &delta["type"]], ["snapshot", "delta"]);
    assert_eq!(delta["seq"], snapshot["seq"].as_u64().unwrap() + 1);
    let status = |body: &Value| body["seats"][0]["status"].clone();
    let never_changed = Value::Null;
    assert_eq!([&shown, &snapshot, &delta].map(status), [json!("blocked"), never_changed, json!("blocked")]);
}

/// Follows over a way that takes fewer bytes than any frame but a ping has, for as long as nobody reads at this end.
async fn follow_narrowly(app: &TestApp, event: EventId) -> WebSocketStream<DuplexStream> {
    const NARROW: usize = 32;
    let (way, service) = duplex(NARROW);
    follow_over(way, service, app, event).await
}

async fn follow_over(way: DuplexStream, service: DuplexStream, app: &TestApp, event: EventId) -> WebSocketStream<DuplexStream> {
    let routes = TowerToHyperService::new(app.router.clone());
    tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(service), routes).with_upgrades());
    client_async(format!("ws://localhost/api/v1/events/{event}/live"), way).await.unwrap().0
}

/// Waits until the only place of those who come by no address is free, and says how many seconds that took.
async fn until_over(app: &TestApp) -> u64 {
    let began = time::Instant::now();
    let over = async {
        while app.app.live_places.take(Ipv6Addr::UNSPECIFIED.into()).is_none() {
            time::sleep(Duration::from_millis(100)).await;
        }
    };
    time::timeout(PATIENCE, over).await.expect("it is over");
    began.elapsed().as_secs()
}

/// Else it keeps its place, and what is to be sent to it, for as long as it likes. The clock goes on by itself, as above, and
/// no server has the time to answer.
#[tokio::test]
async fn who_takes_nothing_any_more_is_cut_off() {
    let (app, event, _) = served(&[("http.live_per_client", "1"), WITHOUT_REDIS]).await;
    let _takes_nothing = follow_narrowly(&app, event).await;
    time::pause();
    assert!((5..15).contains(&until_over(&app).await), "after a while");
}

/// A follower, the only one there may be, of whom the service has heard enough.
async fn misused() -> (TestApp, WebSocketStream<DuplexStream>) {
    let (app, event, _) = served(&[("http.live_per_client", "1"), WITHOUT_REDIS]).await;
    let mut socket = follow_narrowly(&app, event).await;
    frame(&mut socket).await;
    time::pause();
    for _ in 0..=100 {
        socket.send(Message::Text("hello".into())).await.unwrap();
    }
    (app, socket)
}

#[tokio::test]
async fn who_does_not_take_the_farewell_is_not_waited_for() {
    let (app, _socket) = misused().await;
    assert!(until_over(&app).await < 15);
}

#[tokio::test]
async fn who_was_told_farewell_and_does_not_go_is_left() {
    let (app, mut socket) = misused().await;
    assert_eq!(farewell(&mut socket).await, CloseCode::Policy);
    assert!(until_over(&app).await < 5);
}

/// A proxy takes a connection on which nothing is said for a minute for dead, as ours does.
#[tokio::test]
async fn where_nothing_changes_something_is_said_before_a_proxy_gives_up() {
    let (app, event, _) = served(&[WITHOUT_REDIS]).await;
    let mut socket = follow_narrowly(&app, event).await;
    frame(&mut socket).await;
    time::pause();
    for _ in 0..3 {
        let said = time::timeout(Duration::from_secs(55), socket.next()).await.expect("in time");
        assert!(matches!(said, Some(Ok(Message::Ping(_)))), "{said:?}");
    }
}

/// Else everybody whose signal is lost keeps a place that others behind the same address need, until the connection is given up.
#[tokio::test]
async fn who_answers_no_ping_has_gone_and_who_answers_is_kept() {
    let (app, event, _) = served(&[("http.live_per_client", "1"), WITHOUT_REDIS]).await;
    let mut socket = follow_narrowly(&app, event).await;
    frame(&mut socket).await;
    time::pause();
    let answers = async { while let Some(Ok(_)) = socket.next().await {} };
    assert!(time::timeout(Duration::from_secs(200), answers).await.is_err(), "it goes on");
    assert!(app.app.live_places.take(Ipv6Addr::UNSPECIFIED.into()).is_none(), "its place is taken");
    let began = time::Instant::now();
    // From here on it takes all that is sent, and says nothing.
    let way = socket.get_mut();
    let takes = async { while way.read_u8().await.is_ok() {} };
    time::timeout(Duration::from_secs(200), takes).await.expect("it is cut off");
    assert!((40..=100).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

/// Seats of a large hall.
const MANY: u32 = 20_000;

/// An event with many seats, each of which has changed.
async fn much_changed() -> (TestApp, EventId) {
    let house = TestApp::new().await;
    let (_, event_id) = house.on_sale(MANY as usize / 10).await;
    let catalog = house.app.store.catalog.clone();
    let feed = Arc::new(MemorySeatFeed::new(catalog.clone()));
    let app = house.beside_showing(catalog, feed.clone()).await;
    // A feed that nobody has looked at knows of nothing that could change.
    app.app.events.seat_map(event_id).await.unwrap();
    let change = |number| SeatChange { event_id, number, status: SeatStatus::Blocked, version: 1 };
    feed.publish(&(0..MANY).map(change).collect::<Vec<_>>()).await;
    (app, event_id)
}

/// What a way carries at a time.
const LOAD: usize = 5_000;

/// Follows over a way that carries 50 KB in a second to us.
async fn follow_slowly(app: &TestApp, event: EventId) -> WebSocketStream<DuplexStream> {
    follow_over_slow_way(app, event, LOAD, Duration::from_millis(100)).await
}

/// Follows over a way that takes `room` bytes from the service at once, and carries one load to us in each turn.
async fn follow_over_slow_way(app: &TestApp, event: EventId, room: usize, turn: Duration) -> WebSocketStream<DuplexStream> {
    let ((way, near), (far, service)) = (duplex(LOAD), duplex(room));
    let ((mut from_us, mut to_us), (mut from_service, mut to_service)) = (split(near), split(far));
    tokio::spawn(async move { tokio::io::copy(&mut from_us, &mut to_service).await });
    tokio::spawn(async move {
        let mut load = [0; LOAD];
        while let Ok(count @ 1..) = from_service.read(&mut load).await {
            to_us.write_all(&load[..count]).await?;
            time::sleep(turn).await;
        }
        to_us.shutdown().await
    });
    follow_over(way, service, app, event).await
}

fn seats(frame: &Value) -> usize {
    frame["seats"].as_array().unwrap().len()
}

/// Else whoever is cut off in the middle comes back for the whole, and never gets it.
#[tokio::test]
async fn who_takes_a_long_snapshot_slowly_gets_all_of_it() {
    let (app, event) = much_changed().await;
    let mut socket = follow_slowly(&app, event).await;
    time::pause();
    let began = time::Instant::now();
    let snapshot = frame(&mut socket).await;
    assert_eq!((&snapshot["type"], seats(&snapshot)), (&json!("snapshot"), MANY as usize));
    assert!(began.elapsed() > Duration::from_secs(20), "it takes long: {:?}", began.elapsed());
}

/// A proxy takes all of it at once, and a ping comes behind it.
#[tokio::test]
async fn who_takes_minutes_for_what_a_proxy_has_taken_at_once_gets_all_of_it() {
    let (app, event) = much_changed().await;
    let mut socket = follow_over_slow_way(&app, event, 4 << 20, Duration::from_millis(400)).await;
    time::pause();
    let began = time::Instant::now();
    let snapshot = time::timeout(Duration::from_mins(5), socket.next()).await.expect("in the end").unwrap().unwrap();
    assert_eq!(seats(&serde_json::from_str(snapshot.to_text().unwrap()).unwrap()), MANY as usize);
    assert!(began.elapsed() > Duration::from_secs(100), "it takes long: {:?}", began.elapsed());
    // And nobody has given it up meanwhile.
    assert!(time::timeout(Duration::from_secs(200), async { while let Some(Ok(_)) = socket.next().await {} }).await.is_err());
}

/// Else a browser takes it for a connection that broke.
#[tokio::test]
async fn who_says_farewell_is_answered() {
    let (app, event, _) = served(&[WITHOUT_REDIS]).await;
    let mut socket = follow_narrowly(&app, event).await;
    frame(&mut socket).await;
    socket.close(None).await.unwrap();
    let answer = time::timeout(PATIENCE, socket.next()).await.expect("an answer");
    assert!(matches!(answer, Some(Ok(Message::Close(_)))), "{answer:?}");
}

/// A proxy or a client may ask whether we are still there, and has no patience until a long text is over.
#[tokio::test]
async fn who_asks_in_the_middle_of_a_long_snapshot_is_answered_there() {
    let (app, event) = much_changed().await;
    let mut socket = follow_slowly(&app, event).await;
    time::pause();
    let a_while = time::timeout(Duration::from_secs(5), socket.next()).await;
    assert!(a_while.is_err(), "it is not over yet: {a_while:?}");
    socket.send(Message::Ping("still there".into())).await.unwrap();
    let answer = time::timeout(Duration::from_secs(5), socket.next()).await.expect("in the middle");
    assert!(matches!(answer, Some(Ok(Message::Pong(ref said))) if said == "still there"), "{answer:?}");
    assert_eq!(seats(&frame(&mut socket).await), MANY as usize, "and nothing is lost of it");
}

/// Else a shutdown waits for whoever takes long, and cuts them off without a word.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_the_middle_of_a_long_snapshot_is_told_that_the_service_goes_down() {
    let (app, event) = much_changed().await;
    let listener = server::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    // Each connection has the same.
    SockRef::from(&listener).set_send_buffer_size(16 << 10).unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let address = serve_at(listener, &app, async move { drop(stopped.await) });
    let mut socket = follow_with_little_room(address, event).await;
    drop(stop);
    let refused = async { while TcpStream::connect(address).await.is_ok() {} };
    time::timeout(PATIENCE, refused).await.expect("it goes down");
    let first = time::timeout(PATIENCE, socket.next()).await.expect("a farewell");
    assert!(
        matches!(first, Some(Ok(Message::Close(Some(ref farewell)))) if farewell.code == CloseCode::Restart),
        "in the middle"
    );
}
