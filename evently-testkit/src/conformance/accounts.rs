//! Accounts.

use evently_core::{
    domain::{Email, Role, User, UserId},
    ports::{Ids, Page, PasswordHash},
};

use super::race;
use crate::World;

/// A new account with this address.
fn user(world: &World, email: &str) -> User {
    User {
        id: UserId::from_uuid(world.ids.uuid(world.now())),
        email: Email::parse(email).expect("it is an address"),
        name: "Ada".to_owned(),
        role: Role::Customer,
        created_at: world.now(),
    }
}

fn hash(text: &str) -> PasswordHash {
    PasswordHash(text.to_owned())
}

pub async fn an_account_is_read_as_it_was_added(world: World) {
    let ada = user(&world, "ada@example.org");
    let accounts = &world.store.accounts;
    assert_eq!(accounts.user(ada.id).await.unwrap(), None);
    assert!(accounts.credentials(&ada.email).await.unwrap().is_none());
    assert!(accounts.add(&ada, &hash("$2b$…")).await.unwrap());
    assert_eq!(accounts.user(ada.id).await.unwrap(), Some(ada.clone()));
    let credentials = accounts.credentials(&ada.email).await.unwrap().unwrap();
    assert_eq!((credentials.user, credentials.password), (ada, hash("$2b$…")));
}

pub async fn an_address_has_one_account(world: World) {
    let [first, second] = [user(&world, "ada@example.org"), user(&world, "Ada@Example.org")];
    let accounts = &world.store.accounts;
    assert!(accounts.add(&first, &hash("first")).await.unwrap());
    assert!(!accounts.add(&second, &hash("second")).await.unwrap());
    assert_eq!(accounts.user(second.id).await.unwrap(), None);
    let credentials = accounts.credentials(&first.email).await.unwrap().unwrap();
    assert_eq!((credentials.user.id, credentials.password), (first.id, hash("first")));
}

pub async fn of_many_who_register_one_address_one_is_added(world: World) {
    let users = (0..super::RACERS).map(|_| user(&world, "ada@example.org")).collect::<Vec<_>>();
    let accounts = world.store.accounts.clone();
    let added = race(|number| {
        let (accounts, user) = (accounts.clone(), users[number as usize].clone());
        async move { accounts.add(&user, &hash("same")).await.unwrap().then_some(user.id) }
    });
    let added = added.await.into_iter().flatten().collect::<Vec<_>>();
    assert_eq!(added.len(), 1);
    let email = &users[0].email;
    assert_eq!(world.store.accounts.credentials(email).await.unwrap().unwrap().user.id, added[0]);
}

pub async fn accounts_are_listed_by_id_page_by_page(world: World) {
    let mut ids = Vec::new();
    for n in 0..5 {
        let user = user(&world, &format!("user{n}@example.org"));
        world.store.accounts.add(&user, &hash("x")).await.unwrap();
        ids.push(user.id);
    }
    ids.sort_unstable();
    let list = async |after, limit| {
        let users = world.store.accounts.users(Page { after, limit }).await.unwrap();
        users.into_iter().map(|user| user.id).collect::<Vec<_>>()
    };
    assert_eq!(list(None, 3).await, ids[..3]);
    assert_eq!(list(Some(ids[2]), 3).await, ids[3..]);
}

pub async fn a_role_changes_and_nothing_else(world: World) {
    let ada = user(&world, "ada@example.org");
    let accounts = &world.store.accounts;
    assert_eq!(accounts.set_role(ada.id, Role::Admin).await.unwrap(), None);
    accounts.add(&ada, &hash("x")).await.unwrap();
    let promoted = User { role: Role::Organizer, ..ada.clone() };
    assert_eq!(accounts.set_role(ada.id, Role::Organizer).await.unwrap(), Some(promoted.clone()));
    let credentials = accounts.credentials(&ada.email).await.unwrap().unwrap();
    assert_eq!((credentials.user, credentials.password), (promoted, hash("x")));
}
