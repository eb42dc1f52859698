//! Three real nodes: one is cut off, one is lost and one is drained, each with the master of Redis on it, under load. Then
//! all else that can happen to Redis and to the operator.

mod faults;

use crate::e2e::{resource, undisturbed};
use crate::sentinel::{another_master, settled};
use anyhow::{Context, Result, ensure};
use harness::cluster::TestNamespace;
use harness::crowd::Crowd;
use harness::wait::{SETTLE, TIMEOUT};
use harness::{Cluster, wait};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Api;
use kube::api::{ListParams, PostParams};
use rustix::process::Signal;
use serde_json::json;
use std::time::{Duration, Instant};

const EXAMINEES: usize = 32;
/// How long an examinee thinks before each answer.
const PAUSE: Duration = Duration::from_millis(250);

/// The node that a pod is on.
pub(crate) async fn node_of(namespace: &TestNamespace, pod: &str) -> Result<String> {
    let pod = namespace.api::<Pod>().get(pod).await?;
    pod.spec.and_then(|spec| spec.node_name).context("a node")
}

/// The master's node, which is not the one of the database: the master is moved if it is there.
async fn node_to_break(cluster: &Cluster, namespace: &TestNamespace) -> Result<(String, String)> {
    let database = node_of(namespace, "db").await?;
    loop {
        let leads = settled(namespace).await?;
        let node = node_of(namespace, &leads).await?;
        if node != database {
            return Ok((node, leads));
        }
        let id = namespace.api::<Pod>().get(&leads).await?.metadata.uid.context("an id")?;
        cluster.signal(&id, "redis-server", Signal::STOP)?;
        let moved = another_master(namespace, &leads).await;
        cluster.signal(&id, "redis-server", Signal::CONT)?;
        moved?;
    }
}

/// Waits until a node is Ready, or is not.
async fn node_is(namespace: &TestNamespace, node: &str, is_ready: bool) -> Result<()> {
    let nodes: Api<Node> = Api::all(namespace.kube.clone());
    wait::until(&format!("{node} to be ready: {is_ready}"), SETTLE, || async {
        let conditions = nodes.get(node).await.ok()?.status?.conditions?;
        let ready = conditions.iter().any(|known| known.type_ == "Ready" && known.status == "True");
        (ready == is_ready).then_some(())
    })
    .await
}

#[tokio::test]
async fn a_node_is_cut_off_lost_or_drained_and_no_answer_is_lost() -> Result<()> {
    Cluster::lend(Cluster::with_nodes("nodes", 3).await?, break_nodes).await
}

#[expect(clippy::print_stdout, reason = "figures of a run should be where one looks")]
async fn break_nodes(cluster: &Cluster) -> Result<()> {
    let namespace = cluster.namespace("exam-nodes").await?;
    namespace.postgres("word").await?;
    let spec = json!({
        "service": {"replicas": 3}, "database": {"urlSecretRef": {"name": "exam-db"}}, "redis": {"mode": "sentinel"},
    });
    let start = Instant::now();
    namespace.api().create(&PostParams::default(), &resource("midterm", spec)?).await?;
    settled(&namespace).await?;
    println!("three nodes: from nothing to Ready after {:?}", start.elapsed());
    let pods = namespace.api::<Pod>().list(&ListParams::default()).await?.items;
    for component in ["service", "redis", "redis-sentinel"] {
        let label = "app.kubernetes.io/component";
        let ours = pods.iter().filter(|pod| {
            pod.metadata
                .labels
                .as_ref()
                .and_then(|labels| labels.get(label))
                .is_some_and(|found| found == component)
        });
        let mut nodes: Vec<_> = ours.filter_map(|pod| pod.spec.as_ref()?.node_name.clone()).collect();
        nodes.sort();
        nodes.dedup();
        ensure!(nodes.len() == 3, "{component} is spread over the nodes, not only over {nodes:?}");
    }
    let client = namespace.exams("midterm").await?.as_a_patient_proxy();
    let expected = undisturbed(10).await?;

    for fault in ["cut off", "lost", "drained"] {
        let (node, leads) = node_to_break(cluster, &namespace).await?;
        let (crowd, repeated) = (Crowd::think(&client, EXAMINEES, PAUSE), client.repeated());
        let start = Instant::now();
        match fault {
            "cut off" => cluster.break_node("cut", &node).await?,
            "lost" => cluster.break_node("lose", &node).await?,
            _ => {
                let drain = ["kubectl", "drain", &node, "--ignore-daemonsets", "--delete-emptydir-data"];
                cluster.tool(&[drain.as_slice(), &[TIMEOUT]].concat()).await?;
            }
        }
        let next = another_master(&namespace, &leads).await?;
        println!("{node} is {fault}: {next} leads after {:?}", start.elapsed());
        match fault {
            "cut off" => {
                node_is(&namespace, &node, false).await?;
                cluster.break_node("join", &node).await?;
            }
            "lost" => {
                node_is(&namespace, &node, false).await?;
                cluster.break_node("restore", &node).await?;
            }
            _ => cluster.tool(&["kubectl", "uncordon", &node]).await.map(drop)?,
        }
        node_is(&namespace, &node, true).await?;
        settled(&namespace).await?;
        println!("{node} is back, and all is Ready after {:?}", start.elapsed());
        let seen = crowd.leave().await?;
        let (answers, gap, again) = (seen.answers(), seen.gap, client.repeated() - repeated);
        println!("{fault}: {answers} answers, longest gap {gap:?}, {again} requests sent again");
        ensure!(
            seen.exams.iter().all(|replies| *replies == expected),
            "{fault}: bit by bit the exam without it"
        );
    }
    faults::one_after_another(cluster, &namespace, &client, &expected).await
}
