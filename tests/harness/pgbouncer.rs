//! A real pgbouncer in front of a PostgreSQL, in transaction mode.

use crate::Postgres;
use crate::postgres::{USER, is_root};
use crate::process::{Port, Process};
use crate::wait;
use anyhow::{Context, Result, ensure};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::Command;

/// Debian keeps it where root's programs are.
const PROGRAM: &str = "/usr/sbin/pgbouncer";

/// A pgbouncer.
#[derive(Debug)]
pub struct PgBouncer {
    _process: Process,
    port: Port,
    _folder: TempDir,
}

impl PgBouncer {
    /// Starts one that has so many connections to the database for all its clients.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub async fn start(postgres: &Postgres, connections: u32) -> Result<Self> {
        let (folder, port) = (TempDir::new()?, Port::free()?);
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("users"), "\"exam\" \"\"\n")?;
        let settings = format!(
            "[databases]\npostgres = host=127.0.0.1 port={}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {}\nunix_socket_dir =\n\
             auth_type = trust\nauth_file = {}\npool_mode = transaction\ndefault_pool_size = {connections}\n\
             server_round_robin = 1\nmax_client_conn = 500\nlogfile = {}\n",
            postgres.port(),
            port.number(),
            path("users").display(),
            path("log").display()
        );
        std::fs::write(path("settings.ini"), settings)?;
        let mut command = match is_root() {
            false => Command::new(PROGRAM),
            true => {
                let owned = Command::new("chown").args(["-R", USER]).arg(folder.path()).status().await?;
                ensure!(owned.success(), "cannot give {} to {USER}", folder.path().display());
                let mut command = Command::new("setpriv");
                command.args(["--reuid", USER, "--regid", USER, "--clear-groups", "--", PROGRAM]);
                command
            }
        };
        command.arg(path("settings.ini")).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Process::start("pgbouncer", &mut command)?;
        let answers = wait::until("pgbouncer answers", Duration::from_secs(20), || async {
            TcpStream::connect(("127.0.0.1", port.number())).await.ok().map(drop)
        });
        answers.await.with_context(|| std::fs::read_to_string(path("log")).unwrap_or_default())?;
        Ok(Self { _process: process, port, _folder: folder })
    }

    /// The URL of the database through it.
    pub fn url(&self) -> String {
        format!("postgres://exam@127.0.0.1:{}/postgres", self.port.number())
    }
}
