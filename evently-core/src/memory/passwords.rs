use async_trait::async_trait;

use crate::ports::{PasswordHash, PasswordHasher, PasswordsBusy};

/// Keeps passwords as they are. For tests and nothing else.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainPasswords;

#[async_trait]
impl PasswordHasher for PlainPasswords {
    async fn hash(&self, password: &str) -> Result<PasswordHash, PasswordsBusy> {
        Ok(PasswordHash(password.to_owned()))
    }

    async fn verify(&self, password: &str, hash: Option<&PasswordHash>) -> Result<bool, PasswordsBusy> {
        Ok(hash.is_some_and(|hash| hash.0 == password))
    }
}
