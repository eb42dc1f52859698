//! A rotation in a small world, in every order of events.
//!
//! Input: `advance` and `step`, the code that runs. Output: no reachable state in which a client has no password that a
//! Redis in its place accepts, and from every state the rotation comes to its end. The world: a Redis and a Sentinel,
//! each with the files that it was given last, which may be those of an earlier Secret, and which may start again at any
//! moment; and the service, which uses another password some time after the Settings name it. A process that knows no valid password is deleted, and its new pod reads the Secret. The operator
//! keeps nothing between two looks, so that its end is no event of its own. Must not know: clocks.

use super::*;
use crate::controller::redis::facts::{Node, Sentinel, SentinelWord, Word};
use crate::fixtures::passwords;
use stateright::{Checker, HasDiscoveries, Model, Property};
use std::collections::BTreeSet;

/// Number of rotations that are asked for.
const ROTATIONS: u8 = 2;

/// The Secret: generations by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Secret {
    current: u8,
    next: Option<u8>,
    previous: Option<u8>,
}

/// Redis or a Sentinel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Server {
    accepts: BTreeSet<u8>,
    presents: u8,
    files: Secret,
    /// It started with files of before, and the operator has not been there since.
    is_stale: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    secret: Secret,
    asked: u8,
    redis: Server,
    sentinel: Server,
    /// The generation that the service uses.
    service: u8,
    restarts: u8,
    wrong: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    None,
    /// The old passwords are dropped without regard to the service.
    BlindDrop,
    /// The new passwords are used before everybody accepts them.
    HastySwitch,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    Ask,
    Advance,
    Authorize,
    FilesOfRedis,
    FilesOfSentinel,
    Adopt,
    RestartRedis,
    RestartSentinel,
    Replace,
}

struct Scenario(Mistake);

/// The passwords of a generation.
fn generation(number: u8) -> Passwords {
    passwords(&number.to_string())
}

impl Secret {
    fn auth(self) -> RedisAuth {
        let stage = match (self.next, self.previous) {
            (Some(next), _) => Stage::Adding(generation(next)),
            (None, Some(previous)) => Stage::Switching(generation(previous)),
            (None, None) => Stage::Steady,
        };
        RedisAuth { stage, ..RedisAuth::steady(generation(self.current), self.newest().to_string()) }
    }

    fn newest(self) -> u8 {
        self.next.unwrap_or(self.current)
    }

    fn valid(self) -> BTreeSet<u8> {
        [Some(self.current), self.next, self.previous].into_iter().flatten().collect()
    }
}

impl Server {
    fn started(files: Secret, secret: Secret) -> Self {
        Self { accepts: files.valid(), presents: files.current, files, is_stale: files != secret }
    }

    /// Whether the operator is let in.
    fn is_reached(&self, secret: Secret) -> bool {
        self.accepts.iter().any(|known| secret.valid().contains(known))
    }

    fn word(&self, at: Process) -> AuthWord {
        let mut all = self.accepts.iter();
        let first = all.next().expect("it accepts one");
        let mut auth = RedisAuth::steady(generation(*first), "").wanted(at);
        for more in all {
            for (user, hashes) in RedisAuth::steady(generation(*more), "").wanted(at).accepts {
                auth.accepts.entry(user).or_default().extend(hashes);
            }
        }
        AuthWord { presents: RedisAuth::steady(generation(self.presents), "").wanted(at).presents, ..auth }
    }
}

impl World {
    fn facts(&self) -> Facts {
        let reached = |process: &Server| process.is_reached(self.secret);
        let word =
            reached(&self.redis).then(|| Word { auth: self.redis.word(Process::Redis), ..Word::default() });
        let node = Node { pod: "redis".to_owned(), word, ..Node::default() };
        let word = reached(&self.sentinel)
            .then(|| SentinelWord { auth: self.sentinel.word(Process::Sentinel), ..SentinelWord::default() });
        let sentinel = Sentinel { pod: "sentinel".to_owned(), word, ..Sentinel::default() };
        Facts { nodes: vec![node], sentinels: vec![sentinel] }
    }

    fn advance(&mut self, mistake: Mistake) {
        let wish = Wish::Generated(Some(self.asked.to_string()));
        let is_adopted = self.service == self.secret.current || mistake == Mistake::BlindDrop;
        let facts = if mistake == Mistake::HastySwitch { Facts::default() } else { self.facts() };
        let fresh = generation(self.asked);
        let Secret { current, next, .. } = self.secret;
        self.secret = match advance(&self.secret.auth(), &wish, &facts, is_adopted, &fresh) {
            None => return,
            Some((Pass::Add, _)) => Secret { next: Some(self.asked), ..self.secret },
            Some((Pass::Switch, auth)) => {
                assert_eq!(Some(auth.current), next.map(generation));
                Secret { current: next.unwrap_or(current), next: None, previous: Some(current) }
            }
            Some((Pass::Drop, _)) => Secret { previous: None, ..self.secret },
        };
    }

