//! Real Redis servers as one, as a master with replicas and Sentinels, or as a cluster; plain, or with TLS and ACL users.

use crate::authority::Authority;
use crate::process::{Port, Process};
pub use crate::release::Release;
use crate::wait;
use ::contract::settings::{Redis as RedisSettings, Settings, Store};
use ::service::store::redis::access::StoreSecrets;
use anyhow::{Context, Result};
use rustix::process::Signal;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::Command;

/// How long a topology may take to settle.
const SETTLE: Duration = Duration::from_secs(60);
/// The ACL user of the service, and what it may do: this is what docs/redis.md tells.
pub const APP_RULES: &str = "on >app-password resetkeys ~adaptive_engine:* resetchannels -@all +get +set +del +evalsha \
    +script|load +getrange +ping +wait +cluster|slots +hello +select +auth";
/// The ACL user of the service on Sentinels.
pub const SENTINEL_RULES: &str = "on >sentinel-password resetkeys resetchannels &+switch-master -@all \
    +sentinel|get-master-addr-by-name +subscribe +ping +hello +auth";

/// The shape of a Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One server.
    Basic,
    /// A master, two replicas and three Sentinels.
    Sentinel,
    /// Three masters, each with a replica.
    Cluster,
}

/// A running topology.
#[derive(Debug)]
pub struct Topology {
    shape: Shape,
    release: Release,
    servers: Vec<Server>,
    sentinels: Vec<Server>,
    authority: Option<Authority>,
    // Its folders go last.
    folder: TempDir,
}

#[derive(Debug)]
struct Server {
    port: Port,
    /// Where other nodes of a cluster speak to it.
    _bus: Port,
    process: Option<Process>,
}

impl Topology {
    /// Starts one with the machine's Redis; `is_guarded`: with TLS and ACL users.
    ///
    /// # Errors
    /// Redis is not installed, or does not settle.
    pub async fn start(shape: Shape, is_guarded: bool) -> Result<Self> {
        Self::start_with(Release::Machine, shape, is_guarded).await
    }

    /// Starts one with this Redis or Valkey.
    ///
    /// # Errors
    /// It is not unpacked, or does not settle.
    pub async fn start_with(release: Release, shape: Shape, is_guarded: bool) -> Result<Self> {
        let authority = is_guarded.then(Authority::new).transpose()?;
        let (servers, sentinels, folder) = (Vec::new(), Vec::new(), TempDir::new()?);
        let mut topology = Self { shape, release, servers, sentinels, authority, folder };
        let count = match shape {
            Shape::Basic => 1,
            Shape::Sentinel => 3,
            Shape::Cluster => 6,
        };
        for index in 0..count {
            let mut more = String::new();
            if shape == Shape::Sentinel && index > 0 {
                writeln!(more, "replicaof 127.0.0.1 {}", topology.servers[0].port.number())?;
            }
            if shape == Shape::Cluster {
                more.push_str(
                    "cluster-enabled yes\ncluster-node-timeout 2000\ncluster-require-full-coverage no\n",
                );
            }
            let server = topology.server("redis-server", index, &more).await?;
            topology.servers.push(server);
        }
        match shape {
            Shape::Basic => {}
            Shape::Sentinel => topology.watch().await?,
            Shape::Cluster => topology.join().await?,
        }
        Ok(topology)
    }

    /// The settings of a store on it, and its secrets.
    pub fn store(&self, ttl_seconds: u64) -> (Store, StoreSecrets) {
        let scheme = if self.authority.is_some() { "rediss" } else { "redis" };
        let list = |servers: &[Server]| {
            servers
                .iter()
                .map(|server| format!("127.0.0.1:{}", server.port.number()))
                .collect::<Vec<_>>()
                .join(",")
        };
        let url = match self.shape {
            Shape::Basic => format!("{scheme}://{}/0", list(&self.servers)),
            Shape::Sentinel => format!("{scheme}+sentinel://{}/exams/0", list(&self.sentinels)),
            Shape::Cluster => format!("{scheme}+cluster://{}", list(&self.servers)),
        };
        let named = |name: &str| self.authority.is_some().then(|| name.to_owned());
        let redis = RedisSettings {
            username: named("app"),
            sentinel_username: named("app").filter(|_| self.shape == Shape::Sentinel),
            ttl_seconds,
            ..RedisSettings::at(url, None)
        };
        let read = |path: std::path::PathBuf| std::fs::read_to_string(path).ok();
        let secrets = StoreSecrets {
            password: named("app-password"),
            sentinel_password: named("sentinel-password").filter(|_| self.shape == Shape::Sentinel),
            ca: self.authority.as_ref().and_then(|authority| read(authority.certificate())),
            certificate: self.authority.as_ref().and_then(|authority| {
                let [certificate, key] = authority.server();
                read(certificate).zip(read(key))
            }),
        };
        let store = match self.shape {
            Shape::Basic => Store::Basic(redis),
            Shape::Sentinel => Store::Sentinel(redis),
            Shape::Cluster => Store::Cluster(redis),
        };
        (store, secrets)
    }

