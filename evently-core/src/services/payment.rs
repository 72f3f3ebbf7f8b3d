//! Payments: asking the gateway, and taking in what it says.
//!
//! No transaction is open while the gateway is asked. What it says comes back through the box office like everything else, as
//! often and in whatever order it likes.

use std::{collections::HashSet, fmt, sync::Arc, time::Duration};

use super::{Answered, BoxOffice, Error, EventService, Trouble, booking};
use crate::{
    domain::{
        Actor, Booking, BookingId, BookingStatus, Command, GatewayReport, HoldTerms, Invalid, NO_ANSWER, Outcome, Payment,
        PaymentId, PaymentState, Principal, RefundId, Request, RequestKey, Timestamp, is_far_ahead, nearest_block,
    },
    ports::{Bookings, Charge, Chores, Clock, Due, Ids, Page, PaymentGateway, StoreError, StoreErrorKind, Webhook},
    sync::{Mutex, lock},
};

/// How old an undecided payment is before its gateway is asked about it.
const PATIENCE: Duration = Duration::from_secs(5);
/// For how long a gateway is asked about a payment that it has never heard of.
const ASKED_FOR: Duration = Duration::from_hours(24);
/// Where a hold ends so soon, it may be over when the money is decided on.
const LAST_MOMENT: Duration = Duration::from_mins(1);
/// How many payments or refunds the gateway is asked about at a time.
const BATCH: u32 = 100;
/// So many times as many are looked through for some to ask about.
const PAGES: usize = 20;

/// Moves money for bookings.
pub struct PaymentService {
    office: BoxOffice,
    store: Arc<dyn Bookings>,
    chores: Arc<dyn Chores>,
    events: Arc<EventService>,
    gateway: Arc<dyn PaymentGateway>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    terms: HoldTerms,
    /// The keys of payments whose gateway is being asked.
    running: Mutex<HashSet<[u8; 32], rustc_hash::FxBuildHasher>>,
    /// Where to go on asking. The oldest come first, and those that stay as they are must not keep the others from their turn.
    asked: Cursor<PaymentId>,
    asked_given_up: Cursor<PaymentId>,
    /// Where to go on sending money back, likewise.
    refunded: Cursor<RefundId>,
}

/// The last of those that were seen to.
type Cursor<K> = Mutex<Option<(Timestamp, K)>>;

/// The ports and terms of a [`PaymentService`].
#[expect(missing_docs, reason = "each is the port it is named for")]
pub struct PaymentParts {
    pub office: BoxOffice,
    pub store: Arc<dyn Bookings>,
    pub chores: Arc<dyn Chores>,
    pub events: Arc<EventService>,
    pub gateway: Arc<dyn PaymentGateway>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub terms: HoldTerms,
}

impl PaymentService {
    /// The service over these ports.
    pub fn new(parts: PaymentParts) -> Self {
        let PaymentParts { office, store, chores, events, gateway, clock, ids, terms } = parts;
        let running = Mutex::new(HashSet::default());
        let (asked, asked_given_up, refunded) = (Mutex::new(None), Mutex::new(None), Mutex::new(None));
        Self { office, store, chores, events, gateway, clock, ids, terms, running, asked, asked_given_up, refunded }
    }

    /// Pays for a booking with the card that `token` stands for.
    ///
    /// The caller must see this through to its end, or the gateway's answer waits for [`Self::reconcile`].
    pub async fn pay(
        &self,
        by: &Principal,
        booking_id: BookingId,
        token: String,
        key: Option<RequestKey>,
    ) -> Result<Answered<(Payment, Booking)>, Error> {
        self.gateway.check_token(&token).map_err(|message| Invalid::field("method.token", "unknown_token", message))?;
        let _running = key.map(|key| self.enter(key.id)).transpose()?;
        let payment_id = PaymentId::from_uuid(self.ids.uuid(self.clock.now()));
        let Answered { value: (payment, booking, undecided), at, replayed } = self.start(by, payment_id, booking_id, key).await?;
        if !undecided {
            return Ok(Answered { value: (payment, booking), at, replayed });
        }
        // It is kept as it began. Its booking may have been given up since, or another payment may have taken its place.
        let is_wanted = !replayed || self.start(by, payment.id, booking_id, None).await.map_err(Error::after_a_change)?.value.2;
        let (report, reference) =
            if is_wanted { self.charge(&payment, &booking, token).await } else { (GatewayReport::Processing, None) };
        let settled = match self.settle(&payment, report.clone(), reference.clone(), None, key).await {
            Err(error) if error.is_not_found() => self.settle_lost(by, &payment, report, reference, key).await,
            settled => settled,
        };
        settled.map_err(Error::after_a_change)
    }

