//! Stores that outlive their process: what was answered is there when they are opened again.

use std::time::Duration;

use evently_core::{
    audit::audit_store,
    domain::{Command, Email, GatewayReport, Request, Role, Sales, SalesKey, SalesRow, SessionId, User},
    ports::{PasswordHash, Rotation, SalesFilter, Session, Taken},
};

use crate::{DOOR, HOUSE, ORGANIZER, World, customer, fixtures};

pub async fn everything_of_an_event_is_there_again(world: World) {
    let event = world.event(2, 4).await;
    let sold = world.buy(&event, customer(1), &[0, 4]).await;
    let code = world.tickets(sold.id).await[0].code;
    world.ask(DOOR, Command::CheckIn { code, event_id: None }).await.unwrap();
    let given_up = world.buy(&event, customer(2), &[1]).await;
    world.cancel(HOUSE, given_up.id).await.unwrap();
    let paying = world.hold(&event, customer(3), &[2]).await;
    world.start_payment(&paying).await;
    world.ask(ORGANIZER, Command::Block { event_id: event.id(), seats: event.seats(&[3]) }).await.unwrap();
    let before = world.audited(&event).await;
    let layout = world.store.catalog.layout(event.layout.id).await.unwrap();

    let world = world.reopened().await;
    assert_eq!(world.audited(&event).await, before);
    assert_eq!(world.store.catalog.layout(event.layout.id).await.unwrap(), layout);
    assert_eq!(world.store.catalog.venue(event.venue.id).await.unwrap(), Some(event.venue.clone()));
    assert_eq!(world.store.outbox.after(0, 1_000).await.unwrap(), before.journal);
    let report = audit_store(&*world.store.audit, &*world.store.catalog, &*world.clock).await.unwrap();
    assert_eq!(report.violations, []);
}

pub async fn it_goes_on_where_it_stopped(world: World) {
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[0]).await;
    let payment = world.start_payment(&held).await;
    let world = world.reopened().await;
    assert!(world.try_hold(&event, customer(2), &[0]).await.is_err());
    let (_, booking) = world.report(payment.id, GatewayReport::Succeeded).await;
    let world = world.reopened().await;
    assert_eq!(world.booking(booking.id).await, booking);
    world.hold(&event, customer(2), &[1]).await;
    world.wait(world.terms.ttl);
    let world = world.reopened().await;
    assert_eq!(world.store.chores.due_holds(world.now(), 10).await.unwrap().len(), 1);
    world.audited(&event).await;
}

pub async fn answers_are_kept_across_a_restart(world: World) {
    let event = world.event(1, 4).await;
    let key = World::key("a", "seat 0");
    let hold = |world: &World| Request::new(customer(1), world.hold_command(&event, customer(1), &[0])).with_key(key);
    let first = world.answer(hold(&world)).await;
    let world = world.reopened().await;
    let again = world.answer(hold(&world)).await;
    assert!(again.replayed);
    assert_eq!((again.at, again.result), (first.at, first.result));
}

pub async fn a_gateways_message_is_remembered_across_a_restart(world: World) {
    let event = world.event(1, 4).await;
    let held = world.hold(&event, customer(1), &[0]).await;
    let payment_id = world.start_payment(&held).await.id;
    let message = |world: &World, report| Command::SettlePayment {
        payment_id,
        report,
        reference: None,
        message: Some("evt_1".to_owned()),
        instead: Vec::new(),
        terms: world.terms,
        answers: None,
    };
    world.ask(crate::GATEWAY, message(&world, GatewayReport::Processing)).await.unwrap();
    let world = world.reopened().await;
    let again = world.ask(crate::GATEWAY, message(&world, GatewayReport::Succeeded)).await.unwrap();
    assert_eq!(fixtures::paid(again).0.status(), "processing");
}

pub async fn accounts_and_sessions_are_there_again(world: World) {
    let id = fixtures::user_of(customer(1));
    let email = Email::parse("ada@example.org").unwrap();
    let user = User { id, email, name: "Ada".to_owned(), role: Role::Staff, created_at: world.now() };
    world.store.accounts.add(&user, &PasswordHash("$2b$…".to_owned())).await.unwrap();
    let expires_at = world.now() + Duration::from_hours(1);
    let session = |n: u128| Session { id: SessionId::from_uuid(uuid::Uuid::from_u128(n)), user_id: id, expires_at };
    for (n, token) in [(1, [1; 32]), (2, [2; 32])] {
        world.store.sessions.open(&session(n), &token).await.unwrap();
    }
    world.store.sessions.rotate(&[1; 32], &[3; 32], world.now()).await.unwrap();
    world.store.sessions.revoke(&[2; 32]).await.unwrap();

    let world = world.reopened().await;
    let credentials = world.store.accounts.credentials(&user.email).await.unwrap().unwrap();
    assert_eq!((credentials.user, credentials.password.0.as_str()), (user, "$2b$…"));
    assert_eq!(world.store.sessions.holder(session(2).id).await.unwrap(), None);
    let now = world.now();
    assert_eq!(world.store.sessions.rotate(&[3; 32], &[4; 32], now).await.unwrap(), Rotation::Rotated(session(1)));
    assert_eq!(world.store.sessions.rotate(&[1; 32], &[5; 32], now).await.unwrap(), Rotation::Reused);
}

pub async fn figures_and_places_are_there_again(world: World) {
    let event = world.event(1, 4).await;
    let key = SalesKey { event_id: event.id(), hour: world.now().hour(), section: "Front".to_owned() };
    let sales = Sales { rows: [(key, SalesRow { holds: 1, value: 2, ..SalesRow::default() })].into() };
    world.store.figures.add(0, 2, &sales).await.unwrap();
    let claim = world.claim();
    world.store.outbox.claim("mail", &claim).await.unwrap();
    world.store.outbox.advance("mail", 3, &claim).await.unwrap();
    world.store.inbox.take("mail", 3, &claim).await.unwrap();
    world.store.inbox.done("mail", 3, claim.owner).await.unwrap();
    let world = world.reopened().await;
    assert_eq!(world.store.figures.position().await.unwrap(), 2);
    assert_eq!(world.store.figures.sales(&SalesFilter::default()).await.unwrap(), sales);
    assert_eq!(world.store.outbox.position("mail").await.unwrap(), 3);
    assert_eq!(world.store.outbox.claim("mail", &world.claim()).await.unwrap(), None, "somebody had it");
    assert_eq!(world.store.inbox.take("mail", 3, &world.claim()).await.unwrap(), Taken::Done);
}
