//! Sessions: families of refresh tokens.

use std::time::Duration;

use evently_core::{
    domain::{Email, Role, SessionId, User, UserId},
    ports::{Ids, PasswordHash, Rotation, Session, TokenDigest},
};

use super::race;
use crate::World;

const fn token(number: u8) -> TokenDigest {
    [number; 32]
}

/// A login whose first token is `first`.
pub(super) async fn login(world: &World, first: TokenDigest) -> Session {
    let id = UserId::from_uuid(world.ids.uuid(world.now()));
    let email = Email::parse(&format!("{id}@example.org")).expect("it is an address");
    let user = User { id, email, name: "Ada".to_owned(), role: Role::Customer, created_at: world.now() };
    world.store.accounts.add(&user, &PasswordHash("x".to_owned())).await.unwrap();
    let expires_at = world.now() + Duration::from_hours(1);
    let session = Session { id: SessionId::from_uuid(world.ids.uuid(world.now())), user_id: id, expires_at };
    world.store.sessions.open(&session, &first).await.unwrap();
    session
}

async fn rotate(world: &World, spent: TokenDigest, next: TokenDigest) -> Rotation {
    world.store.sessions.rotate(&spent, &next, world.now()).await.unwrap()
}

pub async fn a_token_is_spent_for_the_next(world: World) {
    let session = login(&world, token(1)).await;
    assert_eq!(rotate(&world, token(1), token(2)).await, Rotation::Rotated(session));
    assert_eq!(rotate(&world, token(2), token(3)).await, Rotation::Rotated(session));
    let holder = world.store.sessions.holder(session.id).await.unwrap().unwrap();
    assert_eq!(holder.id, session.user_id);
}

pub async fn a_token_used_again_ends_its_family(world: World) {
    let session = login(&world, token(1)).await;
    let other = login(&world, token(9)).await;
    rotate(&world, token(1), token(2)).await;
    assert_eq!(rotate(&world, token(1), token(3)).await, Rotation::Reused);
    assert_eq!(rotate(&world, token(2), token(4)).await, Rotation::Ended, "the good one with it");
    assert_eq!(rotate(&world, token(3), token(5)).await, Rotation::Ended, "its successor was never made");
    assert_eq!(world.store.sessions.holder(session.id).await.unwrap(), None);
    assert!(world.store.sessions.holder(other.id).await.unwrap().is_some(), "other logins go on");
}

pub async fn a_revoked_session_stays_revoked(world: World) {
    let session = login(&world, token(1)).await;
    rotate(&world, token(1), token(2)).await;
    world.store.sessions.revoke(&token(1)).await.unwrap();
    assert_eq!(world.store.sessions.holder(session.id).await.unwrap(), None, "a spent token will do");
    assert_eq!(rotate(&world, token(2), token(3)).await, Rotation::Ended);
    world.store.sessions.revoke(&token(2)).await.unwrap();
    assert_eq!(world.store.sessions.holder(session.id).await.unwrap(), None);
}

pub async fn an_unknown_token_does_nothing(world: World) {
    let session = login(&world, token(1)).await;
    assert_eq!(rotate(&world, token(7), token(2)).await, Rotation::Ended);
    world.store.sessions.revoke(&token(7)).await.unwrap();
    assert_eq!(rotate(&world, token(1), token(2)).await, Rotation::Rotated(session));
    let nobody = SessionId::from_uuid(*session.user_id.as_uuid());
    assert_eq!(world.store.sessions.holder(nobody).await.unwrap(), None);
}

pub async fn tokens_end_with_their_session(world: World) {
    let session = login(&world, token(1)).await;
    world.wait_until(session.expires_at - Duration::from_micros(1));
    assert_eq!(rotate(&world, token(1), token(2)).await, Rotation::Rotated(session));
    world.wait(Duration::from_micros(1));
    assert_eq!(rotate(&world, token(2), token(3)).await, Rotation::Ended);
}

pub async fn a_holder_is_as_they_are_now(world: World) {
    let session = login(&world, token(1)).await;
    world.store.accounts.set_role(session.user_id, Role::Admin).await.unwrap();
    assert_eq!(world.store.sessions.holder(session.id).await.unwrap().unwrap().role, Role::Admin);
}

pub async fn of_many_rotations_of_one_token_one_succeeds(world: World) {
    let session = login(&world, token(1)).await;
    let (sessions, now) = (world.store.sessions.clone(), world.now());
    let rotations = race(|number| {
        let (sessions, next) = (sessions.clone(), token(100 + u8::try_from(number).expect("there are few")));
        async move { sessions.rotate(&token(1), &next, now).await.unwrap() }
    });
    let rotations = rotations.await;
    let count = |rotation| rotations.iter().filter(|other| **other == rotation).count();
    assert_eq!((count(Rotation::Rotated(session)), count(Rotation::Reused)), (1, super::RACERS as usize - 1));
    assert_eq!(world.store.sessions.holder(session.id).await.unwrap(), None, "somebody has stolen it");
}
