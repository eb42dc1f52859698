//! Checks the architecture of the workspace: floors, circles, reserved names, dependencies, orphaned files.
//!
//! Input: the sources and [`rules`]. Output: the rooms by floor and what each imports; every breach, with its files, on
//! standard error. Exits non-zero if there is a breach.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a report for a person")]

mod rules;
mod source;

use anyhow::{Context, ensure};
use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use rules::{CRATES, Crate, Only};
use source::Source;
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, ExitCode};

type Sources = BTreeMap<Vec<String>, Source>;
/// Imports between files: from, to.
type Imports<'s> = BTreeSet<(&'s [String], &'s [String])>;

fn main() -> anyhow::Result<ExitCode> {
    let mut breaches = Vec::new();
    for rules in CRATES {
        let sources = source::read(rules.name)?;
        let imports = imports(rules.name, &sources);
        breaches.extend(orphans(&sources));
        breaches.extend(circles(&sources, &imports));
        breaches.extend(upward(rules, &sources, &imports));
        breaches.extend(reserved(rules.only, &sources));
        breaches.extend(dependencies(rules)?);
        print_rooms(rules, &sources, &imports);
    }
    for breach in &breaches {
        eprintln!("layers: {breach}");
    }
    println!("layers: {} breaches", breaches.len());
    Ok(if breaches.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Imports from one file to another, without those of test modules. A module and its own submodules are one unit and
/// may use each other.
fn imports<'s>(name: &str, sources: &'s Sources) -> Imports<'s> {
    let mut imports = Imports::new();
    let is_test = |source: &&Source| source.module.iter().any(|part| part == "tests" || part == "fixtures");
    for source in sources.values().filter(|source| !is_test(source)) {
        for path in &source.paths {
            let Some(absolute) = absolute(name, &source.module, path) else { continue };
            let target = (1..=absolute.len()).rev().find_map(|length| sources.get(&absolute[..length]));
            let Some(target) = target else { continue };
            let (from, to) = (&*source.module, &*target.module);
            if !from.starts_with(to) && !to.starts_with(from) {
                imports.insert((from, to));
            }
        }
    }
    imports
}

/// A path from the root of the crate; `None` for a path that names no module of the crate by itself.
fn absolute(name: &str, module: &[String], path: &[String]) -> Option<Vec<String>> {
    match path.first()?.as_str() {
        "crate" => Some(path[1..].to_vec()),
        first if first == name => Some(path[1..].to_vec()),
        "super" => {
            let ups = path.iter().take_while(|segment| *segment == "super").count();
            let base = module.len().checked_sub(ups)?;
            Some([&module[..base], &path[ups..]].concat())
        }
        _ => None,
    }
}

/// Files that no module declares.
fn orphans(sources: &Sources) -> Vec<String> {
    let is_root = |module: &[String]| matches!(module, [root] if root == "main" || root == "lib");
    let declared = |module: &[String]| {
        let (name, parent) = module.split_last().expect("a module has a name");
        let parents = match parent {
            [] => vec![vec!["main".to_owned()], vec!["lib".to_owned()]],
            parent => vec![parent.to_vec()],
        };
        parents.iter().filter_map(|parent| sources.get(parent)).any(|source| source.declares.contains(name))
    };
    let orphans = sources.values().filter(|source| !is_root(&source.module) && !declared(&source.module));
    orphans.map(|source| format!("{} is declared by no module", source.file.display())).collect()
}

/// Import circles between files.
fn circles(sources: &Sources, imports: &Imports<'_>) -> Vec<String> {
    let graph: DiGraphMap<&[String], ()> = imports.iter().copied().collect();
    let circles = tarjan_scc(&graph).into_iter().filter(|files| files.len() > 1);
    let names = |files: Vec<&[String]>| {
        let mut names: Vec<String> =
            files.iter().map(|module| sources[*module].file.display().to_string()).collect();
        names.sort();
        format!("import circle: {}", names.join(", "))
    };
    circles.map(names).collect()
}

