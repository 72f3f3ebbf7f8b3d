//! `evently doctor`: whether this machine, the store and the servers beside it are fit for the service. It changes nothing.

mod machine;
mod servers;
mod store;

use std::error::Error;

use serde_json::json;

use crate::{args::Global, failure::Failure, reply::Reply, shop, table::Table};

/// What one look has found.
pub struct Finding {
    what: &'static str,
    state: State,
    found: String,
    hint: String,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Ok,
    Warn,
    Fail,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

impl Finding {
    fn ok(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, state: State::Ok, found: found.into(), hint: String::new() }
    }

    fn warn(what: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what, state: State::Warn, found: found.into(), hint: hint.into() }
    }

    fn fail(what: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what, state: State::Fail, found: found.into(), hint: hint.into() }
    }
}

/// What has gone wrong, and what led to it.
fn with_cause(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

pub fn run(global: &Global) -> Result<Reply, Failure> {
    let config = shop::config(global)?;
    let mut findings = vec![Finding::ok("configuration", "can be read")];
    findings.extend(machine::look(&config));
    let threads = super::threads()?;
    findings.extend(threads.block_on(store::look(&config)));
    findings.extend(threads.block_on(servers::look(&config)));
    let mut table = Table::new(["", "WHAT", "FOUND"]);
    for finding in &findings {
        table.row([finding.state.name().to_owned(), finding.what.to_owned(), finding.found.clone()]);
    }
    let hinted = findings.iter().filter(|finding| !finding.hint.is_empty());
    let hints = hinted.map(|finding| format!("hint: {}: {}\n", finding.what, finding.hint)).collect::<Vec<_>>();
    let worst = findings.iter().map(|finding| finding.state).max().unwrap_or(State::Ok);
    let items = findings.iter().map(
        |Finding { what, state, found, hint }| json!({ "check": what, "state": state.name(), "found": found, "hint": hint }),
    );
    let json = json!({ "state": worst.name(), "checks": items.collect::<Vec<_>>() });
    Ok(Reply::new(table.text() + &hints.concat(), json).only_if(worst != State::Fail))
}
