//! The faults.

use uuid::Uuid;

use super::Invariant;
use crate::{
    domain::{
        Booking, BookingCode, BookingId, BookingState, BookingStatus, Entry, EventId, Fact, Payment, PaymentId, PaymentState,
        RefundPolicy, SeatState, SeatStatus, Stage, TicketState, Timestamp, UserId,
    },
    ports::EventRecords,
};

/// What is planted, what finds it, a part of what is said of it, and how it is planted.
pub(super) type Planted = (&'static str, Invariant, &'static str, fn(&mut EventRecords));

pub(super) const NOBODY: Uuid = Uuid::from_u128(1);

/// The bookings of the story, in the order in which they were made.
pub(super) const PAID: usize = 0;
const EXPIRED: usize = 1;
pub(super) const HELD: usize = 2;
const CALLED_IN: usize = 3;
const GIVEN_UP: usize = 4;
pub(super) const PAYING: usize = 5;

pub(super) const SEATS: &[Planted] = &[
    ("two live bookings on one seat", Invariant::Exclusivity, "both live", |records| {
        records.bookings[HELD].seats[0].number = 0;
    }),
    ("a confirmed booking has lost its seat", Invariant::Exclusivity, "has lost it", |records| {
        records.seats[0].state = SeatState::Available;
    }),
    ("a sold seat is only reserved", Invariant::Exclusivity, "which is confirmed", |records| {
        records.seats[0].state = SeatState::Reserved(records.bookings[PAID].id);
    }),
    ("a seat still belongs to a booking that has expired", Invariant::Exclusivity, "which is expired", |records| {
        records.seats[7].state = SeatState::Reserved(records.bookings[EXPIRED].id);
    }),
    ("a seat belongs to nobody we know", Invariant::Exclusivity, "which does not exist", |records| {
        records.seats[7].state = SeatState::Reserved(BookingId::from_uuid(NOBODY));
    }),
    ("a seat belongs to a booking that does not claim it", Invariant::Exclusivity, "which does not claim it", |records| {
        records.seats[7].state = SeatState::Booked(records.bookings[PAID].id);
    }),
    ("a booking claims a seat that is not there", Invariant::Exclusivity, "does not have", |records| {
        records.bookings[PAID].seats[1].number = 99;
    }),
    ("a booking has no seats", Invariant::Exclusivity, "no seats", |records| records.bookings[EXPIRED].seats.clear()),
    ("a seat is missing", Invariant::Conservation, "it has 7 seats instead of 8", |records| records.seats.truncate(7)),
    ("a seat is there twice", Invariant::Conservation, "without a gap", |records| records.seats[3].number = 2),
    ("a seat has no price", Invariant::Conservation, "no price category", |records| records.seats[7].category = 9),
    ("a seat is of another category", Invariant::Conservation, "category that its layout", |records| {
        records.seats[7].category = 1 - records.seats[7].category;
    }),
    ("the event counts its seats wrongly", Invariant::Conservation, "its layout has 8", |records| records.event.seats_total = 9),
];

