//! Checks the engine against files of reference cases: `cargo run -p engine --example vectors FILE…`.
//!
//! Input: files in the format of `engine/tests/data/catr_sample.json`. Output: a line for each
//! estimator, each criterion and the runs: cases, largest deviation, failures. Exit code 1 when an
//! estimate is off by more than 1e-6 (EAP: 1e-9) or an item or a sequence differs.

#![expect(clippy::print_stdout, reason = "it is made to be read")]
#![expect(clippy::disallowed_methods, reason = "the engine reads no file; this program does")]

mod check;

use std::process::ExitCode;

fn main() -> ExitCode {
    let files: Vec<String> = std::env::args().skip(1).collect();
    if files.is_empty() {
        println!("usage: vectors FILE…");
        return ExitCode::from(2);
    }
    let mut failed = false;
    for file in files {
        println!("{file}");
        let groups = std::fs::read_to_string(&file)
            .map_err(|error| error.to_string())
            .and_then(|text| check::check(&text));
        match groups {
            Err(error) => {
                println!("  cannot be read: {error}");
                failed = true;
            }
            Ok(groups) => {
                println!("  {:<22} {:>5}  {:>17}  {:>8}", "group", "cases", "largest deviation", "failures");
                for group in groups {
                    let (name, cases) = (&group.name, group.cases);
                    println!(
                        "  {name:<22} {cases:>5}  {:>17.1e}  {:>8}",
                        group.deviation,
                        group.failures.len()
                    );
                    group.failures.iter().for_each(|failure| println!("    {failure}"));
                    failed |= !group.failures.is_empty();
                }
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