    /// Begins a payment once more that a failover has lost while its card was charged, so that the money is written down all the same.
    async fn settle_lost(
        &self,
        by: &Principal,
        payment: &Payment,
        report: GatewayReport,
        reference: Option<String>,
        key: Option<RequestKey>,
    ) -> Result<Answered<(Payment, Booking)>, Error> {
        let Payment { id, booking_id, amount, .. } = payment;
        let again = async {
            self.start(by, *id, *booking_id, key).await?;
            self.settle(payment, report, reference.clone(), None, key).await
        };
        again.await.map_err(|error| {
            let reference = reference.as_deref().unwrap_or("unknown");
            tracing::error!(payment_id = %id, %booking_id, %amount, reference, %error, "the store has lost a payment whose card may have been charged");
            Error::Store(StoreError::new(StoreErrorKind::InDoubt, "apply", error))
        })
    }

    /// Starts a payment. Its booking, and whether the money is to be asked for.
    async fn start(
        &self,
        by: &Principal,
        payment_id: PaymentId,
        booking_id: BookingId,
        key: Option<RequestKey>,
    ) -> Result<Answered<(Payment, Booking, bool)>, Error> {
        let provider = self.gateway.name().to_owned();
        let start = Command::StartPayment { payment_id, booking_id, provider, terms: self.terms };
        let started = self.office.submit(Request::new(booking::customer(by), start).with_key(key)).await?;
        Answered::read(started, |outcome| match outcome {
            Outcome::PaymentStarted(payment, booking) => Some((payment, booking, true)),
            Outcome::Payment(payment, booking) => Some((payment, booking, false)),
            _ => None,
        })
    }

    /// Asks for the money. Without an answer the payment goes on being processed, as far as we know.
    async fn charge(&self, payment: &Payment, booking: &Booking, token: String) -> (GatewayReport, Option<String>) {
        let hold_expires_at = booking.hold().map_or(payment.created_at, crate::domain::Hold::expires_at);
        // Whoever has stood still until the hold was over does not ask any more. Whether somebody else has, with the same key, is not known.
        if self.clock.now() >= hold_expires_at {
            return (GatewayReport::Processing, None);
        }
        let charge = Charge { payment_id: payment.id, amount: payment.amount, token, hold_expires_at };
        match self.gateway.charge(&charge).await {
            Ok(charged) => {
                if planted!(LogsSecrets) {
                    tracing::debug!(payment_id = %payment.id, report = ?charged.report, "the gateway has answered");
                }
                (charged.report.of_a_gateway(), Some(charged.reference))
            }
            Err(error) => {
                if planted!(LogsCards) {
                    tracing::warn!(?charge, "charge in doubt");
                }
                tracing::warn!(payment_id = %payment.id, %error, "charge in doubt");
                (GatewayReport::Processing, None)
            }
        }
    }

    /// Takes in what the gateway says of a payment.
    async fn settle(
        &self,
        payment: &Payment,
        report: GatewayReport,
        reference: Option<String>,
        message: Option<String>,
        answers: Option<RequestKey>,
    ) -> Result<Answered<(Payment, Booking)>, Error> {
        let instead =
            if report == GatewayReport::Succeeded { self.seats_instead(payment.booking_id).await } else { Ok(Vec::new()) };
        let instead = instead.unwrap_or_else(|error| {
            // What was captured is written down all the same.
            tracing::warn!(payment_id = %payment.id, %error, "nobody can say which other seats are free");
            Vec::new()
        });
        let command =
            Command::SettlePayment { payment_id: payment.id, report, reference, message, instead, terms: self.terms, answers };
        let answer = self.office.submit(Request::new(Actor::Gateway, command)).await?;
        Answered::read(answer, |outcome| match outcome {
            Outcome::Payment(payment, booking) => Some((payment, booking)),
            _ => None,
        })
    }

