//! How many statements a batch takes.

use std::{cell::RefCell, fmt, sync::Arc};

use evently_core::{
    domain::{BookingId, Command, HoldTerms, Request, RequestKey, Timestamp, UserId},
    memory::SeededIds,
    ports::{Bookings, Ids},
};
use evently_postgres::Options;
use evently_testkit::{Fixture, ORGANIZER, SYSTEM};
use tracing::{
    Metadata,
    field::{Field, Visit},
    span,
};

use crate::support::Place;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

thread_local! {
    /// The beginnings of the statements that this thread has run.
    static STATEMENTS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Notes what sqlx says of each statement. How a transaction begins it does not say; how it ends it does. It listens to all threads:
/// sqlx asks only once, in any of them, whether somebody listens.
struct Statements;

impl Visit for Statements {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "summary" {
            STATEMENTS.with_borrow_mut(|statements| statements.push(value.to_owned()));
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

impl tracing::Subscriber for Statements {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut Self);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn a_batch_of_holds_takes_as_many_statements_as_one() {
    tracing::subscriber::set_global_default(Statements).unwrap();
    let place = Place::new();
    let ids = Arc::new(SeededIds::new(7));
    // One that is made anew is asked first whether it can be written to.
    let options = Options { connections: 1, ..place.options() };
    let store = place.open_with(ids.clone(), &options).await;
    let event = Fixture::new(&*ids, NOW, 10, 100);
    let commands = [event.create_venue(), event.create_event(), event.publish()];
    store.apply(NOW, &commands.map(|command| Request::new(ORGANIZER, command))).await.unwrap();

    // Those who hold seats already are no reason for another round either.
    let users = (0..256).map(|_| UserId::from_uuid(ids.uuid(NOW))).collect::<Vec<_>>();
    let mut next = 0..;
    for size in [1, 16, 256] {
        let hold = |(seat, &user_id): (u32, &UserId)| {
            let booking_id = BookingId::from_uuid(ids.uuid(NOW));
            let seats = event.seats(&[2 * seat, 2 * seat + 1]);
            let command = Command::Hold { booking_id, event_id: event.id(), user_id, seats, terms: HoldTerms::default() };
            Request::new(SYSTEM, command).with_key(Some(RequestKey::new(&["hold"], &booking_id.to_string(), b"")))
        };
        let requests = next.by_ref().take(size).zip(&users).map(hold).collect::<Vec<_>>();
        STATEMENTS.take();
        let applied = store.apply(NOW, &requests).await.unwrap();
        assert!(applied.answers.iter().all(|answer| answer.result.is_ok()), "{applied:?}");
        let taken = STATEMENTS.take();
        // What it reads, what it writes, and the commit.
        assert_eq!(taken.len(), 3, "{taken:#?}");
    }
}
