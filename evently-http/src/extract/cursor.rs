//! Lists that are read in parts.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use evently_core::{
    domain::{BookingId, EventId, PaymentId, Timestamp, UserId, VenueId},
    ports::Page,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::problem::Problem;

/// At most so many items: 1 to 100, and 20 unless the client says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u32);

impl Limit {
    /// The most items in one answer.
    const MAX: u32 = 100;

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The part after `cursor`, and one item more, which tells whether there is another part.
    pub fn page<K: CursorKey>(self, cursor: Option<&Cursor>) -> Result<Page<K>, Problem> {
        Ok(Page { after: cursor.map(Cursor::read).transpose()?, limit: self.0 + 1 })
    }
}

/// Which part of a list that nothing else is asked of.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Part {
    /// How many, 1 to 100.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, default = 20)]
    pub limit: Limit,
    /// The `next_cursor` of the part before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

impl Part {
    /// The part of a list in the order of these keys.
    pub fn page<K: CursorKey>(&self) -> Result<Page<K>, Problem> {
        self.limit.page(self.cursor.as_ref())
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(20)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = String::deserialize(deserializer)?.parse().ok();
        let number = number.filter(|number| (1..=Self::MAX).contains(number));
        number.map(Self).ok_or_else(|| de::Error::custom("must be a whole number from 1 to 100"))
    }
}

/// Where the next part of a list begins. Only we can make sense of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Cursor(Vec<u8>);

impl Cursor {
    /// The part after this key.
    pub fn after<K: CursorKey>(key: &K) -> Self {
        Self(key.to_bytes())
    }

    /// The key; an error if it is one of another list.
    pub fn read<K: CursorKey>(&self) -> Result<K, Problem> {
        K::from_bytes(&self.0).ok_or_else(|| Problem::field("cursor", "invalid", INVALID))
    }
}

const INVALID: &str = "must be a next_cursor from an earlier answer of the same list";

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursor({} bytes)", self.0.len())
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = URL_SAFE_NO_PAD.decode(&text).ok().filter(|_| (1..=64).contains(&text.len()));
        bytes.map(Self).ok_or_else(|| de::Error::custom(INVALID))
    }
}

/// What a list is ordered by, in a few bytes.
pub trait CursorKey: Sized {
    /// The bytes.
    fn to_bytes(&self) -> Vec<u8>;

    /// The key with these bytes, if there is one.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

macro_rules! id_keys {
    ($($id:ident)*) => {$(
        impl CursorKey for $id {
            fn to_bytes(&self) -> Vec<u8> {
                self.as_bytes().to_vec()
            }

            fn from_bytes(bytes: &[u8]) -> Option<Self> {
                Uuid::from_slice(bytes).ok().map(Self::from_uuid)
            }
        }
    )*};
}

id_keys!(BookingId EventId PaymentId UserId VenueId);

impl CursorKey for Timestamp {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_micros().to_be_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(i64::from_be_bytes).map(Self::from_micros)
    }
}

impl<K: CursorKey> CursorKey for (Timestamp, K) {
    fn to_bytes(&self) -> Vec<u8> {
        [self.0.to_bytes(), self.1.to_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (at, key) = bytes.split_at_checked(8)?;
        Some((Timestamp::from_bytes(at)?, K::from_bytes(key)?))
    }
}

/// One part of a list.
#[derive(Debug, Clone, Serialize)]
pub struct List<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next part begins; null where this is the last one.
    pub next_cursor: Option<Cursor>,
}

impl<T> List<T> {
    /// A part of at most `limit` items out of what was read for [`Limit::page`], each shown by `view`.
    pub fn of<R, K: CursorKey>(mut read: Vec<R>, limit: Limit, key: impl Fn(&R) -> K, view: impl FnMut(R) -> T) -> Self {
        let more = read.len() > limit.0 as usize;
        read.truncate(limit.0 as usize);
        let next_cursor = read.last().filter(|_| more).map(|last| Cursor::after(&key(last)));
        Self { items: read.into_iter().map(view).collect(), next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_on_from_where_it_was_made() {
        let key = (Timestamp::from_micros(-7), EventId::from_uuid(Uuid::from_u128(9)));
        let text = serde_json::to_string(&Cursor::after(&key)).unwrap();
        let cursor: Cursor = serde_json::from_str(&text).unwrap();
        assert_eq!(cursor.read::<(Timestamp, EventId)>().unwrap(), key);
        let problem = cursor.read::<UserId>().unwrap_err();
        assert_eq!(problem.errors()[0].field, "cursor", "one of another list");
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in ["\"\"", "\"*\"", "\"AA==\"", &format!("\"{}\"", "A".repeat(1000)), "7"] {
            assert!(serde_json::from_str::<Cursor>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_list_ends_where_there_is_no_more() {
        let ids: Vec<_> = (1..=3).map(|n| UserId::from_uuid(Uuid::from_u128(n))).collect();
        let two = Limit(2);
        assert_eq!(two.page::<UserId>(None).unwrap().limit, 3);
        let first = List::of(ids.clone(), two, |id| *id, |id| id);
        assert_eq!(first.items, ids[..2]);
        assert_eq!(first.next_cursor.unwrap().read::<UserId>().unwrap(), ids[1]);
        assert_eq!(List::of(ids[2..].to_vec(), two, |id| *id, |id| id).next_cursor, None);
        assert_eq!(List::of(ids[1..].to_vec(), two, |id| *id, |id| id).next_cursor, None);
    }
}
