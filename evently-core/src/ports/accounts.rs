use async_trait::async_trait;

use super::{Page, PasswordHash, StoreError};
use crate::domain::{Email, Role, User, UserId};

/// Keeps accounts.
///
/// # Contract
/// - **One address, one account.** Of two that register the same address at the same time, one is added.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Adds the account; false if its address has one already.
    async fn add(&self, user: &User, password: &PasswordHash) -> Result<bool, StoreError>;

    /// One account.
    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// The account with this address, and what its password is checked against.
    async fn credentials(&self, email: &Email) -> Result<Option<Credentials>, StoreError>;

    /// Accounts in the order of their ids.
    async fn users(&self, page: Page<UserId>) -> Result<Vec<User>, StoreError>;

    /// Gives the account another role; the account as it is now, if there is one.
    async fn set_role(&self, id: UserId, role: Role) -> Result<Option<User>, StoreError>;
}

/// An account, and what its password is checked against.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The account.
    pub user: User,
    /// The hash of its password.
    pub password: PasswordHash,
}
