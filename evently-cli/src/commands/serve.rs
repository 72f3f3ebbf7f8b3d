//! `evently serve`: the service on one machine.

use clap::Args;
use evently_http::serve::serve;

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
}

pub async fn run(global: &Global, command: Serve) -> Result<Reply, Failure> {
    let mut flags = Vec::new();
    flags.extend(command.listen.map(|listen| ("--listen", "http.listen", listen)));
    flags.extend(command.demo.then(|| ("--demo", "demo.enabled", "true".to_owned())));
    let config = shop::config_with(global, flags)?;
    let served = serve(config, |_, address| talk(format_args!("listening on http://{address}"))).await;
    served.map_err(|error| Failure::away(&error).because(&error).hint("`evently doctor` looks for the reason"))?;
    Ok(Reply::file(Vec::new()))
}
