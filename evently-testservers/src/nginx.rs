//! A private `NGINX`, set up by the file that is shipped.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::folder::Folder;
use crate::port::Port;
use crate::server::Server;
use crate::shipped::Shipped;
use crate::tool::{command, written};

/// What an operator puts into `/etc/nginx/conf.d`.
const SHIPPED: &str = include_str!("../../deploy/nginx/evently.conf");
/// The ports of the instances in it.
const INSTANCES: [u16; 3] = [8081, 8082, 8083];

/// Stands before three instances of the service, with `deploy/nginx/evently.conf` as it is but for ports and paths, and a certificate
/// that was made for it.
///
/// Dropping it stops it at once.
pub struct Nginx {
    server: Server,
    http: Port,
    https: Port,
    certificate: String,
}

impl Nginx {
    /// Starts one before instances on these ports of the machine, which may be down.
    pub fn before(instances: [u16; 3]) -> Result<Self, String> {
        let program = PathBuf::from("/usr/sbin/nginx");
        if !program.exists() {
            return Err(format!("there is no {}; install the package nginx", program.display()));
        }
        let (http, https) = (Port::claim()?, Port::claim()?);
        // At once, but with its workers: they would outlive a master that is killed.
        let folder = Folder::create("TERM")?;
        let certificate = make_certificate(&folder)?;
        folder.write("evently.conf", &site(folder.path(), [http.number, https.number], instances)?)?;
        let main = folder.write("nginx.conf", MAIN)?;
        let arguments = ["-p", &folder.path().display().to_string(), "-c", &main.display().to_string(), "-e", "stderr"];
        let arguments = arguments.map(str::to_owned).to_vec();
        let nginx = Self { server: Server::new(folder, program, arguments), http, https, certificate };
        nginx.restart()?;
        Ok(nginx)
    }

    /// The port of plain HTTP on 127.0.0.1.
    pub fn http_port(&self) -> u16 {
        self.http.number
    }

    /// The port of TLS on 127.0.0.1.
    pub fn https_port(&self) -> u16 {
        self.https.number
    }

    /// The certificate for `localhost` and 127.0.0.1, which is its own authority, as PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// What it says.
    pub fn log(&self) -> &Path {
        self.server.log()
    }

    /// The requests that it has answered, a JSON document a line.
    pub fn requests(&self) -> Result<String, String> {
        let path = self.server.path().join("evently.log");
        fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
    }

    /// Kills it, if it runs, and starts it again on the same ports.
    pub fn restart(&self) -> Result<(), String> {
        self.server.kill();
        // It listens before it has workers, who then answer in order.
        let port = self.http.number;
        self.server.start(|_| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())
    }

    /// Lets it answer what it has been asked and stops it.
    pub fn stop(&self) -> Result<(), String> {
        self.server.stop(Signal::QUIT)
    }
}

/// What Debian's `nginx.conf` is to the machine, with everything in the folder.
const MAIN: &str = "daemon off;
pid nginx.pid;
worker_processes 2;
worker_rlimit_nofile 4096;
events { worker_connections 2000; }
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include evently.conf;
}
";

fn site(folder: &Path, [http, https]: [u16; 2], instances: [u16; 3]) -> Result<String, String> {
    let mut text = Shipped::new("deploy/nginx/evently.conf", SHIPPED);
    for (shipped, port) in INSTANCES.into_iter().zip(instances) {
        text.replace(&format!("server 127.0.0.1:{shipped} "), &format!("server 127.0.0.1:{port} "))?;
    }
    text.replace("listen 80;", &format!("listen 127.0.0.1:{http};"))?;
    text.replace("listen 443 ssl", &format!("listen 127.0.0.1:{https} ssl"))?;
    // Not every machine has IPv6.
    text.replace("listen [::]:80;", "")?;
    text.replace("listen [::]:443 ssl http2;", "")?;
    let folder = folder.display();
    text.replace("/etc/evently/tls", &folder.to_string())?;
    text.replace("/var/cache/evently", &format!("{folder}/cache"))?;
    text.replace("/var/log/nginx", &folder.to_string())?;
    Ok(text.text())
}

/// Makes a certificate and its key in the folder; the certificate.
fn make_certificate(folder: &Folder) -> Result<String, String> {
    let request = "[req]
prompt = no
distinguished_name = name
x509_extensions = extensions
[name]
CN = localhost
[extensions]
basicConstraints = critical, CA:false
subjectAltName = DNS:localhost, IP:127.0.0.1
";
    let request = folder.write("openssl.cnf", request)?;
    let key = command(PathBuf::from("openssl"), None).args(["ecparam", "-name", "prime256v1", "-genkey", "-noout"]).output();
    let key = written("openssl", &key.map_err(|error| format!("cannot run openssl: {error}; install the package openssl"))?)?;
    let key = folder.write("privkey.pem", &key)?;
    let mut openssl = command(PathBuf::from("openssl"), None);
    openssl.args(["req", "-x509", "-days", "2", "-config"]).arg(request).arg("-key").arg(key);
    let certificate = openssl.output().map_err(|error| format!("cannot run openssl: {error}"))?;
    let certificate = written("openssl", &certificate)?;
    folder.write("fullchain.pem", &certificate)?;
    Ok(certificate)
}
