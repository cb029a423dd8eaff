//! Arguments of `percept evaluate` and `percept judge`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct Evaluate {
    #[command(subcommand)]
    pub(crate) what: EvaluateWhat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EvaluateWhat {
    /// Score captions against references: BLEU, ROUGE-L, METEOR, CIDEr, and CLIPScore where there are images
    Captions(EvaluateCaptions),
}

#[derive(Debug, Args)]
pub(crate) struct EvaluateCaptions {
    /// The captions to score: CSV or TSV with the columns `id` and `caption`
    #[arg(long, value_name = "FILE")]
    pub(crate) predicted: PathBuf,
    /// The references, with the same columns; several of one item are several rows of one `id`
    #[arg(long, value_name = "FILE")]
    pub(crate) reference: PathBuf,
    /// Score this method of a table of predictions with a column `method` or `arm`
    #[arg(long, value_name = "NAME")]
    pub(crate) method: Option<String>,
    /// Leave out items that only one table has, instead of refusing them
    #[arg(long)]
    pub(crate) common: bool,
    /// A folder with the images as `ID.png`, `ID.jpg` or `ID.jpeg`: CLIPScore and RefCLIPScore too
    #[arg(long, value_name = "DIR")]
    pub(crate) images: Option<PathBuf>,
    /// The model pack with CLIP that compares captions and images: a folder, `hf:ORG/NAME` or `pocket` [default: pocket]
    #[arg(long, value_name = "PACK", requires = "images")]
    pub(crate) model: Option<PathBuf>,
    /// Words before each caption when it is embedded [default: `A photo depicts ` as published, none for `pocket`]
    #[arg(long, value_name = "TEXT", requires = "images")]
    pub(crate) prefix: Option<String>,
    /// Bootstrap draws of the intervals
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) draws: u32,
    /// Shuffles of the predictions over the items, which give chance; 0 leaves it out
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) shuffles: u32,
    /// Seed of draws and shuffles
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Print the scores on stdout as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Judge {
    /// The folder of a finished run, or one with `captions.csv` or `pictures.csv`; answers go to its `judgements.csv`
    #[arg(value_name = "RUNDIR")]
    pub(crate) run: PathBuf,
    /// The first method [default: the one of two]
    #[arg(long, value_name = "METHOD")]
    pub(crate) a: Option<String>,
    /// The second method [default: the other of two]
    #[arg(long, value_name = "METHOD")]
    pub(crate) b: Option<String>,
    /// What is compared [default: captions where there are any]
    #[arg(long, value_name = "WHAT")]
    pub(crate) what: Option<Compared>,
    /// Questions for each rater; the same items for all [default: all items]
    #[arg(long, value_name = "N", conflicts_with = "score")]
    pub(crate) n: Option<usize>,
    /// Let raters say that neither is closer
    #[arg(long, conflicts_with = "score")]
    pub(crate) ties: bool,
    /// Seed of items, order and sides [default: 1]
    #[arg(long, value_name = "N", conflicts_with = "score")]
    pub(crate) seed: Option<u64>,
    /// Port on the loopback address; 0 takes a free one [default: 8078]
    #[arg(long, value_name = "PORT", conflicts_with = "score")]
    pub(crate) port: Option<u16>,
    /// Say what the answers so far say, instead of asking
    #[arg(long)]
    pub(crate) score: bool,
    /// With `--score`: print it on stdout as JSON
    #[arg(long, requires = "score")]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compared {
    Captions,
    Pictures,
}
