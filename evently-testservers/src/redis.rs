//! A private `Redis`, a set of them that Sentinels watch over, and a cluster.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;

use crate::folder::Folder;
use crate::port::Port;
use crate::processes::wait_until;
use crate::server::Server;
use crate::tool::{command, written};

/// How many databases a server has: one for each test that wants one.
const DATABASES: u32 = 10_000;

/// How the Sentinels call what they watch over.
const SERVICE: &str = "evently";

/// How long a failover may take on a machine that is busy with many tests. It is usually over in three seconds.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server on a port and in a folder of its own, with nothing in it. It writes nothing down, so a [`restart`](Self::restart) loses
/// everything.
///
/// Dropping it stops it at once and removes its folder.
pub struct Redis {
    server: Server,
    port: Port,
    /// On which it talks with the others of its cluster.
    _bus: Option<Port>,
}

impl Redis {
    /// Starts one.
    pub fn start() -> Result<Self, String> {
        Self::start_with(&["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"])
    }

    /// Starts one that follows this one.
    pub fn replica(&self) -> Result<Self, String> {
        let replica =
            Self::start_with(&["--save", "", "--appendonly", "no", "--replicaof", "127.0.0.1", &self.port().to_string()])?;
        let linked =
            wait_until(PATIENCE, || replica.info("replication").is_ok_and(|info| info.contains("master_link_status:up")));
        if linked { Ok(replica) } else { Err("the replica does not find its master".to_owned()) }
    }

    fn start_with(settings: &[&str]) -> Result<Self, String> {
        let port = Port::claim()?;
        // It keeps nothing, so nothing is lost when it is killed.
        let folder = Folder::create("KILL")?;
        let place = format!(
            "--bind 127.0.0.1 --port {} --dir {} --maxclients 500 --databases {DATABASES}",
            port.number,
            folder.path().display()
        );
        let arguments = place.split(' ').chain(settings.iter().copied()).map(str::to_owned).collect();
        Self::run(folder, port, None, arguments)
    }

    /// A node of a cluster keeps who it is, and which part of the keys it has, but none of the keys.
    fn node() -> Result<Self, String> {
        let (port, bus) = (Port::claim()?, Port::claim()?);
        let folder = Folder::create("KILL")?;
        let arguments = format!(
            "--bind 127.0.0.1 --port {} --cluster-port {} --dir {} --maxclients 500 --appendonly no --cluster-enabled yes \
             --cluster-config-file nodes.conf --cluster-node-timeout 1000",
            port.number,
            bus.number,
            folder.path().display(),
        );
        let arguments = arguments.split_whitespace().chain(["--save", ""]).map(str::to_owned).collect();
        Self::run(folder, port, Some(bus), arguments)
    }

    /// A Sentinel is the same program in another mode; it keeps what it finds out in its configuration.
    fn sentinel(master: &Self) -> Result<Self, String> {
        let port = Port::claim()?;
        let folder = Folder::create("KILL")?;
        let configuration = folder.path().join("sentinel.conf");
        let text = format!(
            "bind 127.0.0.1
port {}
dir {}
sentinel monitor {SERVICE} 127.0.0.1 {} 2
sentinel down-after-milliseconds {SERVICE} 1000
sentinel failover-timeout {SERVICE} 3000
",
            port.number,
            folder.path().display(),
            master.port(),
        );
        folder.write("sentinel.conf", &text)?;
        Self::run(folder, port, None, vec![configuration.display().to_string(), "--sentinel".to_owned()])
    }

    fn run(folder: Folder, port: Port, bus: Option<Port>, arguments: Vec<String>) -> Result<Self, String> {
        let redis = Self { server: Server::new(folder, program("redis-server")?, arguments), port, _bus: bus };
        redis.restart()?;
        Ok(redis)
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port())
    }

    /// The port on 127.0.0.1; it stays the same.
    pub fn port(&self) -> u16 {
        self.port.number
    }

    /// What the server says.
    pub fn log(&self) -> &Path {
        self.server.log()
    }

    /// Runs one command by `redis-cli`; what it answers, a line for each value.
    pub fn query(&self, words: &[&str]) -> Result<String, String> {
        redis_cli(&self.url(), words)
    }

    /// A section of what it says of itself.
    pub fn info(&self, section: &str) -> Result<String, String> {
        self.query(&["info", section])
    }

    /// Forgets everything.
    pub fn flush(&self) -> Result<(), String> {
        self.query(&["flushall"]).map(drop)
    }

    /// Stops it in good order. Everything is lost all the same.
    pub fn stop(&self) -> Result<(), String> {
        self.server.stop(Signal::TERM)
    }

    /// Kills it, if it runs, and starts it again on the same port, empty.
    pub fn restart(&self) -> Result<(), String> {
        self.kill();
        self.server.start(|_| self.query(&["ping"]).is_ok_and(|answer| answer == "PONG"))
    }

    /// Kills it, as a crash would.
    pub fn kill(&self) {
        self.server.kill();
    }

    /// Makes it stand still: connections stay open and new ones are taken, but nobody answers.
    pub fn pause(&self) {
        self.server.pause();
    }

    /// Lets it go on after [`pause`](Self::pause).
    pub fn resume(&self) {
        self.server.resume();
    }
}

/// A master, a replica of it, and three Sentinels, two of which have to agree that the master is gone. Dropping it stops them all.
pub struct RedisSentinels {
    sentinels: Vec<Redis>,
    servers: [Redis; 2],
}