pub(super) const MONEY: &[Planted] = &[
    ("a confirmed booking was not paid", Invariant::Money, "is processing", |records| {
        records.payments[0].state = PaymentState::Processing;
    }),
    ("a confirmed booking names no payment", Invariant::Money, "nothing was paid", |records| {
        let at = Timestamp::default();
        records.bookings[PAID].state = BookingState::Confirmed { payment: None, at };
    }),
    ("a confirmed booking's payment is lost", Invariant::Money, "0 came in", |records| {
        records.payments.remove(0);
    }),
    ("the money of a confirmed booking goes back", Invariant::Money, "goes back", |records| {
        let mut refund = records.refunds[0].clone();
        refund.payment_id = records.payments[0].id;
        refund.booking_id = records.bookings[PAID].id;
        records.payments[0].refunded = refund.amount.amount;
        records.refunds.push(refund);
    }),
    ("a booking is paid twice", Invariant::Money, "came in and 0 goes back", |records| {
        let again = PaymentId::from_uuid(NOBODY);
        records.payments.push(Payment { id: again, ..records.payments[0].clone() });
    }),
    ("a refund is lost", Invariant::Money, "its refunds come to 0", |records| {
        records.refunds.remove(0);
    }),
    ("more goes back than came in", Invariant::Money, "of 4500 that came in", |records| {
        records.refunds[0].amount.amount += 1;
        records.payments[1].refunded += 1;
    }),
    ("less goes back than the house owes", Invariant::Money, "is refunded and costs 4500", |records| {
        records.refunds[0].amount.amount = 2250;
        records.payments[1].refunded = 2250;
    }),
    ("more goes back than the policy says", Invariant::Money, "is refunded and costs 4500", |records| {
        records.refunds[1].amount.amount = 4500;
        records.payments[2].refunded = 4500;
    }),
    ("a customer gave it up when the policy had ended", Invariant::Money, "is refunded and costs 4500", |records| {
        records.event.details.refunds.until = Timestamp::default();
        records.bookings[GIVEN_UP].refunds = None;
    }),
    ("a customer gave it up when both terms had ended", Invariant::Money, "is refunded and costs 4500", |records| {
        records.event.details.refunds.until = Timestamp::default();
        records.bookings[GIVEN_UP].refunds = Some(records.event.details.refunds);
    }),
    ("a customer got less than was promised", Invariant::Money, "is refunded and costs 4500", |records| {
        promise(records, 51);
    }),
    (
        "a customer got less than was promised, of what the event said nobody knows",
        Invariant::Money,
        "is refunded and costs 4500",
        |records| {
            promise(records, 51);
            edited_again(records);
        },
    ),
    (
        "a customer got less than the event says, and no less than was promised",
        Invariant::Money,
        "is refunded and costs 4500",
        |records| {
            promise(records, 50);
            records.event.details.refunds.percent = 51;
        },
    ),
    ("a customer gave it up just when the policy ended", Invariant::Money, "is refunded and costs 4500", |records| {
        let gives_up = records.journal.iter().find(|entry| gives_up(records, entry)).unwrap();
        records.event.details.refunds.until = gives_up.transition.at;
        records.bookings[GIVEN_UP].refunds = Some(records.event.details.refunds);
    }),
    ("a booking costs something else than its seats", Invariant::Money, "where its seats cost", |records| {
        records.bookings[PAID].seats[0].price -= 1;
    }),
    ("a payment is of another amount", Invariant::Money, "where its booking costs", |records| {
        records.payments[3].amount.amount -= 1;
    }),
    ("a payment pays for a booking that is not there", Invariant::Money, "does not exist", |records| {
        records.payments[3].booking_id = BookingId::from_uuid(NOBODY);
    }),
    ("a refund comes from a payment that is not there", Invariant::Money, "its payment does not exist", |records| {
        records.refunds[0].payment_id = PaymentId::from_uuid(NOBODY);
    }),
    ("a refund is of a payment for another booking", Invariant::Money, "its payment is for another booking", |records| {
        records.refunds[0].booking_id = records.bookings[PAID].id;
    }),
    ("a refund is in another currency", Invariant::Money, "in another currency", |records| {
        records.refunds[0].amount.currency = "USD".parse().unwrap();
    }),
    ("a refund sends nothing", Invariant::Money, "it sends nothing back", |records| records.refunds[0].amount.amount = 0),
    ("a confirmed booking names another's payment", Invariant::Money, "is for another booking", |records| {
        let payment = Some(records.payments[1].id);
        records.bookings[PAID].state = BookingState::Confirmed { payment, at: Timestamp::default() };
    }),
    ("nothing goes back of what was refunded", Invariant::Money, "is refunded and costs 4500", |records| {
        records.refunds.remove(1);
        records.payments[2].refunded = 0;
        // Under a policy that nobody knows any more, and nothing was promised: it may have been nothing, but then it is cancelled.
        records.bookings[GIVEN_UP].refunds = None;
        edited_again(records);
    }),
    ("what was cancelled for nothing would have brought something", Invariant::Money, "is cancelled and costs 4500", |records| {
        records.refunds.remove(1);
        records.payments[2].refunded = 0;
        records.bookings[GIVEN_UP].state = BookingState::Cancelled;
    }),
    ("of what was cancelled for nothing something goes back", Invariant::Money, "is cancelled and costs 4500", |records| {
        records.bookings[GIVEN_UP].state = BookingState::Cancelled;
        edited_again(records);
    }),
    ("a part goes back that is no percentage", Invariant::Money, "is refunded and costs 4500", |records| {
        records.refunds[1].amount.amount = 2251;
        records.payments[2].refunded = 2251;
        edited_again(records);
    }),
    (
        "a part goes back that is no percentage, of what nobody is said to have given up",
        Invariant::Money,
        "is refunded and costs 4500",
        |records| {
            records.refunds[1].amount.amount = 2251;
            records.payments[2].refunded = 2251;
            let before = records.clone();
            records.journal.retain(|entry| !gives_up(&before, entry));
        },
    ),
];

