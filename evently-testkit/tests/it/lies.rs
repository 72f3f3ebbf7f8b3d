//! The model has eyes for all that a store shows and says: one that does everything right, and then tells something else, is found out.

use std::sync::Arc;

use async_trait::async_trait;
use evently_core::{
    domain::{
        Actor, Booking, BookingCode, BookingId, Entry, EventId, Fact, Payment, PaymentId, Refund, RefundId, RefundState,
        Rejection, Request, SeatState, SeatStatus, SeatStep, Ticket, TicketId, TicketState, Timestamp, Transition, UserId,
    },
    memory::MemoryStore,
    ports::{Applied, Audit, BookingFilter, BookingRecords, Bookings, Chores, Due, EventRecords, Ids, Page, Store, StoreError},
};
use evently_testkit::{
    ORGANIZER, SYSTEM, StorePlace,
    conformance::payments,
    model::{self, Ask, By, Instead, Keyed, Says, Step},
};
use uuid::Uuid;

use crate::broken::finds;

/// What is told that is not so.
#[derive(Clone, Copy)]
enum Lie {
    None,
    /// In answers, and in the changes of seats that come with them.
    Applied(fn(&mut Applied)),
    Booking(fn(&mut Booking)),
    Due(fn(&mut Vec<BookingId>)),
    Records(fn(&mut EventRecords)),
}

#[async_trait]
impl StorePlace for Lie {
    async fn open(&self, ids: Arc<dyn Ids>) -> Store {
        let store = Arc::new(MemoryStore::new(ids));
        let lying = Arc::new(Lying { lie: *self, store: store.clone() });
        Store { bookings: lying.clone(), chores: lying.clone(), audit: lying, ..Store::new(store) }
    }
}

struct Lying {
    lie: Lie,
    store: Arc<MemoryStore>,
}

#[async_trait]
impl Bookings for Lying {
    async fn apply(&self, now: Timestamp, requests: &[Request]) -> Result<Applied, StoreError> {
        let mut applied = self.store.apply(now, requests).await?;
        if let Lie::Applied(lie) = self.lie {
            lie(&mut applied);
        }
        Ok(applied)
    }

    async fn booking(&self, id: BookingId) -> Result<Option<Booking>, StoreError> {
        let mut booking = self.store.booking(id).await?;
        if let Lie::Booking(lie) = self.lie {
            booking.as_mut().into_iter().for_each(lie);
        }
        Ok(booking)
    }

    async fn booking_by_code(&self, code: BookingCode) -> Result<Option<Booking>, StoreError> {
        self.store.booking_by_code(code).await
    }

    async fn bookings(&self, filter: &BookingFilter, page: Page<BookingId>) -> Result<Vec<Booking>, StoreError> {
        self.store.bookings(filter, page).await
    }

    async fn records(&self, id: BookingId) -> Result<Option<BookingRecords>, StoreError> {
        self.store.records(id).await
    }

    async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        self.store.payment(id).await
    }

    async fn ticket(&self, id: TicketId) -> Result<Option<Ticket>, StoreError> {
        self.store.ticket(id).await
    }
}

#[async_trait]
impl Chores for Lying {
    async fn due_holds(&self, now: Timestamp, limit: u32) -> Result<Vec<BookingId>, StoreError> {
        let mut due = self.store.due_holds(now, limit).await?;
        if let Lie::Due(lie) = self.lie {
            lie(&mut due);
        }
        Ok(due)
    }

    async fn called_off(&self, limit: u32) -> Result<Vec<BookingId>, StoreError> {
        self.store.called_off(limit).await
    }

    async fn undecided_payments(
        &self,
        provider: &str,
        before: Timestamp,
        page: Page<(Timestamp, PaymentId)>,
    ) -> Result<Vec<Due<PaymentId, Payment>>, StoreError> {
        self.store.undecided_payments(provider, before, page).await
    }

    async fn owed_refunds(
        &self,
        provider: &str,
        page: Page<(Timestamp, RefundId)>,
    ) -> Result<Vec<Due<RefundId, (Refund, Payment)>>, StoreError> {
        self.store.owed_refunds(provider, page).await
    }

    async fn pending_total(&self) -> Result<u64, StoreError> {
        self.store.pending_total().await
    }

    async fn forget_answers(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.store.forget_answers(before, limit).await
    }

    async fn forget_sessions(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.store.forget_sessions(before, limit).await
    }

    async fn forget_messages(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.store.forget_messages(before, limit).await
    }
}

#[async_trait]
impl Audit for Lying {
    async fn event_ids(&self) -> Result<Vec<EventId>, StoreError> {
        self.store.event_ids().await
    }

    async fn event_records(&self, id: EventId) -> Result<Option<EventRecords>, StoreError> {
        let mut records = self.store.event_records(id).await?;
        if let Lie::Records(lie) = self.lie {
            records.as_mut().into_iter().for_each(lie);
        }
        Ok(records)
    }

    async fn self_check(&self) -> Result<Vec<String>, StoreError> {
        self.store.self_check().await
    }
}

