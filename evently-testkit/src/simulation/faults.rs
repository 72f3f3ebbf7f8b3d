//! What can go wrong, how often, and the dice.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use super::executor::lock;

macro_rules! named {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $vis enum $name { $($(#[$doc])* #[doc = $text] $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// What it is called.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}
pub(super) use named;

named! {
    /// Something that goes wrong.
    pub enum Fault {
        StoreSlow = "the store is slow",
        StoreAway = "the store is away",
        StoreContended = "others are in the way at the store",
        CommitLost = "the store commits, and its answer is lost",
        CommitBroken = "the connection breaks before the commit",
        LocksAway = "the seat locks are away",
        LocksLost = "all seat locks are lost",
        LocksDoubled = "a seat lock is given to two",
        RequestLost = "a request is lost",
        RequestTwice = "a request arrives twice",
        AnswerLost = "an answer is lost",
        NetworkSlow = "the network is slow",
        GatewayDeaf = "the gateway does not hear",
        GatewayMute = "the gateway acts, and its answer is lost",
        GatewaySlow = "the gateway is slow",
        WebhookLost = "a webhook is lost",
        WebhookTwice = "a webhook comes twice",
        WebhookLate = "a webhook is late, and overtaken",
        BrokerAway = "the broker takes no messages",
        ConfirmLost = "the broker takes messages, and its confirm is lost",
        MessageTwice = "a message comes twice",
        MailerAway = "the mailer takes no mails",
        MailerMute = "the mailer sends, and its answer is lost",
        CacheStale = "what was forgotten stays in the cache",
        CacheAway = "the cache is away",
        Crash = "an instance crashes",
        Pause = "an instance stands still",
        ClockStep = "a clock is set",
    }
}

/// In how many of ten thousand cases each fault happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rates(Vec<u32>);

impl Rates {
    /// Of the faults some never happen, some now and then, and some often: which ones differs from run to run, so that those that would
    /// drown others out are sometimes away.
    pub fn drawn(dice: &mut fastrand::Rng) -> Self {
        Self(Fault::ALL.iter().map(|_| if dice.bool() { 0 } else { [20, 100, 300, 1_000, 2_500][dice.usize(..5)] }).collect())
    }

    pub fn of(&self, fault: Fault) -> u32 {
        self.0[fault as usize]
    }

    /// Nothing goes wrong.
    #[cfg(test)]
    pub fn none() -> Self {
        Self(vec![0; Fault::ALL.len()])
    }

    /// The same without one.
    pub fn without(&self, fault: Fault) -> Self {
        let mut rates = self.clone();
        rates.0[fault as usize] = 0;
        rates
    }

    /// Those that may happen.
    pub fn possible(&self) -> impl Iterator<Item = Fault> {
        Fault::ALL.iter().copied().filter(|fault| self.of(*fault) > 0)
    }
}

/// Decides what goes wrong, until everything is healed. Each fault has dice of its own: without one of them the others fall as before.
pub(super) struct Faults {
    rates: Rates,
    dice: Vec<Mutex<fastrand::Rng>>,
    healed: AtomicBool,
}

impl Faults {
    pub fn new(rates: Rates, seed: u64) -> Self {
        let dice = (0..).take(Fault::ALL.len()).map(|number| Mutex::new(dice(seed, number)));
        Self { rates, dice: dice.collect(), healed: AtomicBool::new(false) }
    }

    /// Whether it goes wrong now.
    pub fn strikes(&self, fault: Fault) -> bool {
        let rate = self.rates.of(fault);
        rate > 0 && !self.are_healed() && lock(&self.dice[fault as usize]).u32(..10_000) < rate
    }

    /// A number below `end` for the details of a fault.
    pub fn draw(&self, fault: Fault, end: u64) -> u64 {
        lock(&self.dice[fault as usize]).u64(..end)
    }

    /// Whether nothing goes wrong any more.
    pub fn are_healed(&self) -> bool {
        self.healed.load(Relaxed)
    }

    /// Nothing goes wrong from now on.
    pub fn heal(&self) {
        self.healed.store(true, Relaxed);
    }
}

/// The dice of one of many who must not depend on each other.
pub(super) fn dice(seed: u64, number: u64) -> fastrand::Rng {
    fastrand::Rng::with_seed(seed.rotate_left(17) ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}
