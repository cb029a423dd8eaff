//! The keys of an `EncodecConfig`, and what is refused of them.

use serde::{Deserialize, Serialize};

use crate::{
    config::{self, LARGEST, Rest},
    error::{ModelError, Result},
};

const NAME: &str = "encodec";

/// The keys of an `EncodecConfig`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct EncodecConfig {
    /// Kilobits in a second that a sound may be stored in.
    #[serde(default = "bandwidths")]
    pub target_bandwidths: Vec<f64>,
    /// Samples in a second.
    #[serde(default = "rate")]
    pub sampling_rate: u32,
    /// Channels of a sound.
    #[serde(default = "one")]
    pub audio_channels: usize,
    #[serde(default)]
    pub(super) normalize: bool,
    #[serde(default)]
    chunk_length_s: Option<f64>,
    #[serde(default)]
    overlap: Option<f64>,
    /// Width of a latent.
    #[serde(default = "one_twenty_eight")]
    pub hidden_size: usize,
    #[serde(default = "thirty_two")]
    pub(super) num_filters: usize,
    #[serde(default = "one")]
    pub(super) num_residual_layers: usize,
    #[serde(default = "ratios")]
    pub(super) upsampling_ratios: Vec<usize>,
    #[serde(default = "weight_norm")]
    pub(super) norm_type: String,
    #[serde(default = "seven")]
    pub(super) kernel_size: usize,
    #[serde(default = "seven")]
    pub(super) last_kernel_size: usize,
    #[serde(default = "three")]
    pub(super) residual_kernel_size: usize,
    #[serde(default = "two")]
    pub(super) dilation_growth_rate: usize,
    #[serde(default = "yes")]
    pub(super) use_causal_conv: bool,
    #[serde(default = "reflect")]
    pub(super) pad_mode: String,
    #[serde(default = "two")]
    pub(super) compress: usize,
    #[serde(default = "two")]
    pub(super) num_lstm_layers: usize,
    #[serde(default = "whole")]
    pub(super) trim_right_ratio: f64,
    #[serde(default = "ten_twenty_four")]
    pub(super) codebook_size: usize,
    #[serde(default)]
    codebook_dim: Option<usize>,
    #[serde(default = "yes")]
    pub(super) use_conv_shortcut: bool,
    #[serde(flatten)]
    rest: Rest,
}

fn bandwidths() -> Vec<f64> {
    vec![1.5, 3.0, 6.0, 12.0, 24.0]
}
fn ratios() -> Vec<usize> {
    vec![8, 5, 4, 2]
}
fn rate() -> u32 {
    24_000
}
fn one() -> usize {
    1
}
fn two() -> usize {
    2
}
fn three() -> usize {
    3
}
fn seven() -> usize {
    7
}
fn thirty_two() -> usize {
    32
}
fn one_twenty_eight() -> usize {
    128
}
fn ten_twenty_four() -> usize {
    1024
}
fn whole() -> f64 {
    1.0
}
fn yes() -> bool {
    true
}
fn reflect() -> String {
    "reflect".into()
}
fn weight_norm() -> String {
    "weight_norm".into()
}

