//! What a stream is told: how a signal becomes a latent, a latent a picture, and a state a prompt. All of it can stand in one
//! TOML file; what is left out has the values that the published system has, as far as they fit.

use serde::{Deserialize, Serialize};

use crate::error::{Result, StreamError};

/// Pictures per second unless something else is asked for.
pub const FPS: f64 = 30.0;

/// A stream's settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Pictures per second: windows move by its inverse.
    pub fps: f64,
    /// The root of the projection's and the sampler's randomness.
    pub seed: u64,
    /// From samples to latents.
    pub latent: LatentSettings,
    /// From latents to pictures.
    pub picture: PictureSettings,
    /// What is measured to steer prompts.
    pub state: StateSettings,
    /// The prompts; none means no prompt, as in the published system.
    pub prompt: Vec<PromptSettings>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            fps: FPS,
            seed: 1,
            latent: LatentSettings::default(),
            picture: PictureSettings::default(),
            state: StateSettings::default(),
            prompt: Vec::new(),
        }
    }
}

/// How long a window is, and in which samples it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// One second, resampled to as many rows as fill the latent: 512 Hz for 32 channels and Stable Diffusion (the paper).
    Paper,
    /// As many raw rows as fill the latent: 512 for 32 channels and Stable Diffusion (the released code).
    Repo,
}

/// How a window of rows and channels fills a latent of another size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// As many rows as are needed for the channels there are; what is too much at the end is left out.
    Rows,
    /// 512 rows, repeated from the start until the latent is full.
    Tile,
    /// 512 rows, each element the sum of eight of them with fixed random signs.
    Project,
}

/// What channels are measured against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceSetting {
    /// As they were recorded.
    None,
    /// The common average.
    Average,
    /// The common median.
    Median,
    /// The channel before.
    Bipolar,
    /// One channel, by name or number.
    Channel(String),
}

/// From samples to latents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LatentSettings {
    /// How windows are cut.
    pub preset: Preset,
    /// Channels by name or number, in this order; empty for all.
    pub channels: Vec<String>,
    /// Re-referencing.
    pub reference: ReferenceSetting,
    /// Notches at this frequency and its multiples, in Hz; 0 for none.
    pub line_noise_hz: f64,
    /// Edges in Hz of a Butterworth filter of order 4; a 0 leaves that side open.
    pub band_hz: [f64; 2],
    /// Running z-score of each channel with this memory in seconds; 0 for none.
    pub running_zscore_secs: f64,
    /// Each channel of a window to mean 0 and deviation 1.
    pub channel_zscore: bool,
    /// Makes the channels of a window uncorrelated.
    pub whiten: bool,
    /// Values to the quantiles of a normal distribution by their ranks, in place of the z-score over the window.
    pub ranks: bool,
    /// The fixed permutation that takes neighbours apart.
    pub shuffle: bool,
    /// How a window fills a latent.
    pub fit: Fit,
}

impl Default for LatentSettings {
    fn default() -> Self {
        Self {
            preset: Preset::Paper,
            channels: Vec::new(),
            reference: ReferenceSetting::None,
            line_noise_hz: 0.0,
            band_hz: [0.0, 0.0],
            running_zscore_secs: 0.0,
            channel_zscore: false,
            whiten: false,
            ranks: false,
            shuffle: true,
            fit: Fit::Rows,
        }
    }
}

/// From latents to pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PictureSettings {
    /// `pocket`, a folder with a model pack, or `hf:ORG/NAME`.
    pub pack: String,
    /// A folder with another autoencoder, such as the tiny one; empty for the pack's.
    pub decoder: String,
    /// Steps of the pack's sampler.
    pub steps: usize,
    /// Guidance; 1 is none and takes one U-Net pass per step. Idle without prompts.
    pub guidance: f64,
    /// One step of each of several frames in one pass of the U-Net: more frames a second, each that many frames later.
    pub pipelined: bool,
    /// A latent that differs from the last by less than this (root mean square) keeps its picture; 0 draws every one.
    pub skip_below: f64,
}

impl Default for PictureSettings {
    fn default() -> Self {
        Self {
            pack: "pocket".into(),
            decoder: String::new(),
            steps: 2,
            guidance: 1.0,
            pipelined: false,
            skip_below: 0.0,
        }
    }
}

/// What is measured to steer prompts and to name states.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StateSettings {
    /// Seconds of signal that a spectrum is made of.
    pub window_secs: f64,
    /// Seconds in which a value follows the signal.
    pub smooth_secs: f64,
    /// Bands by name, in Hz.
    pub bands: std::collections::BTreeMap<String, [f64; 2]>,
}

