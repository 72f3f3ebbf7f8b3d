//! The service of payments: whoever stays undecided keeps nobody from their turn.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Waker},
    time::Duration,
};

use async_trait::async_trait;
use evently_core::{
    domain::{
        Actor, BookingId, BookingStatus, Command, Entry, EventChange, EventId, Fact, GatewayReport, Money, Outcome, Payment,
        PaymentId, PaymentState, Principal, Refund, RefundId, RefundState, Request, SessionId, Timestamp,
    },
    memory::MemorySeatFeed,
    ports::{
        Charge, Charged, Chores, Due, GatewayUnavailable, Handler, Page, PaymentGateway, StoreError, StoreErrorKind, Webhook,
        WebhookError,
    },
    services::{BoxOffice, Error, EventService, Jobs, OfficeSize, PaymentParts, PaymentService, Upkeep},
};
use evently_testkit::{CountedBookings, Fixture, HOUSE, MemoryPlace, ORGANIZER, World, customer};
use uuid::Uuid;

/// Decides the payment and sends the refund of one booking, and never those of others.
struct Stubborn(BookingId);

#[async_trait]
impl PaymentGateway for Stubborn {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    fn check_token(&self, _: &str) -> Result<(), String> {
        unreachable!("nobody pays")
    }

    async fn charge(&self, _: &Charge) -> Result<Charged, GatewayUnavailable> {
        unreachable!("nobody pays")
    }

    async fn look_up(&self, payment: &Payment) -> Result<Option<GatewayReport>, GatewayUnavailable> {
        match payment.booking_id {
            id if id == self.0 => Ok(Some(GatewayReport::Succeeded)),
            id if id.as_uuid().as_bytes()[15].is_multiple_of(2) => Ok(Some(GatewayReport::Processing)),
            _ => Err(GatewayUnavailable("the line is busy".to_owned())),
        }
    }

    async fn refund(&self, refund: &Refund, _: &Payment) -> Result<(), GatewayUnavailable> {
        if refund.booking_id == self.0 { Ok(()) } else { Err(GatewayUnavailable("the card is gone".to_owned())) }
    }

    fn read_webhook(&self, _: &[u8], _: Option<&str>, _: Timestamp) -> Result<Webhook, WebhookError> {
        unreachable!("nobody writes")
    }
}

/// A service whose gateway sees to this booking only.
fn service(world: &World, booking: BookingId) -> PaymentService {
    service_with(world, Arc::new(Stubborn(booking)))
}

/// A service with this gateway, and its office at work.
fn service_with(world: &World, gateway: Arc<dyn PaymentGateway>) -> PaymentService {
    services(world, gateway).0
}

/// The same with an upkeep, over one office.
fn services(world: &World, gateway: Arc<dyn PaymentGateway>) -> (PaymentService, Upkeep) {
    let feed = Arc::new(MemorySeatFeed::new(world.store.catalog.clone()));
    let (clock, ids, store) = (world.clock.clone(), world.ids.clone(), world.store.clone());
    let (office, work) = BoxOffice::open(store.bookings.clone(), feed.clone(), clock.clone(), OfficeSize::default());
    tokio::spawn(work);
    let events = Arc::new(EventService::new(office.clone(), store.catalog, feed, clock.clone(), ids.clone()));
    let (store, chores) = (store.bookings, store.chores);
    let upkeep = Upkeep::new(office.clone(), chores.clone(), clock.clone());
    (PaymentService::new(PaymentParts { office, store, chores, events, gateway, clock, ids, terms: world.terms }), upkeep)
}

/// Takes money, and then the store is away.
struct Last(Box<dyn Fn() + Send + Sync>);

#[async_trait]
impl PaymentGateway for Last {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    fn check_token(&self, _: &str) -> Result<(), String> {
        Ok(())
    }

    async fn charge(&self, _: &Charge) -> Result<Charged, GatewayUnavailable> {
        (self.0)();
        Ok(Charged { report: GatewayReport::Succeeded, reference: "1".to_owned() })
    }

    async fn look_up(&self, _: &Payment) -> Result<Option<GatewayReport>, GatewayUnavailable> {
        unreachable!("nobody asks")
    }

    async fn refund(&self, _: &Refund, _: &Payment) -> Result<(), GatewayUnavailable> {
        unreachable!("nothing goes back")
    }

    fn read_webhook(&self, _: &[u8], _: Option<&str>, _: Timestamp) -> Result<Webhook, WebhookError> {
        unreachable!("nobody writes")
    }
}

/// Hears of charges late, or never, and captures each that it hears of. Nobody hears what it answers to one.
#[derive(Default)]
struct FarAway {
    charges: Mutex<Vec<PaymentId>>,
    /// How often it was asked about one.
    asked: AtomicU32,
    known: AtomicBool,
    /// What it writes, whatever is sent.
    writes: Mutex<Option<Webhook>>,
}

#[async_trait]
impl PaymentGateway for FarAway {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    fn check_token(&self, _: &str) -> Result<(), String> {
        Ok(())
    }

    async fn charge(&self, charge: &Charge) -> Result<Charged, GatewayUnavailable> {
        self.charges.lock().unwrap().push(charge.payment_id);
        Err(GatewayUnavailable("the line is dead".to_owned()))
    }

    async fn look_up(&self, payment: &Payment) -> Result<Option<GatewayReport>, GatewayUnavailable> {
        self.asked.fetch_add(1, Relaxed);
        let known = self.known.load(Relaxed) && self.charges.lock().unwrap().contains(&payment.id);
        Ok(known.then_some(GatewayReport::Succeeded))
    }

    async fn refund(&self, _: &Refund, _: &Payment) -> Result<(), GatewayUnavailable> {
        Ok(())
    }

    fn read_webhook(&self, _: &[u8], _: Option<&str>, _: Timestamp) -> Result<Webhook, WebhookError> {
        self.writes.lock().unwrap().clone().ok_or(WebhookError::Signature)
    }
}

