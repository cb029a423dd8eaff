//! The command line as clap sees it: names, help, nothing else. What the arguments mean is in [`crate::settings`].

mod caption;
mod captions;
mod fit;
mod map;
mod models;
mod music;
mod stream;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use caption::Caption;
pub(crate) use captions::{Compared, Evaluate, EvaluateCaptions, EvaluateWhat, Judge};
pub(crate) use fit::{Fit, FitPrecision, FitScore, Predict, Preset};
pub(crate) use map::{Colours, Map};
pub(crate) use models::{
    Features, Model, ModelAction, ModelBench, ModelInfo, ModelList, ModelPull, ModelRun, ModelTaps, PackArguments, Pool,
};
pub(crate) use music::{Music, MusicAction, MusicIndex, MusicSearch};
pub(crate) use stream::{Stream, StreamPreset};

/// Recorded brain activity in, what was seen out.
#[derive(Debug, Parser)]
#[command(name = "percept", version, propagate_version = false, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// Threads to use; results do not depend on it [default: one per core]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Where models run: `cpu`, `cuda`, `cuda:1` (the second GPU) or `metal`, if built in [default: cpu]
    #[arg(long, global = true, value_name = "DEVICE")]
    pub(crate) device: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Reconstruct pictures from a simulated subject with the built-in models, and write the report
    Demo(Demo),
    /// Run the experiment in a TOML file: responses to features to pictures to scores to a report
    Reconstruct(Reconstruct),
    /// Decode captions of the stimuli in an experiment, or put given vision tokens into words
    Caption(Caption),
    /// Predict every voxel from the layers, steps and blocks of models, and write which explains what
    Encode(Encode),
    /// Average finished runs of `encode` over subjects, with intervals over people
    Average(Average),
    /// Fit ridge regressions of many targets on features, from files, choosing penalties on held-out samples
    Fit(Fit),
    /// Predict new samples with a model that `fit` made
    Predict(Predict),
    /// Draw values on the cortex, as a picture or as a page in which it can be turned and unfolded
    Map(Map),
    /// Check whether downloaded data are whole, and list what is missing
    Doctor(Doctor),
    /// Write a simulated subject to disk, in the layout of a real data set
    Phantom(Phantom),
    /// Train the built-in models again
    Train(Train),
    /// Features of pictures, texts or sounds in the spaces of a model, as a store on disk
    Features(Features),
    /// Score results that came from anywhere
    Evaluate(Evaluate),
    /// Let people compare the results of two methods on a local page, and say what they chose
    Judge(Judge),
    /// Bring model packs here, look at them, run and check their parts
    Model(Model),
    /// Make a corpus of music searchable by sound, and search it
    Music(Music),
    /// Draw pictures from a signal, thirty a second: live, from a recording, or from a simulated rat
    Stream(Stream),
    /// Write the report of a finished run again
    Report(Report),
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Music from a simulated subject who listens, instead of pictures
    #[arg(long)]
    pub(crate) music: bool,
    /// Films from a simulated subject who watches, instead of pictures
    #[arg(long, conflicts_with = "music")]
    pub(crate) video: bool,
    #[command(flatten)]
    pub(crate) run: Run,
}

#[derive(Debug, Args)]
pub(crate) struct Reconstruct {
    /// The experiment
    #[arg(value_name = "EXPERIMENT.toml")]
    pub(crate) experiment: PathBuf,
    #[command(flatten)]
    pub(crate) run: Run,
}

#[derive(Debug, Args)]
pub(crate) struct Encode {
    /// The experiment
    #[arg(value_name = "EXPERIMENT.toml")]
    pub(crate) experiment: PathBuf,
    #[command(flatten)]
    pub(crate) run: Run,
}