impl EncodecConfig {
    /// Reads and checks a `config.json`.
    ///
    /// # Errors
    /// [`ModelError::Config`] for anything that is not supported.
    pub fn parse(text: &str) -> Result<Self> {
        let config: Self = config::parse(NAME, text)?;
        let mut rest = config.rest.clone();
        // Says the same as the presence of `weight_norm`.
        rest.remove("use_weight_norm");
        config::check_rest(NAME, &rest, &[])?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        let refuse = |key: &str, value: String, supported: &str| {
            Err(ModelError::Config { component: NAME, key: key.into(), value, supported: supported.into() })
        };
        if !["weight_norm", "time_group_norm"].contains(&self.norm_type.as_str()) {
            return refuse("norm_type", self.norm_type.clone(), "\"weight_norm\", \"time_group_norm\"");
        }
        if !["reflect", "constant"].contains(&self.pad_mode.as_str()) {
            return refuse("pad_mode", self.pad_mode.clone(), "\"reflect\", \"constant\"");
        }
        let ratios = &self.upsampling_ratios;
        if ratios.is_empty() || ratios.len() > 8 || ratios.iter().any(|&ratio| ratio == 0 || ratio > 64) {
            return refuse("upsampling_ratios", format!("{ratios:?}"), "1 to 8 numbers of at most 64");
        }
        for (key, value, most) in [
            ("audio_channels", self.audio_channels, 2),
            ("num_filters", self.num_filters, LARGEST >> ratios.len()),
            ("hidden_size", self.hidden_size, LARGEST),
            ("kernel_size", self.kernel_size, 255),
            ("last_kernel_size", self.last_kernel_size, 255),
            ("residual_kernel_size", self.residual_kernel_size, 255),
            ("compress", self.compress, self.num_filters),
            ("dilation_growth_rate", self.dilation_growth_rate, 8),
            ("num_residual_layers", self.num_residual_layers, 8),
            ("num_lstm_layers", self.num_lstm_layers, 16),
            ("sampling_rate", self.sampling_rate as usize, 768_000),
        ] {
            if value == 0 || value > most {
                return refuse(key, value.to_string(), &format!("1 to {most}"));
            }
        }
        if !self.codebook_size.is_power_of_two() || self.codebook_size < 2 || self.codebook_size > LARGEST {
            return refuse("codebook_size", self.codebook_size.to_string(), "a power of two");
        }
        if self.codebook_dim.is_some_and(|dim| dim != self.hidden_size) {
            return refuse("codebook_dim", format!("{:?}", self.codebook_dim), "`hidden_size`");
        }
        if !(0.0..=1.0).contains(&self.trim_right_ratio) || self.trim_right_ratio != 1.0 && !self.use_causal_conv {
            return refuse("trim_right_ratio", self.trim_right_ratio.to_string(), "1, or less with `use_causal_conv`");
        }
        if self.target_bandwidths.is_empty() || self.target_bandwidths.iter().any(|&b| !(b > 0.0 && b < 1e4)) {
            return refuse("target_bandwidths", format!("{:?}", self.target_bandwidths), "positive numbers");
        }
        if self.chunk_length_s.is_some_and(|secs| !(secs > 0.0 && secs <= 600.0)) {
            return refuse(
                "chunk_length_s",
                format!("{:?}", self.chunk_length_s),
                "null, or more than 0 and at most 600",
            );
        }
        if self.overlap.is_some_and(|share| !(0.0..1.0).contains(&share)) {
            return refuse("overlap", format!("{:?}", self.overlap), "null, or at least 0 and less than 1");
        }
        if !(1..=1024).contains(&self.n_quantisers()) {
            return refuse("target_bandwidths", format!("{:?}", self.target_bandwidths), "at least one codebook's");
        }
        Ok(())
    }

    /// Samples of a sound that one latent stands for.
    pub fn hop(&self) -> usize {
        self.upsampling_ratios.iter().product()
    }

    /// Latents in a second.
    pub fn frame_rate(&self) -> usize {
        (self.sampling_rate as usize).div_ceil(self.hop())
    }

    pub(super) fn bits(&self) -> usize {
        self.codebook_size.ilog2() as usize
    }

    pub(super) fn n_quantisers(&self) -> usize {
        let last = self.target_bandwidths.last().copied().unwrap_or(0.0);
        (1000.0 * last / (self.frame_rate() * self.bits()) as f64) as usize
    }

    /// Codebooks that a bandwidth pays for.
    pub(super) fn quantisers_for(&self, kilobits: f64) -> usize {
        let n = (kilobits * 1000.0 / (self.bits() * self.frame_rate()) as f64) as usize;
        n.clamp(1, self.n_quantisers())
    }

    /// Samples of a piece, and from piece to piece, where sounds are cut.
    pub(super) fn pieces(&self) -> Option<[usize; 2]> {
        let length = (self.chunk_length_s? * f64::from(self.sampling_rate)) as usize;
        let step = self.overlap.map_or(1, |overlap| (((1.0 - overlap) * length as f64) as usize).max(1));
        Some([length.max(1), step])
    }
}
