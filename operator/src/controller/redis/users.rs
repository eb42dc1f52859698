//! The ACL users of a provisioned Redis and of its Sentinels, and what each may do. Pure.
//!
//! Input: none. Output: names and rules. The user `default` is off. Every rule is known to Redis 6.2: it refuses to start
//! with one that it does not know. Must not know: passwords, commands.

/// A user. Each has a password of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum User {
    /// The exam service.
    App,
    /// A Redis at its master.
    Replica,
    /// A Sentinel, at Redis and at other Sentinels.
    Sentinel,
    /// The operator.
    Operator,
    /// Whoever reads metrics.
    Exporter,
}

/// A kind of process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// Redis.
    Redis,
    /// A Sentinel.
    Sentinel,
}

impl User {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::App, Self::Replica, Self::Sentinel, Self::Operator, Self::Exporter];

    /// Its name, which is also the key of its password in the Secret.
    pub fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Replica => "replica",
            Self::Sentinel => "sentinel",
            Self::Operator => "operator",
            Self::Exporter => "exporter",
        }
    }

    /// What it may do at such a process; `None`: there is no such user there.
    pub fn rules(self, at: Process) -> Option<&'static str> {
        Some(match (at, self) {
            (Process::Redis, Self::App) => {
                "resetkeys ~adaptive_engine:* resetchannels -@all +get +set +del +evalsha +script|load +getrange +ping \
                 +wait +hello +select +auth"
            }
            (Process::Redis, Self::Replica) => "resetkeys resetchannels -@all +psync +replconf +ping +auth",
            (Process::Redis, Self::Sentinel) => {
                "resetkeys resetchannels &__sentinel__:hello -@all +multi +exec +slaveof +replicaof +failover +ping \
                 +subscribe +publish +config|rewrite +role +info +client|setname +client|kill +script|kill +hello +auth"
            }
            (Process::Redis, Self::Exporter) => {
                "resetkeys resetchannels -@all +ping +info +dbsize +slowlog|len +latency|latest +client|setname +hello \
                 +select +auth"
            }
            (Process::Redis | Process::Sentinel, Self::Operator) => "allkeys allchannels +@all",
            (Process::Sentinel, Self::App) => {
                "resetkeys resetchannels &+switch-master -@all +sentinel|get-master-addr-by-name +subscribe +ping \
                 +hello +auth"
            }
            (Process::Sentinel, Self::Sentinel) => {
                "resetkeys resetchannels &__sentinel__:hello -@all +sentinel|is-master-down-by-addr +publish +ping \
                 +client|setname +hello +auth"
            }
            (Process::Sentinel, Self::Exporter) => {
                "resetkeys resetchannels -@all +ping +info +sentinel|masters +sentinel|replicas +sentinel|sentinels \
                 +sentinel|ckquorum +client|setname +hello +auth"
            }
            (Process::Sentinel, Self::Replica) => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_operator_may_do_everything() {
        for user in User::ALL {
            for at in [Process::Redis, Process::Sentinel] {
                let rules = user.rules(at).unwrap_or("-@all");
                assert_eq!(rules.contains("+@all"), user == User::Operator, "{user:?} at {at:?}");
                assert_eq!(
                    rules.contains('~'),
                    (user, at) == (User::App, Process::Redis),
                    "{user:?} at {at:?}"
                );
            }
        }
        let keys = format!("~{}*", contract::KEY_PREFIX);
        assert!(User::App.rules(Process::Redis).unwrap().contains(&keys), "the keys of the service");
    }
}
