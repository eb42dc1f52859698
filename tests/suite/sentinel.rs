//! Redis with replicas and Sentinels on a real node: from nothing to Ready, and led through every failure under load.

use crate::e2e::{resource, undisturbed};
use crate::replicas::{change, pods_of};
use anyhow::{Context, Result, ensure};
use harness::cluster::TestNamespace;
use harness::crowd::Crowd;
use harness::wait::SETTLE;
use harness::{Cluster, wait};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use operator::crd::AdaptiveExamDeployment;
use rustix::process::Signal;
use serde_json::json;
use std::time::Instant;

/// The master that the status tells.
async fn master(namespace: &TestNamespace) -> Option<String> {
    namespace.api::<AdaptiveExamDeployment>().get("midterm").await.ok()?.status?.redis?.master
}

/// Waits for another master.
pub(crate) async fn another_master(namespace: &TestNamespace, before: &str) -> Result<String> {
    wait::until("another master", SETTLE, || async { master(namespace).await.filter(|now| now != before) })
        .await
}

/// The pods of a component, with their ids.
pub(crate) async fn pods(namespace: &TestNamespace, component: &str) -> Result<Vec<(String, String)>> {
    let ours = ListParams::default().labels(&format!("app.kubernetes.io/component={component}"));
    let pods = namespace.api::<Pod>().list(&ours).await?.items;
    Ok(pods.into_iter().filter_map(|pod| Some((pod.metadata.name?, pod.metadata.uid?))).collect())
}

/// The master, once everything is as wanted.
pub(crate) async fn settled(namespace: &TestNamespace) -> Result<String> {
    let settled = || async {
        namespace.ready("midterm", "sentinel").await.ok()?;
        let redis = namespace.api::<AdaptiveExamDeployment>().get("midterm").await.ok()?.status?.redis?;
        redis.master.filter(|_| (redis.replicas_in_sync, redis.sentinels_agree) == (2, 3))
    };
    wait::until("a master with two replicas and three Sentinels", SETTLE, settled).await
}

pub(crate) async fn uid(namespace: &TestNamespace, pod: &str) -> Result<String> {
    namespace.api::<Pod>().get(pod).await?.metadata.uid.context("an id")
}

/// Waits until three pods of a component are ready that were not there before.
pub(crate) async fn all_are_others(
    namespace: &TestNamespace,
    component: &str,
    before: &[(String, String)],
) -> Result<()> {
    let ours = ListParams::default().labels(&format!("app.kubernetes.io/component={component}"));
    let is_other = |pod: &Pod| {
        let id =
            (pod.metadata.name.clone().unwrap_or_default(), pod.metadata.uid.clone().unwrap_or_default());
        let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
        let mut conditions = conditions.into_iter().flatten();
        !before.contains(&id) && conditions.any(|known| known.type_ == "Ready" && known.status == "True")
    };
    wait::until("all of them to be others", SETTLE, || async {
        let now = namespace.api::<Pod>().list(&ours).await.ok()?.items;
        (now.len() == 3 && now.iter().all(is_other)).then_some(())
    })
    .await
}

pub(crate) async fn kill(namespace: &TestNamespace, component: &str) -> Result<()> {
    let api: Api<Pod> = namespace.api();
    for (pod, _) in pods(namespace, component).await? {
        api.delete(&pod, &DeleteParams::default().grace_period(0)).await?;
    }
    Ok(())
}

/// Keys in a Redis.
async fn keys(cluster: &Cluster, namespace: &str, pod: &str) -> Result<u64> {
    let script = "REDISCLI_AUTH=$(cat /etc/redis-auth/operator) redis-cli --user operator dbsize";
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
    let (begin, id) = (Instant::now(), uid(&namespace, &first).await?);
    namespace.api::<Pod>().delete(&first, &DeleteParams::default().grace_period(0)).await?;
    wait::until("the pod to be another", SETTLE, || async {
        let pod = namespace.api::<Pod>().get(&first).await.ok()?;
        let conditions = pod.status?.conditions?;
        let is_ready = conditions.iter().any(|known| known.type_ == "Ready" && known.status == "True");
        (is_ready && pod.metadata.uid.is_some_and(|now| now != id)).then_some(())
    })
    .await?;
    let led = settled(&namespace).await?;
    println!("the master's pod was deleted: {led} leads, all is Ready after {:?}", begin.elapsed());
    let (begin, id) = (Instant::now(), uid(&namespace, &led).await?);
    cluster.signal(&id, "redis-server", Signal::STOP)?;
    let second = another_master(&namespace, &led).await;
    cluster.signal(&id, "redis-server", Signal::CONT)?;
    let second = second?;
    println!("the master was frozen: {second} leads after {:?}", begin.elapsed());
    assert_eq!(settled(&namespace).await?, second);
    println!("and the frozen one follows it: {:?}", begin.elapsed());
    let seen = crowd.leave().await?;
    println!("{} answers, longest gap {:?}", seen.answers(), seen.gap);

    // A rolling change: replicas first, and the master hands over.
    let crowd = Crowd::sit(&client, 16);
    let before = pods(&namespace, "redis").await?;
    let begin = Instant::now();
    change(&namespace, json!({"redis": {"resources": {"requests": {"cpu": "20m"}}}})).await?;
    all_are_others(&namespace, "redis", &before).await?;
    settled(&namespace).await?;
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
        all_are_others(&namespace, component, &before).await?;
        settled(&namespace).await?;
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
    namespace.remove().await
}
