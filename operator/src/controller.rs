//! The reconcile: a pipeline of values.
//!
//! ```text
//! observe ──▶ validate ──▶ decide ──▶ build ──▶ apply ──▶ status
//! (reads)      (pure)      (pure)    (pure)   (writes)   (pure, then published)
//! ```
//! It assumes nothing about why it was called, and every step may be the last: what is not done now
//! is done by the next call. At rest it writes nothing.

pub mod apply;
pub mod build;
pub mod decide;
pub mod observe;
pub mod status;
pub mod validate;

use crate::crd::{AdaptiveExamDeployment, AdaptiveExamDeploymentStatus};
use crate::metrics::Metrics;
use crate::names::{FIELD_MANAGER, MANAGED_BY, Names};
use apply::Applied;
use build::FreshWords;
use futures::StreamExt;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use kube::core::DeserializeGuard;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::controller::{self, Action, Config, Controller};
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};
use rand::RngExt;
use rand::distr::Alphanumeric;
use std::sync::Arc;
use std::time::{Duration, Instant};
use validate::Defaults;

/// The safety net: a resource at rest is looked at this often.
const AT_REST: Duration = Duration::from_secs(300);
/// A resource that is not ready is looked at this often, beside every event.
const ON_THE_WAY: Duration = Duration::from_secs(5);
/// After a failure that may be over soon.
const AFTER_FAILURE: Duration = Duration::from_secs(10);
/// After a failure that lasts until somebody acts: on the resource, which is an event, or elsewhere.
const AFTER_REFUSAL: Duration = Duration::from_secs(60);
/// Events that come together are one reconcile.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// A watch is renewed before load balancers drop it.
const WATCH_SECONDS: u32 = 190;

/// What every reconcile needs.
#[derive(Debug)]
pub struct Context {
    defaults: Defaults,
    http: reqwest::Client,
    applied: Applied,
    metrics: Metrics,
}

impl Context {
    /// A context for one operator.
    pub fn new(defaults: Defaults, metrics: Metrics) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client should build");
        Self { defaults, http, applied: Applied::default(), metrics }
    }
}

/// Why a reconcile ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading failed.
    #[error("the cluster could not be read: {0}")]
    Observe(#[source] Box<kube::Error>),
    /// Writing failed.
    #[error(transparent)]
    Apply(#[from] apply::Error),
    /// The resource does not have the form that this operator knows.
    #[error(
        "the resource cannot be read: {0}; does its definition belong to another version of the operator?"
    )]
    Unreadable(String),
}

impl Error {
    /// The static word for it, in conditions and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Observe(_) => "ObserveFailed",
            Self::Apply(error) => error.reason(),
            Self::Unreadable(_) => "SchemaOutdated",
        }
    }

    /// Whether it stays as it is until somebody acts.
    fn is_lasting(&self) -> bool {
        match self {
            Self::Observe(_) => false,
            Self::Apply(error) => error.is_lasting(),
            Self::Unreadable(_) => true,
        }
    }
}

/// A resource as it is watched: one that cannot be read keeps none of the others from being read.
type Watched = DeserializeGuard<AdaptiveExamDeployment>;

/// Watches and reconciles until SIGTERM; in one namespace, or in all.
pub async fn run(client: Client, namespace: Option<&str>, context: Arc<Context>) {
    let config = || watcher::Config::default().timeout(WATCH_SECONDS);
    let made = || config().labels(&format!("{MANAGED_BY}={FIELD_MANAGER}"));
    let forgetful = context.clone();
    Controller::new(api::<Watched>(&client, namespace), config())
        .owns(api::<Deployment>(&client, namespace), made())
        .owns(api::<StatefulSet>(&client, namespace), made())
        .owns(api::<Service>(&client, namespace), made())
        .owns(api::<ConfigMap>(&client, namespace), made())
        .owns(api::<ServiceAccount>(&client, namespace), made())
        .with_config(Config::default().debounce(DEBOUNCE).concurrency(8))
        .shutdown_on_signal()
        .run(
            move |resource, context| {
                let client = client.clone();
                async move { reconcile(&client, &resource, &context).await }
            },
            after_failure,
            context,
        )
        // Failures are logged where they are handled, in `after_failure`.
        .for_each(|outcome| {
            if let Err(controller::Error::ObjectNotFound(gone)) = outcome {
                forgetful.applied.forget(gone.namespace.as_deref().unwrap_or_default(), &gone.name);
            }
            futures::future::ready(())
        })
        .await;
}

fn api<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

async fn reconcile(client: &Client, resource: &Watched, context: &Context) -> Result<Action, Error> {
    let start = Instant::now();
    let outcome = match &resource.0 {
        Ok(resource) => pipeline(client, resource, context).await,
        Err(unreadable) => say_unreadable(client, unreadable).await,
    };
    context.metrics.reconciled(outcome.as_ref().err().map(Error::reason), start.elapsed());
    outcome
}

