//! A real Prometheus Operator acts on what ours makes: each pod is scraped, each query of a dashboard has an answer, and no rule fails.
//!
//! Input: a resource that is watched over, under load. Output: what its Prometheus says. Must not know: what is drawn.

mod watchers;

use self::watchers::{INTERVAL, WATCHERS, Watchers};
use crate::e2e::resource;
use crate::replicas::change;
use anyhow::{Context, Result, ensure};
use harness::cluster::{RELEASE, TestNamespace, workspace};
use harness::crowd::Crowd;
use harness::process::program;
use harness::wait::SETTLE;
use harness::{Cluster, Examinee, wait};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DynamicObject, ListParams, PostParams};
use operator::crd::AdaptiveExamDeployment;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;

/// Queries of the dashboards that have no answer while nothing is wrong, by the title of the panel.
const SILENT: [&str; 5] =
    ["Ended by time", "Rebuilds from the log", "Failed reconciles", "Failovers", "Failed requests by route"];
/// Alerts that are right where the machine has more to do than it can: they tell that replies are slow, or the operator is.
const SLOW: [&str; 3] = ["ExamLatencyBurnsFast", "ExamLatencyBurnsSlowly", "ExamOperatorReconcilesSlow"];

#[tokio::test]
async fn a_prometheus_operator_scrapes_all_and_every_query_has_an_answer() -> Result<()> {
    let Some(cluster) = Cluster::shared().await? else { return Ok(()) };
    let _alone = cluster.alone().await;
    let folder = cluster.monitoring().await?;
    let namespace = cluster.namespace("exam-watched").await?;
    // Before its kinds are there, that is said, and all else goes on.
    namespace.postgres("word").await?;
    let spec = json!({
        "service": {"replicas": 2}, "database": {"urlSecretRef": {"name": "exam-db"}}, "redis": {"mode": "sentinel"},
        "monitoring": {"enabled": true, "interval": INTERVAL},
    });
    namespace.api().create(&PostParams::default(), &resource("midterm", spec)?).await?;
    namespace.ready("midterm", "sentinel").await?;
    ensure!(monitoring(&namespace).await?.as_deref() == Some("CRDsMissing"), "what is missing is told");

    let watched = watch(cluster, &namespace, &folder).await;
    let cleared = clear(cluster, &folder).await;
    watched.and(cleared)?;
    namespace.remove().await
}

/// Whoever comes next finds the cluster as it was.
async fn clear(cluster: &Cluster, folder: &Path) -> Result<()> {
    cluster.install().await?;
    let delete = ["kubectl", "delete", "--ignore-not-found"];
    cluster.tool(&[delete.as_slice(), &["namespace", WATCHERS, "--wait=false"]].concat()).await?;
    let crds = folder.join("crds");
    cluster.tool(&[delete.as_slice(), &["-f", &crds.to_string_lossy()]].concat()).await.map(drop)
}

/// The reason that the condition of monitoring has.
async fn monitoring(namespace: &TestNamespace) -> Result<Option<String>> {
    let status = namespace.api::<AdaptiveExamDeployment>().get("midterm").await?.status;
    let mut conditions = status.into_iter().flat_map(|status| status.conditions);
    Ok(conditions.find(|known| known.type_ == "MonitoringReady").map(|known| known.reason))
}

/// Panels that are empty here beside those that are whenever all is well.
const EMPTY: &str = "measurement/Ended by time: no exam has a limit of time
measurement/Rebuilds from the log, by reason: no snapshot has been missed
";

/// Every panel of every dashboard is drawn by Grafana's own components; it fails for an empty one that does not tell of trouble.
async fn draw(watchers: &Watchers) -> Result<String> {
    let drawn = workspace().join("monitoring/drawn");
    let out = program("exam-service")?.with_file_name("drawn");
    std::fs::create_dir_all(&out)?;
    let allowed = std::fs::read_to_string(drawn.join("quiet.txt"))? + EMPTY;
    std::fs::write(out.join("empty.txt"), allowed)?;
    let mut draw = Command::new(drawn.join("draw"));
    draw.args(["--prometheus", &watchers.prometheus, "--range", "5m", "--scrape-interval", INTERVAL]);
    // Both, for the pictures of the documents: light,dark.
    let themes = std::env::var("EXAM_DRAWN_THEMES").unwrap_or_else(|_| "light".to_owned());
    draw.args(["--themes", &themes, "--allow-empty"]).arg(out.join("empty.txt")).arg("--out").arg(&out);
    let said = draw.output().await?;
    ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let report: Value = serde_json::from_slice(&std::fs::read(out.join("report.json"))?)?;
    let themes = themes.split(',').count();
    let boards = report.as_array().context("a list of dashboards")?;
    let panels: usize = boards.iter().filter_map(|board| board["panels"].as_array()).map(Vec::len).sum();
    ensure!(
        boards.len() == 4 * themes && panels > 60 * themes,
        "{} dashboards, {panels} panels",
        boards.len()
    );
    Ok(format!("{panels} panels of {} dashboards are drawn: {}", boards.len(), out.display()))
}

