//! Why something waits is said, in the status and in an event; Secrets that are lost come back. On a real node.

use crate::bank_files::case;
use anyhow::{Context, Result};
use harness::cluster::TestNamespace;
use harness::wait::SETTLE;
use harness::{Client, Cluster, Examinee, wait};
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod, Secret};
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use operator::crd::AdaptiveExamDeployment;
use serde_json::{Value, json};
use std::time::Duration;

async fn apply(cluster: &Cluster, namespace: &TestNamespace, file: &str) -> Result<()> {
    let file = case(file);
    cluster.tool(&["kubectl", "-n", &namespace.name, "apply", "-f", &file.to_string_lossy()]).await?;
    Ok(())
}

async fn create(namespace: &TestNamespace, spec: Value) -> Result<()> {
    let resource = AdaptiveExamDeployment::new("midterm", serde_json::from_value(spec)?);
    namespace.api().create(&PostParams::default(), &resource).await?;
    Ok(())
}

/// The notes of the events about `midterm` with this reason, once there is one.
async fn events(namespace: &TestNamespace, reason: &str) -> Result<Vec<String>> {
    let api: Api<Event> = namespace.api();
    let about = ListParams::default()
        .fields("involvedObject.kind=AdaptiveExamDeployment,involvedObject.name=midterm");
    wait::until("an event", SETTLE, || async {
        let events = api.list(&about).await.ok()?.items;
        let notes: Vec<String> = events
            .into_iter()
            .filter(|event| event.reason.as_deref() == Some(reason))
            .filter_map(|event| event.message)
            .collect();
        (!notes.is_empty()).then_some(notes)
    })
    .await
}

