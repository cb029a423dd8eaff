//! The settings of an experiment as types: what the file says once every default is filled in.
//!
//! They serialise back into the form they are read from, so the resolved experiment beside a result can be run again.

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

use super::b2c::B2cSettings;
use super::groups::Groups;

/// A whole experiment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Experiment {
    /// Title of the report.
    pub name: String,
    /// The root of all randomness.
    pub seed: u64,
    /// What is reconstructed side by side.
    pub methods: Vec<Method>,
    /// Where responses, stimuli and captions come from.
    pub data: Data,
    /// How training and test sets are made.
    pub split: SplitSettings,
    /// The model pack.
    pub model: ModelSettings,
    /// From responses to features.
    pub decode: DecodeSettings,
    /// From features to pictures.
    pub generate: GenerateSettings,
    /// How the pictures are scored.
    pub evaluate: EvaluateSettings,
    /// What a sceptic wants to see beside them.
    pub controls: ControlSettings,
    /// Simpler ways to the same goal.
    pub baselines: BaselineSettings,
    /// The folder of trained encoders that the method `b2c` uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder: Option<PathBuf>,
    /// How encoders are trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b2c: Option<B2cSettings>,
}

/// A way to reconstruct, as compared by Takagi & Nishimoto (CVPR 2023).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Method {
    /// The predicted latent without a context, see [`LatentAlone`].
    #[serde(rename = "z")]
    Z,
    /// Generation from pure noise under the predicted context.
    #[serde(rename = "c")]
    C,
    /// The predicted latent's picture, encoded again, noised, and denoised under the predicted context.
    #[serde(rename = "z+c")]
    ZC,
    /// Generation from pure noise under the context of a trained Brain-to-Context encoder, with its U-Net.
    #[serde(rename = "b2c")]
    B2c,
}

impl Method {
    /// The word used for it everywhere.
    pub fn name(self) -> &'static str {
        match self {
            Self::Z => "z",
            Self::C => "c",
            Self::ZC => "z+c",
            Self::B2c => "b2c",
        }
    }

    /// Whether it needs the predicted latent.
    pub fn reads_z(self) -> bool {
        matches!(self, Self::Z | Self::ZC)
    }

    /// Whether it needs a context, and so captions.
    pub fn reads_c(self) -> bool {
        self != Self::Z
    }

    /// Whether it is made by ridge regression, and not by a network that was trained before.
    pub fn is_ridge(self) -> bool {
        self != Self::B2c
    }
}

/// Where the data come from.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Data {
    /// The Natural Scenes Dataset's tree.
    Nsd(NsdData),
    /// Arrays inside MAT, npy, npz or HDF5 files.
    Arrays(Box<ArraysData>),
    /// A simulated subject, written as an NSD tree below the output folder.
    Phantom(PhantomData),
}

/// What to do with units whose values are not all finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NonFinite {
    /// Stop and name them.
    Error,
    /// Leave them out and say how many.
    Mask,
}

/// Which form of the betas to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BetaForm {
    /// HDF5 where present (an ROI is read without touching the rest), NIfTI otherwise.
    Auto,
    /// `betas_sessionNN.hdf5`.
    Hdf5,
    /// `betas_sessionNN.nii.gz`.
    Nifti,
}

/// An NSD tree.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NsdData {
    /// The folder that holds `nsddata`, `nsddata_betas` and `nsddata_stimuli`.
    pub root: PathBuf,
    /// The subject, from 1.
    pub subject: usize,
    /// The preparation of the betas, such as `betas_fithrf_GLMdenoise_RR`.
    pub betas: String,
    /// HDF5 or NIfTI.
    pub form: BetaForm,
    /// Sessions to read, from 1; empty means all that the subject has.
    pub sessions: Vec<usize>,
    /// The region that predicts `z`, such as `streams.early` or `prf-visualrois.V1v+V1d`.
    pub early: String,
    /// The region that predicts `c`.
    pub ventral: String,
    /// Units that are not finite.
    pub non_finite: NonFinite,
    /// Parts of the units that some decoders treat apart.
    #[serde(skip_serializing_if = "Groups::is_empty")]
    pub groups: Groups<String>,
}

/// A named array inside a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrayRef {
    /// The file.
    pub file: PathBuf,
    /// The variable, data set or member; a file with one array needs none.
    pub variable: Option<String>,
}

impl fmt::Display for ArrayRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.variable {
            Some(variable) => write!(f, "{}:{variable}", self.file.display()),
            None => write!(f, "{}", self.file.display()),
        }
    }
}

