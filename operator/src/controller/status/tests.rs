//! What is said is what was seen.

use super::*;
use crate::controller::credentials::Credential;
use crate::controller::given::Given;
use crate::controller::observe::evidence::Evidence;
use crate::controller::observe::{Generated, ServicePod, Template};
use crate::controller::redis::auth::RedisAuth;
use crate::controller::redis::facts::{Facts, Node, Word};
use crate::controller::redis::plan::Wanted;
use crate::crd::Mode;
use crate::crd::{AdaptiveExamDeployment, Request};
use crate::fixtures::{decided, desired, named, passwords};
use k8s_openapi::jiff::Timestamp;

const REVISION: &str = "abc";

fn at(seconds: i64) -> Time {
    Time(Timestamp::from_second(seconds).unwrap())
}

fn rolled_out() -> Workload {
    Workload {
        template: Template::default(),
        volume: None,
        is_current: true,
        wanted: 1,
        updated: 1,
        ready: 1,
        total: 1,
        refused: None,
        evidence: Evidence::default(),
    }
}

fn whole() -> Generated<Credential> {
    Generated { version: Some("7".to_owned()), value: Some(Credential("word".to_owned())) }
}

fn state(mode: &str, revision: &str, store: &str) -> State {
    State {
        mode: mode.to_owned(),
        settings_revision: revision.to_owned(),
        settings_rejected: None,
        settings_faults: None,
        database: Some("up".to_owned()),
        store: store.to_owned(),
        store_problem: None,
        durability: "SQLite".to_owned(),
        open_exams: 0,
        clock_correction_seconds: None,
        version: "0".to_owned(),
    }
}

/// One pod, with this word.
fn pods(state: Result<State, String>) -> Vec<ServicePod> {
    vec![ServicePod {
        name: "midterm-1".to_owned(),
        ops: String::new(),
        told: None,
        told_of_secrets: None,
        state,
    }]
}

fn settled(mode: Mode) -> Observed {
    let store = if mode == Mode::Basic { "up" } else { "disabled" };
    Observed {
        auth: whole(),
        redis_auth: Generated {
            version: Some("7".to_owned()),
            value: Some(RedisAuth::steady(passwords("old"), "")),
        },
        given: Given::default(),
        has_data: true,
        taken: None,
        service: Some(rolled_out()),
        redis: (mode == Mode::Basic).then(rolled_out),
        redis_facts: if mode == Mode::Basic { leading() } else { Facts::default() },
        master: Some("midterm-redis-0".to_owned()),
        pods: pods(Ok(state(mode.as_str(), REVISION, store))),
        ..Observed::default()
    }
}

/// One Redis that leads.
fn leading() -> Facts {
    let wanted = Wanted { nodes: 1, sentinels: 0, ..desired(&named("midterm")).redis.sentinel };
    let word = Word { tuning: wanted.tuning(0), ..Word::default() };
    let node =
        Node { pod: "midterm-redis-0".to_owned(), word: Some(word), is_ready: true, ..Node::default() };
    Facts { nodes: vec![node], sentinels: Vec::new() }
}

fn said(mode: Mode, observed: &Observed) -> AdaptiveExamDeploymentStatus {
    let mut resource = named("midterm");
    resource.spec.redis.mode = mode;
    let desired = desired(&resource);
    let decision = decided(&desired, observed);
    status(&desired, &decision, None, REVISION, observed, None, &at(100))
}

fn of(status: &AdaptiveExamDeploymentStatus, type_: &str) -> Option<(String, String)> {
    let found = status.conditions.iter().find(|known| known.type_ == type_)?;
    Some((found.status.clone(), found.reason.clone()))
}

fn word(status: &str, reason: &str) -> Option<(String, String)> {
    Some((status.to_owned(), reason.to_owned()))
}

#[test]
fn what_was_seen_before_a_change_is_not_said_of_it() {
    let names = desired(&named("midterm")).names;
    for (kind, name, reason) in [
        ("Deployment", "midterm", "WaitingForPods"),
        ("StatefulSet", "midterm-redis", "WaitingForRedis"),
        ("ConfigMap", "midterm", "AllChecksPassed"),
    ] {
        let mut observed = settled(Mode::Basic);
        observed.outdate(&names, &[(kind.to_owned(), name.to_owned())].into());
        let status = if reason == "AllChecksPassed" { "True" } else { "False" };
        assert_eq!(of(&said(Mode::Basic, &observed), READY), word(status, reason), "{kind} {name}");
    }
}

