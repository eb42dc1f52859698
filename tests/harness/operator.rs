//! An operator as a process of this machine, outside of any pod.
//!
//! Input: a kubeconfig, and what it watches. Output: a process that can be killed and started again, its ops port and its
//! log. It competes for no Lease: it works at once. Must not know: what it is to do.

use crate::process::{Port, Process, program};
use crate::wait;
use anyhow::{Context, Result};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::Command;

/// How long it may take until it watches.
const START: Duration = Duration::from_secs(60);

/// An operator, and its log.
#[derive(Debug)]
pub struct Operator {
    kubeconfig: PathBuf,
    namespace: Option<String>,
    port: Port,
    folder: TempDir,
    running: Option<Process>,
}

impl Operator {
    /// One that is not started yet. `namespace`: where it works; `None`: everywhere.
    ///
    /// # Errors
    /// The system's.
    pub fn stopped(kubeconfig: &Path, namespace: Option<&str>) -> Result<Self> {
        let (kubeconfig, namespace) = (kubeconfig.to_owned(), namespace.map(str::to_owned));
        Ok(Self { kubeconfig, namespace, port: Port::free()?, folder: TempDir::new()?, running: None })
    }

    /// Starts it (again), and waits until it answers at its ops port.
    ///
    /// # Errors
    /// It does not start; the error holds what it said.
    pub async fn start(&mut self) -> Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(self.log())?;
        let mut command = Command::new(program("exam-operator")?);
        command
            .args(["run", "--service-image", "exam-service:dev", "--redis-image", "exam-redis:dev", "--ops"])
            .arg(format!("127.0.0.1:{}", self.port.number()))
            .env("KUBECONFIG", &self.kubeconfig)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        if let Some(namespace) = &self.namespace {
            command.args(["--namespace", namespace]);
        }
        self.running = Some(Process::start("exam-operator", &mut command)?);
        let http = reqwest::Client::builder().no_proxy().build()?;
        let url = format!("http://127.0.0.1:{}{}", self.port.number(), ::contract::READYZ_PATH);
        let ready = || async { http.get(&url).send().await.ok().map(drop) };
        wait::until("the operator", START, ready).await.with_context(|| self.said())
    }

    /// Ends it as a power cut would, and waits until it is gone.
    ///
    /// # Errors
    /// It does not run.
    pub async fn kill(&mut self) -> Result<()> {
        self.running.take().context("the operator should run")?.kill().await
    }

    /// Its pid, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().and_then(Process::pid)
    }

    /// What it has logged.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("operator.log")
    }
}
