//! What is wanted is reached and stays, whatever an operator missed, and however old what it read is.
//!
//! Input: schedules by chance: the spec changes, two operators read and write in turns, one of them starts anew, somebody
//! deletes. Output: none; these are tests. What is lost, and what is read late, is what Sun et al. (2022, "Automatic
//! reliability testing for cluster management controllers", section 3) have found to break controllers. Must not know:
//! how objects are made.

mod server;

use super::build::build;
use super::credentials::{Credential, Credentials};
use super::decide::{Known, decide};
use super::hold::{Rules, hold, made_from};
use super::redis::auth::RedisAuth;
use super::redis::users::User;
use super::validate::Desired;
use crate::crd::AdaptiveExamDeployment;
use crate::fixtures::{desired, named, passwords};
use k8s_openapi::jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use server::{Server, Write};
use std::collections::VecDeque;
use std::ops::Range;

/// Reconciles until nothing is written: a rotation takes three, each of which may be followed by one more.
const ROUNDS: usize = 12;

/// Those of the specs that want other passwords.
const ROTATING: Range<usize> = 2..5;

/// The specs that a person may write, one after another.
fn specs() -> Vec<Value> {
    let sentinel = |auth: Value| json!({"mode": "sentinel", "auth": auth});
    vec![
        json!({"redis": {"mode": "basic"}}),
        json!({"redis": {"mode": "memory"}}),
        json!({"redis": sentinel(json!({}))}),
        json!({"redis": {"mode": "basic", "storage": {"size": "2Gi"}, "auth": {"rotation": "autumn"}}}),
        json!({"redis": sentinel(json!({"rotation": "spring"}))}),
        json!({"redis": {"mode": "basic"}, "service": {"autoscaling": {"min": 2, "max": 4}}}),
        json!({"redis": {"mode": "memory"}, "networkPolicy": {"enabled": false}, "service": {"replicas": 3}}),
    ]
}

fn resource(spec: &Value, generation: i64) -> AdaptiveExamDeployment {
    let mut resource = named("midterm");
    let mut spec = spec.clone();
    spec["database"] = json!({"urlSecretRef": {"name": "exam-db"}});
    resource.spec = serde_json::from_value(spec).unwrap();
    resource.metadata.generation = Some(generation);
    resource
}

/// An operator: what it remembers, and what it is about to write.
#[derive(Default)]
struct Operator {
    tokens: Credentials<Credential>,
    redis_auths: Credentials<RedisAuth>,
    writes: VecDeque<Write>,
}

impl Operator {
    /// Reads a spec that may be an old one, and all else as it is; begins its writes.
    fn read(&mut self, server: &mut Server, lag: usize, made: &mut u32) {
        let latest = server.specs.len() - 1;
        let at = latest.saturating_sub(lag);
        let resource = resource(&server.specs[at], i64::try_from(at).unwrap());
        let desired: Desired = desired(&resource);
        let observed = server.observe();
        *made += 1;
        let token = self.tokens.recall("school", "auth", observed.auth.value.as_ref());
        let redis_auth = self.redis_auths.recall("school", "redis-auth", observed.redis_auth.value.as_ref());
        let fresh = passwords(&format!("made{made}"));
        let known = Known { redis_auth: redis_auth.known(), fresh: &fresh };
        let decision = decide(&desired, &observed, known).unwrap();
        let new_token = Credential(format!("token{made}"));
        let mut resources = build(&desired, &decision, token.known().unwrap_or(&new_token));
        let rules = Rules {
            name: "midterm",
            update: &resource.spec.update,
            made_from: &made_from(&resource.spec),
            approved: None,
            now: Timestamp::UNIX_EPOCH,
        };
        hold(&mut resources.objects, observed.templates(), &rules);
        let absent = resources.absent.into_iter().map(|(api, name)| Write::Remove((api.kind, name)));
        self.writes = absent
            .chain(resources.create_only.into_iter().map(Write::Create))
            .chain(resources.restore.into_iter().map(Write::Restore))
            .chain(resources.objects.into_iter().map(Write::Apply))
            .chain(resources.grow.into_iter().map(Write::Grow))
            .collect();
        server.master = decision.redis.and_then(|redis| redis.plan.master).or(server.master.take());
    }

    /// Does the next of its writes; one that is refused ends the reconcile.
    fn write(&mut self, server: &mut Server) -> bool {
        let Some(write) = self.writes.pop_front() else { return false };
        server.write(write).unwrap_or_else(|_| {
            self.writes.clear();
            false
        })
    }

    fn write_all(&mut self, server: &mut Server) -> bool {
        let mut has_changed = false;
        while !self.writes.is_empty() {
            has_changed |= self.write(server);
        }
        has_changed
    }
}

