//! Starts servers, runs a command with them, and stops them again.

use std::env;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitCode, ExitStatus};
use std::thread;

use evently_testservers::{
    Postgres, RabbitMq, Redis, RedisCluster, RedisSentinels, SHARED_POSTGRES, SHARED_RABBITMQ, SHARED_REDIS,
    SHARED_REDIS_CLUSTER, SHARED_REDIS_SENTINELS,
};

const USAGE: &str =
    "usage: evently-testservers run [--postgres] [--redis] [--redis-sentinels] [--redis-cluster] [--rabbitmq] -- COMMAND…

Runs COMMAND with servers of its own and ends with its status.

  --postgres         a PostgreSQL; EVENTLY_TEST_POSTGRES is its URL
  --redis            a Redis; EVENTLY_TEST_REDIS is its URL
  --redis-sentinels  a Redis with Sentinels; EVENTLY_TEST_REDIS_SENTINELS is its URL
  --redis-cluster    a cluster of Redis; EVENTLY_TEST_REDIS_CLUSTER is its URL
  --rabbitmq         a RabbitMQ; EVENTLY_TEST_RABBITMQ is its URL";

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
    let (mut wants_postgres, mut wants_redis, mut wants_rabbitmq) = (false, false, false);
    let (mut wants_sentinels, mut wants_cluster) = (false, false);
    for option in arguments.by_ref().take_while(|word| word != "--") {
        match option.to_str() {
            Some("--postgres") => wants_postgres = true,
            Some("--redis") => wants_redis = true,
            Some("--redis-sentinels") => wants_sentinels = true,
            Some("--redis-cluster") => wants_cluster = true,
            Some("--rabbitmq") => wants_rabbitmq = true,
            _ => return Err(format!("there is no option {}\n{USAGE}", option.display())),
        }
    }
    let program = arguments.next().ok_or(USAGE)?;
    // The slowest starts while the others do.
    let rabbitmq = wants_rabbitmq.then(|| thread::spawn(RabbitMq::start));
    let postgres = wants_postgres.then(Postgres::start).transpose();
    let redis = wants_redis.then(Redis::start).transpose();
    let sentinels = wants_sentinels.then(RedisSentinels::start).transpose();
    let cluster = wants_cluster.then(RedisCluster::start).transpose();
    let rabbitmq = rabbitmq.map(|starting| starting.join().expect("starting does not panic")).transpose()?;
    let (postgres, redis, sentinels, cluster) = (postgres?, redis?, sentinels?, cluster?);
    let variables = [
        postgres.as_ref().map(|server| (SHARED_POSTGRES, server.admin_url("postgres"))),
        redis.as_ref().map(|server| (SHARED_REDIS, server.url())),
        sentinels.as_ref().map(|set| (SHARED_REDIS_SENTINELS, set.url())),
        cluster.as_ref().map(|cluster| (SHARED_REDIS_CLUSTER, cluster.url())),
        rabbitmq.as_ref().map(|server| (SHARED_RABBITMQ, server.url())),
    ];
    let status = Command::new(&program).args(arguments).envs(variables.into_iter().flatten()).status();
    let status = status.map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    drop((postgres, redis, sentinels, cluster, rabbitmq));
    Ok(exit_code(status))
}

/// As a shell says it.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(FAILED))
}
