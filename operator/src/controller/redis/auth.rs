//! The passwords of a provisioned Redis, as its Secret holds them. Pure.
//!
//! Input: what the Secret holds. Output: the state of a rotation, what a process has to accept and to present, and what the
//! Secret is to hold: passwords, and configuration that Redis and Sentinels include. A process learns of a password by its
//! hash, unless it has to present it. Must not know: when a rotation goes on, commands.

use super::facts::AuthWord;
use super::users::{Process, User};
use crate::controller::credentials::Credential;
use crate::names::SENTINEL_MASTER;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Key of the text that the newest passwords were made for.
const ROTATION_KEY: &str = "rotation";
/// Key of the configuration that Redis includes.
pub const REDIS_CONFIG_KEY: &str = "redis.conf";
/// Key of the configuration that a Sentinel starts with.
pub const SENTINEL_CONFIG_KEY: &str = "sentinel.conf";

/// One password for each user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passwords([Credential; User::ALL.len()]);

impl Passwords {
    /// New ones.
    pub fn random() -> Self {
        Self(User::ALL.map(|_| Credential::random()))
    }

    /// The same, with this one for the service.
    #[must_use]
    pub fn with_app(mut self, password: &Credential) -> Self {
        self.0[User::App as usize] = password.clone();
        self
    }

    /// The password of a user.
    pub fn of(&self, user: User) -> &Credential {
        &self.0[user as usize]
    }

    /// What tells them from others. Nothing of a password that a person chose can be learnt from it: the others are random.
    pub fn id(&self) -> String {
        let all: Vec<&str> = self.0.iter().map(|password| password.0.as_str()).collect();
        hex(&all.join("\n"))[..12].to_owned()
    }

    fn read(held: &BTreeMap<String, Credential>, prefix: &str) -> Option<Self> {
        let found = User::ALL.map(|user| held.get(&format!("{prefix}{}", user.name())).cloned());
        let all: Vec<Credential> = found.into_iter().collect::<Option<_>>()?;
        Some(Self(all.try_into().ok()?))
    }
}

/// How far a rotation is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// There is none: one password is accepted.
    Steady,
    /// These are to be accepted, too; nobody uses them yet.
    Adding(Passwords),
    /// The current ones are new, and everybody is to use them; these are accepted until everybody does.
    Switching(Passwords),
}

/// The passwords of a Redis, and how far their rotation is. This is all that there is to know: it is in the Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisAuth {
    /// Those that are used.
    pub current: Passwords,
    /// How far a rotation is.
    pub stage: Stage,
    /// The text in the spec that the newest were made for.
    pub made_for: String,
}

impl RedisAuth {
    /// Passwords of which no process knows others.
    pub fn steady(current: Passwords, made_for: impl Into<String>) -> Self {
        Self { current, stage: Stage::Steady, made_for: made_for.into() }
    }

    /// Those beside the current ones.
    pub fn others(&self) -> Option<&Passwords> {
        match &self.stage {
            Stage::Steady => None,
            Stage::Adding(others) | Stage::Switching(others) => Some(others),
        }
    }

    /// All passwords of a user that are valid, the current one first.
    pub fn valid(&self, user: User) -> impl Iterator<Item = &Credential> {
        [Some(&self.current), self.others()].into_iter().flatten().map(move |all| all.of(user))
    }

    /// What a process has to accept and to present.
    pub fn wanted(&self, at: Process) -> AuthWord {
        let hashes = |user| self.valid(user).map(|password| hex(&password.0)).collect::<BTreeSet<_>>();
        let users = User::ALL.into_iter().filter(|user| user.rules(at).is_some());
        let presents = match at {
            Process::Redis => User::Replica,
            Process::Sentinel => User::Sentinel,
        };
        AuthWord {
            accepts: users.map(|user| (user.name().to_owned(), hashes(user))).collect(),
            presents: hex(&self.current.of(presents).0),
        }
    }

    /// The rules of a user at a process, with its passwords; `None`: there is no such user there.
    pub fn rules(&self, user: User, at: Process) -> Option<Vec<String>> {
        let rules = user.rules(at)?;
        let hashes = self.valid(user).map(|password| format!("#{}", hex(&password.0)));
        let on = ["reset".to_owned(), "on".to_owned()];
        Some(on.into_iter().chain(hashes).chain(rules.split(' ').map(str::to_owned)).collect())
    }

