//! Arguments of the commands about models: `percept model …` and `percept features`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct Model {
    #[command(subcommand)]
    pub(crate) action: ModelAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelAction {
    /// Bring a model from the Hugging Face hub to this machine; an interrupted pull goes on where it was
    Pull(ModelPull),
    /// What a pack in the diffusers layout holds; `pocket` is the built-in one
    Info(ModelInfo),
    /// Feed tensors to one part of a pack and write its results: check percept against any other implementation
    Run(ModelRun),
    /// How fast one part of a pack is on this machine
    Bench(ModelBench),
    /// The names of all places in one part that `--tap` and `--space` can read
    Taps(ModelTaps),
    /// Check a pack's files: damaged, missing, surplus and misshapen tensors, all of them by name
    Verify(ModelInfo),
    /// The packs in a folder or in the Hugging Face cache, with their parts and sizes
    List(ModelList),
}

/// Which pack, and what moves its pictures.
#[derive(Debug, Args)]
pub(crate) struct PackArguments {
    /// The pack's folder, `hf:ORG/NAME` for one that `model pull` brought, or `pocket`
    #[arg(value_name = "PACK")]
    pub(crate) pack: PathBuf,
    /// Motion modules for its U-Net (a diffusers `MotionAdapter`): their folder, or `hf:ORG/NAME`
    #[arg(long, value_name = "DIR")]
    pub(crate) motion: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ModelPull {
    /// The repository as on its page, such as `openai/clip-vit-large-patch14`
    #[arg(value_name = "ORG/NAME")]
    pub(crate) repository: String,
    /// Branch, tag or commit [default: main]
    #[arg(long, value_name = "REVISION")]
    pub(crate) revision: Option<String>,
    /// A plain folder for the files [default: the Hugging Face cache, which Python reads too]
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<PathBuf>,
    /// Reach no network: list the files, where each goes, and which are there
    #[arg(long)]
    pub(crate) offline: bool,
    /// Take these files as well, such as `*.fp16.safetensors` or `*.ckpt`; may be repeated
    #[arg(long, value_name = "PATTERN", conflicts_with = "offline")]
    pub(crate) include: Vec<String>,
    /// Print what came, or the list, on stdout as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ModelInfo {
    #[command(flatten)]
    pub(crate) pack: PackArguments,
    /// Print on stdout as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ModelRun {
    #[command(flatten)]
    pub(crate) pack: PackArguments,
    /// unet, vae.encode, vae.decode, text, vision, language, caption, vit or videomae
    #[arg(long, value_name = "PART")]
    pub(crate) part: String,
    /// Tensors under the names of diffusers' and transformers' arguments
    #[arg(long, value_name = "IN.safetensors")]
    pub(crate) input: PathBuf,
    /// Where the results go
    #[arg(long, value_name = "OUT.safetensors")]
    pub(crate) output: PathBuf,
    /// Write the value at this place too; may be repeated
    #[arg(long = "tap", value_name = "NAME")]
    pub(crate) taps: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ModelBench {
    #[command(flatten)]
    pub(crate) pack: PackArguments,
    /// unet, vae.encode, vae.decode, text, vision, language, caption, vit or videomae
    #[arg(long, value_name = "PART")]
    pub(crate) part: String,
    /// Passes to measure; the median counts
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) passes: usize,
    /// Print on stdout as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ModelTaps {
    #[command(flatten)]
    pub(crate) pack: PackArguments,
    /// unet, vae.encode, vae.decode, text, vision, language, caption, vit or videomae
    #[arg(long, value_name = "PART")]
    pub(crate) part: String,
}

#[derive(Debug, Args)]
pub(crate) struct ModelList {
    /// The folder whose folders are packs [default: the Hugging Face cache, and `models`]
    #[arg(value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Print on stdout as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Features {
    /// The pack's folder, `hf:ORG/NAME`, `pocket`, or a table of word vectors (GloVe, word2vec)
    #[arg(value_name = "PACK")]
    pub(crate) pack: PathBuf,
    /// A feature space, such as `sd.z`, `clip.image.layer07`, `unet.mid@t600`, `llama.layer16` or `clap.audio`; may be repeated
    #[arg(long = "space", value_name = "NAME", required = true)]
    pub(crate) spaces: Vec<String>,
    /// A folder of PNG and JPEG pictures, or `FILE.hdf5:dataset`
    #[arg(long, value_name = "SOURCE", conflicts_with_all = ["texts", "sounds"], required_unless_present_any = ["texts", "sounds"])]
    pub(crate) images: Option<PathBuf>,
    /// Captions one per line (.txt), or a table with a column of texts (.csv, .tsv)
    #[arg(long, value_name = "FILE")]
    pub(crate) texts: Option<PathBuf>,
    /// A folder of WAV, FLAC, MP3 and Ogg files
    #[arg(long, value_name = "DIR", conflicts_with = "texts")]
    pub(crate) sounds: Option<PathBuf>,
    /// The table's column of texts [default: text, caption, sentence or word]
    #[arg(long, value_name = "NAME", requires = "texts")]
    pub(crate) column: Option<String>,
    /// Read each text with this many rows before it: the context of a word in a story
    #[arg(long, value_name = "N", default_value_t = 0, requires = "texts")]
    pub(crate) context: usize,
    /// How the tokens or pixels of a place become one row
    #[arg(long, value_name = "HOW", default_value = "mean")]
    pub(crate) pool: Pool,
    /// Folder for the store; an interrupted run in it goes on where it was
    #[arg(long, value_name = "DIR", default_value = "features")]
    pub(crate) out: PathBuf,
    /// Stimuli in a pass [default: what `--memory` allows]
    #[arg(long, value_name = "N")]
    pub(crate) batch: Option<usize>,
    /// Memory for passes in GB, weights aside
    #[arg(long, value_name = "GB", default_value_t = 2.0)]
    pub(crate) memory: f64,
    /// Seed of the noise of spaces in the U-Net
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Print the index on stdout as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pool {
    /// All of them, one behind the other
    Whole,
    /// Their mean
    Mean,
    /// The first token
    First,
    /// The last token
    Last,
}
