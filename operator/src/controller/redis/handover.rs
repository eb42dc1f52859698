//! A planned handover: another pod becomes the master, and no acknowledged write is lost. Pure.
//!
//! Input: the replies of Redis and Sentinels. Output: the next command. The order is the point (measured, see
//! docs/redis.md): writes stop, every replica has all of them, another takes over, the old master follows it, and only then
//! writes go on. Whatever fails, the old master takes no writes as long as another may be the master. A pause ends by
//! itself, so an operator that ends in between leaves nothing paused. Must not know: connections.

/// How long writes are paused at most, in milliseconds: longer than Sentinels take to make the old master a replica.
pub const PAUSE_MILLISECONDS: u32 = 15_000;

/// A command.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// The old master takes no writes for a while.
    Pause,
    /// How many replicas have applied all of its writes?
    Wait,
    /// Another is to become the master: Sentinels choose it, or it is named.
    Promote,
    /// Who is the master now? It is asked until another is, or patience ends.
    AskMaster,
    /// The old master follows this pod.
    Demote(String),
    /// The old master takes writes again, or tells its clients that it is a replica.
    Unpause,
}

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// It was done.
    Done,
    /// So many replicas.
    Count(u32),
    /// This pod is the master; of several answers the last.
    Master(String),
    /// It was refused, or nothing was heard.
    Failed,
}

/// How a handover ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// This pod is the master.
    HandedOver(String),
    /// The old one still is, for this reason.
    Aborted(&'static str),
}

/// A handover on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Handover {
    from: String,
    replicas: u32,
    stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Pausing,
    Waiting,
    Promoting,
    Asking,
    Demoting(String),
    Unpausing(Outcome),
    Over(Outcome),
}

impl Handover {
    /// Begins one from a master that has so many replicas, all of which have to follow.
    pub fn begin(from: impl Into<String>, replicas: u32) -> Self {
        Self { from: from.into(), replicas, stage: Stage::Pausing }
    }

    /// The next command; `Err`: it is over.
    ///
    /// # Errors
    /// How it ended.
    pub fn command(&self) -> Result<Command, &Outcome> {
        match &self.stage {
            Stage::Pausing => Ok(Command::Pause),
            Stage::Waiting => Ok(Command::Wait),
            Stage::Promoting => Ok(Command::Promote),
            Stage::Asking => Ok(Command::AskMaster),
            Stage::Demoting(master) => Ok(Command::Demote(master.clone())),
            Stage::Unpausing(_) => Ok(Command::Unpause),
            Stage::Over(outcome) => Err(outcome),
        }
    }

    /// Goes on with the reply to its command.
    #[must_use]
    pub fn answer(self, reply: Reply) -> Self {
        let abort = |why| Stage::Unpausing(Outcome::Aborted(why));
        let stage = match (self.stage, reply) {
            (Stage::Pausing, Reply::Done) => Stage::Waiting,
            (Stage::Pausing, _) => abort("writes could not be paused"),
            (Stage::Waiting, Reply::Count(count)) if count >= self.replicas && count > 0 => Stage::Promoting,
            (Stage::Waiting, _) => abort("a replica does not have every write yet"),
            // What was refused may have happened all the same: it is asked.
            (Stage::Promoting, _) => Stage::Asking,
            (Stage::Asking, Reply::Master(master)) if master != self.from => Stage::Demoting(master),
            (Stage::Asking, Reply::Master(_)) => abort("nobody took over in time"),
            // Nobody says who the master is. The pause ends by itself, when Sentinels have made up their minds.
            (Stage::Asking, _) => Stage::Over(Outcome::Aborted("nobody says who the master is")),
            (Stage::Demoting(master), Reply::Done) => Stage::Unpausing(Outcome::HandedOver(master)),
            // Sentinels make it a replica; until then it stays paused.
            (Stage::Demoting(master), _) => Stage::Over(Outcome::HandedOver(master)),
            (Stage::Unpausing(outcome) | Stage::Over(outcome), _) => Stage::Over(outcome),
        };
        Self { stage, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(replies: &[Reply]) -> (Vec<Command>, Handover) {
        let mut handover = Handover::begin("redis-0", 2);
        let mut commands = Vec::new();
        for reply in replies {
            commands.extend(handover.command());
            handover = handover.answer(reply.clone());
        }
        (commands, handover)
    }

    #[test]
    fn writes_stop_before_and_go_on_after() {
        use Command::{AskMaster, Demote, Pause, Promote, Unpause, Wait};
        use Reply::{Count, Done, Failed, Master};
        let new = || "redis-1".to_owned();
        let (commands, over) = run(&[Done, Count(2), Done, Master(new()), Done, Done]);
        assert_eq!(commands, [Pause, Wait, Promote, AskMaster, Demote(new()), Unpause]);
        assert_eq!(over.command(), Err(&Outcome::HandedOver(new())));
        // A refusal that was none: another is the master, so the old one follows before it is let go.
        let (commands, _) = run(&[Done, Count(2), Failed, Master(new()), Done, Done]);
        assert_eq!(commands.last(), Some(&Unpause));
        assert!(commands.contains(&Demote(new())));
        for (replies, last) in [
            (vec![Failed, Done], Unpause),
            (vec![Done, Count(1), Done], Unpause),
            (vec![Done, Failed, Done], Unpause),
            (vec![Done, Count(2), Done, Master("redis-0".to_owned()), Done], Unpause),
            // Nothing is let go that may be the master twice.
            (vec![Done, Count(2), Done, Failed], AskMaster),
            (vec![Done, Count(2), Done, Master(new()), Failed], Demote(new())),
        ] {
            let (commands, over) = run(&replies);
            assert_eq!(commands.last(), Some(&last), "{replies:?}");
            assert!(over.command().is_err(), "{replies:?}");
        }
    }
}
