use std::sync::atomic::{AtomicU64, Ordering};

use uuid::{Builder, Uuid};

use crate::{domain::Timestamp, ports::Ids};

/// Ids that follow from a seed: the same seed gives the same ids in the same order. For tests and simulations; whoever knows the
/// seed knows the secrets.
#[derive(Debug)]
pub struct SeededIds(AtomicU64);

impl SeededIds {
    /// The ids of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// `SplitMix64`, <https://prng.di.unimi.it/splitmix64.c>.
    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Ids for SeededIds {
    fn uuid(&self, now: Timestamp) -> Uuid {
        let millis = u64::try_from(now.as_micros() / 1000).unwrap_or(0);
        let mut random = [0; 10];
        random[..8].copy_from_slice(&self.next().to_be_bytes());
        random[8..].copy_from_slice(&self.next().to_be_bytes()[..2]);
        Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    fn secret(&self) -> u128 {
        u128::from(self.next()) << 64 | u128::from(self.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers that others have of this seed, <https://rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64>.
    #[test]
    fn a_seed_gives_the_numbers_that_it_gives_everywhere() {
        let ids = SeededIds::new(1_234_567);
        let secret = |high: u64, low: u64| u128::from(high) << 64 | u128::from(low);
        assert_eq!(ids.secret(), secret(6_457_827_717_110_365_317, 3_203_168_211_198_807_973));
        assert_eq!(ids.secret(), secret(9_817_491_932_198_370_423, 4_593_380_528_125_082_431));
    }
}
