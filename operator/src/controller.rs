//! The reconciler: a pipeline of values.
//!
//! ```text
//! observe ──▶ validate ──▶ decide ──▶ build ──▶ hold ──▶ apply ──▶ status
//! (reads)      (pure)      (pure)    (pure)    (pure)   (writes)   (pure, then published)
//! ```
//! Input: a resource. Output: applied objects, its status, and when to reconcile again. A reconcile is level-triggered
//! and may stop after any step: the next one continues. At rest it writes nothing. Must not know: CRD rules.

pub mod apply;
pub mod build;
pub mod certificate;
pub mod credentials;
pub mod decide;
pub mod events;
mod external;
pub mod given;
pub mod hold;
pub mod observe;
mod quantity;
pub mod redis;
#[cfg(test)]
mod schedules;
pub mod status;
pub mod validate;
pub mod waiting;
mod watch;

pub use watch::run;

use crate::crd::{AdaptiveExamDeployment, AdaptiveExamDeploymentStatus};
use crate::metrics::Metrics;
use crate::names::{self, AUTH_REVISION, Names, REVISION, SECRETS_REVISION};
use apply::Applied;
use credentials::{Credential, Credentials};
use decide::{Known, Provisioned};
use events::Events;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use kube::core::DeserializeGuard;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::controller::Action;
use kube::{Client, ResourceExt};
use redis::auth::{Passwords, RedisAuth};
use redis::patience::Patience;
use std::sync::Arc;
use std::time::{Duration, Instant};
use validate::Defaults;

/// Interval of reconciles of a ready resource, in addition to watch events. Secrets are neither listed nor watched, so
/// one that was deleted or emptied is noticed within this time.
const AT_REST: Duration = Duration::from_secs(60);
/// Interval of reconciles of a resource that is not ready, in addition to watch events.
const ON_THE_WAY: Duration = Duration::from_secs(5);
/// Pause while pods adopt new Settings, which takes two seconds and gives no watch event.
const ADOPTING: Duration = Duration::from_secs(1);
/// Interval of looks at a Redis with Sentinels, which change its master without telling Kubernetes.
const LOOK_AT_REDIS: Duration = Duration::from_secs(10);
/// Pause after a transient failure.
const AFTER_FAILURE: Duration = Duration::from_secs(10);
/// Pause after a failure that lasts until a person acts; a change of the resource triggers a reconcile at once.
const AFTER_REFUSAL: Duration = Duration::from_secs(60);
/// What every reconcile needs.
#[derive(Debug)]
pub struct Context {
    defaults: Defaults,
    http: reqwest::Client,
    applied: Applied,
    tokens: Credentials<Credential>,
    redis_auths: Credentials<RedisAuth>,
    events: Events,
    patience: Patience,
    metrics: Metrics,
}

impl Context {
    /// A context for one operator.
    pub fn new(client: Client, defaults: Defaults, metrics: Metrics) -> Self {
        metrics.begin_steps(&redis::plan::REASONS);
        let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client should build");
        Self {
            defaults,
            http,
            applied: Applied::default(),
            tokens: Credentials::default(),
            redis_auths: Credentials::default(),
            events: Events::new(client),
            patience: Patience::default(),
            metrics,
        }
    }
}

impl Context {
    /// Forgets a resource that is gone.
    fn forget(&self, namespace: &str, name: &str) {
        self.applied.forget(namespace, name);
        let [token, redis] = Names::secrets(name);
        self.tokens.forget(namespace, &token);
        self.redis_auths.forget(namespace, &redis);
        self.patience.forget(namespace, name);
        self.metrics.forget(namespace, name);
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
    /// The static reason, for conditions and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Observe(_) => "ObserveFailed",
            Self::Apply(error) => error.reason(),
            Self::Unreadable(_) => "SchemaOutdated",
        }
    }

    /// Whether the failure lasts until a person acts.
    fn is_lasting(&self) -> bool {
        match self {
            Self::Observe(_) => false,
            Self::Apply(error) => error.is_lasting(),
            Self::Unreadable(_) => true,
        }
    }
}

/// A watched resource. One that cannot be deserialized does not block the others.
type Watched = DeserializeGuard<AdaptiveExamDeployment>;

