//! What can happen to Redis and to the operator on three nodes, one after another, each while examinees answer.
//!
//! Input: a resource with Sentinels that is Ready, and what each exam has to reply. Output: the end of each fault, and the
//! longest gap that an examinee saw. Must not know: which nodes there are.

use super::{EXAMINEES, PAUSE};
use crate::credentials::{password, rotated};
use crate::replicas::change;
use crate::sentinel::{all_are_others, another_master, kill, pods, settled, uid};
use anyhow::{Context, Result, bail, ensure};
use harness::cluster::{RELEASE, TestNamespace};
use harness::crowd::Crowd;
use harness::wait::SETTLE;
use harness::{Client, Cluster, wait};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::time::Instant;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

/// What happens.
#[derive(Clone, Copy, Debug)]
enum Fault {
    MasterPodDeleted,
    MasterKilled,
    MasterFrozen,
    MasterRebornEmpty,
    AllOfRedisAtOnce,
    AllSentinelsAtOnce,
    RollingChange,
    PasswordsRotated,
    VolumesGrown,
    OperatorKilledInAHandover,
    OperatorAbsentInAFailover,
}

const ALL: [Fault; 11] = [
    Fault::MasterPodDeleted,
    Fault::MasterKilled,
    Fault::MasterFrozen,
    Fault::MasterRebornEmpty,
    Fault::AllOfRedisAtOnce,
    Fault::AllSentinelsAtOnce,
    Fault::RollingChange,
    Fault::PasswordsRotated,
    Fault::VolumesGrown,
    Fault::OperatorKilledInAHandover,
    Fault::OperatorAbsentInAFailover,
];

/// Has each of them happen, and compares every exam with one that nothing happened to.
#[expect(clippy::print_stdout, reason = "figures of a run should be where one looks")]
pub async fn one_after_another(
    cluster: &Cluster,
    namespace: &TestNamespace,
    client: &Client,
    expected: &[Value],
) -> Result<()> {
    for fault in ALL {
        let leads = settled(namespace).await?;
        let (crowd, repeated) = (Crowd::think(client, EXAMINEES, PAUSE), client.repeated());
        let start = Instant::now();
        happen(fault, cluster, namespace, &leads).await.with_context(|| format!("{fault:?}"))?;
        settled(namespace).await.with_context(|| format!("after {fault:?}"))?;
        let took = start.elapsed();
        let seen = crowd.leave().await.with_context(|| format!("{fault:?}"))?;
        let (answers, gap, again) = (seen.answers(), seen.gap, client.repeated() - repeated);
        println!(
            "{fault:?}: Ready after {took:?}, {answers} answers, longest gap {gap:?}, {again} requests sent again"
        );
        ensure!(
            seen.exams.iter().all(|replies| replies == expected),
            "{fault:?}: bit by bit the exam without it"
        );
    }
    Ok(())
}

async fn happen(fault: Fault, cluster: &Cluster, namespace: &TestNamespace, leads: &str) -> Result<()> {
    let redis = async |signal| cluster.signal(&uid(namespace, leads).await?, "redis-server", signal);
    match fault {
        // It may be back, with all that it had, before Sentinels miss it.
        Fault::MasterPodDeleted => {
            let before = life(namespace, leads).await?;
            namespace.api::<Pod>().delete(leads, &DeleteParams::default().grace_period(0)).await?;
            comes_back(namespace, leads, &before).await
        }
        Fault::MasterKilled => {
            let before = life(namespace, leads).await?;
            redis(Signal::KILL).await?;
            comes_back(namespace, leads, &before).await
        }
        Fault::MasterFrozen => {
            redis(Signal::STOP).await?;
            let another = another_master(namespace, leads).await;
            redis(Signal::CONT).await?;
            another.map(drop)
        }
        Fault::MasterRebornEmpty => {
            let script =
                ["kubectl", "-n", &namespace.name, "exec", leads, "--", "sh", "-c", "rm -rf /data/*"];
            cluster.tool(&script).await?;
            redis(Signal::KILL).await?;
            // It may not lead before it has what the others have.
            another_master(namespace, leads).await.map(drop)
        }
        Fault::AllOfRedisAtOnce => all_at_once(namespace, "redis").await,
        Fault::AllSentinelsAtOnce => all_at_once(namespace, "redis-sentinel").await,
        Fault::RollingChange => {
            let before = pods(namespace, "redis").await?;
            change(namespace, json!({"redis": {"resources": {"requests": {"cpu": "20m"}}}})).await?;
            all_are_others(namespace, "redis", &before).await
        }
        Fault::PasswordsRotated => {
            let before = password(namespace, "app").await?;
            change(namespace, json!({"redis": {"auth": {"rotation": "spring"}}})).await?;
            rotated(namespace, &before).await.map(drop)
        }
        Fault::VolumesGrown => {
            change(namespace, json!({"redis": {"storage": {"size": "1.5Gi"}}})).await?;
            have_grown(namespace, "1536Mi").await
        }
        Fault::OperatorKilledInAHandover => {
            let before = pods(namespace, "redis").await?;
            let mut counts = Counts::of(cluster, namespace, leads)?;
            change(namespace, json!({"redis": {"resources": {"requests": {"cpu": "25m"}}}})).await?;
            let ids = operators(namespace).await?;
            tokio::time::timeout(SETTLE, counts.handover()).await.context("no handover")??;
            for id in ids {
                cluster.signal(&id, "exam-operator", Signal::KILL)?;
            }
            all_are_others(namespace, "redis", &before).await
        }
        Fault::OperatorAbsentInAFailover => {
            cluster.scale_operator(0).await?;
            redis(Signal::STOP).await?;
            let elected = wait::until("Sentinels to name another", SETTLE, || async {
                named(cluster, namespace).await.ok().filter(|name| !name.starts_with(leads))
            })
            .await;
            redis(Signal::CONT).await?;
            cluster.scale_operator(2).await?;
            elected?;
            another_master(namespace, leads).await.map(drop)
        }
    }
}

