//! Accounts.

use async_trait::async_trait;
use evently_core::{
    domain::{Email, Role, User, UserId},
    ports::{Accounts, Credentials, Page, PasswordHash, StoreError},
};
use rusqlite::{Transaction, params};

use crate::{
    SqliteStore,
    rows::{execute, find, find_all},
    statements::statements,
};

statements! {
    /// Only the address may be taken; anything else that is in the way is an error.
    ADD_USER = "insert into users (id, email, name, role, created_at, password) values (?1, ?2, ?3, ?4, ?5, ?6) \
        on conflict (email) do nothing";
    USER = "select id, email, name, role, created_at from users where id = ?1";
    CREDENTIALS = "select id, email, name, role, created_at, password from users where email = ?1";
    USERS = "select id, email, name, role, created_at from users where id > ?1 order by id limit ?2";
    SET_ROLE = "update users set role = ?2 where id = ?1";
    /// The rights that it had.
    TAKE_BACK_RIGHTS = "insert into taken_back (user_id) select id from users where id = ?1";
}

#[async_trait]
impl Accounts for SqliteStore {
    async fn add(&self, user: &User, password: &PasswordHash) -> Result<bool, StoreError> {
        let (user, PasswordHash(password)) = (user.clone(), password.clone());
        let add = move |tx: &Transaction<'_>| {
            let User { id, email, name, role, created_at } = &user;
            let values = params![id.as_uuid(), email.as_str(), name, role.name(), created_at.as_micros(), password];
            Ok(execute(tx, ADD_USER, values)? == 1)
        };
        self.write("add_account", add).await
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.read("user", move |tx| find(tx, USER, [id.as_uuid()])).await
    }

    async fn credentials(&self, email: &Email) -> Result<Option<Credentials>, StoreError> {
        let email = email.clone();
        self.read("credentials", move |tx| find(tx, CREDENTIALS, [email.as_str()])).await
    }

    async fn users(&self, page: Page<UserId>) -> Result<Vec<User>, StoreError> {
        let users = move |tx: &Transaction<'_>| {
            // Without a page before: no id is as short.
            let after = page.after.as_ref().map_or(&[][..], |id| id.as_bytes());
            find_all(tx, USERS, params![after, page.limit])
        };
        self.read("users", users).await
    }

    async fn set_role(&self, id: UserId, role: Role) -> Result<Option<User>, StoreError> {
        let set = move |tx: &Transaction<'_>| {
            execute(tx, SET_ROLE, params![id.as_uuid(), role.name()])?;
            execute(tx, TAKE_BACK_RIGHTS, [id.as_uuid()])?;
            find(tx, USER, [id.as_uuid()])
        };
        self.write("set_role", set).await
    }
}