#[test]
fn the_table_of_facts_and_readiness() {
    let basic = || settled(Mode::Basic);
    let table: Vec<(&str, Mode, Observed, &str, &str)> = vec![
        ("memory, settled", Mode::Memory, settled(Mode::Memory), "True", "AllChecksPassed"),
        ("basic, settled", Mode::Basic, basic(), "True", "AllChecksPassed"),
        ("nothing there", Mode::Basic, Observed::default(), "False", "WaitingForPods"),
        (
            "old Settings still run",
            Mode::Basic,
            Observed { pods: pods(Ok(state("basic", "old", "up"))), ..basic() },
            "False",
            "WaitingForPods",
        ),
        (
            "the pod is not ready",
            Mode::Basic,
            Observed { service: Some(Workload { ready: 0, ..rolled_out() }), pods: Vec::new(), ..basic() },
            "False",
            "WaitingForPods",
        ),
        (
            "no pod can be made",
            Mode::Basic,
            Observed {
                service: Some(Workload {
                    ready: 0,
                    refused: Some("exceeded quota".to_owned()),
                    ..rolled_out()
                }),
                ..basic()
            },
            "False",
            "PodsRefused",
        ),
        (
            "an old pod is still there",
            Mode::Basic,
            Observed { service: Some(Workload { total: 2, ..rolled_out() }), ..basic() },
            "False",
            "WaitingForPods",
        ),
        (
            "the service says it runs something else",
            Mode::Basic,
            Observed { pods: pods(Ok(state("memory", REVISION, "disabled"))), ..basic() },
            "False",
            "WaitingForPods",
        ),
        (
            "the service does not answer",
            Mode::Basic,
            Observed { pods: pods(Err("refused".to_owned())), ..basic() },
            "Unknown",
            "ServiceSilent",
        ),
        (
            "Redis is not ready",
            Mode::Basic,
            Observed { redis: Some(Workload { ready: 0, ..rolled_out() }), ..basic() },
            "False",
            "WaitingForRedis",
        ),
        (
            "the service does not reach Redis",
            Mode::Basic,
            Observed { pods: pods(Ok(state("basic", REVISION, "down"))), ..basic() },
            "False",
            "StoreUnreachable",
        ),
        (
            "the service does not reach its database",
            Mode::Memory,
            Observed {
                pods: pods(Ok(State {
                    database: Some("down".to_owned()),
                    ..state("memory", REVISION, "disabled")
                })),
                ..settled(Mode::Memory)
            },
            "False",
            "DatabaseUnreachable",
        ),
    ];
    for (name, mode, observed, ready, reason) in table {
        let status = said(mode, &observed);
        assert_eq!(of(&status, READY), word(ready, reason), "{name}");
        assert_eq!(of(&status, RECONCILING).is_some(), ready != "True", "{name}");
        assert_eq!(of(&status, STALLED), None, "{name}");
        assert!(status.conditions.iter().all(|known| known.observed_generation == Some(3)), "{name}");
    }
}

#[test]
fn the_pod_that_is_farthest_behind_is_told() {
    let pod = |name: &str, told: Option<&str>, state| ServicePod {
        ops: String::new(),
        name: name.to_owned(),
        told: told.map(str::to_owned),
        told_of_secrets: None,
        state: Ok(state),
    };
    let observed = Observed {
        pods: vec![
            pod("a", None, state("basic", REVISION, "up")),
            pod("b", Some(REVISION), state("memory", "old", "disabled")),
            pod("c", Some("older"), state("memory", "old", "disabled")),
        ],
        ..settled(Mode::Basic)
    };
    assert_eq!(observed.untold(REVISION, None), ["c"], "who was told, or knows, is left in peace");
    assert_eq!(observed.untold(REVISION, Some("1")), ["a", "b", "c"], "other secrets are told to all");
    let status = said(Mode::Basic, &observed);
    assert_eq!((status.adoption.adopted, status.adoption.pods), (1, 3));
    assert_eq!(status.mode.as_deref(), Some("memory"), "it runs as long as one pod does");
    assert_eq!(of(&status, READY), word("False", "WaitingForPods"));
    let refused = State {
        settings_rejected: Some(REVISION.to_owned()),
        settings_faults: Some("banks: no such file".to_owned()),
        ..state("memory", "old", "disabled")
    };
    let status = said(Mode::Basic, &Observed { pods: pods(Ok(refused)), ..settled(Mode::Basic) });
    assert_eq!(of(&status, READY), word("False", "SettingsRejected"));
    assert!(status.conditions[0].message.contains("no such file"), "{:?}", status.conditions[0]);
}

