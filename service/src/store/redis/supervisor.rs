//! The supervisor of a link: makes its connections, off the path of requests, and looks after them.
//!
//! Input: where the master is, and what the link's users find. Output: a current connection to a master that answers. It
//! connects when a connection is given up, and looks at the server when Sentinels tell a switch and from time to time;
//! after a failure it rests, at random a little, so that not all services come at once. Must not know: commands of users.

use super::access::Access;
use super::link::{Connection, Current, Link};
use super::peer::{Peer, Wanted};
use super::problem::{Problem, explain};
use super::sentinels::Sentinels;
use crate::telemetry::metrics::Metrics;
use contract::settings::HostPort;
use rand::RngExt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

/// How often a server is looked at, in addition to what calls tell.
const CHECK: Duration = Duration::from_secs(1);
/// How often Sentinels are asked, in addition to what they tell.
const ASK: Duration = Duration::from_secs(5);
/// How often a server that cannot be reached is tried.
const RETRY: Duration = Duration::from_secs(1);
/// Shortest time between two attempts, whoever asks.
const REST: Duration = Duration::from_millis(200);
/// Longest random pause before a connection is made again.
const JITTER_MS: u64 = 50;

/// Where the master is.
pub(super) enum Target {
    /// Always there.
    Fixed(HostPort, Access, Wanted),
    /// Where the Sentinels say.
    Named(Sentinels, Access),
}

impl Target {
    /// Connects to where the master is now, twice; with the time that the server took to say what it is.
    async fn connect(&self, generation: u64) -> Result<(Current, Duration), Problem> {
        let (at, access) = match self {
            Self::Fixed(at, access, _) => (at.clone(), access),
            Self::Named(sentinels, access) => (sentinels.master().await?, access),
        };
        let connected = tokio::try_join!(access.connect(&at), access.connect(&at));
        let (reading, writing) = connected.map_err(|error| explain(&error).of(&at))?;
        let mut current = Current { reading, writing, at, generation };
        let took = ask(&mut current, self.wanted()).await?;
        Ok((current, took))
    }

    /// What its server is to be.
    fn wanted(&self) -> Wanted {
        match self {
            Self::Fixed(_, _, wanted) => *wanted,
            Self::Named(..) => Wanted::Master,
        }
    }

    /// Whether the master is elsewhere. Sentinels that cannot be asked say nothing about it.
    async fn is_elsewhere(&self, at: &HostPort) -> bool {
        match self {
            Self::Fixed(..) => false,
            Self::Named(sentinels, _) => sentinels.master().await.is_ok_and(|named| named != *at),
        }
    }

    /// Waits until the Sentinels tell a switch; without Sentinels for ever.
    async fn switched(&self) {
        match self {
            Self::Fixed(..) => std::future::pending().await,
            // If no Sentinel can be heard now, the next look asks again.
            Self::Named(sentinels, _) => {
                if sentinels.switched().await.is_err() {
                    sleep(ASK).await;
                }
            }
        }
    }
}

async fn ask(current: &mut Current, wanted: Wanted) -> Result<Duration, Problem> {
    let start = Instant::now();
    let peer = Peer::ask(&mut current.reading).await.map_err(|error| explain(&error).of(&current.at))?;
    match peer.problem(wanted) {
        Some(problem) => Err(problem.of(&current.at)),
        None => Ok(start.elapsed()),
    }
}

/// A supervised link, which connects at once, and again until its last handle is dropped.
pub(super) fn start(name: String, target: Target, metrics: Metrics) -> Arc<Link> {
    let link = Arc::new(Link::new(name, metrics));
    tokio::spawn(run(Arc::downgrade(&link), target));
    link
}

/// Supervises a link as long as there is one.
async fn run(link: Weak<Link>, target: Target) {
    for generation in 0.. {
        if generation > 0 {
            let pause = rand::rng().random_range(0..=JITTER_MS);
            sleep(Duration::from_millis(pause)).await;
        }
        let connected = target.connect(generation).await;
        let Some(known) = link.upgrade() else { return };
        match connected {
            Ok((current, took)) => {
                known.probed(Ok(took));
                known.connection.send_replace(Connection::Up(current.clone()));
                drop(known);
                watch(&link, &target, current).await;
            }
            Err(problem) => {
                known.probed(Err(problem.clone()));
                known.connection.send_replace(Connection::Down(problem));
                rest(known).await;
            }
        }
    }
}

/// Waits until the next attempt is due or somebody asks for it.
async fn rest(link: Arc<Link>) {
    sleep(REST).await;
    let jitter = rand::rng().random_range(0..=4 * JITTER_MS);
    let due = RETRY - REST + Duration::from_millis(jitter);
    // Whoever asked during the rest gets an attempt at its end.
    let _due = tokio::time::timeout(due, link.wanted.notified()).await;
}

/// Looks after a connection until it is given up.
async fn watch(link: &Weak<Link>, target: &Target, mut current: Current) {
    let Some(mut connection) = link.upgrade().map(|link| link.connection.subscribe()) else { return };
    let (mut looks, mut questions) = (ticks(CHECK), ticks(ASK));
    let mut switched = Box::pin(target.switched());
    loop {
        let is_asked = tokio::select! {
            gone = connection.wait_for(|connection| !matches!(connection, Connection::Up(_))) => {
                let _the_link_ended = gone.is_err();
                return;
            }
            _ = looks.tick() => false,
            _ = questions.tick() => true,
            () = &mut switched => {
                switched = Box::pin(target.switched());
                true
            }
        };
        let looked = if is_asked && target.is_elsewhere(&current.at).await {
            Err(Problem::new("replica", "the Sentinels name another master"))
        } else {
            ask(&mut current, target.wanted()).await
        };
        let Some(link) = link.upgrade() else { return };
        let is_well = looked.is_ok();
        link.probed(looked);
        link.show();
        if !is_well {
            link.give_up(current.generation);
        }
    }
}

fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    ticks
}
