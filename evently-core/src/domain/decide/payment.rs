//! Money coming in. It is written down before it is judged, and then buys its booking or goes back.

use super::{Decision, Desk, Stop, is_far_ahead, used_before};
use crate::domain::{
    BookedSeat, Booking, BookingCode, BookingId, BookingState, Event, Fact, GatewayReport, Hold, HoldTerms, Invalid, Ledger,
    NotOnSale, Outcome, Payment, PaymentId, PaymentState, Rejection, Seat, SeatAction, SeatState, Thing, Ticket, TicketCode,
    TicketId, TicketState, payment::SUPERSEDED,
};

/// What a gateway says of a payment.
pub(super) struct News<'a> {
    pub report: &'a GatewayReport,
    pub reference: Option<&'a str>,
    pub message: Option<&'a str>,
}

/// How long a gateway that has not answered keeps its payment from being given up for another.
pub const GATEWAY_PATIENCE: std::time::Duration = std::time::Duration::from_secs(15);

/// Stands for a gateway where there was none.
const ELSEWHERE: &str = "external";

impl<L: Ledger> Desk<'_, L> {
    pub(super) fn start_payment(
        &mut self,
        id: PaymentId,
        booking_id: BookingId,
        provider: &str,
        terms: &HoldTerms,
    ) -> Decision<Outcome, L> {
        let booking = self.booking(booking_id)?;
        if let Some(known) = self.ledger.payment(id).map_err(Stop::Failed)? {
            let may_be_paid = self.event(booking.event_id)?.ended(self.now).is_none();
            return started_before(known, booking, provider, may_be_paid).map_err(Stop::from);
        }
        let hold = self.live_hold(&booking)?;
        if let Some((open, _)) = hold.payment {
            self.give_up(open)?;
        }
        let payment = self.new_payment(id, &booking, provider, None, PaymentState::Processing)?;
        if booking.total.amount == 0 {
            let booking = self.confirm(booking, None, None)?;
            let paid = Payment { state: PaymentState::Succeeded { at: self.now }, ..payment };
            self.ledger.put_payment(&paid).map_err(Stop::Failed)?;
            return Ok(Outcome::Payment(paid, booking));
        }
        // However many payments follow one another: the last may begin at the cap.
        let until = (self.now + terms.payment_window).min(booking.created_at + terms.cap + terms.payment_window);
        let state = BookingState::Pending(Hold { payment: Some((id, until)), ..hold });
        let booking = self.transition(booking, state, Vec::new(), Some("payment_started"))?;
        Ok(Outcome::PaymentStarted(payment, booking))
    }

    /// Gives a payment up for another one, unless its gateway may be about to answer.
    fn give_up(&mut self, open: PaymentId) -> Decision<(), L> {
        let payment = self.payment(open)?;
        let waiting = payment.state == PaymentState::Processing && payment.reference.is_none();
        if waiting && self.now < payment.created_at + GATEWAY_PATIENCE && !is_far_ahead(payment.created_at, self.now) {
            return Err(Rejection::PaymentInProgress.into());
        }
        if payment.is_open() {
            let reason = SUPERSEDED.to_owned();
            self.ledger.put_payment(&Payment { state: PaymentState::Failed { reason }, ..payment }).map_err(Stop::Failed)?;
        }
        Ok(())
    }

    fn payment(&mut self, id: PaymentId) -> Decision<Payment, L> {
        self.ledger.payment(id).map_err(Stop::Failed)?.ok_or(Stop::Refused(Rejection::NotFound(Thing::Payment)))
    }

    fn new_payment(
        &mut self,
        id: PaymentId,
        booking: &Booking,
        provider: &str,
        reference: Option<&str>,
        state: PaymentState,
    ) -> Decision<Payment, L> {
        let payment = Payment {
            id,
            booking_id: booking.id,
            event_id: booking.event_id,
            amount: booking.total,
            state,
            provider: provider.to_owned(),
            reference: reference.map(str::to_owned),
            refunded: 0,
            created_at: self.now,
        };
        self.ledger.put_payment(&payment).map_err(Stop::Failed)?;
        Ok(payment)
    }

    pub(super) fn settle_payment(
        &mut self,
        id: PaymentId,
        news: &News<'_>,
        instead: &[u32],
        terms: &HoldTerms,
    ) -> Decision<Outcome, L> {
        let payment = self.payment(id)?;
        let booking = self.booking(payment.booking_id)?;
        let first_time = match news.message {
            Some(message) => self.ledger.note_message(&payment.provider, message, self.now).map_err(Stop::Failed)?,
            None => true,
        };
        let reference = payment.reference.clone().or_else(|| news.reference.map(str::to_owned));
        let Some(state) = first_time.then(|| payment.report(news.report, self.now)).flatten() else {
            // A gateway that has merely taken the charge on may have told us its name for it.
            let known = Payment { reference, ..payment };
            self.ledger.put_payment(&known).map_err(Stop::Failed)?;
            return Ok(Outcome::Payment(known, booking));
        };
        let payment = Payment { state, reference, ..payment };
        self.ledger.put_payment(&payment).map_err(Stop::Failed)?;
        match payment.state {
            PaymentState::Succeeded { .. } => self.captured(payment, booking, instead),
            PaymentState::Failed { .. } => {
                let booking = self.back_to_hold(booking, id, terms)?;
                Ok(Outcome::Payment(payment, booking))
            }
            PaymentState::Processing | PaymentState::RequiresAction { .. } => Ok(Outcome::Payment(payment, booking)),
        }
    }

    /// After a refusal the hold goes on for as long as an extension would give it, and ends if another card could only be refused.
    fn back_to_hold(&mut self, booking: Booking, failed: PaymentId, terms: &HoldTerms) -> Decision<Booking, L> {
        match booking.hold() {
            Some(hold) if hold.payment.is_some_and(|(payment, _)| payment == failed) && hold.is_live(self.now) => {
                if let Some(why) = self.ended(&booking)? {
                    return self.end_hold(booking, BookingState::Cancelled, Some(why));
                }
                let again = (self.now + terms.ttl).min(booking.created_at + terms.cap);
                let state = BookingState::Pending(Hold { until: hold.until.max(again), payment: None });
                self.transition(booking, state, Vec::new(), Some("payment_failed"))
            }
            _ => Ok(booking),
        }
    }

    /// The money is there: it buys the booking if it can, and goes back if it cannot.
    fn captured(&mut self, payment: Payment, booking: Booking, instead: &[u32]) -> Decision<Outcome, L> {
        self.record_capture(&payment)?;
        let booking = match booking.hold() {
            Some(hold) if !hold.is_live(self.now) => self.end_hold(booking, BookingState::Expired, None)?,
            _ => booking,
        };
        match &booking.state {
            BookingState::Pending(_) => {
                if let Some(why) = self.ended(&booking)?.filter(|_| !planted!(SellsCalledOff)) {
                    let booking = self.end_hold(booking, BookingState::Cancelled, Some(why))?;
                    return self.pay_back(payment, booking, "paid_too_late");
                }
                let booking = self.confirm(booking, Some(payment.id), None)?;
                Ok(Outcome::Payment(payment, booking))
            }
            BookingState::Expired => self.captured_late(payment, booking, instead),
            BookingState::Confirmed { .. } if planted!(KeepsSecondPayment) => Ok(Outcome::Payment(payment, booking)),
            BookingState::Confirmed { .. } => self.pay_back(payment, booking, "already_paid"),
            BookingState::Cancelled | BookingState::Refunded if planted!(KeepsMoneyOfCancelled) => {
                Ok(Outcome::Payment(payment, booking))
            }
            BookingState::Cancelled | BookingState::Refunded => self.pay_back(payment, booking, "paid_after_cancelling"),
        }
    }

    /// Why nobody can pay for the booking any more, whatever its hold says.
    fn ended(&mut self, booking: &Booking) -> Decision<Option<&'static str>, L> {
        Ok(self.event(booking.event_id)?.ended(self.now).map(|ended| match ended {
            NotOnSale::Cancelled => "event_cancelled",
            _ => "event_over",
        }))
    }

    fn record_capture(&mut self, payment: &Payment) -> Decision<(), L> {
        let captured = Fact::Captured { payment_id: payment.id, booking_id: payment.booking_id, amount: payment.amount.amount };
        self.record(payment.event_id, captured, Vec::new(), None)
    }

    fn pay_back(&mut self, payment: Payment, booking: Booking, reason: &str) -> Decision<Outcome, L> {
        let amount = payment.amount.amount;
        let payment = self.owe_refund(payment, amount, reason)?;
        Ok(Outcome::Payment(payment, booking))
    }

    /// The hold had run out: the same seats if they are free, else others of the same kind, else the money back.
    fn captured_late(&mut self, payment: Payment, booking: Booking, instead: &[u32]) -> Decision<Outcome, L> {
        let event = self.event(booking.event_id)?;
        let own = booking.seats.iter().map(|seat| seat.number).collect::<Vec<_>>();
        let found = if !event.takes_late_money(self.now) {
            None
        } else if let Some(free) = self.all_available(&booking, &own)? {
            Some((free, "paid_late"))
        } else {
            self.all_available(&booking, instead)?
                .filter(|free| same_prices(&booking, &event, free))
                .map(|free| (free, "paid_late_other_seats"))
        };
        let Some((free, reason)) = found else {
            if planted!(KeepsLateMoney) {
                return Ok(Outcome::Payment(payment, booking));
            }
            return self.pay_back(payment, booking, "paid_too_late");
        };
        self.take_over(free.iter().filter_map(Seat::owner).collect())?;
        let seats = free.iter().zip(&booking.seats).map(|(seat, paid)| BookedSeat { number: seat.number, ..*paid }).collect();
        let booking = Booking { seats, ..booking };
        let booking = self.confirm(booking, Some(payment.id), Some(reason))?;
        Ok(Outcome::Payment(payment, booking))
    }

    /// The seats if all are available, or on hold for somebody whose time has run out.
    fn all_available(&mut self, booking: &Booking, numbers: &[u32]) -> Decision<Option<Vec<Seat>>, L> {
        let mut free = Vec::with_capacity(numbers.len());
        for &number in numbers {
            let Some(seat) = self.seat(booking.event_id, number)? else { return Ok(None) };
            match seat.state {
                SeatState::Available => free.push(seat),
                SeatState::Booked(_) if planted!(TakesBookedSeats) => free.push(seat),
                SeatState::Reserved(owner) if self.is_due(owner)? => free.push(seat),
                _ => return Ok(None),
            }
        }
        let distinct = numbers.windows(2).all(|pair| pair[0] < pair[1]);
        let as_many = numbers.len() == booking.seats.len();
        Ok((distinct && as_many).then_some(free))
    }

    pub(super) fn confirm_paid_elsewhere(
        &mut self,
        booking_id: BookingId,
        payment_id: PaymentId,
        reference: Option<&str>,
    ) -> Decision<Outcome, L> {
        let booking = self.booking(booking_id)?;
        if let Some(known) = self.ledger.payment(payment_id).map_err(Stop::Failed)? {
            // Asked for again: the money of one payment is written down once.
            let same = known.booking_id == booking.id && known.provider == ELSEWHERE;
            return if same { Ok(Outcome::Payment(known, booking)) } else { Err(used_before("payment_id").into()) };
        }
        self.live_hold(&booking)?;
        let state = PaymentState::Succeeded { at: self.now };
        let payment = self.new_payment(payment_id, &booking, ELSEWHERE, reference, state)?;
        self.record_capture(&payment)?;
        let booking = self.confirm(booking, Some(payment_id), None)?;
        Ok(Outcome::Payment(payment, booking))
    }

    /// Sells its seats to the booking, and gives out its code and a ticket for each of them. It has them reserved, or they have been
    /// seen to be available.
    fn confirm(&mut self, booking: Booking, payment: Option<PaymentId>, reason: Option<&str>) -> Decision<Booking, L> {
        let sell = if booking.hold().is_some() { SeatAction::Book(booking.id) } else { SeatAction::Take(booking.id) };
        let steps = self.move_seats(&booking, sell)?;
        assert_eq!(steps.len(), booking.seats.len(), "a booking has its seats until it ends");
        for seat in booking.seats.iter().filter(|_| !planted!(ConfirmsWithoutTickets)) {
            let ticket = Ticket {
                id: TicketId::from_uuid(self.ids.uuid(self.now)),
                booking_id: booking.id,
                event_id: booking.event_id,
                seat: seat.number,
                code: TicketCode::new(self.ids.secret()),
                state: TicketState::Valid,
            };
            self.ledger.put_ticket(&ticket).map_err(Stop::Failed)?;
        }
        let code = self.new_code()?;
        let booking = Booking { code: Some(code), ..booking };
        self.transition(booking, BookingState::Confirmed { payment, at: self.now }, steps, reason)
    }

    pub(super) fn new_code(&mut self) -> Decision<BookingCode, L> {
        loop {
            #[expect(clippy::cast_possible_truncation, reason = "half of the bits are plenty")]
            let code = BookingCode::new(self.ids.secret() as u64);
            if !self.ledger.code_taken(code).map_err(Stop::Failed)? {
                return Ok(code);
            }
        }
    }
}

/// The answer to whoever starts a payment with an id that is there already: the same payment, as it is now, if it is the same.
fn started_before(known: Payment, booking: Booking, provider: &str, may_be_paid: bool) -> Result<Outcome, Invalid> {
    if known.booking_id != booking.id || known.provider != provider {
        return Err(used_before("payment_id"));
    }
    let waits = booking.hold().and_then(|hold| hold.payment).is_some_and(|(waits_for, _)| waits_for == known.id);
    Ok(if waits && may_be_paid && known.is_open() {
        Outcome::PaymentStarted(known, booking)
    } else {
        Outcome::Payment(known, booking)
    })
}

/// Whether the seats cost what those of the booking were taken at.
fn same_prices(booking: &Booking, event: &Event, seats: &[Seat]) -> bool {
    let price = |seat: &Seat| event.categories.get(usize::from(seat.category)).map(|category| category.price);
    seats.iter().zip(&booking.seats).all(|(seat, paid)| price(seat) == Some(paid.price))
}
