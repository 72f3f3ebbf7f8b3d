//! What bookings keep of the terms of refunds that they were held under.

use std::sync::Arc;

use async_trait::async_trait;
use evently_core::{
    domain::{Booking, Command, EventChange},
    ports::{Ids, Store},
};
use evently_testkit::{ORGANIZER, StorePlace, World, customer};

use crate::support::Place;

/// A file that each opening finds as it was before terms were kept.
struct OfBefore(Place);

const BACK: &str = "alter table bookings drop column refund_percent;
    alter table bookings drop column refund_until;
    delete from migrations where name like '%terms_of_refunds';";

#[async_trait]
impl StorePlace for OfBefore {
    async fn open(&self, ids: Arc<dyn Ids>) -> Store {
        if self.0.path().exists() {
            let tool = self.0.tool();
            tool.execute_batch(BACK).unwrap();
            let had = tool.query_one("select count(*) from migrations", [], |row| row.get::<_, u32>(0)).unwrap();
            tool.pragma_update(None, "user_version", had).unwrap();
        }
        StorePlace::open(&self.0, ids).await
    }
}

#[tokio::test]
async fn a_booking_of_before_terms_were_kept_goes_by_those_of_its_event() {
    let world = World::new(OfBefore(Place::new())).await;
    let event = world.event(1, 4).await;
    let sold = world.buy(&event, customer(1), &[0]).await;
    assert_eq!(world.booking(sold.id).await.refunds, Some(event.event.details.refunds));
    let world = world.reopened().await;
    let stands = world.booking(sold.id).await;
    assert_eq!(stands, Booking { refunds: None, ..sold });
    world.audited(&event).await;
    let change = EventChange { refund_percent: Some(20), ..EventChange::default() };
    world.ask(ORGANIZER, Command::EditEvent { event_id: event.id(), change }).await.unwrap();
    world.cancel(customer(1), stands.id).await.unwrap();
    assert_eq!(world.audited(&event).await.payments[0].refunded, 900);
    world.buy(&event, customer(2), &[0]).await;
}
