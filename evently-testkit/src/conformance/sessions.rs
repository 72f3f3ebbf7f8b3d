//! Sessions: families of refresh tokens.

use std::time::Duration;

use evently_core::{
    domain::{Email, Role, SessionId, User, UserId},
    ports::{Ids, PasswordHash, Rotation, Session, TakenBack, TokenDigest},
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
    login_of(world, id, first).await
}

/// A login of somebody who has an account.
async fn login_of(world: &World, user_id: UserId, first: TokenDigest) -> Session {
    let expires_at = world.now() + Duration::from_hours(1);
    let session = Session { id: SessionId::from_uuid(world.ids.uuid(world.now())), user_id, expires_at };
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
    assert_eq!(rotate(&world, token(1), token(2)).await, Rotation::Reused, "not even what was once answered comes again");
    world.store.sessions.revoke(&token(2)).await.unwrap();
    assert_eq!(world.store.sessions.holder(session.id).await.unwrap(), None);
}

/// Whoever logs out here is still logged in where else they were.
pub async fn other_logins_of_the_account_go_on(world: World) {
    let here = login(&world, token(1)).await;
    let [there, elsewhere] = [login_of(&world, here.user_id, token(3)).await, login_of(&world, here.user_id, token(5)).await];
    world.store.sessions.revoke(&token(1)).await.unwrap();
    rotate(&world, token(3), token(4)).await;
    assert_eq!(rotate(&world, token(3), token(9)).await, Rotation::Reused);
    let mut holders = Vec::new();
    for session in [here, there, elsewhere] {
        holders.push(world.store.sessions.holder(session.id).await.unwrap().is_some());
    }
    assert_eq!(holders, [false, false, true]);
    assert_eq!(rotate(&world, token(5), token(6)).await, Rotation::Rotated(elsewhere));
    assert!(!taken_back(&world, 0).await.sessions.contains(&elsewhere.id));
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

/// Word for word, by whoever has recorded it: what was answered then has been spent since.
pub async fn a_rotation_that_comes_again_after_the_next_one_ends_its_login(world: World) {
    let session = login(&world, token(1)).await;
    for number in [1, 2] {
        assert_eq!(rotate(&world, token(number), token(number + 1)).await, Rotation::Rotated(session));
    }
    assert_eq!(rotate(&world, token(1), token(2)).await, Rotation::Reused);
    assert_eq!(rotate(&world, token(3), token(4)).await, Rotation::Ended);
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

async fn taken_back(world: &World, since: u64) -> TakenBack {
    world.store.sessions.taken_back(since).await.unwrap()
}

pub async fn what_is_taken_back_is_told(world: World) {
    let [stolen, left, other] = [login(&world, token(1)).await, login(&world, token(3)).await, login(&world, token(5)).await];
    let begun = taken_back(&world, 0).await;
    assert_eq!((begun.sessions.len(), begun.users.len()), (0, 0), "nothing was taken back");
    rotate(&world, token(1), token(2)).await;
    assert_eq!(rotate(&world, token(1), token(9)).await, Rotation::Reused);
    let first = taken_back(&world, begun.mark).await;
    assert_eq!((&first.sessions[..], first.users.len()), (&[stolen.id][..], 0));
    world.store.sessions.revoke(&token(3)).await.unwrap();
    world.store.accounts.set_role(other.user_id, Role::Staff).await.unwrap();
    let second = taken_back(&world, first.mark).await;
    assert!(second.sessions.contains(&left.id), "{second:?}");
    assert_eq!(second.users, [other.user_id]);
    for since in [0, begun.mark] {
        let all = taken_back(&world, since).await;
        assert!([stolen, left].iter().all(|session| all.sessions.contains(&session.id)), "whoever asks later: {all:?}");
    }
}

pub async fn what_does_nothing_takes_nothing_back(world: World) {
    let session = login(&world, token(1)).await;
    let begun = taken_back(&world, 0).await;
    world.store.sessions.revoke(&token(7)).await.unwrap();
    rotate(&world, token(7), token(8)).await;
    rotate(&world, token(1), token(2)).await;
    let nobody = UserId::from_uuid(*session.id.as_uuid());
    assert_eq!(world.store.accounts.set_role(nobody, Role::Admin).await.unwrap(), None);
    let back = taken_back(&world, begun.mark).await;
    assert_eq!((back.sessions.len(), back.users.len()), (0, 0));
}

/// Whoever asks again and again while many take something back is told everything, each in its time.
pub async fn nothing_taken_back_is_passed_over_while_others_commit(world: World) {
    let mut sessions = Vec::new();
    for n in 0..super::RACERS {
        sessions.push(login(&world, token(u8::try_from(n).expect("there are few"))).await.id);
    }
    let store = world.store.sessions.clone();
    let told = race(|n| {
        let (store, session) = (store.clone(), sessions[n as usize]);
        async move {
            let mut mark = store.taken_back(0).await.unwrap().mark;
            let mut told = false;
            for round in 0..4 {
                if round == 2 {
                    store.revoke(&token(u8::try_from(n).expect("there are few"))).await.unwrap();
                }
                let back = store.taken_back(mark).await.unwrap();
                told |= back.sessions.contains(&session);
                assert_eq!(told, round >= 2, "it is told from when the call has returned");
                mark = back.mark;
            }
        }
    });
    told.await;
    let all = taken_back(&world, 0).await.sessions;
    assert!(sessions.iter().all(|session| all.contains(session)));
}
