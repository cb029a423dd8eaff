//! `scheduler_config.json`: which sampler, which noise schedule, and the settings of the solvers.
//!
//! The keys and the values of absent keys are diffusers' (0.42), which differ between samplers. Settings that belong to
//! another sampler only are passed over, as diffusers does when one sampler is made from another's config.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    config::{self, LARGEST, Rest},
    error::{ModelError, Result},
};

pub(super) const NAME: &str = "scheduler";

/// A sampler that is not built in, but that released packs name.
const PNDM: &str = "PNDMScheduler";

/// The samplers that are built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SamplerKind {
    /// Denoising diffusion implicit models (arXiv 2010.02502), η = 0.
    Ddim,
    /// Denoising diffusion probabilistic models (arXiv 2006.11239).
    Ddpm,
    /// Euler's method on the probability flow (arXiv 2206.00364); with one trailing step, the sampler of Turbo models.
    Euler,
    /// Euler's method with part of the noise drawn anew at each step.
    EulerAncestral,
    /// DPM-Solver++ (arXiv 2211.01095), multistep.
    DpmSolver,
    /// UniPC (arXiv 2302.04867).
    UniPc,
    /// Latent consistency models (arXiv 2310.04378).
    Lcm,
}

impl SamplerKind {
    /// All samplers with the names that configs give them.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Ddim, "DDIMScheduler"),
        (Self::Ddpm, "DDPMScheduler"),
        (Self::Euler, "EulerDiscreteScheduler"),
        (Self::EulerAncestral, "EulerAncestralDiscreteScheduler"),
        (Self::DpmSolver, "DPMSolverMultistepScheduler"),
        (Self::UniPc, "UniPCMultistepScheduler"),
        (Self::Lcm, "LCMScheduler"),
    ];

    /// The sampler that a config's `_class_name` asks for. Stable Diffusion 1.x names PNDM, for which DDIM stands in;
    /// [`SchedulerConfig::stands_in_for`] says so.
    fn named(class: Option<&str>) -> Result<Self> {
        let Some(class) = class else { return Ok(Self::Ddim) };
        let found = Self::ALL.iter().find(|(_, name)| *name == class).map(|(kind, _)| *kind);
        found.or_else(|| (class == PNDM).then_some(Self::Ddim)).ok_or_else(|| ModelError::Config {
            component: NAME,
            key: "_class_name".into(),
            value: format!("\"{class}\""),
            supported: Self::ALL.map(|(_, name)| name).join(", "),
        })
    }

    /// Values of absent keys where they differ from DDIM's.
    fn defaults(self) -> Vec<(&'static str, Value)> {
        match self {
            Self::Ddim | Self::Ddpm => vec![],
            Self::Euler | Self::EulerAncestral | Self::DpmSolver | Self::UniPc => {
                vec![("timestep_spacing", json!("linspace"))]
            }
            Self::Lcm => vec![
                ("beta_start", json!(0.00085)),
                ("beta_end", json!(0.012)),
                ("beta_schedule", json!("scaled_linear")),
                ("clip_sample", json!(false)),
            ],
        }
    }
}

/// What the U-Net was trained to predict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Prediction {
    /// The noise ε.
    Epsilon,
    /// The velocity √ᾱ ε − √(1−ᾱ) x₀ (Salimans & Ho 2022, arXiv 2202.00512).
    VPrediction,
    /// The clean sample x₀.
    Sample,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum BetaSchedule {
    Linear,
    ScaledLinear,
    #[serde(rename = "squaredcos_cap_v2")]
    Cosine,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Spacing {
    Leading,
    Trailing,
    Linspace,
}

/// Where the last step of a solver ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FinalSigma {
    Zero,
    SigmaMin,
}

/// The keys that only some samplers read.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct SolverConfig {
    #[serde(default)]
    pub(super) use_karras_sigmas: Option<bool>,
    #[serde(default)]
    pub(super) sigma_min: Option<f64>,
    #[serde(default)]
    pub(super) sigma_max: Option<f64>,
    #[serde(default = "zero")]
    pub(super) final_sigmas_type: FinalSigma,
    #[serde(default = "two")]
    pub(super) solver_order: usize,
    #[serde(default)]
    pub(super) solver_type: Option<String>,
    #[serde(default)]
    pub(super) algorithm_type: Option<String>,
    #[serde(default = "yes")]
    pub(super) lower_order_final: bool,
    #[serde(default)]
    pub(super) euler_at_final: bool,
    #[serde(default)]
    pub(super) lambda_min_clipped: Option<f64>,
    #[serde(default = "yes")]
    pub(super) predict_x0: bool,
    #[serde(default)]
    pub(super) disable_corrector: Vec<usize>,
    #[serde(default)]
    pub(super) variance_type: Option<String>,
    #[serde(default = "fifty")]
    pub(super) original_inference_steps: usize,
    #[serde(default = "ten")]
    pub(super) timestep_scaling: f64,
}

