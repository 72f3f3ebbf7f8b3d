//! Refresh tokens.

use evently_core::{
    domain::{Email, Role, SessionId, Timestamp, User},
    ports::{Accounts, Chores, PasswordHash, Rotation, Session, Sessions},
};
use evently_sqlite::SqliteStore;
use uuid::Uuid;

use crate::support::{NOW, Place, user};

fn ada() -> User {
    let email = Email::parse("ada@example.org").unwrap();
    User { id: user(1), email, name: "Ada".into(), role: Role::Customer, created_at: NOW }
}

fn session() -> Session {
    let expires_at = Timestamp::from_secs(NOW.as_secs() + 3600);
    Session { id: SessionId::from_uuid(Uuid::from_u128(2)), user_id: ada().id, expires_at }
}

async fn logged_in(place: &Place) -> SqliteStore {
    let store = place.open();
    assert!(store.add(&ada(), &PasswordHash("hash".into())).await.unwrap());
    Sessions::open(&store, &session(), &[0; 32]).await.unwrap();
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_rotations_of_one_token_one_wins() {
    let place = Place::new();
    let store = logged_in(&place).await;
    let other = place.open_with(2, &evently_sqlite::Options::default());
    let rotations = (1..=40_u8).map(|n| {
        let store = if n % 2 == 0 { store.clone() } else { other.clone() };
        tokio::spawn(async move { store.rotate(&[0; 32], &[n; 32], NOW).await.unwrap() })
    });
    let mut won = 0;
    for rotation in rotations.collect::<Vec<_>>() {
        won += u32::from(rotation.await.unwrap() == Rotation::Rotated(session()));
    }
    assert_eq!(won, 1);
    assert_eq!(store.holder(session().id).await.unwrap(), None, "the others have ended the session");
}

#[tokio::test]
async fn reuse_revokes_for_good() {
    let place = Place::new();
    let store = logged_in(&place).await;
    assert_eq!(store.rotate(&[0; 32], &[1; 32], NOW).await.unwrap(), Rotation::Rotated(session()));
    assert_eq!(store.holder(session().id).await.unwrap(), Some(ada()));
    assert_eq!(store.rotate(&[0; 32], &[2; 32], NOW).await.unwrap(), Rotation::Reused);
    drop(store);
    let store = place.open();
    assert_eq!(store.rotate(&[1; 32], &[3; 32], NOW).await.unwrap(), Rotation::Ended);
    assert_eq!(store.holder(session().id).await.unwrap(), None);
}

/// Whoever has asked before goes on from a number, which must not be given to something else.
#[tokio::test]
async fn what_was_taken_back_long_ago_is_forgotten_and_its_number_is_not_given_again() {
    let place = Place::new();
    let store = logged_in(&place).await;
    store.revoke(&[0; 32]).await.unwrap();
    store.set_role(ada().id, Role::Staff).await.unwrap();
    let first = store.taken_back(0).await.unwrap();
    assert_eq!((first.sessions.len(), first.users.len()), (1, 1));
    place.tool().execute("update taken_back set at = at - 3700", []).unwrap();
    store.forget_sessions(NOW, 10).await.unwrap();
    assert_eq!(store.taken_back(0).await.unwrap(), first, "it is told for an hour at least");
    place.tool().execute("update taken_back set at = at - 3700", []).unwrap();
    store.forget_sessions(NOW, 10).await.unwrap();
    assert_eq!(store.taken_back(0).await.unwrap().sessions, [], "but for the last one all are forgotten");
    store.revoke(&[0; 32]).await.unwrap();
    assert_eq!(store.taken_back(first.mark).await.unwrap().sessions, [session().id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_accounts_with_one_address_one_is_added() {
    let place = Place::new();
    let store = place.open();
    let adds = (1..=8).map(|n| {
        let (store, user) = (store.clone(), User { id: user(n), ..ada() });
        tokio::spawn(async move { store.add(&user, &PasswordHash("hash".into())).await.unwrap() })
    });
    let mut added = 0;
    for add in adds.collect::<Vec<_>>() {
        added += u32::from(add.await.unwrap());
    }
    assert_eq!(added, 1);
}

#[tokio::test]
async fn an_account_with_the_id_of_another_is_an_error() {
    let place = Place::new();
    let store = logged_in(&place).await;
    let twin = User { email: Email::parse("grace@example.org").unwrap(), ..ada() };
    assert!(store.add(&twin, &PasswordHash("hash".into())).await.is_err());
}
