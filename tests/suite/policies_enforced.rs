//! Network policies on a real node whose network enforces them: strangers stay outside, and all that has to work works.

use crate::e2e::{resource, undisturbed};
use anyhow::{Context, Result, ensure};
use harness::cluster::TestNamespace;
use harness::wait::SETTLE;
use harness::{Cluster, Examinee, wait};
use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use serde_json::{Value, json};

/// A pod from which a connection can be tried.
async fn guest(namespace: &TestNamespace, name: &str, labels: Value) -> Result<()> {
    let pod = json!({
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{
                "name": "guest", "image": "exam-redis:dev",
                "command": ["redis-server", "--port", "7777", "--save", "", "--dir", "/tmp"],
                "securityContext": {
                    "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
                    "seccompProfile": {"type": "RuntimeDefault"}, "runAsNonRoot": true, "runAsUser": 999,
                },
            }],
        },
    });
    let api = namespace.api::<Pod>();
    api.create(&PostParams::default(), &serde_json::from_value(pod)?).await?;
    wait::until("a guest", SETTLE, || async {
        let status = api.get(name).await.ok()?.status?;
        (status.phase.as_deref() == Some("Running")).then_some(())
    })
    .await
}

/// Whether a pod gets a connection to a port, where Redis or HTTP is spoken.
async fn reaches(cluster: &Cluster, namespace: &str, pod: &str, host: &str, port: u16) -> Result<bool> {
    let port = port.to_string();
    let ping = ["redis-cli", "-h", host, "-p", &port, "ping"];
    let said =
        cluster.tool(&[&["kubectl", "-n", namespace, "exec", pod, "--"], ping.as_slice()].concat()).await;
    let said = said.unwrap_or_else(|error| error.to_string());
    let is_refused = said.contains("Could not connect");
    let is_answered =
        ["NOAUTH", "PONG", "Protocol error", "Server closed"].iter().any(|word| said.contains(word));
    ensure!(is_refused != is_answered, "{pod} at {host}:{port}: {said}");
    Ok(is_answered)
}

#[tokio::test]
async fn strangers_reach_neither_redis_nor_the_ops_port() -> Result<()> {
    let Some(cluster) = Cluster::shared().await? else { return Ok(()) };
    let _operator = cluster.with_operator().await;
    let name = "exam-policies";
    let namespace = cluster.namespace(name).await?;
    let spec = json!({"redis": {"mode": "basic"}});
    namespace.api().create(&PostParams::default(), &resource("midterm", spec)?).await?;
    namespace.ready("midterm", "basic").await.context("operator and service reach what they have to")?;
    guest(&namespace, "stranger", json!({"app": "stranger"})).await?;
    guest(&namespace, "exporter", json!({"exam.dreamseed.ai/redis-access": "midterm"})).await?;
    guest(&namespace, "scraper", json!({"app.kubernetes.io/name": "prometheus"})).await?;
    let try_it = async |pod: &str, host: &str, port: u16| reaches(cluster, name, pod, host, port).await;
    // A rule for a pod that is new takes a moment to come.
    for (pod, host, port) in [
        ("exporter", "midterm-redis", 6379),
        ("scraper", "midterm-ops", 9000),
        ("stranger", "midterm", contract::API_PORT),
    ] {
        wait::until(&format!("{pod} to reach {host}"), SETTLE, || async {
            try_it(pod, host, port).await.ok()?.then_some(())
        })
        .await?;
    }
    let redis = namespace.api::<Pod>().get("midterm-redis-0").await?;
    let address = redis.status.and_then(|status| status.pod_ip).context("an address")?;
    for (pod, host, port) in [
        ("stranger", "midterm-redis", 6379),
        ("stranger", address.as_str(), 6379),
        ("stranger", "midterm-ops", 9000),
        ("scraper", "midterm-redis", 6379),
        ("exporter", "midterm-ops", 9000),
    ] {
        ensure!(!try_it(pod, host, port).await?, "{pod} reaches {host}:{port}");
    }
    let client = namespace.exams("midterm").await?;
    let mut examinee = Examinee::start(&client, 10).await?;
    examinee.finish(&client).await?;
    ensure!(examinee.replies == undisturbed(10).await?, "exams run on");
    namespace.remove().await
}
