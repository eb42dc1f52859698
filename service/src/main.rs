//! The program `exam-service`: reads arguments, Settings and secrets, then serves until it is told
//! to stop, or simulates, or verifies. Wiring only.

mod arguments;
mod banking;
mod demo;
mod exporting;
mod ping;
mod simulation;
mod start;
mod verification;

use clap::Parser;
use mimalloc::MiMalloc;
use std::process::ExitCode;

/// Many small values that live as long as a request: what the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let outcome = match arguments::Arguments::parse().command {
        arguments::Command::Serve(serve) => start::serve(&serve),
        arguments::Command::Demo(demo) => demo::run(&demo),
        arguments::Command::Simulate(simulate) => simulation::simulate(&simulate),
        arguments::Command::Ping(ping) => ping::run(&ping),
        arguments::Command::Export(export) => exporting::run(&export),
        arguments::Command::Verify(verify) => verification::run(&verify),
        arguments::Command::Bank(arguments::Bank::Check(check)) => simulation::check_bank(&check),
        arguments::Command::Bank(arguments::Bank::Import(import)) => banking::import(&import),
        arguments::Command::Bank(arguments::Bank::List(list)) => banking::list(&list),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// The last word of a program that could not do its work, for the person who started it.
#[expect(clippy::print_stderr, reason = "the log may not be set up yet, and a person is looking")]
fn complain(error: &anyhow::Error) {
    eprintln!("exam-service cannot run: {error:#}");
}