/// What happens next.
#[derive(Clone, Debug)]
enum Event {
    /// The spec is another.
    Change(usize),
    /// An operator reads; its spec is so many changes old.
    Read(usize, usize),
    /// An operator does so many of its writes.
    Write(usize, usize),
    /// An operator reads what is true and writes all.
    Reconcile(usize),
    /// An operator starts anew: it remembers nothing, and its writes are not done.
    Restart(usize),
    /// Somebody deletes an object, or empties a Secret.
    Lose(usize, bool),
}

fn events(specs: Range<usize>, with_losses: bool) -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        2 => specs.prop_map(Event::Change),
        3 => (0..2_usize, 0..3_usize).prop_map(|(who, lag)| Event::Read(who, lag)),
        3 => (0..2_usize, 1..30_usize).prop_map(|(who, count)| Event::Write(who, count)),
        6 => (0..2_usize).prop_map(Event::Reconcile),
        1 => (0..2_usize).prop_map(Event::Restart),
        u32::from(with_losses) * 2 + 1 => (any::<usize>(), any::<bool>()).prop_map(|(at, is_emptied)| Event::Lose(at, is_emptied)),
    ];
    proptest::collection::vec(event, 1..40)
}

/// One operator freezes between what it reads and what it writes, while the other goes on.
fn frozen() -> impl Strategy<Value = Vec<Event>> {
    let event = || prop_oneof![1 => ROTATING.prop_map(Event::Change), 3 => Just(Event::Reconcile(0))];
    let some = || proptest::collection::vec(event(), 0..8);
    (some(), 0..2_usize, some(), 1..30_usize).prop_map(|(before, lag, meanwhile, count)| {
        let frozen = [Event::Read(1, lag)].into_iter().chain(meanwhile);
        before.into_iter().chain(frozen).chain([Event::Write(1, count)]).collect()
    })
}

/// Runs a schedule and lets the first operator go on alone, from what is true; gives what is there at rest.
fn run(schedule: Vec<Event>, with_losses: bool) -> Result<Server, TestCaseError> {
    let mut server = Server::default();
    server.specs.push(specs()[0].clone());
    let mut operators = [Operator::default(), Operator::default()];
    let mut made = 0;
    rest(&mut operators[0], &mut server, &mut made)?;
    for event in schedule {
        match event {
            Event::Change(spec) => server.specs.push(specs()[spec].clone()),
            Event::Read(who, lag) => operators[who].read(&mut server, lag, &mut made),
            Event::Write(who, count) => {
                for _ in 0..count {
                    operators[who].write(&mut server);
                }
            }
            Event::Reconcile(who) => {
                operators[who].read(&mut server, 0, &mut made);
                operators[who].write_all(&mut server);
            }
            Event::Restart(who) => operators[who] = Operator::default(),
            Event::Lose(at, is_emptied) if with_losses => server.lose(at, is_emptied),
            Event::Lose(..) => {}
        }
    }
    // One that was frozen goes on before it learns that it leads no more.
    operators[1].write_all(&mut server);
    rest(&mut operators[0], &mut server, &mut made)?;
    Ok(server)
}

/// Has an operator read and write until it writes nothing.
fn rest(operator: &mut Operator, server: &mut Server, made: &mut u32) -> Result<(), TestCaseError> {
    for _ in 0..ROUNDS {
        operator.read(server, 0, made);
        if !operator.write_all(server) {
            return Ok(());
        }
    }
    Err(TestCaseError::fail(format!("it still writes after {ROUNDS} rounds")))
}

/// Whether what is there is what the last spec wants.
fn is_as_wanted(server: &Server) -> Result<(), TestCaseError> {
    let spec = server.specs.last().unwrap();
    let mode = spec["redis"]["mode"].as_str().unwrap();
    let settings: Value = server.body("ConfigMap", "midterm").unwrap();
    let settings = settings["data"].to_string();
    let is_stored = settings.contains("midterm-redis");
    prop_assert_eq!(is_stored, mode != "memory", "{}", settings);
    if mode == "memory" {
        return Ok(());
    }
    let auth = server.redis_auth().value.unwrap();
    if let Some(rotation) = spec["redis"]["auth"]["rotation"].as_str() {
        prop_assert_eq!(auth.made_for.as_str(), rotation);
    }
    prop_assert!(auth.others().is_none(), "no rotation is on its way for ever");
    let (_, files) = server.secret("midterm-store");
    prop_assert!(
        files.values().any(|file| file == auth.current.of(User::App)),
        "the service has the password"
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_wanted_is_reached_and_stays(schedule in events(0..specs().len(), true)) {
        is_as_wanted(&run(schedule, true)?)?;
    }

    /// Whoever used a password that was valid can use one that is valid next, and learn of it.
    #[test]
    fn a_late_write_takes_no_password_away(schedule in prop_oneof![frozen(), events(ROTATING, false)]) {
        let server = run(schedule, false)?;
        is_as_wanted(&server)?;
        for pair in server.valid.windows(2) {
            prop_assert!(!pair[0].is_disjoint(&pair[1]), "{:?} is followed by {:?}", pair[0], pair[1]);
        }
    }
}
