//! `evently bench`: load on a running service, and whether it sold every seat once.

mod accounts;
mod buyer;
mod check;
mod hall;
mod record;
mod report;
mod stage;

use std::{rc::Rc, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use tokio::{runtime::Builder, task::LocalSet, time::Instant};

use self::{
    buyer::Rush,
    record::Record,
    report::{Measured, report},
    stage::Stage,
};
use crate::{
    args::Global,
    commands,
    failure::Failure,
    http1::{Connection, Target},
    progress,
    reply::{Reply, talk},
};

#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// An on-sale: many buyers at once, for one event that is made for it
    ///
    /// The service must not limit how often one may ask: start it with `EVENTLY__RATE_LIMIT__ENABLED=false`. With `--data`
    /// the store is verified at the end, as `evently verify` does it.
    OnSale(OnSale),
}

#[derive(Debug, Clone, Args)]
pub struct OnSale {
    /// Where the service is
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: Target,
    /// Seats of the event
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=200_000))]
    seats: u32,
    /// Buyers who come, one after another on each connection
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    buyers: u64,
    /// Connections at the same time
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    connections: u32,
    /// Seats that each buyer wants
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    seats_per_buyer: u32,
    /// How many of a hundred buyers walk away after the hold
    #[arg(long, value_name = "SHARE", default_value = "10%", value_parser = percent)]
    abandon: u8,
    /// Buyers a second, whether or not the service keeps up; without it the next one comes when the one before is done
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// What the buyers' choices follow from
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Accounts that the buyers share [default: one for each connection, 64 at most]
    ///
    /// A customer with thousands of holds is slower to serve than thousands of customers with one each, and there is no such customer.
    /// Where the service runs with `EVENTLY__AUTH__BCRYPT_COST=4`, thousands of accounts are made in seconds.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    accounts: Option<u32>,
    /// Who makes the event: an organizer or administrator
    #[arg(long, default_value = "organizer@demo.evently")]
    email: String,
    /// The password; the accounts of the buyers get the same
    #[arg(long, default_value = "evently-demo", env = "EVENTLY_BENCH_PASSWORD", hide_env_values = true)]
    password: String,
    /// Everybody wants the same seats
    #[arg(long)]
    hot: bool,
    /// How far the buyers go
    #[arg(long, value_enum, default_value_t = Steps::All)]
    steps: Steps,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Steps {
    /// Hold and no more
    Hold,
    /// Hold, pay, and see it confirmed
    All,
}

fn percent(text: &str) -> Result<u8, String> {
    let number = text.strip_suffix('%').unwrap_or(text).parse().ok().filter(|percent| *percent <= 100);
    number.ok_or_else(|| "a share of 0% to 100%".to_owned())
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

impl OnSale {
    fn connection(&self) -> Connection {
        Connection::new(self.url.clone(), PATIENCE)
    }
}

pub fn run(global: &Global, command: BenchCommand) -> Result<Reply, Failure> {
    let BenchCommand::OnSale(options) = command;
    if options.rate.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
        return Err(Failure::usage("--rate: must be more than 0"));
    }
    // One thread is enough, and leaves the rest of the machine to the service.
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::away(format_args!("threads: {error}")))?;
    let measured = LocalSet::new().block_on(&runtime, on_sale(options))?;
    let verified = match &global.data {
        Some(_) => Some(commands::threads()?.block_on(async {
            talk("verifying the store");
            commands::verify::check(&crate::shop::open_existing(global).await?).await
        })?),
        None => None,
    };
    Ok(report(&measured, verified.as_ref()))
}

async fn on_sale(options: OnSale) -> Result<Measured, Failure> {
    talk(format_args!("making an event of {} seats at {}", options.seats, options.url));
    let stage = Stage::set(&options).await?;
    let accounts = accounts::register(&options, &stage).await?;
    let mut connections = Vec::new();
    for _ in 0..options.connections {
        let mut connection = options.connection();
        connection.connect().await.map_err(|lost| stage::unreachable(&options.url, &lost))?;
        connections.push(connection);
    }
    talk(format_args!("{} buyers on {} connections", options.buyers, options.connections));
    let began = Instant::now();
    let rush = Rc::new(Rush::new(&options, stage, accounts, began));
    let bar = progress::bar("buyers", options.buyers);
    let mut tasks = Vec::new();
    for connection in connections {
        tasks.push(tokio::task::spawn_local(Rc::clone(&rush).serve(connection)));
    }
    let watch = tokio::task::spawn_local(show(Rc::clone(&rush), bar.clone()));
    for task in tasks {
        task.await.map_err(|error| Failure::no(format_args!("a buyer fell over: {error}")))?;
    }
    let took = began.elapsed();
    watch.abort();
    bar.finish_and_clear();
    talk("comparing what was sold with what the service says");
    let findings = check::check(&options, &rush).await?;
    let record: Record = rush.record.take();
    Ok(Measured::new(&options, rush.event_id().to_owned(), took, record, findings))
}

/// Keeps the progress line up to date.
async fn show(rush: Rc<Rush>, bar: indicatif::ProgressBar) {
    let mut tick = tokio::time::interval(Duration::from_millis(250));
    loop {
        tick.tick().await;
        let record = rush.record.borrow();
        bar.set_position(rush.served());
        bar.set_message(format!(
            "held {}  sold {}  conflicts {}  errors {}",
            record.hold.len(),
            record.confirmed.len(),
            record.conflict.len(),
            record.errors.values().sum::<u64>(),
        ));
    }
}