/// Refuses everything, in words of its own.
struct Refuses(&'static str, Mutex<Option<(PaymentId, Money)>>);

impl Refuses {
    fn report(&self) -> GatewayReport {
        GatewayReport::Failed { reason: self.0.to_owned() }
    }
}

#[async_trait]
impl PaymentGateway for Refuses {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    fn check_token(&self, _: &str) -> Result<(), String> {
        Ok(())
    }

    async fn charge(&self, _: &Charge) -> Result<Charged, GatewayUnavailable> {
        Ok(Charged { report: self.report(), reference: "1".to_owned() })
    }

    async fn look_up(&self, _: &Payment) -> Result<Option<GatewayReport>, GatewayUnavailable> {
        Ok(Some(self.report()))
    }

    async fn refund(&self, _: &Refund, _: &Payment) -> Result<(), GatewayUnavailable> {
        unreachable!("nothing goes back")
    }

    fn read_webhook(&self, _: &[u8], _: Option<&str>, _: Timestamp) -> Result<Webhook, WebhookError> {
        let (payment_id, amount) = self.1.lock().unwrap().ok_or(WebhookError::Signature)?;
        let (message, reference) = (format!("evt_{payment_id}"), "1".to_owned());
        Ok(Webhook { message, payment_id, reference, report: self.report(), amount })
    }
}

const SECOND: Duration = Duration::from_secs(1);
const INSTANT: Duration = Duration::from_micros(1);
/// One more than are seen to in one go.
const MANY: u32 = 101;

async fn world() -> (World, Fixture) {
    let world = World::new(MemoryPlace).await;
    let event = world.event(1, MANY).await;
    (world, event)
}

#[test]
fn refunds_that_are_not_sent_keep_no_other_from_its_turn() {
    evently_testkit::run(async {
        let (world, event) = world().await;
        let mut last = None;
        for seat in 0..MANY {
            world.wait(SECOND);
            let sold = world.buy(&event, customer(seat), &[seat]).await;
            last = Some(world.cancel(HOUSE, sold.id).await.unwrap().id);
        }
        let payments = service(&world, last.unwrap());
        let mut sent = Vec::new();
        for _ in 0..4 {
            sent.push(payments.send_refunds().await.unwrap());
        }
        assert_eq!(sent, [0, 1, 0, 0], "the first hundred, the last, and then from the start");
        let refunds = world.audited(&event).await.refunds;
        assert_eq!(refunds.iter().filter(|refund| refund.state != RefundState::Pending).count(), 1);
    });
}

/// Nor of one go.
#[test]
fn what_cannot_be_sent_or_asked_about_stops_nothing_behind_it() {
    evently_testkit::run(async {
        let (world, event) = world().await;
        let mut last = None;
        for seat in 0..8 {
            world.wait(SECOND);
            let held = world.hold(&event, customer(seat), &[seat]).await;
            last = Some(world.start_payment(&held).await.booking_id);
        }
        world.wait(SECOND * 10);
        let payments = service(&world, last.unwrap());
        assert_eq!(payments.reconcile().await.unwrap(), 1);

        for seat in 8..16 {
            world.wait(SECOND);
            let sold = world.buy(&event, customer(seat), &[seat]).await;
            last = Some(world.cancel(HOUSE, sold.id).await.unwrap().id);
        }
        assert_eq!(service(&world, last.unwrap()).send_refunds().await.unwrap(), 1);
    });
}

/// Somebody has to look at it, and is told so.
#[test]
fn what_the_store_cannot_settle_stops_nothing_behind_it() {
    evently_testkit::run(async {
        let (mut world, event) = world().await;
        let store = Arc::new(CountedBookings::new(world.store.bookings.clone()));
        world.store.bookings = store.clone();
        let gateway = Arc::new(FarAway::default());
        let payments = service_with(&world, gateway.clone());
        let mut paid = Vec::new();
        for seat in 0..4 {
            world.wait(SECOND);
            paid.push(world.start_payment(&world.hold(&event, customer(seat), &[seat]).await).await);
            let sold = world.buy(&event, customer(seat), &[seat + 4]).await;
            world.cancel(HOUSE, sold.id).await.unwrap();
        }
        gateway.charges.lock().unwrap().extend(paid.iter().map(|payment| payment.id));
        gateway.known.store(true, Relaxed);
        let chores = &world.store.chores;
        let owed = async || chores.owed_refunds("sandbox", Page { after: None, limit: 10 }).await.unwrap();
        let undecided = async || {
            let page = Page { after: None, limit: 10 };
            chores.undecided_payments("sandbox", world.now(), page).await.unwrap()
        };
        let (payment, refund) = (paid[0].id, owed().await[0].0.1);
        store.spoil(move |request| match request.command {
            Command::SettlePayment { payment_id, .. } => payment_id == payment,
            Command::SettleRefund { refund_id } => refund_id == refund,
            _ => false,
        });
        world.wait(SECOND * 6);
        for failed in [payments.reconcile().await, payments.send_refunds().await] {
            assert!(matches!(failed, Err(Error::Store(error)) if error.kind() == StoreErrorKind::Corrupt));
        }
        assert_eq!(undecided().await.iter().map(|((_, id), _)| *id).collect::<Vec<_>>(), [payment]);
        assert_eq!(owed().await.iter().map(|((_, id), _)| *id).collect::<Vec<_>>(), [refund]);
    });
}

/// Chores of a store in which this payment and this refund cannot be read, nor what there is for the time ahead.
struct Unreadable(Arc<dyn Chores>, PaymentId, RefundId);

fn unreadable<T>() -> Result<T, StoreError> {
    Err(StoreError::new(StoreErrorKind::Corrupt, "chores", "no"))
}

#[async_trait]
impl Chores for Unreadable {
    async fn due_holds(&self, now: Timestamp, limit: u32) -> Result<Vec<BookingId>, StoreError> {
        self.0.due_holds(now, limit).await
    }

    async fn called_off(&self, limit: u32) -> Result<Vec<BookingId>, StoreError> {
        self.0.called_off(limit).await
    }

    async fn undecided_payments(
        &self,
        provider: &str,
        before: Timestamp,
        page: Page<(Timestamp, PaymentId)>,
    ) -> Result<Vec<Due<PaymentId, Payment>>, StoreError> {
        let page = self.0.undecided_payments(provider, before, page).await?;
        Ok(page.into_iter().map(|(key, due)| (key, if key.1 == self.1 { unreadable() } else { due })).collect())
    }

    async fn owed_refunds(
        &self,
        provider: &str,
        page: Page<(Timestamp, RefundId)>,
    ) -> Result<Vec<Due<RefundId, (Refund, Payment)>>, StoreError> {
        let page = self.0.owed_refunds(provider, page).await?;
        Ok(page.into_iter().map(|(key, due)| (key, if key.1 == self.2 { unreadable() } else { due })).collect())
    }

    async fn pending_total(&self) -> Result<u64, StoreError> {
        self.0.pending_total().await
    }

    async fn forget_answers(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.0.forget_answers(before, limit).await
    }

    async fn forget_sessions(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.0.forget_sessions(before, limit).await
    }

    async fn forget_messages(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.0.forget_messages(before, limit).await
    }

    async fn make_room(&self, _: Timestamp) -> Result<usize, StoreError> {
        unreadable()
    }
}

/// Somebody has to look at it, and is told so. A page with it is full: what is on the next page has its turn as well.
#[test]
fn what_cannot_be_read_stops_nothing_behind_it() {
    evently_testkit::run(async {
        let mut world = World::new(MemoryPlace).await;
        let event = world.event(2, MANY).await;
        let (mut paid, mut owed) = (Vec::new(), Vec::new());
        for seat in 0..MANY {
            world.wait(SECOND);
            paid.push(world.start_payment(&world.hold(&event, customer(seat), &[seat]).await).await.id);
            let sold = world.buy(&event, customer(seat), &[seat + MANY]).await;
            world.cancel(HOUSE, sold.id).await.unwrap();
            owed.push(world.store.bookings.records(sold.id).await.unwrap().unwrap().refunds[0].id);
        }
        let chores = world.store.chores.clone();
        world.store.chores = Arc::new(Unreadable(chores.clone(), paid[3], owed[5]));
        let gateway = Arc::new(FarAway::default());
        gateway.charges.lock().unwrap().extend(&paid);
        gateway.known.store(true, Relaxed);
        let payments = service_with(&world, gateway);
        world.wait(SECOND * 6);
        for failed in [payments.reconcile().await, payments.send_refunds().await] {
            assert!(matches!(failed, Err(Error::Store(error)) if error.kind() == StoreErrorKind::Corrupt));
        }
        assert_eq!(payments.send_refunds().await.unwrap(), 1);
        let page = Page { after: None, limit: MANY };
        let left = chores.undecided_payments("sandbox", world.now(), page).await.unwrap();
        assert_eq!(left.iter().map(|((_, id), _)| *id).collect::<Vec<_>>(), [paid[3]]);
        let left = chores.owed_refunds("sandbox", Page { after: None, limit: MANY }).await.unwrap();
        assert_eq!(left.iter().map(|((_, id), _)| *id).collect::<Vec<_>>(), [owed[5]]);
    });
}

/// One in memory needs none made, so that nothing else would tell.
#[test]
fn it_is_the_store_that_makes_room_for_the_time_ahead() {
    evently_testkit::run(async {
        let (mut world, _) = world().await;
        let nothing = (PaymentId::from_uuid(Uuid::nil()), RefundId::from_uuid(Uuid::nil()));
        world.store.chores = Arc::new(Unreadable(world.store.chores.clone(), nothing.0, nothing.1));
        let (_, upkeep) = services(&world, Arc::new(FarAway::default()));
        let failed = upkeep.make_room().await;
        assert!(matches!(failed, Err(Error::Store(error)) if error.kind() == StoreErrorKind::Corrupt));
    });
}

/// Else the messages of all other refunds are put aside for somebody to look at.
#[test]
fn no_message_is_to_blame_for_what_cannot_be_done_for_another() {
    evently_testkit::run(async {
        let (mut world, event) = world().await;
        let mut owed = Vec::new();
        for seat in 0..2 {
            let sold = world.buy(&event, customer(seat), &[seat]).await;
            world.cancel(HOUSE, sold.id).await.unwrap();
            owed.push(world.store.bookings.records(sold.id).await.unwrap().unwrap().refunds[0].clone());
        }
        let no_payment = PaymentId::from_uuid(Uuid::nil());
        world.store.chores = Arc::new(Unreadable(world.store.chores.clone(), no_payment, owed[0].id));
        let store = Arc::new(CountedBookings::new(world.store.bookings.clone()));
        world.store.bookings = store.clone();
        let (payments, upkeep) = services(&world, Arc::new(FarAway::default()));
        let jobs = Jobs::new(Arc::new(payments), Arc::new(upkeep));
        let entries = world.store.outbox.after(0, u32::MAX).await.unwrap();
        let due = |entry: &&Entry| matches!(entry.transition.fact, Fact::RefundDue { refund_id, .. } if refund_id == owed[1].id);
        let due = entries.iter().find(due).unwrap();
        store.set_broken(true);
        jobs.handle(due).await.unwrap_err();
        store.set_broken(false);
        jobs.handle(due).await.unwrap();
        let refunds = world.store.bookings.records(owed[1].booking_id).await.unwrap().unwrap().refunds;
        assert_ne!(refunds[0].state, RefundState::Pending);
    });
}

#[test]
fn payments_that_stay_undecided_keep_no_other_from_its_turn() {
    evently_testkit::run(async {
        let (world, event) = world().await;
        let mut last = None;
        for seat in 0..MANY {
            world.wait(SECOND);
            let held = world.hold(&event, customer(seat), &[seat]).await;
            last = Some(world.start_payment(&held).await.booking_id);
        }
        world.wait(SECOND * 10);
        let payments = service(&world, last.unwrap());
        let mut decided = Vec::new();
        for _ in 0..4 {
            decided.push(payments.reconcile().await.unwrap());
        }
        assert_eq!(decided, [0, 1, 0, 0], "the first hundred, the last, and then from the start");
        assert_eq!(world.booking(last.unwrap()).await.status(), BookingStatus::Confirmed);
        world.audited(&event).await;
    });
}

#[test]
fn nobody_whose_card_was_charged_is_told_that_nothing_was_done() {
    evently_testkit::run(async {
        let (mut world, event) = world().await;
        let held = world.hold(&event, customer(1), &[0]).await;
        let store = Arc::new(CountedBookings::new(world.store.bookings.clone()));
        world.store.bookings = store.clone();
        let payments = service_with(&world, Arc::new(Last(Box::new(move || store.set_broken(true)))));
        let failed = payments.pay(&buyer(), held.id, "card".to_owned(), None).await.unwrap_err();
        let Error::Store(error) = failed else { panic!("{failed}") };
        assert_eq!(error.kind(), StoreErrorKind::InDoubt);
    });
}

/// A store that fails over to one without the last commits: the payment is gone in one case, its booking too in the other.
#[test]
fn money_for_a_payment_that_a_failover_has_lost_is_written_down() {
    evently_testkit::run(async {
        for is_held in [true, false] {
            let ((mut world, event), (other, same_event)) = (world().await, world().await);
            let held = world.hold(&event, customer(1), &[0]).await;
            if is_held {
                assert_eq!(other.hold(&same_event, customer(1), &[0]).await, held);
            }
            let store = Arc::new(CountedBookings::new(world.store.bookings.clone()));
            world.store.bookings = store.clone();
            let left = other.store.bookings.clone();
            let payments = service_with(&world, Arc::new(Last(Box::new(move || store.fail_over(left.clone())))));
            let paid = payments.pay(&buyer(), held.id, "card".to_owned(), World::key("pay", "card")).await;
            if is_held {
                let (payment, booking) = paid.unwrap().value;
                assert!(matches!(payment.state, PaymentState::Succeeded { .. }), "{payment:?}");
                assert_eq!(booking.status(), BookingStatus::Confirmed);
                other.audited(&same_event).await;
            } else {
                let failed = paid.unwrap_err();
                assert!(matches!(&failed, Error::Store(error) if error.kind() == StoreErrorKind::InDoubt), "{failed}");
            }
        }
    });
}

/// Only what a failover has lost is begun once more.
#[test]
fn a_payment_that_cannot_be_settled_is_not_taken_for_lost() {
    evently_testkit::run(async {
        let (mut world, event) = world().await;
        let held = world.hold(&event, customer(1), &[0]).await;
        let store = Arc::new(CountedBookings::new(world.store.bookings.clone()));
        store.spoil(|request| matches!(request.command, Command::SettlePayment { .. }));
        world.store.bookings = store;
        let payments = service_with(&world, Arc::new(Last(Box::new(|| ()))));
        let failed = payments.pay(&buyer(), held.id, "card".to_owned(), None).await.unwrap_err();
        assert!(matches!(&failed, Error::Store(error) if error.kind() == StoreErrorKind::Corrupt), "{failed}");
    });
}

fn buyer() -> Principal {
    let Actor::User(user_id, role) = customer(1) else { unreachable!("customers have accounts") };
    Principal { user_id, role, session_id: SessionId::from_uuid(Uuid::nil()) }
}

#[test]
fn a_charge_that_the_gateway_hears_of_after_it_was_given_up_is_found() {
    evently_testkit::run(async {
        let (world, event) = world().await;
        let gateway = Arc::new(FarAway::default());
        let payments = service_with(&world, gateway.clone());
        let held = world.hold(&event, customer(1), &[0]).await;
        let (payment, _) = payments.pay(&buyer(), held.id, "card".to_owned(), None).await.unwrap().value;
        world.wait(world.terms.payment_window + SECOND * 6);
        assert_eq!(payments.reconcile().await.unwrap(), 1, "it is given up");
        let stands = world.store.bookings.payment(payment.id).await.unwrap().unwrap();
        assert_eq!(stands.state, PaymentState::Failed { reason: "no_answer".to_owned() });
        assert_eq!(payments.reconcile_given_up().await.unwrap(), 0, "and asked about all the same");

        gateway.known.store(true, Relaxed);
        assert_eq!(payments.reconcile_given_up().await.unwrap(), 1);
        assert_eq!(world.booking(held.id).await.status(), BookingStatus::Confirmed, "its seats were still there");
        world.audited(&event).await;
    });
}

#[test]
fn a_charge_that_the_gateway_never_hears_of_is_asked_about_for_a_day() {
    evently_testkit::run(async {
        let (world, event) = world().await;
        let payments = service_with(&world, Arc::new(FarAway::default()));
        let held = world.hold(&event, customer(1), &[0]).await;
        let (payment, _) = payments.pay(&buyer(), held.id, "card".to_owned(), None).await.unwrap().value;
        let window = world.terms.payment_window + SECOND * 6;
        world.wait(window);
        assert_eq!(payments.reconcile().await.unwrap(), 1);
        let undecided = async || {
            let page = Page { after: None, limit: 10 };
            world.store.chores.undecided_payments("sandbox", world.now(), page).await.unwrap().len()
        };
        world.wait(Duration::from_hours(23));
        assert_eq!((payments.reconcile_given_up().await.unwrap(), undecided().await), (0, 1));
        world.wait(window);
        assert_eq!((payments.reconcile_given_up().await.unwrap(), undecided().await), (1, 0));
        let stands = world.store.bookings.payment(payment.id).await.unwrap().unwrap();
        assert_eq!(stands.state, PaymentState::Failed { reason: "never_charged".to_owned() });
    });
}

/// All those that began while the gateway was away, and one that it has just captured.
#[test]
fn payments_that_were_given_up_keep_no_other_from_its_turn() {
    evently_testkit::run(async {
        let (world, event) = world().await;
        let gateway = Arc::new(FarAway::default());
        let payments = service_with(&world, gateway.clone());
        for seat in 0..MANY {
            world.start_payment(&world.hold(&event, customer(seat), &[seat]).await).await;
        }
        world.wait(world.terms.payment_window + SECOND * 6);
        assert_eq!((payments.reconcile().await.unwrap(), payments.reconcile().await.unwrap()), (100, 1), "given up");
        let held = world.hold(&event, customer(1), &[0]).await;
        payments.pay(&buyer(), held.id, "card".to_owned(), None).await.unwrap();
        world.wait(SECOND * 6);
        gateway.known.store(true, Relaxed);
        assert_eq!(payments.reconcile().await.unwrap(), 1);
        assert_eq!(world.booking(held.id).await.status(), BookingStatus::Confirmed);
    });
}

#[test]
fn nothing_is_charged_for_a_hold_that_has_run_out_meanwhile() {
    evently_testkit::run(async {
        let (world, event) = world().await;
        let gateway = Arc::new(FarAway::default());
        let payments = service_with(&world, gateway.clone());
        let held = world.hold(&event, customer(1), &[0]).await;
        // The same request, again, by a process that has stood still since it began the payment.
        let key = World::key("pay", "card");
        let start = Request::new(customer(1), world.start_command(held.id)).with_key(key);
        world.answer(start).await.result.unwrap();
        world.wait(world.terms.payment_window);
        let (payment, booking) = payments.pay(&buyer(), held.id, "card".to_owned(), key).await.unwrap().value;
        assert_eq!(payment.state, PaymentState::Processing, "somebody else may have asked, with the same key");
        assert_eq!(booking.status(), BookingStatus::Pending, "whoever ends holds will end it");
        assert_eq!(*gateway.charges.lock().unwrap(), []);
        world.audited(&event).await;
    });
}

#[tokio::test]
async fn a_message_about_another_amount_or_of_another_gateway_changes_nothing() {
    let world = World::new(MemoryPlace).await;
    let event = world.event(1, 4).await;
    let [ours, others] = [world.hold(&event, customer(1), &[0]).await, world.hold(&event, customer(1), &[1]).await];
    let gateway = Arc::new(FarAway::default());
    let service = service_with(&world, gateway.clone());
    let payment = world.start_payment(&ours).await;
    let elsewhere = Command::StartPayment {
        payment_id: world.payment_id(),
        booking_id: others.id,
        provider: "another".to_owned(),
        terms: world.terms,
    };
    let Ok(Outcome::PaymentStarted(elsewhere, _)) = world.ask(customer(1), elsewhere).await else { panic!("it begins") };
    let told = async |payment: &Payment, amount: Money| {
        let message = format!("evt_{}_{amount}", payment.id);
        let reference = "ch_1".to_owned();
        let webhook = Webhook { message, payment_id: payment.id, reference, report: GatewayReport::Succeeded, amount };
        *gateway.writes.lock().unwrap() = Some(webhook);
        service.webhook(b"", None).await.unwrap();
        world.store.bookings.payment(payment.id).await.unwrap().unwrap().status()
    };
    let Money { amount, currency } = payment.amount;
    for amount in [
        Money { amount: amount + 1, currency },
        Money { amount: amount - 1, currency },
        Money { amount, currency: "JPY".parse().unwrap() },
    ] {
        assert_eq!(told(&payment, amount).await, "processing", "{amount}");
    }
    assert_eq!(told(&elsewhere, elsewhere.amount).await, "processing");
    assert_eq!(told(&payment, payment.amount).await, "succeeded");
    world.audited(&event).await;
}

/// Else its gateway sends it for days. Whoever looks after the money finds it in the log.
#[tokio::test]
async fn a_message_about_a_payment_that_nobody_knows_is_taken_and_changes_nothing() {
    let world = World::new(MemoryPlace).await;
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[0]).await;
    let gateway = Arc::new(FarAway::default());
    let service = service_with(&world, gateway.clone());
    let (message, reference, report) = ("evt_1".to_owned(), "ch_1".to_owned(), GatewayReport::Succeeded);
    let webhook = Webhook { message, payment_id: world.payment_id(), reference, report, amount: held.total };
    *gateway.writes.lock().unwrap() = Some(webhook);
    let entries = async || world.store.outbox.after(0, u32::MAX).await.unwrap().len();
    let before = entries().await;
    service.webhook(b"", None).await.unwrap();
    assert_eq!((entries().await, world.booking(held.id).await), (before, held));
    world.audited(&event).await;
}

