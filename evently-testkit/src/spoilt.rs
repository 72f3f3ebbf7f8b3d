//! What a store makes of rows that somebody has spoilt by other means than ours, as far as all stores make the same of them.

use std::time::Duration;

use evently_core::{
    domain::{PaymentId, RefundId},
    ports::{Page, StoreError, StoreErrorKind},
};

use crate::{HOUSE, World, customer};

/// A payment or a refund that cannot be read keeps no other of its page from its turn. It is spoilt by what is given.
///
/// # Panics
/// If the store does otherwise.
pub async fn what_cannot_be_read_stands_among_what_can(
    world: World,
    spoil_payment: impl Fn(PaymentId),
    spoil_refund: impl Fn(RefundId),
) {
    let event = world.event(1, 8).await;
    let (mut undecided, mut owed) = (Vec::new(), Vec::new());
    for seat in 0..3 {
        undecided.push(world.start_payment(&world.hold(&event, customer(seat), &[seat]).await).await.id);
        let sold = world.buy(&event, customer(seat), &[seat + 3]).await;
        world.cancel(HOUSE, sold.id).await.unwrap();
        let records = world.store.bookings.records(sold.id).await.unwrap().unwrap();
        owed.push((records.refunds[0].id, records.payments[0].id));
        world.wait(Duration::from_secs(1));
    }
    spoil_payment(undecided[1]);
    spoil_refund(owed[0].0);
    spoil_payment(owed[1].1);
    let chores = &world.store.chores;
    let found = chores.undecided_payments("sandbox", world.now(), Page { after: None, limit: 3 }).await.unwrap();
    let found = found.into_iter().map(|((_, id), payment)| (id, payment.map(|payment| payment.id)));
    let expected = [Ok(undecided[0]), Err(StoreErrorKind::Corrupt), Ok(undecided[2])];
    assert_eq!(kinds(found), undecided.into_iter().zip(expected).collect::<Vec<_>>());
    let found = chores.owed_refunds("sandbox", Page { after: None, limit: 3 }).await.unwrap();
    let found = found.into_iter().map(|((_, id), due)| (id, due.map(|(refund, payment)| (refund.id, payment.id))));
    let expected = [Err(StoreErrorKind::Corrupt), Err(StoreErrorKind::Corrupt), Ok(owed[2])];
    assert_eq!(kinds(found), owed.into_iter().map(|(id, _)| id).zip(expected).collect::<Vec<_>>());
}

fn kinds<K, T>(found: impl Iterator<Item = (K, Result<T, StoreError>)>) -> Vec<(K, Result<T, StoreErrorKind>)> {
    found.map(|(id, due)| (id, due.map_err(|error| error.kind()))).collect()
}
