//! `evently db`: the store's database.

use std::{path::PathBuf, sync::Arc};

use clap::{Args, Subcommand};
use evently_core::ports::Clock;
use evently_http::{
    clock::SystemClock,
    config::{Config, StoreUrl},
    database::{self, Durability, Inspection, MONTHS_AHEAD, Partition, Plan},
    ids::SystemIds,
};
use serde_json::{Value, json};

use super::backup;
use crate::{
    args::Global,
    failure::Failure,
    reply::Reply,
    shop,
    table::{Table, facts},
};

#[derive(Debug, Subcommand)]
pub enum DbCommand {
    /// Copy the embedded store, as it is at one moment, into a new file; the service may go on meanwhile
    ///
    /// To restore it: stop the service, move evently.db, evently.db-wal and evently.db-shm away from the data folder, and copy the backup
    /// there as evently.db. A log that stays behind would be written over it.
    Backup(Backup),
    /// Bring the schema to this version's; the service does so too when it starts
    Migrate,
    /// Show the server, the schema and what a commit survives; changes nothing
    Status,
    /// Make the months ahead that events are kept in, and list them; the service does so too
    Partitions(Partitions),
    /// Show how the server goes about the questions that are asked most
    Explain,
}

#[derive(Debug, Args)]
pub struct Backup {
    /// The new file
    file: PathBuf,
}

#[derive(Debug, Args)]
pub struct Partitions {
    /// How many months ahead
    #[arg(long, default_value_t = MONTHS_AHEAD, value_parser = clap::value_parser!(u32).range(0..=120))]
    months: u32,
}

pub async fn run(global: &Global, command: DbCommand) -> Result<Reply, Failure> {
    let config = shop::config(global)?;
    if let DbCommand::Backup(Backup { file }) = &command {
        return backup::write(&config, file).await;
    }
    if !matches!(config.store.url, StoreUrl::Postgres(_)) {
        return Err(Failure::usage("the store is a file, and needs no looking after")
            .hint("these commands are for a store on PostgreSQL: set store.url to postgres://user:password@host:5432/database"));
    }
    let away = |error| Failure::away(&error).because(&error).hint("`evently doctor` looks for the reason");
    match command {
        DbCommand::Backup(_) => unreachable!("it is for the other kind of store"),
        DbCommand::Migrate => {
            let made = database::migrate(&config).await.map_err(away)?;
            let said = if made == 0 { "up to date already".to_owned() } else { format!("{made} migrations made") };
            Ok(Reply::new(said, json!({ "migrations_made": made, "schema": database::SCHEMA_VERSION })))
        }
        DbCommand::Status => Ok(status(&database::inspect(&config).await.map_err(away)?)),
        DbCommand::Partitions(Partitions { months }) => {
            let store = open(&config).await.map_err(away)?;
            let made = store.make_partitions(SystemClock::new().now(), months).await?;
            Ok(partitions(&made, &store.partitions().await?, store.events_without_a_month().await?))
        }
        DbCommand::Explain => Ok(explain(&open(&config).await.map_err(away)?.plans().await?)),
    }
}

async fn open(config: &Config) -> Result<database::PgStore, evently_http::compose::StartError> {
    database::open(config, Arc::new(SystemIds::new())).await
}

fn status(found: &Inspection) -> Reply {
    let known = database::SCHEMA_VERSION;
    let schema = match (found.schema_is_newer, found.schema) {
        (true, schema) => format!("{schema}; made by a newer version of Evently"),
        (false, schema) if schema == known => format!("{schema}, up to date"),
        (false, schema) => format!("{schema} of {known}"),
    };
    let (survives, durability) = match found.durability {
        Durability::Nothing => ("nothing: fsync or synchronous_commit is off", "nothing"),
        Durability::Crash => ("a crash of the server", "crash"),
        Durability::Failover => ("a crash, and the loss of the primary", "failover"),
    };
    let right = found.problem.is_none() && !found.is_replica && !found.schema_is_newer && found.schema == known;
    let problem = found.problem.as_ref().map(ToString::to_string);
    let people = facts([
        ("server", format!("PostgreSQL {}", found.server)),
        ("database", found.database.clone()),
        ("role", if found.is_replica { "replica".to_owned() } else { format!("primary, with {} replicas", found.replicas) }),
        ("schema", schema),
        ("a commit survives", survives.to_owned()),
        ("connections", format!("up to {}", found.connections_max)),
        ("in the way", problem.clone().unwrap_or_else(|| "nothing".to_owned())),
    ]);
    let json = json!({
        "server": found.server,
        "database": found.database,
        "replica": found.is_replica,
        "replicas": found.replicas,
        "schema": found.schema,
        "schema_known": known,
        "survives": durability,
        "connections_max": found.connections_max,
        "problem": problem,
    });
    Reply::new(people, json).only_if(right)
}

fn partitions(made: &[String], there: &[Partition], without: u64) -> Reply {
    let mut table = Table::new(["PARTITION", "HOLDS", ""]);
    for partition in there {
        let new = if made.contains(&partition.name) { "new" } else { "" };
        table.row([partition.name.clone(), partition.bounds.clone(), new.to_owned()]);
    }
    let people = format!("{}{without} events stand in no month of their own\n", table.text());
    let item = |partition: &Partition| json!({ "name": partition.name, "bounds": partition.bounds, "events_estimated": partition.events });
    let items = there.iter().map(item).collect::<Vec<Value>>();
    Reply::new(people, json!({ "items": items, "made": made, "events_without_a_month": without }))
}

fn explain(plans: &[Plan]) -> Reply {
    let text = |Plan { what, statement, plan }: &Plan| format!("{what}\n\n  {statement}\n\n{plan}\n");
    let people = plans.iter().map(text).collect::<Vec<_>>().join("\n");
    let item = |Plan { what, statement, plan }: &Plan| json!({ "what": what, "statement": statement, "plan": plan.lines().collect::<Vec<_>>() });
    Reply::new(people, json!({ "items": plans.iter().map(item).collect::<Vec<Value>>() }))
}

/// What is found where all is right, for tests.
#[cfg(test)]
pub(super) fn inspected() -> Inspection {
    Inspection {
        server: "15.14".to_owned(),
        problem: None,
        database: "evently".to_owned(),
        is_replica: false,
        connections_max: 100,
        durability: Durability::Crash,
        replicas: 0,
        schema: database::SCHEMA_VERSION,
        time: (SystemClock::new().now(), tokio::time::Instant::now()),
        schema_is_newer: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_does_not_go_on_with_a_database_that_cannot_be_written_or_is_not_known() {
        let right = inspected();
        assert!(status(&right).is_yes());
        for wrong in [
            Inspection { problem: Some(database::Problem::ReadOnly), ..right.clone() },
            Inspection { is_replica: true, ..right.clone() },
            Inspection { schema_is_newer: true, ..right.clone() },
            Inspection { schema: 0, ..right.clone() },
        ] {
            assert!(!status(&wrong).is_yes(), "{wrong:?}");
        }
    }
}
