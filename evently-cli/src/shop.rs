//! The store with the services over it, as the command line uses them: directly, beside a running service too.

use std::path::Path;

use evently_core::domain::{Principal, Role, SessionId, UserId};
use evently_http::{
    compose::{self, App, StartError},
    config::{Config, Sources},
};
use uuid::Uuid;

use crate::{args::Global, failure::Failure};

/// The configuration, with those flags over it that every command takes.
pub fn config(global: &Global) -> Result<Config, Failure> {
    config_with(global, Vec::new())
}

/// The configuration, with more flags over it: what each is called, the setting it is for, and what it says.
pub fn config_with(global: &Global, flags: Vec<(&'static str, &'static str, String)>) -> Result<Config, Failure> {
    let mut sources = Sources { file: global.config.clone(), flags, ..Sources::of_process() };
    if let Some(data) = &global.data {
        sources.flags.push(("--data", "data.dir", utf8(data)?.to_owned()));
    }
    Config::load(&sources).map_err(|errors| {
        Failure::usage(format_args!("the configuration is wrong\n{errors}"))
            .hint("`evently config show` shows the settings and who says so")
    })
}

fn utf8(path: &Path) -> Result<&str, Failure> {
    path.to_str().ok_or_else(|| Failure::usage(format_args!("--data: {} is not UTF-8", path.display())))
}

/// Opens the store, a new one where there is none.
pub async fn open(global: &Global) -> Result<App, Failure> {
    open_with(config(global)?).await
}

/// Opens the store if there is one: looking for something makes nothing.
pub async fn open_existing(global: &Global) -> Result<App, Failure> {
    let config = config(global)?;
    if let Some(file) = config.store_file() {
        must_exist(&file)?;
    }
    open_with(config).await
}

/// Whether there is a store in this file.
pub fn must_exist(file: &Path) -> Result<(), Failure> {
    if file.exists() {
        return Ok(());
    }
    Err(Failure::away(format_args!("there is no store at {}", file.display()))
        .hint("name its folder with --data, or make one with `evently serve`"))
}

/// Why the store cannot be opened.
pub fn cannot_open(error: &StartError) -> Failure {
    Failure::away(error).because(error).hint("`evently doctor` looks for the reason")
}

/// Opens the store that the configuration names. What is done to it stands in the journal, from where the instances hand it on: no
/// broker has to be there.
pub async fn open_with(mut config: Config) -> Result<App, Failure> {
    config.rabbitmq.url.0 = None;
    let opened = compose::open(config).await;
    opened.map_err(|error| cannot_open(&error))
}

/// Who the command line acts as: nobody with an account, and may do everything.
pub const fn administrator() -> Principal {
    acting_as(UserId::from_uuid(Uuid::nil()))
}

/// The system administrator in somebody's place.
pub const fn acting_as(user_id: UserId) -> Principal {
    Principal { user_id, role: Role::Admin, session_id: SessionId::from_uuid(Uuid::nil()) }
}
