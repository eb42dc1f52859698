//! A real PostgreSQL with its own port and folder, and ways to break it.

use crate::Authority;
use crate::process::{Port, Process};
use crate::wait;
use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::Command;

/// Where Debian keeps the programs that are not for everybody's path.
const FOLDERS: &str = "/usr/lib/postgresql";
/// It does not run as root; then it runs as this user, which its package makes.
pub(crate) const USER: &str = "postgres";

/// A PostgreSQL.
#[derive(Debug)]
pub struct Postgres {
    process: Option<Process>,
    port: Port,
    folder: TempDir,
    programs: PathBuf,
}

impl Postgres {
    /// Makes one, starts it and waits until it answers.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub async fn start() -> Result<Self> {
        let programs = programs()?;
        let folder = TempDir::new()?;
        if is_root() {
            let owned = Command::new("chown").arg(USER).arg(folder.path()).status().await?;
            ensure!(owned.success(), "cannot give {} to {USER}", folder.path().display());
        }
        let mut postgres = Self { process: None, port: Port::free()?, folder, programs };
        let mut init = postgres.command("initdb");
        init.args(["--auth", "trust", "--username", "exam", "--no-sync", "--encoding", "UTF8", "-D"]);
        let made = init.arg(postgres.data()).stdout(Stdio::null()).output().await?;
        ensure!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        postgres.restart().await?;
        Ok(postgres)
    }

    /// Starts it again on the same port and files.
    ///
    /// # Errors
    /// It does not start.
    pub async fn restart(&mut self) -> Result<()> {
        let mut command = self.command("postgres");
        let port = self.port.number().to_string();
        let socket = format!("unix_socket_directories={}", self.folder.path().display());
        command.args(["-p", &port, "-c", "listen_addresses=127.0.0.1", "-c", &socket]);
        // What a commit waits for is as it is in production; only room is small.
        command.args(["-c", "max_connections=120", "-c", "shared_buffers=64MB"]);
        // A checkpoint every few minutes would stall commits for a second, in whichever measurement it meets.
        command.args(["-c", "checkpoint_timeout=1h", "-c", "max_wal_size=8GB", "-D"]).arg(self.data());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(Process::start("postgres", &mut command)?);
        let url = self.url();
        wait::until("postgres answers", Duration::from_secs(30), || {
            let mut probe = self.command("pg_isready");
            probe.args(["-q", "-d", &url]);
            async move { probe.status().await.ok().filter(std::process::ExitStatus::success).map(drop) }
        })
        .await
    }

    /// Wants this password of everybody who connects from now on.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn protect(&self, password: &str) -> Result<()> {
        std::fs::write(self.data().join("pg_hba.conf"), "host all all 127.0.0.1/32 scram-sha-256\n")?;
        let mut psql = self.command("psql");
        psql.args(["--quiet", "--no-psqlrc", "--output", "/dev/null", "--dbname", &self.url()]);
        psql.args(["--command", &format!("ALTER USER exam PASSWORD '{password}'")]);
        let done = psql.args(["--command", "SELECT pg_reload_conf()"]).output().await?;
        anyhow::ensure!(done.status.success(), "psql: {}", String::from_utf8_lossy(&done.stderr));
        let open = || async {
            let mut probe = self.command("psql");
            probe.args(["--no-password", "--dbname", &self.url(), "--command", ""]);
            let reached = probe.stdout(Stdio::null()).stderr(Stdio::null()).status().await.ok()?;
            (!reached.success()).then_some(())
        };
        wait::until("postgres wants the password", Duration::from_secs(20), open).await
    }

    /// Has it speak TLS, with the authority's certificate, and with nobody who does not.
    ///
    /// # Errors
    /// It does not start again.
    pub async fn secure(&mut self, authority: &Authority) -> Result<()> {
        let [certificate, key] = authority.server();
        // Owned by whom it runs as, and read by nobody else; the folder is.
        for (from, to) in [(certificate, "server.crt"), (key, "server.key")] {
            let to = self.data().join(to);
            std::fs::copy(from, &to)?;
            std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o600))?;
            if is_root() {
                let owned = Command::new("chown").arg(USER).arg(&to).status().await?;
                ensure!(owned.success(), "cannot give {} to {USER}", to.display());
            }
        }
        let mut settings = std::fs::File::options().append(true).open(self.data().join("postgresql.conf"))?;
        writeln!(settings, "ssl = on")?;
        std::fs::write(self.data().join("pg_hba.conf"), "hostssl all all 127.0.0.1/32 trust\n")?;
        self.kill().await?;
        self.restart().await
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("postgres://exam@127.0.0.1:{}/postgres", self.port())
    }

    /// The URL of a new database in it.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn database(&self) -> Result<String> {
        use sqlx::Connection;
        let url = self.url();
        let name = format!("run_{:016x}", rand::random::<u64>());
        let mut connection = sqlx::PgConnection::connect(&url).await?;
        let create = format!("CREATE DATABASE {name}");
        sqlx::query(sqlx::AssertSqlSafe(create)).execute(&mut connection).await?;
        connection.close().await?;
        let (server, _) = url.rsplit_once('/').context("a database in the URL")?;
        Ok(format!("{server}/{name}"))
    }

    /// Its pid, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref()?.pid()
    }

    /// Ends it as SIGKILL does; it may be started again.
    ///
    /// # Errors
    /// The system's.
    pub async fn kill(&mut self) -> Result<()> {
        let process = self.process.as_mut().context("it does not run")?;
        let children = children(process.pid().context("it has ended")?)?;
        process.kill().await?;
        self.process = None;
        // Its children notice, and leave its memory and its files.
        wait::until("postgres is gone", Duration::from_secs(30), || {
            let left = children.iter().any(|pid| Path::new(&format!("/proc/{pid}")).exists());
            async move { (!left).then_some(()) }
        })
        .await
    }

    /// Stops every process of it where it stands.
    ///
    /// # Errors
    /// The system's.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// The system's.
    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let process = self.process.as_ref().context("it does not run")?;
        let pid = process.pid().context("it has ended")?;
        for child in children(pid)? {
            let child = i32::try_from(child).ok().and_then(rustix::process::Pid::from_raw).context("pid")?;
            // A child may just have ended.
            let _gone = rustix::process::kill_process(child, signal);
        }
        process.signal(signal)
    }

    /// The folder of its files.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// One of its programs, under the user it runs as.
    pub fn command(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = match is_root() {
            false => Command::new(program),
            true => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", USER, "--regid", USER, "--clear-groups", "--"]).arg(program);
                command
            }
        };
        command.current_dir(self.folder.path()).env("HOME", self.folder.path()).env("LC_ALL", "C");
        command
    }
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn children(pid: u32) -> Result<Vec<u32>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    Ok(text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect())
}

/// The folder of the newest version's programs.
fn programs() -> Result<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir(FOLDERS)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|folder: &PathBuf| folder.join("initdb").is_file())
        .collect();
    versions.sort();
    match versions.pop() {
        Some(folder) => Ok(folder),
        None => bail!(
            "PostgreSQL is not installed below {}: Debian's package is postgresql",
            Path::new(FOLDERS).display()
        ),
    }
}