/// A gateway sends again what was not answered with success.
#[tokio::test]
async fn a_message_counts_as_taken_in_when_it_is_written_down_and_is_then_known() {
    let mut world = World::new(MemoryPlace).await;
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[0]).await;
    let store = Arc::new(CountedBookings::new(world.store.bookings.clone()));
    world.store.bookings = store.clone();
    let gateway = Arc::new(FarAway::default());
    let service = service_with(&world, gateway.clone());
    let payment = world.start_payment(&held).await;
    let says = async |message: &str, report| {
        let (message, reference) = (message.to_owned(), "ch_1".to_owned());
        let webhook = Webhook { message, payment_id: payment.id, reference, report, amount: payment.amount };
        *gateway.writes.lock().unwrap() = Some(webhook);
        service.webhook(b"", None).await
    };
    for breaks in [CountedBookings::set_broken, CountedBookings::set_blind] {
        breaks(&store, true);
        assert!(matches!(says("evt_1", GatewayReport::Succeeded).await, Err(Error::Store(_))));
        breaks(&store, false);
    }
    let stands = async || world.store.bookings.payment(payment.id).await.unwrap().expect("it has begun").status();
    let declined = GatewayReport::Failed { reason: "card_declined".to_owned() };
    for (message, report, status, why) in [
        ("evt_1", declined, "failed", "it was not written down before"),
        ("evt_1", GatewayReport::Succeeded, "failed", "it has been told before"),
        ("evt_2", GatewayReport::Succeeded, "succeeded", "it is another one"),
    ] {
        says(message, report).await.unwrap();
        assert_eq!(stands().await, status, "{why}");
    }
}