#[test]
fn what_runs_is_the_services_own_word() {
    let observed = Observed { pods: pods(Ok(state("memory", "old", "disabled"))), ..settled(Mode::Basic) };
    let status = said(Mode::Basic, &observed);
    assert_eq!((status.mode.as_deref(), status.settings_revision.as_deref()), (Some("memory"), Some("old")));
    let silent = Observed { pods: Vec::new(), ..settled(Mode::Basic) };
    assert_eq!(said(Mode::Basic, &silent).mode, None, "unknown is not said to be anything");
}

#[test]
fn a_redis_outside_runs_in_its_own_mode_and_is_told_by_ours() {
    let mut resource = named("midterm");
    resource.spec.redis.mode = Mode::External;
    resource.spec.redis.external =
        serde_json::from_value(serde_json::json!({"url": "redis://cache"})).unwrap();
    let desired = desired(&resource);
    let say = |revision: &str, state: State, before: Option<&AdaptiveExamDeploymentStatus>| {
        let observed = Observed { pods: pods(Ok(state)), ..settled(Mode::Memory) };
        let decision = decided(&desired, &observed);
        status(&desired, &decision, None, revision, &observed, before, &at(100))
    };
    let good = say(REVISION, state("basic", REVISION, "up"), None);
    assert_eq!((good.mode.as_deref(), of(&good, READY)), (Some("external"), word("True", "AllChecksPassed")));
    let wrong = State {
        store_problem: Some("the password is refused".to_owned()),
        ..state("basic", REVISION, "down")
    };
    let bad = say(REVISION, wrong, Some(&good));
    assert_eq!(of(&bad, READY), word("False", "StoreUnreachable"));
    assert!(bad.conditions[0].message.contains("the password is refused"), "{:?}", bad.conditions[0]);
    // While it is left, its mode still has our name.
    let leaving = say("next", state("basic", REVISION, "up"), Some(&good));
    assert_eq!(leaving.mode.as_deref(), Some("external"));
}

#[test]
fn a_secret_that_cannot_be_used_leaves_what_runs_and_says_so() {
    let good = said(Mode::Basic, &settled(Mode::Basic));
    let desired = desired(&named("midterm"));
    let refused = unusable(
        "SecretMissing",
        "Secret db is not there",
        &desired,
        &settled(Mode::Basic),
        Some(&good),
        &at(200),
    );
    assert_eq!(of(&refused, READY), word("False", "SecretMissing"));
    assert_eq!(of(&refused, STALLED), word("True", "SecretMissing"));
    assert_eq!(of(&refused, SERVICE_AVAILABLE), of(&good, SERVICE_AVAILABLE), "that was seen");
    assert_eq!(refused.mode, good.mode);
}

#[test]
fn a_rollback_is_told_and_recorded() {
    let mut resource = named("midterm");
    resource.spec.redis.mode = Mode::Basic;
    let good = said(Mode::Basic, &settled(Mode::Basic));
    assert!(good.transitions.is_empty());
    resource.spec.rollback.request = Some(Request::Memory);
    let say =
        |resource: &AdaptiveExamDeployment, state: State, before: &AdaptiveExamDeploymentStatus, now| {
            let desired = desired(resource);
            let observed = Observed { pods: pods(Ok(state)), ..settled(Mode::Basic) };
            let decision = decided(&desired, &observed);
            status(&desired, &decision, None, "next", &observed, Some(before), &at(now))
        };
    let begun = say(&resource, state("basic", REVISION, "up"), &good, 200);
    let told = begun.transitions.last().unwrap();
    assert_eq!(
        (told.from.as_str(), told.to.as_str(), told.cause.as_str()),
        ("basic", "memory", "RollbackRequested")
    );
    assert_eq!(of(&begun, ROLLED_BACK), word("True", "RolledBackManually"));
    let done = say(&resource, state("memory", "next", "disabled"), &begun, 203);
    assert_eq!((done.mode.as_deref(), done.transitions[0].seconds), (Some("memory"), Some(3)));
    assert_eq!(of(&done, READY), word("True", "AllChecksPassed"), "it runs as was asked");
    resource.spec.rollback.request = Some(Request::Return);
    let back = say(&resource, state("memory", "other", "disabled"), &done, 300);
    assert_eq!(back.transitions[1].cause, "ReturnRequested");
    assert_eq!(of(&back, ROLLED_BACK), None);
}

