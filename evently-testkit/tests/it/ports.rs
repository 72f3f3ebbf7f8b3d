//! The other ports in memory.

use std::sync::Arc;

use evently_core::{
    domain::Timestamp,
    memory::{
        ManualClock, MemoryCache, MemoryMailer, MemorySeatFeed, MemorySeatLocks, PlainPasswords, PlainTokens, SandboxGateway,
        SandboxTimes, SeededIds,
    },
    ports::{Catalog, SeatFeed},
};
use evently_testkit::conformance::{
    cache::CacheUnderTest, gateway::GatewayUnderTest, mailer::MailerUnderTest, seat_locks::LocksUnderTest,
};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn feed(catalog: Arc<dyn Catalog>) -> Arc<dyn SeatFeed> {
    Arc::new(MemorySeatFeed::new(catalog))
}

fn sandbox() -> GatewayUnderTest {
    let clock = Arc::new(ManualClock::new(NOW));
    let gateway = Arc::new(SandboxGateway::new("a secret", SandboxTimes::default(), clock.clone()));
    GatewayUnderTest { gateway, clock, good: "tok_visa", declined: "tok_declined" }
}

fn seat_locks() -> LocksUnderTest {
    let clock = Arc::new(ManualClock::new(NOW));
    LocksUnderTest { locks: Arc::new(MemorySeatLocks::new(clock.clone())), pass: Box::new(move |time| clock.advance(time)) }
}

fn cache() -> CacheUnderTest {
    let clock = Arc::new(ManualClock::new(NOW));
    let cache = Arc::new(MemoryCache::new(clock.clone()));
    CacheUnderTest { cache: cache.clone(), other: cache, pass: Box::new(move |time| clock.advance(time)) }
}

fn mailer() -> MailerUnderTest {
    let mailer = Arc::new(MemoryMailer::default());
    let sent = mailer.clone();
    MailerUnderTest { mailer, arrived: Box::new(move || sent.sent()) }
}

evently_testkit::seat_feed_conformance!(feed);
evently_testkit::seat_locks_conformance!(seat_locks());
evently_testkit::cache_conformance!(cache());
evently_testkit::gateway_conformance!(sandbox());
evently_testkit::mailer_conformance!(mailer());
evently_testkit::passwords_conformance!(Arc::new(PlainPasswords));
evently_testkit::tokens_conformance!(Arc::new(PlainTokens));
evently_testkit::clock_conformance!(Arc::new(ManualClock::new(NOW)));
evently_testkit::ids_conformance!(Arc::new(SeededIds::new(1)));