/// Any change of the resource is looked at at once; without one it is looked at every minute.
async fn nudge(namespace: &TestNamespace, value: &str) -> Result<()> {
    let nudge = Patch::Merge(json!({"metadata": {"annotations": {"nudge": value}}}));
    namespace.api::<AdaptiveExamDeployment>().patch("midterm", &PatchParams::default(), &nudge).await?;
    Ok(())
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_told() -> Result<()> {
    let Some(cluster) = Cluster::shared().await? else { return Ok(()) };
    let _operator = cluster.with_operator().await;
    let namespace = cluster.namespace("waiting-image").await?;
    apply(cluster, &namespace, "no-such-image.yaml").await?;
    let words = ["registry.invalid/exam-service:1", "check spec.image"];
    namespace.tells("midterm", "ImagePull", &words).await?;
    let notes = events(&namespace, "ImagePull").await?;
    assert_eq!(notes.len(), 1, "one transition, one event: {notes:?}");
    // A Redis that is none ends at once, and its last words are told.
    let redis = json!({"image": {"reference": "exam-service:dev"}});
    let patch = Patch::Merge(json!({"spec": {"image": null, "redis": redis}}));
    let api: Api<AdaptiveExamDeployment> = namespace.api();
    api.patch("midterm", &PatchParams::default(), &patch).await?;
    let words = ["exit code", "executable file not found"];
    namespace.tells("midterm", "Crashing", &words).await?;
    Ok(())
}

#[tokio::test]
async fn a_volume_that_does_not_come_is_told_also_a_left_over_one() -> Result<()> {
    let Some(cluster) = Cluster::shared().await? else { return Ok(()) };
    let _operator = cluster.with_operator().await;
    let namespace = cluster.namespace("waiting-volume").await?;
    apply(cluster, &namespace, "no-such-class.yaml").await?;
    let words = ["midterm-data", "no-such-class", "spec.database.storage.className"];
    namespace.tells("midterm", "VolumePending", &words).await?;
    events(&namespace, "VolumePending").await?;
    // Its claim outlives it, and stands in the way of the next one.
    let api: Api<AdaptiveExamDeployment> = namespace.api();
    api.delete("midterm", &DeleteParams::foreground()).await?;
    wait::until("the first one's end", SETTLE, || async {
        matches!(api.get_opt("midterm").await, Ok(None)).then_some(())
    })
    .await?;
    create(&namespace, json!({})).await?;
    namespace.tells("midterm", "VolumePending", &["left over", "delete the claim"]).await?;
    // What it says is what helps.
    namespace.api::<PersistentVolumeClaim>().delete("midterm-data", &DeleteParams::default()).await?;
    namespace.ready("midterm", "memory").await?;
    Ok(())
}

#[tokio::test]
async fn a_quota_is_told_with_the_fields_to_set() -> Result<()> {
    let Some(cluster) = Cluster::shared().await? else { return Ok(()) };
    let _operator = cluster.with_operator().await;
    let namespace = cluster.namespace("waiting-quota").await?;
    apply(cluster, &namespace, "quota.yaml").await?;
    let api: Api<AdaptiveExamDeployment> = namespace.api();
    create(&namespace, json!({"redis": {"mode": "basic"}})).await?;
    namespace.tells("midterm", "PodsRefused", &["limits.cpu", "set spec.service.resources"]).await?;
    let store = wait::until("Redis's reason", SETTLE, || async {
        let conditions = api.get("midterm").await.ok()?.status?.conditions;
        conditions.into_iter().find(|known| known.type_ == "StoreReady" && known.reason == "PodsRefused")
    })
    .await?;
    assert!(
        store.message.contains("limits.cpu") && store.message.contains("set spec.redis.resources"),
        "{store:?}"
    );
    let resources =
        json!({"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}});
    let patch = Patch::Merge(json!({"spec": {
        "service": {"resources": resources}, "redis": {"resources": {"limits": {"cpu": "500m"}}}
    }}));
    api.patch("midterm", &PatchParams::default(), &patch).await?;
    namespace.ready("midterm", "basic").await?;
    events(&namespace, "AllChecksPassed").await?;
    Ok(())
}

/// Answers until an item is left, each answer taken at once.
async fn answer(client: &Client, examinee: &mut Examinee) -> Result<()> {
    examinee.answer(client).await.context("a request of the exam failed")
}

async fn content(namespace: &TestNamespace, name: &str) -> Option<Vec<(String, Vec<u8>)>> {
    let secret = namespace.api::<Secret>().get_opt(name).await.ok()??;
    let data = secret.data.filter(|data| !data.is_empty())?;
    Some(data.into_iter().map(|(key, value)| (key, value.0)).collect())
}

async fn store(namespace: &TestNamespace) -> Option<String> {
    let status = namespace.api::<AdaptiveExamDeployment>().get("midterm").await.ok()?.status?;
    let ready = status.conditions.into_iter().find(|known| known.type_ == "StoreReady")?;
    Some(ready.status)
}

/// A Secret that is deleted or emptied comes back as it was, and no request of an exam fails meanwhile.
#[tokio::test]
async fn a_lost_secret_comes_back_as_it_was() -> Result<()> {
    let Some(cluster) = Cluster::shared().await? else { return Ok(()) };
    let _operator = cluster.with_operator().await;
    let namespace = cluster.namespace("waiting-secrets").await?;
    create(&namespace, json!({"redis": {"mode": "basic"}})).await?;
    namespace.ready("midterm", "basic").await?;
    let client = namespace.exams("midterm").await?;
    let mut examinee = Examinee::start(&client, 20).await?;
    let secrets: Api<Secret> = namespace.api();
    for (turn, name) in ["midterm-auth", "midterm-redis-auth"].into_iter().enumerate() {
        let before = content(&namespace, name).await.context("content")?;
        secrets.delete(name, &DeleteParams::default()).await?;
        nudge(&namespace, &format!("delete {turn}")).await?;
        wait::until("the Secret again", SETTLE, || async {
            (content(&namespace, name).await.as_ref() == Some(&before)).then_some(())
        })
        .await?;
        answer(&client, &mut examinee).await?;
        let empty = Patch::Merge(json!({"data": null}));
        secrets.patch(name, &PatchParams::default(), &empty).await?;
        nudge(&namespace, &format!("empty {turn}")).await?;
        wait::until("its content again", SETTLE, || async {
            (content(&namespace, name).await.as_ref() == Some(&before)).then_some(())
        })
        .await?;
        answer(&client, &mut examinee).await?;
    }
    // It is told after it is done.
    for words in
        ["midterm-auth was deleted", "midterm-redis-auth had lost its content", "the same value again"]
    {
        wait::until(words, SETTLE, || async {
            let (deleted, emptied) = (
                events(&namespace, "SecretDeleted").await.ok()?,
                events(&namespace, "SecretEmptied").await.ok()?,
            );
            [deleted, emptied].concat().iter().any(|note| note.contains(words)).then_some(())
        })
        .await?;
    }
    namespace.ready("midterm", "basic").await?;
    examinee.finish(&client).await?;
    Ok(())
}

/// An operator that has not seen the password makes another one: Redis restarts with it, the service reads it, and the
/// exam goes on from the log meanwhile.
#[tokio::test]
async fn a_new_password_is_agreed_on_without_a_failed_request() -> Result<()> {
    let Some(cluster) = Cluster::shared().await? else { return Ok(()) };
    let _alone = cluster.alone().await;
    let namespace = cluster.namespace("waiting-password").await?;
    create(&namespace, json!({"redis": {"mode": "basic"}})).await?;
    namespace.ready("midterm", "basic").await?;
    let client = namespace.exams("midterm").await?;
    let mut examinee = Examinee::start(&client, 30).await?;
    cluster.scale_operator(0).await?;
    let pods: Api<Pod> = namespace.api();
    let old = pods.get("midterm-redis-0").await?.metadata.uid;
    let before = content(&namespace, "midterm-redis-auth").await.context("content")?;
    namespace.api::<Secret>().delete("midterm-redis-auth", &DeleteParams::default()).await?;
    cluster.scale_operator(1).await?;
    let after = wait::until("another password", SETTLE, || content(&namespace, "midterm-redis-auth")).await?;
    assert_ne!(before, after);
    let mut is_agreed = false;
    for turn in 0..SETTLE.as_secs() {
        // Every request is answered, whatever Redis does.
        if turn % 10 == 0 && examinee.item.is_some() {
            answer(&client, &mut examinee).await?;
        }
        let next = client.next(examinee.exam).await?;
        anyhow::ensure!(next.status == 200, "{next:?}");
        let is_new = pods.get_opt("midterm-redis-0").await?.is_some_and(|pod| pod.metadata.uid != old);
        is_agreed = is_new && store(&namespace).await.as_deref() == Some("True");
        if is_agreed {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(is_agreed, "Redis and the service should agree on the new password");
    examinee.finish(&client).await?;
    Ok(())
}