#[test]
fn a_condition_keeps_its_time_until_it_changes() {
    let mut resource = named("midterm");
    resource.spec.redis.mode = Mode::Basic;
    let desired = desired(&resource);
    let say = |observed: &Observed, before: Option<&AdaptiveExamDeploymentStatus>, now: i64| {
        let decision = decided(&desired, observed);
        status(&desired, &decision, None, REVISION, observed, before, &at(now))
    };
    let first = say(&settled(Mode::Basic), None, 100);
    let same = say(&settled(Mode::Basic), Some(&first), 200);
    assert_eq!(first, same, "at rest nothing changes, so nothing is written");
    let broken = Observed { redis: None, ..settled(Mode::Basic) };
    let changed = say(&broken, Some(&same), 300);
    let time = |status: &AdaptiveExamDeploymentStatus, type_: &str| {
        let found = status.conditions.iter().find(|known| known.type_ == type_);
        found.map(|known| known.last_transition_time.clone())
    };
    assert_eq!(time(&changed, READY), Some(at(300)));
    assert_eq!(time(&changed, SERVICE_AVAILABLE), Some(at(100)), "that one did not change");
}

#[test]
fn a_failed_write_is_unknown_or_stalled_but_never_ready() {
    let good = said(Mode::Basic, &settled(Mode::Basic));
    let fail = |is_lasting| failed("ApplyFailed", "no", is_lasting, good.clone(), Some(&good), &at(200));
    let blip = fail(false);
    assert_eq!(of(&blip, READY), word("Unknown", "ApplyFailed"));
    assert_eq!(of(&blip, RECONCILING), word("True", "ApplyFailed"));
    assert_eq!(of(&blip, STALLED), None, "it is tried again");
    let lasting = fail(true);
    assert_eq!(of(&lasting, READY), word("False", "ApplyFailed"));
    assert_eq!(of(&lasting, STALLED), word("True", "ApplyFailed"));
    assert_eq!(of(&lasting, RECONCILING), None);
    for status in [blip, lasting] {
        assert_eq!(of(&status, SERVICE_AVAILABLE), of(&good, SERVICE_AVAILABLE), "that was seen");
        assert_eq!(status.mode, good.mode);
    }
    let taken = blocked("NameTaken", "Service midterm belongs to web", 3, Some(&good), &at(200));
    assert_eq!(of(&taken, READY), word("False", "NameTaken"));
    assert_eq!(of(&taken, STALLED), word("True", "NameTaken"));
    assert_eq!(of(&taken, SERVICE_AVAILABLE), word("Unknown", "Stalled"));
}

#[test]
fn a_paused_or_invalid_resource_says_so() {
    let mut resource = named("midterm");
    resource.spec.paused = true;
    let desired = desired(&resource);
    let observed = settled(Mode::Memory);
    let decision = decided(&desired, &observed);
    let paused = status(&desired, &decision, None, REVISION, &observed, None, &at(1));
    assert_eq!(of(&paused, STALLED), word("True", "Paused"));
    assert_eq!(of(&paused, READY), word("True", "AllChecksPassed"), "it still reports");
    let other = AdaptiveExamDeploymentStatus { mode: Some("basic".to_owned()), ..paused.clone() };
    let still = status(&desired, &decision, None, REVISION, &observed, Some(&other), &at(1));
    assert!(still.transitions.is_empty(), "nothing is changed, whatever is wanted");

    let mut resource = named("midterm");
    resource.spec.redis.max_memory = "1.5.0Gi".to_owned();
    let faults = crate::controller::validate::validate(&resource, &crate::fixtures::defaults()).unwrap_err();
    let said = invalid(&faults, 3, Some(&paused), &at(2));
    assert_eq!(of(&said, STALLED), word("True", "InvalidSpec"));
    assert_eq!(of(&said, READY), word("False", "InvalidSpec"));
    assert!(said.conditions[0].message.contains("spec.redis.maxMemory"), "{said:?}");
}

#[test]
fn a_volume_that_grows_is_told() {
    let claim = |held: Option<&str>| Claim {
        name: "midterm-data".to_owned(),
        asked: "2Gi".to_owned(),
        held: held.map(str::to_owned),
    };
    let told = |held| {
        let observed = Observed { claims: vec![claim(held)], ..Observed::default() };
        growing(&observed).map(|verdict| (verdict.reason, verdict.message))
    };
    assert_eq!(told(Some("2048Mi")), None);
    assert_eq!(told(None), None);
    let said = "volume claim midterm-data has 1Gi of 2Gi".to_owned();
    assert_eq!(told(Some("1Gi")), Some(("VolumeGrowing", said)));
}
