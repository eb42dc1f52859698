//! What waits, and what does not.

use super::*;
use crate::fixtures::named;
use k8s_openapi::api::apps::v1::Deployment;
use kube::core::ApiResource;

fn planned(template: &Value) -> Planned {
    Planned {
        api: ApiResource::erase::<Deployment>(&()),
        name: "midterm".to_owned(),
        body: json!({"metadata": {}, "spec": {"template": template}}),
    }
}

fn template(image: &str, database: &str) -> Value {
    json!({
        "metadata": {"annotations": {"exam.dreamseed.ai/database-revision": database}},
        "spec": {"containers": [{"image": image}]},
    })
}

/// As it was applied from a spec, and as the API server has it, with a default.
fn lives(template: &Value, made_from: &str) -> Vec<Template> {
    let mut filled = template.clone();
    filled["spec"]["restartPolicy"] = json!("Always");
    vec![Template {
        kind: "Deployment",
        name: "midterm".to_owned(),
        pods: filled,
        hash: Some(revision(&template.to_string())),
        made_from: Some(made_from.to_owned()),
    }]
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn rules<'a>(update: &'a Update, approved: Option<&'a str>) -> Rules<'a> {
    // A Sunday.
    Rules { name: "midterm", update, made_from: "new", approved, now: at("2026-11-29T12:00:00Z") }
}

/// The reason that holds an update back, and whether the planned template is applied.
fn held(wanted: &Value, live: &[Template], rules: &Rules<'_>) -> (Option<&'static str>, bool) {
    let mut objects = [planned(wanted)];
    let held = hold(&mut objects, live, rules);
    let is_applied = objects[0].body["spec"]["template"] == *wanted;
    let hash = objects[0].body["metadata"]["annotations"][TEMPLATE].as_str().map(str::to_owned);
    if is_applied {
        assert_eq!(hash, Some(revision(&wanted.to_string())));
    } else {
        assert_eq!(objects[0].body["spec"]["template"], live[0].pods, "as it is, with its defaults");
        assert_eq!(hash, live[0].hash, "and is told as what it is");
    }
    (held.map(|held| held.reason), is_applied)
}

#[test]
fn the_table_of_updates() {
    let automatic = Update::default();
    let supervised = Update { strategy: Strategy::Supervised, ..Update::default() };
    let window = Window { days: vec![Day::Saturday], from: "22:00".to_owned(), hours: 4 };
    let at_night = Update { window: Some(window), ..Update::default() };
    let (one, two, moved) = (template("exam:1", "a"), template("exam:2", "a"), template("exam:1", "b"));
    let mut renewed = two.clone();
    renewed["metadata"]["annotations"][TLS_REVISION] = json!("c");
    let (since, before) = (lives(&one, "new"), lives(&one, "old"));
    let table = [
        ("new", &one, Vec::new(), &supervised, None),
        ("the same", &one, before.clone(), &supervised, None),
        ("the spec has changed", &two, before.clone(), &automatic, None),
        ("the operator has changed", &two, since.clone(), &automatic, Some("OperatorUpgraded")),
        ("the database has moved", &moved, since.clone(), &automatic, None),
        ("the certificate is another", &renewed, since.clone(), &supervised, None),
        ("the certificate is another, by day", &renewed, since.clone(), &at_night, None),
        ("a certificate, and the spec", &renewed, before.clone(), &supervised, Some("WaitingForApproval")),
        ("supervised", &two, before.clone(), &supervised, Some("WaitingForApproval")),
        ("by day", &two, before.clone(), &at_night, Some("OutsideWindow")),
    ];
    for (case, wanted, live, update, expected) in table {
        let rules = rules(update, None);
        assert_eq!(held(wanted, &live, &rules), (expected, expected.is_none()), "{case}");
    }
}

/// Two workloads, of which one has a reason of its own to change.
#[test]
fn what_comes_in_brings_nothing_else_with_it() {
    let (one, two, moved) = (template("exam:1", "a"), template("exam:2", "a"), template("exam:2", "b"));
    let redis = |template: &Value| Planned { name: "midterm-redis".to_owned(), ..planned(template) };
    let mut live = lives(&one, "new");
    live.push(Template { name: "midterm-redis".to_owned(), ..live[0].clone() });
    let mut objects = [planned(&moved), redis(&two)];
    let update = Update::default();
    let told = hold(&mut objects, &live, &rules(&update, None)).unwrap();
    assert_eq!(told.reason, "OperatorUpgraded");
    assert!(told.message.contains("the pods of midterm-redis stay"), "{}", told.message);
    assert_eq!(objects[0].body["spec"]["template"], moved, "it has another database");
    assert_eq!(objects[1].body["spec"]["template"], live[1].pods);
}

#[test]
fn an_approval_is_of_one_update() {
    let update = Update { strategy: Strategy::Supervised, ..Update::default() };
    let (one, two, three) = (template("exam:1", "a"), template("exam:2", "a"), template("exam:3", "a"));
    let live = lives(&one, "old");
    let told = hold(&mut [planned(&two)], &live, &rules(&update, None)).unwrap().message;
    let id = told.rsplit_once('=').unwrap().1.to_owned();
    assert!(told.contains("the pods of midterm stay"), "{told}");
    assert!(told.ends_with(&format!("aed midterm exam.dreamseed.ai/approve-update={id}")), "{told}");
    assert_eq!(held(&two, &live, &rules(&update, Some(&id))), (None, true));
    assert_eq!(held(&three, &live, &rules(&update, Some(&id))), (Some("WaitingForApproval"), false));
}

#[test]
fn a_window_may_begin_yesterday() {
    let window = Window { days: vec![Day::Saturday], from: "22:00".to_owned(), hours: 4 };
    // The 28th is a Saturday.
    let table = [
        ("2026-11-28T21:59:59Z", false),
        ("2026-11-28T22:00:00Z", true),
        ("2026-11-29T01:59:59Z", true),
        ("2026-11-29T02:00:00Z", false),
        ("2026-11-29T22:30:00Z", false),
    ];
    for (now, open) in table {
        assert_eq!(is_open(&window, at(now)), open, "{now}");
    }
    let daily = Window { days: Vec::new(), from: "00:00".to_owned(), hours: 24 };
    assert!(is_open(&daily, at("2026-11-30T17:00:00Z")));
}

#[test]
fn a_rollback_brings_no_update_with_it() {
    let resource = named("midterm");
    let with = |change: fn(&mut AdaptiveExamDeploymentSpec)| {
        let mut spec = resource.spec.clone();
        change(&mut spec);
        made_from(&spec)
    };
    let as_it_is = made_from(&resource.spec);
    assert_eq!(with(|spec| spec.rollback.request = Some(crate::crd::Request::Memory)), as_it_is);
    assert_eq!(with(|spec| spec.redis.mode = crate::crd::Mode::Basic), as_it_is);
    assert_ne!(with(|spec| spec.service.replicas = 2), as_it_is);
}