/// It came too late for its own seats, and nobody can say which others are free.
#[test]
fn money_is_written_down_though_nothing_else_is_known() {
    evently_testkit::run(async {
        let (mut world, event) = world().await;
        let store = Arc::new(CountedBookings::new(world.store.bookings.clone()));
        world.store.bookings = store.clone();
        let gateway = Arc::new(FarAway::default());
        let payments = service_with(&world, gateway.clone());
        let held = world.hold(&event, customer(1), &[10]).await;
        payments.pay(&buyer(), held.id, "card".to_owned(), None).await.unwrap();
        world.wait(world.terms.payment_window);
        world.buy(&event, customer(2), &[10]).await;
        gateway.known.store(true, Relaxed);
        store.set_blind(true);
        assert_eq!(payments.reconcile().await.unwrap(), 1);
        let written = &world.audited(&event).await.payments[0];
        assert_eq!((written.status(), written.refunded), ("refunded", held.total.amount));
    });
}

/// However few there are: each time is a request to somebody else.
#[test]
fn a_gateway_is_asked_about_each_payment_once_in_one_go() {
    evently_testkit::run(async {
        let (world, event) = world().await;
        let gateway = Arc::new(FarAway::default());
        let payments = service_with(&world, gateway.clone());
        for seat in 0..3 {
            world.start_payment(&world.hold(&event, customer(seat), &[seat]).await).await;
        }
        world.wait(SECOND * 6);
        assert_eq!((payments.reconcile().await.unwrap(), gateway.asked.load(Relaxed)), (0, 3));
        world.wait(world.terms.payment_window);
        assert_eq!((payments.reconcile().await.unwrap(), gateway.asked.load(Relaxed)), (3, 6), "given up");
        assert_eq!((payments.reconcile_given_up().await.unwrap(), gateway.asked.load(Relaxed)), (0, 9));
    });
}

