//! The program `exam-service`: dispatches to a subcommand and prints its error.

mod cli;

use clap::Parser;
use cli::arguments::{Arguments, Bank, Command};
use mimalloc::MiMalloc;
use std::process::ExitCode;

/// Requests allocate many small values with short lives, which the system allocator handles slowly.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    if !matches!(command, Command::Serve(_)) {
        // A program whose reader goes away, as in `exam-service export | head`, ends silently.
        sigpipe::reset();
    }
    let outcome = match command {
        Command::Serve(serve) => cli::serve::run(&serve),
        Command::Demo(demo) => cli::demo::run(&demo),
        Command::Simulate(simulate) => cli::simulate::run(&simulate),
        Command::Ping(ping) => cli::ping::run(&ping),
        Command::Export(export) => cli::export::run(&export),
        Command::Verify(verify) => cli::verify::run(&verify),
        Command::Bank(Bank::Check(check)) => cli::bank::check(&check),
        Command::Bank(Bank::Import(import)) => cli::bank::import(&import),
        Command::Bank(Bank::List(list)) => cli::bank::list(&list),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error);
            ExitCode::FAILURE
        }
    }
}

/// Prints the error of a subcommand for the person who started it.
#[expect(clippy::print_stderr, reason = "the log may not be set up yet, and a person is looking")]
fn print_error(error: &anyhow::Error) {
    eprintln!("exam-service cannot run: {error:#}");
}
