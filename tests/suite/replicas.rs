//! Several pods of the service on one PostgreSQL, on a real node: changed, scaled and rotated under load.

use crate::e2e::{resource, undisturbed};
use anyhow::{Context, Result, ensure};
use harness::cluster::TestNamespace;
use harness::crowd::Crowd;
use harness::wait::SETTLE;
use harness::{Cluster, wait};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use operator::controller::apply;
use operator::crd::{AdaptiveExamDeployment, AdaptiveExamDeploymentStatus};
use serde_json::{Value, json};
use std::time::Instant;

pub(crate) async fn change(namespace: &TestNamespace, spec: Value) -> Result<()> {
    let patch = Patch::Merge(json!({"spec": spec}));
    namespace.api::<AdaptiveExamDeployment>().patch("midterm", &PatchParams::default(), &patch).await?;
    Ok(())
}

#[tokio::test]
async fn pods_are_replaced_scaled_and_rotated_and_no_request_fails() -> Result<()> {
    let Some(cluster) = Cluster::shared().await? else { return Ok(()) };
    let _operator = cluster.with_operator().await;
    let namespace = cluster.namespace("exam-replicas").await?;
    let spec = json!({"service": {"replicas": 3}, "database": {"urlSecretRef": {"name": "exam-db"}}});
    namespace.api().create(&PostParams::default(), &resource("midterm", spec)?).await?;
    let words = "Secret exam-db, which spec.database.urlSecretRef names, is not there";
    namespace.tells("midterm", "SecretMissing", &[words]).await?;
    assert!(namespace.api::<Deployment>().get_opt("midterm").await?.is_none(), "nothing was made");
    namespace.postgres("first").await?;
    let start = Instant::now();
    let ready = namespace.ready("midterm", "memory").await?;
    println!("3 pods on PostgreSQL are Ready after {:?}", start.elapsed());
    let status = ready.status.context("a status")?;
    assert_eq!((status.adoption.adopted, status.adoption.pods, status.replicas), (3, 3, 3));
    assert!(status.durability.unwrap_or_default().contains("PostgreSQL"));
    let budget = namespace.api::<PodDisruptionBudget>().get("midterm").await?;
    assert_eq!(
        budget.spec.and_then(|spec| spec.unhealthy_pod_eviction_policy).as_deref(),
        Some("AlwaysAllow")
    );

    let client = namespace.exams("midterm").await?.as_a_proxy();
    let crowd = Crowd::sit(&client, 16);
    let pods = pods_of(&namespace).await?;
    change(&namespace, json!({"service": {"resources": {"requests": {"cpu": "60m", "memory": "64Mi"}}}}))
        .await?;
    wait::until("other pods", SETTLE, || async {
        let now = pods_of(&namespace).await.ok()?;
        (now.len() == 3 && now.iter().all(|pod| !pods.contains(pod))).then_some(())
    })
    .await?;
    namespace.ready("midterm", "memory").await?;
    println!("every pod is another after {:?}", start.elapsed());

    // A new password of the database, as its owner does it: the database first, and then the Secret.
    let served = pods_of(&namespace).await?;
    let alter =
        "/usr/lib/postgresql/*/bin/psql -h /tmp -U exam postgres -qc \"ALTER USER exam PASSWORD 'second'\"";
    cluster.tool(&["kubectl", "-n", "exam-replicas", "exec", "db", "--", "sh", "-c", alter]).await?;
    namespace.database_secret("second").await?;
    change(&namespace, json!({"service": {"replicas": 2}})).await?;
    namespace.ready("midterm", "memory").await?;
    let left = pods_of(&namespace).await?;
    assert!(left.iter().all(|pod| served.contains(pod)), "a password restarts nothing");

    // The number of pods is handed over as it is.
    change(&namespace, json!({"service": {"autoscaling": {"min": 2, "max": 4}}})).await?;
    let autoscaler = namespace.api::<HorizontalPodAutoscaler>();
    wait::until("the autoscaler", SETTLE, || async { autoscaler.get_opt("midterm").await.ok().flatten() })
        .await?;
    let scaled = namespace.ready("midterm", "memory").await?;
    assert_eq!(scaled.status.map(|status| status.replicas), Some(2), "as it was");
    let deployments: Api<Deployment> = namespace.api();
    let scale = Patch::Merge(json!({"spec": {"replicas": 3}}));
    deployments.patch("midterm", &PatchParams::default(), &scale).await?;
    wait::until("three pods are not taken back", SETTLE, || async {
        let status = namespace.api::<AdaptiveExamDeployment>().get("midterm").await.ok()?.status?;
        (status.adoption.pods == 3 && status.adoption.adopted == 3).then_some(())
    })
    .await?;
    change(&namespace, json!({"service": {"autoscaling": null, "replicas": 2}})).await?;
    wait::until("no autoscaler", SETTLE, || async {
        matches!(autoscaler.get_opt("midterm").await, Ok(None)).then_some(())
    })
    .await?;
    let now = namespace.ready("midterm", "memory").await?;
    let seen = crowd.leave().await?;
    let expected = undisturbed(10).await?;
    ensure!(seen.exams.iter().all(|replies| *replies == expected), "bit by bit the exam without the changes");
    println!("{} answers, none failed; longest gap {:?}", seen.answers(), seen.gap);

    // What is left of a look at an earlier resource of this name is not said of this one.
    let earlier = ObjectMeta { resource_version: Some("1".to_owned()), ..now.metadata };
    let stale = AdaptiveExamDeploymentStatus { mode: Some("stale".to_owned()), ..Default::default() };
    assert!(!apply::publish(&namespace.kube, &earlier, None, &stale).await?, "it was refused");
    let mode =
        namespace.api::<AdaptiveExamDeployment>().get("midterm").await?.status.and_then(|said| said.mode);
    assert_eq!(mode.as_deref(), Some("memory"));

    // A Secret that goes is said, and what runs goes on.
    namespace.api::<k8s_openapi::api::core::v1::Secret>().delete("exam-db", &DeleteParams::default()).await?;
    change(&namespace, json!({"service": {"replicas": 3}})).await?;
    namespace.tells("midterm", "SecretMissing", &[]).await?;
    assert_eq!(client.get("/exams").await?.status, 200);
    namespace.database_secret("second").await?;
    namespace.ready("midterm", "memory").await?;
    namespace.remove().await
}