/// The answer to the charge was lost, so that nobody else has said it.
#[tokio::test]
async fn a_message_tells_the_gateways_name_for_a_payment() {
    let world = World::new(MemoryPlace).await;
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[0]).await;
    let gateway = Arc::new(FarAway::default());
    let service = service_with(&world, gateway.clone());
    let payment = service.pay(&buyer(), held.id, "card".to_owned(), None).await.unwrap().value.0;
    assert_eq!(payment.reference, None);
    let (message, reference, amount) = ("evt_1".to_owned(), "ch_1".to_owned(), payment.amount);
    let webhook = Webhook { message, payment_id: payment.id, reference, report: GatewayReport::Processing, amount };
    *gateway.writes.lock().unwrap() = Some(webhook);
    service.webhook(b"", None).await.unwrap();
    let known = world.store.bookings.payment(payment.id).await.unwrap().unwrap();
    assert_eq!((known.status(), known.reference.as_deref()), ("processing", Some("ch_1")));
}

/// By some of them we know payments that we have given up ourselves, and such a one is asked about again.
#[test]
fn a_refusal_is_one_in_whatever_words() {
    evently_testkit::run(async {
        let (world, event) = world().await;
        for (seats, reason, kept) in
            [(0, "superseded", "refused"), (3, "no_answer", "refused"), (6, "card_declined", "card_declined")]
        {
            let gateway = Arc::new(Refuses(reason, Mutex::default()));
            let payments = service_with(&world, gateway.clone());
            let [asked, looked_up, written] = [
                world.hold(&event, customer(1), &[seats]).await,
                world.hold(&event, customer(1), &[seats + 1]).await,
                world.hold(&event, customer(1), &[seats + 2]).await,
            ];
            let (asked, _) = payments.pay(&buyer(), asked.id, "card".to_owned(), None).await.unwrap().value;
            let written = world.start_payment(&written).await;
            *gateway.1.lock().unwrap() = Some((written.id, written.amount));
            payments.webhook(b"", None).await.unwrap();
            let looked_up = world.start_payment(&looked_up).await;
            world.wait(SECOND * 6);
            assert_eq!(payments.reconcile().await.unwrap(), 1);
            for id in [asked.id, looked_up.id, written.id] {
                let payment = world.store.bookings.payment(id).await.unwrap().unwrap();
                assert_eq!(payment.state, PaymentState::Failed { reason: kept.to_owned() });
            }
            assert_eq!((payments.reconcile().await.unwrap(), payments.reconcile_given_up().await.unwrap()), (0, 0));
        }
    });
}

