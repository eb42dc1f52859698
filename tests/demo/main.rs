//! `make demo`: an exam on a real Kubernetes node whose Redis is killed during the exam.
//!
//! Input: the programs of this workspace. Output: a node that is left running. Where no node can run, the exam is
//! taken on the service alone.

#![expect(clippy::print_stdout, reason = "it is made to be read")]

use anyhow::{Context, Result};
use harness::cluster::TestNamespace;
use harness::{Client, Cluster, Examinee, Service};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Name of the node; another one than the tests'.
const NODE: &str = "exam";
const NAMESPACE: &str = "school";
const NAME: &str = "midterm";
/// Length of the exam.
const ITEMS: usize = 10;
/// Redis is ended after so many answers.
const LOSS: usize = 5;
/// What is applied, from the top of the workspace.
const SAMPLE: &str = "charts/adaptive-exam-operator/examples/basic.yaml";

#[tokio::main]
async fn main() -> ExitCode {
    match demo().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\nThe demo stopped: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn demo() -> Result<()> {
    say("Starting a Kubernetes node; the first time this builds Kubernetes itself, which takes minutes.");
    match Cluster::up(NODE).await? {
        Some(cluster) => on_a_node(&cluster).await,
        None => alone().await,
    }
}

async fn on_a_node(cluster: &Cluster) -> Result<()> {
    let sample = harness::cluster::workspace().join(SAMPLE);
    say(&format!("Applying {SAMPLE} in namespace {NAMESPACE}."));
    let kube = cluster.kube().await?;
    let manager = PatchParams::apply("demo").force();
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    });
    Api::<Namespace>::all(kube.clone()).patch(NAMESPACE, &manager, &Patch::Apply(namespace)).await?;
    cluster.tool(&["kubectl", "-n", NAMESPACE, "apply", "-f", &sample.to_string_lossy()]).await?;
    let namespace = TestNamespace { kube, name: NAMESPACE.to_owned() };
    namespace.ready(NAME, "basic").await?;
    println!("{}", cluster.tool(&["kubectl", "-n", NAMESPACE, "get", "aed,pods,pvc"]).await?);

    say(&format!("An exam of {ITEMS} items, through the Service; Redis is ended after {LOSS}."));
    let client = namespace.exams(NAME).await?;
    let pods: Api<Pod> = namespace.api();
    let end_redis = || async {
        let redis = format!("{NAME}-redis-0");
        let pod = pods.get(&redis).await?;
        pods.delete(&redis, &DeleteParams::default().grace_period(0)).await?;
        let uid = pod.uid().unwrap_or_default();
        Ok(format!("pod {redis} ({}) is ended; the exam goes on from the log", &uid[..8.min(uid.len())]))
    };
    take(&client, end_redis).await?;
    let redis = format!("pod/{NAME}-redis-0");
    cluster
        .tool(&["kubectl", "-n", NAMESPACE, "wait", "--for=condition=Ready", "--timeout=120s", &redis])
        .await?;
    namespace.ready(NAME, "basic").await?;
    println!("{}", cluster.tool(&["kubectl", "-n", NAMESPACE, "get", "aed,pods"]).await?);
    say("It is left running. Where to look next:");
    println!("  tests/cluster/cluster exec {NODE} -- kubectl -n {NAMESPACE} describe aed {NAME}");
    println!("  tests/cluster/cluster exec {NODE} -- kubectl -n {NAMESPACE} logs deploy/{NAME}");
    println!("  export KUBECONFIG=$(tests/cluster/cluster kubeconfig {NODE})");
    println!("  make cluster-down     ends the node and all it left");
    Ok(())
}

async fn alone() -> Result<()> {
    say("No node can run here, so the exam is taken on the service alone, with embedded defaults.");
    let service = Service::start().await?;
    take(&service.client(), || async { Ok("there is no Redis to lose here".to_owned()) }).await?;
    say("Where to look next: make run, and docs/API.md.");
    Ok(())
}

/// Takes an exam and shows each step; `lose` breaks something in the middle of it.
async fn take<F>(client: &Client, lose: impl Fn() -> F) -> Result<()>
where
    F: Future<Output = Result<String>>,
{
    println!(
        "\n  {:>2}  {:<6} {:<52} {:<6} {:>6} {:>5}   -3 {:^25} 3",
        "#", "item", "asked", "answer", "theta", "SE", "theta ± SE"
    );
    let mut examinee = Examinee::start(client, u32::try_from(ITEMS)?).await?;
    while let Some(item) = examinee.item {
        let asked = client.next(examinee.exam).await?.body;
        examinee.answer(client).await.context("an answer was refused")?;
        let reply = examinee.replies.last().context("a reply")?;
        println!("{}", line(examinee.replies.len(), &asked["item"], Examinee::knows(item), reply));
        if examinee.replies.len() == LOSS {
            println!("      -- {}", lose().await?);
        }
    }
    let result = client.status(examinee.exam).await?.body;
    println!(
        "\n  exam {}: {} after {} items, theta {:.3}, SE {:.3}, score {:.1}\n",
        result["exam_session_id"],
        result["termination_reason"].as_str().unwrap_or_default(),
        result["items_completed"],
        number(&result["theta"]),
        number(&result["standard_error"]),
        number(&result["score"]),
    );
    Ok(())
}

fn line(count: usize, item: &Value, right: bool, reply: &Value) -> String {
    let (theta, error) = (number(&reply["theta"]), number(&reply["standard_error"]));
    let text: String = item["text"].as_str().unwrap_or_default().chars().take(52).collect();
    let code = item["code"].as_str().unwrap_or_default();
    let answer = if right { "right" } else { "wrong" };
    format!(
        "  {count:>2}  {code:<6} {text:<52} {answer:<6} {theta:>6.3} {error:>5.3}      {}",
        interval(theta, error)
    )
}

/// theta and its standard error on a line from -3 to 3.
fn interval(theta: f64, error: f64) -> String {
    let cell = |cell: i32| -3.0 + f64::from(cell) * 0.25;
    let near = |value: f64, at: f64| (value - at).abs() <= 0.125;
    let mark = |at: f64| match at {
        at if near(theta, at) => '●',
        at if (at - theta).abs() <= error => '─',
        _ => '·',
    };
    (0..=24).map(|index| mark(cell(index))).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

fn say(text: &str) {
    println!("\n▸ {text}");
}