async fn reconcile(client: &Client, resource: &Watched, context: &Context) -> Result<Action, Error> {
    let start = Instant::now();
    let outcome = match &resource.0 {
        Ok(resource) => pipeline(client, resource, context).await,
        Err(unreadable) => report_unreadable(client, context, unreadable).await,
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
        // The garbage collector deletes the objects by their owner references; they must not be applied again.
        context.forget(&resource.namespace().unwrap_or_default(), &resource.name_any());
        return Ok(Action::requeue(AT_REST));
    }
    let desired = match validate::validate(resource, &context.defaults) {
        Ok(desired) => desired,
        Err(invalid) => {
            let status = status::invalid(&invalid, generation, before, &now);
            publish(client, context, &resource.metadata, before, &status).await?;
            return Ok(Action::requeue(AT_REST));
        }
    };
    let mut observed = observe(client, &desired, context).await?;
    observed.is_monitored = before.is_some_and(status::is_monitored);
    observed.master = before.and_then(|before| before.redis.as_ref()?.master.clone());
    let names = &desired.names;
    let (auth_name, redis_auth_name) = (names.auth(), names.redis_auth());
    let namespace = names.namespace.as_str();
    let token = context.tokens.recall(namespace, &auth_name, observed.auth.value.as_ref());
    let passwords =
        context.redis_auths.recall(namespace, &redis_auth_name, observed.redis_auth.value.as_ref());
    let known = Known { redis_auth: passwords.known(), fresh: &Passwords::random() };
    let mut decision = match decide::decide(&desired, &observed, known) {
        Ok(decision) => decision,
        Err(unusable) => {
            let request = build::certificate::request(&desired).filter(|_| observed.has_issuers);
            if let Some(request) = request.filter(|_| !desired.paused && desired.wanted().is_some()) {
                apply::apply_alone(client, names, &request, &context.applied).await?;
            }
            let (reason, message) = (unusable.reason, unusable.message);
            let status = status::unusable(reason, &message, &desired, &observed, before, &now);
            publish(client, context, &resource.metadata, before, &status).await?;
            // Secrets are not watched: that one comes or is mended is seen by looking again.
            return Ok(Action::requeue(ON_THE_WAY));
        }
    };
    if before.is_some_and(|before| status::is_turning(before, decision.mode)) {
        observed.open_exams = observe::open_exams(&context.http, &observed.pods).await;
    }
    if let Some(Provisioned { plan, .. }) = decision.redis.as_mut().filter(|_| !desired.paused) {
        let wait = plan.step.as_ref().map(|step| step.patience(&observed.redis_facts)).unwrap_or_default();
        let resource = (names.namespace.as_str(), names.name.as_str());
        plan.is_due = context.patience.allows(resource, plan.step.as_ref(), wait, Instant::now());
    }
    let new_token = Credential::random();
    let mut resources = build::build(&desired, &decision, token.known().unwrap_or(&new_token));
    let held = hold::hold(
        &mut resources.objects,
        observed.templates(),
        &hold::Rules {
            name: &names.name,
            update: &resource.spec.update,
            made_from: &hold::made_from(&resource.spec),
            approved: resource.annotations().get(names::APPROVE_UPDATE).map(String::as_str),
            now: now.0,
        },
    );
    let untold = observed.untold(&resources.revision, decision.given.as_deref());
    let mut changed = apply::Changed::new();
    let written = match &observed.taken {
        _ if desired.paused => Ok(()),
        Some((kind, name, holder)) => {
            let (kind, name, holder) = ((*kind).to_owned(), name.clone(), holder.clone());
            Err(apply::Error::Taken { kind, name, holder })
        }
        None => match apply::apply(client, names, &resources, &context.applied, &mut changed).await {
            Ok(()) => {
                let annotations =
                    serde_json::json!({REVISION: resources.revision, SECRETS_REVISION: decision.given});
                apply::tell(client, &desired.names, &untold, &annotations).await
            }
            Err(error) => Err(error),
        },
    };
    let written = match (&decision.redis, written) {
        (Some(provisioned), Ok(())) if !desired.paused => {
            if let Some(pass) = provisioned.pass {
                context.events.tell_step(&resource.metadata, "PasswordRotation", pass.note(), true).await;
            }
            let revision = provisioned.files_revision();
            let untold = observed.redis_facts.untold(&revision);
            apply::tell(client, names, &untold, &serde_json::json!({AUTH_REVISION: revision})).await
        }
        (_, written) => written,
    };
    let written = match (&decision.redis, written) {
        (Some(provisioned), Ok(())) if !desired.paused => {
            redis::steps::take(client, context, &resource.metadata, names, provisioned, &observed).await
        }
        (_, written) => written,
    };
    // Last, so that a volume that cannot grow holds nothing else up.
    let written = match written {
        Ok(()) if !desired.paused => apply::grow(client, names, &resources.grow).await,
        written => written,
    };
    // Its pods are still to follow: what they were before says nothing of the spec as it is now.
    observed.outdate(names, &changed);
    let status =
        status::status(&desired, &decision, held.as_ref(), &resources.revision, &observed, before, &now);
    if let Err(error) = written {
        let (reason, message) = (error.reason(), error.to_string());
        let status = match error {
            apply::Error::Taken { .. } => status::blocked(reason, &message, generation, before, &now),
            _ => status::failed(reason, &message, error.is_lasting(), status, before, &now),
        };
        publish(client, context, &resource.metadata, before, &status).await?;
        return Err(error.into());
    }
    if !desired.paused {
        let service = observed.service.is_some();
        let redis = observed.redis.is_some();
        for (is_used, write, name, is_new) in [
            (service, &decision.auth, &auth_name, token.known().is_none()),
            (redis, &decision.redis_auth, &redis_auth_name, passwords.known().is_none()),
        ] {
            if let Some((reason, note)) = events::lost_secret(is_used, write, name, is_new) {
                context.events.tell_lost_secret(&resource.metadata, name, reason, &note).await;
            }
        }
    }
    publish(client, context, &resource.metadata, before, &status).await?;
    let plan = decision.redis.as_ref().map(|provisioned| &provisioned.plan);
    let is_rotating = status.redis.as_ref().is_some_and(|redis| redis.rotation.is_some());
    let is_moving = is_rotating || plan.is_some_and(|plan| plan.step.is_some() || plan.unsettled.is_some());
    if (observed.is_adopting(&resources.revision) || is_moving) && !desired.paused {
        return Ok(Action::requeue(ADOPTING));
    }
    if observed.sentinel.is_some() && !desired.paused {
        return Ok(Action::requeue(LOOK_AT_REDIS));
    }
    let is_ready =
        status.conditions.iter().any(|known| known.type_ == status::READY && known.status == "True");
    Ok(Action::requeue(if is_ready || desired.paused { AT_REST } else { ON_THE_WAY }))
}

