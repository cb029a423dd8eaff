//! The vocoder's task without adversaries: spectra at several resolutions close to those of the sound (Yamamoto et al. 2020, arXiv
//! 1910.11480), and mel spectrograms (Kong et al. 2020, arXiv 2010.05646).

use std::collections::BTreeMap;

use candle_core::{D, Device, Tensor};
use ndarray::{Array2, Array3};
use percept_core::Seed;
use percept_signal::{Mel, MelConfig};

use super::{Gradients, Loss, Task, sharded_gradients};
use crate::{
    error::{ModelError, Result},
    nn::{ops, params::Params},
    sound::hifigan::{HifiGan, HifiGanConfig},
};

/// Samples of the transforms; frames follow each other by a quarter.
const RESOLUTIONS: [usize; 3] = [256, 512, 1024];
/// Added to powers before their root, so that its slope stays finite.
const POWER_FLOOR: f64 = 1e-7;
/// How much the difference of mel spectrograms counts.
const MEL_WEIGHT: f64 = 1.5;

/// Log-mel spectrograms (n, frames, mels) and the sounds (n, frames · hop) that they were made of.
type Sounds<'a> = Box<dyn Fn(usize, Seed) -> (Array3<f32>, Array2<f32>) + Send + Sync + 'a>;

/// Trains a [`HifiGan`].
pub struct VocoderTask<'a> {
    params: Params,
    model: HifiGan,
    sounds: Sounds<'a>,
    n_shards: usize,
    spectra: Vec<Spectrum>,
    /// (mels, bins of the last resolution).
    triangles: Tensor,
}

impl<'a> VocoderTask<'a> {
    /// A task on fresh or loaded trainable `params`; `mel` is the convention of the spectrograms, whose transform must be one of the
    /// resolutions of the loss, 1024.
    ///
    /// # Errors
    /// Parameters that do not fit the config; another transform.
    pub fn new(
        params: Params,
        config: HifiGanConfig,
        mel: &MelConfig,
        n_shards: usize,
        sounds: impl Fn(usize, Seed) -> (Array3<f32>, Array2<f32>) + Send + Sync + 'a,
    ) -> Result<Self> {
        let model = HifiGan::new(&params, config)?;
        let device = model.device();
        let largest = RESOLUTIONS[RESOLUTIONS.len() - 1];
        if mel.n_fft != largest {
            return Err(ModelError::Input {
                what: "mel spectrograms of a vocoder's training",
                expected: format!("transforms of {largest} samples"),
                got: mel.n_fft.to_string(),
            });
        }
        let triangles = Mel::new(mel.clone())?.triangles();
        let (mels, bins) = triangles.dim();
        let triangles = Tensor::from_vec(triangles.iter().copied().collect::<Vec<f32>>(), (mels, bins), device)?;
        let spectra = RESOLUTIONS.iter().map(|&n| Spectrum::new(n, device)).collect::<Result<_>>()?;
        Ok(Self { params, model, sounds: Box::new(sounds), n_shards, spectra, triangles })
    }

    /// Spectral convergence and the difference of logarithms at every resolution, and the mels of the last.
    fn loss(&self, made: &Tensor, sound: &Tensor) -> Result<Loss> {
        let (mut spectral, mut mel) = (None, None);
        for spectrum in &self.spectra {
            let (made, sound) = (spectrum.magnitudes(made)?, spectrum.magnitudes(sound)?);
            let apart = (&made - &sound)?;
            let convergence = apart.sqr()?.sum_all()?.sqrt()?.div(&sound.sqr()?.sum_all()?.sqrt()?)?;
            let logs = (made.log()? - sound.log()?)?.abs()?.mean_all()?;
            let own = (convergence + logs)?;
            spectral = Some(match spectral {
                Some(sum) => (sum + own)?,
                None => own,
            });
            let mels = |x: &Tensor| -> Result<Tensor> { Ok((ops::linear(x, &self.triangles, None)? + 1e-4)?.log()?) };
            if std::ptr::eq(spectrum, &raw const self.spectra[self.spectra.len() - 1]) {
                mel = Some((mels(&made)? - mels(&sound)?)?.abs()?.mean_all()?);
            }
        }
        let missing = || ModelError::Input { what: "spectra", expected: "at least one".into(), got: "none".into() };
        let (spectral, mel) = (spectral.ok_or_else(missing)?, mel.ok_or_else(missing)?);
        let spectral = (spectral / self.spectra.len() as f64)?;
        let value = |x: &Tensor| -> Result<f64> { Ok(f64::from(x.to_scalar::<f32>()?)) };
        let terms = vec![("spectra", value(&spectral)?), ("mels", value(&mel)?)];
        Ok(Loss { total: (spectral + (mel * MEL_WEIGHT)?)?, terms })
    }
}

