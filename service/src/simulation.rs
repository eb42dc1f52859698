//! `exam-service simulate` and `exam-service bank check`: files in, figures on the terminal and in files.

use crate::arguments::{BankCheck, Items, Profile, Simulate};
use crate::start::{progress, told};
use anyhow::{Context, anyhow, bail};
use engine::Policy;
use service::bank::{Import, ItemBank};
use service::policy;
use service::simulate::plot::Simulated;
use service::simulate::report::{Beside, Report};
use service::simulate::{self, Simulee, Sitting, files, plot};
use std::io::Write;
use std::path::Path;

/// Simulates one policy, or two beside each other.
pub fn simulate(arguments: &Simulate) -> anyhow::Result<()> {
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

/// Reports a bank's information, its gaps and its junk.
pub fn check_bank(arguments: &BankCheck) -> anyhow::Result<()> {
    let bank = bank(&Items { bank: Some(arguments.file.clone()), scaling: arguments.scaling })?;
    write!(std::io::stdout(), "{}", service::bank::survey::Survey::of(&bank))?;
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
        (None, Profile::Default) => ("default".to_owned(), Policy::default()),
    };
    fitted(policy, &name, arguments.items, bank)
}

/// A policy with a length of one's own, if it goes with the bank then.
pub fn fitted(mut policy: Policy, name: &str, items: Option<u32>, bank: &ItemBank) -> anyhow::Result<Policy> {
    if let Some(items) = items {
        policy.stop.max_items = items;
        policy.stop.min_items = policy.stop.min_items.min(items);
    }
    match policy::check(&policy, bank).as_slice() {
        [] => Ok(policy),
        faults => Err(told(&format!("the policy {name}"), faults)),
    }
}

/// The policy of a file, for this bank.
pub fn policy_file(path: &Path, bank: &ItemBank) -> anyhow::Result<Policy> {
    let name = path.display().to_string();
    let value = toml::from_str(&read(path)?).with_context(|| format!("{name} is not TOML"))?;
    policy::read(value, bank).map_err(|faults| told(&name, &faults))
}

fn simulees(arguments: &Simulate, bank: &ItemBank) -> anyhow::Result<Vec<Simulee>> {
    let Some(path) = &arguments.thetas else {
        if arguments.responses.is_some() {
            bail!("--responses needs --thetas: whose answers are they?");
        }
        return Ok(simulate::draw(arguments.simulees, arguments.mean, arguments.sd, arguments.seed));
    };
    let thetas = files::thetas(&read(path)?).map_err(|faults| told(&path.display().to_string(), &faults))?;
    let answers = match &arguments.responses {
        None => None,
        Some(path) => {
            let categories: Vec<usize> =
                bank.measures().curves().iter().map(engine::Curve::categories).collect();
            let answers = files::answers(&read(path)?, &categories);
            Some(answers.map_err(|faults| told(&path.display().to_string(), &faults))?)
        }
    };
    files::simulees(thetas, answers).map_err(|faults| told("the two files", &faults))
}

/// The bank of a file, or the built-in sample; what is wrong with its rows is told.
pub fn bank(Items { bank, scaling }: &Items) -> anyhow::Result<ItemBank> {
    match bank {
        None => Ok(ItemBank::sample()),
        Some(path) => {
            let import = ItemBank::from_csv(&read(path)?, *scaling)
                .map_err(|faults| told(&format!("the bank {}", path.display()), &faults))?;
            let Import { bank, quarantined, ignored } = import;
            let mut stderr = std::io::stderr().lock();
            for fault in &quarantined {
                writeln!(stderr, "kept out: {fault}")?;
            }
            if !ignored.is_empty() {
                writeln!(stderr, "columns not read: {}", ignored.join(", "))?;
            }
            Ok(bank)
        }
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
