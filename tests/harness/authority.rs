//! A private certificate authority, by openssl, and certificates for loopback.

use anyhow::{Result, ensure};
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// How a key is made.
const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

/// An authority and what it has signed: files in a folder of its own.
#[derive(Debug)]
pub struct Authority(TempDir);

impl Authority {
    /// Makes one, and a certificate by it for 127.0.0.1 and localhost.
    ///
    /// # Errors
    /// openssl is not installed, or refuses.
    pub fn new() -> Result<Self> {
        let authority = Self(TempDir::new()?);
        std::fs::write(authority.path("names"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n")?;
        for words in [
            format!("req -x509 {KEY} -days 2 -subj /CN=an-authority -keyout ca.key -out ca.crt"),
            format!("req -new {KEY} -subj /CN=localhost -keyout server.key -out server.csr"),
            "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.crt"
                .to_owned(),
        ] {
            authority.openssl(&words)?;
        }
        Ok(authority)
    }

    /// Signs another certificate, for these names of DNS: the certificate and its key (PEM).
    ///
    /// # Errors
    /// openssl refuses.
    pub fn issue(&self, names: &[&str]) -> Result<[String; 2]> {
        let names: Vec<String> = names.iter().map(|name| format!("DNS:{name}")).collect();
        std::fs::write(self.path("more"), format!("subjectAltName={}\n", names.join(",")))?;
        for words in [
            format!("req -new {KEY} -subj /CN=another -keyout more.key -out more.csr"),
            "x509 -req -in more.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile more -out more.crt"
                .to_owned(),
        ] {
            self.openssl(&words)?;
        }
        let [certificate, key] =
            ["more.crt", "more.key"].map(|file| std::fs::read_to_string(self.path(file)));
        Ok([certificate?, key?])
    }

    fn openssl(&self, words: &str) -> Result<()> {
        let said = Command::new("openssl").args(words.split(' ')).current_dir(self.0.path()).output()?;
        ensure!(said.status.success(), "openssl {words}: {}", String::from_utf8_lossy(&said.stderr));
        Ok(())
    }

    /// The authority's certificate.
    pub fn certificate(&self) -> PathBuf {
        self.path("ca.crt")
    }

    /// The server's certificate and its key.
    pub fn server(&self) -> [PathBuf; 2] {
        [self.path("server.crt"), self.path("server.key")]
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}
