//! `cargo xtask tidy`: the house rules. Each rule is a pure function from what it looks at to a list of complaints, so
//! that its unit tests can show it failing.

mod fixtures;
mod layers;
mod modules;
mod sources;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

/// One file of the repository, its path relative to the root with `/` between the parts.
pub(crate) struct TreeFile {
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
}

impl TreeFile {
    /// The content if it is text.
    fn text(&self) -> Option<&str> {
        if self.bytes.contains(&0) { None } else { std::str::from_utf8(&self.bytes).ok() }
    }

    #[cfg(test)]
    fn new(path: &str, content: &str) -> Self {
        Self { path: path.to_owned(), bytes: content.as_bytes().to_vec() }
    }
}

/// Checks the tree and the crate graph; every complaint is printed before it fails.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let files = tree(root)?;
    let mut complaints = layers::check(&metadata(root)?)?;
    complaints.extend(sources::check(&files));
    complaints.extend(modules::check(&files));
    complaints.extend(fixtures::check(&files));
    if complaints.is_empty() {
        eprintln!("   {} files in order", files.len());
        return Ok(());
    }
    for complaint in &complaints {
        eprintln!("tidy: {complaint}");
    }
    bail!("{} house rules broken", complaints.len());
}

/// All files that git tracks or would track.
fn tree(root: &Path) -> anyhow::Result<Vec<TreeFile>> {
    let listing =
        output(Command::new("git").args(["ls-files", "-z", "-co", "--exclude-standard"]).current_dir(root), "git")?;
    let mut paths: Vec<&str> = std::str::from_utf8(&listing)
        .context("a file name is not UTF-8")?
        .split('\0')
        .filter(|path| !path.is_empty() && root.join(path).is_file())
        .collect();
    paths.sort_unstable();
    paths.dedup();
    paths
        .into_iter()
        .map(|path| {
            let bytes = std::fs::read(root.join(path)).with_context(|| format!("`{path}` cannot be read"))?;
            Ok(TreeFile { path: path.to_owned(), bytes })
        })
        .collect()
}

fn metadata(root: &Path) -> anyhow::Result<serde_json::Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let json = output(
        Command::new(cargo).args(["metadata", "--format-version", "1", "--no-deps", "--quiet"]).current_dir(root),
        "cargo metadata",
    )?;
    serde_json::from_slice(&json).context("`cargo metadata` did not print JSON")
}

fn output(command: &mut Command, name: &str) -> anyhow::Result<Vec<u8>> {
    let output = command.output().with_context(|| format!("`{name}` could not be started"))?;
    if !output.status.success() {
        bail!("`{name}` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}
