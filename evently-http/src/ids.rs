//! Ids and secrets out of the randomness of the operating system.

use std::sync::{Mutex, PoisonError};

use evently_core::{domain::Timestamp, ports::Ids};
use uuid::{Builder, Uuid};

/// Bytes that are drawn at a time. A system call for each id would cost more than everything else about the id; there is no
/// generator of our own that could be wrong.
const DRAWN: usize = 4096;

/// Ids and secrets that nobody can guess.
pub struct SystemIds {
    pool: Mutex<Pool>,
}

/// Random bytes, of which those before `used` have been handed out.
struct Pool {
    bytes: Box<[u8; DRAWN]>,
    used: usize,
}

impl SystemIds {
    /// Nothing is drawn before it is needed.
    pub fn new() -> Self {
        Self { pool: Mutex::new(Pool { bytes: Box::new([0; DRAWN]), used: DRAWN }) }
    }

    fn draw<const N: usize>(&self) -> [u8; N] {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Default for SystemIds {
    fn default() -> Self {
        Self::new()
    }
}

impl Pool {
    #[expect(clippy::disallowed_methods, reason = "this is where random bytes come from")]
    fn take<const N: usize>(&mut self) -> [u8; N] {
        if self.used + N > DRAWN {
            getrandom::fill(&mut self.bytes[..]).expect("the operating system has random bytes");
            self.used = 0;
        }
        let mut taken = [0; N];
        let pool = &mut self.bytes[self.used..self.used + N];
        taken.copy_from_slice(pool);
        // A secret shall be nowhere but with whoever asked for it.
        pool.fill(0);
        self.used += N;
        taken
    }
}

impl Ids for SystemIds {
    fn uuid(&self, now: Timestamp) -> Uuid {
        version_7(now, self.draw())
    }

    fn secret(&self) -> u128 {
        u128::from_ne_bytes(self.draw())
    }
}

/// The twelve bits after the milliseconds are a fraction of them (RFC 9562, section 6.2, method 3), so that ids stand in the order
/// in which they were made, to a quarter of a microsecond; the 62 after them are random.
fn version_7(now: Timestamp, mut random: [u8; 10]) -> Uuid {
    let micros = u64::try_from(now.as_micros()).unwrap_or(0);
    let fraction = u16::try_from(micros % 1000 * 4096 / 1000).expect("less than 4096");
    random[..2].copy_from_slice(&fraction.to_be_bytes());
    Builder::from_unix_timestamp_millis(micros / 1000, &random).into_uuid()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_are_the_same() {
        let ids = SystemIds::new();
        let now = Timestamp::from_micros(1_800_000_000_123_456);
        let uuids: HashSet<_> = (0..10_000).map(|_| ids.uuid(now)).collect();
        assert_eq!(uuids.len(), 10_000);
        let secrets: HashSet<_> = (0..10_000).map(|_| ids.secret()).collect();
        assert_eq!(secrets.len(), 10_000);
        assert!(!secrets.contains(&0));
    }

    #[test]
    fn an_id_says_when_it_was_made() {
        let ids = SystemIds::new();
        let mut last = Uuid::nil();
        for micros in 1_800_000_000_123_000..1_800_000_000_125_000 {
            let id = ids.uuid(Timestamp::from_micros(micros));
            assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
            assert_eq!(id.as_u128() >> 80, u128::from(micros.cast_unsigned() / 1000));
            assert!(id > last, "in the order of their times");
            last = id;
        }
    }
}
