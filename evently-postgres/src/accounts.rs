//! Accounts.

use async_trait::async_trait;
use evently_core::{
    domain::{Email, Role, User, UserId},
    ports::{Accounts, Credentials, Page, PasswordHash, StoreError},
};
use uuid::Uuid;

use crate::{
    error::Fault,
    rows::{FromRow, from_rows, to_sql},
    store::{During, PgStore, values},
};

/// Only the address may be taken; anything else that is in the way is an error. Of two at the same time the second waits for the
/// first, and finds it taken.
const ADD_USER: &str = "insert into users (id, email, name, role, created_at, password) values ($1, $2, $3, $4, $5, $6) \
    on conflict (email) do nothing";
const USER: &str = "select id, email, name, role, created_at from users where id = $1";
const CREDENTIALS: &str = "select id, email, name, role, created_at, password from users where email = $1";
const USERS: &str = "select id, email, name, role, created_at from users where id > $1 order by id limit $2";
const SET_ROLE: &str = "update users set role = $2 where id = $1 returning id, email, name, role, created_at";
/// The rights that it had.
const TAKE_BACK_RIGHTS: &str = "insert into taken_back (user_id) values ($1)";

#[async_trait]
impl Accounts for PgStore {
    async fn add(&self, user: &User, password: &PasswordHash) -> Result<bool, StoreError> {
        add(self, user, password).await.during("add_account")
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        user(self, id).await.during("user")
    }

    async fn credentials(&self, email: &Email) -> Result<Option<Credentials>, StoreError> {
        credentials(self, email).await.during("credentials")
    }

    async fn users(&self, page: Page<UserId>) -> Result<Vec<User>, StoreError> {
        users(self, page).await.during("users")
    }

    async fn set_role(&self, id: UserId, role: Role) -> Result<Option<User>, StoreError> {
        set_role(self, id, role).await.during("set_role")
    }
}

async fn add(store: &PgStore, user: &User, PasswordHash(password): &PasswordHash) -> Result<bool, Fault> {
    let User { id, email, name, role, created_at } = user;
    let mut tx = store.write().await?;
    let values = values![id.as_uuid(), email.as_str(), name, role.name(), to_sql(*created_at), password];
    let added = tx.execute(ADD_USER, values).await?;
    tx.commit().await?;
    Ok(added == 1)
}

async fn user(store: &PgStore, id: UserId) -> Result<Option<User>, Fault> {
    store.row(USER, values![id.as_uuid()]).await?.as_ref().map(User::from_row).transpose()
}

async fn credentials(store: &PgStore, email: &Email) -> Result<Option<Credentials>, Fault> {
    store.row(CREDENTIALS, values![email.as_str()]).await?.as_ref().map(Credentials::from_row).transpose()
}

async fn users(store: &PgStore, page: Page<UserId>) -> Result<Vec<User>, Fault> {
    // Without a page before: no account has this id.
    let after = page.after.map_or(Uuid::nil(), |id| *id.as_uuid());
    from_rows(&store.rows(USERS, values![after, i64::from(page.limit)]).await?)
}

async fn set_role(store: &PgStore, id: UserId, role: Role) -> Result<Option<User>, Fault> {
    let mut tx = store.write().await?;
    let user = tx.one(SET_ROLE, values![id.as_uuid(), role.name()]).await?;
    if user.is_some() {
        tx.execute(TAKE_BACK_RIGHTS, values![id.as_uuid()]).await?;
    }
    tx.commit().await?;
    user.as_ref().map(User::from_row).transpose()
}