/// Whether the booking that was given up is given up there.
fn gives_up(records: &EventRecords, entry: &Entry) -> bool {
    match entry.transition.fact {
        Fact::Booking { id, from, .. } => id == records.bookings[GIVEN_UP].id && from == Some(BookingStatus::Confirmed),
        _ => false,
    }
}

/// Gives the booking that was given up other terms, which have not ended.
fn promise(records: &mut EventRecords, percent: u8) {
    let until = records.event.details.refunds.until;
    records.bookings[GIVEN_UP].refunds = Some(RefundPolicy { until, percent });
}

/// The event never had another end than this.
pub(super) fn ends(records: &mut EventRecords, at: Timestamp) {
    records.event.details.end_time = at;
    for entry in &mut records.journal {
        if let Fact::Event { end_time, .. } = &mut entry.transition.fact {
            *end_time = Some(at);
        }
    }
}

/// The event is edited once more at the end: what its policy was before is not known.
fn edited_again(records: &mut EventRecords) {
    let edit = |entry: &&Entry| matches!(entry.transition.fact, Fact::Event { .. });
    let mut last = records.journal.iter().rfind(edit).unwrap().clone();
    last.position = records.journal.last().unwrap().position + 1;
    let Fact::Event { version, .. } = &mut last.transition.fact else { unreachable!() };
    *version += 1;
    records.event.version += 1;
    records.journal.push(last);
}

/// What the first such entry says is said again at the end.
fn once_more(records: &mut EventRecords, is: fn(&Fact) -> bool) {
    let mut again = records.journal.iter().find(|entry| is(&entry.transition.fact)).unwrap().clone();
    again.position = records.journal.last().unwrap().position + 1;
    records.journal.push(again);
}

fn confirmed_at(booking: &Booking) -> Timestamp {
    let BookingState::Confirmed { at, .. } = booking.state else { unreachable!("it is confirmed") };
    at
}

/// Of what the event says, where nobody has edited it since it was published.
pub(super) const AS_PUBLISHED: &[Planted] = &[
    ("a seat was sold for less than it costs", Invariant::Money, "where its category costs 4501", |records| {
        records.event.categories[0].price = 4501;
    }),
    ("a booking has more seats than one may have", Invariant::Limits, "it has 2 seats where 1 may be", |records| {
        records.event.details.max_seats_per_booking = 1;
    }),
    ("a customer has more on hold than may be", Invariant::Limits, "has 2 seats on hold where 1 may be", |records| {
        records.event.details.max_seats_held = 1;
    }),
    ("a seat was held before it was on sale", Invariant::Limits, "while its event was not on sale", |records| {
        records.event.details.on_sale.opens_at = records.bookings[PAID].created_at + std::time::Duration::from_micros(1);
    }),
    ("a seat was held when the sale was over", Invariant::Limits, "while its event was not on sale", |records| {
        records.event.details.on_sale.closes_at = records.bookings[PAYING].created_at;
    }),
    ("a seat was sold when the event was over", Invariant::Limits, "it becomes confirmed at", |records| {
        let at = confirmed_at(&records.bookings[PAID]);
        ends(records, at);
    }),
    ("a payment began when the event was over", Invariant::Limits, "it becomes pending at", |records| {
        let at = records.payments[3].created_at;
        ends(records, at);
    }),
    (
        "a booking keeps other terms than its event had",
        Invariant::Limits,
        "terms of refunds that its event never had",
        |records| {
            records.bookings[HELD].refunds = records.bookings[HELD].refunds.map(|terms| RefundPolicy { percent: 100, ..terms });
        },
    ),
];

