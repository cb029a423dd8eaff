//! Arguments of `percept caption`.

use std::path::PathBuf;

use clap::Args;

use super::Run;

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["experiment", "features"]))]
pub(crate) struct Caption {
    /// The experiment; its `[captions]` says how captions are made
    #[arg(value_name = "EXPERIMENT.toml")]
    pub(crate) experiment: Option<PathBuf>,
    /// Instead of an experiment: vision tokens that you have, one row per picture, as `FILE` or `FILE:NAME`; `--set
    /// captions.captioner=DIR` and the other keys of `[captions]` say how they are put into words
    #[arg(long, value_name = "FILE", requires = "out", conflicts_with = "memory")]
    pub(crate) features: Option<String>,
    #[command(flatten)]
    pub(crate) run: Run,
}