    /// Seats like those of a booking that has expired, or may before it is decided on, and near to them, to take if its own are gone.
    async fn seats_instead(&self, id: BookingId) -> Result<Vec<u32>, Error> {
        let late = self.store.booking(id).await?.filter(|booking| match booking.hold() {
            Some(hold) => !hold.is_live(self.clock.now() + LAST_MOMENT),
            None => booking.status() == BookingStatus::Expired,
        });
        let Some(booking) = late else { return Ok(Vec::new()) };
        let view = self.events.view(booking.event_id).await?;
        let map = self.events.seat_map(booking.event_id).await?;
        let lost = booking.seats.iter().map(|seat| seat.number).collect::<Vec<_>>();
        Ok(nearest_block(&view.layout.layout, map.statuses(), &lost).unwrap_or_default())
    }

    /// Takes in a message from the gateway.
    ///
    /// A message about a payment that we do not have, or of another amount, changes nothing: it is logged for somebody to look at.
    pub async fn webhook(&self, body: &[u8], signature: Option<&str>) -> Result<(), Error> {
        let Webhook { message, payment_id, reference, report, amount } =
            self.gateway.read_webhook(body, signature, self.clock.now())?;
        let Some(payment) = self.store.payment(payment_id).await? else {
            tracing::error!(%payment_id, message, "webhook about an unknown payment");
            return Ok(());
        };
        if payment.amount != amount || payment.provider != self.gateway.name() {
            tracing::error!(%payment_id, message, %amount, "webhook does not match its payment");
            return Ok(());
        }
        self.settle(&payment, report.of_a_gateway(), Some(reference), Some(message), None).await?;
        Ok(())
    }

    /// The name under which the gateway's webhooks come.
    pub fn provider(&self) -> &str {
        self.gateway.name()
    }

    /// Asks the gateway about some payments that it has left undecided for a while, and about others with the next call. How many
    /// were decided.
    pub async fn reconcile(&self) -> Result<u32, Error> {
        if planted!(NeverReconciles) {
            return Ok(0);
        }
        self.ask_about(&self.asked, |payment| !is_unanswered(payment)).await
    }

    /// The same about those that were given up because it knew nothing of them. To be called less often: there may be many, all from the
    /// same hour in which it was away, and few of them will ever be heard of.
    pub async fn reconcile_given_up(&self) -> Result<u32, Error> {
        self.ask_about(&self.asked_given_up, is_unanswered).await
    }

    async fn ask_about(&self, cursor: &Cursor<PaymentId>, of_these: impl Fn(&Payment) -> bool) -> Result<u32, Error> {
        let (mut asked, mut decided) = (0, Round::default());
        for _ in 0..PAGES {
            let (now, page) = (self.clock.now(), Page { after: *lock(cursor), limit: BATCH });
            let undecided = self.chores.undecided_payments(self.gateway.name(), now - PATIENCE, page).await?;
            *lock(cursor) = last_of_full(&undecided);
            let readable = undecided.into_iter().filter_map(|due| decided.readable(due));
            let these = readable.filter(&of_these).collect::<Vec<_>>();
            asked += these.len();
            self.ask_about_each(these, now, &mut decided).await?;
            if asked >= BATCH as usize || lock(cursor).is_none() {
                break;
            }
        }
        decided.end()
    }

    async fn ask_about_each(&self, undecided: Vec<Payment>, now: Timestamp, decided: &mut Round) -> Result<(), Error> {
        for payment in undecided {
            let report = match self.gateway.look_up(&payment).await {
                Ok(Some(report @ (GatewayReport::Succeeded | GatewayReport::Failed { .. }))) => report.of_a_gateway(),
                Ok(None) => match self.given_up(&payment, now) {
                    Some(report) => report,
                    None => continue,
                },
                Ok(_) => continue,
                Err(error) => {
                    tracing::warn!(payment_id = %payment.id, %error, "payment still in doubt");
                    continue;
                }
            };
            decided.count(payment.id, self.settle(&payment, report, None, None, None).await)?;
        }
        Ok(())
    }

    /// What becomes of a payment that its gateway has never heard of: it is given up when its time is over, and asked about for a day in
    /// case that the charge was under way all the same.
    fn given_up(&self, payment: &Payment, now: Timestamp) -> Option<GatewayReport> {
        let window = self.terms.payment_window + PATIENCE;
        let failed = |reason: &str| Some(GatewayReport::Failed { reason: reason.to_owned() });
        match &payment.state {
            _ if payment.created_at + window.max(ASKED_FOR) < now => failed("never_charged"),
            _ if is_unanswered(payment) => None,
            _ if payment.created_at + window < now || is_far_ahead(payment.created_at, now) => failed(NO_ANSWER),
            _ => None,
        }
    }