/// Somebody buys and comes in, somebody's booking is called in, a hold is asked for twice and runs out, and somebody is refused.
fn history() -> Vec<Step> {
    let step = |asks: Vec<Ask>, wait| Step { asks: asks.into_iter().map(|ask| Keyed { ask, key: None }).collect(), wait };
    let hold = |who, seat| Ask::Hold { who, seats: vec![seat], again: None };
    let pay = |booking| {
        let start = Ask::StartPayment { booking, by: By::Owner, again: None };
        let (says, instead) = (Says::Succeeded, Instead::Fitting);
        [start, Ask::Report { payment: booking, says, reference: true, message: None, instead, answers: None }]
    };
    let twice = Keyed { ask: hold(2, 2), key: Some((0, 0)) };
    vec![
        step(vec![hold(0, 0), hold(1, 1)], 1),
        step([pay(0), pay(1)].concat(), 1),
        step(vec![Ask::CheckIn { booking: 0, seat: 0, elsewhere: false }], 1),
        step(vec![Ask::Cancel { booking: 1, by: By::House, expected: None }], 1),
        Step { asks: vec![twice.clone(), twice], wait: 400 },
        step(vec![hold(1, 0)], 1),
    ]
}

/// What the model says of a store that lies.
fn says_of(lie: Lie) -> Result<(), String> {
    let played = std::panic::catch_unwind(move || evently_testkit::run(model::play(lie, &history())));
    played.map(|_| ()).map_err(|panic| panic.downcast_ref::<String>().expect("it says why").clone())
}

fn enter(records: &mut EventRecords, at: Timestamp, actor: Actor, fact: Fact, seats: Vec<SeatStep>) {
    let position = records.journal.last().expect("the event was made").position + 1;
    let transition = Transition { event_id: records.event.id, at, actor, fact, reason: None, seats };
    records.journal.push(Entry { position, transition });
}

/// What the model says, and why. Rows that are lied about go with the journal still, but for one, so that no invariant is broken.
const LIES: [(&str, Lie); 14] = [
    (
        "was answered",
        Lie::Applied(|applied| {
            for answer in applied.answers.iter_mut().filter(|answer| answer.result.is_err()) {
                answer.result = Err(Rejection::HoldExpired);
            }
        }),
    ),
    ("was answered", Lie::Applied(|applied| applied.answers.iter_mut().for_each(|answer| answer.replayed = false))),
    ("answers to", Lie::Applied(|applied| applied.answers.truncate(1))),
    ("I6 journal", Lie::Records(|records| _ = records.journal.pop())),
    ("the event stored", Lie::Records(|records| records.event.details.name.push('!'))),
    (
        "the seats stored",
        Lie::Records(|records| {
            let seat = SeatStep { number: 7, version: 1, status: SeatStatus::Blocked, price: 0 };
            (records.seats[7].state, records.seats[7].version) = (SeatState::Blocked, 1);
            enter(records, records.event.created_at, ORGANIZER, Fact::House { to: SeatStatus::Blocked }, vec![seat]);
        }),
    ),
    // The last one is looked at by itself as well.
    (
        "the bookings: ",
        Lie::Records(|records| {
            if let [first, _, ..] = &mut records.bookings[..] {
                first.refunds = None;
            }
        }),
    ),
    ("the payments: ", Lie::Records(|records| records.payments.iter_mut().for_each(|payment| payment.reference = None))),
    (
        "the refunds: ",
        Lie::Records(|records| {
            for at in 0..records.refunds.len() {
                let Refund { id: refund_id, booking_id, .. } = records.refunds[at];
                let now = records.journal.last().expect("it is owed").transition.at;
                records.refunds[at].state = RefundState::Succeeded { at: now };
                enter(records, now, SYSTEM, Fact::RefundSent { refund_id, booking_id }, Vec::new());
            }
        }),
    ),
    (
        "the tickets: ",
        Lie::Records(|records| {
            for ticket in &mut records.tickets {
                if let TicketState::CheckedIn { by, .. } = &mut ticket.state {
                    *by = UserId::from_uuid(Uuid::nil());
                }
            }
        }),
    ),
    (
        "the seat map, ",
        Lie::Applied(|applied| {
            applied.changes.iter_mut().for_each(|change| change.status = SeatStatus::Blocked);
        }),
    ),
    ("its versions stored", Lie::Applied(|applied| applied.changes.iter_mut().for_each(|change| change.version += 1))),
    ("a booking stored", Lie::Booking(|booking| booking.version += 1)),
    ("the holds that are due", Lie::Due(Vec::clear)),
];

#[test]
fn whatever_a_store_tells_wrong_is_found_out_by_the_model() {
    assert_eq!(says_of(Lie::None), Ok(()));
    let missed = LIES.into_iter().enumerate().filter_map(|(number, (finds, lie))| {
        let said = says_of(lie);
        (!said.as_ref().is_err_and(|said| said.contains(finds))).then(|| format!("lie {number}, not {finds}: {said:?}"))
    });
    assert_eq!(missed.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn a_ticket_that_is_missing_in_the_end_is_found_out() {
    assert!(finds(Lie::Records(|records| records.tickets.clear()), payments::money_confirms_its_booking));
    assert!(!finds(Lie::None, payments::money_confirms_its_booking));
}

/// Whatever histories come, and not only that one.
#[test]
fn a_payment_of_another_name_is_found_out_by_the_model() {
    let renamed = Lie::Records(|records| {
        for payment in &mut records.payments {
            payment.reference = Some("another".to_owned());
        }
    });
    assert!(std::panic::catch_unwind(move || model::run(move || renamed, 100)).is_err());
}