async fn observe(
    client: &Client,
    desired: &validate::Desired,
    context: &Context,
) -> Result<observe::Observed, Error> {
    let observed = observe::observe(client, &context.http, desired).await;
    observed.map_err(|error| Error::Observe(Box::new(error)))
}

/// Reports in the status that a resource cannot be deserialized, and why. Nothing else is done.
async fn report_unreadable(
    client: &Client,
    context: &Context,
    unreadable: &InvalidObject,
) -> Result<Action, Error> {
    let metadata = &unreadable.metadata;
    let (namespace, name) = (metadata.namespace.clone(), metadata.name.clone());
    let before =
        observe::last_status(client, &namespace.unwrap_or_default(), &name.unwrap_or_default()).await;
    let before = before.map_err(|error| Error::Observe(Box::new(error)))?;
    let error = Error::Unreadable(unreadable.error.clone());
    let (generation, now) = (metadata.generation.unwrap_or_default(), Time(Timestamp::now()));
    let status = status::blocked(error.reason(), &error.to_string(), generation, before.as_ref(), &now);
    publish(client, context, metadata, before.as_ref(), &status).await?;
    Err(error)
}

async fn publish(
    client: &Client,
    context: &Context,
    resource: &ObjectMeta,
    before: Option<&AdaptiveExamDeploymentStatus>,
    status: &AdaptiveExamDeploymentStatus,
) -> Result<(), Error> {
    let namespace = resource.namespace.as_deref().unwrap_or_default();
    let name = resource.name.as_deref().unwrap_or_default();
    context.metrics.says(namespace, name, status);
    if !apply::publish(client, resource, before, status).await? {
        return Ok(());
    }
    context.events.tell_transition(resource, before, status).await;
    context.events.tell_mode(resource, before, status).await;
    if let Some(ready) = status.conditions.iter().find(|known| known.type_ == status::READY) {
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
