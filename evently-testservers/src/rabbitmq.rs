//! A private `RabbitMQ`.

use std::env;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::Signal;

use crate::folder::Folder;
use crate::port::Port;
use crate::server::Server;

/// The environment variable that names the broker to share: its URL.
pub const SHARED_RABBITMQ: &str = "EVENTLY_TEST_RABBITMQ";

/// The URL of the broker that [`SHARED_RABBITMQ`] names, or else of one that this process starts and keeps to its end.
///
/// It starts slowly, so tests share it and keep apart by the names of their queues.
pub fn shared_rabbitmq() -> Result<String, String> {
    static OWN: OnceLock<Result<RabbitMq, String>> = OnceLock::new();
    if let Ok(url) = env::var(SHARED_RABBITMQ) {
        return Ok(url);
    }
    OWN.get_or_init(RabbitMq::start).as_ref().map(RabbitMq::url).map_err(Clone::clone)
}

/// A broker of one node on a port and in a folder of its own, for the user `guest`. It keeps what is durable when it is killed.
///
/// Dropping it stops it at once and removes its folder.
pub struct RabbitMq {
    server: Server,
    port: Port,
    /// A node has three.
    others: [Port; 2],
}

impl RabbitMq {
    /// Starts one, which takes from 6 seconds on a calm machine to half a minute on a busy one.
    pub fn start() -> Result<Self, String> {
        let program = Path::new("/usr/lib/rabbitmq/bin/rabbitmq-server");
        if !program.exists() {
            return Err(format!("there is no {}; install the package rabbitmq-server", program.display()));
        }
        let (port, others) = (Port::claim()?, [Port::claim()?, Port::claim()?]);
        let folder = Folder::create("KILL")?;
        let script = folder.write("start.sh", include_str!("rabbitmq.sh"))?;
        let ports = [port.number, others[0].number, others[1].number].map(|port| port.to_string());
        let arguments = [script.display().to_string()].into_iter().chain(ports).collect();
        let broker = Self { server: Server::new(folder, PathBuf::from("/bin/sh"), arguments), port, others };
        broker.restart()?;
        Ok(broker)
    }

    /// Where it is; the virtual host is `/`.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port.number)
    }

    /// The port on 127.0.0.1; it stays the same.
    pub fn port(&self) -> u16 {
        self.port.number
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.server.path()
    }

    /// What it says.
    pub fn log(&self) -> &Path {
        self.server.log()
    }

    /// Stops it in good order; what is durable stays until [`restart`](Self::restart).
    pub fn stop(&self) -> Result<(), String> {
        self.server.stop(Signal::TERM)
    }

    /// Kills it, as a crash would.
    pub fn kill(&self) {
        self.server.kill();
    }

    /// Stops it in good order, if it runs, and starts it again on the same data and port.
    pub fn restart(&self) -> Result<(), String> {
        self.stop()?;
        self.server.start(|_| answers(self.port.number))
    }

    /// Has the node carry out an expression of Erlang, as `rabbitmqctl eval` does, and returns what came of it.
    pub fn evaluate(&self, expression: &str) -> Result<String, String> {
        let script = r#"export HOME=$PWD ERL_EPMD_PORT="$1" RABBITMQ_NODENAME="evently$2@localhost" RABBITMQ_CONF_ENV_FILE=/dev/null
            exec /usr/lib/rabbitmq/bin/rabbitmqctl --quiet eval "$3""#;
        let [distribution, names] = &self.others;
        let arguments = ["-c", script, "rabbitmqctl", &names.number.to_string(), &distribution.number.to_string(), expression];
        self.server.ask(Path::new("/bin/sh"), &arguments.map(str::to_owned))
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

/// Whether it speaks: the port is open long before. To the header of the protocol the answer is `Connection.Start`, in a frame of
/// type 1, and to what it does not understand a header of its own.
fn answers(port: u16) -> bool {
    const HEADER: [u8; 8] = *b"AMQP\x00\x00\x09\x01";
    let ask = || {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(&HEADER)?;
        let mut first = [0];
        stream.read_exact(&mut first)?;
        std::io::Result::Ok(first == [1])
    };
    ask().unwrap_or(false)
}