#[derive(Debug, Args)]
pub(crate) struct Average {
    /// Finished runs of `encode` with the same spaces and fits, one for each subject
    #[arg(value_name = "RUNDIR", required = true, num_args = 2..)]
    pub(crate) runs: Vec<PathBuf>,
    /// Folder for the rows and the report
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Print the rows as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What every run of an experiment takes.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Folder for the results; an interrupted run in it goes on where it was
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Override one setting of the experiment, such as `generate.steps=50`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// Memory to use, such as `8GB`; results do not depend on it [default: most of what is free]
    #[arg(long, value_name = "BYTES")]
    pub(crate) memory: Option<String>,
    /// Print the scores on stdout as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(subcommand)]
    pub(crate) dataset: DoctorDataset,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DoctorDataset {
    /// The Natural Scenes Dataset, whole or in part
    Nsd(DoctorNsd),
    /// Films watched in a scanner, in BIDS with texts for every second (OpenNeuro ds005531)
    Ds005531(DoctorFilms),
    /// Music heard in a scanner, in BIDS with the tracks beside it (OpenNeuro ds003720)
    Ds003720(DoctorMusic),
    /// Films watched in a scanner, with the films beside it (Wen et al. 2018, doi:10.4231/R7SF2TCW)
    Cc2017(DoctorWatching),
}

#[derive(Debug, Args)]
pub(crate) struct DoctorWatching {
    /// The folder that holds `subject1` and `stimuli`
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Check this subject, such as `1`; may be repeated [default: all]
    #[arg(long = "subject", value_name = "ID")]
    pub(crate) subjects: Vec<String>,
    /// The folder of the films [default: `stimuli` in DIR]
    #[arg(long, value_name = "DIR")]
    pub(crate) films: Option<PathBuf>,
    /// Frames a second of films that are folders of pictures
    #[arg(long, value_name = "RATE")]
    pub(crate) frames_per_sec: Option<f64>,
    /// List every segment and film, not only those with something wrong
    #[arg(long)]
    pub(crate) all: bool,
    /// Print the findings on stdout as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorMusic {
    /// The folder that holds `sub-001`
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Check this subject, such as `001`; may be repeated [default: all]
    #[arg(long = "subject", value_name = "ID")]
    pub(crate) subjects: Vec<String>,
    /// The folder of the tracks, `blues/blues.00012.wav`
    #[arg(long, value_name = "DIR")]
    pub(crate) audio: Option<PathBuf>,
    /// A table of captions whose first column names tracks, `blues.00012`
    #[arg(long, value_name = "FILE")]
    pub(crate) captions: Option<PathBuf>,
    /// Print the findings on stdout as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorFilms {
    /// The folder that holds `sub-S01` and `derivatives`
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Check this subject, such as `S01`; may be repeated [default: all]
    #[arg(long = "subject", value_name = "ID")]
    pub(crate) subjects: Vec<String>,
    /// List every run, not only those with something wrong
    #[arg(long)]
    pub(crate) all: bool,
    /// Print the findings on stdout as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorNsd {
    /// The folder that holds `nsddata`, `nsddata_betas` and `nsddata_stimuli`
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// What the data are wanted for: `takagi2023`, `b2c` or `mindeye`
    #[arg(long, value_name = "NAME", default_value = "takagi2023")]
    pub(crate) recipe: String,
    /// Check this subject, 1 to 8; may be repeated [default: those of the recipe]
    #[arg(long = "subject", value_name = "N", value_parser = clap::value_parser!(u8).range(1..=8))]
    pub(crate) subjects: Vec<u8>,
    /// List every file, region and check, not only what is wrong
    #[arg(long)]
    pub(crate) all: bool,
    /// Read every response too: finds cut files, saturated and unmeasured voxels
    #[arg(long)]
    pub(crate) values: bool,
    /// Print the findings on stdout as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Phantom {
    /// Folder for the simulated data set; an interrupted phantom in it goes on where it was
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Scanning sessions [default: 12]
    #[arg(long, value_name = "N")]
    pub(crate) sessions: Option<usize>,
    /// Trials in each session; every picture is seen three times [default: 750]
    #[arg(long, value_name = "N")]
    pub(crate) trials: Option<usize>,
    /// Pictures that are for testing only [default: 120]
    #[arg(long, value_name = "N")]
    pub(crate) shared: Option<usize>,
    /// Give each of the eight subjects pictures of its own beside the shared ones, as in NSD
    #[arg(long)]
    pub(crate) own_images: bool,
    /// Side of the pictures in pixels; 425 in NSD [default: 64]
    #[arg(long, value_name = "PIXELS")]
    pub(crate) side: Option<usize>,
    /// Voxels of visual cortex [default: 3300]
    #[arg(long, value_name = "N")]
    pub(crate) voxels: Option<usize>,
    /// Which of the eight subjects, 1 to 8 [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) subject: Option<usize>,
    /// Formats of the betas
    #[arg(long, value_name = "FORMAT", default_value = "hdf5")]
    pub(crate) betas: Betas,
    /// Seed of drawings, voxels and noise
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Betas {
    Hdf5,
    Nifti,
    Both,
}

#[derive(Debug, Args)]
pub(crate) struct Train {
    #[command(subcommand)]
    pub(crate) model: TrainModel,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TrainModel {
    /// The pocket pack, on drawings; then score it on drawings it never saw
    Pocket(TrainPocket),
    /// Encoders from responses to the U-Net's context, as `[b2c]` of an experiment says (Brain-to-Context)
    B2c(TrainB2c),
}

#[derive(Debug, Args)]
pub(crate) struct TrainB2c {
    /// The experiment file
    #[arg(value_name = "EXPERIMENT.toml")]
    pub(crate) experiment: PathBuf,
    #[command(flatten)]
    pub(crate) run: Run,
}

#[derive(Debug, Args)]
pub(crate) struct TrainPocket {
    /// Folder for the pack and its checkpoints; an interrupted training in it goes on where it was
    #[arg(long, value_name = "DIR", default_value = "pocket")]
    pub(crate) out: PathBuf,
    /// Train the pack of music instead, on tunes
    #[arg(long)]
    pub(crate) music: bool,
    /// Train the adapter that moves the pictures instead, on films: of the pack in the folder, or of the built-in one
    #[arg(long, conflicts_with_all = ["music", "parts"])]
    pub(crate) motion: bool,
    /// Train this part; may be repeated [default: all, in this order]
    #[arg(long = "part", value_name = "PART")]
    pub(crate) parts: Vec<Part>,
    /// A TOML file with what differs from the built-in recipe, such as `unet_batch = 24`
    #[arg(long, value_name = "FILE")]
    pub(crate) recipe: Option<PathBuf>,
    /// Steps of every part that is trained [default: each its own]
    #[arg(long, value_name = "N")]
    pub(crate) steps: Option<usize>,
    /// Seed of weights, drawings and noise [default: the recipe's]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Drawings to score the finished pack on; 0 leaves it out
    #[arg(long, value_name = "N", default_value_t = 300)]
    pub(crate) score: usize,
    /// Print the scores on stdout as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// The classifier that names what a drawing shows; no part of the pack
    Judge,
    /// Pictures to latents and back; with `--music`, mel spectrograms
    Autoencoder,
    /// Latents to pictures, sharpened
    Decoder,
    /// Text and image encoder
    Clip,
    /// The denoising U-Net
    Unet,
    /// Captions of pictures.
    Captioner,
    /// The language model
    Language,
    /// With `--music`: sounds and texts in one space
    Clap,
    /// With `--music`: mel spectrograms to sound
    Vocoder,
}

#[derive(Debug, Args)]
pub(crate) struct Report {
    /// The run's folder
    #[arg(value_name = "RUNDIR")]
    pub(crate) run: PathBuf,
}
