//! Leadership by a Lease: of several operators one works, and the others are ready to.
//!
//! Input: a Lease, and work. Output: the work, for as long as the Lease is held. Whoever loses it ends, so that two never
//! write. Must not know: what the work is.

use crate::metrics::Metrics;
use anyhow::{Context, bail};
use k8s_openapi::api::coordination::v1::Lease;
use kube::runtime::wait::await_condition;
use kube::{Api, Client};
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder};
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// For how long a Lease is held without being renewed: whoever ended without a word is replaced after this.
const HELD: Duration = Duration::from_secs(15);
/// How long before its end it is renewed.
const GRACE: Duration = Duration::from_secs(8);
/// Pause after the API server failed to renew it.
const AGAIN: Duration = Duration::from_secs(1);

/// An operator that competes for a Lease.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// Who this operator is, as in the name of its pod.
    pub identity: String,
}

/// Waits for the Lease, works while it is held, and gives it up at the end, so that the next one need not wait.
///
/// # Errors
/// The Lease was lost, or the API server refuses it.
pub async fn lead(
    client: &Client,
    candidate: &Candidate,
    metrics: &Metrics,
    work: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let mut end = signal(SignalKind::terminate())?;
    let manager = tokio::select! {
        elected = elected(client, candidate) => elected?,
        _ = end.recv() => return Ok(()),
    };
    tracing::info!(
        lease = candidate.name,
        namespace = candidate.namespace,
        identity = candidate.identity,
        "leading"
    );
    metrics.leads(true);
    let lost = tokio::select! {
        () = work => None,
        lost = lost(&manager) => Some(lost),
    };
    metrics.leads(false);
    match lost {
        None => manager.release().await.context("the Lease could not be given up"),
        Some(why) => bail!("the Lease {} was lost: {why}; another operator works now", candidate.name),
    }
}

/// Resolves once this operator holds the Lease.
async fn elected(client: &Client, candidate: &Candidate) -> anyhow::Result<LeaseManager> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), &candidate.namespace);
    loop {
        // What a manager knows of the Lease it keeps until that would have expired: a new one looks.
        let manager = LeaseManagerBuilder::new(client.clone(), &candidate.name)
            .with_namespace(&candidate.namespace)
            .with_identity(&candidate.identity)
            .with_duration(HELD.as_secs())
            .with_grace(GRACE.as_secs())
            .build()
            .await
            .with_context(|| {
                format!("the Lease {} in {} cannot be used", candidate.name, candidate.namespace)
            })?;
        let is_free = |lease: Option<&Lease>| {
            lease.is_none_or(|lease| {
                let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
                holder.is_none_or(str::is_empty)
            })
        };
        tokio::select! {
            changed = manager.changed() => match changed {
                Ok(true) => return Ok(manager),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!("the Lease could not be had: {error}");
                    tokio::time::sleep(AGAIN).await;
                }
            },
            freed = await_condition(leases.clone(), &candidate.name, is_free) => {
                if let Err(error) = freed {
                    tracing::warn!("the Lease cannot be watched: {error}");
                    tokio::time::sleep(AGAIN).await;
                }
                // Several may have seen it: the API server decides between them.
                tokio::time::sleep(Duration::from_millis(rand::random_range(0..500))).await;
            }
        }
    }
}

/// Renews the Lease until it is somebody else's, or could not be renewed in time.
async fn lost(manager: &LeaseManager) -> String {
    let mut failing: Option<Instant> = None;
    loop {
        match manager.changed().await {
            Ok(true) => failing = None,
            Ok(false) => return "somebody else has it".to_owned(),
            Err(error) => {
                let since = *failing.get_or_insert_with(Instant::now);
                if since.elapsed() + AGAIN >= GRACE {
                    return format!("it could not be renewed: {error}");
                }
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}
