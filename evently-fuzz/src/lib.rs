//! Whatever Evently reads from outside, as functions of bytes that a fuzzer can feed.
//!
//! A function panics when something is not as it must be. To refuse is right; to take what then means something else, to fail in a way that
//! nobody can act on, or to say what is nobody's business is not. The corpora are beside this crate, a folder for each target, and an
//! ordinary test reads all of them.

mod caches;
mod command_line;
mod plans;
mod records;
mod service;
mod settings;
mod signed;
mod texts;
mod wire;

use std::sync::LazyLock;

use evently_core::domain::Timestamp;
use tokio::runtime::{Builder, Runtime};

/// Something that reads bytes of anybody.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    /// What it reads.
    pub reads: &'static str,
    /// Reads some, and panics if something is wrong.
    pub run: fn(&[u8]),
}

/// All there are.
pub const TARGETS: [Target; 17] = [
    Target { name: "plan_own", reads: "plans of halls in our own JSON", run: plans::own },
    Target { name: "plan_pretix", reads: "plans of halls in the open seating-plan JSON", run: plans::seating_plan },
    Target { name: "plan_csv", reads: "plans of halls as tables", run: plans::csv },
    Target { name: "words", reads: "ids, codes, currencies, times, addresses", run: texts::words },
    Target { name: "prices", reads: "prices as people write them", run: texts::prices },
    Target { name: "labels", reads: "labels of rows and sections, to be put in order", run: texts::labels },
    Target { name: "records", reads: "entries of the journal and all else that is kept as JSON", run: records::records },
    Target { name: "messages", reads: "messages of the broker", run: records::messages },
    Target { name: "redis", reads: "what a Redis says of seats and of what is cached", run: caches::redis },
    Target { name: "seals", reads: "values of a cache that somebody else can write to", run: caches::seals },
    Target { name: "tokens", reads: "access tokens", run: signed::tokens },
    Target { name: "webhooks", reads: "what a payment gateway tells us", run: signed::webhooks },
    Target { name: "settings", reads: "YAML and environment variables", run: settings::settings },
    Target { name: "command_line", reads: "the arguments of the command evently", run: command_line::arguments },
    Target { name: "http_answers", reads: "answers of a service, by our own client", run: wire::answers },
    Target { name: "live", reads: "what a browser sends over its connection, WebSockets among it", run: wire::live },
    Target { name: "requests", reads: "requests to the service, several in a row", run: service::requests },
];

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("the machine has a thread to spare"));

/// Runs something that waits for nothing but itself.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    RUNTIME.block_on(work)
}

/// The time it is.
const fn now() -> Timestamp {
    Timestamp::from_secs(1_800_000_000)
}

fn as_text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}
