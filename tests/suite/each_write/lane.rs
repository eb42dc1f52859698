//! One operator behind one proxy in a namespace of its own, and what is done to them.
//!
//! Input: specs and faults. Output: states at rest, and whether a fault struck. Must not know: which writes there are.

use super::state::{is_there, look, objects};
use anyhow::{Context, Result, bail, ensure};
use harness::api_proxy::Fault;
use harness::cluster::TestNamespace;
use harness::wait::SETTLE;
use harness::{ApiProxy, Cluster, Operator, wait};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use operator::crd::AdaptiveExamDeployment;
use serde_json::{Value, json};
use std::time::Duration;
use tempfile::NamedTempFile;

const NAME: &str = "midterm";
/// How many reconciles may write after the end has been reached.
const ROUNDS: usize = 10;
/// Reconciles of a lane at its end, with nothing written.
const AT_THE_END: usize = 5;
/// How long what is there may be as it is before it is looked at again.
const UNSTIRRED: Duration = Duration::from_secs(1);

/// What a lane has tried.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Runs from a change to the end.
    pub runs: usize,
    /// Faults that struck.
    pub faults: usize,
    /// Writes that the operator began.
    pub writes: usize,
}

/// An operator, and the proxy before it.
pub struct Lane {
    namespace: TestNamespace,
    proxy: ApiProxy,
    operator: Operator,
    fault: Option<Fault>,
    nudges: usize,
    tally: Tally,
    _kubeconfig: NamedTempFile,
}

impl Lane {
    /// A new namespace with an operator that works in it.
    pub async fn open(cluster: &Cluster, name: &str) -> Result<Self> {
        let namespace = cluster.namespace(name).await?;
        let proxy = ApiProxy::start(cluster.kube().await?, &format!("/secrets/{NAME}-auth")).await?;
        let kubeconfig = proxy.kubeconfig()?;
        let mut operator = Operator::stopped(kubeconfig.path(), Some(name))?;
        operator.start().await?;
        let (fault, nudges, tally) = (None, 0, Tally::default());
        Ok(Self { namespace, proxy, operator, fault, nudges, tally, _kubeconfig: kubeconfig })
    }

    /// What the operator said.
    pub fn said(&self) -> String {
        self.operator.said()
    }

    /// At the end nothing is written while the operator goes on looking.
    pub async fn close(mut self) -> Result<Tally> {
        let writes = self.proxy.writes();
        if self.api().get_opt(NAME).await?.is_some() {
            for _ in 0..AT_THE_END {
                self.reconcile().await?;
            }
            ensure!(self.proxy.writes() == writes, "{}: written at rest", self.namespace.name);
        }
        self.tally.writes = writes;
        self.namespace.remove().await?;
        Ok(self.tally)
    }

    fn api(&self) -> Api<AdaptiveExamDeployment> {
        self.namespace.api()
    }

    /// Has a write of what comes next fail.
    pub fn arm(&mut self, number: usize, fault: Fault) {
        self.fault = Some(fault);
        self.proxy.fail(Some((number, fault)));
    }

    pub async fn create(&mut self, spec: Value) -> Result<()> {
        let resource = AdaptiveExamDeployment::new(NAME, serde_json::from_value(spec)?);
        self.api().create(&PostParams::default(), &resource).await?;
        Ok(())
    }

