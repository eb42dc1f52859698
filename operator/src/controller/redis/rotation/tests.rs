//! Which pass is next, as a table.

use super::*;
use crate::controller::redis::facts::{Node, Sentinel, SentinelWord, Word};

/// A Redis and a Sentinel that do as these passwords say; `None`: they are silent.
fn facts(redis: Option<&RedisAuth>, sentinel: Option<&RedisAuth>) -> Facts {
    let word = redis.map(|auth| Word { auth: auth.wanted(Process::Redis), ..Word::default() });
    let node = Node { pod: "redis-0".to_owned(), word, ..Node::default() };
    let word =
        sentinel.map(|auth| SentinelWord { auth: auth.wanted(Process::Sentinel), ..SentinelWord::default() });
    let sentinel = Sentinel { pod: "sentinel-0".to_owned(), word, ..Sentinel::default() };
    Facts { nodes: vec![node], sentinels: vec![sentinel] }
}

#[test]
fn two_passes_and_nobody_is_passed_by() {
    let [one, two, fresh] = [Passwords::random(), Passwords::random(), Passwords::random()];
    let steady = RedisAuth::steady(one.clone(), "spring");
    let adding = RedisAuth { stage: Stage::Adding(two.clone()), ..steady.clone() };
    let switching =
        RedisAuth { current: two.clone(), stage: Stage::Switching(one.clone()), ..steady.clone() };
    let done = RedisAuth::steady(two.clone(), "spring");
    let text = |text: &str| Wish::Generated(Some(text.to_owned()));
    let given = |app: &Passwords| Wish::Given(app.of(super::super::users::User::App).clone());
    let of = |auth: &RedisAuth| facts(Some(auth), Some(auth));
    let table = [
        ("as wanted", &steady, text("spring"), of(&steady), true, None),
        ("no text: it stays", &steady, Wish::Generated(None), of(&steady), true, None),
        ("another text", &steady, text("summer"), of(&steady), false, Some(Pass::Add)),
        ("the given one", &steady, given(&one), of(&steady), true, None),
        ("another given one", &steady, given(&two), of(&steady), true, Some(Pass::Add)),
        ("what was dropped is still accepted", &done, text("summer"), of(&switching), true, None),
        ("a Redis lacks it", &adding, text("summer"), facts(Some(&steady), Some(&adding)), true, None),
        ("a Sentinel lacks it", &adding, text("summer"), facts(Some(&adding), Some(&steady)), true, None),
        ("a Redis is silent", &adding, text("summer"), facts(None, Some(&adding)), true, None),
        ("a Sentinel is silent", &adding, text("summer"), facts(Some(&adding), None), true, None),
        ("all accept both", &adding, text("summer"), of(&adding), false, Some(Pass::Switch)),
        ("another text meanwhile waits", &adding, text("winter"), of(&adding), false, Some(Pass::Switch)),
        (
            "one presents the old one",
            &switching,
            text("summer"),
            facts(Some(&switching), Some(&adding)),
            true,
            None,
        ),
        ("the service has not adopted it", &switching, text("summer"), of(&switching), false, None),
        ("all use the new one", &switching, text("summer"), of(&switching), true, Some(Pass::Drop)),
    ];
    for (name, auth, wish, facts, is_adopted, expected) in table {
        let next = advance(auth, &wish, &facts, is_adopted, &fresh);
        assert_eq!(next.as_ref().map(|(pass, _)| *pass), expected, "{name}");
        let Some((pass, next)) = next else { continue };
        let expected = match pass {
            Pass::Add => (one.clone(), Stage::Adding(wish.first(&fresh).current)),
            Pass::Switch => (two.clone(), Stage::Switching(one.clone())),
            Pass::Drop => (two.clone(), Stage::Steady),
        };
        assert_eq!((next.current, next.stage), expected, "{name}");
    }
}

#[test]
fn whoever_answers_is_brought_up_to_date() {
    let [one, two] = [Passwords::random(), Passwords::random()];
    let steady = RedisAuth::steady(one, "");
    let adding = RedisAuth { stage: Stage::Adding(two), ..steady.clone() };
    let step = |facts: &Facts| step(&adding, facts);
    let authorize = |pods: &[&str]| Some(Step::Authorize(pods.iter().map(|pod| (*pod).to_owned()).collect()));
    assert_eq!(step(&facts(Some(&steady), Some(&steady))), authorize(&["redis-0", "sentinel-0"]));
    assert_eq!(step(&facts(None, Some(&steady))), authorize(&["sentinel-0"]), "whoever is silent is left");
    assert_eq!(step(&facts(Some(&adding), None)), None);
    assert_eq!(pending(&adding, &facts(Some(&adding), None)), ["sentinel-0"]);
    assert_eq!(running(&adding, &facts(None, None)), Some(Pass::Add));
    assert_eq!(running(&steady, &facts(Some(&adding), Some(&steady))), Some(Pass::Drop));
    assert_eq!(running(&steady, &facts(Some(&steady), None)), None);
}

#[test]
fn a_redis_that_shows_another_certificate_reads_it_again() {
    let shows = |pod: &str, certificate: Option<&str>| {
        let certificate = certificate.map(str::to_owned);
        let word = Some(Word { certificate, ..Word::default() });
        Node { pod: pod.to_owned(), word, ..Node::default() }
    };
    let silent = Node { word: None, ..shows("redis-2", None) };
    let facts = |nodes: Vec<Node>| Facts { nodes, ..Facts::default() };
    let old = facts(vec![shows("redis-0", Some("new")), shows("redis-1", Some("old")), silent]);
    assert_eq!(reload("new", &old), Some(Step::Reload(vec!["redis-1".to_owned()])));
    assert_eq!(reload("new", &facts(vec![shows("redis-0", Some("new"))])), None);
}
