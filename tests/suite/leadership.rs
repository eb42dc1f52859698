//! Two operators on a real node: one works, and the other takes over.

use crate::e2e::resource;
use anyhow::{Context, Result, ensure};
use harness::cluster::RELEASE;
use harness::wait::SETTLE;
use harness::{Cluster, wait};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use operator::crd::AdaptiveExamDeployment;
use rustix::process::Signal;
use serde_json::json;
use std::time::Instant;

async fn holder(leases: &Api<Lease>) -> Option<String> {
    let lease = leases.get(RELEASE).await.ok()?;
    lease.spec?.holder_identity.filter(|holder| !holder.is_empty())
}

/// The same image under another name is what another version of the chart would have as its default.
#[tokio::test]
async fn an_upgrade_of_the_operator_replaces_no_pod_unasked() -> Result<()> {
    let Some(cluster) = Cluster::shared().await? else { return Ok(()) };
    let _alone = cluster.alone().await;
    let namespace = cluster.namespace("exam-upgrade").await?;
    namespace.api().create(&PostParams::default(), &resource("practice", json!({}))?).await?;
    namespace.ready("practice", "memory").await?;
    let pods = async || {
        let listed = namespace.api::<Pod>().list(&ListParams::default()).await?;
        anyhow::Ok(listed.into_iter().map(|pod| pod.metadata.uid).collect::<Vec<_>>())
    };
    let before = pods().await?;
    let upgrade = async |image: &str| {
        let image = format!("EXAM_SERVICE_IMAGE={image}");
        cluster.tool(&["kubectl", "-n", RELEASE, "set", "env", "deployment", RELEASE, &image]).await?;
        cluster.tool(&["kubectl", "-n", RELEASE, "rollout", "status", "deployment", RELEASE]).await
    };
    upgrade("docker.io/library/exam-service:dev").await?;
    let api: Api<AdaptiveExamDeployment> = namespace.api();
    let message = wait::until("the update to be told", SETTLE, || async {
        let conditions = api.get("practice").await.ok()?.status?.conditions;
        let waiting = conditions.into_iter().find(|known| known.type_ == "UpdateWaiting")?;
        (waiting.reason == "OperatorUpgraded").then_some(waiting.message)
    })
    .await?;
    // A change of the mode does not bring it in.
    let basic = Patch::Merge(json!({"spec": {"redis": {"mode": "basic"}}}));
    api.patch("practice", &PatchParams::default(), &basic).await?;
    namespace.ready("practice", "basic").await?;
    ensure!(pods().await?.contains(&before[0]), "the pod that served still serves");
    let (_, annotation) = message.rsplit_once(' ').context("an annotation")?;
    let (name, id) = annotation.split_once('=').context("a value")?;
    let approval = Patch::Merge(json!({"metadata": {"annotations": {name: id}}}));
    api.patch("practice", &PatchParams::default(), &approval).await?;
    wait::until("another pod", SETTLE, || async { (!pods().await.ok()?.contains(&before[0])).then_some(()) })
        .await?;
    namespace.ready("practice", "basic").await?;
    upgrade("exam-service:dev").await?;
    namespace.remove().await
}

#[tokio::test]
async fn another_operator_takes_over() -> Result<()> {
    let Some(cluster) = Cluster::shared().await? else { return Ok(()) };
    let _alone = cluster.alone().await;
    let kube = cluster.kube().await?;
    let leases: Api<Lease> = Api::namespaced(kube.clone(), RELEASE);
    let pods: Api<Pod> = Api::namespaced(kube, RELEASE);
    let namespace = cluster.namespace("exam-leadership").await?;
    let another = async |before: &str| {
        let start = Instant::now();
        let now = wait::until("another holder of the Lease", SETTLE, || async {
            holder(&leases).await.filter(|now| now != before)
        })
        .await?;
        anyhow::Ok((now, start.elapsed()))
    };
    let (first, _) = another("").await?;
    ensure!(pods.get(&first).await.is_ok(), "{first} is a pod");

    pods.delete(&first, &DeleteParams::default()).await?;
    let (second, took) = another(&first).await?;
    println!("after a clean end another operator leads in {took:?}");
    namespace.api().create(&PostParams::default(), &resource("practice", json!({}))?).await?;
    namespace.ready("practice", "memory").await?;

    let id = pods.get(&second).await?.metadata.uid.context("an id")?;
    // The container comes back under the name of its pod, and still holds the Lease.
    cluster.signal(&id, "exam-operator", Signal::KILL)?;
    let start = Instant::now();
    namespace.api().create(&PostParams::default(), &resource("quiz", json!({}))?).await?;
    namespace.ready("quiz", "memory").await?;
    println!("after a kill a new resource is Ready in {:?}", start.elapsed());

    // A frozen one says nothing, and learns later that it leads no more: it ends, and comes back as a candidate.
    let restarts = async |pod: &str| {
        let status = pods.get(pod).await?.status.and_then(|status| status.container_statuses);
        anyhow::Ok(status.into_iter().flatten().map(|container| container.restart_count).sum::<i32>())
    };
    let frozen = holder(&leases).await.context("a holder")?;
    let id = pods.get(&frozen).await?.metadata.uid.context("an id")?;
    let before = restarts(&frozen).await?;
    cluster.signal(&id, "exam-operator", Signal::STOP)?;
    let (third, took) = another(&frozen).await?;
    println!("after it was frozen another operator leads in {took:?}");
    // The kubelet may have replaced it meanwhile, as it answers no probe.
    let _ = cluster.signal(&id, "exam-operator", Signal::CONT);
    namespace.api().create(&PostParams::default(), &resource("final", json!({}))?).await?;
    namespace.ready("final", "memory").await?;
    wait::until("the end of the frozen operator", SETTLE, || async {
        (restarts(&frozen).await.ok()? > before).then_some(())
    })
    .await?;
    ensure!(holder(&leases).await.as_deref() == Some(third.as_str()), "{third} leads on");
    Ok(())
}
