//! Starts servers, runs a command with them, and stops them again.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitCode, ExitStatus};
use std::{env, iter};

use evently_testservers::{Postgres, SHARED_POSTGRES};

const USAGE: &str = "usage: evently-testservers run [--postgres] -- COMMAND…

Runs COMMAND with servers of its own and ends with its status.

  --postgres   a PostgreSQL; EVENTLY_TEST_POSTGRES is its URL";

/// What we end with when it is not COMMAND that failed.
const FAILED: u8 = 125;

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("evently-testservers: {error}");
        ExitCode::from(FAILED)
    })
}

fn run() -> Result<ExitCode, String> {
    let mut arguments = env::args_os().skip(1);
    if arguments.next().is_none_or(|word| word != "run") {
        return Err(USAGE.to_owned());
    }
    let mut wants_postgres = false;
    for option in arguments.by_ref().take_while(|word| word != "--") {
        match option.to_str() {
            Some("--postgres") => wants_postgres = true,
            _ => return Err(format!("there is no option {}\n{USAGE}", option.display())),
        }
    }
    let program = arguments.next().ok_or(USAGE)?;
    let postgres = if wants_postgres { Some(Postgres::start()?) } else { None };
    let variables = iter::zip([SHARED_POSTGRES], postgres.as_ref().map(|server| server.admin_url("postgres")));
    let status = Command::new(&program).args(arguments).envs(variables).status();
    let status = status.map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    drop(postgres);
    Ok(exit_code(status))
}

/// As a shell says it.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(FAILED))
}