    fn authorize(&mut self) {
        let Some(Step::Authorize(pods)) = step(&self.secret.auth(), &self.facts()) else { return };
        for pod in pods {
            let process = if pod == "redis" { &mut self.redis } else { &mut self.sentinel };
            process.accepts = self.secret.valid();
            process.presents = self.secret.current;
            process.is_stale = false;
        }
    }

    /// Every client has a password that is accepted, but for processes that started with files of before.
    fn check(&mut self) {
        if self.redis.is_stale {
            return;
        }
        if !self.redis.accepts.contains(&self.service) {
            self.wrong = Some("the service has no valid password");
        }
        if !self.sentinel.is_stale && !self.redis.accepts.contains(&self.sentinel.presents) {
            self.wrong = Some("a Sentinel has no valid password");
        }
    }
}

impl Model for Scenario {
    type State = World;
    type Action = Event;

    fn init_states(&self) -> Vec<World> {
        let secret = Secret { current: 0, next: None, previous: None };
        let process = Server::started(secret, secret);
        vec![World {
            secret,
            asked: 0,
            redis: process.clone(),
            sentinel: process,
            service: 0,
            restarts: 1,
            wrong: None,
        }]
    }

    fn actions(&self, world: &World, events: &mut Vec<Event>) {
        if world.wrong.is_some() {
            return;
        }
        if world.asked < ROTATIONS {
            events.push(Event::Ask);
        }
        events.extend([
            Event::Advance,
            Event::Authorize,
            Event::FilesOfRedis,
            Event::FilesOfSentinel,
            Event::Adopt,
            Event::Replace,
        ]);
        if world.restarts > 0 {
            events.extend([Event::RestartRedis, Event::RestartSentinel]);
        }
    }

    fn next_state(&self, before: &World, event: Event) -> Option<World> {
        let mut world = before.clone();
        match event {
            Event::Ask => world.asked += 1,
            Event::Advance => world.advance(self.0),
            Event::Authorize => world.authorize(),
            Event::FilesOfRedis => world.redis.files = world.secret,
            Event::FilesOfSentinel => world.sentinel.files = world.secret,
            Event::Adopt => world.service = world.secret.current,
            Event::RestartRedis => {
                world.restarts -= 1;
                world.redis = Server::started(world.redis.files, world.secret);
            }
            Event::RestartSentinel => {
                world.restarts -= 1;
                world.sentinel = Server::started(world.sentinel.files, world.secret);
            }
            Event::Replace => {
                for process in [&mut world.redis, &mut world.sentinel] {
                    if !process.is_reached(world.secret) {
                        *process = Server::started(world.secret, world.secret);
                    }
                }
            }
        }
        world.check();
        (world != *before).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("every client has a valid password", |_, world: &World| world.wrong.is_none()),
            Property::sometimes("two rotations are done", |_, world: &World| {
                let secret = world.secret;
                let is_steady = secret.next.is_none() && secret.previous.is_none();
                is_steady && secret.current == ROTATIONS && world.redis.accepts == secret.valid()
            }),
            // Where nothing more can happen, everything is as wanted.
            Property::always("it never stops half-way", |_, world: &World| {
                if world.restarts > 0 {
                    return true;
                }
                let mut last = world.clone();
                last.asked = ROTATIONS;
                let end = Secret { current: ROTATIONS, next: None, previous: None };
                let is_done = |last: &World| {
                    last.secret == end
                        && [&last.redis, &last.sentinel].iter().all(|at| at.accepts == end.valid())
                };
                for _ in 0..9 {
                    if is_done(&last) {
                        break;
                    }
                    last.service = last.secret.current;
                    for process in [&mut last.redis, &mut last.sentinel] {
                        if !process.is_reached(last.secret) {
                            *process = Server::started(last.secret, last.secret);
                        }
                    }
                    last.authorize();
                    last.advance(Mistake::None);
                }
                is_done(&last)
            }),
        ]
    }
}

fn check(mistake: Mistake) -> (Option<String>, usize) {
    let checked =
        Scenario(mistake).checker().finish_when(HasDiscoveries::AnyFailures).threads(2).spawn_bfs().join();
    let is_done = checked.discovery("two rotations are done").is_some();
    assert!(is_done || mistake != Mistake::None, "{mistake:?}");
    assert!(checked.discovery("it never stops half-way").is_none(), "{mistake:?}");
    let wrong = checked.discovery("every client has a valid password").map(|path| {
        let (last, events) = (path.last_state().wrong, path.into_actions());
        format!("{}: {events:?}", last.unwrap_or_default())
    });
    (wrong, checked.unique_state_count())
}

#[test]
fn in_no_order_of_events_is_a_client_without_a_valid_password() {
    let (wrong, states) = check(Mistake::None);
    println!("rotations: {states} states");
    assert_eq!(wrong, None);
}

#[test]
fn mistakes_are_found() {
    for mistake in [Mistake::BlindDrop, Mistake::HastySwitch] {
        let (wrong, _) = check(mistake);
        println!("{}", wrong.unwrap_or_else(|| panic!("{mistake:?} was not found")));
    }
}
