//! Certificates for servers that speak TLS, and for their clients.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::tool::{command, written};

/// The certificates of an authority of one's own, made by `openssl`: for a server on `localhost`, by that name alone, and for the client
/// `app`. They are gone when this is dropped.
pub struct Certificates {
    folder: TempDir,
}

const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

impl Certificates {
    /// Makes them.
    pub fn make() -> Result<Self, String> {
        let folder = TempDir::new().map_err(|error| format!("cannot make a folder for certificates: {error}"))?;
        let certificates = Self { folder };
        certificates.openssl(&format!("req -x509 {KEY} -days 2 -subj /CN=authority -keyout authority.key -out authority.crt"))?;
        certificates.sign("server", "localhost", "subjectAltName=DNS:localhost")?;
        certificates.sign("client", "app", "subjectAltName=DNS:app")?;
        Ok(certificates)
    }

    fn sign(&self, who: &str, name: &str, extension: &str) -> Result<(), String> {
        fs::write(self.path("extension"), extension).map_err(|error| error.to_string())?;
        self.openssl(&format!("req {KEY} -subj /CN={name} -keyout {who}.key -out {who}.csr"))?;
        let signs = "-CA authority.crt -CAkey authority.key -CAcreateserial";
        self.openssl(&format!("x509 -req -in {who}.csr {signs} -days 2 -extfile extension -out {who}.crt"))
    }

    fn openssl(&self, arguments: &str) -> Result<(), String> {
        let mut openssl = command(PathBuf::from("openssl"), None);
        let output = openssl.args(arguments.split(' ')).current_dir(self.folder.path()).output();
        written("openssl", &output.map_err(|error| format!("cannot run openssl: {error}"))?).map(drop)
    }

    /// Where one of them is: `authority.crt`, `client.crt`, `client.key`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Authority, certificate and key of the server.
    pub(crate) fn of_server(&self) -> (String, String, String) {
        let read = |name| fs::read_to_string(self.path(name)).expect("it has been made");
        (read("authority.crt"), read("server.crt"), read("server.key"))
    }
}
