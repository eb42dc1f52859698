//! Volumes and pods of a resource on a real node: grown, patched, and wrong wishes told.

use crate::e2e::{resource, undisturbed};
use crate::replicas::change;
use anyhow::{Context, Result, ensure};
use harness::cluster::TestNamespace;
use harness::crowd::Crowd;
use harness::wait::SETTLE;
use harness::{Cluster, wait};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use operator::crd::AdaptiveExamDeployment;
use serde_json::{Value, json};
use std::time::Instant;

/// Names and ids of all pods.
async fn pods(namespace: &TestNamespace) -> Result<Vec<(Option<String>, Option<String>)>> {
    let listed = namespace.api::<Pod>().list(&ListParams::default()).await?;
    Ok(listed.into_iter().map(|pod| (pod.metadata.name, pod.metadata.uid)).collect())
}

/// Sizes of the volumes, by the names of their claims.
async fn sizes(namespace: &TestNamespace) -> Result<Vec<(String, String)>> {
    let listed = namespace.api::<PersistentVolumeClaim>().list(&ListParams::default()).await?;
    let size = |claim: PersistentVolumeClaim| {
        let held = claim.status?.capacity?.get("storage")?.0.clone();
        Some((claim.metadata.name?, held))
    };
    Ok(listed.into_iter().filter_map(size).collect())
}

#[tokio::test]
async fn volumes_grow_while_exams_run_and_pods_are_patched() -> Result<()> {
    let Some(cluster) = Cluster::shared().await? else { return Ok(()) };
    let _operator = cluster.with_operator().await;
    let namespace = cluster.namespace("exam-shape").await?;
    let spec = json!({"redis": {"mode": "basic"}});
    namespace.api().create(&PostParams::default(), &resource("midterm", spec)?).await?;
    namespace.ready("midterm", "basic").await?;
    let before = pods(&namespace).await?;
    let client = namespace.exams("midterm").await?;
    let crowd = Crowd::sit(&client, 8);

    let start = Instant::now();
    let larger = json!({"database": {"storage": {"size": "2Gi"}}, "redis": {"storage": {"size": "1.5Gi"}}});
    change(&namespace, larger).await?;
    let wanted = [("data-midterm-redis-0", "1536Mi"), ("midterm-data", "2Gi")];
    wait::until("volumes of another size", SETTLE, || async {
        let sizes = sizes(&namespace).await.ok()?;
        let now: Vec<_> = sizes.iter().map(|(claim, size)| (claim.as_str(), size.as_str())).collect();
        (now == wanted).then_some(())
    })
    .await
    .with_context(|| format!("wanted {wanted:?}"))?;
    namespace.ready("midterm", "basic").await?;
    println!("volumes have grown after {:?}", start.elapsed());
    let smaller = json!({"database": {"storage": {"size": "1Gi"}}});
    let refused = change(&namespace, smaller).await.err().context("a refusal")?.to_string();
    ensure!(refused.contains("a volume cannot be made smaller"), "{refused}");

    // What the definition does not know of is kept with all that is nested in it, and adopted.
    let policy = json!({
        "estimator": {"method": "eap", "prior": {"normal": {"mean": 0.5, "sd": 1.5}}},
        "stop": {"max_items": 7, "rules": [{"rule": "standard_error", "at_most": 0.25}]},
    });
    change(
        &namespace,
        json!({"exam": {"types": {"placement": {"maxItems": 20}, "deep": {"policy": policy}}}}),
    )
    .await?;
    let kept = namespace.api::<AdaptiveExamDeployment>().get("midterm").await?;
    let kept = kept.spec.exam.types.get("deep").and_then(|deep| deep.policy.clone()).map(Value::Object);
    ensure!(kept.as_ref() == Some(&policy), "{kept:?}");
    namespace.ready("midterm", "basic").await?;
    let deep = client.post("/start", json!({"exam_type": "deep"})).await?;
    ensure!(deep.body["max_items"] == 7, "{deep:?}");

    let wrong = json!({"service": {"podPatch": {"spec": {"tolerance": [], "hostNetwork": false}}}});
    change(&namespace, wrong).await?;
    let words = "spec.service.podPatch.spec.tolerance: no such field";
    namespace.tells("midterm", "InvalidSpec", &[words]).await?;
    let seen = crowd.leave().await?;
    let expected = undisturbed(10).await?;
    ensure!(seen.exams.iter().all(|replies| *replies == expected), "bit by bit the exam without the changes");
    ensure!(pods(&namespace).await? == before, "no pod was restarted");

    let patch =
        json!({"tolerance": null, "hostNetwork": null, "priorityClassName": "system-cluster-critical"});
    change(&namespace, json!({"service": {"podPatch": {"spec": patch}}})).await?;
    wait::until("a patched pod", SETTLE, || async {
        let pods = namespace.api::<Pod>().list(&ListParams::default()).await.ok()?;
        let is_patched = |pod: &Pod| {
            let class = pod.spec.as_ref().and_then(|spec| spec.priority_class_name.as_deref());
            class == Some("system-cluster-critical")
        };
        let patched: Vec<_> = pods.iter().filter(|pod| is_patched(pod)).collect();
        (patched.len() == 1 && pods.items.len() == 2).then_some(())
    })
    .await?;
    namespace.ready("midterm", "basic").await?;

    // One exam is open, and nobody is at it: a change of the mode leaves it as it is, by its digest.
    let api = namespace.api::<AdaptiveExamDeployment>();
    change(&namespace, json!({"redis": {"mode": "memory"}})).await?;
    let done = wait::until("a change that is complete", SETTLE, || async {
        let last = api.get("midterm").await.ok()?.status?.transitions.pop()?;
        last.seconds.is_some().then_some(last)
    })
    .await?;
    ensure!((done.open_exams.before, done.open_exams.after) == (Some(1), Some(1)), "{done:?}");
    ensure!(done.digest.before.is_some() && done.digest.before == done.digest.after, "{done:?}");
    change(&namespace, json!({"redis": {"mode": "basic"}})).await?;
    namespace.ready("midterm", "basic").await?;

    // Under supervision the next change of pods waits for a person.
    let before = pods(&namespace).await?;
    let patch = json!({"priorityClassName": "system-node-critical"});
    let spec = json!({"update": {"strategy": "Supervised"}, "service": {"podPatch": {"spec": patch}}});
    change(&namespace, spec).await?;
    let message = wait::until("an update that waits", SETTLE, || async {
        let conditions = api.get("midterm").await.ok()?.status?.conditions;
        let waiting = conditions.into_iter().find(|known| known.type_ == "UpdateWaiting")?;
        (waiting.reason == "WaitingForApproval").then_some(waiting.message)
    })
    .await?;
    namespace.ready("midterm", "basic").await?;
    ensure!(pods(&namespace).await? == before, "nothing is replaced before somebody says so");
    let (_, annotation) = message.rsplit_once(' ').context("an annotation")?;
    let (name, id) = annotation.split_once('=').context("a value")?;
    let approval = Patch::Merge(json!({"metadata": {"annotations": {name: id}}}));
    api.patch("midterm", &PatchParams::default(), &approval).await?;
    wait::until("another pod", SETTLE, || async {
        (pods(&namespace).await.ok()?.len() == 2 && pods(&namespace).await.ok()? != before).then_some(())
    })
    .await?;
    let ready = namespace.ready("midterm", "basic").await?;
    let conditions = ready.status.context("a status")?.conditions;
    ensure!(conditions.iter().all(|known| known.type_ != "UpdateWaiting"), "{conditions:?}");
    namespace.remove().await
}