    pub async fn change(&mut self, spec: &Value) -> Result<()> {
        let patch = Patch::Merge(json!({"spec": spec}));
        self.api().patch(NAME, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Waits until all pods run as wanted, and no rotation is on its way.
    pub async fn ready(&self) -> Result<()> {
        let mode = self.api().get(NAME).await?.spec.redis.mode;
        wait::until("the end of a rotation", SETTLE, || async {
            let ready = self.namespace.ready(NAME, mode.as_str()).await.ok()?;
            let redis = ready.status?.redis;
            redis.is_none_or(|redis| redis.rotation.is_none()).then_some(())
        })
        .await
    }

    /// Waits until none of the pods finds a node, and that is said.
    pub async fn waits(&self) -> Result<()> {
        wait::until("pods that wait", SETTLE, || async {
            let conditions = self.api().get(NAME).await.ok()?.status?.conditions;
            let mut waits = conditions.iter().filter(|known| known.status != "True");
            let is_said = conditions.iter().any(|known| known.reason == "Unschedulable");
            (is_said && waits.all(|known| known.reason == "Unschedulable")).then_some(())
        })
        .await
    }

    /// Has the operator look once more, and waits until it has begun to.
    async fn reconcile(&mut self) -> Result<()> {
        self.nudges += 1;
        let nudge = Patch::Merge(json!({"metadata": {"annotations": {"nudge": self.nudges.to_string()}}}));
        let (api, params) = (self.api(), PatchParams::default());
        let (begun, nudged) = tokio::join!(
            tokio::time::timeout(SETTLE, self.proxy.another_round()),
            api.patch(NAME, &params, &nudge),
        );
        begun.context("the operator does not look")?;
        nudged?;
        Ok(())
    }

    /// Waits until a whole reconcile has written nothing; gives what is there then.
    pub async fn at_rest(&mut self) -> Result<Value> {
        for _ in 0..ROUNDS {
            let before = self.proxy.writes();
            // When the second begins, the first has ended.
            self.reconcile().await?;
            self.reconcile().await?;
            let seen = look(&self.namespace, NAME).await?;
            if self.proxy.writes() == before {
                return Ok(seen);
            }
        }
        bail!("{}: no rest in {ROUNDS} rounds", self.namespace.name)
    }

    /// Waits for this end.
    async fn is_reached(&self, expected: &Value) -> Result<()> {
        let reached = async {
            while !is_there(&self.namespace, NAME, expected).await {
                self.proxy.stirs(UNSTIRRED).await;
            }
        };
        let Err(late) = tokio::time::timeout(SETTLE, reached).await else { return Ok(()) };
        let seen = look(&self.namespace, NAME).await?;
        bail!("{late}: seen {seen:#}\nand not {expected:#}")
    }

    /// Waits for this end, and ends the operator in between if that is what the fault is; gives whether the fault struck.
    pub async fn reach(&mut self, expected: &Value) -> Result<bool> {
        let kills = self.fault.take().is_some_and(Fault::kills);
        let first = tokio::select! {
            () = self.proxy.struck(), if kills => None,
            reached = self.is_reached(expected) => Some(reached),
        };
        let has_struck = self.proxy.disarm();
        if kills && has_struck {
            self.kill().await?;
            self.start().await?;
        }
        match first {
            Some(reached) if !(kills && has_struck) => reached?,
            _ => self.is_reached(expected).await?,
        }
        let rested = self.at_rest().await?;
        ensure!(rested == *expected, "it did not stay:\n{rested:#}\nand not {expected:#}");
        self.proxy.mend();
        self.tally.runs += 1;
        self.tally.faults += usize::from(has_struck);
        Ok(has_struck)
    }

    pub async fn kill(&mut self) -> Result<()> {
        self.operator.kill().await
    }

    pub async fn start(&mut self) -> Result<()> {
        self.proxy.mend();
        self.operator.start().await
    }

    pub async fn start_deleting(&self) -> Result<()> {
        self.api().delete(NAME, &DeleteParams::default()).await?;
        Ok(())
    }

    /// Waits until the write that is to fail comes, and kills the operator then; `false`: it does not come before pods wait.
    pub async fn is_killed(&mut self) -> Result<bool> {
        self.fault = None;
        tokio::select! {
            () = self.proxy.struck() => {}
            waits = self.waits() => waits?,
        }
        let has_struck = self.proxy.disarm();
        if has_struck {
            self.kill().await?;
        }
        self.tally.faults += usize::from(has_struck);
        Ok(has_struck)
    }

    /// Deletes the resource, if it is still there, and waits until all that is its own is gone, but for the answers; gives
    /// how many writes came meanwhile.
    pub async fn ends(&mut self) -> Result<usize> {
        let before = self.proxy.writes();
        self.end().await?;
        self.tally.runs += 1;
        let written = self.proxy.writes() - before;
        self.clear().await?;
        Ok(written)
    }

    async fn end(&self) -> Result<()> {
        if self.api().get_opt(NAME).await?.is_some() {
            self.api().delete(NAME, &DeleteParams::foreground()).await?;
        }
        wait::until("the end of what is its own", SETTLE, || async {
            let is_gone = matches!(self.api().get_opt(NAME).await, Ok(None));
            let left = objects(&self.namespace).await.ok()?;
            let kind = |kind: &str| kind != "PersistentVolumeClaim";
            (is_gone
                && !left.iter().any(|object| object.types.as_ref().is_some_and(|types| kind(&types.kind))))
            .then_some(())
        })
        .await
    }

    /// Removes everything, so that the next resource begins with nothing.
    pub async fn clear(&mut self) -> Result<()> {
        self.end().await?;
        let api: Api<PersistentVolumeClaim> = self.namespace.api();
        wait::until("no claim", SETTLE, || async {
            let left = api.list(&ListParams::default()).await.ok()?.items;
            // A reconcile that had begun before may make one again: claims have no owner to go with.
            for name in left.iter().filter_map(|claim| claim.metadata.name.as_ref()) {
                api.delete(name, &DeleteParams::default()).await.ok()?;
            }
            left.is_empty().then_some(())
        })
        .await
    }
}