#[test]
fn a_gateway_is_not_asked_about_a_payment_that_it_may_be_about_to_decide() {
    evently_testkit::run(async {
        let (world, event) = world().await;
        let gateway = Arc::new(FarAway::default());
        let payments = service_with(&world, gateway.clone());
        let held = world.hold(&event, customer(1), &[0]).await;
        payments.pay(&buyer(), held.id, "card".to_owned(), None).await.unwrap();
        gateway.known.store(true, Relaxed);
        world.wait(SECOND * 5);
        assert_eq!(payments.reconcile().await.unwrap(), 0);
        world.wait(INSTANT);
        assert_eq!(payments.reconcile().await.unwrap(), 1);
    });
}

#[test]
fn a_charge_of_which_the_gateway_knows_nothing_is_given_up_when_its_time_is_over_and_not_before() {
    evently_testkit::run(async {
        let (world, event) = world().await;
        let payments = service_with(&world, Arc::new(FarAway::default()));
        let held = world.hold(&event, customer(1), &[0]).await;
        let (payment, _) = payments.pay(&buyer(), held.id, "card".to_owned(), None).await.unwrap().value;
        let reason = async || match world.store.bookings.payment(payment.id).await.unwrap().unwrap().state {
            PaymentState::Failed { reason } => reason,
            other => format!("{other:?}"),
        };
        world.wait(world.terms.payment_window + SECOND * 5);
        assert_eq!((payments.reconcile().await.unwrap(), &*reason().await), (0, "Processing"));
        world.wait(INSTANT);
        assert_eq!((payments.reconcile().await.unwrap(), &*reason().await), (1, "no_answer"));
        world.wait_until(payment.created_at + Duration::from_hours(24));
        assert_eq!((payments.reconcile_given_up().await.unwrap(), &*reason().await), (0, "no_answer"));
        world.wait(INSTANT);
        assert_eq!((payments.reconcile_given_up().await.unwrap(), &*reason().await), (1, "never_charged"));
    });
}

