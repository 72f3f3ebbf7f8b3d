//! `evently db`: the store's database, where it is on a server.

use std::sync::Arc;

use clap::{Args, Subcommand};
use evently_core::ports::Clock;
use evently_http::{
    clock::SystemClock,
    config::{Config, StoreUrl},
    database::{self, Durability, Inspection, MONTHS_AHEAD, Partition, Plan},
    ids::SystemIds,
};
use serde_json::{Value, json};

use crate::{
    args::Global,
    failure::Failure,
    reply::Reply,
    shop,
    table::{Table, facts},
};

#[derive(Debug, Subcommand)]
pub enum DbCommand {
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
pub struct Partitions {
    /// How many months ahead
    #[arg(long, default_value_t = MONTHS_AHEAD, value_parser = clap::value_parser!(u32).range(0..=120))]
    months: u32,
}

pub async fn run(global: &Global, command: DbCommand) -> Result<Reply, Failure> {
    let config = shop::config(global)?;
    if !matches!(config.store.url, StoreUrl::Postgres(_)) {
        return Err(Failure::usage("the store is a file, and needs no looking after")
            .hint("these commands are for a store on PostgreSQL: set store.url to postgres://user:password@host:5432/database"));
    }
    let away = |error| Failure::away(&error).because(&error).hint("`evently doctor` looks for the reason");
    match command {
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
    let right = found.server_will_do && !found.is_replica && !found.schema_is_newer && found.schema == known;
    let people = facts([
        ("server", format!("PostgreSQL {}{}", found.server, if found.server_will_do { "" } else { "; 15 or newer is needed" })),
        ("database", found.database.clone()),
        ("role", if found.is_replica { "replica".to_owned() } else { format!("primary, with {} replicas", found.replicas) }),
        ("schema", schema),
        ("a commit survives", survives.to_owned()),
        ("connections", format!("up to {}", found.connections_max)),
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
        server_will_do: true,
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
            Inspection { server_will_do: false, ..right.clone() },
            Inspection { is_replica: true, ..right.clone() },
            Inspection { schema_is_newer: true, ..right.clone() },
            Inspection { schema: 0, ..right.clone() },
        ] {
            assert!(!status(&wrong).is_yes(), "{wrong:?}");
        }
    }
}