/// The keys of a `scheduler_config.json` that the samplers here read.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct SchedulerConfig {
    /// Steps of the training process.
    #[serde(default = "thousand")]
    pub num_train_timesteps: usize,
    /// What the U-Net predicts.
    #[serde(default = "epsilon")]
    pub prediction_type: Prediction,
    #[serde(default = "beta_start")]
    pub(super) beta_start: f64,
    #[serde(default = "beta_end")]
    pub(super) beta_end: f64,
    #[serde(default = "linear")]
    pub(super) beta_schedule: BetaSchedule,
    #[serde(default = "yes")]
    pub(super) clip_sample: bool,
    #[serde(default = "unit")]
    pub(super) clip_sample_range: f64,
    #[serde(default = "yes")]
    pub(super) set_alpha_to_one: bool,
    #[serde(default)]
    pub(super) steps_offset: usize,
    #[serde(default = "leading")]
    pub(super) timestep_spacing: Spacing,
    #[serde(default)]
    pub(super) rescale_betas_zero_snr: bool,
    #[serde(flatten)]
    pub(super) solver: SolverConfig,
    #[serde(skip, default = "ddim")]
    kind: SamplerKind,
    #[serde(skip)]
    stands_in_for: Option<&'static str>,
    #[serde(flatten)]
    rest: Rest,
}

/// Settings that change nothing for the samplers here, or belong to thresholding, which is refused when it is on.
const OTHER_SAMPLERS: &[&str] = &[
    "dynamic_thresholding_ratio",
    "flow_shift",
    "interpolation_type",
    "sample_max_value",
    "skip_prk_steps",
    "time_shift_type",
    "timestep_type",
];

fn thousand() -> usize {
    1000
}
fn fifty() -> usize {
    50
}
fn two() -> usize {
    2
}
fn ten() -> f64 {
    10.0
}
fn epsilon() -> Prediction {
    Prediction::Epsilon
}
fn beta_start() -> f64 {
    1e-4
}
fn beta_end() -> f64 {
    0.02
}
fn linear() -> BetaSchedule {
    BetaSchedule::Linear
}
fn unit() -> f64 {
    1.0
}
fn yes() -> bool {
    true
}
fn leading() -> Spacing {
    Spacing::Leading
}
fn zero() -> FinalSigma {
    FinalSigma::Zero
}
fn ddim() -> SamplerKind {
    SamplerKind::Ddim
}

fn refuse(key: &str, value: String, supported: impl Into<String>) -> ModelError {
    ModelError::Config { component: NAME, key: key.into(), value, supported: supported.into() }
}

