//! What platform teams install, on a real node: the charts as they are delivered.
//!
//! Input: the charts, and that of the release before. Output: none. Must not know: what the operator does.

use crate::e2e::{create, resource};
use anyhow::{Result, ensure};
use harness::cluster::{IMAGE_VALUES, RELEASE, TestNamespace, workspace};
use harness::wait::{SETTLE, TIMEOUT};
use harness::{Cluster, Examinee, wait};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, PostParams};
use serde_json::json;

/// The chart as it was packaged before monitoring was in it.
const EARLIER: &str = "tests/earlier-chart.tgz";

/// Names and ids of all pods.
async fn pods(namespace: &TestNamespace) -> Result<Vec<(Option<String>, Option<String>)>> {
    let listed = namespace.api::<Pod>().list(&ListParams::default()).await?;
    Ok(listed.into_iter().map(|pod| (pod.metadata.name, pod.metadata.uid)).collect())
}

#[tokio::test]
async fn a_release_is_upgraded_rolled_back_tested_and_stands_beside_another() -> Result<()> {
    let Some(cluster) = Cluster::shared().await? else { return Ok(()) };
    let _alone = cluster.alone().await;
    let walked = walk(cluster).await;
    // Whoever comes next finds the installation as it was.
    let _gone = cluster
        .tool(&["helm", "uninstall", "second", "-n", "exam-second", "--wait", "--ignore-not-found"])
        .await;
    let back = cluster.install().await;
    walked?;
    back.map(drop)
}

async fn walk(cluster: &Cluster) -> Result<()> {
    let images = [IMAGE_VALUES.as_slice(), &["--wait", TIMEOUT]].concat();
    let helm = async |words: &[&str], more: &[&str]| cluster.tool(&[&["helm"], words, more].concat()).await;
    let here = ["--namespace", RELEASE];
    helm(&["uninstall", RELEASE, "--wait"], &here).await?;
    let earlier = workspace().join(EARLIER);
    helm(&["install", RELEASE, &earlier.to_string_lossy()], &[here.as_slice(), &images].concat()).await?;
    let first = cluster.namespace("exam-first").await?;
    let spec = json!({"auth": {"mode": "none"}, "redis": {"mode": "basic"}});
    first.api().create(&PostParams::default(), &resource("midterm", spec)?).await?;
    first.ready("midterm", "basic").await?;
    let served = pods(&first).await?;

    // To the chart of today and back: the pods of exams stay, and so do the resources.
    cluster.install().await?;
    first.ready("midterm", "basic").await?;
    helm(&["rollback", RELEASE, "1", "--wait", TIMEOUT], &here).await?;
    cluster.install().await?;
    first.ready("midterm", "basic").await?;
    ensure!(pods(&first).await? == served, "no pod of an exam service was replaced");

    // Its own test takes an exam.
    let url = ["--set", "test.url=http://midterm.exam-first.svc:8000", "--set", "watchNamespace=exam-first"];
    cluster.install_with(&url).await?;
    let said = helm(&["test", RELEASE, "--logs", TIMEOUT], &here).await?;
    ensure!(said.contains("acknowledged answers counts once"), "{said}");

    // Another release beside it, each with a namespace of its own.
    let second = cluster.namespace("exam-second").await?;
    let chart = workspace().join("charts/adaptive-exam-operator");
    let apart =
        ["--namespace", "exam-second", "--set", "watchNamespace=exam-second", "--set", "crds.install=false"];
    helm(&["install", "second", &chart.to_string_lossy()], &[apart.as_slice(), &images].concat()).await?;
    create(&second, "midterm", "memory").await?;
    second.ready("midterm", "memory").await?;
    ensure!(pods(&first).await? == served, "the other release leaves this one alone");
    helm(&["uninstall", "second", "--wait"], &["--namespace", "exam-second"]).await?;
    // What ran goes on without an operator.
    let client = second.exams("midterm").await?;
    Examinee::start(&client, 3).await?.finish(&client).await?;

    // An exam service by the chart that has the fields of a resource as values.
    let exam = workspace().join("charts/adaptive-exam");
    helm(&["install", "practice", &exam.to_string_lossy()], &["--namespace", "exam-first"]).await?;
    wait::until("the resource of the chart", SETTLE, || async {
        first.ready("practice", "memory").await.ok()
    })
    .await?;
    helm(&["uninstall", "practice", "--wait"], &["--namespace", "exam-first"]).await?;
    first.remove().await?;
    second.remove().await
}
