//! Several handles on one database, as several processes have them: each tells what others have done from what it has done itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use evently_core::{
    domain::{BookingId, Command, HoldTerms, Request, Timestamp, UserId},
    memory::SeededIds,
    ports::{Bookings, Catalog, Ids},
};
use evently_postgres::{Options, PgStore};
use evently_testkit::{Fixture, ORGANIZER, SYSTEM};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
};

use crate::support::Place;

pub const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const SEATS: u32 = 200;

pub async fn on_sale(store: &PgStore, ids: &SeededIds) -> Fixture {
    let event = Fixture::new(ids, NOW, 1, SEATS);
    let commands = [event.create_venue(), event.create_event(), event.publish()];
    store.apply(NOW, &commands.map(|command| Request::new(ORGANIZER, command))).await.unwrap();
    event
}

pub async fn hold(store: &PgStore, ids: &SeededIds, event: &Fixture, seat: u32) {
    let [booking_id, user_id] = [ids.uuid(NOW), ids.uuid(NOW)];
    let (booking_id, user_id) = (BookingId::from_uuid(booking_id), UserId::from_uuid(user_id));
    let seats = event.seats(&[seat]);
    let command = Command::Hold { booking_id, event_id: event.id(), user_id, seats, terms: HoldTerms::default() };
    let applied = store.apply(NOW, &[Request::new(SYSTEM, command)]).await.unwrap();
    assert!(applied.answers[0].result.is_ok(), "{applied:?}");
}

#[tokio::test]
async fn only_what_others_write_counts_and_only_once() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let (ours, theirs) =
        (place.open_with(ids.clone(), &place.options()).await, place.open_with(ids.clone(), &place.options()).await);
    let event = on_sale(&ours, &ids).await;
    assert!(!ours.changed_elsewhere().await.unwrap(), "our own writes do not count");
    assert!(theirs.changed_elsewhere().await.unwrap());
    assert!(!theirs.changed_elsewhere().await.unwrap(), "it was asked before");

    hold(&theirs, &ids, &event, 0).await;
    hold(&ours, &ids, &event, 1).await;
    assert!(ours.changed_elsewhere().await.unwrap(), "a write of ours afterwards hides nothing");
    assert!(!ours.clone().changed_elsewhere().await.unwrap(), "a clone is the same");
}

/// Else a sale would read all seats of all events again and again.
#[tokio::test]
async fn who_writes_all_the_time_still_sees_that_nobody_else_does() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let store = place.open_with(ids.clone(), &place.options()).await;
    let event = on_sale(&store, &ids).await;
    let selling = async {
        for seat in 0..SEATS {
            hold(&store, &ids, &event, seat).await;
        }
    };
    let looking = async {
        loop {
            assert!(!store.changed_elsewhere().await.unwrap(), "nobody else writes");
        }
    };
    tokio::select! {
        () = selling => {}
        () = looking => {}
    }
}

/// Stands before a server. When told, it lets the next commit through, and cuts the connection before the answer to it.
struct Cutter {
    port: u16,
    armed: Arc<AtomicBool>,
}

impl Cutter {
    async fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let armed = Arc::new(AtomicBool::new(false));
        let cut = armed.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(pass_on(client, server, cut.clone()));
            }
        });
        Self { port, armed }
    }
}

async fn pass_on(client: TcpStream, server: TcpStream, armed: Arc<AtomicBool>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = tokio::spawn(async move { copy(&mut from_server, &mut to_client).await });
    let mut bytes = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from_client.read(&mut bytes).await {
        let commits = bytes[..read].windows(6).any(|six| six.eq_ignore_ascii_case(b"commit"));
        if commits && armed.swap(false, Ordering::SeqCst) {
            answers.abort();
            to_server.write_all(&bytes[..read]).await.unwrap();
            // The server commits meanwhile.
            tokio::time::sleep(Duration::from_millis(300)).await;
            return;
        }
        to_server.write_all(&bytes[..read]).await.unwrap();
    }
    answers.abort();
}

/// The answer is found again by the next try, but not which seats have changed: whoever shows seats has to look.
#[tokio::test]
async fn a_commit_whose_answer_was_lost_counts() {
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    let direct = place.options();
    let (_, rest) = direct.url.split_once('@').unwrap();
    let (server, database) = rest.split_once('/').unwrap();
    let cutter = Cutter::before(server.to_owned()).await;
    let url = direct.url.replace(&format!("{server}/{database}"), &format!("127.0.0.1:{}/{database}", cutter.port));
    let store = place.open_with(ids.clone(), &Options { url, ..direct }).await;
    let event = on_sale(&store, &ids).await;
    assert!(!store.changed_elsewhere().await.unwrap());

    cutter.armed.store(true, Ordering::SeqCst);
    hold(&store, &ids, &event, 0).await;
    assert!(!cutter.armed.load(Ordering::SeqCst), "an answer was lost");
    assert!(store.changed_elsewhere().await.unwrap());
    assert!(!store.changed_elsewhere().await.unwrap());
}
