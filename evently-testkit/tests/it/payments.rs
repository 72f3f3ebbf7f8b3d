//! The service of payments: whoever stays undecided keeps nobody from their turn.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use evently_core::{
    domain::{BookingId, BookingStatus, GatewayReport, Payment, Refund, RefundState, Timestamp},
    memory::MemorySeatFeed,
    ports::{Charge, Charged, GatewayUnavailable, PaymentGateway, Webhook, WebhookError},
    services::{BoxOffice, EventService, OfficeSize, PaymentParts, PaymentService},
};
use evently_testkit::{Fixture, HOUSE, MemoryPlace, World, customer};

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
        let decided = payment.booking_id == self.0;
        Ok(Some(if decided { GatewayReport::Succeeded } else { GatewayReport::Processing }))
    }

    async fn refund(&self, refund: &Refund, _: &Payment) -> Result<(), GatewayUnavailable> {
        if refund.booking_id == self.0 { Ok(()) } else { Err(GatewayUnavailable("the card is gone".to_owned())) }
    }

    fn read_webhook(&self, _: &[u8], _: Option<&str>, _: Timestamp) -> Result<Webhook, WebhookError> {
        unreachable!("nobody writes")
    }
}

/// A service whose gateway sees to this booking only, and its office at work.
fn service(world: &World, booking: BookingId) -> PaymentService {
    let feed = Arc::new(MemorySeatFeed::new(world.store.catalog.clone()));
    let (clock, ids, store) = (world.clock.clone(), world.ids.clone(), world.store.clone());
    let (office, work) = BoxOffice::open(store.bookings.clone(), feed.clone(), clock.clone(), OfficeSize::default());
    tokio::spawn(work);
    let events = Arc::new(EventService::new(office.clone(), store.catalog, feed, clock.clone(), ids.clone()));
    let gateway = Arc::new(Stubborn(booking));
    let (store, chores) = (store.bookings, store.chores);
    PaymentService::new(PaymentParts { office, store, chores, events, gateway, clock, ids, terms: world.terms })
}

const SECOND: Duration = Duration::from_secs(1);
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
