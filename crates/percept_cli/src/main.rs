//! The `percept` command line: reads arguments, calls the facade, draws progress on stderr and puts data on stdout.
//!
//! Exit codes: 0 for success, 1 when the user's input was refused, 2 when percept or the machine failed. A reader that closes the pipe
//! early has what it wants: that is success.

mod arguments;
mod commands;
mod failure;
mod memory;
mod output;
mod progress;
#[cfg(test)]
mod reference;
mod settings;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

#[global_allocator]
static MEMORY: memory::HugePages = memory::HugePages;

fn main() -> ExitCode {
    percept::models::threads::claim();
    failure::describe_panics();
    let arguments = match arguments::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    match std::panic::catch_unwind(|| commands::run(arguments)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => failure::report(&error),
        Err(_) => ExitCode::from(failure::OURS),
    }
}

/// Help and version are answers, everything else that clap says is a complaint about the arguments.
fn refuse(error: &clap::Error) -> ExitCode {
    // Nobody is left to tell when the words themselves cannot be written.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ExitCode::from(failure::INPUT),
    }
}
