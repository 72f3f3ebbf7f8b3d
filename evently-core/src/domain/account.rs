//! Accounts: who may do what.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{
    id::{SessionId, UserId},
    time::Timestamp,
};

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Buys for themselves.
    Customer,
    /// Makes events, and sees and changes only their own.
    Organizer,
    /// Checks tickets at the door.
    Staff,
    /// Everything.
    Admin,
}

impl Role {
    /// All roles with their names.
    pub const NAMES: [(&'static str, Self); 4] =
        [("customer", Self::Customer), ("organizer", Self::Organizer), ("staff", Self::Staff), ("admin", Self::Admin)];

    /// The role's name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, role)| *role == self).map(|(name, _)| *name).expect("every role is listed")
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Text that is not a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a role; the roles are customer, organizer, staff and admin")]
pub struct InvalidRole;

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        Self::NAMES.iter().find(|(name, _)| *name == text).map(|(_, role)| *role).ok_or(InvalidRole)
    }
}

/// An e-mail address in the form in which it is kept and compared: trimmed, in lower case.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Email(String);

/// Text that is not an e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an e-mail address; one looks like name@example.org and has at most 254 characters")]
pub struct InvalidEmail;

impl Email {
    /// Accepts what a mail server could deliver to; whether somebody reads it only a mail can tell.
    pub fn parse(text: &str) -> Result<Self, InvalidEmail> {
        let text = text.trim().to_lowercase();
        let (local, domain) = text.split_once('@').ok_or(InvalidEmail)?;
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        };
        let fits = text.len() <= 254
            && (1..=64).contains(&local.len())
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..")
            && local.chars().all(|c| c.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(c))
            && domain.contains('.')
            && domain.split('.').all(label);
        if fits { Ok(Self(text)) } else { Err(InvalidEmail) }
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Keeps addresses out of logs.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

/// Somebody with an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The account's id.
    pub id: UserId,
    /// Unique among accounts.
    pub email: Email,
    /// How to address them.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// When they registered.
    pub created_at: Timestamp,
}

/// Who is asking, as the service has established it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Principal {
    /// The account.
    pub user_id: UserId,
    /// What it may do.
    pub role: Role,
    /// The login that the access token came from.
    pub session_id: SessionId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_kept_in_one_form() {
        assert_eq!(Email::parse(" Ada@Example.ORG ").unwrap().as_str(), "ada@example.org");
    }

    #[test]
    fn what_cannot_be_an_address_is_refused() {
        for text in ["", "ada", "@example.org", "ada@", "ada@localhost", "a..b@example.org", "ada@-x.org", "a b@example.org"] {
            assert_eq!(Email::parse(text), Err(InvalidEmail), "{text:?}");
        }
    }

    #[test]
    fn every_role_has_a_name() {
        for (name, role) in Role::NAMES {
            assert_eq!(name.parse(), Ok(role));
            assert_eq!(role.name(), name);
        }
    }

    #[test]
    fn a_domain_is_words_and_hyphens_between_dots() {
        for text in ["ada@my-house.example.org", "a@b.c", "ada@müsli.example"] {
            assert!(Email::parse(text).is_ok(), "{text}");
        }
        for text in ["ada@my_house.org", "ada@x!.org", "ada@.org", "ada@x..org", "ada@x-.org"] {
            assert_eq!(Email::parse(text), Err(InvalidEmail), "{text}");
        }
    }

    #[test]
    fn people_read_addresses_and_logs_do_not() {
        let email = Email::parse("ada@example.org").unwrap();
        assert_eq!((email.to_string(), format!("{email:?}")), ("ada@example.org".to_owned(), "Email(…)".to_owned()));
        assert_eq!(Role::Organizer.to_string(), "organizer");
    }
}