async fn all_at_once(namespace: &TestNamespace, component: &str) -> Result<()> {
    let before = pods(namespace, component).await?;
    kill(namespace, component).await?;
    all_are_others(namespace, component, &before).await
}

/// A pod's id, how often its containers were started again, and whether it is ready.
async fn life(namespace: &TestNamespace, pod: &str) -> Result<(String, i32, bool)> {
    let Pod { metadata, status, .. } = namespace.api::<Pod>().get(pod).await?;
    let status = status.context("a status")?;
    let restarts = status.container_statuses.iter().flatten().map(|container| container.restart_count).sum();
    let mut conditions = status.conditions.iter().flatten();
    let is_ready = conditions.any(|known| known.type_ == "Ready" && known.status == "True");
    Ok((metadata.uid.context("an id")?, restarts, is_ready))
}

/// Waits until it is ready in another life.
async fn comes_back(namespace: &TestNamespace, pod: &str, before: &(String, i32, bool)) -> Result<()> {
    wait::until("the pod to come back", SETTLE, || async {
        let (id, restarts, is_ready) = life(namespace, pod).await.ok()?;
        (is_ready && (id, restarts) != (before.0.clone(), before.1)).then_some(())
    })
    .await
}

/// Waits until each volume of Redis has this size.
async fn have_grown(namespace: &TestNamespace, size: &str) -> Result<()> {
    let api: Api<PersistentVolumeClaim> = namespace.api();
    wait::until("larger volumes", SETTLE, || async {
        let claims = api.list(&ListParams::default()).await.ok()?.items;
        let is_grown = |claim: &PersistentVolumeClaim| {
            let capacity = claim.status.as_ref().and_then(|status| status.capacity.as_ref());
            capacity.and_then(|held| held.get("storage")).is_some_and(|held| held.0 == size)
        };
        (claims.len() == 3 && claims.iter().all(is_grown)).then_some(())
    })
    .await
}

/// The host that a Sentinel names as the master.
async fn named(cluster: &Cluster, namespace: &TestNamespace) -> Result<String> {
    let script = "REDISCLI_AUTH=$(cat /etc/redis-auth/operator) \
                  redis-cli -p 26379 --user operator sentinel get-master-addr-by-name exams";
    let pod = "midterm-redis-sentinel-0";
    let said =
        cluster.tool(&["kubectl", "-n", &namespace.name, "exec", pod, "--", "sh", "-c", script]).await?;
    said.lines().next().map(str::to_owned).context("a name")
}

/// Ids of the operators' pods.
async fn operators(namespace: &TestNamespace) -> Result<Vec<String>> {
    let api: Api<Pod> = Api::namespaced(namespace.kube.clone(), RELEASE);
    let ours = ListParams::default().labels("app.kubernetes.io/name=adaptive-exam-operator");
    Ok(api.list(&ours).await?.items.into_iter().filter_map(|pod| pod.metadata.uid).collect())
}

/// Counts of the commands that a Redis is given, read again and again.
struct Counts {
    lines: Lines<BufReader<ChildStdout>>,
    _tool: Child,
}

impl Counts {
    /// From now on.
    fn of(cluster: &Cluster, namespace: &TestNamespace, pod: &str) -> Result<Self> {
        let script = "export REDISCLI_AUTH=$(cat /etc/redis-auth/operator); redis-cli --user operator config resetstat; \
                      exec redis-cli --user operator -r -1 -i 0.01 info commandstats";
        let words = ["kubectl", "-n", &namespace.name, "exec", pod, "--", "sh", "-c", script];
        let mut tool = cluster.start_tool(&words)?;
        let lines = BufReader::new(tool.stdout.take().context("an output")?).lines();
        Ok(Self { lines, _tool: tool })
    }

    /// Waits until its writes are paused, with which a handover begins.
    async fn handover(&mut self) -> Result<()> {
        while let Some(line) = self.lines.next_line().await? {
            if line.starts_with("cmdstat_client|pause:") {
                return Ok(());
            }
        }
        bail!("the master ended before")
    }
}
