//! The product on a real Kubernetes node: chart, operator, service, Redis, and failures.

use anyhow::{Context, Result};
use harness::cluster::{RELEASE, TestNamespace};
use harness::crowd::Crowd;
use harness::wait::SETTLE;
use harness::{Cluster, Examinee, Service, wait};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service as KubeService};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use operator::crd::AdaptiveExamDeployment;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Instant;

pub(crate) fn resource(name: &str, spec: Value) -> Result<AdaptiveExamDeployment> {
    Ok(AdaptiveExamDeployment::new(name, serde_json::from_value(spec)?))
}

pub(crate) async fn create(namespace: &TestNamespace, name: &str, mode: &str) -> Result<()> {
    let spec = json!({"redis": {"mode": mode}});
    namespace.api().create(&PostParams::default(), &resource(name, spec)?).await?;
    namespace.ready(name, mode).await?;
    Ok(())
}

async fn change_mode(namespace: &TestNamespace, name: &str, mode: &str) -> Result<()> {
    let patch = Patch::Merge(json!({"spec": {"redis": {"mode": mode}}}));
    namespace.api::<AdaptiveExamDeployment>().patch(name, &PatchParams::default(), &patch).await?;
    Ok(())
}

/// The replies of the same exam where nothing went wrong.
pub(crate) async fn undisturbed(items: u32) -> Result<Vec<Value>> {
    let service = Service::start().await?;
    let mut examinee = Examinee::start(&service.client(), items).await?;
    examinee.finish(&service.client()).await?;
    Ok(examinee.replies)
}

#[tokio::test]
async fn an_exam_continues_when_redis_is_lost() -> Result<()> {
    let Some(cluster) = Cluster::shared().await? else { return Ok(()) };
    let _operator = cluster.with_operator().await;
    let namespace = cluster.namespace("exam-loss").await?;
    create(&namespace, "midterm", "basic").await?;
    let client = namespace.exams("midterm").await?;
    let mut examinee = Examinee::start(&client, 10).await?;
    for _ in 0..5 {
        examinee.answer(&client).await?;
    }
    let key = format!("adaptive_engine:{}", examinee.exam);
    let snapshot = wait::until("the snapshot of five answers", SETTLE, || async {
        let text = redis_cli(cluster, "exam-loss", &format!("GET {key}")).await.ok()?;
        serde_json::from_str(&text).ok().filter(|snapshot: &Value| snapshot["version"] == 5)
    })
    .await?;
    assert_eq!(snapshot["theta"], examinee.replies[4]["theta"]);
    assert_eq!(snapshot["responses"].as_array().map(Vec::len), Some(5));

    let said_so = tokio::spawn(store_is_not_ready(namespace.clone()));
    let pods: Api<Pod> = namespace.api();
    let first = pods.get("midterm-redis-0").await?.metadata.uid;
    pods.delete("midterm-redis-0", &DeleteParams::default().grace_period(0)).await?;
    for _ in 5..9 {
        examinee.answer(&client).await.context("a request failed after Redis was killed")?;
        assert_eq!(client.next(examinee.exam).await?.status, 200);
    }
    said_so.await?.context("the status should say that the store is away")?;
    namespace.ready("midterm", "basic").await?;
    assert_ne!(pods.get("midterm-redis-0").await?.metadata.uid, first, "it should be another pod");
    let snapshot = || async {
        client.next(examinee.exam).await.ok()?;
        redis_cli(cluster, "exam-loss", &format!("GET {key}"))
            .await
            .ok()
            .filter(|text| text.contains("version"))
    };
    wait::until("the snapshot in the new Redis", SETTLE, snapshot).await?;
    examinee.answer(&client).await?;
    assert_eq!(examinee.item, None);
    assert_eq!(examinee.replies, undisturbed(10).await?, "bit by bit the exam without the fault");
    wait::until("an ended exam has no snapshot", SETTLE, || async {
        let left = redis_cli(cluster, "exam-loss", &format!("EXISTS {key}")).await.ok()?;
        (left.trim() == "0").then_some(())
    })
    .await
}

