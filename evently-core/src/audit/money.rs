//! Money: what came in, less what goes back, is what each booking has to pay.
//!
//! A refund counts from when it is owed, so that the sums hold at every moment and not only once gateways have answered.
//! What is kept of a booking that was given up follows from who gave it up: the whole goes back unless a customer did, and then what
//! the booking was held under or what the event said by then, whichever gives more. What the event said is known only if it was not edited
//! since; otherwise it may have been any whole percentage, and no less goes back than was promised.

mod endings;

use self::endings::{Ending, Endings};
use super::{Findings, Invariant, rows::Rows};
use crate::domain::{Booking, BookingState, BookingStatus, Payment, PaymentState};

pub(super) fn check(rows: &Rows<'_>, found: &mut Findings) {
    let endings = Endings::of(rows);
    for payment in &rows.records.payments {
        self::payment(rows, payment, found);
    }
    for refund in &rows.records.refunds {
        let wrong = match rows.payment(refund.payment_id) {
            None => "its payment does not exist",
            Some(payment) if payment.booking_id != refund.booking_id => "its payment is for another booking",
            Some(payment) if payment.amount.currency != refund.amount.currency => "its payment is in another currency",
            Some(_) if refund.amount.amount <= 0 => "it sends nothing back",
            Some(_) => continue,
        };
        found.add(Invariant::Money, format!("refund {}", refund.id), wrong);
    }
    for booking in &rows.records.bookings {
        total(rows, booking, found);
        paid_by(rows, booking, found);
        let ending = endings.of_booking(booking, &rows.records.event.details);
        if let Some(wrong) = balance(rows, booking, ending) {
            found.add(Invariant::Money, format!("booking {}", booking.id), wrong);
        }
    }
}

fn payment(rows: &Rows<'_>, payment: &Payment, found: &mut Findings) {
    let mut wrong = |what: String| found.add(Invariant::Money, format!("payment {}", payment.id), what);
    match rows.booking(payment.booking_id) {
        None => wrong(format!("its booking {} does not exist", payment.booking_id)),
        Some(booking) if booking.total != payment.amount => {
            wrong(format!("it is of {} where its booking costs {}", payment.amount, booking.total));
        }
        Some(_) => {}
    }
    let back = rows.refunds_of(payment.id).iter().map(|refund| refund.amount.amount).sum::<i64>();
    if back != payment.refunded {
        wrong(format!("its refunds come to {back} where it says {}", payment.refunded));
    }
    if payment.refunded.max(back) > payment.captured() {
        wrong(format!("{} goes back of {} that came in", payment.refunded.max(back), payment.captured()));
    }
}

fn total(rows: &Rows<'_>, booking: &Booking, found: &mut Findings) {
    let seats = booking.seats.iter().map(|seat| seat.price).sum::<i64>();
    if booking.total != rows.records.event.money(seats) {
        let what = format!("it costs {} where its seats cost {}", booking.total, rows.records.event.money(seats));
        found.add(Invariant::Money, format!("booking {}", booking.id), what);
    }
}

/// The payment that a confirmed booking names.
fn paid_by(rows: &Rows<'_>, booking: &Booking, found: &mut Findings) {
    let BookingState::Confirmed { payment, .. } = booking.state else { return };
    let wrong = match payment.map(|id| (id, rows.payment(id))) {
        None if booking.total.amount == 0 => return,
        None => "it is confirmed and nothing was paid".to_owned(),
        Some((id, None)) => format!("its payment {id} does not exist"),
        Some((id, Some(payment))) if payment.booking_id != booking.id => format!("its payment {id} is for another booking"),
        Some((id, Some(payment))) if !matches!(payment.state, PaymentState::Succeeded { .. }) => {
            format!("its payment {id} is {}", payment.status())
        }
        Some((id, Some(payment))) if payment.refunded > 0 => format!("its payment {id} goes back"),
        Some(_) => return,
    };
    found.add(Invariant::Money, format!("booking {}", booking.id), wrong);
}

fn balance(rows: &Rows<'_>, booking: &Booking, ending: Option<Ending>) -> Option<String> {
    let payments = rows.payments_of(booking.id);
    let captured = payments.iter().map(|payment| payment.captured()).sum::<i64>();
    let back = payments.iter().flat_map(|payment| rows.refunds_of(payment.id)).map(|refund| refund.amount.amount).sum::<i64>();
    let (kept, total) = (captured - back, booking.total.amount);
    let status = booking.status();
    let was_paid = booking.code.is_some();
    let right = match status {
        BookingStatus::Confirmed => kept == total,
        BookingStatus::Pending | BookingStatus::Expired => kept == 0,
        BookingStatus::Cancelled if !was_paid => kept == 0,
        BookingStatus::Cancelled => kept == total && may_send_back(0, total, ending),
        BookingStatus::Refunded => kept < total && may_send_back(total - kept, total, ending),
    };
    (!right).then(|| format!("it is {} and costs {total}; {captured} came in and {back} goes back", status.name()))
}

/// Whether giving up a paid booking may have sent `back` of `total`.
fn may_send_back(back: i64, total: i64, ending: Option<Ending>) -> bool {
    let share = |percent: u8| total * i64::from(percent) / 100;
    match ending {
        Some(Ending::Whole) => back == total,
        Some(Ending::Percent(percent)) => back == share(percent),
        Some(Ending::TooLate) => false,
        Some(Ending::AtLeast(promised)) => (promised..=100).any(|percent| back == share(percent)),
        // The journal does not say how it ended, and is found fault with for that.
        None => (0..=100).any(|percent| back == share(percent)),
    }
}