    /// Asks the gateway for some of the refunds that it owes, and for others with the next call. How many were sent. Whoever took money
    /// elsewhere gives it back there, and says so.
    pub async fn send_refunds(&self) -> Result<u32, Error> {
        let mut sent = Round::default();
        let page = Page { after: *lock(&self.refunded), limit: BATCH };
        let owed = self.chores.owed_refunds(self.gateway.name(), page).await?;
        *lock(&self.refunded) = last_of_full(&owed);
        for due in owed {
            let Some((refund, payment)) = sent.readable(due) else { continue };
            if planted!(NeverRefunds) {
                return Ok(0);
            }
            if planted!(SettlesRefundsUnsent) {
                self.settle_refund(refund.id).await?;
            }
            if let Err(error) = self.gateway.refund(&refund, &payment).await {
                tracing::warn!(refund_id = %refund.id, %error, "refund not sent yet");
                continue;
            }
            sent.count(refund.id, self.settle_refund(refund.id).await)?;
        }
        sent.end()
    }

    async fn settle_refund(&self, refund_id: RefundId) -> Result<(), Error> {
        self.office.submit(Request::new(Actor::Gateway, Command::SettleRefund { refund_id })).await?.result?;
        Ok(())
    }

    fn enter(&self, key: [u8; 32]) -> Result<Running<'_>, Error> {
        if lock(&self.running).insert(key) { Ok(Running { service: self, key }) } else { Err(Error::InFlight) }
    }
}

/// Whether it was given up because its gateway knew nothing of it.
fn is_unanswered(payment: &Payment) -> bool {
    matches!(&payment.state, PaymentState::Failed { reason } if reason == NO_ANSWER)
}

/// The key of the last one of a page, if more may follow it.
fn last_of_full<K: Copy, T>(page: &[Due<K, T>]) -> Option<(Timestamp, K)> {
    page.last().filter(|_| page.len() >= BATCH as usize).map(|(key, _)| *key)
}

/// How many were seen to in one go, and the first of those that somebody has to look at. It keeps no other from its turn.
#[derive(Default)]
struct Round {
    done: u32,
    failed: Option<Error>,
}

impl Round {
    /// Counts what became of one. What would become of the others as well ends the round.
    fn count<T>(&mut self, id: impl fmt::Display, result: Result<T, Error>) -> Result<(), Error> {
        match result {
            Ok(_) => self.done += 1,
            Err(error) if Trouble::of(&error.clone().into()) == Trouble::StoreAway => return Err(error),
            Err(error) => self.leave(id, error),
        }
        Ok(())
    }

    /// What is to be seen to, unless it cannot be read.
    fn readable<K: fmt::Display, T>(&mut self, ((_, id), due): Due<K, T>) -> Option<T> {
        due.map_err(|error| self.leave(id, error.into())).ok()
    }

    fn leave(&mut self, id: impl fmt::Display, error: Error) {
        tracing::error!(%id, %error, "somebody has to look at this payment or refund");
        self.failed.get_or_insert(error);
    }

    fn end(self) -> Result<u32, Error> {
        self.failed.map_or(Ok(self.done), Err)
    }
}

/// Lets its key go when it is dropped.
struct Running<'a> {
    service: &'a PaymentService,
    key: [u8; 32],
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        lock(&self.service.running).remove(&self.key);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::heard::heard;

    #[test]
    fn a_store_that_is_away_ends_the_round_and_is_nobodys_to_look_at() {
        let error = |kind| Error::from(StoreError::new(kind, "test", "it failed"));
        let mut round = Round::default();
        let lines = heard(|| assert!(round.count::<()>("1", Err(error(StoreErrorKind::Unavailable))).is_err()));
        assert_eq!(lines, [""; 0]);
        let lines = heard(|| round.count::<()>("2", Err(error(StoreErrorKind::Corrupt))).expect("the others have their turn"));
        assert_eq!(lines.len(), 1, "{lines:?}");
        round.count("3", Ok(())).unwrap();
        assert_eq!(round.done, 1);
        assert!(round.end().is_err(), "somebody has to look at one of them");
    }
}