/// Waits until the status says that the store is away.
async fn store_is_not_ready(namespace: TestNamespace) -> Result<()> {
    let api: Api<AdaptiveExamDeployment> = namespace.api();
    wait::until("StoreReady to be False", SETTLE, || async {
        let status = api.get("midterm").await.ok()?.status?;
        status
            .conditions
            .iter()
            .any(|known| known.type_ == "StoreReady" && known.status == "False")
            .then_some(())
    })
    .await
}

async fn redis_cli(cluster: &Cluster, namespace: &str, words: &str) -> Result<String> {
    let script = format!("REDISCLI_AUTH=$(cat /etc/redis-auth/operator) redis-cli --user operator {words}");
    cluster.tool(&["kubectl", "-n", namespace, "exec", "midterm-redis-0", "--", "sh", "-c", &script]).await
}

#[tokio::test]
async fn a_mode_change_loses_no_exam_and_a_deletion_keeps_the_volumes() -> Result<()> {
    let Some(cluster) = Cluster::shared().await? else { return Ok(()) };
    let _operator = cluster.with_operator().await;
    let namespace = cluster.namespace("exam-modes").await?;
    create(&namespace, "midterm", "basic").await?;
    let client = namespace.exams("midterm").await?;
    let served = pods_of(&namespace).await?;
    let crowd = Crowd::sit(&client, 8);
    for mode in ["memory", "basic", "memory", "basic"] {
        let start = Instant::now();
        change_mode(&namespace, "midterm", mode).await?;
        let resource = namespace.ready("midterm", mode).await?;
        println!("{mode} after {:?}", start.elapsed());
        let adoption = resource.status.context("a status")?.adoption;
        assert_eq!((adoption.adopted, adoption.pods), (1, 1));
        let redis = namespace.api::<StatefulSet>().get_opt("midterm-redis").await?;
        assert!(redis.is_some(), "Redis stays where it was provisioned");
    }
    let exams = crowd.leave().await?.exams;
    let expected = undisturbed(10).await?;
    assert!(exams.iter().all(|replies| *replies == expected), "bit by bit the exam without the changes");
    assert!(exams.len() > 30, "they were at it while modes changed");
    assert_eq!(pods_of(&namespace).await?, served, "no pod was restarted");

    namespace.api::<AdaptiveExamDeployment>().delete("midterm", &DeleteParams::default()).await?;
    wait::until("the end of everything owned", SETTLE, || async {
        let left = owned(&namespace).await.ok()?;
        left.is_empty().then_some(())
    })
    .await
    .with_context(|| "something is left".to_owned())?;
    let claims = namespace.api::<PersistentVolumeClaim>().list(&ListParams::default()).await?;
    let mut names: Vec<_> = claims.items.into_iter().filter_map(|claim| claim.metadata.name).collect();
    names.sort();
    assert_eq!(names, ["data-midterm-redis-0", "midterm-data"]);
    Ok(())
}

/// The service's pods and how often their containers were started.
async fn pods_of(namespace: &TestNamespace) -> Result<Vec<(Option<String>, i32)>> {
    let ours = ListParams::default().labels("app.kubernetes.io/component=service");
    let pods = namespace.api::<Pod>().list(&ours).await?.items;
    let restarts = |pod: &Pod| {
        let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
        statuses.into_iter().flatten().map(|status| status.restart_count).sum()
    };
    Ok(pods.into_iter().map(|pod| (pod.metadata.uid.clone(), restarts(&pod))).collect())
}