/// Whoever began it has gone, and its time would come when that of the clock has.
#[test]
fn a_payment_begun_by_a_clock_that_was_far_ahead_is_given_up() {
    evently_testkit::run(async {
        let (world, event) = world().await;
        let payments = service_with(&world, Arc::new(FarAway::default()));
        let ahead = world.now() + Duration::from_mins(11);
        let hold = world.hold_command(&event, customer(1), &[0]);
        let Command::Hold { booking_id, .. } = hold else { unreachable!("it is a hold") };
        let requests = [hold, world.start_command(booking_id)].map(|command| Request::new(customer(1), command));
        let Ok(Outcome::PaymentStarted(payment, _)) =
            &world.store.bookings.apply(ahead, &requests).await.unwrap().answers[1].result
        else {
            panic!("it begins")
        };
        assert_eq!(payments.reconcile().await.unwrap(), 1);
        let given_up = PaymentState::Failed { reason: "no_answer".to_owned() };
        assert_eq!(world.store.bookings.payment(payment.id).await.unwrap().unwrap().state, given_up);
    });
}

#[test]
fn whoever_has_paid_too_late_sits_as_near_as_there_is_room() {
    evently_testkit::run(async {
        for ended in [false, true] {
            let (world, event) = world().await;
            let gateway = Arc::new(FarAway::default());
            let payments = service_with(&world, gateway.clone());
            let held = world.hold(&event, customer(1), &[10, 11]).await;
            payments.pay(&buyer(), held.id, "card".to_owned(), None).await.unwrap();
            world.wait(world.terms.payment_window);
            if ended {
                world.expire(held.id).await;
            }
            world.buy(&event, customer(2), &[11, 12]).await;
            gateway.known.store(true, Relaxed);
            assert_eq!(payments.reconcile().await.unwrap(), 1);
            let booking = world.booking(held.id).await;
            let seats = booking.seats.iter().map(|seat| seat.number).collect::<Vec<_>>();
            assert_eq!((booking.status(), &seats[..]), (BookingStatus::Confirmed, &[9, 10][..]), "ended before: {ended}");
            world.audited(&event).await;
        }
    });
}

/// The money came in time, and was decided on after it.
#[test]
fn whoever_has_paid_in_the_last_moment_gets_other_seats_too() {
    evently_testkit::run(async {
        let (mut world, event) = world().await;
        let store = Arc::new(CountedBookings::new(world.store.bookings.clone()));
        world.store.bookings = store.clone();
        let (world, event) = (Arc::new(world), Arc::new(event));
        let gateway = Arc::new(FarAway::default());
        let payments = service_with(&world, gateway.clone());
        let held = world.hold(&event, customer(1), &[10, 11]).await;
        payments.pay(&buyer(), held.id, "card".to_owned(), None).await.unwrap();
        gateway.known.store(true, Relaxed);
        world.wait(world.terms.payment_window.saturating_sub(INSTANT));
        store.meanwhile({
            let (world, event) = (world.clone(), event.clone());
            async move {
                world.wait(INSTANT);
                world.buy(&event, customer(2), &[11, 12]).await;
            }
        });
        assert_eq!(payments.reconcile().await.unwrap(), 1);
        let booking = world.booking(held.id).await;
        let seats = booking.seats.iter().map(|seat| seat.number).collect::<Vec<_>>();
        // Its own were on hold for it when the others were looked for.
        assert_eq!((booking.status(), &seats[..]), (BookingStatus::Confirmed, &[8, 9][..]));
        world.audited(&event).await;
    });
}

#[test]
fn holds_that_have_run_out_are_ended_and_counted() {
    evently_testkit::run(async {
        let (world, event) = world().await;
        let (_, upkeep) = services(&world, Arc::new(FarAway::default()));
        for seat in 0..3 {
            world.hold(&event, customer(seat), &[seat]).await;
        }
        world.wait(world.terms.ttl.saturating_sub(INSTANT));
        assert_eq!(upkeep.expire_holds().await.unwrap(), 0);
        world.wait(INSTANT);
        assert_eq!((upkeep.expire_holds().await.unwrap(), upkeep.expire_holds().await.unwrap()), (3, 0));
        world.audited(&event).await;
    });
}

/// The journal says what there is to do, and it is done before anybody looks for it.
#[test]
fn a_refund_is_sent_and_an_event_called_off_as_soon_as_the_journal_says_so() {
    evently_testkit::run(async {
        // More than are called off in one go.
        let (world, seats) = (World::new(MemoryPlace).await, 501);
        let event = world.event(1, seats).await;
        let (payments, upkeep) = services(&world, Arc::new(FarAway::default()));
        let jobs = Jobs::new(Arc::new(payments), Arc::new(upkeep));
        let given_up = world.buy(&event, customer(0), &[0]).await;
        world.cancel(HOUSE, given_up.id).await.unwrap();
        for seat in 0..seats {
            world.hold(&event, customer(seat), &[seat]).await;
        }
        let mut done = 0;
        let mut handle_all = async || {
            for entry in world.store.outbox.after(done, u32::MAX).await.unwrap() {
                jobs.handle(&entry).await.unwrap();
                done = entry.position;
            }
        };
        handle_all().await;
        let records = world.audited(&event).await;
        assert!(records.refunds.iter().all(|refund| refund.state != RefundState::Pending) && records.refunds.len() == 1);
        assert_eq!(records.bookings.iter().filter(|booking| booking.hold().is_some()).count(), seats as usize);

        world.ask(ORGANIZER, Command::CancelEvent { event_id: event.id(), reason: None }).await.unwrap();
        handle_all().await;
        let records = world.audited(&event).await;
        assert_eq!(records.bookings.iter().filter(|booking| booking.hold().is_some()).count(), 0);
        let told = records.journal.iter().filter(|entry| entry.transition.reason.as_deref() == Some("event_cancelled"));
        assert_eq!(told.count(), seats as usize, "each says why");
    });
}

