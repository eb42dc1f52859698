//! `make demo`: an exam on a real Kubernetes node, in the highly available shape, whose master of Redis hangs in mid-exam.
//!
//! Input: the programs of this workspace. Output: a node that is left running. Where no node can run, the exam is
//! taken on the service alone.

#![expect(clippy::print_stdout, reason = "it is made to be read")]

use anyhow::{Context, Result};
use harness::cluster::TestNamespace;
use harness::{Client, Cluster, Examinee, Service, wait};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::Api;
use kube::api::{Patch, PatchParams};
use operator::crd::AdaptiveExamDeployment;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::cell::OnceCell;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Name of the node; another one than the tests'.
const NODE: &str = "exam";
const NAMESPACE: &str = "school";
const NAME: &str = "final";
/// Length of the exam.
const ITEMS: usize = 10;
/// The master of Redis hangs after so many answers.
const LOSS: usize = 5;
/// What is applied, from the top of the workspace.
const SAMPLE: &str = "charts/adaptive-exam-operator/examples/sentinel.yaml";
/// The events that the operator tells.
const OURS: &str = "regarding.kind=AdaptiveExamDeployment";
/// How long Sentinels and the operator may take.
const SETTLE: Duration = Duration::from_secs(120);

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
    say("Starting a Kubernetes node, and the operator on it from manifests/install.yaml.");
    match Cluster::released(NODE, 1).await? {
        Some(cluster) => on_a_node(&cluster).await,
        None => alone().await,
    }
}

async fn on_a_node(cluster: &Cluster) -> Result<()> {
    cluster.install_manifest("install.yaml", "exam-system").await?;
    let sample = harness::cluster::workspace().join(SAMPLE);
    let kube = cluster.kube().await?;
    let manager = PatchParams::apply("demo").force();
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    });
    Api::<Namespace>::all(kube.clone()).patch(NAMESPACE, &manager, &Patch::Apply(namespace)).await?;
    let namespace = TestNamespace { kube, name: NAMESPACE.to_owned() };
    say(&format!("A PostgreSQL in namespace {NAMESPACE}, and {SAMPLE} beside it."));
    namespace.postgres("demo").await?;
    let start = Instant::now();
    cluster.tool(&["kubectl", "-n", NAMESPACE, "apply", "-f", &sample.to_string_lossy()]).await?;
    namespace.ready(NAME, "sentinel").await?;
    println!("  Ready after {:.1} s\n", start.elapsed().as_secs_f64());
    println!("{}", cluster.tool(&["kubectl", "-n", NAMESPACE, "get", "aed,pods,pvc"]).await?);

    say(&format!("An exam of {ITEMS} items, through the Service; after {LOSS} the master of Redis hangs."));
    let client = namespace.exams(NAME).await?;
    let before = master(&namespace).await.context("a master")?;
    let id = namespace.api::<Pod>().get(&before).await?.metadata.uid.context("an id")?;
    let hung = OnceCell::new();
    let hang = || async {
        hung.get_or_init(Instant::now);
        cluster.signal(&id, "redis-server", Signal::STOP)?;
        Ok(format!("{before} answers nothing any more; the exam goes on from the log"))
    };
    let taken = take(&client, hang).await;
    let elected = wait::until("another master", SETTLE, || async {
        master(&namespace).await.filter(|now| *now != before)
    })
    .await;
    let seconds = hung.get().map(|hung| hung.elapsed().as_secs_f64());
    cluster.signal(&id, "redis-server", Signal::CONT)?;
    taken?;
    let (elected, seconds) = (elected?, seconds.unwrap_or_default());
    say(&format!(
        "Sentinels have elected {elected}; the status tells it {seconds:.1} s after the hang. {before} answers again, and follows it."
    ));
    wait::until("two replicas in sync", SETTLE, || async {
        let status = namespace.api::<AdaptiveExamDeployment>().get(NAME).await.ok()?.status?;
        (status.redis?.replicas_in_sync == 2).then_some(())
    })
    .await?;
    namespace.ready(NAME, "sentinel").await?;
    println!("{}", cluster.tool(&["kubectl", "-n", NAMESPACE, "get", "aed,pods"]).await?);
    println!(
        "{}",
        cluster
            .tool(&["kubectl", "-n", NAMESPACE, "get", "events.events.k8s.io", "--field-selector", OURS])
            .await?
    );
    say("It is left running. Where to look next:");
    println!("  tests/cluster/cluster exec {NODE} -- kubectl -n {NAMESPACE} describe aed {NAME}");
    println!("  tests/cluster/cluster exec {NODE} -- kubectl -n {NAMESPACE} logs deploy/{NAME}");
    println!("  export KUBECONFIG=$(tests/cluster/cluster kubeconfig {NODE})");
    println!("  make cluster-down     ends the node and all it left");
    Ok(())
}

/// The pod that leads, as the status tells it.
async fn master(namespace: &TestNamespace) -> Option<String> {
    namespace.api::<AdaptiveExamDeployment>().get(NAME).await.ok()?.status?.redis?.master
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
