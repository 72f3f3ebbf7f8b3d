//! Every port in memory: for embedding, for tests and simulations, and as the reference for whoever writes an adapter.

mod accounts;
mod board;
mod cache;
mod clock;
mod feed;
mod ids;
mod ledger;
#[cfg(all(test, loom))]
mod loom_tests;
mod mailer;
mod outbox;
mod passwords;
mod reads;
mod sandbox;
mod seat_locks;
mod store;
mod tokens;

pub use board::SeatBoard;
pub use cache::MemoryCache;
pub use clock::ManualClock;
pub use feed::MemorySeatFeed;
pub use ids::SeededIds;
pub use mailer::MemoryMailer;
pub use passwords::PlainPasswords;
pub use sandbox::{Delivery, SandboxGateway, SandboxTimes};
pub use seat_locks::MemorySeatLocks;
pub use store::MemoryStore;
pub use tokens::PlainTokens;