async fn pipeline(
    client: &Client,
    resource: &AdaptiveExamDeployment,
    context: &Context,
) -> Result<Action, Error> {
    let generation = resource.metadata.generation.unwrap_or_default();
    let before = resource.status.as_ref();
    let now = Time(Timestamp::now());
    if resource.metadata.deletion_timestamp.is_some() {
        // Owner references do the rest; what was applied is not to be brought back.
        context.applied.forget(&resource.namespace().unwrap_or_default(), &resource.name_any());
        return Ok(Action::requeue(AT_REST));
    }
    let desired = match validate::validate(resource, &context.defaults) {
        Ok(desired) => desired,
        Err(invalid) => {
            let status = status::invalid(&invalid, generation, before, &now);
            publish(client, &resource.metadata, before, &status).await?;
            return Ok(Action::requeue(AT_REST));
        }
    };
    let observed = observe(client, &desired.names, context).await?;
    let decision = decide::decide(&desired, &observed);
    let (token, password) = (word(), word());
    let fresh = FreshWords { token: &token, password: &password };
    let resources = build::build(&desired, &decision, fresh);
    let written = match &observed.taken {
        _ if desired.paused => Ok(0),
        Some((kind, name, holder)) => {
            let (kind, name, holder) = ((*kind).to_owned(), name.clone(), holder.clone());
            Err(apply::Error::Taken { kind, name, holder })
        }
        None => apply::apply(client, &desired.names, &resources, &context.applied).await,
    };
    let status = status::status(&desired, &decision, &resources.revision, &observed, before, &now);
    if let Err(error) = written {
        let (reason, message) = (error.reason(), error.to_string());
        let status = match error {
            apply::Error::Taken { .. } => status::blocked(reason, &message, generation, before, &now),
            _ => status::failed(reason, &message, error.is_lasting(), status, before, &now),
        };
        publish(client, &resource.metadata, before, &status).await?;
        return Err(error.into());
    }
    publish(client, &resource.metadata, before, &status).await?;
    let is_ready =
        status.conditions.iter().any(|known| known.type_ == status::READY && known.status == "True");
    Ok(Action::requeue(if is_ready || desired.paused { AT_REST } else { ON_THE_WAY }))
}

async fn observe(client: &Client, names: &Names, context: &Context) -> Result<observe::Observed, Error> {
    let observed = observe::observe(client, &context.http, names).await;
    observed.map_err(|error| Error::Observe(Box::new(error)))
}

/// Says of a resource that it cannot be read, and why; nothing else is done about it.
async fn say_unreadable(client: &Client, unreadable: &InvalidObject) -> Result<Action, Error> {
    let metadata = &unreadable.metadata;
    let (namespace, name) = (metadata.namespace.clone(), metadata.name.clone());
    let before =
        observe::last_status(client, &namespace.unwrap_or_default(), &name.unwrap_or_default()).await;
    let before = before.map_err(|error| Error::Observe(Box::new(error)))?;
    let error = Error::Unreadable(unreadable.error.clone());
    let (generation, now) = (metadata.generation.unwrap_or_default(), Time(Timestamp::now()));
    let status = status::blocked(error.reason(), &error.to_string(), generation, before.as_ref(), &now);
    publish(client, metadata, before.as_ref(), &status).await?;
    Err(error)
}

async fn publish(
    client: &Client,
    resource: &ObjectMeta,
    before: Option<&AdaptiveExamDeploymentStatus>,
    status: &AdaptiveExamDeploymentStatus,
) -> Result<(), Error> {
    let namespace = resource.namespace.as_deref().unwrap_or_default();
    let name = resource.name.as_deref().unwrap_or_default();
    if apply::publish(client, namespace, name, before, status).await?
        && let Some(ready) = status.conditions.iter().find(|known| known.type_ == status::READY)
    {
        tracing::info!(name, namespace, ready = ready.status, reason = ready.reason, "{}", ready.message);
    }
    Ok(())
}

fn after_failure(resource: Arc<Watched>, error: &Error, _context: Arc<Context>) -> Action {
    let (name, namespace) = (resource.name_any(), resource.namespace());
    let pause = if error.is_lasting() { AFTER_REFUSAL } else { AFTER_FAILURE };
    tracing::warn!(
        name,
        namespace,
        reason = error.reason(),
        "{error}; trying again in {} s",
        pause.as_secs()
    );
    Action::requeue(pause)
}

/// 48 random letters and digits.
fn word() -> String {
    rand::rng().sample_iter(&Alphanumeric).take(48).map(char::from).collect()
}