    /// What the Secret is to hold.
    pub fn data(&self) -> BTreeMap<String, Credential> {
        let mut data = BTreeMap::new();
        let mut put = |prefix: &str, passwords: &Passwords| {
            let each = User::ALL.map(|user| (format!("{prefix}{}", user.name()), passwords.of(user).clone()));
            data.extend(each);
        };
        put("", &self.current);
        match &self.stage {
            Stage::Steady => {}
            Stage::Adding(next) => put("next-", next),
            Stage::Switching(previous) => put("previous-", previous),
        }
        data.insert(ROTATION_KEY.to_owned(), Credential(self.made_for.clone()));
        data.insert(REDIS_CONFIG_KEY.to_owned(), Credential(self.redis_config()));
        data.insert(SENTINEL_CONFIG_KEY.to_owned(), Credential(self.sentinel_config()));
        data
    }

    /// What a Secret holds; `None`: it lacks a password.
    pub fn read(held: &BTreeMap<String, Credential>) -> Option<Self> {
        let stage = match (Passwords::read(held, "next-"), Passwords::read(held, "previous-")) {
            (_, Some(previous)) => Stage::Switching(previous),
            (Some(next), None) => Stage::Adding(next),
            (None, None) => Stage::Steady,
        };
        let made_for = held.get(ROTATION_KEY).map(|text| text.0.clone()).unwrap_or_default();
        Some(Self { current: Passwords::read(held, "")?, stage, made_for })
    }

    /// Whether a Secret holds what follows from these passwords, in the form of this operator.
    pub fn has_config_in(&self, held: &BTreeMap<String, Credential>) -> bool {
        let data = self.data();
        [REDIS_CONFIG_KEY, SENTINEL_CONFIG_KEY].iter().all(|key| held.get(*key) == data.get(*key))
    }

    /// What tells one content of the Secret from another.
    pub fn revision(&self) -> String {
        let (stage, others) = match &self.stage {
            Stage::Steady => ("steady", String::new()),
            Stage::Adding(next) => ("adding", next.id()),
            Stage::Switching(previous) => ("switching", previous.id()),
        };
        contract::settings::revision(&format!("{} {stage} {others}", self.current.id()))
    }

    fn redis_config(&self) -> String {
        let (user, password) = (User::Replica.name(), &self.current.of(User::Replica).0);
        format!("{}masteruser {user}\nmasterauth {password}\n", self.users(Process::Redis))
    }

    fn sentinel_config(&self) -> String {
        let (user, password) = (User::Sentinel.name(), &self.current.of(User::Sentinel).0);
        format!(
            "{}sentinel sentinel-user {user}\n\
             sentinel sentinel-pass {password}\n\
             sentinel auth-user {SENTINEL_MASTER} {user}\n\
             sentinel auth-pass {SENTINEL_MASTER} {password}\n",
            self.users(Process::Sentinel)
        )
    }

    fn users(&self, at: Process) -> String {
        let rules = User::ALL.into_iter().filter_map(|user| Some((user, self.rules(user, at)?)));
        let lines = rules.map(|(user, rules)| format!("user {} {}\n", user.name(), rules[1..].join(" ")));
        "user default off\n".to_owned() + &lines.collect::<String>()
    }
}

/// The SHA-256 of a text, as Redis writes that of a password.
pub fn hex(text: &str) -> String {
    hex_of(text.as_bytes())
}

/// The SHA-256 of bytes.
pub fn hex_of(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
    Sha256::digest(bytes).iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let [one, two] = [Passwords::random(), Passwords::random()];
        for stage in [Stage::Steady, Stage::Adding(two.clone()), Stage::Switching(two.clone())] {
            let auth = RedisAuth { current: one.clone(), stage, made_for: "spring".to_owned() };
            let mut data = auth.data();
            assert_eq!(RedisAuth::read(&data), Some(auth.clone()));
            assert!(!data["redis.conf"].0.contains(&one.of(User::App).0), "hashes are enough");
            data.remove("exporter");
            assert_eq!(RedisAuth::read(&data), None, "it is not whole");
        }
        assert_ne!(one.id(), two.id());
    }

    #[test]
    fn a_process_accepts_both_and_presents_the_current_one() {
        let [one, two] = [Passwords::random(), Passwords::random()];
        let auth = RedisAuth { stage: Stage::Adding(two.clone()), ..RedisAuth::steady(one.clone(), "") };
        let wanted = auth.wanted(Process::Redis);
        let both = [&one, &two].map(|all| hex(&all.of(User::App).0));
        assert_eq!(wanted.accepts["app"], BTreeSet::from(both));
        assert_eq!(wanted.presents, hex(&one.of(User::Replica).0));
        assert!(!auth.wanted(Process::Sentinel).accepts.contains_key("replica"));
        assert_eq!(hex("test"), "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08");
        let rules = auth.rules(User::Operator, Process::Sentinel).unwrap().join(" ");
        assert!(rules.starts_with("reset on #") && rules.ends_with("allkeys allchannels +@all"), "{rules}");
    }
}
