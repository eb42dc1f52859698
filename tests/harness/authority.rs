//! A private certificate authority, by openssl, and certificates for loopback.

use anyhow::{Result, ensure};
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

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
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        for words in [
            format!("req -x509 {key} -days 2 -subj /CN=an-authority -keyout ca.key -out ca.crt"),
            format!("req -new {key} -subj /CN=localhost -keyout server.key -out server.csr"),
            "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.crt"
                .to_owned(),
        ] {
            let said = Command::new("openssl").args(words.split(' ')).current_dir(authority.0.path()).output()?;
            ensure!(said.status.success(), "openssl {words}: {}", String::from_utf8_lossy(&said.stderr));
        }
        Ok(authority)
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
