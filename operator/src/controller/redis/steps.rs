//! What is done at a provisioned Redis in one reconcile: labels of its pods, and the step that is due.
//!
//! Input: a plan, and what was observed. Output: labels, at most one step, and an event about it. Must not know: why a step
//! is the next one.

use super::plan::{self, Step};
use super::rotation;
use crate::controller::Context;
use crate::controller::apply;
use crate::controller::decide::Provisioned;
use crate::controller::observe::Observed;
use crate::names::Names;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;

/// Labels the pods of Redis by their roles, and takes the step that is due.
pub(in crate::controller) async fn take(
    client: &Client,
    context: &Context,
    resource: &ObjectMeta,
    names: &Names,
    Provisioned { wanted, plan, .. }: &Provisioned,
    observed: &Observed,
) -> Result<(), apply::Error> {
    for (pod, role) in &plan.labels {
        apply::label(client, names, pod, role).await?;
    }
    let Some(step) = plan.step.as_ref().filter(|_| plan.is_due) else { return Ok(()) };
    // Between the look and now something may have happened: it is taken if it still is what has to be done.
    let (facts, record) = (&observed.redis_facts, observed.master.as_deref());
    let Some(access) = &observed.redis_access else { return Ok(()) };
    let facts = access.look(facts.nodes.clone(), facts.sentinels.clone()).await;
    let led = || plan::plan(wanted, &facts, record, observed.redis_size()).step;
    let reload = || rotation::reload(&access.certificate.as_ref()?.id, &facts);
    if rotation::step(&access.auth, &facts).or_else(reload).or_else(led).as_ref() != Some(step) {
        return Ok(());
    }
    let done = match step {
        Step::Choose(pod) => Ok(format!("{pod} is chosen as the master")),
        Step::Replace(pod) => {
            apply::replace(client, names, pod).await?;
            Ok(format!("{pod} is replaced"))
        }
        step => access.take(step, wanted, &facts).await,
    };
    context.metrics.stepped(step.reason(), done.is_ok());
    let (reason, note, is_done) = match done {
        Ok(note) => (step.reason(), note, true),
        Err(note) => ("RedisStepFailed", note, false),
    };
    tracing::info!(name = names.name, namespace = names.namespace, reason, is_done, "{note}");
    context.events.tell_step(resource, reason, &note, is_done).await;
    Ok(())
}
