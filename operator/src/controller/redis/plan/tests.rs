//! Plans, as tables; and a small world in which every plan comes true, whatever happens to it.

use super::super::facts::{Role, Sentinel, SentinelWord, Word};
use super::*;

const WANTED: Wanted = Wanted { nodes: 3, sentinels: 3, quorum: 2, down_after: 2000, max_memory: 128 << 20 };

fn pod(ordinal: u32) -> String {
    format!("redis-{ordinal}")
}

fn node(ordinal: u32, role: Role, keys: u64) -> Node {
    let word = Word { role, keys, offset: keys, tuning: WANTED.tuning(ordinal), ..Word::default() };
    Node { pod: pod(ordinal), ordinal, is_ready: true, word: Some(word), ..Node::default() }
}

fn master(ordinal: u32, keys: u64) -> Node {
    node(ordinal, Role::Master, keys)
}

fn replica(ordinal: u32, of: u32, keys: u64) -> Node {
    node(ordinal, Role::Replica { of: Some(pod(of)), is_linked: true }, keys)
}

fn nobodys(ordinal: u32, keys: u64) -> Node {
    node(ordinal, Role::Replica { of: None, is_linked: false }, keys)
}

fn silent(ordinal: u32) -> Node {
    Node { word: None, is_ready: false, ..master(ordinal, 0) }
}

fn sentinels(names: &[Option<u32>]) -> Vec<Sentinel> {
    let word = |name: &u32| SentinelWord {
        master: Some(pod(*name)),
        has_quorum: true,
        replicas: 2,
        quorum: 2,
        down_after: 2000,
        ..SentinelWord::default()
    };
    let sentinel = |(index, name): (usize, &Option<u32>)| Sentinel {
        pod: format!("sentinel-{index}"),
        word: name.as_ref().map(word),
        ..Sentinel::default()
    };
    names.iter().enumerate().map(sentinel).collect()
}

fn facts(nodes: Vec<Node>, names: &[Option<u32>]) -> Facts {
    Facts { nodes, sentinels: sentinels(names) }
}

fn planned(facts: &Facts, record: Option<u32>) -> Plan {
    let now = (u32::try_from(facts.nodes.len()).unwrap(), u32::try_from(facts.sentinels.len()).unwrap());
    plan(&WANTED, facts, record.map(pod).as_deref(), now)
}

#[test]
fn who_is_the_master() {
    let choose = |ordinal| Some(Step::Choose(pod(ordinal)));
    let promote = |ordinal| Some(Step::Promote(pod(ordinal)));
    let follow = |ordinal, of| Some(Step::Follow { pod: pod(ordinal), master: pod(of) });
    let agree = |name| [Some(name); 3];
    let table = [
        ("nothing answers yet", facts(vec![silent(0), nobodys(1, 0), nobodys(2, 0)], &[]), None, None),
        (
            "all are empty: the first",
            facts(vec![nobodys(0, 0), nobodys(1, 0), nobodys(2, 0)], &[]),
            None,
            choose(0),
        ),
        (
            "one has data: that one",
            facts(vec![nobodys(0, 0), nobodys(1, 0), nobodys(2, 7)], &[]),
            None,
            choose(2),
        ),
        (
            "a master without a record is one",
            facts(vec![nobodys(0, 0), master(1, 3), silent(2)], &[]),
            None,
            choose(1),
        ),
        (
            "it was recorded first",
            facts(vec![nobodys(0, 0), nobodys(1, 0), nobodys(2, 0)], &[]),
            Some(0),
            promote(0),
        ),
        (
            "one is silent, and may have data",
            facts(vec![nobodys(0, 0), nobodys(1, 0), silent(2)], &[]),
            Some(0),
            None,
        ),
        (
            "the master has gone, and the others are empty",
            facts(vec![silent(0), replica(1, 0, 0), replica(2, 0, 0)], &[]),
            Some(0),
            None,
        ),
        (
            "it came back before another was made",
            facts(vec![master(0, 9), nobodys(1, 7), nobodys(2, 0)], &[]),
            Some(1),
            choose(0),
        ),
        (
            "others follow it",
            facts(vec![master(0, 0), nobodys(1, 0), replica(2, 0, 0)], &[]),
            Some(0),
            follow(1, 0),
        ),
        (
            "an empty master never wins",
            facts(vec![master(0, 0), replica(1, 0, 9), replica(2, 0, 9)], &[]),
            Some(0),
            choose(1),
        ),
        (
            "nor a reborn one",
            facts(vec![nobodys(0, 0), replica(1, 0, 9), replica(2, 0, 8)], &[]),
            Some(0),
            choose(1),
        ),
        (
            "of two masters the recorded one",
            facts(vec![master(0, 5), master(1, 5), replica(2, 0, 5)], &[]),
            Some(0),
            follow(1, 0),
        ),
        (
            "Sentinels name another: it is followed",
            facts(vec![replica(0, 1, 5), master(1, 5), replica(2, 1, 5)], &agree(1)),
            Some(0),
            None,
        ),
        (
            "a failover runs: hands off",
            facts(vec![silent(0), replica(1, 0, 5), replica(2, 0, 5)], &agree(0)),
            Some(0),
            None,
        ),
        (
            "a stray is told late",
            facts(vec![master(0, 5), nobodys(1, 5), replica(2, 0, 5)], &agree(0)),
            Some(0),
            follow(1, 0),
        ),
        (
            "Sentinels have gone and the master lives: nothing",
            facts(vec![master(0, 5), replica(1, 0, 5), replica(2, 0, 5)], &[None; 3]),
            Some(0),
            None,
        ),
        (
            "Sentinels and the master have gone",
            facts(vec![silent(0), replica(1, 0, 5), replica(2, 0, 6)], &[None, None, Some(0)]),
            Some(0),
            choose(2),
        ),
    ];
    for (name, facts, record, step) in table {
        assert_eq!(planned(&facts, record).step, step, "{name}");
    }
}