impl Default for StateSettings {
    fn default() -> Self {
        let bands = [("delta", [1.0, 4.0]), ("theta", [6.0, 10.0]), ("beta", [12.0, 30.0]), ("gamma", [30.0, 100.0])];
        Self {
            window_secs: 2.0,
            smooth_secs: 1.0,
            bands: bands.into_iter().map(|(name, edges)| (name.to_owned(), edges)).collect(),
        }
    }
}

/// One prompt and what brings it in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptSettings {
    /// The words.
    pub text: String,
    /// What steers it: `theta/delta` (a ratio of bands), `theta` (its share of all bands), `rms:CHANNEL` (movement, from an
    /// accelerometer's channel) or the address of an OSC value, `/mood`.
    pub value: String,
    /// Where its weight is 0.
    pub from: f64,
    /// Where its weight is 1; below `from` for a prompt that goes as the value rises.
    pub to: f64,
}

impl Settings {
    /// Reads a TOML file's text.
    ///
    /// # Errors
    /// [`StreamError::Setting`] for what cannot be read and what cannot be.
    pub fn parse(text: &str) -> Result<Self> {
        let settings: Self = toml::from_str(text).map_err(|error| {
            StreamError::setting("settings", error.to_string().trim().to_owned(), "see docs/live.md for the keys")
        })?;
        settings.check()?;
        Ok(settings)
    }

    /// Refuses what cannot be.
    ///
    /// # Errors
    /// [`StreamError::Setting`], the first that is wrong.
    pub fn check(&self) -> Result<()> {
        let number = |key: &str, value: f64, low: f64, high: f64| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            Err(StreamError::setting(key, format!("{value} is out of range"), format!("use {low} to {high}")))
        };
        number("fps", self.fps, 0.1, 240.0)?;
        number("latent.line_noise_hz", self.latent.line_noise_hz, 0.0, 1e5)?;
        number("latent.band_hz", self.latent.band_hz[0], 0.0, 1e6)?;
        number("latent.band_hz", self.latent.band_hz[1], 0.0, 1e6)?;
        number("latent.running_zscore_secs", self.latent.running_zscore_secs, 0.0, 1e6)?;
        number("picture.steps", self.picture.steps as f64, 1.0, 1000.0)?;
        number("picture.guidance", self.picture.guidance, 0.0, 100.0)?;
        number("picture.skip_below", self.picture.skip_below, 0.0, 10.0)?;
        number("state.window_secs", self.state.window_secs, 0.1, 60.0)?;
        number("state.smooth_secs", self.state.smooth_secs, 0.0, 600.0)?;
        for (name, [low, high]) in &self.state.bands {
            if !(*low >= 0.0 && low < high && high.is_finite()) {
                let key = format!("state.bands.{name}");
                return Err(StreamError::setting(&key, format!("{low} to {high} Hz is no band"), "write [LOW, HIGH]"));
            }
        }
        for prompt in &self.prompt {
            if !(prompt.from.is_finite() && prompt.to.is_finite()) || prompt.from == prompt.to {
                let remedy = "`from` and `to` must be two different numbers";
                return Err(StreamError::setting("prompt", format!("`{}` has no ramp", prompt.text), remedy));
            }
        }
        if self.picture.pipelined && self.picture.skip_below > 0.0 {
            let remedy = "use one of them";
            return Err(StreamError::setting("picture.skip_below", "a pipeline cannot leave out frames", remedy));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_changes_what_it_names_and_unknown_keys_are_refused() {
        let text = "fps = 15\n[latent]\npreset = \"repo\"\nreference = { channel = \"3\" }\n[[prompt]]\ntext = \"a moon\"\nvalue = \"theta/delta\"\nfrom = 0.5\nto = 2\n";
        let settings = Settings::parse(text).expect("fine");
        assert_eq!((settings.fps, settings.latent.preset), (15.0, Preset::Repo));
        assert_eq!(settings.latent.reference, ReferenceSetting::Channel("3".into()));
        assert_eq!(settings.prompt[0].to, 2.0);
        assert!(settings.latent.shuffle);
        for wrong in
            ["fsp = 1", "fps = 0", "[latent]\nband_hz = [-1, 2]", "[[prompt]]\ntext=\"a\"\nvalue=\"b\"\nfrom=1\nto=1"]
        {
            assert!(Settings::parse(wrong).is_err(), "{wrong}");
        }
        let written = toml::to_string(&settings).expect("plain data");
        assert_eq!(Settings::parse(&written).expect("its own form"), settings);
    }
}
