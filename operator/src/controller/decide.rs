//! The decision: what should run, and which create-only objects are missing. A rollback will be one arm of this.
//!
//! Input: what is desired, and what was observed. Output: a [`Decision`]. Pure. Must not know: how objects are
//! built.

use super::observe::Observed;
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
    /// Whether to create the Secret of the API token.
    pub make_auth: bool,
    /// Whether to create the Secret of Redis.
    pub make_redis_auth: bool,
    /// Whether to create the volume claim of the database.
    pub make_data: bool,
}

/// Decides what should run.
pub fn decide(desired: &Desired, observed: &Observed) -> Decision {
    let redis = desired.mode == Mode::Basic || observed.redis.is_some();
    Decision {
        mode: desired.mode,
        redis,
        make_auth: desired.auth == AuthMode::Token && !observed.has_auth,
        make_redis_auth: redis && !observed.has_redis_auth,
        make_data: !observed.has_data,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::observe::Workload;
    use crate::fixtures::{desired, named};

    #[test]
    fn the_table_of_facts_and_decisions() {
        let basic = || Observed { redis: Some(Workload::default()), ..Observed::default() };
        let secrets = |observed: Observed| Observed {
            has_auth: true,
            has_redis_auth: true,
            has_data: true,
            ..observed
        };
        let run = |mode, redis, make_auth, make_redis_auth| {
            let make_data = make_auth;
            Decision { mode, redis, make_auth, make_redis_auth, make_data }
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
    fn without_authentication_there_is_no_token() {
        let mut resource = named("midterm");
        resource.spec.auth.mode = AuthMode::None;
        assert!(!decide(&desired(&resource), &Observed::default()).make_auth);
    }
}
