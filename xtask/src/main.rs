//! Repository chores, run as `cargo xtask NAME`: `tidy` checks the house rules that no compiler checks, `ci` adds
//! formatting, lints and documentation.

mod ci;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

const USAGE: &str = "usage: cargo xtask ci | tidy";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["ci"] => repository().and_then(|root| ci::run(&root)),
        ["tidy"] => repository().and_then(|root| tidy::run(&root)),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(1);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(1)
        }
    }
}

/// The repository's root: the folder above this crate.
fn repository() -> anyhow::Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(Path::to_path_buf).context("xtask lies at the root of the file system")
}
