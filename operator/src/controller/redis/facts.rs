//! What is known of a provisioned Redis.
//!
//! Input: none. Output: data, and the few questions that several rules ask of it. What a process does not say is absent,
//! never guessed. Must not know: how it was learnt, what follows from it.

use std::collections::{BTreeMap, BTreeSet};

/// All that was learnt in one look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The data pods that are there, by ordinal.
    pub nodes: Vec<Node>,
    /// The Sentinels that are there.
    pub sentinels: Vec<Sentinel>,
}

/// A data pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub pod: String,
    /// Its ordinal in the StatefulSet.
    pub ordinal: u32,
    /// Whether it was made from an earlier template.
    pub is_outdated: bool,
    /// Whether Kubernetes finds it ready.
    pub is_ready: bool,
    /// Whether it is being deleted.
    pub is_going: bool,
    /// The role that its label tells.
    pub label: Option<String>,
    /// The revision of the Secret that it was told of last.
    pub told: Option<String>,
    /// Whether it answers, but to no password that is valid.
    pub refuses_password: bool,
    /// What Redis says; `None`: it is silent, or refuses to.
    pub word: Option<Word>,
}

/// What a Redis says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// Its role.
    pub role: Role,
    /// Number of its keys.
    pub keys: u64,
    /// Its replication offset, in bytes.
    pub offset: u64,
    /// Replicas that are connected to it.
    pub replicas: u32,
    /// Whether it loads its file, and answers nothing else.
    pub is_loading: bool,
    /// What can be set while it runs.
    pub tuning: Tuning,
    /// What it knows of passwords.
    pub auth: AuthWord,
    /// The SHA-256 of the certificate that it shows; `None`: it has no TLS.
    pub certificate: Option<String>,
}

/// What a Redis or a Sentinel knows of passwords; each as its hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthWord {
    /// The passwords that it accepts, by user. A user that is off is none.
    pub accepts: BTreeMap<String, BTreeSet<String>>,
    /// The password that it presents to Redis and to Sentinels.
    pub presents: String,
}

/// What can be set of a Redis while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tuning {
    /// `min-replicas-to-write`.
    pub min_replicas: u32,
    /// `maxmemory`, in bytes.
    pub max_memory: u64,
    /// `replica-priority`; Sentinels never promote one with 0.
    pub priority: u32,
}

/// A role in replication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// It takes writes.
    #[default]
    Master,
    /// It copies.
    Replica {
        /// The pod that it copies from; `None`: no pod of ours.
        of: Option<String>,
        /// Whether the copy is up to date and stays so.
        is_linked: bool,
    },
}

/// A Sentinel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sentinel {
    /// Its pod.
    pub pod: String,
    /// The revision of the Secret that it was told of last.
    pub told: Option<String>,
    /// Whether it answers, but to no password that is valid.
    pub refuses_password: bool,
    /// What it says; `None`: it is silent, or watches nothing.
    pub word: Option<SentinelWord>,
}

/// What a Sentinel says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SentinelWord {
    /// The pod that it takes for the master; `None`: no pod of ours.
    pub master: Option<String>,
    /// Whether enough Sentinels reach each other to agree on a failover.
    pub has_quorum: bool,
    /// Whether a failover runs.
    pub is_failing_over: bool,
    /// Replicas that it knows.
    pub replicas: u32,
    /// Its quorum.
    pub quorum: u32,
    /// After how long without an answer it takes a Redis for down, in milliseconds.
    pub down_after: u32,
    /// What it knows of passwords.
    pub auth: AuthWord,
}

impl Node {
    /// Whether it says that it is the master.
    pub fn is_master(&self) -> bool {
        self.word.as_ref().is_some_and(|word| word.role == Role::Master && !word.is_loading)
    }

    /// Whether it is an up-to-date replica of this pod.
    pub fn follows(&self, master: &str) -> bool {
        let role = self.word.as_ref().map(|word| &word.role);
        matches!(role, Some(Role::Replica { of: Some(of), is_linked: true }) if of == master)
    }

    /// Whether it has data.
    pub fn has_data(&self) -> bool {
        self.word.as_ref().is_some_and(|word| word.keys > 0)
    }
}

impl Facts {
    /// The pod of this name.
    pub fn node(&self, pod: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.pod == pod)
    }

    /// The master that a majority of so many Sentinels names, with a quorum among them.
    pub fn named(&self, sentinels: u32) -> Option<&str> {
        let words = || self.sentinels.iter().filter_map(|sentinel| sentinel.word.as_ref());
        let names = words().filter(|word| word.has_quorum).filter_map(|word| word.master.as_deref());
        let majority = usize::try_from(sentinels / 2 + 1).unwrap_or(usize::MAX);
        names.clone().find(|name| names.clone().filter(|other| other == name).count() >= majority)
    }

    /// The pods that were not told of this revision of the Secret.
    pub fn untold(&self, revision: &str) -> Vec<&str> {
        let nodes = self.nodes.iter().map(|node| (node.pod.as_str(), &node.told));
        let sentinels = self.sentinels.iter().map(|sentinel| (sentinel.pod.as_str(), &sentinel.told));
        let untold = nodes.chain(sentinels).filter(|(_, told)| told.as_deref() != Some(revision));
        untold.map(|(pod, _)| pod).collect()
    }

    /// Whether a Sentinel leads a failover.
    pub fn is_failing_over(&self) -> bool {
        self.sentinels.iter().filter_map(|sentinel| sentinel.word.as_ref()).any(|word| word.is_failing_over)
    }
}
