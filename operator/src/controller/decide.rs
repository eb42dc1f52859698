//! The decision: what should run, and which create-only objects are missing. A rollback will be one arm of this.
//!
//! Input: what is desired, and what was observed. Output: a [`Decision`]. Pure. Must not know: how objects are
//! built.

use super::certificate::Certificate;
use super::credentials::Credential;
use super::external::ExternalStore;
use super::given::{Reference, Unusable};
use super::observe::claims::Claim;
use super::observe::{Generated, Observed, ServicePod, Workload};
use super::quantity::thousandths;
use super::redis::auth::{Passwords, RedisAuth};
use super::redis::plan::{self, Plan, Wanted};
use super::redis::rotation::{self, Pass, Wish};
use super::redis::users::User;
use super::validate::{self, Desired, DesiredDatabase};
use crate::crd::{AuthMode, Mode};
use crate::names::{REDIS_AUTHORITY, STORE_FOLDER};
use contract::settings::Store;
use std::collections::BTreeMap;

/// What should run.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The store mode.
    pub mode: Mode,
    /// The store in the Settings.
    pub store: Store,
    /// The files that it names and people gave, by name.
    pub store_files: BTreeMap<String, Credential>,
    /// The hash of all that people gave in Secrets; `None`: nothing.
    pub given: Option<String>,
    /// The hash of where the database is; `None`: in an embedded file.
    pub database: Option<String>,
    /// The Redis that runs. Once provisioned it stays, with its volumes, when the mode changes to another: the return
    /// is fast, and old snapshots are harmless, because reads are checked against the log.
    pub redis: Option<Provisioned>,
    /// Whether there are Sentinels, or were: then they are kept at the number that is wanted, which may be none.
    pub has_sentinels: bool,
    /// What to do with the Secret of the API token.
    pub auth: SecretWrite,
    /// What to do with the Secret of Redis.
    pub redis_auth: SecretWrite,
    /// Whether to create the volume claim of the database.
    pub make_data: bool,
    /// The volume claims that ask for less than is wanted.
    pub grow: Vec<Growth>,
    /// What is to be done about the objects that watch over it.
    pub monitoring: Watch,
}

/// What is to be done about the objects that watch over a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// There were none, and none are wanted.
    Nothing,
    /// They are wanted, and their kinds are not in the cluster.
    KindsMissing,
    /// They are to be there, as far as they are wanted.
    Keep,
    /// They are to go.
    Remove,
}

/// A volume claim that is to ask for more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    /// Its name.
    pub claim: String,
    /// The size that is wanted.
    pub size: String,
}

/// A Redis that the operator provisions.
#[derive(Clone, Debug, PartialEq)]
pub struct Provisioned {
    /// What is wanted of it.
    pub wanted: Wanted,
    /// How to get there.
    pub plan: Plan,
    /// Its passwords, as its Secret is to have them.
    pub auth: RedisAuth,
    /// The pass of a rotation that begins with them.
    pub pass: Option<Pass>,
    /// Its certificate; `None`: it has no TLS.
    pub certificate: Option<Certificate>,
    /// The size that its volumes are made with; `None`: the one that is wanted. It cannot be changed in a StatefulSet, so
    /// a volume that is made later is grown at once.
    pub volume: Option<String>,
}

/// What is known of passwords beside what was observed.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Those of Redis, as its Secret has or had them.
    pub redis_auth: Option<&'a RedisAuth>,
    /// Random ones, should new ones be wanted. They are passed in, because a decision is pure.
    pub fresh: &'a Passwords,
}

/// What to do with a generated Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretWrite {
    /// Nothing: it is whole, or not wanted.
    Keep,
    /// Create it: it is not there.
    Create,
    /// Write its content again, over this version: it is there and not whole.
    Restore(String),
    /// Write other content, over this version: a rotation goes on, or its form is that of another operator.
    Update(String),
}

impl SecretWrite {
    fn of<T>(is_wanted: bool, found: &Generated<T>) -> Self {
        match found {
            _ if !is_wanted => Self::Keep,
            Generated { value: Some(_), .. } => Self::Keep,
            Generated { version: Some(read), .. } => Self::Restore(read.clone()),
            Generated { version: None, .. } => Self::Create,
        }
    }
}

