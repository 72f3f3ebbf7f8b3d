//! Starts servers, runs a command with them, and stops them again.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitCode, ExitStatus};
use std::{env, thread};

use evently_testservers::{Postgres, RabbitMq, SHARED_POSTGRES, SHARED_RABBITMQ};

const USAGE: &str = "usage: evently-testservers run [--postgres] [--rabbitmq] -- COMMAND…

Runs COMMAND with servers of its own and ends with its status.

  --postgres   a PostgreSQL; EVENTLY_TEST_POSTGRES is its URL
  --rabbitmq   a RabbitMQ; EVENTLY_TEST_RABBITMQ is its URL";

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
    let (mut wants_postgres, mut wants_rabbitmq) = (false, false);
    for option in arguments.by_ref().take_while(|word| word != "--") {
        match option.to_str() {
            Some("--postgres") => wants_postgres = true,
            Some("--rabbitmq") => wants_rabbitmq = true,
            _ => return Err(format!("there is no option {}\n{USAGE}", option.display())),
        }
    }
    let program = arguments.next().ok_or(USAGE)?;
    // One starts while the other does.
    let rabbitmq = wants_rabbitmq.then(|| thread::spawn(RabbitMq::start));
    let postgres = wants_postgres.then(Postgres::start).transpose();
    let rabbitmq = rabbitmq.map(|starting| starting.join().expect("starting does not panic")).transpose()?;
    let postgres = postgres?;
    let mut command = Command::new(&program);
    command.args(arguments);
    if let Some(server) = &postgres {
        command.env(SHARED_POSTGRES, server.admin_url("postgres"));
    }
    if let Some(server) = &rabbitmq {
        command.env(SHARED_RABBITMQ, server.url());
    }
    let status = command.status();
    drop((postgres, rabbitmq));
    let status = status.map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    Ok(exit_code(status))
}

/// As a shell says it.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(FAILED))
}
