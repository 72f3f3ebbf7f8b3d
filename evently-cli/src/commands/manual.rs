//! `evently man` and `evently completions`: what the command line says about itself.

use std::{fs, path::PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;

use crate::{args::Cli, failure::Failure, reply::Reply, reply::talk};

#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

#[derive(Debug, Args)]
pub struct Man {
    /// The command whose page to print, such as `venue import`; none for the first page
    command: Vec<String>,
    /// Write the pages of all commands into this folder
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    dir: Option<PathBuf>,
}

pub fn completions(command: &Completions) -> Reply {
    let mut script = Vec::new();
    clap_complete::generate(command.shell, &mut Cli::command(), "evently", &mut script);
    Reply::file(script)
}

pub fn man(command: &Man) -> Result<Reply, Failure> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let Some(dir) = &command.dir else { return page(&root, &command.command) };
    fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(root, dir)).map_err(|error| Failure::file(dir, &error))?;
    talk(format_args!("the pages are in {}", dir.display()));
    Ok(Reply::file(Vec::new()))
}

fn page(root: &Command, path: &[String]) -> Result<Reply, Failure> {
    let command = path.iter().try_fold(root, |command, name| command.find_subcommand(name));
    let command = command.ok_or_else(|| Failure::usage(format_args!("there is no command `{}`", path.join(" "))))?;
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(command.clone()).manual("Evently").render(&mut page);
    rendered.map_err(|error| Failure::away(format_args!("man: {error}")))?;
    Ok(Reply::file(page))
}
