//! Accounts.

use evently_core::{
    domain::{Email, InvalidRole, User, UserId},
    ports::{Credentials, PasswordHash},
};
use sqlx::postgres::PgRow;

use super::{FromRow, get, time};
use crate::error::Fault;

/// `select id, email, name, role, created_at from users`.
impl FromRow for User {
    fn from_row(row: &PgRow) -> Result<Self, Fault> {
        Ok(Self {
            id: UserId::from_uuid(get(row, 0)?),
            email: Email::parse(get(row, 1)?).map_err(|error| Fault::row("users", error))?,
            name: get(row, 2)?,
            role: get::<&str>(row, 3)?.parse().map_err(|error: InvalidRole| Fault::row("users", error))?,
            created_at: time(row, 4)?,
        })
    }
}

/// `select id, email, name, role, created_at, password from users`.
impl FromRow for Credentials {
    fn from_row(row: &PgRow) -> Result<Self, Fault> {
        Ok(Self { user: User::from_row(row)?, password: PasswordHash(get(row, 5)?) })
    }
}
