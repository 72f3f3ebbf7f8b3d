//! The commands, a file for each family.

mod backup;
pub mod booking;
pub mod config;
pub mod db;
mod doctor;
pub mod event;
pub mod figures;
mod input;
pub mod manual;
pub mod queue;
pub mod seats;
pub mod serve;
pub mod simulate;
pub mod user;
pub mod venue;
pub mod verify;

use tokio::runtime::{Builder, Runtime};

use crate::{
    args::{Cli, Command},
    bench,
    failure::Failure,
    reply::Reply,
};

/// Does what the command line says.
pub fn run(cli: Cli) -> Result<Reply, Failure> {
    let Cli { global, command } = cli;
    match command {
        Command::Serve(command) => threads()?.block_on(serve::run(&global, command)),
        Command::Worker => threads()?.block_on(serve::work(&global)),
        Command::Venue(command) => threads()?.block_on(venue::run(&global, command)),
        Command::Event(command) => threads()?.block_on(event::run(&global, command)),
        Command::Seats(command) => threads()?.block_on(seats::run(&global, command)),
        Command::Booking(command) => threads()?.block_on(booking::run(&global, command)),
        Command::User(command) => threads()?.block_on(user::run(&global, command)),
        Command::Verify => threads()?.block_on(verify::run(&global)),
        Command::Figures(command) => threads()?.block_on(figures::run(&global, command)),
        Command::Simulate(command) => simulate::simulate(&command),
        Command::Bench(command) => bench::run(&global, command),
        Command::Db(command) => threads()?.block_on(db::run(&global, command)),
        Command::Queue(command) => threads()?.block_on(queue::run(&global, command)),
        Command::Config(command) => config::run(&global, &command),
        Command::Doctor => doctor::run(&global),
        Command::Completions(command) => Ok(manual::completions(&command)),
        Command::Man(command) => manual::man(&command),
    }
}

/// What the service and the store run on.
pub fn threads() -> Result<Runtime, Failure> {
    Builder::new_multi_thread().enable_all().build().map_err(|error| Failure::away(format_args!("threads: {error}")))
}