impl Task for VocoderTask<'_> {
    fn name(&self) -> &'static str {
        "vocoder"
    }

    fn params(&self) -> &Params {
        &self.params
    }

    fn gradients(&self, step: usize, seed: Seed) -> Result<Gradients> {
        sharded_gradients(&self.params, self.n_shards, |shard| {
            let (mels, sound) = (self.sounds)(step, seed.at(shard as u64));
            let device = self.model.device();
            let mels = Tensor::from_vec(mels.iter().copied().collect::<Vec<f32>>(), mels.dim(), device)?;
            let sound = Tensor::from_vec(sound.iter().copied().collect::<Vec<f32>>(), sound.dim(), device)?;
            self.loss(&self.model.forward(&mels)?, &sound)
        })
    }
}

/// A vocoder's beginning: everything drawn from `seed`, but mean and deviation of every mel, which are given. Of these tensors all but
/// [`super::is_statistic`] are to be trained.
///
/// # Errors
/// A config that is none; other mels.
pub fn begun_vocoder(config: &HifiGanConfig, of_mels: &[[f32; 2]], seed: Seed) -> Result<BTreeMap<String, Tensor>> {
    let fresh = Params::random(seed);
    let model = HifiGan::new(&fresh, config.clone())?;
    let mut tensors = fresh.tensors();
    for (place, name) in ["mean", "scale"].into_iter().enumerate() {
        let values: Vec<f32> = of_mels.iter().map(|of_mel| of_mel[place]).collect();
        tensors.insert(name.to_owned(), Tensor::from_vec(values, of_mels.len(), model.device())?);
    }
    Ok(tensors)
}

/// A transform as a product with sines and cosines under a window, so that it has a gradient.
struct Spectrum {
    n: usize,
    /// (2 · bins, n): cosines, then sines.
    waves: Tensor,
}

impl Spectrum {
    fn new(n: usize, device: &Device) -> Result<Self> {
        let bins = n / 2 + 1;
        let wave = |row: usize, at: usize| {
            let window = 0.5 - 0.5 * (std::f64::consts::TAU * at as f64 / n as f64).cos();
            // The angle is reduced first, where it is exact.
            let angle = std::f64::consts::TAU * ((row % bins * at) % n) as f64 / n as f64;
            (window * if row < bins { angle.cos() } else { angle.sin() }) as f32
        };
        let values: Vec<f32> = (0..2 * bins * n).map(|i| wave(i / n, i % n)).collect();
        Ok(Self { n, waves: Tensor::from_vec(values, (2 * bins, n), device)? })
    }

    /// Sounds (B, samples) → (B, frames, bins).
    fn magnitudes(&self, sound: &Tensor) -> Result<Tensor> {
        let hop = self.n / 4;
        let (batch, samples) = sound.dims2()?;
        let hops = samples / hop;
        let parts = sound.narrow(1, 0, hops * hop)?.reshape((batch, hops, hop))?;
        let frames = hops.checked_sub(3).filter(|&frames| frames > 0).ok_or_else(|| ModelError::Input {
            what: "sounds of a vocoder's training",
            expected: format!("at least {} samples", self.n),
            got: samples.to_string(),
        })?;
        let quarters = (0..4).map(|i| parts.narrow(1, i, frames)).collect::<candle_core::Result<Vec<_>>>()?;
        let waves = ops::linear(&Tensor::cat(&quarters, 2)?.contiguous()?, &self.waves, None)?;
        let bins = self.n / 2 + 1;
        let (re, im) = (waves.narrow(D::Minus1, 0, bins)?, waves.narrow(D::Minus1, bins, bins)?);
        Ok(((re.sqr()? + im.sqr()?)? + POWER_FLOOR)?.sqrt()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::host::to_vec;

    #[test]
    fn a_sine_has_its_magnitude_in_its_bin() {
        let spectrum = Spectrum::new(256, &Device::Cpu).expect("a transform");
        let tone = |i: usize| (std::f64::consts::TAU * 16.0 * i as f64 / 256.0).sin() as f32;
        let sound = Tensor::from_vec((0..1024).map(tone).collect::<Vec<f32>>(), (1, 1024), &Device::Cpu).expect("fits");
        let found = spectrum.magnitudes(&sound).expect("long enough");
        assert_eq!(found.dims(), [1, 13, 129]);
        let values = to_vec(&found).expect("on the host");
        // Half of the window's sum, 128, at the tone; a half of that beside it; nothing elsewhere.
        assert!((values[16] - 64.0).abs() < 1e-2 && (values[17] - 32.0).abs() < 1e-2 && values[40] < 1e-2);
    }
}
