//! An answer without what the model cannot know: codes, and ids that the store makes.

use evently_core::domain::{Admission, Booking, Invalid, Outcome, Payment, Rejection, SeatStatus, Stage, TicketState};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum View {
    Booking(Booking),
    Started(Payment, Booking),
    Paid(Payment, Booking),
    RefundSent,
    Seats(Vec<u32>, SeatStatus),
    Event(Stage, u32),
    CheckIn(Admission, Option<TicketState>),
}

pub(super) type Said = Result<View, Rejection>;

/// A booking whose code, which is random, is only there or not.
pub(super) fn without_code(booking: Booking) -> Booking {
    Booking { code: booking.code.map(|_| some_code()), ..booking }
}

/// Stands for every code.
pub(super) fn some_code() -> evently_core::domain::BookingCode {
    evently_core::domain::BookingCode::new(0)
}

pub(super) fn view(result: Result<Outcome, Rejection>) -> Said {
    let outcome = result.map_err(|rejection| match rejection {
        // What is wrong with it is told in words, and words are not compared.
        Rejection::Invalid(_) => invalid(),
        other => other,
    })?;
    Ok(match outcome {
        Outcome::Booking(booking) => View::Booking(without_code(booking)),
        Outcome::PaymentStarted(payment, booking) => View::Started(payment, without_code(booking)),
        Outcome::Payment(payment, booking) => View::Paid(payment, without_code(booking)),
        Outcome::Refunded(_) => View::RefundSent,
        Outcome::Seats(_, seats, status) => {
            View::Seats(seats.iter().map(|seat| seat.number().expect("it is a seat of the layout")).collect(), status)
        }
        Outcome::Event(event) => View::Event(event.stage, event.version),
        Outcome::CheckIn(admission, ticket) => View::CheckIn(admission, ticket.map(|ticket| ticket.state)),
        Outcome::Venue(_) => unreachable!("no venue is made in a history"),
    })
}

pub(super) fn invalid() -> Rejection {
    Rejection::Invalid(Invalid::default())
}
