//! Choices that follow from a seed.

/// `SplitMix64`, <https://prng.di.unimi.it/splitmix64.c>.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0. The bias of a remainder is far below what is measured here.
    pub const fn below(&mut self, end: usize) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "a remainder of a usize is one")]
        let number = (self.next() % end as u64) as usize;
        number
    }

    /// True in so many of a hundred cases.
    pub const fn percent(&mut self, percent: u8) -> bool {
        self.below(100) < percent as usize
    }
}
