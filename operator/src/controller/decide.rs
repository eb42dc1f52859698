//! The decision: what should run, and which create-only objects are missing. A rollback will be one arm of this.
//!
//! Input: what is desired, and what was observed. Output: a [`Decision`]. Pure. Must not know: how objects are
//! built.

use super::observe::{Generated, Observed};
use super::validate::Desired;
use crate::crd::{AuthMode, Mode};

/// What should run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The store mode in the Settings.
    pub mode: Mode,
    /// Whether Redis runs. Once provisioned it stays, with its volume, when the mode changes to memory: the return
    /// is fast, and old snapshots are harmless, because reads are checked against the log.
    pub redis: bool,
    /// What to do with the Secret of the API token.
    pub auth: SecretWrite,
    /// What to do with the Secret of Redis.
    pub redis_auth: SecretWrite,
    /// Whether to create the volume claim of the database.
    pub make_data: bool,
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
pub fn decide(desired: &Desired, observed: &Observed) -> Decision {
    let redis = desired.mode == Mode::Basic || observed.redis.is_some();
    Decision {
        mode: desired.mode,
        redis,
        auth: SecretWrite::of(desired.auth == AuthMode::Token, &observed.auth),
        redis_auth: SecretWrite::of(redis, &observed.redis_auth),
        make_data: !observed.has_data,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::credentials::Credential;
    use crate::controller::observe::Workload;
    use crate::fixtures::{desired, named};

    #[test]
    fn the_table_of_facts_and_decisions() {
        let basic = || Observed { redis: Some(Workload::default()), ..Observed::default() };
        let whole = || Generated { exists: true, value: Some(Credential("word".to_owned())) };
        let secrets =
            |observed: Observed| Observed { auth: whole(), redis_auth: whole(), has_data: true, ..observed };
        let run = |mode, redis, auth, redis_auth| {
            let write = |make| if make { SecretWrite::Create } else { SecretWrite::Keep };
            Decision { mode, redis, auth: write(auth), redis_auth: write(redis_auth), make_data: auth }
        };
        use Mode::{Basic, Memory};
        let table = [
            ("fresh, memory", Memory, Observed::default(), run(Memory, false, true, false)),
            ("fresh, basic", Basic, Observed::default(), run(Basic, true, true, true)),
            ("settled, memory", Memory, secrets(Observed::default()), run(Memory, false, false, false)),
            ("settled, basic", Basic, secrets(basic()), run(Basic, true, false, false)),
            ("basic to memory: Redis stays", Memory, secrets(basic()), run(Memory, true, false, false)),
            ("what was lost is made anew", Memory, basic(), run(Memory, true, true, true)),
        ];
        for (name, mode, observed, expected) in table {
            let mut resource = named("midterm");
            resource.spec.redis.mode = mode;
            assert_eq!(decide(&desired(&resource), &observed), expected, "{name}");
        }
    }

    #[test]
    fn an_emptied_secret_is_restored() {
        let mut resource = named("midterm");
        resource.spec.redis.mode = Mode::Basic;
        let emptied = || Generated { exists: true, value: None };
        let observed = Observed { auth: emptied(), redis_auth: emptied(), ..Observed::default() };
        let decision = decide(&desired(&resource), &observed);
        assert_eq!((decision.auth, decision.redis_auth), (SecretWrite::Restore, SecretWrite::Restore));
    }

    #[test]
    fn without_authentication_there_is_no_token() {
        let mut resource = named("midterm");
        resource.spec.auth.mode = AuthMode::None;
        assert_eq!(decide(&desired(&resource), &Observed::default()).auth, SecretWrite::Keep);
    }
}
