//! `exam-service demo`: an exam in the terminal, with the ability drawn as it moves.
//!
//! Input: arguments, keys or lines of text. Output: frames on a terminal, plain lines elsewhere. The exam runs in
//! this process on the service's own code; nothing is stored.

mod interval;
mod plain;
mod screen;
mod sitting;
mod terminal;

use super::arguments::Demo;
use super::policies::{bank, fitted, policy_file};
use anyhow::ensure;
use sitting::{SEEDS, Sitting};
use std::io::{ErrorKind, IsTerminal, Write};
use std::time::Duration;
use terminal::Answers;

/// Runs one exam.
pub fn run(arguments: &Demo) -> anyhow::Result<()> {
    let Demo { bank: from, policy: rules, items, auto, theta, seed, pace } = arguments;
    ensure!(*seed < SEEDS, "--seed is {seed}; it must be below 2^53");
    let bank = bank(from)?;
    let (policy, name) = match rules {
        Some(path) => (policy_file(path, &bank)?, path.display().to_string()),
        None => (service::exam::policy::default_for(&bank), "default".to_owned()),
    };
    let policy = fitted(policy, &name, *items, &bank)?;
    let file = &from.bank;
    let name = file.as_ref().map_or("the sample bank".to_owned(), |file| file.display().to_string());
    let title = format!("{name}, {} items", bank.len());
    let mut sitting = Sitting::begin(bank, policy, *seed);
    let (mut stdin, mut stdout) = (std::io::stdin().lock(), std::io::stdout());
    let told = if stdout.is_terminal() && stdin.is_terminal() {
        let pace = Duration::from_millis(*pace);
        drop(stdin);
        terminal::sit(&mut sitting, &title, if *auto { Answers::Auto(*theta, pace) } else { Answers::Keys })?;
        plain::all(&sitting, &mut stdout)
    } else {
        let begun = writeln!(stdout, "{title}");
        begun.and_then(|()| match auto {
            true => plain::auto(&mut sitting, *theta, &mut stdout),
            false => plain::ask(&mut sitting, &mut stdin, &mut stdout),
        })
    };
    match told {
        // The reader of the pipe has gone.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        told => Ok(told?),
    }
}
