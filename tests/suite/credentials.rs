//! Passwords and certificates of the Redis that the operator provisions, on a real node: rotated under load.

use crate::e2e::{resource, undisturbed};
use crate::replicas::{change, pods_of};
use crate::sentinel::{pods, settled};
use anyhow::{Context, Result, ensure};
use harness::authority::Authority;
use harness::cluster::TestNamespace;
use harness::crowd::Crowd;
use harness::wait::SETTLE;
use harness::{Cluster, wait};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{DeleteParams, PostParams};
use operator::crd::{AdaptiveExamDeployment, RedisStatus};
use serde_json::json;
use std::time::Instant;

/// The password of a user in the Secret of Redis.
pub(crate) async fn password(namespace: &TestNamespace, user: &str) -> Result<String> {
    let secret = namespace.api::<Secret>().get("midterm-redis-auth").await?;
    let held = secret.data.unwrap_or_default().remove(user).context("a password")?;
    Ok(String::from_utf8(held.0)?)
}

/// What a Redis or a Sentinel says to whoever comes with this password.
async fn knock(cluster: &Cluster, namespace: &str, pod: &str, user: &str, password: &str) -> Result<String> {
    let port = if pod.contains("sentinel") { 26379 } else { 6379 };
    let script = format!("REDISCLI_AUTH={password} redis-cli -p {port} --user {user} ping 2>&1");
    let said = cluster.tool(&["kubectl", "-n", namespace, "exec", pod, "--", "sh", "-c", &script]).await?;
    Ok(said.trim().to_owned())
}

async fn redis(namespace: &TestNamespace) -> Option<RedisStatus> {
    namespace.api::<AdaptiveExamDeployment>().get("midterm").await.ok()?.status?.redis
}

/// Waits until no rotation is on its way and the service's password is another.
pub(crate) async fn rotated(namespace: &TestNamespace, before: &str) -> Result<String> {
    wait::until("the end of the rotation", SETTLE, || async {
        let now = password(namespace, "app").await.ok()?;
        let is_done = redis(namespace).await?.rotation.is_none();
        (is_done && now != before).then_some(now)
    })
    .await
}

#[tokio::test]
async fn passwords_are_rotated_and_no_request_fails() -> Result<()> {
    let Some(cluster) = Cluster::shared().await? else { return Ok(()) };
    let _operator = cluster.with_operator().await;
    let name = "exam-passwords";
    let namespace = cluster.namespace(name).await?;
    namespace.postgres("word").await?;
    let spec = json!({
        "service": {"replicas": 2}, "database": {"urlSecretRef": {"name": "exam-db"}}, "redis": {"mode": "sentinel"},
    });
    namespace.api().create(&PostParams::default(), &resource("midterm", spec)?).await?;
    settled(&namespace).await?;
    let served = pods_of(&namespace).await?;
    let mut all = pods(&namespace, "redis").await?;
    all.extend(pods(&namespace, "redis-sentinel").await?);
    let (pod, _) = &all[0];
    // Strangers are not let in, and each user does its own work only.
    let stranger = cluster.tool(&["kubectl", "-n", name, "exec", pod, "--", "redis-cli", "ping"]).await?;
    assert!(stranger.contains("NOAUTH"), "{stranger}");
    let script =
        "REDISCLI_AUTH=$(cat /etc/redis-auth/exporter) redis-cli --user exporter config get masterauth 2>&1";
    let said = cluster.tool(&["kubectl", "-n", name, "exec", pod, "--", "sh", "-c", script]).await?;
    assert!(said.contains("NOPERM"), "{said}");

    // Generated anew. In the midst of it a pod of Redis is another.
    let client = namespace.exams("midterm").await?;
    let crowd = Crowd::sit(&client, 16);
    let first = password(&namespace, "app").await?;
    let start = Instant::now();
    change(&namespace, json!({"redis": {"auth": {"rotation": "spring"}}})).await?;
    let pass = wait::until("a rotation", SETTLE, || async { redis(&namespace).await?.rotation }).await?;
    println!("{:?}: {} waits for {:?}", start.elapsed(), pass.pass, pass.waits_for);
    let master = redis(&namespace).await.and_then(|redis| redis.master).context("a master")?;
    let (replica, _) = all.iter().find(|(pod, _)| *pod != master).context("a replica")?;
    namespace.api::<Pod>().delete(replica, &DeleteParams::default()).await?;
    let second = rotated(&namespace, &first).await?;
    println!("rotated, and a pod replaced meanwhile, after {:?}", start.elapsed());
    settled(&namespace).await?;
    for (pod, _) in &all {
        let said = knock(cluster, name, pod, "app", &second).await?;
        assert_eq!(said, "PONG", "{pod}");
        let said = knock(cluster, name, pod, "app", &first).await?;
        assert!(said.contains("NOAUTH"), "the old one is dropped: {pod} says {said}");
    }
    let mut now = pods(&namespace, "redis").await?;
    now.extend(pods(&namespace, "redis-sentinel").await?);
    let others = now.iter().filter(|pod| !all.contains(pod)).count();
    assert_eq!(others, 1, "nothing else was restarted");

    // Given by a person, who changes it.
    change(&namespace, json!({"redis": {"auth": {"rotation": null, "secretRef": {"name": "chosen"}}}}))
        .await?;
    let words = "Secret chosen, which spec.redis.auth.secretRef names";
    namespace.tells("midterm", "SecretMissing", &[words]).await?;
    let mut before = second;
    for word in ["first-chosen-word", "second-chosen-word"] {
        let start = Instant::now();
        namespace.secret("chosen", json!({"password": word})).await?;
        before = rotated(&namespace, &before).await?;
        assert_eq!(before, word);
        println!("the given password is used, and the old one dropped, after {:?}", start.elapsed());
    }
    settled(&namespace).await?;
    let seen = crowd.leave().await?;
    let expected = undisturbed(10).await?;
    ensure!(seen.exams.iter().all(|replies| *replies == expected), "bit by bit the exam without the changes");
    assert_eq!(pods_of(&namespace).await?, served, "no pod of the service was replaced");
    println!("{} answers, none failed; longest gap {:?}", seen.answers(), seen.gap);
    namespace.remove().await
}

