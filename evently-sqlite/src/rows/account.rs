//! Accounts.

use evently_core::{
    domain::{Email, Timestamp, User, UserId},
    ports::{Credentials, PasswordHash},
};
use rusqlite::Row;
use uuid::Uuid;

use super::{FromRow, Stored};
use crate::error::Fault;

pub(crate) struct UserRow {
    id: Uuid,
    email: String,
    name: String,
    role: String,
    created_at: i64,
}

impl FromRow for UserRow {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { id: row.get(0)?, email: row.get(1)?, name: row.get(2)?, role: row.get(3)?, created_at: row.get(4)? })
    }
}

impl Stored for User {
    type Row = UserRow;
}

impl TryFrom<UserRow> for User {
    type Error = Fault;

    fn try_from(row: UserRow) -> Result<Self, Fault> {
        Ok(Self {
            id: UserId::from_uuid(row.id),
            email: Email::parse(&row.email).map_err(|error| Fault::row("users", error))?,
            name: row.name,
            role: row.role.parse().map_err(|error: evently_core::domain::InvalidRole| Fault::row("users", error))?,
            created_at: Timestamp::from_micros(row.created_at),
        })
    }
}

pub(crate) struct CredentialsRow {
    user: UserRow,
    password: String,
}

impl FromRow for CredentialsRow {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { user: UserRow::from_row(row)?, password: row.get(5)? })
    }
}

impl Stored for Credentials {
    type Row = CredentialsRow;
}

impl TryFrom<CredentialsRow> for Credentials {
    type Error = Fault;

    fn try_from(row: CredentialsRow) -> Result<Self, Fault> {
        Ok(Self { user: row.user.try_into()?, password: PasswordHash(row.password) })
    }
}
