use std::fmt;

use async_trait::async_trait;

/// Hashes passwords and checks them. Both are slow by design.
///
/// # Contract
/// - **The whole password counts.** Nothing of it is cut off; what cannot be hashed whole is refused before it comes here.
/// - **Bounded.** However many ask, only so many are served at a time, and the rest of the service goes on.
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// Hashes a new password.
    async fn hash(&self, password: &str) -> Result<PasswordHash, PasswordsBusy>;

    /// Checks a password. Without a hash it takes as long, and the answer is no: whether an account exists does not show.
    async fn verify(&self, password: &str, hash: Option<&PasswordHash>) -> Result<bool, PasswordsBusy>;
}

/// A password's hash with its salt and cost, in the format of the hasher.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

/// Keeps hashes out of logs.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Too many passwords are being checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked")]
pub struct PasswordsBusy;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_does_not_tell_a_hash() {
        assert_eq!(format!("{:?}", PasswordHash("$2b$".to_owned())), "PasswordHash(…)");
    }
}
