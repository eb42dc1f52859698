//! A real redis-server with its own port, and ways to break it.

use crate::process::{Port, Process};
use crate::wait;
use anyhow::Result;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use rustix::process::Signal;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::Command;

/// How long a snapshot may take.
const SOON: Duration = Duration::from_secs(10);

/// A redis-server.
#[derive(Debug)]
pub struct Redis {
    process: Option<Process>,
    port: Port,
    folder: TempDir,
}

impl Redis {
    /// Starts one and waits until it answers.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub async fn start() -> Result<Self> {
        let mut redis = Self { process: None, port: Port::free()?, folder: TempDir::new()? };
        redis.restart().await?;
        Ok(redis)
    }

    /// Starts it again, empty, on the same port.
    ///
    /// # Errors
    /// It does not start.
    pub async fn restart(&mut self) -> Result<()> {
        let mut command = Command::new("redis-server");
        command.args(["--port", &self.port.number().to_string(), "--bind", "127.0.0.1"]);
        command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(self.folder.path());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(Process::start("redis-server", &mut command)?);
        wait::until("redis-server answers", Duration::from_secs(20), || async {
            self.connection().await.ok().map(drop)
        })
        .await
    }

    /// Its pid, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref()?.pid()
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port.number())
    }

    /// A new connection to it.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn connection(&self) -> Result<MultiplexedConnection> {
        let client = redis::Client::open(self.url())?;
        Ok(client.get_multiplexed_async_connection().await?)
    }

    /// The text of a key.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn get(&self, key: &str) -> Result<Option<String>> {
        Ok(self.connection().await?.get(key).await?)
    }

    /// The snapshot of an exam, once it is as new as this: nobody waits for it when an answer is replied to.
    ///
    /// # Errors
    /// It does not come.
    pub async fn snapshot(&self, exam: i64, version: i64) -> Result<String> {
        let key = format!("{}{exam}", contract::KEY_PREFIX);
        wait::until(&format!("version {version} of {key}"), SOON, || async {
            let text = self.get(&key).await.ok()??;
            let begins = format!("{{\"version\":{version},");
            text.starts_with(&begins).then_some(text)
        })
        .await
    }

    /// Waits until an exam has no snapshot.
    ///
    /// # Errors
    /// It stays.
    pub async fn forgets(&self, exam: i64) -> Result<()> {
        let key = format!("{}{exam}", contract::KEY_PREFIX);
        wait::until(&format!("{key} is removed"), SOON, || async {
            self.get(&key).await.ok()?.is_none().then_some(())
        })
        .await
    }

    /// Ends it as a power cut would.
    ///
    /// # Errors
    /// It was not running.
    pub async fn kill(&mut self) -> Result<()> {
        match self.process.take() {
            Some(mut process) => process.kill().await,
            None => Ok(()),
        }
    }

    /// Freezes it: connections stay, nothing answers.
    ///
    /// # Errors
    /// It is not running.
    pub fn freeze(&self) -> Result<()> {
        self.process.as_ref().map_or(Ok(()), |process| process.signal(Signal::STOP))
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// It is not running.
    pub fn thaw(&self) -> Result<()> {
        self.process.as_ref().map_or(Ok(()), |process| process.signal(Signal::CONT))
    }
}