/// Names of the service's pods that are not going.
pub(crate) async fn pods_of(namespace: &TestNamespace) -> Result<Vec<String>> {
    let ours = ListParams::default().labels("app.kubernetes.io/component=service");
    let pods = namespace.api::<Pod>().list(&ours).await?.items;
    let stays = pods.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    Ok(stays.filter_map(|pod| pod.metadata.name).collect())
}

/// From one store to another and back, each way, under load; Redis outside has a password.
#[tokio::test]
async fn every_mode_is_reached_from_every_other() -> Result<()> {
    let Some(cluster) = Cluster::shared().await? else { return Ok(()) };
    let _operator = cluster.with_operator().await;
    let namespace = cluster.namespace("exam-every-mode").await?;
    tokio::try_join!(namespace.postgres("word"), namespace.cache("first"))?;
    namespace.secret("cache", json!({"password": "first"})).await?;
    let spec = json!({
        "service": {"replicas": 2}, "database": {"urlSecretRef": {"name": "exam-db"}},
        "redis": {"external": {"url": "redis://cache:6379/0", "passwordSecretRef": {"name": "cache"}}},
    });
    namespace.api().create(&PostParams::default(), &resource("midterm", spec)?).await?;
    namespace.ready("midterm", "memory").await?;
    let served = pods_of(&namespace).await?;
    let client = namespace.exams("midterm").await?;
    let crowd = Crowd::sit(&client, 16);
    for mode in ["basic", "external", "basic", "memory", "external", "memory"] {
        let start = Instant::now();
        change(&namespace, json!({"redis": {"mode": mode}})).await?;
        namespace.ready("midterm", mode).await?;
        println!("{mode} after {:?}", start.elapsed());
    }
    // Another password: for a while the Secret has the one that Redis no longer takes.
    change(&namespace, json!({"redis": {"mode": "external"}})).await?;
    namespace.ready("midterm", "external").await?;
    let rotate = "redis-cli -a first --no-auth-warning config set requirepass second && redis-cli -a second --no-auth-warning client kill type normal";
    cluster.tool(&["kubectl", "-n", "exam-every-mode", "exec", "cache", "--", "sh", "-c", rotate]).await?;
    namespace.tells("midterm", "StoreUnreachable", &["password"]).await?;
    namespace.secret("cache", json!({"password": "second"})).await?;
    namespace.ready("midterm", "external").await?;
    let seen = crowd.leave().await?;
    let expected = undisturbed(10).await?;
    ensure!(seen.exams.iter().all(|replies| *replies == expected), "bit by bit the exam without the changes");
    assert_eq!(pods_of(&namespace).await?, served, "no pod was replaced");
    println!("{} answers, none failed; longest gap {:?}", seen.answers(), seen.gap);
    namespace.remove().await
}