/// The same records without the edit that the story has in it.
pub(super) fn never_edited(records: &EventRecords) -> EventRecords {
    let mut records = records.clone();
    records.journal.retain(|entry| entry.transition.reason.as_deref() != Some("edited"));
    records.event.version -= 1;
    records
}

/// A change, and how it is made.
pub(super) type Change = (&'static str, fn(&mut EventRecords));

/// What is no fault, though it is close to one.
pub(super) const SOUND: &[Change] = &[
    ("limits of another day", |records| {
        records.event.details.max_seats_per_booking = 1;
        records.event.details.max_seats_held = 1;
        records.event.details.on_sale.opens_at = records.bookings[PAYING].created_at;
    }),
    ("a price of another day", |records| {
        records.event.categories[0].price = 1;
        edited_again(records);
    }),
    ("a hold of no time", |records| {
        let booking = &mut records.bookings[HELD];
        if let BookingState::Pending(hold) = &mut booking.state {
            hold.until = booking.created_at;
        }
    }),
    ("a payment that is waited for no time", |records| {
        let began = records.payments[3].created_at;
        if let BookingState::Pending(hold) = &mut records.bookings[PAYING].state {
            hold.payment = hold.payment.map(|(id, _)| (id, began));
        }
    }),
    ("terms of another day", |records| {
        records.event.details.refunds = RefundPolicy { until: Timestamp::default(), percent: 0 };
    }),
    ("a booking of before terms were kept", |records| records.bookings[GIVEN_UP].refunds = None),
    ("more than was promised, as the event says", |records| promise(records, 49)),
    ("a promise that had ended", |records| {
        records.bookings[GIVEN_UP].refunds = Some(RefundPolicy { until: Timestamp::default(), percent: 100 });
    }),
    ("a percentage of another day", |records| {
        promise(records, 10);
        records.refunds[1].amount.amount = 450;
        records.payments[2].refunded = 450;
        for entry in &mut records.journal {
            if let Fact::RefundDue { amount, refund_id, .. } = &mut entry.transition.fact
                && *refund_id == records.refunds[1].id
            {
                *amount = 450;
            }
        }
        edited_again(records);
    }),
];

pub(super) const HOLDS_AND_TICKETS: &[Planted] = &[
    ("a hold waits for no payment we know", Invariant::Expiry, "which does not exist", |records| {
        records.payments.remove(3);
    }),
    ("a hold waits for another's payment", Invariant::Expiry, "which is for booking", |records| {
        records.payments[3].booking_id = records.bookings[HELD].id;
    }),
    ("a hold waits for a payment that has failed", Invariant::Expiry, "which has failed", |records| {
        records.payments[3].state = PaymentState::Failed { reason: "card_declined".into() };
    }),
    ("a hold waits for a payment that was made", Invariant::Expiry, "has been made", |records| {
        records.payments[3].state = PaymentState::Succeeded { at: Timestamp::default() };
    }),
    ("a hold does not know of its payment", Invariant::Expiry, "does not know of it", |records| {
        if let BookingState::Pending(hold) = &mut records.bookings[PAYING].state {
            hold.payment = None;
        }
    }),
    ("a hold waits for a payment until before that", Invariant::Expiry, "until before that began", |records| {
        let before = records.payments[3].created_at - std::time::Duration::from_micros(1);
        if let BookingState::Pending(hold) = &mut records.bookings[PAYING].state {
            hold.payment = hold.payment.map(|(id, _)| (id, before));
        }
    }),
    ("a hold ends before it began", Invariant::Expiry, "before it began", |records| {
        if let BookingState::Pending(hold) = &mut records.bookings[HELD].state {
            hold.until = Timestamp::default();
        }
    }),
    ("a confirmed booking lacks a ticket", Invariant::Tickets, "0 good tickets for seat 1", |records| {
        records.tickets.remove(1);
    }),
    ("a confirmed booking's ticket is void", Invariant::Tickets, "0 good tickets for seat 0", |records| {
        records.tickets[0].state = TicketState::Void;
    }),
    ("a confirmed booking has a ticket too many", Invariant::Tickets, "2 good tickets for seat 0", |records| {
        records.tickets[1].seat = 0;
    }),
    ("a ticket is for somebody else's seat", Invariant::Tickets, "which is not its own", |records| records.tickets[0].seat = 2),
    ("a ticket is of no booking that we know", Invariant::Tickets, "does not exist", |records| {
        records.tickets[0].booking_id = BookingId::from_uuid(NOBODY);
    }),
    ("a ticket outlives its booking", Invariant::Tickets, "is still good", |records| {
        records.tickets[2].state = TicketState::Valid;
    }),
    ("a pending booking has a ticket", Invariant::Tickets, "never confirmed", |records| {
        records.tickets[3].booking_id = records.bookings[HELD].id;
    }),
    ("two tickets have one code", Invariant::Tickets, "another ticket has the same code", |records| {
        records.tickets[1].code = records.tickets[0].code;
    }),
    ("two bookings have one code", Invariant::Tickets, "another booking has the same code", |records| {
        records.bookings[GIVEN_UP].code = records.bookings[PAID].code;
    }),
    ("a confirmed booking has no code", Invariant::Tickets, "has no code", |records| records.bookings[PAID].code = None),
    ("a pending booking has a code", Invariant::Tickets, "has a code", |records| {
        records.bookings[HELD].code = Some(BookingCode::new(1));
    }),
];

pub(super) const JOURNAL: &[Planted] = &[
    ("a seat's version is ahead", Invariant::Journal, "at version 3, and the journal ends", |records| {
        records.seats[0].version += 1;
    }),
    ("a seat has changed hands unseen", Invariant::Journal, "and the journal ends at booked", |records| {
        records.seats[0].state = SeatState::Booked(records.bookings[CALLED_IN].id);
    }),
    ("a booking's version is ahead", Invariant::Journal, "and the journal ends at confirmed", |records| {
        records.bookings[PAID].version += 1;
    }),
    ("a booking has changed hands unseen", Invariant::Journal, "it is of user", |records| {
        records.bookings[HELD].user_id = UserId::from_uuid(NOBODY);
    }),
    ("a booking has another seat than it took", Invariant::Journal, "does not give it seat 7", |records| {
        records.bookings[HELD].seats[0].number = 7;
    }),
    ("a seat was made cheaper afterwards", Invariant::Journal, "does not give it seat 0 at", |records| {
        records.bookings[PAID].seats[0].price = 1;
    }),
    ("a booking began at another time", Invariant::Journal, "it began at", |records| {
        records.bookings[HELD].created_at = Timestamp::default();
    }),
    ("a booking that the journal does not know", Invariant::Journal, "the journal does not know of it", |records| {
        records.bookings[HELD].id = BookingId::from_uuid(NOBODY);
    }),
    ("a booking is lost", Invariant::Journal, "knows of it and it is not there", |records| {
        records.bookings.remove(HELD);
    }),
    ("the event ends at another time", Invariant::Journal, "and the journal says", |records| {
        records.event.details.end_time = Timestamp::default();
    }),
    ("the event's version is ahead", Invariant::Journal, "it is published at version", |records| records.event.version += 1),
    ("an entry is lost", Invariant::Journal, "comes to version 4 where 3 is next", |records| {
        let id = records.bookings[CALLED_IN].id;
        let confirmed = |fact: &Fact| matches!(fact, Fact::Booking { id: of, to: BookingStatus::Confirmed, .. } if *of == id);
        records.journal.retain(|entry| !confirmed(&entry.transition.fact));
    }),
    ("an entry is there twice", Invariant::Journal, "where 4 is next", |records| {
        let last =
            records.journal.iter().rev().find(|entry| matches!(entry.transition.fact, Fact::Event { .. })).unwrap().clone();
        records.journal.push(last);
    }),
    ("an event comes back from being called off", Invariant::Journal, "does not go from cancelled to published", |records| {
        let events = records.journal.iter_mut().filter_map(|entry| match &mut entry.transition.fact {
            Fact::Event { stage, .. } => Some(stage),
            _ => None,
        });
        *events.take(2).last().unwrap() = Stage::Cancelled;
    }),
    ("a booking leaves where it did not stand", Invariant::Journal, "leaves expired and stood at pending", |records| {
        for entry in &mut records.journal {
            if let Fact::Booking { from, to: BookingStatus::Confirmed, .. } = &mut entry.transition.fact {
                *from = Some(BookingStatus::Expired);
            }
        }
    }),
    ("a booking begins as sold", Invariant::Journal, "a booking does not go from nothing to confirmed", |records| {
        for entry in &mut records.journal {
            if let Fact::Booking { from: None, to, .. } = &mut entry.transition.fact {
                *to = BookingStatus::Confirmed;
            }
        }
    }),
    ("the house sells a seat", Invariant::Journal, "the house does not make seats booked", |records| {
        for entry in &mut records.journal {
            if let Fact::House { to } = &mut entry.transition.fact {
                *to = SeatStatus::Booked;
            }
        }
    }),
    ("a seat moves without its booking", Invariant::Journal, "which such an entry does not", |records| {
        let steps = records.journal.iter().find(|entry| !entry.transition.seats.is_empty()).unwrap().transition.seats.clone();
        let captured = |fact: &Fact| matches!(fact, Fact::Captured { .. });
        records.journal.iter_mut().find(|entry| captured(&entry.transition.fact)).unwrap().transition.seats = steps;
    }),
    ("a seat stays behind", Invariant::Journal, "seats and 1 of them move", |records| {
        let confirm = |fact: &Fact| matches!(fact, Fact::Booking { to: BookingStatus::Confirmed, .. });
        records.journal.iter_mut().find(|entry| confirm(&entry.transition.fact)).unwrap().transition.seats.pop();
    }),
    ("time goes back for a booking", Invariant::Journal, "time goes back", |records| {
        let id = records.bookings[PAID].id;
        let last = records.journal.iter_mut().rfind(|entry| entry.transition.booking_id() == Some(id)).unwrap();
        last.transition.at = Timestamp::default();
    }),
    ("an entry is out of order", Invariant::Journal, "it comes after entry", |records| records.journal.swap(0, 1)),
    ("a capture was not written down", Invariant::Journal, "does not say that it was captured", |records| {
        records.journal.retain(|entry| !matches!(entry.transition.fact, Fact::Captured { .. }));
    }),
    ("a refund is owed twice", Invariant::Journal, "is owed a second time", |records| {
        let due = |entry: &&Entry| matches!(entry.transition.fact, Fact::RefundDue { .. });
        let again = records.journal.iter().find(due).unwrap().clone();
        records.journal.push(again);
    }),
    ("a capture is written down twice", Invariant::Journal, "is captured a second time", |records| {
        let captured = |entry: &&Entry| matches!(entry.transition.fact, Fact::Captured { .. });
        let again = records.journal.iter().find(captured).unwrap().clone();
        records.journal.push(again);
    }),
    ("a capture is written down with another amount", Invariant::Journal, "and the journal says 1", |records| {
        for entry in &mut records.journal {
            if let Fact::Captured { amount, .. } = &mut entry.transition.fact {
                *amount = 1;
            }
        }
    }),
    ("a capture of what was not captured", Invariant::Journal, "and the journal says that it was captured", |records| {
        records.payments[0].state = PaymentState::Processing;
    }),
    ("a refund of another amount than was written down", Invariant::Journal, "another amount, or another payment", |records| {
        records.refunds[0].amount.amount -= 1;
    }),
    ("a refund is there no more", Invariant::Journal, "there are 1 refunds, and the journal says 2", |records| {
        records.refunds.remove(1);
    }),
    ("a ticket that was used is there no more", Invariant::Journal, "with a ticket that is not there", |records| {
        records.tickets.remove(0);
    }),
    ("the seats of a hold move and it stays a hold", Invariant::Journal, "stays pending and yet its seats move", |records| {
        let id = records.bookings[PAYING].id;
        let of_booking = |entry: &&mut Entry| entry.transition.booking_id() == Some(id);
        let mut entries = records.journal.iter_mut().filter(of_booking);
        let held = entries.next().unwrap().transition.seats.clone();
        entries.next().unwrap().transition.seats = held;
    }),
    ("a refund was not written down", Invariant::Journal, "does not say that it is owed", |records| {
        records.journal.retain(|entry| !matches!(entry.transition.fact, Fact::RefundDue { .. }));
    }),
    ("a refund was sent unseen", Invariant::Journal, "do not agree on whether it was sent", |records| {
        records.journal.retain(|entry| !matches!(entry.transition.fact, Fact::RefundSent { .. }));
    }),
    ("a ticket is used after its booking was given up", Invariant::Journal, "which was refunded by then", |records| {
        let booking_id = records.bookings[GIVEN_UP].id;
        let ticket = records.tickets.iter().find(|ticket| ticket.booking_id == booking_id).unwrap();
        let came_in = Fact::CheckedIn { ticket_id: ticket.id, booking_id, seat: ticket.seat };
        records.journal.iter_mut().rfind(|entry| matches!(entry.transition.fact, Fact::House { .. })).unwrap().transition.fact =
            came_in;
    }),
    ("a customer gives up what somebody came in with", Invariant::Journal, "somebody has come in with it", |records| {
        let given_up = records.bookings[GIVEN_UP].id;
        for entry in &mut records.journal {
            if let Fact::CheckedIn { booking_id, .. } = &mut entry.transition.fact {
                *booking_id = given_up;
            }
        }
    }),
    ("a seat of an event that was called off is sold", Invariant::Journal, "of an event that is cancelled", |records| {
        let last_event = records.journal.iter_mut().rfind(|entry| matches!(entry.transition.fact, Fact::Event { .. })).unwrap();
        if let Fact::Event { stage, .. } = &mut last_event.transition.fact {
            *stage = Stage::Cancelled;
        }
    }),
    ("a seat of a draft is held", Invariant::Journal, "of an event that is draft", |records| {
        for entry in &mut records.journal {
            if let Fact::Event { stage, .. } = &mut entry.transition.fact {
                *stage = Stage::Draft;
            }
        }
    }),
    ("a booking comes into other hands", Invariant::Journal, "changes hands", |records| {
        let (booking, other) = (records.bookings[PAID].id, UserId::from_uuid(NOBODY));
        records.bookings[PAID].user_id = other;
        let owners = records.journal.iter_mut().filter_map(|entry| match &mut entry.transition.fact {
            Fact::Booking { id, user_id, .. } if *id == booking => Some(user_id),
            _ => None,
        });
        *owners.last().unwrap() = other;
    }),
    ("a ticket lets two in", Invariant::Journal, "is used a second time", |records| {
        once_more(records, |fact| matches!(fact, Fact::CheckedIn { .. }));
    }),
    ("a refund is sent twice", Invariant::Journal, "is sent a second time", |records| {
        once_more(records, |fact| matches!(fact, Fact::RefundSent { .. }));
    }),
    ("a refund is sent before it is owed", Invariant::Journal, "is sent and was not owed", |records| {
        let at = |is: fn(&Fact) -> bool| records.journal.iter().position(|entry| is(&entry.transition.fact)).unwrap();
        let due = at(|fact| matches!(fact, Fact::RefundDue { .. }));
        let sent = at(|fact| matches!(fact, Fact::RefundSent { .. }));
        let [first, second] = [due, sent].map(|at| records.journal[at].transition.clone());
        (records.journal[due].transition, records.journal[sent].transition) = (second, first);
    }),
    ("an entry is of another event", Invariant::Journal, "it is of event", |records| {
        records.journal.last_mut().unwrap().transition.event_id = EventId::from_uuid(NOBODY);
    }),
    ("a ticket was used unseen", Invariant::Journal, "somebody came in with it", |records| {
        records.journal.retain(|entry| !matches!(entry.transition.fact, Fact::CheckedIn { .. }));
    }),
];