/// The serial number of the certificate that a pod shows.
async fn serial(namespace: &TestNamespace, pod: &str) -> Option<String> {
    let ip = namespace.api::<Pod>().get(pod).await.ok()?.status?.pod_ip?;
    let port = if pod.contains("sentinel") { 26379 } else { 6379 };
    let ask =
        format!("timeout 5 openssl s_client -connect {ip}:{port} </dev/null | openssl x509 -noout -serial");
    let said = tokio::process::Command::new("sh").args(["-c", &ask]).output().await.ok()?;
    Some(String::from_utf8(said.stdout).ok()?.trim().to_owned()).filter(|serial| !serial.is_empty())
}

/// Waits until every pod shows one certificate, which is another than this.
async fn shown(namespace: &TestNamespace, before: &str) -> Result<String> {
    wait::until("another certificate everywhere", SETTLE, || async {
        let mut all = pods(namespace, "redis").await.ok()?;
        all.extend(pods(namespace, "redis-sentinel").await.ok()?);
        let mut serials = Vec::new();
        for (pod, _) in &all {
            serials.push(serial(namespace, pod).await?);
        }
        let first = serials.first()?.clone();
        (serials.len() == 6 && first != before && serials.iter().all(|other| *other == first))
            .then_some(first)
    })
    .await
}

#[tokio::test]
async fn a_certificate_is_renewed_and_no_request_fails() -> Result<()> {
    let Some(cluster) = Cluster::shared().await? else { return Ok(()) };
    let _operator = cluster.with_operator().await;
    let name = "exam-tls";
    let namespace = cluster.namespace(name).await?;
    namespace.postgres("word").await?;
    let authority = Authority::new()?;
    let write = async |names: &[&str]| -> Result<()> {
        let [certificate, key] = authority.issue(names)?;
        let ca = std::fs::read_to_string(authority.certificate())?;
        let held = json!({"tls.crt": certificate, "tls.key": key, "ca.crt": ca});
        namespace.secret("redis-tls", held).await
    };
    let spec = json!({
        "service": {"replicas": 2}, "database": {"urlSecretRef": {"name": "exam-db"}},
        "redis": {"mode": "sentinel", "tls": {"secretRef": {"name": "redis-tls"}}},
        // The certificates are looked at from outside of the cluster.
        "networkPolicy": {"enabled": false},
    });
    namespace.api().create(&PostParams::default(), &resource("midterm", spec)?).await?;
    namespace.tells("midterm", "SecretMissing", &[]).await?;
    write(&["*.midterm-redis-nodes.exam-tls.svc"]).await?;
    namespace.tells("midterm", "InvalidCertificate", &["is not for midterm-redis-sentinel-0"]).await?;
    let names = ["*.midterm-redis-nodes.exam-tls.svc", "*.midterm-redis-sentinel.exam-tls.svc"];
    write(&names).await?;
    settled(&namespace).await?;
    let served = pods_of(&namespace).await?;
    let (redis, sentinels) = (pods(&namespace, "redis").await?, pods(&namespace, "redis-sentinel").await?);
    let plain = ["kubectl", "-n", name, "exec", &redis[0].0, "--", "timeout", "3", "redis-cli", "ping"];
    let said = cluster.tool(&plain).await;
    assert!(!said.as_ref().is_ok_and(|said| said.contains("PONG")), "without TLS nobody is heard: {said:?}");

    let client = namespace.exams("midterm").await?;
    let crowd = Crowd::sit(&client, 16);
    let first = shown(&namespace, "").await?;
    let start = Instant::now();
    write(&names).await?;
    shown(&namespace, &first).await?;
    println!("the new certificate is shown by 3 Redis and 3 Sentinels after {:?}", start.elapsed());
    settled(&namespace).await?;
    assert_eq!(pods(&namespace, "redis").await?, redis, "Redis has read it while it ran");
    let now = pods(&namespace, "redis-sentinel").await?;
    ensure!(now.iter().all(|pod| !sentinels.contains(pod)), "every Sentinel is another");
    // Passwords are rotated over TLS, too, and a pod of Redis starts with the new certificate.
    let before = password(&namespace, "app").await?;
    change(&namespace, json!({"redis": {"auth": {"rotation": "spring"}}})).await?;
    rotated(&namespace, &before).await?;
    namespace.api::<Pod>().delete(&redis[0].0, &DeleteParams::default()).await?;
    wait::until("another pod", SETTLE, || async {
        let now = pods(&namespace, "redis").await.ok()?;
        (now.len() == 3 && !now.contains(&redis[0])).then_some(())
    })
    .await?;
    settled(&namespace).await?;
    let seen = crowd.leave().await?;
    let expected = undisturbed(10).await?;
    ensure!(seen.exams.iter().all(|replies| *replies == expected), "bit by bit the exam without the changes");
    assert_eq!(pods_of(&namespace).await?, served, "no pod of the service was replaced");
    println!("{} answers, none failed; longest gap {:?}", seen.answers(), seen.gap);
    namespace.remove().await
}