#[test]
fn sentinels_come_with_a_master_and_go_before_another_authority() {
    let bare = facts(vec![nobodys(0, 0), nobodys(1, 0), nobodys(2, 0)], &[]);
    assert_eq!(planned(&bare, Some(0)).sentinels, 0);
    let alone = facts(vec![master(0, 0), nobodys(1, 0), replica(2, 0, 0)], &[]);
    let plan_alone = planned(&alone, Some(0));
    assert_eq!((plan_alone.sentinels, plan_alone.unsettled.unwrap().reason), (0, "BootstrappingSentinels"));
    let stray = facts(vec![master(0, 5), nobodys(1, 5), replica(2, 0, 5)], &[Some(0); 3]);
    assert_eq!(planned(&stray, Some(0)).unsettled.unwrap().reason, "ReplicaOutOfSync", "and that is said");
    let led = facts(vec![master(0, 0), replica(1, 0, 0), replica(2, 0, 0)], &[]);
    let plan_of = |wanted: &Wanted, facts: &Facts, record| plan(wanted, facts, Some(&pod(record)), (3, 3));
    let bootstrapping = planned(&led, Some(0));
    assert_eq!(
        (bootstrapping.sentinels, bootstrapping.unsettled.unwrap().reason),
        (3, "BootstrappingSentinels")
    );
    // To one Redis: first no Sentinels, then the first pod takes over, then there is one.
    let one = Wanted { nodes: 1, sentinels: 0, ..WANTED };
    let mut nodes = vec![replica(0, 1, 5), master(1, 5), replica(2, 1, 5)];
    for node in &mut nodes {
        node.word.as_mut().unwrap().tuning = one.tuning(node.ordinal);
    }
    let with = plan_of(&one, &facts(nodes.clone(), &[Some(1); 3]), 1);
    assert_eq!((with.sentinels, with.nodes, with.step), (0, 2, None));
    let without = plan(&one, &facts(nodes.clone(), &[]), Some("redis-1"), (3, 0));
    assert_eq!(without.step, Some(Step::Choose(pod(0))), "recorded before it is done");
    let chosen = plan(&one, &facts(nodes.clone(), &[]), Some("redis-0"), (3, 0));
    assert_eq!(chosen.step, Some(Step::Move { from: pod(1), to: pod(0) }));
    let mut moved = vec![master(0, 5), replica(1, 0, 5)];
    for node in &mut moved {
        node.word.as_mut().unwrap().tuning = one.tuning(node.ordinal);
    }
    assert_eq!(plan(&one, &facts(moved, &[]), Some("redis-0"), (2, 0)).nodes, 1);
}

