//! How instances know what they have put in from what somebody else has.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{domain::Timestamp, ports::CacheKey};

/// What sealed values look like. It goes up with every change of something that is kept, so that versions of Evently that run beside each
/// other take each other's values for none.
const FORMAT: u8 = 2;
const END: usize = 8;
const MAC: usize = 32;

/// Seals values for a key and a time. All who share a cache and a secret seal alike, and nobody else does.
#[derive(Clone)]
pub struct Seal(Hmac<Sha256>);

impl Seal {
    /// Seals with a key that is derived from this secret.
    pub fn new(secret: &[u8]) -> Self {
        let keyed = |key: &[u8]| Hmac::<Sha256>::new_from_slice(key).expect("a key may have any length");
        let key = keyed(secret).chain_update("evently cache").finalize().into_bytes();
        Self(keyed(&key).chain_update([FORMAT]))
    }

    /// The value as it is kept: good for this key, before `end`.
    pub(super) fn close(&self, key: &CacheKey, end: Timestamp, value: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(END + value.len() + MAC);
        sealed.extend(end.as_micros().to_be_bytes());
        sealed.extend(value);
        sealed.extend(self.mac(key, &sealed).finalize().into_bytes());
        sealed
    }

    /// The value that was sealed, if it is good at `now`.
    pub(super) fn open<'a>(&self, key: &CacheKey, now: Timestamp, sealed: &'a [u8]) -> Option<&'a [u8]> {
        let (body, mac) = sealed.split_at_checked(sealed.len().checked_sub(MAC)?)?;
        let (end, value) = body.split_first_chunk::<END>()?;
        self.mac(key, body).verify_slice(mac).ok()?;
        (now < Timestamp::from_micros(i64::from_be_bytes(*end))).then_some(value)
    }

    fn mac(&self, key: &CacheKey, body: &[u8]) -> Hmac<Sha256> {
        let key = key.as_str().as_bytes();
        // Where the key ends is said, so that no other key and value read the same.
        self.0.clone().chain_update((key.len() as u64).to_be_bytes()).chain_update(key).chain_update(body)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn sealed(seal: &Seal, key: &CacheKey, value: &[u8]) -> Vec<u8> {
        seal.close(key, NOW + Duration::from_secs(1), value)
    }

    #[test]
    fn what_was_sealed_is_opened_for_its_key_until_its_end() {
        let (seal, key) = (Seal::new(b"secret"), CacheKey::new("event", 1));
        let kept = sealed(&seal, &key, b"value");
        assert_eq!(seal.open(&key, NOW, &kept), Some(&b"value"[..]));
        assert_eq!(seal.open(&key, NOW + Duration::from_secs(1), &kept), None, "at its end");
        assert_eq!(seal.open(&CacheKey::new("event", 2), NOW, &kept), None, "of another key");
        assert_eq!(Seal::new(b"other").open(&key, NOW, &kept), None, "of somebody else");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_bit_of_it_can_be_changed(value in proptest::collection::vec(any::<u8>(), 0..40), at in any::<prop::sample::Index>(), bit in 0..8) {
            let (seal, key) = (Seal::new(b"secret"), CacheKey::new("event", 1));
            let mut kept = sealed(&seal, &key, &value);
            let at = at.index(kept.len());
            kept[at] ^= 1_u8 << bit;
            prop_assert_eq!(seal.open(&key, NOW, &kept), None);
        }

        #[test]
        fn garbage_is_not_opened(garbage in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(Seal::new(b"secret").open(&CacheKey::new("event", 1), NOW, &garbage), None);
        }
    }
}
