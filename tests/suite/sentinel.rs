//! Redis with replicas and Sentinels on a real node: from nothing to Ready, and led through every failure under load.

use crate::e2e::{resource, undisturbed};
use crate::replicas::{change, pods_of};
use anyhow::{Context, Result, ensure};
use harness::cluster::TestNamespace;
use harness::crowd::Crowd;
use harness::{Cluster, wait};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use operator::crd::AdaptiveExamDeployment;
use serde_json::json;
use std::time::{Duration, Instant};

const SETTLE: Duration = Duration::from_secs(150);

/// The master that the status tells.
async fn master(namespace: &TestNamespace) -> Option<String> {
    namespace.api::<AdaptiveExamDeployment>().get("midterm").await.ok()?.status?.redis?.master
}

/// Waits for another master.
async fn another_master(namespace: &TestNamespace, before: &str) -> Result<String> {
    wait::until("another master", SETTLE, || async { master(namespace).await.filter(|now| now != before) })
        .await
}

/// The pods of a component, with their ids.
async fn pods(namespace: &TestNamespace, component: &str) -> Result<Vec<(String, String)>> {
    let ours = ListParams::default().labels(&format!("app.kubernetes.io/component={component}"));
    let pods = namespace.api::<Pod>().list(&ours).await?.items;
    Ok(pods.into_iter().filter_map(|pod| Some((pod.metadata.name?, pod.metadata.uid?))).collect())
}

async fn kill(namespace: &TestNamespace, component: &str) -> Result<()> {
    let api: Api<Pod> = namespace.api();
    for (pod, _) in pods(namespace, component).await? {
        api.delete(&pod, &DeleteParams::default().grace_period(0)).await?;
    }
    Ok(())
}

/// Keys in a Redis.
async fn keys(cluster: &Cluster, namespace: &str, pod: &str) -> Result<u64> {
    let script = "REDISCLI_AUTH=$(cat /etc/redis-auth/password) redis-cli dbsize";
    let said = cluster.tool(&["kubectl", "-n", namespace, "exec", pod, "--", "sh", "-c", script]).await?;
    Ok(said.trim().trim_start_matches("(integer) ").parse()?)
}

#[tokio::test]
async fn redis_is_led_through_every_failure_and_no_request_fails() -> Result<()> {
    let Some(cluster) = Cluster::shared().await? else { return Ok(()) };
    let _operator = cluster.with_operator().await;
    let name = "exam-sentinel";
    let namespace = cluster.namespace(name).await?;
    namespace.postgres("word").await?;
    let start = Instant::now();
    let spec = json!({
        "service": {"replicas": 3}, "database": {"urlSecretRef": {"name": "exam-db"}}, "redis": {"mode": "sentinel"},
    });
    namespace.api().create(&PostParams::default(), &resource("midterm", spec)?).await?;
    let ready = namespace.ready("midterm", "sentinel").await?;
    println!("from nothing to Ready with Sentinels and 3 pods on PostgreSQL: {:?}", start.elapsed());
    let redis = ready.status.and_then(|status| status.redis).context("a status of Redis")?;
    assert_eq!((redis.replicas_in_sync, redis.sentinels_agree), (2, 3));
    let first = redis.master.context("a master")?;
    let served = pods_of(&namespace).await?;
    let client = namespace.exams("midterm").await?;
    // Exams that stay open, so that there is something to lose.
    let open = futures::future::try_join_all((0..8).map(|_| harness::Examinee::start(&client, 10))).await?;

    let crowd = Crowd::sit(&client, 16);
    let begin = Instant::now();
    namespace.api::<Pod>().delete(&first, &DeleteParams::default().grace_period(0)).await?;
    let second = another_master(&namespace, &first).await?;
    namespace.ready("midterm", "sentinel").await?;
    println!("the master's pod was deleted: {second} leads, all is Ready after {:?}", begin.elapsed());
    let seen = crowd.leave().await?;
    println!("{} answers, longest gap {:?}", seen.answers(), seen.gap);

    // A rolling change: replicas first, and the master hands over.
    let crowd = Crowd::sit(&client, 16);
    let before = pods(&namespace, "redis").await?;
    let begin = Instant::now();
    change(&namespace, json!({"redis": {"resources": {"requests": {"cpu": "20m"}}}})).await?;
    wait::until("every pod of Redis to be another", SETTLE, || async {
        let now = pods(&namespace, "redis").await.ok()?;
        (now.len() == 3 && now.iter().all(|pod| !before.contains(pod))).then_some(())
    })
    .await?;
    namespace.ready("midterm", "sentinel").await?;
    println!("a rolling change of Redis with a handover: {:?}", begin.elapsed());
    let third = master(&namespace).await.context("a master")?;
    assert_ne!(third, second, "it handed over");
    assert!(keys(cluster, name, &third).await? >= 8, "what was there is there");
    let seen = crowd.leave().await?;
    println!("{} answers, longest gap {:?}", seen.answers(), seen.gap);

    // All at once, with their volumes; then all Sentinels.
    let crowd = Crowd::sit(&client, 16);
    for component in ["redis", "redis-sentinel"] {
        let begin = Instant::now();
        let before = pods(&namespace, component).await?;
        kill(&namespace, component).await?;
        wait::until("all of them to be others", SETTLE, || async {
            let now = pods(&namespace, component).await.ok()?;
            (now.len() == 3 && now.iter().all(|pod| !before.contains(pod))).then_some(())
        })
        .await?;
        namespace.ready("midterm", "sentinel").await?;
        println!("all pods of {component} at once: Ready after {:?}", begin.elapsed());
    }
    let seen = crowd.leave().await?;
    println!("{} answers, longest gap {:?}", seen.answers(), seen.gap);

    // Another size, and every other mode.
    let crowd = Crowd::sit(&client, 16);
    for (spec, mode) in [
        (json!({"sentinel": {"dataReplicas": 2}}), "sentinel"),
        (json!({"mode": "memory"}), "memory"),
        (json!({"mode": "sentinel", "sentinel": {"dataReplicas": 3}}), "sentinel"),
        (json!({"mode": "basic"}), "basic"),
        (json!({"mode": "sentinel"}), "sentinel"),
    ] {
        let begin = Instant::now();
        change(&namespace, json!({"redis": spec})).await?;
        namespace.ready("midterm", mode).await?;
        println!("{spec} after {:?}", begin.elapsed());
    }
    let seen = crowd.leave().await?;
    println!("{} answers, longest gap {:?}", seen.answers(), seen.gap);
    let expected = undisturbed(10).await?;
    ensure!(seen.exams.iter().all(|replies| *replies == expected), "bit by bit the exam without the changes");
    assert_eq!(pods_of(&namespace).await?, served, "no pod of the service was replaced");
    for mut examinee in open {
        examinee.finish(&client).await?;
        assert_eq!(examinee.replies, expected);
    }
    Ok(())
}