#[expect(clippy::print_stdout, reason = "figures of a run should be where one looks")]
async fn watch(cluster: &Cluster, namespace: &TestNamespace, folder: &Path) -> Result<()> {
    let watchers = Watchers::start(cluster, folder).await?;
    let scraped =
        ["serviceMonitor.enabled=true", "prometheusRule.enabled=true", "serviceMonitor.interval=5s"];
    let values: Vec<&str> = scraped.iter().flat_map(|value| ["--set", value]).collect();
    cluster.install_with(&values).await?;
    change(namespace, json!({"allowedOrigins": ["https://school.example"]})).await?;
    wait::until("the objects of monitoring", SETTLE, || async {
        (monitoring(namespace).await.ok()?.as_deref() == Some("ObjectsApplied")).then_some(())
    })
    .await?;
    let client = namespace.exams("midterm").await?;
    let crowd = Crowd::think(&client, 8, Duration::from_millis(100));
    watchers.sees("up{namespace='exam-watched',service='midterm-ops'} == 1", 2).await?;
    watchers.sees("redis_up{namespace='exam-watched',service='midterm-redis-metrics'} == 1", 6).await?;
    watchers.sees(&format!("up{{namespace='{RELEASE}'}} == 1"), 2).await?;
    println!("2 pods of the service, 3 of Redis, 3 Sentinels and 2 operators are scraped");

    // A password that is rotated makes another exporter, and no Redis is unseen for long.
    change(namespace, json!({"redis": {"auth": {"rotation": "spring"}}})).await?;
    namespace.ready("midterm", "sentinel").await?;
    watchers.sees("redis_up{namespace='exam-watched'} == 1", 6).await?;

    // What is counted when somebody does something unusual.
    let mut examinee = Examinee::start(&client, 10).await?;
    let item = examinee.item.context("an item")?;
    examinee.answer(&client).await?;
    let again = client.answer(examinee.exam, item, Examinee::knows(item)).await?;
    ensure!(again.status == 200, "an answer that is sent again is the same: {again:?}");
    let refused = client.post("/answer", json!({"exam_session_id": examinee.exam})).await?;
    ensure!(refused.status >= 400, "{refused:?}");
    client.post("/complete", json!({"exam_session_id": examinee.exam})).await?;

    // The rates of the dashboards are those of a minute.
    watchers
        .sees("rate(adaptive_exam_requests_total{namespace='exam-watched',route=~'.*answer.*'}[1m]) > 0", 2)
        .await?;
    let query = workspace().join("monitoring/query.py");
    let unanswered = wait::until("every query of the dashboards to have an answer", SETTLE, || async {
        let said = Command::new("python3")
            .arg(&query)
            .args([&watchers.prometheus, "--absent"])
            .output()
            .await
            .ok()?;
        let said = String::from_utf8(said.stdout).ok()?;
        let silent: Vec<&str> =
            said.lines().filter(|line| !SILENT.iter().any(|title| line.contains(title))).collect();
        let (sum, unanswered) = silent.split_last()?;
        unanswered.is_empty().then(|| (*sum).to_owned())
    })
    .await;
    if unanswered.is_err() {
        let said =
            Command::new("python3").arg(&query).args([&watchers.prometheus, "--absent"]).output().await?;
        println!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    }
    println!("{}", unanswered?);
    println!("{}", draw(&watchers).await?);

    let rules = watchers.ask("rules", &[]).await?;
    let all: Vec<&Value> = rules["groups"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|group| group["rules"].as_array())
        .flatten()
        .collect();
    let failing: Vec<_> =
        all.iter().filter(|rule| rule["health"] != "ok").map(|rule| rule["lastError"].to_string()).collect();
    ensure!(failing.is_empty() && all.len() > 20, "{} rules, failing: {failing:?}", all.len());
    let firing = all.iter().filter(|rule| rule["state"] == "firing").filter_map(|rule| rule["name"].as_str());
    let (slow, wrong): (Vec<_>, Vec<_>) = firing.partition(|name| SLOW.contains(name));
    ensure!(wrong.is_empty(), "nothing is wrong, and there fires: {wrong:?}");
    println!("{} rules and alerts are evaluated, none fails; of a busy machine tell: {slow:?}", all.len());
    let seen = crowd.leave().await?;
    println!("{} answers, none failed", seen.answers());

    // Its database goes, and both pods tell it.
    namespace.api::<Pod>().delete("db", &kube::api::DeleteParams::default().grace_period(0)).await?;
    watchers
        .sees("ALERTS{namespace='exam-watched',alertname='ExamDatabaseDown',alertstate='firing'}", 2)
        .await?;
    let told = wait::until("Alertmanager to be told", SETTLE, || async {
        watchers.told("ExamDatabaseDown").await.ok().filter(|told| told.len() == 2)
    })
    .await?;
    for alert in &told {
        let (labels, runbook) = (&alert["labels"], alert["annotations"]["runbook_url"].as_str());
        ensure!(labels["namespace"] == "exam-watched" && labels["severity"] == "critical", "{alert}");
        ensure!(runbook.is_some_and(|url| url.ends_with("#examdatabasedown")), "{alert}");
    }
    println!("the alert of a lost database fires, and Alertmanager has it from both pods");

    change(namespace, json!({"monitoring": {"enabled": false}})).await?;
    wait::until("no exporter", SETTLE, || async {
        let kind = operator::names::service_monitor_kind();
        let monitors: Api<DynamicObject> =
            Api::namespaced_with(namespace.kube.clone(), &namespace.name, &kind);
        let left = monitors.list(&ListParams::default()).await.ok()?.items.len();
        let pods = ListParams::default().labels("app.kubernetes.io/component=redis-metrics");
        let left = left + namespace.api::<Pod>().list(&pods).await.ok()?.items.len();
        (left == 0).then_some(())
    })
    .await
}