impl RedisSentinels {
    /// Starts all five, and waits until the Sentinels know of one another and of the replica.
    pub fn start() -> Result<Self, String> {
        let master = Redis::start()?;
        let replica = master.replica()?;
        let sentinels = (0..3).map(|_| Redis::sentinel(&master)).collect::<Result<Vec<_>, _>>()?;
        let set = Self { sentinels, servers: [master, replica] };
        let agreed = wait_until(PATIENCE, || set.sentinels.iter().all(|one| one.sees("slaves", 1) && one.sees("sentinels", 2)));
        if agreed { Ok(set) } else { Err("the Sentinels do not find one another".to_owned()) }
    }

    /// Where the service is: `redis+sentinel://host:port,host:port,host:port/service`.
    pub fn url(&self) -> String {
        let places: Vec<_> = self.sentinels.iter().map(|one| format!("127.0.0.1:{}", one.port())).collect();
        format!("redis+sentinel://{}/{SERVICE}", places.join(","))
    }

    /// The Sentinels.
    pub fn sentinels(&self) -> &[Redis] {
        &self.sentinels
    }

    /// The server that the Sentinels call the master.
    pub fn master(&self) -> Result<&Redis, String> {
        let asked = self.sentinels.iter().find_map(|one| one.query(&["sentinel", "get-master-addr-by-name", SERVICE]).ok());
        let answer = asked.ok_or("no Sentinel answers")?;
        let port = answer.lines().nth(1).unwrap_or_default();
        let found = self.servers.iter().find(|server| server.port().to_string() == port);
        found.ok_or_else(|| format!("the Sentinels name none of ours: {answer}"))
    }

    /// Kills the master, and waits until the Sentinels have put the other one in its place. The one that was killed can be
    /// [restarted](Redis::restart).
    pub fn fail_over(&self) -> Result<&Redis, String> {
        let killed = self.master()?;
        killed.kill();
        self.successor(killed)
    }

    /// Makes the master stand still, and waits until the Sentinels have put the other one in its place. Once it is
    /// [resumed](Redis::resume) it takes itself for the master still, and so does whoever is connected to it, until the Sentinels tell it
    /// some seconds later.
    pub fn depose(&self) -> Result<&Redis, String> {
        let deposed = self.master()?;
        deposed.pause();
        self.successor(deposed)?;
        Ok(deposed)
    }

    fn successor(&self, before: &Redis) -> Result<&Redis, String> {
        let mut next = Err("no Sentinel answers".to_owned());
        let done = wait_until(PATIENCE, || {
            next = self.master();
            next.as_ref().is_ok_and(|next| {
                next.port() != before.port() && next.info("replication").is_ok_and(|info| info.contains("role:master"))
            })
        });
        if done { next } else { Err("the Sentinels have not promoted the replica".to_owned()) }
    }
}

impl Redis {
    /// Whether a Sentinel knows so many of what watches over, or follows, the service.
    fn sees(&self, what: &str, many: usize) -> bool {
        let known = self.query(&["sentinel", what, SERVICE]).unwrap_or_default();
        known.lines().filter(|line| *line == "runid").count() >= many
    }
}

/// Three servers, each with a third of the keys. Dropping it stops them all.
pub struct RedisCluster {
    nodes: Vec<Redis>,
}

impl RedisCluster {
    /// Starts them, and waits until each knows that the cluster is whole.
    pub fn start() -> Result<Self, String> {
        let nodes = (0..3).map(|_| Redis::node()).collect::<Result<Vec<_>, _>>()?;
        let cluster = Self { nodes };
        let places = cluster.places();
        let mut create = vec!["--cluster", "create"];
        create.extend(places.iter().map(String::as_str));
        create.push("--cluster-yes");
        redis_cli(&cluster.nodes[0].url(), &create)?;
        if cluster.wait_until_whole() { Ok(cluster) } else { Err("the nodes do not find one another".to_owned()) }
    }

    /// Waits until each knows that the cluster is whole; false if it took too long.
    pub fn wait_until_whole(&self) -> bool {
        let whole = |node: &Redis| node.query(&["cluster", "info"]).is_ok_and(|info| info.contains("cluster_state:ok"));
        wait_until(PATIENCE, || self.nodes.iter().all(whole))
    }

    fn places(&self) -> Vec<String> {
        self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect()
    }

    /// Where it is: `redis-cluster://host:port,host:port,host:port`.
    pub fn url(&self) -> String {
        format!("redis-cluster://{}", self.places().join(","))
    }

    /// Its nodes.
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
    }
}

/// Runs one command by `redis-cli`.
pub fn redis_cli(url: &str, words: &[&str]) -> Result<String, String> {
    // It has no patience of its own, and a server may stand still.
    let mut cli = command(PathBuf::from("/usr/bin/timeout"), None);
    // With `-e` an error of the server is one of the program.
    cli.arg("10").arg(program("redis-cli")?).args(["-e", "--raw", "-u", url]).args(words);
    written("redis-cli", &cli.output().map_err(|error| format!("cannot run redis-cli: {error}"))?)
}

fn program(name: &str) -> Result<PathBuf, String> {
    let program = PathBuf::from(format!("/usr/bin/{name}"));
    if program.exists() {
        Ok(program)
    } else {
        Err(format!("there is no {}; install the package redis-server", program.display()))
    }
}