/// Names of all objects in the namespace that the operator made, but the volume claims.
async fn owned(namespace: &TestNamespace) -> Result<Vec<String>> {
    let ours = ListParams::default().labels("app.kubernetes.io/managed-by=exam-operator");
    let mut names = Vec::new();
    macro_rules! list {
        ($($kind:ty),*) => {
            $(for object in namespace.api::<$kind>().list(&ours).await?.items {
                names.extend(object.metadata.name);
            })*
        };
    }
    list!(Deployment, StatefulSet, Pod, KubeService, ConfigMap, Secret);
    Ok(names)
}

#[tokio::test]
async fn invalid_resources_are_refused_with_a_clear_message() -> Result<()> {
    let Some(cluster) = Cluster::shared().await? else { return Ok(()) };
    let _operator = cluster.with_operator().await;
    let namespace = cluster.namespace("exam-refusals").await?;
    let head = "apiVersion: exam.dreamseed.ai/v1alpha1\nkind: AdaptiveExamDeployment\n";
    let cases = [
        ("two", "service: {replicas: 2}", "more than one pod of the service needs database.urlSecretRef"),
        ("load", "service: {autoscaling: {min: 1, max: 2}}", "an embedded SQLite file is held by one pod"),
        ("bounds", "service: {autoscaling: {min: 3, max: 2}}", "min must not be above max"),
        ("authority", "database: {caSecretRef: {name: ca}}", "set urlSecretRef too"),
        ("mode", "redis: {mode: cluster}", "Unsupported value: \"cluster\""),
        ("bank", "exam: {banks: [{name: algebra}]}", "say where the bank is"),
        ("scaling", "exam: {banks: [{name: a, configMapRef: {name: b}}]}", "is needed for a file"),
        ("rules", "exam: {types: {quiz: {policy: {}, maxItems: 5}}}", "policy holds all rules"),
        ("jwt", "auth: {mode: jwt}", "mode jwt and the section jwt go together"),
        ("often", "limits: {requestsPerSecond: 0}", "should be greater than or equal to 1"),
        ("traces", "traces: {endpoint: 'collector:4318'}", "must be http://HOST:PORT"),
        ("request", "rollback: {request: Perhaps}", "Unsupported value: \"Perhaps\""),
        ("outside", "redis: {mode: external}", "mode external needs external"),
        ("url", "redis: {external: {url: 'http://redis'}}", "must be redis://HOST:PORT/0"),
        ("word", "redis: {external: {url: 'redis://me:word@redis'}}", "belongs into passwordSecretRef"),
        ("even", "redis: {sentinel: {sentinels: 4}}", "sentinels must be odd"),
        ("minority", "redis: {sentinel: {sentinels: 5, quorum: 2}}", "quorum must be more than half"),
        ("size", "database: {storage: {size: much}}", "must be a size above 0, as in 1Gi"),
        ("zero", "redis: {storage: {size: 0Gi}}", "must be a size above 0, as in 1Gi"),
        ("items", "exam: {types: {quiz: {minItems: 9, maxItems: 3}}}", "minItems must not be above maxItems"),
        ("many", "exam: {types: {quiz: {maxItems: 1000}}}", "should be less than or equal to 500"),
        ("error", "exam: {types: {quiz: {targetStandardError: 0}}}", "must be above 0 and at most 10"),
        ("image", "image: {reference: exam-service}", "name a tag or a digest"),
        ("unknown", "redis: {mod: basic}", "unknown field \"spec.redis.mod\""),
        ("type", "paused: perhaps", "spec.paused"),
        ("9lives", "{}", "metadata.name becomes part of Service names"),
        ("midterm-redis", "{}", "must not end in -ops, -redis, -redis-nodes"),
        ("a-name-of-more-than-forty-characters-is-long", "{}", "use at most 40 lower-case letters"),
    ];
    let folder = tempfile::TempDir::new()?;
    for (name, spec, sentence) in cases {
        let spec = if spec == "{}" { "spec: {}".to_owned() } else { format!("spec:\n  {spec}") };
        let file = folder.path().join("resource.yaml");
        std::fs::write(&file, format!("{head}metadata: {{name: {name}}}\n{spec}\n"))?;
        let file = file.to_string_lossy();
        let refused = cluster.tool(&["kubectl", "-n", &namespace.name, "create", "-f", &file]).await;
        let said = format!("{:#}", refused.expect_err(name));
        assert!(said.contains(sentence), "{name}: {sentence:?} is not in {said}");
    }
    let api: Api<AdaptiveExamDeployment> = namespace.api();
    assert!(api.list(&ListParams::default()).await?.items.is_empty(), "nothing bad was kept");
    api.create(&PostParams::default(), &resource("good", json!({}))?).await?;
    let patch = Patch::Merge(json!({"spec": {"database": {"storage": {"size": "512Mi"}}}}));
    let refused =
        api.patch("good", &PatchParams::default(), &patch).await.expect_err("a volume was made smaller");
    assert!(refused.to_string().contains("a volume cannot be made smaller"), "{refused}");
    let patch = Patch::Merge(json!({"spec": {"database": {"urlSecretRef": {"name": "exam-db"}}}}));
    let refused =
        api.patch("good", &PatchParams::default(), &patch).await.expect_err("exams were left behind");
    assert!(refused.to_string().contains("make a new resource"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn objects_of_other_owners_are_not_written() -> Result<()> {
    let Some(cluster) = Cluster::shared().await? else { return Ok(()) };
    let _operator = cluster.with_operator().await;
    let namespace = cluster.namespace("exam-taken").await?;
    let theirs: Api<ConfigMap> = namespace.api();
    let metadata = ObjectMeta { name: Some("practice".to_owned()), ..ObjectMeta::default() };
    let data = Some(BTreeMap::from([("menu".to_owned(), "soup".to_owned())]));
    let before =
        theirs.create(&PostParams::default(), &ConfigMap { metadata, data, ..ConfigMap::default() }).await?;
    let api: Api<AdaptiveExamDeployment> = namespace.api();
    api.create(&PostParams::default(), &resource("practice", json!({}))?).await?;
    let told = wait::until("the refusal in the status", SETTLE, || async {
        let status = api.get("practice").await.ok()?.status?;
        status.conditions.into_iter().find(|known| known.type_ == "Stalled")
    })
    .await?;
    assert_eq!(told.reason, "NameTaken", "{told:?}");
    assert!(told.message.contains("ConfigMap practice belongs to"), "{told:?}");
    assert_eq!(theirs.get("practice").await?, before, "it is as it was");
    assert!(owned(&namespace).await?.is_empty(), "nothing was made beside it");
    theirs.delete("practice", &DeleteParams::default()).await?;
    // Any change of the resource is looked at at once; without one it is looked at every minute.
    let nudge = Patch::Merge(json!({"metadata": {"annotations": {"nudge": "1"}}}));
    api.patch("practice", &PatchParams::default(), &nudge).await?;
    namespace.ready("practice", "memory").await?;
    Ok(())
}

#[tokio::test]
async fn an_uninstall_keeps_the_crd_and_running_services() -> Result<()> {
    let Some(cluster) = Cluster::shared().await? else { return Ok(()) };
    let _alone = cluster.alone().await;
    let namespace = cluster.namespace("exam-uninstall").await?;
    create(&namespace, "practice", "memory").await?;
    cluster.tool(&["helm", "uninstall", RELEASE, "--namespace", RELEASE, "--wait"]).await?;
    let kept = namespace.api::<AdaptiveExamDeployment>().get("practice").await?;
    let client = namespace.exams("practice").await?;
    let mut examinee = Examinee::start(&client, 3).await?;
    examinee.finish(&client).await?;
    cluster.install().await?;
    let back = namespace.ready("practice", "memory").await?;
    assert_eq!(back.metadata.uid, kept.metadata.uid, "the same resource");
    Ok(())
}