/// Decides what should run.
///
/// # Errors
/// What a person gave in a Secret cannot be used; nothing may be changed then.
pub fn decide(desired: &Desired, observed: &Observed, known: Known<'_>) -> Result<Decision, Unusable> {
    let mut texts = given_texts(desired, observed)?;
    let redis = provisioned(desired, observed, known)?;
    let password_file = redis.as_ref().map(|redis| redis_file(&redis.auth.current)).unwrap_or_default();
    let password_file = format!("{STORE_FOLDER}/{password_file}");
    let in_files = |store| ExternalStore { store, files: BTreeMap::new() };
    let ExternalStore { store, files: mut store_files } = match (desired.running(), &desired.external) {
        (Mode::External, Some(external)) => external.resolve(&observed.given)?,
        (Mode::Basic | Mode::Sentinel, _) => in_files(provisioned_store(desired, password_file)),
        (Mode::Memory | Mode::External, _) => in_files(validate::in_memory()),
    };
    // Pods that have not adopted the Settings yet still read those of before.
    for passwords in redis.iter().flat_map(|redis| [Some(&redis.auth.current), redis.auth.others()]).flatten()
    {
        texts.push(redis_file(passwords));
        store_files.insert(redis_file(passwords), passwords.of(User::App).clone());
    }
    if let Some(Certificate { id, authority }) = redis.as_ref().and_then(|redis| redis.certificate.as_ref()) {
        texts.push(format!("{id}\n{}", authority.0));
        store_files.insert(REDIS_AUTHORITY.to_owned(), authority.clone());
    }
    let database = match &desired.database {
        DesiredDatabase::Embedded(_) => None,
        DesiredDatabase::Postgres { url, .. } => Some(database_revision(url, observed.given.text(url)?)?),
    };
    let make_data = database.is_none() && !observed.has_data;
    let grow = growth(desired, observed);
    Ok(Decision {
        mode: desired.running(),
        store,
        store_files,
        given: (!texts.is_empty()).then(|| contract::settings::revision(&texts.join("\n"))),
        database,
        auth: SecretWrite::of(desired.auth.mode == AuthMode::Token, &observed.auth),
        redis_auth: match SecretWrite::of(redis.is_some(), &observed.redis_auth) {
            SecretWrite::Keep if redis.as_ref().is_some_and(|redis| redis.has_other_secret(observed)) => {
                SecretWrite::Update(observed.redis_auth.version.clone().unwrap_or_default())
            }
            write => write,
        },
        make_data,
        grow,
        has_sentinels: observed.sentinel.is_some(),
        monitoring: match (desired.monitoring.is_enabled, observed.has_monitoring_kinds) {
            (true, true) => Watch::Keep,
            (true, false) => Watch::KindsMissing,
            (false, _) if observed.is_monitored => Watch::Remove,
            (false, _) => Watch::Nothing,
        },
        redis,
    })
}

/// All that the spec names in Secrets, each of which has to be there.
fn given_texts(desired: &Desired, observed: &Observed) -> Result<Vec<String>, Unusable> {
    let references = desired.references();
    // The password of a provisioned Redis is taken up in passes, not at once.
    let others = references.iter().filter(|reference| Some(*reference) != desired.redis_password().as_ref());
    others.map(|reference| Ok(observed.given.text(reference)?.0.clone())).collect()
}

/// The name of the file with the service's password. Another password is another file, so that a pod that has adopted
/// Settings uses the one that they name.
fn redis_file(passwords: &Passwords) -> String {
    format!("redis-{}", passwords.id())
}

/// The Redis that the operator provisions, as a store.
fn provisioned_store(desired: &Desired, password_file: String) -> Store {
    match desired.running() {
        Mode::Sentinel => desired.by_sentinels(password_file),
        _ => desired.basic(password_file),
    }
}

/// The Redis to run: as the mode wants it, or as it is where the mode needs none.
fn provisioned(
    desired: &Desired,
    observed: &Observed,
    known: Known<'_>,
) -> Result<Option<Provisioned>, Unusable> {
    let now = observed.redis_size();
    let as_it_is = || {
        observed.redis.as_ref().map(|_| Wanted { nodes: now.0, sentinels: now.1, ..desired.redis.sentinel })
    };
    let Some(wanted) = desired.wanted().or_else(as_it_is) else { return Ok(None) };
    let certificate = certificate(desired, observed)?;
    let mut plan = plan::plan(&wanted, &observed.redis_facts, observed.master.as_deref(), now);
    // The only Redis of all is its own master from the start, also where the write that recorded it failed.
    let is_alone = (wanted.nodes, wanted.sentinels) == (1, 0) && now.0 <= 1 && now.1 == 0;
    if is_alone || (observed.redis.is_none() && wanted.sentinels == 0) {
        plan.master.get_or_insert_with(|| desired.names.redis_pod(0));
    }
    let volume = observed.redis.as_ref().and_then(|redis| redis.volume.clone());
    let wish = match desired.redis_password() {
        Some(reference) => Wish::Given(Credential(observed.given.text(&reference)?.0.trim().to_owned())),
        None => Wish::Generated(desired.redis.auth.rotation.clone()),
    };
    let facts = &observed.redis_facts;
    let next = observed.redis_auth.value.as_ref().and_then(|auth| {
        let reload = certificate.as_ref().and_then(|certificate| rotation::reload(&certificate.id, facts));
        plan.step = rotation::step(auth, facts).or(reload).or(plan.step.take());
        rotation::advance(auth, &wish, facts, uses(desired, observed, auth), known.fresh)
    });
    let (pass, auth) = match next.filter(|_| !desired.paused) {
        Some((pass, auth)) => (Some(pass), auth),
        None => (None, known.redis_auth.cloned().unwrap_or_else(|| wish.first(known.fresh))),
    };
    Ok(Some(Provisioned { wanted, plan, auth, pass, certificate, volume }))
}

