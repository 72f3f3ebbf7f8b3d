//! The contracts of the ports, a function for each clause.
//!
//! A function is a test: it gets a [`World`](crate::World) with an empty store of its own, or whatever its port needs, and panics where
//! the contract is broken. Adapters do not call them one by one but register them:
//!
//! | macro | for |
//! |---|---|
//! | [`store_conformance!`](crate::store_conformance) | every store |
//! | [`durable_conformance!`](crate::durable_conformance) | stores that outlive their process, and that several may open |
//! | [`seat_feed_conformance!`](crate::seat_feed_conformance) | live feeds of seats |
//! | [`seat_locks_conformance!`](crate::seat_locks_conformance) | seat locks |
//! | [`cache_conformance!`](crate::cache_conformance) | caches that instances share |
//! | [`gateway_conformance!`](crate::gateway_conformance) | payment gateways |
//! | [`mailer_conformance!`](crate::mailer_conformance) | mailers |
//! | [`passwords_conformance!`](crate::passwords_conformance) | password hashers |
//! | [`tokens_conformance!`](crate::tokens_conformance) | access tokens |
//! | [`clock_conformance!`](crate::clock_conformance), [`ids_conformance!`](crate::ids_conformance) | clocks; ids and secrets |

#![expect(missing_docs, reason = "the name of a clause is its sentence")]
#![expect(clippy::unused_async, reason = "all clauses are called alike")]

pub mod accounts;
pub mod answers;
pub mod audit;
pub mod batches;
pub mod cache;
pub mod catalog;
pub mod chores;
pub mod clock;
pub mod door;
pub mod durable;
pub mod figures;
pub mod gateway;
pub mod holds;
pub mod house;
pub mod ids;
pub mod inbox;
pub mod late;
pub mod mailer;
pub mod outbox;
pub mod passwords;
pub mod payments;
pub mod races;
pub mod reads;
pub mod refunds;
mod register;
pub mod seat_feed;
pub mod seat_locks;
pub mod sessions;
pub mod shared;
pub mod tokens;

use std::{future::Future, sync::Arc};

use tokio::sync::Barrier;

/// How many race in a race.
pub const RACERS: u32 = 64;

/// Lets [`RACERS`] tasks go at the same moment, and gives what each came back with.
async fn race<T, F>(racer: impl Fn(u32) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(Barrier::new(RACERS as usize));
    let racers = (0..RACERS).map(|number| {
        let (start, run) = (start.clone(), racer(number));
        tokio::spawn(async move {
            start.wait().await;
            run.await
        })
    });
    let mut results = Vec::new();
    for racer in racers.collect::<Vec<_>>() {
        results.push(racer.await.expect("a racer that panics has failed"));
    }
    results
}

#[cfg(test)]
mod tests {
    /// A clause that nobody registered would never be run.
    #[test]
    fn every_clause_is_registered() {
        let register = include_str!("conformance/register.rs");
        let words = register.split(|c: char| !c.is_alphanumeric() && c != '_').collect::<std::collections::HashSet<_>>();
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/conformance");
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let source = std::fs::read_to_string(&path).unwrap();
            for clause in source.split("\npub async fn ").skip(1).chain(source.split("\npub fn ").skip(1)) {
                let name = clause.split('(').next().unwrap().split('<').next().unwrap();
                assert!(words.contains(name), "{name} of {} is not registered", path.display());
            }
        }
    }
}
