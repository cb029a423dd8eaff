//! `cargo xtask ci`: every check beyond the tests, cheapest first, on the release profile so that artefacts are shared.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};

/// Runs formatting, house rules, lints and documentation; stops at the first that fails.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    step(root, &["fmt", "--all", "--check"], &[])?;
    eprintln!("== tidy");
    crate::tidy::run(root)?;
    step(root, &["clippy", "--workspace", "--all-targets", "--release", "--quiet", "--", "-D", "warnings"], &[])?;
    step(root, &["doc", "--workspace", "--no-deps", "--release", "--quiet"], &[("RUSTDOCFLAGS", "-D warnings")])?;
    Ok(())
}

fn step(root: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<()> {
    let words = arguments.join(" ");
    eprintln!("== cargo {words}");
    let start = Instant::now();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(root)
        .status()
        .with_context(|| format!("`cargo {words}` could not be started"))?;
    if !status.success() {
        bail!("`cargo {words}` failed ({status})");
    }
    eprintln!("   {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}