    /// The Settings of a store on it, with its secrets in files of a folder.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn settings(&self, folder: &Path) -> Result<Store> {
        let (mut store, StoreSecrets { password, sentinel_password, ca, certificate }) = self.store(3600);
        let (Store::Basic(redis) | Store::Sentinel(redis) | Store::Cluster(redis)) = &mut store else {
            return Ok(store);
        };
        let file = |name: &str, text: Option<String>| -> Result<Option<String>> {
            let Some(text) = text else { return Ok(None) };
            let path = folder.join(name);
            std::fs::write(&path, text)?;
            Ok(Some(path.to_string_lossy().into_owned()))
        };
        let (cert, key) = certificate.unzip();
        redis.password_file = file("password", password)?;
        redis.sentinel_password_file = file("sentinel-password", sentinel_password)?;
        (redis.ca_file, redis.cert_file, redis.key_file) =
            (file("ca.crt", ca)?, file("tls.crt", cert)?, file("tls.key", key)?);
        Ok(store)
    }

    /// The port of a server.
    pub fn port(&self, index: usize) -> u16 {
        self.servers[index].port.number()
    }

    /// The authority of its certificates.
    pub fn authority(&self) -> Option<&Authority> {
        self.authority.as_ref()
    }

    /// Number of servers, masters first as they were started.
    pub fn len(&self) -> usize {
        self.servers.len()
    }

    /// Whether there is none; there is at least one.
    pub fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }

    /// Ends a server as a power cut would.
    ///
    /// # Errors
    /// It is not running.
    pub async fn kill(&mut self, index: usize) -> Result<()> {
        let mut process = self.servers[index].process.take().context("it is not running")?;
        process.kill().await
    }

    /// Freezes a server: connections stay, nothing answers. `Signal::CONT` lets it go on.
    ///
    /// # Errors
    /// It is not running.
    pub fn signal(&self, index: usize, signal: Signal) -> Result<()> {
        self.servers[index].process.as_ref().context("it is not running")?.signal(signal)
    }

    /// Starts a server again that was killed.
    ///
    /// # Errors
    /// It does not start.
    pub async fn restart(&mut self, index: usize) -> Result<()> {
        let file = self.folder.path().join(format!("redis-server-{index}/server.conf"));
        self.servers[index].process = Some(self.run(self.port(index), "redis-server", &file).await?);
        Ok(())
    }

    /// What a Sentinel says to a command.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn sentinel(&self, index: usize, words: &[&str]) -> Result<String> {
        self.cli(self.sentinels[index].port.number(), words).await
    }

    /// What a server says to a command, as `redis-cli` prints it.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn ask(&self, index: usize, words: &[&str]) -> Result<String> {
        self.cli(self.port(index), words).await
    }

    /// Index of the server that says it is the master of most replicas, among those that answer.
    ///
    /// # Errors
    /// None answers.
    pub async fn master(&self) -> Result<usize> {
        for index in 0..self.servers.len() {
            if self.servers[index].process.is_some()
                && self.ask(index, &["ROLE"]).await.is_ok_and(|role| role.starts_with("master"))
            {
                return Ok(index);
            }
        }
        anyhow::bail!("no server says it is the master")
    }

    async fn server(&self, program: &str, index: usize, more: &str) -> Result<Server> {
        let (port, bus) = (Port::free()?, Port::free()?);
        let folder = self.folder.path().join(format!("{program}-{index}"));
        std::fs::create_dir(&folder)?;
        let mut text = match &self.authority {
            None => format!("port {}\n", port.number()),
            Some(authority) => guarded(port.number(), authority, program),
        };
        writeln!(text, "bind 127.0.0.1\ndir {}\nprotected-mode no", folder.display())?;
        if program == "redis-server" {
            text.push_str("save \"\"\nappendonly no\nrepl-diskless-sync-delay 0\n");
        }
        if self.shape == Shape::Cluster {
            // Without it that would be the port and 10000.
            writeln!(text, "cluster-port {}", bus.number())?;
        }
        text.push_str(more);
        let file = folder.join("server.conf");
        std::fs::write(&file, text)?;
        let process = Some(self.run(port.number(), program, &file).await?);
        Ok(Server { port, _bus: bus, process })
    }

    async fn run(&self, port: u16, program: &str, file: &Path) -> Result<Process> {
        let mut command = Command::new(self.release.program(program)?);
        command.arg(file).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Process::start(program, &mut command)?;
        wait::until(&format!("{program} answers"), SETTLE, || async move {
            self.cli(port, &["PING"]).await.ok().filter(|pong| pong.trim() == "PONG").map(drop)
        })
        .await?;
        Ok(process)
    }

    /// Starts the Sentinels and waits until they know all.
    async fn watch(&mut self) -> Result<()> {
        let master = self.port(0);
        let mut more = format!(
            "sentinel monitor exams 127.0.0.1 {master} 2\nsentinel down-after-milliseconds exams 2000\n\
             sentinel failover-timeout exams 5000\n"
        );
        if self.authority.is_some() {
            more.push_str("sentinel auth-user exams admin\nsentinel auth-pass exams admin-password\n");
            more.push_str("sentinel sentinel-user admin\nsentinel sentinel-pass admin-password\n");
        }
        for index in 0..3 {
            let sentinel = self.server("redis-sentinel", index, &more).await?;
            self.sentinels.push(sentinel);
        }
        let this = &*self;
        for port in this.sentinels.iter().map(|sentinel| sentinel.port.number()) {
            wait::until("Sentinels know each other", SETTLE, || async move {
                let told = this.cli(port, &["SENTINEL", "MASTER", "exams"]).await.ok()?;
                let mut lines = told.lines();
                let mut value = |name: &str| {
                    lines.by_ref().find(|line| *line == name)?;
                    lines.next().map(str::to_owned)
                };
                let (replicas, others) = (value("num-slaves")?, value("num-other-sentinels")?);
                (replicas == "2" && others == "2").then_some(())
            })
            .await?;
        }
        Ok(())
    }

    /// Makes the servers a cluster and waits until each of them says so.
    async fn join(&self) -> Result<()> {
        let addresses: Vec<String> =
            self.servers.iter().map(|server| format!("127.0.0.1:{}", server.port.number())).collect();
        let mut words = vec!["--cluster", "create"];
        words.extend(addresses.iter().map(String::as_str));
        words.extend(["--cluster-replicas", "1", "--cluster-yes"]);
        self.cli(self.port(0), &words).await?;
        for index in 0..self.servers.len() {
            wait::until("the cluster is whole", SETTLE, || async {
                let info = self.ask(index, &["CLUSTER", "INFO"]).await.ok()?;
                let slots = self.ask(index, &["CLUSTER", "NODES"]).await.ok()?;
                let replicas =
                    slots.lines().filter(|line| line.contains("slave") && line.contains("connected")).count();
                (info.contains("cluster_state:ok") && replicas == 3).then_some(())
            })
            .await?;
        }
        Ok(())
    }

    async fn cli(&self, port: u16, words: &[&str]) -> Result<String> {
        let mut command = Command::new(self.release.program("redis-cli")?);
        command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "--raw"]);
        if let Some(authority) = &self.authority {
            let [certificate, key] = authority.server();
            command.args(["--tls", "--cacert"]).arg(authority.certificate());
            command.arg("--cert").arg(certificate).arg("--key").arg(key);
            command.args(["--user", "admin", "--no-auth-warning"]).env("REDISCLI_AUTH", "admin-password");
        }
        let output =
            tokio::time::timeout(Duration::from_secs(20), command.args(words).kill_on_drop(true).output());
        let output = output.await.context("redis-cli hangs")??;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        anyhow::ensure!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        Ok(said)
    }
}

/// The part of a Settings text that names a store.
///
/// # Errors
/// Settings write no such part.
pub fn store_table(store: Store) -> Result<String> {
    let text = Settings { store, ..Settings::default() }.to_text();
    let table = text.split("[store]").nth(1).and_then(|rest| rest.split("\n[").next());
    Ok(format!("[store]{}\n", table.context("the store")?))
}

/// The configuration of a server with TLS, client certificates and ACL users.
fn guarded(port: u16, authority: &Authority, program: &str) -> String {
    let [certificate, key] = authority.server();
    let rules = if program == "redis-sentinel" { SENTINEL_RULES } else { APP_RULES };
    let mut text = format!(
        "port 0\ntls-port {port}\ntls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}\ntls-auth-clients yes\n\
         tls-replication yes\nuser default off\nuser admin on >admin-password ~* &* +@all\nuser app {rules}\n",
        certificate.display(),
        key.display(),
        authority.certificate().display()
    );
    if program == "redis-server" {
        text.push_str("masteruser admin\nmasterauth admin-password\ntls-cluster yes\n");
    }
    text
}