/// A booking may run out after it was found and before it is cancelled. On the one thread of this test nothing is decided in between.
#[tokio::test]
async fn a_hold_that_has_run_out_meanwhile_keeps_nobody_from_calling_an_event_off() {
    let (world, event) = world().await;
    let (_, upkeep) = services(&world, Arc::new(FarAway::default()));
    let first = world.hold(&event, customer(1), &[1]).await;
    world.wait(INSTANT);
    let second = world.hold(&event, customer(2), &[2]).await;
    world.ask(ORGANIZER, Command::CancelEvent { event_id: event.id(), reason: None }).await.unwrap();

    let mut cancelling = pin!(upkeep.cancel_called_off());
    assert!(cancelling.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending(), "both have been found");
    world.wait(world.terms.ttl.saturating_sub(INSTANT));
    assert_eq!(world.expire(first.id).await.status(), BookingStatus::Expired);
    assert_eq!(cancelling.await.unwrap(), 2);
    assert_eq!(world.booking(second.id).await.status(), BookingStatus::Cancelled);
    assert_eq!(upkeep.cancel_called_off().await.unwrap(), 0);
    world.audited(&event).await;
}

/// The process was killed before it asked for the money. Its customer has gone on, and then the same request comes again.
#[test]
fn nothing_is_charged_for_what_was_given_up_meanwhile() {
    evently_testkit::run(async {
        let (world, event) = world().await;
        let gateway = Arc::new(FarAway::default());
        let payments = service_with(&world, gateway.clone());
        let key = |seat: u32| World::key(&format!("pay {seat}"), "card");
        let begun = async |seat| {
            let held = world.hold(&event, customer(1), &[seat]).await;
            let start = Request::new(customer(1), world.start_command(held.id)).with_key(key(seat));
            world.answer(start).await.result.unwrap();
            held.id
        };
        let cancelled = begun(0).await;
        world.cancel(customer(1), cancelled).await.unwrap();
        let again = payments.pay(&buyer(), cancelled, "card".to_owned(), key(0)).await.unwrap();
        assert_eq!(again.value.1.status(), BookingStatus::Cancelled);

        let other = begun(1).await;
        world.wait(SECOND * 20);
        let (second, _) = payments.pay(&buyer(), other, "other card".to_owned(), None).await.unwrap().value;
        let (first, booking) = payments.pay(&buyer(), other, "card".to_owned(), key(1)).await.unwrap().value;
        assert_eq!(first.state, PaymentState::Failed { reason: "superseded".to_owned() });
        assert_eq!(booking.status(), BookingStatus::Pending);
        world.report(second.id, GatewayReport::Succeeded).await;
        let again = payments.pay(&buyer(), other, "card".to_owned(), key(1)).await.unwrap();
        assert_eq!((again.value, again.replayed), ((first, booking), true), "what was answered first is answered for good");
        assert_eq!(*gateway.charges.lock().unwrap(), [second.id]);
        world.audited(&event).await;
    });
}

/// The process was killed before it asked for the money, and the same request comes again when there is nothing to pay for.
#[test]
fn nothing_is_charged_for_an_event_that_is_over_or_was_called_off_meanwhile() {
    evently_testkit::run(async {
        for ends in [|event_id, _| Command::CancelEvent { event_id, reason: None }, end_by] {
            let (world, event) = world().await;
            let gateway = Arc::new(FarAway::default());
            let payments = service_with(&world, gateway.clone());
            let held = world.hold(&event, customer(1), &[0]).await;
            let key = World::key("pay", "card");
            world.answer(Request::new(customer(1), world.start_command(held.id)).with_key(key)).await.result.unwrap();
            world.ask(ORGANIZER, ends(event.id(), world.now())).await.unwrap();
            let (payment, booking) = payments.pay(&buyer(), held.id, "card".to_owned(), key).await.unwrap().value;
            assert_eq!((payment.state, booking.status()), (PaymentState::Processing, BookingStatus::Pending));
            assert_eq!(*gateway.charges.lock().unwrap(), []);
            world.audited(&event).await;
        }
    });
}

fn end_by(event_id: EventId, end: Timestamp) -> Command {
    let start_time = Some(end - SECOND);
    let (end_time, opens_at) = (Some(end), start_time);
    let change = EventChange { start_time, end_time, opens_at, closes_at: end_time, ..EventChange::default() };
    Command::EditEvent { event_id, change }
}

/// The process was killed before it asked for the money, and the same request comes again in time.
#[test]
fn whoever_asks_again_is_charged_for_what_was_only_begun() {
    evently_testkit::run(async {
        let (world, event) = world().await;
        let gateway = Arc::new(FarAway::default());
        let payments = service_with(&world, gateway.clone());
        let held = world.hold(&event, customer(1), &[0]).await;
        let key = World::key("pay", "card");
        world.answer(Request::new(customer(1), world.start_command(held.id)).with_key(key)).await.result.unwrap();
        let (payment, _) = payments.pay(&buyer(), held.id, "card".to_owned(), key).await.unwrap().value;
        assert_eq!(*gateway.charges.lock().unwrap(), [payment.id]);
        gateway.known.store(true, Relaxed);
        world.wait(SECOND * 20);
        assert_eq!(payments.reconcile().await.unwrap(), 1);
        assert_eq!(world.booking(held.id).await.status(), BookingStatus::Confirmed);
        world.audited(&event).await;
    });
}

/// Somebody may have charged for it since it began.
#[test]
fn nobody_whose_payment_has_begun_is_told_that_nothing_was_done() {
    evently_testkit::run(async {
        let (mut world, event) = world().await;
        let held = world.hold(&event, customer(1), &[0]).await;
        let key = World::key("pay", "card");
        world.answer(Request::new(customer(1), world.start_command(held.id)).with_key(key)).await.result.unwrap();
        let store = Arc::new(CountedBookings::new(world.store.bookings.clone()));
        world.store.bookings = store.clone();
        let payments = service_with(&world, Arc::new(FarAway::default()));
        store.break_after(1);
        let failed = payments.pay(&buyer(), held.id, "card".to_owned(), key).await.unwrap_err();
        assert!(matches!(&failed, Error::Store(error) if error.kind() == StoreErrorKind::InDoubt), "{failed}");
    });
}