impl Serialize for ArrayRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Arrays that any lab has: samples by units, samples by pixels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ArraysData {
    /// n_samples × n_units.
    pub responses: ArrayRef,
    /// n_samples × pixels (or × height × width × channels), one per sample.
    pub stimuli: ArrayRef,
    /// The same for the test side, where the file has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_responses: Option<ArrayRef>,
    /// Stimuli of the test side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_stimuli: Option<ArrayRef>,
    /// Height, width and, for colour, 3.
    pub image_shape: Vec<usize>,
    /// Whether each image is stored column by column, as MATLAB flattens it.
    pub transpose: bool,
    /// The stored values that mean black and white.
    pub value_range: [f64; 2],
    /// One number per sample that names its stimulus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stimulus_ids: Option<ArrayRef>,
    /// The same for the test side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_stimulus_ids: Option<ArrayRef>,
    /// Samples with equal pictures show the same stimulus.
    pub identify_stimuli: bool,
    /// One number per sample that names its session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<ArrayRef>,
    /// The same for the test side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_sessions: Option<ArrayRef>,
    /// Which units predict `z`: n_units values, those above zero are taken. All without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early: Option<ArrayRef>,
    /// Which units predict `c`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ventral: Option<ArrayRef>,
    /// A JSON file with one list of captions per sample (training side first); needed for `c`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub captions: Option<PathBuf>,
    /// Units that are not finite.
    pub non_finite: NonFinite,
    /// Parts of the units that some decoders treat apart: n_units values each, those above zero are taken.
    #[serde(skip_serializing_if = "Groups::is_empty")]
    pub groups: Groups<ArrayRef>,
}

/// A simulated subject.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PhantomData {
    /// Which of eight subjects, from 1; subjects of one seed see the same pictures with other brains.
    pub subject: usize,
    /// Scanning sessions.
    pub sessions: usize,
    /// Trials in each; every picture is shown three times.
    pub trials_per_session: usize,
    /// Pictures that are only tested.
    pub test_images: usize,
    /// Size of the simulated volume in voxels.
    pub shape: [usize; 3],
    /// Visual voxels in it.
    pub voxels: usize,
    /// Median ratio of signal to noise of a single trial.
    pub ncsnr: f64,
    /// The seed of drawings, voxels and noise; apart from the experiment's, so that one subject serves many experiments.
    pub seed: u64,
    /// Parts of the units that some decoders treat apart, as for an NSD tree.
    #[serde(skip_serializing_if = "Groups::is_empty")]
    pub groups: Groups<String>,
}

/// How the sides of the comparison are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SplitKind {
    /// As the data name them: `test_responses`, or NSD's shared images.
    Given,
    /// Each stimulus is tested by decoders fitted on all others.
    LeaveOneStimulusOut,
    /// NSD: the 1,000 images that all subjects saw are tested.
    Shared,
}

impl SplitKind {
    /// The name it has in score rows.
    pub fn split_name(self) -> &'static str {
        match self {
            Self::Given | Self::Shared => "test",
            Self::LeaveOneStimulusOut => "leave-one-stimulus-out",
        }
    }
}

/// `[split]`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SplitSettings {
    /// How the sides are made.
    pub kind: SplitKind,
    /// Go on, with a warning, when a test stimulus also occurs in training.
    pub allow_leaks: bool,
}

/// Which model pack generates.
#[derive(Clone, Debug, PartialEq)]
pub enum Pack {
    /// The embedded one.
    Pocket,
    /// A folder in the diffusers layout.
    Folder(PathBuf),
}

impl Serialize for Pack {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Pocket => serializer.serialize_str("pocket"),
            Self::Folder(folder) => serializer.collect_str(&folder.display()),
        }
    }
}

/// `[model]`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelSettings {
    /// `pocket` or a folder.
    pub pack: Pack,
}

/// Which units a decoder reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Region {
    /// Early visual cortex.
    Early,
    /// Ventral (higher) visual cortex.
    Ventral,
    /// Both.
    All,
}

impl Region {
    /// The word used for it everywhere.
    pub fn name(self) -> &'static str {
        match self {
            Self::Early => "early",
            Self::Ventral => "ventral",
            Self::All => "all",
        }
    }
}

/// How responses are normalised before regression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Normalise {
    /// z-score of each unit within each session, by the session's training trials.
    Session,
    /// As they are.
    None,
}

/// What to do about predictions of `c` that shrink towards the mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rescale {
    /// Leave them.
    None,
    /// One factor for the whole space.
    Global,
    /// One factor per target dimension.
    Target,
}

/// `[decode]`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DecodeSettings {
    /// Regularisation strengths among which every target dimension chooses its own.
    pub alphas: Vec<f64>,
    /// Units that predict `z`.
    pub z_region: Region,
    /// Units that predict `c`.
    pub c_region: Region,
    /// Normalisation of the responses.
    pub normalise: Normalise,
    /// Test on the mean over the repeats of an image (otherwise on every trial).
    pub average_repeats: bool,
    /// Against shrinkage of predicted contexts.
    pub rescale: Rescale,
}

