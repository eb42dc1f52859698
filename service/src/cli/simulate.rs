//! `exam-service simulate`: simulated examinees sit exams under one policy, or under two for comparison.
//!
//! Input: a bank, policies, true abilities or recorded answers. Output: figures on the terminal and in files.

use super::arguments::{Profile, Simulate};
use super::policies::{bank, fitted, policy_file};
use super::report::{faults, progress};
use super::sources::read;
use anyhow::{Context, anyhow, bail};
use engine::Policy;
use service::exam::bank::ItemBank;
use service::simulate::plot::Simulated;
use service::simulate::report::{Beside, Report};
use service::simulate::{self, Simulee, Sitting, files, plot};
use std::io::Write;
use std::path::Path;

/// Simulates one policy, or two beside each other.
pub fn run(arguments: &Simulate) -> anyhow::Result<()> {
    let bank = bank(&arguments.bank)?;
    let mut policies = vec![(name_of(arguments), policy(arguments.policy.as_deref(), arguments, &bank)?)];
    if let Some(other) = &arguments.against {
        policies.push((other.display().to_string(), policy(Some(other), arguments, &bank)?));
    }
    let simulees = simulees(arguments, &bank)?;
    let mut sat: Vec<(String, Vec<Sitting>)> = Vec::new();
    for (name, policy) in policies {
        let bar = progress("exams", simulees.len() as u64)?.with_message(name.clone());
        let sittings =
            simulate::run(&bank.measures(), &policy, &simulees, arguments.seed, arguments.together, || {
                bar.inc(1);
            });
        bar.finish_and_clear();
        sat.push((name, sittings));
    }
    let reports: Vec<(String, Report)> =
        sat.iter().map(|(name, sittings)| (name.clone(), Report::of(sittings, bank.len()))).collect();
    write!(std::io::stdout(), "{}", Beside(&reports))?;
    if let (Some(path), Some((_, sittings))) = (&arguments.out, sat.first()) {
        write(path, &files::results(sittings))?;
    }
    if let Some(path) = &arguments.plot {
        let drawn: Vec<Simulated<'_>> = sat
            .iter()
            .zip(&reports)
            .map(|((name, sittings), (_, report))| Simulated { name, sittings, report })
            .collect();
        write(path, &plot::svg(&drawn).map_err(|error| anyhow!(error))?)?;
    }
    Ok(())
}

fn name_of(arguments: &Simulate) -> String {
    match (&arguments.policy, arguments.profile) {
        (Some(path), _) => path.display().to_string(),
        (None, Profile::CatR) => "catR".to_owned(),
        (None, Profile::Default) => "default".to_owned(),
    }
}

fn policy(file: Option<&Path>, arguments: &Simulate, bank: &ItemBank) -> anyhow::Result<Policy> {
    let (name, policy) = match (file, arguments.profile) {
        (Some(path), _) => (path.display().to_string(), policy_file(path, bank)?),
        (None, Profile::CatR) => ("catR".to_owned(), Policy::cat_r(20)),
        (None, Profile::Default) => ("default".to_owned(), service::exam::policy::default_for(bank)),
    };
    fitted(policy, &name, arguments.items, bank)
}

fn simulees(arguments: &Simulate, bank: &ItemBank) -> anyhow::Result<Vec<Simulee>> {
    let Some(path) = &arguments.thetas else {
        if arguments.responses.is_some() {
            bail!("--responses needs --thetas: whose answers are they?");
        }
        return Ok(simulate::draw(arguments.simulees, arguments.mean, arguments.sd, arguments.seed));
    };
    let thetas = files::thetas(&read(path)?).map_err(|found| faults(&path.display().to_string(), &found))?;
    let answers = match &arguments.responses {
        None => None,
        Some(path) => {
            let categories: Vec<usize> =
                bank.measures().curves().iter().map(engine::Curve::categories).collect();
            let answers = files::answers(&read(path)?, &categories);
            Some(answers.map_err(|found| faults(&path.display().to_string(), &found))?)
        }
    };
    files::simulees(thetas, answers).map_err(|found| faults("the two files", &found))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