/// Imports that do not go to a lower floor, and rooms on no floor.
fn upward(rules: &Crate, sources: &Sources, imports: &Imports<'_>) -> Vec<String> {
    if rules.floors.is_empty() {
        return Vec::new();
    }
    let floor = |room: &str| rules.floors.iter().position(|rooms| rooms.contains(&room));
    let rooms: BTreeSet<&str> =
        sources.keys().map(|module| &*module[0]).filter(|room| !["lib", "fixtures"].contains(room)).collect();
    let homeless = rooms.into_iter().filter(|room| floor(room).is_none());
    let homeless = homeless.map(|room| format!("{}: the room `{room}` is on no floor", rules.name));
    let is_upward = |(from, to): &&(&[String], &[String])| {
        from[0] != to[0] && floor(&from[0]).zip(floor(&to[0])).is_some_and(|(from, to)| from >= to)
    };
    let upward = imports.iter().filter(is_upward).map(|(from, to)| {
        let [from, to] = [from, to].map(|module| sources[*module].file.display());
        format!("upward import: {from} imports {to}, which is not on a lower floor")
    });
    homeless.chain(upward).collect()
}

/// Uses of reserved names outside of their modules.
fn reserved(only: &[Only], sources: &Sources) -> Vec<String> {
    let mut breaches = Vec::new();
    for Only { path: pattern, modules } in only {
        let is_allowed = |source: &Source| {
            let module = source.module.join("::");
            modules.iter().any(|allowed| match allowed.strip_suffix("::*") {
                Some(room) => module == room || module.starts_with(&format!("{room}::")),
                None => module == *allowed,
            })
        };
        let uses = |source: &&Source| source.paths.iter().any(|path| matches(pattern, path));
        for source in sources.values().filter(|source| !is_allowed(source)).filter(uses) {
            let modules = modules.join(", ");
            breaches.push(format!("{} uses `{pattern}`, which is for {modules}", source.file.display()));
        }
    }
    breaches
}

fn matches(pattern: &str, path: &[String]) -> bool {
    let same = |(wanted, segment): (&str, &String)| match wanted.strip_suffix('*') {
        Some(start) => segment.starts_with(start),
        None => wanted == segment,
    };
    match pattern.strip_prefix("…::") {
        Some(end) => {
            let wanted: Vec<&str> = end.split("::").collect();
            path.windows(wanted.len()).any(|window| wanted.iter().copied().zip(window).all(same))
        }
        None => pattern.split("::").zip(path).all(same) && path.len() > 1,
    }
}

/// Dependencies that a crate must not have.
fn dependencies(rules: &Crate) -> anyhow::Result<Vec<String>> {
    let tree = |depth: &[&str]| {
        let arguments =
            ["tree", "--quiet", "--edges", "normal", "--prefix", "none", "--format", "{p}", "--package"];
        let output = Command::new("cargo").args(arguments).arg(rules.name).args(depth).output();
        let output = output.context("cannot run cargo tree")?;
        ensure!(output.status.success(), "cargo tree failed: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout)?;
        let names = text.lines().skip(1).filter_map(|line| line.split_whitespace().next());
        anyhow::Ok(names.map(str::to_owned).collect::<BTreeSet<String>>())
    };
    let all = tree(&[])?;
    let banned = rules.banned.iter().filter(|banned| all.contains(**banned));
    let mut breaches: Vec<String> =
        banned.map(|banned| format!("{} depends on {banned}", rules.name)).collect();
    if let Some(exactly) = rules.exactly {
        let direct = tree(&["--depth", "1"])?;
        if !direct.iter().eq(exactly) {
            breaches.push(format!("{} depends on {direct:?} and should on {exactly:?}", rules.name));
        }
    }
    Ok(breaches)
}

/// The rooms by floor, from top to bottom, with their size and what they import.
fn print_rooms(rules: &Crate, sources: &Sources, imports: &Imports<'_>) {
    for (number, room) in rules
        .floors
        .iter()
        .rev()
        .zip(1..)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .flat_map(|(rooms, number)| rooms.iter().map(move |room| (number, room)))
    {
        let of_room = |module: &[String]| module[0] == *room;
        let files: Vec<&Source> = sources.values().filter(|source| of_room(&source.module)).collect();
        let lines: usize = files.iter().map(|source| source.lines).sum();
        let below: BTreeSet<&str> = imports
            .iter()
            .filter(|(from, to)| of_room(from) && !of_room(to))
            .map(|(_, to)| to[0].as_str())
            .collect();
        let below = below.into_iter().collect::<Vec<_>>().join(", ");
        println!(
            "{} floor {number:>2}  {room:<14} {:>3} files {lines:>5} lines  imports {below}",
            rules.name,
            files.len()
        );
    }
}
