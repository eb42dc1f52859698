//! A real Kubernetes node with the chart installed, shared by the tests of one run.
//!
//! Input: the programs of this workspace. Output: a client, namespaces under the restricted profile, kubectl and
//! helm. The node stays up after a run of single tests; `make test` ends it.

mod images;
mod namespace;

pub use namespace::TestNamespace;

use crate::wait;
use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client as Kube};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, MutexGuard, OnceCell, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Environment variable with the name of the node that the tests of one run share: checkouts beside each other take names of
/// their own.
const SHARED_VARIABLE: &str = "EXAM_TEST_CLUSTER";
/// That name, where the variable is not set.
const SHARED_NAME: &str = "test";
/// Release and namespace of the operator.
pub const RELEASE: &str = "exams";
/// Arguments of helm with which the operator's chart takes them, also that of an earlier release.
pub const IMAGE_VALUES: [&str; 6] = [
    "--set",
    "image.tag=dev",
    "--set",
    "defaults.serviceImage=exam-service:dev",
    "--set",
    "defaults.redisImage=exam-redis:dev",
];
/// What the command says when this machine cannot hold a node.
const CANNOT: i32 = 3;

/// The node. Tests that only use it share it; a test that takes the operator away has it alone.
#[derive(Debug)]
pub struct Cluster {
    name: String,
    kubeconfig: PathBuf,
    operator: RwLock<()>,
    _turn: Option<MutexGuard<'static, ()>>,
}

/// Clusters of several nodes are not up at the same time: each is enough for a small machine.
static SEVERAL_NODES: Mutex<()> = Mutex::const_new(());
static SHARED: OnceCell<Option<Cluster>> = OnceCell::const_new();

