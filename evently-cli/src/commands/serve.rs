//! `evently serve`: the service on one machine.

use std::sync::Arc;

use clap::Args;
use evently_http::{clock::SystemClock, demo, serve::serve, server::Stopped, telemetry};

use crate::{args::Global, failure::Failure, reply::Reply, reply::talk, shop};

/// Runs until it is told to stop (SIGTERM or Ctrl-C), then finishes what is under way.
#[derive(Debug, Args)]
pub struct Serve {
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Fill empty data with made-up venues, events, accounts and sales
    #[arg(long)]
    demo: bool,
    /// Leave mails, figures, refunds and holds that have run out to other processes on the same store, such as `evently worker`
    #[arg(long)]
    no_workers: bool,
}

pub async fn run(global: &Global, command: Serve) -> Result<Reply, Failure> {
    let mut flags = Vec::new();
    flags.extend(command.listen.map(|listen| ("--listen", "http.listen", listen)));
    flags.extend(command.demo.then(|| ("--demo", "demo.enabled", "true".to_owned())));
    flags.extend(command.no_workers.then(|| ("--no-workers", "workers.enabled", "false".to_owned())));
    let config = shop::config_with(global, flags)?;
    telemetry::install(&config.log, "evently", Arc::new(SystemClock::new()));
    let served = serve(config, |app, address| {
        talk(format_args!("listening on http://{address}"));
        if app.config.demo.enabled {
            talk(format_args!("demo accounts, all with the password {}:", demo::PASSWORD));
            talk("  buyer1@demo.evently, buyer2@demo.evently, organizer@demo.evently, staff@demo.evently, admin@demo.evently");
        }
    });
    match served.await {
        Ok(Stopped::Finished) => {}
        Ok(Stopped::CutOff) => talk("some requests took too long to finish, and were cut off"),
        Err(error) => return Err(Failure::away(&error).because(&error).hint("`evently doctor` looks for the reason")),
    }
    Ok(Reply::file(Vec::new()))
}

/// `evently worker`: what goes on beside the requests, for other processes that take them.
pub async fn work(global: &Global) -> Result<Reply, Failure> {
    let config = shop::config_with(global, vec![("worker", "workers.enabled", "true".to_owned())])?;
    telemetry::install(&config.log, "evently-worker", Arc::new(SystemClock::new()));
    let worked = evently_http::serve::work(config, |_| talk("working")).await;
    worked.map_err(|error| Failure::away(&error).because(&error).hint("`evently doctor` looks for the reason"))?;
    Ok(Reply::file(Vec::new()))
}