/// The certificate of the Redis that the operator provisions.
fn certificate(desired: &Desired, observed: &Observed) -> Result<Option<Certificate>, Unusable> {
    let unusable = |reason, message: &str| Err(Unusable { reason, message: message.to_owned() });
    let tls = desired.redis.tls.as_ref();
    if observed.is_made_with_tls.is_some_and(|is_made| is_made != tls.is_some()) {
        return unusable(
            "TlsChanged",
            "Redis was made before spec.redis.tls was changed: take that back, or, with mode memory, delete the StatefulSets of Redis and of its Sentinels, so that they are made anew",
        );
    }
    let found = observed.certificate.clone();
    match (tls.and_then(|tls| tls.issuer_ref.as_ref()), found) {
        (Some(_), _) if !observed.has_issuers => unusable(
            "CRDsMissing",
            "spec.redis.tls.issuerRef needs cert-manager, whose kind Certificate (cert-manager.io/v1) is not there: install it, or use secretRef",
        ),
        (Some(issuer), Some(Err(Unusable { reason: "SecretMissing", .. }))) => {
            let name = desired.names.redis_tls();
            let message = format!("issuer {} has not made the certificate {name} yet", issuer.name);
            unusable("WaitingForCertificate", &message)
        }
        (_, found) => found.transpose(),
    }
}

impl Provisioned {
    /// What tells the files of its pods from others.
    pub fn files_revision(&self) -> String {
        let certificate = self.certificate.as_ref().map(|certificate| format!(" {}", certificate.id));
        contract::settings::revision(&(self.auth.revision() + &certificate.unwrap_or_default()))
    }

    /// Whether its Secret is to have other content.
    fn has_other_secret(&self, observed: &Observed) -> bool {
        self.pass.is_some() || !observed.has_redis_config
    }
}

/// Whether every pod of the service uses the current passwords, and reaches its store with them.
fn uses(desired: &Desired, observed: &Observed, auth: &RedisAuth) -> bool {
    let is_used = matches!(desired.running(), Mode::Basic | Mode::Sentinel);
    // In another mode it is enough that no pod uses Redis any more.
    let revision = is_used.then(|| {
        let file = format!("{STORE_FOLDER}/{}", redis_file(&auth.current));
        contract::settings::revision(&desired.settings(provisioned_store(desired, file)).to_text())
    });
    let uses = |pod: &ServicePod| match (&revision, &pod.state) {
        (Some(revision), Ok(state)) => state.settings_revision == *revision && state.store == "up",
        (None, Ok(state)) => state.mode != Mode::Basic.as_str() && state.mode != Mode::Sentinel.as_str(),
        (_, Err(_)) => false,
    };
    observed.service.as_ref().is_none_or(Workload::is_rolled_out) && observed.pods.iter().all(uses)
}

/// Which volume claims are to grow. One that a person has made larger stays so.
fn growth(desired: &Desired, observed: &Observed) -> Vec<Growth> {
    let wanted = |claim: &Claim| match &desired.database {
        DesiredDatabase::Embedded(storage) if claim.name == desired.names.data() => Some(&storage.size),
        _ if claim.name == desired.names.data() => None,
        _ => Some(&desired.redis.storage.size),
    };
    let grows = |claim: &Claim| {
        let size = wanted(claim)?;
        let is_less = thousandths(&claim.asked)? < thousandths(size)?;
        is_less.then(|| Growth { claim: claim.name.clone(), size: size.clone() })
    };
    observed.claims.iter().filter_map(grows).collect()
}

/// The hash of a URL without its user and password: those are adopted by pods that run.
fn database_revision(reference: &Reference, Credential(url): &Credential) -> Result<String, Unusable> {
    let Reference { secret, key, field } = reference;
    let place = ["postgres://", "postgresql://"].iter().find_map(|scheme| url.trim().strip_prefix(scheme));
    let place = place.ok_or_else(|| Unusable {
        reason: "InvalidUrl",
        message: format!(
            "the key {key} of Secret {secret}, which {field} names, must hold postgres://USER:PASSWORD@HOST:PORT/DATABASE"
        ),
    })?;
    Ok(contract::settings::revision(place.rsplit_once('@').map_or(place, |(_, place)| place)))
}

#[cfg(test)]
mod tests;
