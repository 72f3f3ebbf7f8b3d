//! `evently config`: the settings.

use clap::Subcommand;
use evently_http::config::Profile;
use serde_json::json;

use crate::{args::Global, failure::Failure, reply::Reply, shop, table::Table};

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show every setting with its value and who says so; secrets are stars
    Show,
}

pub fn run(global: &Global, command: &ConfigCommand) -> Result<Reply, Failure> {
    let ConfigCommand::Show = command;
    let config = shop::config(global)?;
    let mut table = Table::new(["SETTING", "VALUE", "SOURCE"]);
    for row in config.describe() {
        table.row([row.key.to_owned(), row.value.clone(), row.source.to_string()]);
    }
    let settings = config
        .describe()
        .iter()
        .map(|row| json!({ "key": row.key, "value": row.value, "source": row.source.to_string(), "about": row.about }));
    let profile = match config.profile {
        Profile::Development => "development",
        Profile::Staging => "staging",
        Profile::Production => "production",
    };
    let json = json!({ "profile": profile, "settings": settings.collect::<Vec<_>>() });
    Ok(Reply::new(format!("profile  {profile}\n\n{}", table.text()), json))
}
