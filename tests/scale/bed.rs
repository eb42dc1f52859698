//! What the benchmark runs on: a cluster with a faked node, and one operator with the rights of its chart.
//!
//! Input: a name, and the program kwok. Output: the cluster, ready to be used, and its end. Must not know: what is measured.

use crate::stand_in::StandIn;
use anyhow::{Context, Result};
use harness::cluster::{RELEASE, workspace};
use harness::process::Process;
use harness::{Cluster, Operator, wait};
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::config::Kubeconfig;
use operator::crd::AdaptiveExamDeployment;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::process::Command;

/// Where the resources are.
const NAMESPACE: &str = "school";
/// Addresses of faked pods. This machine answers at all of them.
const PODS: &str = "10.250.0.0/16";
const SETTLE: Duration = Duration::from_secs(60);

/// Bytes of memory that a process held at most.
pub fn peak(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
    Ok(line.split_whitespace().next().unwrap_or_default().parse::<u64>()? * 1024)
}

pub struct Bed {
    cluster: Cluster,
    kube: kube::Client,
    operator: Operator,
    _kwok: Process,
    _stand_in: StandIn,
    _folder: TempDir,
}

impl Bed {
    /// Starts everything; `None`, after a line that says why, where this machine cannot hold a cluster.
    pub async fn start(name: &str, kwok: &Path) -> Result<Option<Self>> {
        let Some(cluster) = Cluster::node(name).await? else { return Ok(None) };
        let folder = TempDir::new()?;
        let kube = cluster.kube().await?;
        let node = fake_node(&cluster, kwok, folder.path()).await?;
        route("replace").await?;
        let stand_in = StandIn::start(
            Api::namespaced(kube.clone(), NAMESPACE),
            Api::namespaced(kube.clone(), NAMESPACE),
        )
        .await?;
        let account = install(&cluster, folder.path()).await?;
        let mut operator = Operator::stopped(&account, None)?;
        operator.start().await?;
        Ok(Some(Self { cluster, kube, operator, _kwok: node, _stand_in: stand_in, _folder: folder }))
    }

    pub fn resources(&self) -> Api<AdaptiveExamDeployment> {
        Api::namespaced(self.kube.clone(), NAMESPACE)
    }

    pub fn audit_log(&self) -> PathBuf {
        self.cluster.audit_log()
    }

    /// The operator's pid.
    pub fn operator(&self) -> Option<u32> {
        self.operator.pid()
    }

    /// Ends everything and leaves nothing.
    pub async fn end(self) -> Result<()> {
        let Self { cluster, operator, .. } = self;
        drop(operator);
        route("del").await?;
        cluster.down().await
    }
}

/// Has this machine answer at the addresses of faked pods, or no longer.
async fn route(what: &str) -> Result<()> {
    let status = Command::new("ip").args(["route", what, "local", PODS, "dev", "lo"]).status().await?;
    anyhow::ensure!(status.success(), "ip route {what}");
    Ok(())
}

/// A node that is none: kwok says of its pods that they run.
async fn fake_node(cluster: &Cluster, kwok: &Path, folder: &Path) -> Result<Process> {
    let log = std::fs::File::create(folder.join("kwok.log"))?;
    let mut command = Command::new(kwok);
    command
        .arg("--kubeconfig")
        .arg(cluster.kubeconfig())
        .arg("--config")
        .arg(workspace().join("tests/scale/stages.yaml"))
        .args(["--manage-nodes-with-annotation-selector", "kwok.x-k8s.io/node=fake", "--cidr", PODS])
        .args(["--node-lease-duration-seconds", "40"])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    let process = Process::start("kwok", &mut command)?;
    let node = json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": "faked", "annotations": {"kwok.x-k8s.io/node": "fake"}, "labels": {"kubernetes.io/hostname": "faked"}},
    });
    apply(cluster, &folder.join("node.json"), &node.to_string()).await?;
    // The real node is full of nothing: pods that run would cost what is not measured.
    cluster.tool(&["kubectl", "cordon", "-l", "kubernetes.io/hostname!=faked"]).await?;
    let nodes: Api<Node> = Api::all(cluster.kube().await?);
    wait::until("the faked node", SETTLE, || async {
        let conditions = nodes.get("faked").await.ok()?.status?.conditions?;
        conditions.iter().any(|known| known.type_ == "Ready" && known.status == "True").then_some(())
    })
    .await?;
    Ok(process)
}

/// The definition, the operator's account with the rights of its chart, and a Secret that every resource names; gives a
/// kubeconfig of that account.
async fn install(cluster: &Cluster, folder: &Path) -> Result<PathBuf> {
    let crds = workspace().join("crds/adaptiveexamdeployments.yaml");
    cluster.tool(&["kubectl", "apply", "--server-side", "-f", &crds.to_string_lossy()]).await?;
    for name in [RELEASE, NAMESPACE] {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        apply(cluster, &folder.join("namespace.json"), &namespace.to_string()).await?;
    }
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "exam-db", "namespace": NAMESPACE},
        "stringData": {"url": "postgres://exam:word@nowhere:5432/exams"},
    });
    apply(cluster, &folder.join("secret.json"), &secret.to_string()).await?;
    let chart = workspace().join("charts/adaptive-exam-operator");
    let chart = chart.to_string_lossy();
    let rules = ["helm", "template", RELEASE, &chart, "-n", RELEASE, "--show-only", "templates/rbac.yaml"];
    let rules = cluster.tool(&rules).await?;
    apply(cluster, &folder.join("rbac.yaml"), &rules).await?;
    let token =
        cluster.tool(&["kubectl", "-n", RELEASE, "create", "token", RELEASE, "--duration", "24h"]).await?;
    let known = Kubeconfig::read_from(cluster.kubeconfig())?;
    let of = known.clusters.into_iter().next().and_then(|named| named.cluster).context("a cluster")?;
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "operator",
        "clusters": [{"name": "operator", "cluster": of}],
        "users": [{"name": "operator", "user": {"token": token.trim()}}],
        "contexts": [{"name": "operator", "context": {"cluster": "operator", "user": "operator"}}],
    });
    let path = folder.join("kubeconfig");
    std::fs::write(&path, kubeconfig.to_string())?;
    Ok(path)
}

async fn apply(cluster: &Cluster, file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text)?;
    cluster.tool(&["kubectl", "apply", "-f", &file.to_string_lossy()]).await?;
    Ok(())
}
