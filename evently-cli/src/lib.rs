//! Evently on the command line.
//!
//! A command gives back a `Reply` or a `Failure`; only [`run`] writes to stdout. Data goes to stdout
//! in one piece and talk to stderr, so that `--json` is always one document and a closed pipe is nobody's panic.

mod args;
mod bench;
mod commands;
mod failure;
pub mod http1;
mod names;
pub mod price;
mod progress;
mod reply;
mod shop;
mod table;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::{args::Cli, failure::Failure};

/// All that can be said on the command line.
pub fn command_line() -> clap::Command {
    Cli::command()
}

/// Does what the command line of this process says.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => {
            // Help goes to stdout and is right; whoever has stopped reading does not want the rest.
            let _ = told.print();
            return ExitCode::from(if told.use_stderr() { failure::USAGE } else { 0 });
        }
    };
    let json = cli.global.json;
    match commands::run(cli).and_then(|reply| reply.print(json)) {
        Ok(code) => code,
        Err(failure) => told(&failure),
    }
}

fn told(failure: &Failure) -> ExitCode {
    reply::talk(failure);
    failure.exit_code()
}