impl SchedulerConfig {
    /// The sampler that the file names, where another one stands in for it.
    pub fn stands_in_for(&self) -> Option<&'static str> {
        self.stands_in_for
    }

    /// Reads and checks a `scheduler_config.json` for the sampler that its `_class_name` names.
    ///
    /// # Errors
    /// [`ModelError::Config`] for anything that is not supported.
    pub fn parse(text: &str) -> Result<Self> {
        let keys = read(text)?;
        let class = keys.get("_class_name").and_then(Value::as_str);
        let (kind, stands_in_for) =
            (SamplerKind::named(class)?, class.is_some_and(|class| class == PNDM).then_some(PNDM));
        Ok(Self { stands_in_for, ..Self::from_keys(keys, kind)? })
    }

    /// As [`Self::parse`], for a sampler of the user's choice on the same noise schedule.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_for(text: &str, kind: SamplerKind) -> Result<Self> {
        let mut keys = read(text)?;
        // What another sampler calls its algorithm means nothing to this one.
        for key in ["algorithm_type", "solver_type", "variance_type"] {
            keys.remove(key);
        }
        Self::from_keys(keys, kind)
    }

    fn from_keys(mut keys: Map<String, Value>, kind: SamplerKind) -> Result<Self> {
        for (key, value) in kind.defaults() {
            keys.entry(key).or_insert(value);
        }
        let mut config: Self = config::parse(NAME, &Value::Object(keys).to_string())?;
        config.kind = kind;
        config.check()?;
        Ok(config)
    }

    /// The sampler to be used.
    pub fn kind(&self) -> SamplerKind {
        self.kind
    }

    fn check(&self) -> Result<()> {
        let mut rest = self.rest.clone();
        rest.retain(|key, _| !OTHER_SAMPLERS.contains(&key.as_str()));
        config::check_rest(NAME, &rest, &[])?;
        for (key, only) in [("interpolation_type", "linear"), ("timestep_type", "discrete")] {
            match self.rest.get(key).and_then(Value::as_str) {
                Some(other) if self.kind == SamplerKind::Euler && other != only => {
                    return Err(refuse(key, other.into(), only));
                }
                _ => {}
            }
        }
        let steps = self.num_train_timesteps;
        if !(2..=LARGEST).contains(&steps) {
            return Err(refuse("num_train_timesteps", steps.to_string(), format!("2 to {LARGEST}")));
        }
        if self.steps_offset > steps {
            return Err(refuse("steps_offset", self.steps_offset.to_string(), format!("0 to {steps}")));
        }
        for (key, beta) in [("beta_start", self.beta_start), ("beta_end", self.beta_end)] {
            if !(0.0..1.0).contains(&beta) {
                return Err(refuse(key, beta.to_string(), "0 or more, below 1"));
            }
        }
        self.check_solver()
    }

    fn check_solver(&self) -> Result<()> {
        let solver = &self.solver;
        let one_of = |key: &str, value: &Option<String>, allowed: &[&str]| match value {
            Some(value) if !allowed.contains(&value.as_str()) => Err(refuse(key, value.clone(), allowed.join(", "))),
            _ => Ok(()),
        };
        for (key, sigma) in [("sigma_min", solver.sigma_min), ("sigma_max", solver.sigma_max)] {
            if sigma.is_some_and(|sigma| !(sigma > 0.0 && sigma.is_finite())) {
                return Err(refuse(key, format!("{sigma:?}"), "a positive number, null"));
            }
        }
        match self.kind {
            SamplerKind::Ddpm => {
                one_of("variance_type", &solver.variance_type, &["fixed_small", "fixed_small_log", "fixed_large"])
            }
            SamplerKind::DpmSolver => {
                one_of("algorithm_type", &solver.algorithm_type, &["dpmsolver++", "sde-dpmsolver++"])?;
                one_of("solver_type", &solver.solver_type, &["midpoint", "heun", "logrho", "bh1", "bh2"])?;
                one_of("variance_type", &solver.variance_type, &[])?;
                if !(1..=2).contains(&solver.solver_order) {
                    return Err(refuse("solver_order", solver.solver_order.to_string(), "1, 2"));
                }
                Ok(())
            }
            SamplerKind::UniPc => {
                one_of("solver_type", &solver.solver_type, &["bh1", "bh2", "midpoint", "heun", "logrho"])?;
                if !(1..=3).contains(&solver.solver_order) {
                    return Err(refuse("solver_order", solver.solver_order.to_string(), "1, 2, 3"));
                }
                if !solver.predict_x0 {
                    return Err(refuse("predict_x0", "false".into(), "true"));
                }
                Ok(())
            }
            SamplerKind::Lcm
                if solver.original_inference_steps == 0
                    || solver.original_inference_steps > self.num_train_timesteps =>
            {
                let value = solver.original_inference_steps.to_string();
                Err(refuse("original_inference_steps", value, format!("1 to {}", self.num_train_timesteps)))
            }
            _ => Ok(()),
        }
    }
}

/// The keys of a config. Python writes infinite numbers (`lambda_min_clipped`) in a way that JSON does not know.
fn read(text: &str) -> Result<Map<String, Value>> {
    let text = text.replace(": -Infinity", ": null").replace(": Infinity", ": null");
    config::parse(NAME, &text)
}

/// The error of a run that is too short or too long.
pub(super) fn out_of_range(n: usize, most: usize) -> ModelError {
    ModelError::Input { what: "number of sampling steps", expected: format!("1 to {most}"), got: n.to_string() }
}
