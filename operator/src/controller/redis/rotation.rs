//! The rotation of the passwords of a provisioned Redis: which pass is next. Pure.
//!
//! Input: the passwords of the Secret, what is wanted, and how far processes are. Output: the passwords that the Secret is
//! to have next, and the step that brings Redis and Sentinels to those that it has. Two passes, and nobody is ever without
//! a valid password: new ones are accepted everywhere before anybody uses them, and old ones until nobody does. The Secret
//! holds all state, so an operator that ends at any moment is followed by one that goes on. Must not know: commands.

use super::auth::{Passwords, RedisAuth, Stage};
use super::facts::{AuthWord, Facts, Node};
use super::plan::Step;
use super::users::Process;
use crate::controller::credentials::Credential;

/// The passwords that are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The service's is this one, of a Secret that a person made.
    Given(Credential),
    /// They are generated, and anew when this text is another; without a text they stay.
    Generated(Option<String>),
}

impl Wish {
    /// The first passwords of all.
    pub fn first(&self, fresh: &Passwords) -> RedisAuth {
        match self {
            Self::Given(app) => RedisAuth::steady(fresh.clone().with_app(app), ""),
            Self::Generated(text) => RedisAuth::steady(fresh.clone(), text.clone().unwrap_or_default()),
        }
    }

    fn is_met(&self, auth: &RedisAuth) -> bool {
        match self {
            Self::Given(app) => auth.current.of(super::users::User::App) == app,
            Self::Generated(text) => text.as_ref().is_none_or(|text| *text == auth.made_for),
        }
    }
}

/// A pass of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// New passwords are accepted beside the old ones.
    Add,
    /// The new ones are used.
    Switch,
    /// The old ones are accepted no more.
    Drop,
}

impl Pass {
    /// What is told when it begins.
    pub fn note(self) -> &'static str {
        match self {
            Self::Add => "new passwords of Redis are added beside those in use",
            Self::Switch => {
                "every Redis and Sentinel accepts the new passwords; now they and the service use them"
            }
            Self::Drop => "everybody uses the new passwords; the old ones are dropped",
        }
    }

    /// Its name in the status.
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "AddNew",
            Self::Switch => "SwitchClients",
            Self::Drop => "DropOld",
        }
    }
}

/// The pass that begins now, and what the Secret is to hold then. `is_adopted`: every pod of the service uses the current
/// passwords.
pub fn advance(
    auth: &RedisAuth,
    wish: &Wish,
    facts: &Facts,
    is_adopted: bool,
    fresh: &Passwords,
) -> Option<(Pass, RedisAuth)> {
    if !pending(auth, facts).is_empty() {
        return None;
    }
    match &auth.stage {
        Stage::Steady if wish.is_met(auth) => None,
        Stage::Steady => {
            let RedisAuth { current: next, made_for, .. } = wish.first(fresh);
            let stage = Stage::Adding(next);
            Some((Pass::Add, RedisAuth { current: auth.current.clone(), stage, made_for }))
        }
        Stage::Adding(next) => {
            let stage = Stage::Switching(auth.current.clone());
            Some((Pass::Switch, RedisAuth { current: next.clone(), stage, ..auth.clone() }))
        }
        Stage::Switching(_) => {
            is_adopted.then(|| (Pass::Drop, RedisAuth { stage: Stage::Steady, ..auth.clone() }))
        }
    }
}

/// The pass that is on its way.
pub fn running(auth: &RedisAuth, facts: &Facts) -> Option<Pass> {
    match &auth.stage {
        Stage::Adding(_) => Some(Pass::Add),
        Stage::Switching(_) => Some(Pass::Switch),
        Stage::Steady => {
            let has_more = |word: &AuthWord| word.accepts.values().any(|hashes| hashes.len() > 1);
            words(facts).any(|(_, _, word)| word.is_some_and(has_more)).then_some(Pass::Drop)
        }
    }
}

/// The pods that do not answer, or whose process does not accept and present what the Secret says.
pub fn pending<'f>(auth: &RedisAuth, facts: &'f Facts) -> Vec<&'f str> {
    differing(auth, facts).map(|(pod, _)| pod).collect()
}

/// The step that brings every process that answers to what the Secret says. It is harmless at any time, and is taken again
/// until nothing differs.
pub fn step(auth: &RedisAuth, facts: &Facts) -> Option<Step> {
    let pods: Vec<String> =
        differing(auth, facts).filter(|(_, answers)| *answers).map(|(pod, _)| pod.to_owned()).collect();
    (!pods.is_empty()).then_some(Step::Authorize(pods))
}

/// The step that has every Redis show the certificate of this id. Sentinels read theirs at their start only.
pub fn reload(id: &str, facts: &Facts) -> Option<Step> {
    let shown = |node: &&Node| Some(node.word.as_ref()?.certificate.as_deref()? != id);
    let outdated = facts.nodes.iter().filter(|node| shown(node) == Some(true));
    let pods: Vec<String> = outdated.map(|node| node.pod.clone()).collect();
    (!pods.is_empty()).then_some(Step::Reload(pods))
}

fn differing<'f>(auth: &RedisAuth, facts: &'f Facts) -> impl Iterator<Item = (&'f str, bool)> {
    let [redis, sentinel] = [Process::Redis, Process::Sentinel].map(|at| auth.wanted(at));
    words(facts).filter_map(move |(pod, at, word)| {
        let wanted = if at == Process::Redis { &redis } else { &sentinel };
        (word != Some(wanted)).then_some((pod, word.is_some()))
    })
}

/// What each process knows of passwords.
fn words(facts: &Facts) -> impl Iterator<Item = (&str, Process, Option<&AuthWord>)> {
    let nodes = facts.nodes.iter().map(|node| {
        let word = node.word.as_ref().filter(|word| !word.is_loading);
        (node.pod.as_str(), Process::Redis, word.map(|word| &word.auth))
    });
    let sentinels = facts.sentinels.iter().map(|sentinel| {
        (sentinel.pod.as_str(), Process::Sentinel, sentinel.word.as_ref().map(|word| &word.auth))
    });
    nodes.chain(sentinels)
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
