//! `evently figures`: the sales figures, which are made from the journal.

use clap::Subcommand;
use serde_json::json;

use crate::{args::Global, failure::Failure, progress, reply::Reply, shop};

#[derive(Debug, Subcommand)]
pub enum FiguresCommand {
    /// Build all figures anew from the journal, where `evently verify` finds that they do not agree with it
    Rebuild,
}

pub async fn run(global: &Global, command: FiguresCommand) -> Result<Reply, Failure> {
    let FiguresCommand::Rebuild = command;
    let app = shop::open_existing(global).await?;
    let spinner = progress::spinner("building the figures");
    let rebuilt = app.analytics.rebuild().await;
    spinner.finish_and_clear();
    rebuilt?;
    let position = app.store.figures.position().await?;
    Ok(Reply::new(format!("built from {position} entries of the journal"), json!({ "position": position })))
}
