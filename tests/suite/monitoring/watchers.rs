//! The Prometheus Operator on a node, with a Prometheus and an Alertmanager that it runs.
//!
//! Input: a cluster, and the folder with their programs and definitions. Output: answers to queries. Must not know: what is
//! watched.

use anyhow::{Context, Result, ensure};
use harness::process::{Port, Process};
use harness::wait::{SETTLE, TIMEOUT};
use harness::{ApiProxy, Cluster, wait};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;

/// Namespace of Prometheus.
pub(crate) const WATCHERS: &str = "exam-watchers";
/// How often all of it is scraped.
pub(crate) const INTERVAL: &str = "5s";

/// The Prometheus Operator, a Prometheus that watches every namespace, and an Alertmanager that it tells.
pub(crate) struct Watchers {
    pub(crate) prometheus: String,
    alertmanager: String,
    _operator: Process,
    _api: ApiProxy,
    _port: Port,
}

impl Watchers {
    pub(crate) async fn start(cluster: &Cluster, folder: &Path) -> Result<Self> {
        let apply = async |what: &Path| {
            let words =
                ["kubectl", "apply", "--server-side", "--force-conflicts", "-f", &what.to_string_lossy()];
            cluster.tool(&words).await.map(drop)
        };
        let crds = folder.join("crds");
        apply(&crds).await?;
        // It leaves out for ever what is not there when it starts.
        let established = ["--for=condition=Established", TIMEOUT, "-f", &crds.to_string_lossy()];
        cluster.tool(&[["kubectl", "wait"].as_slice(), &established].concat()).await?;
        // It takes no kubeconfig.
        let (api, port) = (ApiProxy::start(cluster.kube().await?, "").await?, Port::free()?);
        let log = std::fs::File::create(folder.join("prometheus-operator.log"))?;
        let mut command = Command::new(folder.join("prometheus-operator"));
        command
            .arg(format!("--apiserver={}", api.url()))
            .arg("--prometheus-config-reloader=exam-config-reloader:dev")
            .arg(format!("--web.listen-address=127.0.0.1:{}", port.number()))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let operator = Process::start("prometheus-operator", &mut command)?;
        let objects = folder.join("watchers.json");
        std::fs::write(&objects, watchers().to_string())?;
        apply(&objects).await?;
        let pods: Api<Pod> = Api::namespaced(cluster.kube().await?, WATCHERS);
        let address = async |name: &str| {
            wait::until(name, SETTLE, || async {
                let ours = ListParams::default().labels(&format!("app.kubernetes.io/name={name}"));
                let status = pods.list(&ours).await.ok()?.items.pop()?.status?;
                let is_ready =
                    status.conditions?.iter().any(|known| known.type_ == "Ready" && known.status == "True");
                status.pod_ip.filter(|_| is_ready)
            })
            .await
        };
        let prometheus = format!("http://{}:9090", address("prometheus").await?);
        let alertmanager = format!("http://{}:9093", address("alertmanager").await?);
        Ok(Self { prometheus, alertmanager, _operator: operator, _api: api, _port: port })
    }

    /// What Alertmanager has been told of an alert, one for each set of labels.
    pub(crate) async fn told(&self, alert: &str) -> Result<Vec<Value>> {
        let mut url = reqwest::Url::parse(&format!("{}/api/v2/alerts", self.alertmanager))?;
        url.query_pairs_mut().append_pair("filter", &format!("alertname={alert}"));
        Ok(reqwest::get(url).await?.json().await?)
    }

    /// What Prometheus says at a path of its API.
    pub(crate) async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        let mut url = reqwest::Url::parse(&format!("{}/api/v1/{path}", self.prometheus))?;
        url.query_pairs_mut().extend_pairs(query);
        let said: Value = reqwest::get(url).await?.json().await?;
        ensure!(said["status"] == "success", "{path} {query:?}: {said}");
        Ok(said["data"].clone())
    }

    /// How many series a query gives now.
    async fn count(&self, query: &str) -> Result<usize> {
        let found = self.ask("query", &[("query", query)]).await?;
        Ok(found["result"].as_array().map_or(0, Vec::len))
    }

    /// Waits until a query gives so many series.
    pub(crate) async fn sees(&self, query: &str, count: usize) -> Result<()> {
        let seen =
            wait::until(query, SETTLE, || async { (self.count(query).await.ok()? == count).then_some(()) });
        let Err(error) = seen.await else { return Ok(()) };
        let targets = self.ask("targets", &[("state", "active")]).await?;
        let targets: Vec<String> = targets["activeTargets"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|target| format!("{} {} {}", target["labels"], target["health"], target["lastError"]))
            .collect();
        Err(error).with_context(|| targets.join("\n"))
    }
}

fn watchers() -> Value {
    let account = json!({"kind": "ServiceAccount", "name": "prometheus", "namespace": WATCHERS});
    let read = json!({"apiGroups": ["", "discovery.k8s.io"], "resources": ["services", "endpoints", "pods", "endpointslices"], "verbs": ["get", "list", "watch"]});
    json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": WATCHERS}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "prometheus", "namespace": WATCHERS}},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "prometheus"}, "rules": [read]},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "prometheus"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "prometheus"}, "subjects": [account],
        },
        {
            "apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus",
            "metadata": {"name": "watchers", "namespace": WATCHERS},
            "spec": {
                "image": "exam-prometheus:dev", "version": "v3.5.0", "serviceAccountName": "prometheus",
                "scrapeInterval": INTERVAL, "evaluationInterval": INTERVAL,
                "serviceMonitorSelector": {}, "serviceMonitorNamespaceSelector": {},
                "ruleSelector": {}, "ruleNamespaceSelector": {},
                "alerting": {"alertmanagers": [{"namespace": WATCHERS, "name": "alertmanager-operated", "port": "web"}]},
                "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}},
            },
        },
        {
            "apiVersion": "monitoring.coreos.com/v1", "kind": "Alertmanager",
            "metadata": {"name": "watchers", "namespace": WATCHERS},
            "spec": {
                "image": "exam-alertmanager:dev", "version": "v0.25.0", "replicas": 1,
                "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}},
            },
        },
    ]})
}
