//! A real exam-service process with its own folder and ports, and ways to stop and restart it.

use crate::client::Client;
use crate::process::{Port, Process, program};
use anyhow::{Context, Result, bail};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

/// How long a service may take to serve.
const START: Duration = Duration::from_secs(30);

/// Gives a program names of its own, in a mount namespace of its own.
const APART: &str = r#"mount --bind "$1" /etc/hosts && shift && exec "$@""#;

/// What a service is started with.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// A Settings text; without it the embedded defaults run.
    pub settings: Option<String>,
    /// `REDIS_URL`.
    pub redis_url: Option<String>,
    /// `DATABASE_URL`; without it a SQLite file in the service's folder.
    pub database_url: Option<String>,
    /// The token that callers send.
    pub token: Option<String>,
    /// Another program than the one that was just built.
    pub program: Option<PathBuf>,
    /// A file that is `/etc/hosts` for it alone; that takes root.
    pub hosts: Option<PathBuf>,
    /// What else is in its environment.
    pub env: Vec<(&'static str, String)>,
}

/// An exam-service process and its folder.
#[derive(Debug)]
pub struct Service {
    folder: TempDir,
    port: Port,
    setup: Setup,
    running: Option<(Process, SocketAddr, SocketAddr)>,
}

impl Service {
    /// Starts one with the embedded defaults.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start() -> Result<Self> {
        Self::start_with(Setup::default()).await
    }

    /// Starts one.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start_with(setup: Setup) -> Result<Self> {
        let mut service = Self::stopped(setup)?;
        service.restart(None).await?;
        Ok(service)
    }

    /// A folder for one, not started yet.
    ///
    /// # Errors
    /// The system's.
    pub fn stopped(setup: Setup) -> Result<Self> {
        Ok(Self { folder: TempDir::new()?, port: Port::free()?, setup, running: None })
    }

    /// Gives it another Settings text for its next start.
    pub fn set_settings(&mut self, text: impl Into<String>) {
        self.setup.settings = Some(text.into());
    }

    /// Sets a variable of its environment for its next start.
    pub fn set_env(&mut self, name: &'static str, value: impl Into<String>) {
        self.setup.env.retain(|(set, _)| *set != name);
        self.setup.env.push((name, value.into()));
    }

    /// Starts it (again) on the same database, with its exam API at the same address. `crash` names a crash point, as in
    /// `answer.commit.after:3`.
    ///
    /// # Errors
    /// It does not start; the error holds what it said.
    pub async fn restart(&mut self, crash: Option<&str>) -> Result<()> {
        self.running = None;
        let mut command = self.command()?;
        let api = format!("127.0.0.1:{}", self.port.number());
        command.args(["serve", "--api", &api, "--ops", "127.0.0.1:0"]);
        if let Some(settings) = &self.setup.settings {
            let path = self.path("settings.toml");
            std::fs::write(&path, settings)?;
            command.arg("--settings").arg(path);
        }
        if let Some(point) = crash {
            command.env("EXAM_CRASH_AT", point);
        }
        let mut process = Process::start("exam-service", command.stderr(Stdio::piped()))?;
        let stderr = process.child().stderr.take().context("stderr should be piped")?;
        let mut lines = BufReader::new(stderr).lines();
        let mut said = String::new();
        let served = async {
            while let Some(line) = lines.next_line().await? {
                said.push_str(&line);
                said.push('\n');
                if let (Some(api), Some(ops)) = (field(&line, "api"), field(&line, "ops")) {
                    return Ok((api, ops));
                }
            }
            bail!("exam-service ended:\n{said}")
        };
        let (api, ops) = tokio::time::timeout(START, served).await.context("it does not serve in time")??;
        let mut log = std::fs::File::create(self.path("service.log"))?;
        log.write_all(said.as_bytes())?;
        // What else it says is kept for whoever looks into a failure, and its pipe never fills.
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let _best_effort = writeln!(log, "{line}");
            }
        });
        self.running = Some((process, api, ops));
        Ok(())
    }

    /// The program with this service's folder and environment, for a test that runs it itself.
    ///
    /// # Errors
    /// It has not been built.
    pub fn command(&self) -> Result<Command> {
        let built = || program("exam-service");
        let program = self.setup.program.clone().map_or_else(built, Ok)?;
        let mut command = match &self.setup.hosts {
            None => Command::new(program),
            Some(hosts) => {
                let mut apart = Command::new("unshare");
                apart.args(["--mount", "--propagation", "private", "sh", "-c", APART, "sh"]);
                apart.arg(hosts).arg(program);
                apart
            }
        };
        command.current_dir(self.folder.path()).env_remove("REDIS_URL").env("NO_COLOR", "1");
        command.env_remove("OTEL_EXPORTER_OTLP_ENDPOINT");
        command.env("DATABASE_URL", self.database_url());
        command.envs(self.setup.env.iter().map(|(name, value)| (name, value)));
        if let Some(url) = &self.setup.redis_url {
            command.env("REDIS_URL", url);
        }
        Ok(command)
    }

    /// The address of its exam API.
    ///
    /// # Panics
    /// It does not run.
    pub fn api(&self) -> SocketAddr {
        self.running.as_ref().expect("the service should run").1
    }

    /// Its pid, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref()?.0.pid()
    }

    /// The URL of its database.
    pub fn database_url(&self) -> String {
        let file = || format!("sqlite:{}", self.database().display());
        self.setup.database_url.clone().unwrap_or_else(file)
    }

    /// The file of its database.
    pub fn database(&self) -> PathBuf {
        self.path("exams.db")
    }

    /// A file in its folder.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A client of its exam API.
    ///
    /// # Panics
    /// It does not run.
    pub fn client(&self) -> Client {
        let client = Client::new(format!("http://{}", self.api()), self.setup.token.clone());
        if self.setup.program.is_none() { client } else { client.of_another_version() }
    }

    /// The base URL of its ops port.
    ///
    /// # Panics
    /// It does not run.
    pub fn ops(&self) -> String {
        let (_, _, ops) = self.running.as_ref().expect("the service should run");
        format!("http://{ops}")
    }

    /// The process, to signal it or wait for its end.
    ///
    /// # Panics
    /// It does not run.
    pub fn process(&mut self) -> &mut Process {
        &mut self.running.as_mut().expect("the service should run").0
    }

    /// Ends it as a power cut would.
    ///
    /// # Errors
    /// The system's.
    pub async fn kill(&mut self) -> Result<()> {
        match self.running.take() {
            Some((mut process, ..)) => process.kill().await,
            None => Ok(()),
        }
    }
}

/// A field of a log line, in either form.
fn field(line: &str, name: &str) -> Option<SocketAddr> {
    if let Ok(line) = serde_json::from_str::<serde_json::Value>(line) {
        return line[name].as_str()?.parse().ok();
    }
    line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}