/// What becomes of the predicted latent in the method `z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LatentAlone {
    /// It is decoded.
    Decode,
    /// As in `z+c`, but without a caption: decoded, encoded again, noised, and denoised under the empty text.
    Denoise,
}

/// `[generate]`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GenerateSettings {
    /// How `z` alone becomes a picture.
    pub z: LatentAlone,
    /// Steps of the denoising schedule.
    pub steps: usize,
    /// Classifier-free guidance; 1 is none.
    pub guidance: f64,
    /// How much of the schedule `z+c` (and `z`, where it is denoised) runs: 0 keeps the latent's picture, 1 starts from pure noise.
    pub strength: f64,
    /// Pictures per stimulus and method.
    pub samples: usize,
    /// Pictures made at a time.
    pub batch: usize,
    /// The seed of the noise; all methods share it.
    pub seed: u64,
}

/// A measure of how near a reconstruction, or the context it was made under, comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Mean squared error over all pixels and channels, on the scale −1..1 as in latent diffusion, so 4 times that on 0..1.
    Mse,
    /// Pearson correlation over all pixels and channels.
    #[serde(rename = "pixcorr")]
    PixCorr,
    /// Structural similarity (2-D, gray).
    Ssim,
    /// Mean squared error of the scaled latents of the two pictures.
    LatentMse,
    /// Pearson correlation of those latents.
    LatentPcc,
    /// Cosine of the context a picture was made under with that of the stimulus' captions, over all tokens.
    ContextCosine,
    /// Share of other stimuli whose context is less similar, by cosine, to the one a picture was made under.
    ContextPairwise,
    /// Two-way identification by the correlation of pixels.
    #[serde(rename = "twoway_pixel")]
    TwoWayPixel,
    /// Two-way identification by the correlation of CLIP image embeddings.
    #[serde(rename = "twoway_clip")]
    TwoWayClip,
}

impl Metric {
    /// All of them, in the order of the tables.
    pub const ALL: [Self; 9] = [
        Self::Mse,
        Self::PixCorr,
        Self::Ssim,
        Self::LatentMse,
        Self::LatentPcc,
        Self::ContextCosine,
        Self::ContextPairwise,
        Self::TwoWayPixel,
        Self::TwoWayClip,
    ];

    /// What is measured unless the experiment says otherwise or has a `b2c`, which is measured by all.
    pub const BASE: [Self; 4] = [Self::PixCorr, Self::Ssim, Self::TwoWayPixel, Self::TwoWayClip];

    /// The word used for it everywhere.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mse => "mse",
            Self::PixCorr => "pixcorr",
            Self::Ssim => "ssim",
            Self::LatentMse => "latent_mse",
            Self::LatentPcc => "latent_pcc",
            Self::ContextCosine => "context_cosine",
            Self::ContextPairwise => "context_pairwise",
            Self::TwoWayPixel => "twoway_pixel",
            Self::TwoWayClip => "twoway_clip",
        }
    }

    /// What guessing scores, where that is known.
    pub fn chance(self) -> Option<f64> {
        match self {
            Self::PixCorr => Some(0.0),
            // Unrelated pictures share their average latent, unrelated captions most of their context.
            Self::Mse | Self::Ssim | Self::LatentMse | Self::LatentPcc | Self::ContextCosine => None,
            Self::ContextPairwise | Self::TwoWayPixel | Self::TwoWayClip => Some(0.5),
        }
    }

    /// Whether it compares contexts, which only some arms have.
    pub fn reads_context(self) -> bool {
        matches!(self, Self::ContextCosine | Self::ContextPairwise)
    }

    /// Whether it compares latents.
    pub fn reads_latent(self) -> bool {
        matches!(self, Self::LatentMse | Self::LatentPcc)
    }
}

/// `[evaluate]`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvaluateSettings {
    /// What is measured.
    pub metrics: Vec<Metric>,
    /// Bootstrap draws of the intervals.
    pub draws: usize,
}

/// `[controls]`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ControlSettings {
    /// The responses of other stimuli.
    pub shuffled: bool,
    /// The mean training response for every stimulus.
    pub mean: bool,
    /// Generation from the true features.
    #[serde(rename = "true")]
    pub true_features: bool,
    /// Generation from pure noise under the true context alone.
    pub true_c: bool,
}

/// `[baselines]`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BaselineSettings {
    /// Ridge from the units of `z` straight to pixels.
    pub pixel_ridge: bool,
    /// Edge length to which pictures are averaged down for it, at most.
    pub pixel_size: usize,
}
