//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{
    bench::BenchCommand,
    commands::{
        booking::BookingCommand, config::ConfigCommand, db::DbCommand, event::EventCommand, figures::FiguresCommand,
        manual::Completions, manual::Man, queue::QueueCommand, seats::SeatsCommand, serve::Serve, simulate::Simulate,
        user::UserCommand, venue::VenueCommand,
    },
};

/// Told by every `--help` and by the manual.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  it was done, or the answer is yes
  1  the answer is no: something was refused or not found, or a check has found a fault
  2  the command line, the configuration or an input is wrong
  3  something needed is away: the store, the service, a file, room on the disk
  4  nobody knows whether it was done: look before trying again";

/// Sells seats: every seat once.
///
/// The administrative commands work on the store itself, beside a running service too. They act as a system administrator, so
/// whoever may write the data folder may do everything.
#[derive(Debug, Parser)]
#[command(name = "evently", bin_name = "evently", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// The folder in which everything is kept [default: ./evently-data]
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// A file with settings, over those of the profile and the environment
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print one JSON document instead of text for people
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the service on this machine
    #[command(after_help = EXIT_CODES)]
    Serve(Serve),
    /// Do what goes on beside the requests, for services that run with --no-workers
    #[command(after_help = EXIT_CODES)]
    Worker,
    /// Venues: import, look over, show, export
    #[command(subcommand, after_help = EXIT_CODES)]
    Venue(VenueCommand),
    /// Events: create, publish, cancel, list, show
    #[command(subcommand, after_help = EXIT_CODES)]
    Event(EventCommand),
    /// Seats of an event: take them out of sale and put them back
    #[command(subcommand, after_help = EXIT_CODES)]
    Seats(SeatsCommand),
    /// Bookings: show, history, cancel
    #[command(subcommand, after_help = EXIT_CODES)]
    Booking(BookingCommand),
    /// Accounts: create, change the role, list
    #[command(subcommand, after_help = EXIT_CODES)]
    User(UserCommand),
    /// Check that nothing in the store contradicts itself: every invariant that can be read from it
    #[command(after_help = EXIT_CODES)]
    Verify,
    /// Sales figures: build them anew from the journal
    #[command(subcommand, after_help = EXIT_CODES)]
    Figures(FiguresCommand),
    /// Whole on-sales in which everything goes wrong, each as it follows from its seed: the same seed is the same run
    #[command(after_help = EXIT_CODES)]
    Simulate(Simulate),
    /// Load on a running service
    #[command(subcommand, after_help = EXIT_CODES)]
    Bench(BenchCommand),
    /// The store's database: back up a file; on a server migrate, status, partitions, explain
    #[command(subcommand, after_help = EXIT_CODES)]
    Db(DbCommand),
    /// Messages that were parked because nobody could act on them: list, replay, drop
    #[command(subcommand, after_help = EXIT_CODES)]
    Queue(QueueCommand),
    /// Settings: show them all
    #[command(subcommand, after_help = EXIT_CODES)]
    Config(ConfigCommand),
    /// Check that this machine and the data folder are fit for the service
    #[command(after_help = EXIT_CODES)]
    Doctor,
    /// Print a script that completes commands in a shell
    #[command(after_help = "In bash: source <(evently completions bash)")]
    Completions(Completions),
    /// Print the manual, or write all its pages into a folder
    Man(Man),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Cli::command().debug_assert();
    }
}
