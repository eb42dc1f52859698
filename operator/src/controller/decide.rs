//! The decision: what should run, and which create-only objects are missing. A rollback will be one arm of this.
//!
//! Input: what is desired, and what was observed. Output: a [`Decision`]. Pure. Must not know: how objects are
//! built.

use super::credentials::Credential;
use super::external::ExternalStore;
use super::given::{Reference, Unusable};
use super::observe::claims::Claim;
use super::observe::{Generated, Observed};
use super::quantity::thousandths;
use super::redis::plan::{self, Plan, Wanted};
use super::validate::{self, Desired, DesiredDatabase};
use crate::crd::{AuthMode, Mode};
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
    /// The size that its volumes are made with; `None`: the one that is wanted. It cannot be changed in a StatefulSet, so
    /// a volume that is made later is grown at once.
    pub volume: Option<String>,
}

/// What to do with a generated Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretWrite {
    /// Nothing: it is whole, or not wanted.
    Keep,
    /// Create it: it is not there.
    Create,
    /// Write its content again: it is there and not whole.
    Restore,
}

impl SecretWrite {
    fn of(is_wanted: bool, found: &Generated) -> Self {
        match found {
            _ if !is_wanted => Self::Keep,
            Generated { value: Some(_), .. } => Self::Keep,
            Generated { exists: true, .. } => Self::Restore,
            Generated { exists: false, .. } => Self::Create,
        }
    }
}

/// Decides what should run.
///
/// # Errors
/// What a person gave in a Secret cannot be used; nothing may be changed then.
pub fn decide(desired: &Desired, observed: &Observed) -> Result<Decision, Unusable> {
    let given = given_revision(desired, observed)?;
    let redis = provisioned(desired, observed);
    let in_files = |store| ExternalStore { store, files: BTreeMap::new() };
    let ExternalStore { store, files: store_files } = match (desired.running(), &desired.external) {
        (Mode::External, Some(external)) => external.resolve(&observed.given)?,
        (Mode::Basic, _) => in_files(desired.basic()),
        (Mode::Sentinel, _) => in_files(desired.by_sentinels()),
        (Mode::Memory | Mode::External, _) => in_files(validate::in_memory()),
    };
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
        given,
        database,
        auth: SecretWrite::of(desired.auth.mode == AuthMode::Token, &observed.auth),
        redis_auth: SecretWrite::of(redis.is_some(), &observed.redis_auth),
        make_data,
        grow,
        has_sentinels: observed.sentinel.is_some(),
        redis,
    })
}

/// The hash of all that the spec names in Secrets, each of which has to be there.
fn given_revision(desired: &Desired, observed: &Observed) -> Result<Option<String>, Unusable> {
    let references = desired.references();
    let texts: Vec<&str> = references
        .iter()
        .map(|reference| Ok(observed.given.text(reference)?.0.as_str()))
        .collect::<Result<_, Unusable>>()?;
    Ok((!texts.is_empty()).then(|| contract::settings::revision(&texts.join("\n"))))
}

/// The Redis to run: as the mode wants it, or as it is where the mode needs none.
fn provisioned(desired: &Desired, observed: &Observed) -> Option<Provisioned> {
    let now = observed.redis_size();
    let as_it_is = || {
        observed.redis.as_ref().map(|_| Wanted { nodes: now.0, sentinels: now.1, ..desired.redis.sentinel })
    };
    let wanted = desired.wanted().or_else(as_it_is)?;
    let mut plan = plan::plan(&wanted, &observed.redis_facts, observed.master.as_deref(), now);
    // The only Redis of all is its own master from the start.
    if observed.redis.is_none() && wanted.sentinels == 0 {
        plan.master.get_or_insert_with(|| desired.names.redis_pod(0));
    }
    let volume = observed.redis.as_ref().and_then(|redis| redis.volume.clone());
    Some(Provisioned { wanted, plan, volume })
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