impl Cluster {
    /// The node of this run, with the operator installed; started by whoever asks first. `None`, said
    /// aloud, where this machine cannot hold one; in CI that is a failure.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn shared() -> Result<Option<&'static Self>> {
        let name = std::env::var(SHARED_VARIABLE).unwrap_or_else(|_| SHARED_NAME.to_owned());
        let cluster = SHARED.get_or_try_init(|| Self::up(&name)).await?.as_ref();
        if cluster.is_none() {
            skip()?;
        }
        Ok(cluster)
    }

    /// Runs a test on nodes of its own, and ends them. Without nodes that is said aloud; in CI it is a failure.
    ///
    /// # Errors
    /// The test's, or something of them is still there.
    pub async fn lend(cluster: Option<Self>, test: impl AsyncFnOnce(&Self) -> Result<()>) -> Result<()> {
        let Some(cluster) = cluster else { return skip() };
        let tested = test(&cluster).await;
        tested.and(cluster.down().await)
    }

    /// Starts a node, or finds it up, with this workspace's images and the operator installed. `None`,
    /// after a line that says why, where this machine cannot hold one.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn up(name: &str) -> Result<Option<Self>> {
        Self::with_nodes(name, 1).await
    }

    /// The same with so many nodes.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn with_nodes(name: &str, nodes: usize) -> Result<Option<Self>> {
        let Some(cluster) = Self::bare(name, nodes).await? else { return Ok(None) };
        cluster.load_images().await?;
        cluster.install().await?;
        Ok(Some(cluster))
    }

    /// Starts a node, or finds it up, with nothing on it.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn node(name: &str) -> Result<Option<Self>> {
        Self::bare(name, 1).await
    }

    async fn bare(name: &str, nodes: usize) -> Result<Option<Self>> {
        let turn = match nodes {
            1 => None,
            _ => Some(SEVERAL_NODES.lock().await),
        };
        // Its progress is shown as it comes; only what it prints at the end is read.
        let mut up = command();
        let up = up.args(["up", name, "--nodes", &nodes.to_string()]);
        let up = up.stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        let output = up.spawn()?.wait_with_output().await?;
        if output.status.code() == Some(CANNOT) {
            return Ok(None);
        }
        ensure!(output.status.success(), "the node does not come up");
        let said = String::from_utf8(output.stdout)?;
        let kubeconfig = PathBuf::from(said.lines().last().context("no kubeconfig")?);
        Ok(Some(Self { name: name.to_owned(), kubeconfig, operator: RwLock::new(()), _turn: turn }))
    }

    /// Ends it, and removes what it left.
    ///
    /// # Errors
    /// Something of it is still there.
    pub async fn down(self) -> Result<()> {
        run(command().args(["down", &self.name])).await?;
        Ok(())
    }

    /// Installs the chart with this workspace's images, or brings it up to date.
    ///
    /// # Errors
    /// Helm's.
    pub async fn install(&self) -> Result<String> {
        self.install_with(&[]).await
    }

    /// The same with more arguments of helm.
    ///
    /// # Errors
    /// Helm's.
    pub async fn install_with(&self, more: &[&str]) -> Result<String> {
        let chart = workspace().join("charts/adaptive-exam-operator");
        let chart = chart.to_string_lossy();
        let restart = format!("podAnnotations.started={}", std::process::id());
        let words = [
            "helm",
            "upgrade",
            "--install",
            RELEASE,
            &chart,
            "--namespace",
            RELEASE,
            "--create-namespace",
            "--set",
            "defaults.exporterImage=exam-redis-exporter:dev",
            "--set-string",
            &restart,
            "--wait",
            wait::TIMEOUT,
        ];
        self.tool(&[words.as_slice(), &IMAGE_VALUES, more].concat()).await
    }

    /// Installs a file of the folder `manifests` with images under the names of a release, or brings it up to date.
    ///
    /// # Errors
    /// kubectl's, and what it tells of the pods.
    pub async fn install_manifest(&self, file: &str, namespace: &str) -> Result<()> {
        const OPERATOR: &str = "deployment/exam-operator";
        let kubectl =
            async |words: &[&str]| self.tool(&[&["kubectl", "-n", namespace], words].concat()).await;
        let before = kubectl(&["get", OPERATOR, "--ignore-not-found", "-o", "name"]).await?;
        let file = workspace().join("manifests").join(file);
        self.tool(&["kubectl", "apply", "--server-side", "-f", &file.to_string_lossy()]).await?;
        if !before.is_empty() {
            // An image of the same name may be another one.
            kubectl(&["rollout", "restart", OPERATOR]).await?;
        }
        let Err(error) = kubectl(&["rollout", "status", OPERATOR, wait::TIMEOUT]).await else {
            return Ok(());
        };
        Err(error).context(kubectl(&["describe", "pods"]).await?)
    }

    /// The operator is there for as long as the guard lives.
    pub async fn with_operator(&self) -> RwLockReadGuard<'_, ()> {
        self.operator.read().await
    }

    /// Nobody else uses the operator for as long as the guard lives.
    pub async fn alone(&self) -> RwLockWriteGuard<'_, ()> {
        self.operator.write().await
    }

    /// A client of its API server.
    ///
    /// # Errors
    /// The kubeconfig is of no use.
    pub async fn kube(&self) -> Result<Kube> {
        // A second test may have set it; then it is the same.
        let _set_before = rustls::crypto::ring::default_provider().install_default();
        let kubeconfig = Kubeconfig::read_from(&self.kubeconfig)?;
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        Ok(Kube::try_from(config)?)
    }

    /// Runs kubectl or helm against it and gives what it printed.
    ///
    /// # Errors
    /// The tool failed; the error holds what it said.
    pub async fn tool(&self, words: &[&str]) -> Result<String> {
        run(command().args(["exec", &self.name, "--"]).args(words)).await
    }

    /// Starts kubectl or helm against it; what it prints can be read while it runs, and it ends with the value.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_tool(&self, words: &[&str]) -> Result<Child> {
        let mut tool = command();
        tool.args(["exec", &self.name, "--"]).args(words);
        Ok(tool.stdout(Stdio::piped()).kill_on_drop(true).spawn()?)
    }

    /// Cuts a node off (`cut`), joins it again (`join`), ends it (`lose`) or starts it again (`restore`).
    ///
    /// # Errors
    /// There is no such node, or the system's.
    pub async fn break_node(&self, what: &str, node: &str) -> Result<()> {
        run(command().args([what, &self.name, node])).await.map(drop)
    }

    /// Brings the operators of the installation to this number, and waits until they are so many.
    ///
    /// # Errors
    /// kubectl's.
    pub async fn scale_operator(&self, count: u32) -> Result<()> {
        let replicas = format!("--replicas={count}");
        self.tool(&["kubectl", "-n", RELEASE, "scale", "deployment", RELEASE, &replicas]).await?;
        let status = ["kubectl", "-n", RELEASE, "rollout", "status", "deployment", RELEASE, wait::TIMEOUT];
        self.tool(&status).await?;
        // A pod that is on its way out still writes.
        let api: Api<Pod> = Api::namespaced(self.kube().await?, RELEASE);
        let ours = ListParams::default().labels("app.kubernetes.io/name=adaptive-exam-operator");
        wait::until("the operators to be as many", wait::SETTLE, || async {
            let pods = api.list(&ours).await.ok()?.items;
            (pods.len() == usize::try_from(count).ok()?).then_some(())
        })
        .await
    }

    /// Its kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The API server's audit log.
    pub fn audit_log(&self) -> PathBuf {
        self.kubeconfig.with_file_name("audit.log")
    }

    /// Sends a signal to the processes of this program in a pod.
    ///
    /// # Errors
    /// There is none, or the system's.
    pub fn signal(&self, pod_uid: &str, program: &str, signal: Signal) -> Result<()> {
        let mut count = 0;
        for entry in std::fs::read_dir("/proc")? {
            let entry = entry?;
            let read = |file| std::fs::read_to_string(entry.path().join(file)).unwrap_or_default();
            let pid = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
            let Some(pid) =
                pid.filter(|_| read("comm").trim() == program && read("cgroup").contains(pod_uid))
            else {
                continue;
            };
            kill_process(pid, signal)?;
            count += 1;
        }
        ensure!(count > 0, "no {program} runs in a pod {pod_uid}");
        Ok(())
    }

    /// A new namespace under the restricted profile.
    ///
    /// # Errors
    /// The API server's.
    pub async fn namespace(&self, name: &str) -> Result<TestNamespace> {
        let kube = self.kube().await?;
        let api: Api<Namespace> = Api::all(kube.clone());
        // A run before this one may have left it.
        if api.delete(name, &DeleteParams::default()).await.is_ok() {
            wait::until("the old namespace's end", wait::SETTLE, || async {
                matches!(api.get_opt(name).await, Ok(None)).then_some(())
            })
            .await?;
        }
        let restricted = ("pod-security.kubernetes.io/enforce".to_owned(), "restricted".to_owned());
        let metadata = ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(BTreeMap::from([restricted])),
            ..ObjectMeta::default()
        };
        api.create(&PostParams::default(), &Namespace { metadata, ..Namespace::default() }).await?;
        Ok(TestNamespace { kube, name: name.to_owned() })
    }
}

/// A test that did not run says so where one looks.
#[expect(clippy::print_stdout, reason = "the harness prints what a test would")]
fn skip() -> Result<()> {
    ensure!(std::env::var_os("CI").is_none(), "CI must run the tests on real nodes");
    println!("SKIPPED: no real node here; the line above says why");
    Ok(())
}

/// The top of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn command() -> Command {
    let mut command = Command::new(workspace().join("tests/cluster/cluster"));
    command.stdin(Stdio::null());
    command
}

async fn run(command: &mut Command) -> Result<String> {
    let output = command.output().await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ensure!(
        output.status.success(),
        "{:?}: {}{}",
        command.as_std(),
        text(&output.stdout),
        text(&output.stderr)
    );
    Ok(text(&output.stdout))
}