#[test]
fn pods_are_replaced_one_by_one_and_the_master_hands_over() {
    let agree = [Some(0); 3];
    let old = |node: Node| Node { is_outdated: true, ..node };
    let step = |nodes| planned(&facts(nodes, &agree), Some(0)).step;
    assert_eq!(
        step(vec![old(master(0, 5)), old(replica(1, 0, 5)), old(replica(2, 0, 5))]),
        Some(Step::Replace(pod(2)))
    );
    let coming = Node { is_ready: false, word: None, ..replica(2, 0, 0) };
    assert_eq!(step(vec![old(master(0, 5)), old(replica(1, 0, 5)), coming]), None, "one at a time");
    let unlinked = node(2, Role::Replica { of: Some(pod(0)), is_linked: false }, 5);
    assert_eq!(step(vec![old(master(0, 5)), old(replica(1, 0, 5)), unlinked]), None, "in sync first");
    assert_eq!(
        step(vec![old(master(0, 5)), replica(1, 0, 5), replica(2, 0, 5)]),
        Some(Step::HandOver(pod(0)))
    );
    let stuck = Node { is_outdated: true, ..silent(2) };
    assert_eq!(
        step(vec![master(0, 5), replica(1, 0, 5), stuck]),
        Some(Step::Replace(pod(2))),
        "it never started"
    );
    let unreached = |ordinal| Node { is_outdated: true, is_ready: true, ..silent(ordinal) };
    let all = planned(&facts(vec![unreached(0), unreached(1), unreached(2)], &[None; 3]), Some(0));
    assert_eq!(all.step, None, "this operator is cut off, and they are not");
    let locked = |ordinal| Node { refuses_password: true, ..unreached(ordinal) };
    let all = planned(&facts(vec![locked(0), locked(1), locked(2)], &[None; 3]), Some(0));
    assert_eq!(all.step, Some(Step::Replace(pod(0))), "none answers any more: another password");
    let going = Node { is_going: true, ..replica(2, 0, 5) };
    assert_eq!(step(vec![old(master(0, 5)), old(replica(1, 0, 5)), going]), None);
}

#[test]
fn a_pod_that_is_to_go_hands_over_first() {
    let fewer = Wanted { nodes: 2, ..WANTED };
    let mut nodes = vec![replica(0, 2, 5), replica(1, 2, 5), master(2, 5)];
    for node in &mut nodes {
        node.word.as_mut().unwrap().tuning = fewer.tuning(node.ordinal);
    }
    let led = plan(&fewer, &facts(nodes.clone(), &[Some(2); 3]), None, (3, 3));
    assert_eq!((led.nodes, led.step), (3, Some(Step::HandOver(pod(2)))));
    nodes[2].word.as_mut().unwrap().tuning.priority = 100;
    let untuned = plan(&fewer, &facts(nodes, &[Some(2); 3]), None, (3, 3));
    assert!(
        matches!(untuned.step, Some(Step::Tune(pod, tuning)) if pod == "redis-2" && tuning.priority == 0)
    );
}

#[test]
fn at_most_one_pod_has_the_label() {
    let labelled = |node: Node, label: &str| Node { label: Some(label.to_owned()), ..node };
    let nodes =
        vec![labelled(replica(0, 1, 5), "master"), labelled(master(1, 5), "replica"), replica(2, 1, 5)];
    let labels = planned(&facts(nodes, &[Some(1); 3]), Some(0)).labels;
    assert_eq!(
        labels,
        [(pod(0), "replica"), (pod(2), "replica"), (pod(1), "master")],
        "taken before it is given"
    );
    let unknown = facts(vec![silent(0), replica(1, 0, 5), replica(2, 0, 5)], &[Some(0); 3]);
    assert!(planned(&unknown, Some(0)).labels.is_empty(), "while nobody leads nothing is told");
}

#[test]
fn steps_that_cannot_be_undone_wait() {
    let choose = Step::Choose(pod(1));
    let with = facts(vec![silent(0), replica(1, 0, 5)], &[None; 3]);
    assert_eq!(choose.patience(&with), Duration::from_secs(60));
    assert_eq!(choose.patience(&facts(vec![silent(0), nobodys(1, 0)], &[])), Duration::from_secs(20));
    assert_eq!(Step::Promote(pod(0)).patience(&with), Duration::ZERO);
}
