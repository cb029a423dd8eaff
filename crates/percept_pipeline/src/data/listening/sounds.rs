//! Excerpts as models hear them: read from their tracks, cut, brought to a rate.

use std::path::Path;

use ndarray::Array2;
use percept_io::sound::{self, Samples};
use percept_signal::sinc::{Kernel, resample};

use super::Clip;
use crate::error::PipelineError;

/// No track is longer.
const LONGEST_SECS: f64 = 3_600.0;

/// The excerpt `of` of the track at `path`, one channel at `rate_hz`.
///
/// # Errors
/// A file that cannot be read, or one that ends before the excerpt does.
pub fn excerpt(of: &Clip, path: &Path, rate_hz: u32) -> Result<Vec<f32>, PipelineError> {
    let track = sound::read(path, LONGEST_SECS)?;
    let rate = f64::from(track.rate_hz);
    let mono = track.mono();
    let from = (of.start_secs * rate).round() as usize;
    let length = (of.secs * rate).round() as usize;
    // Events are rounded: the end of a track may come a little early.
    let to = (from + length).min(mono.len());
    if from >= to || (to - from) * 10 < length * 9 {
        let what = format!(
            "`{}` lasts {:.2} s, but seconds {} to {} of it were played",
            path.display(),
            track.seconds(),
            of.start_secs,
            of.start_secs + of.secs
        );
        return Err(PipelineError::data(what, "use the tracks that belong to the data"));
    }
    Ok(at_rate(&mono[from..to], track.rate_hz, rate_hz))
}

/// The same sound at another rate.
pub fn at_rate(sound: &[f32], from_hz: u32, to_hz: u32) -> Vec<f32> {
    if from_hz == to_hz { sound.to_vec() } else { resample(sound, from_hz, to_hz, Kernel::kaiser_best()) }
}

/// A sound of one channel in as many channels as a model reads.
pub fn channels(sound: &[f32], n_channels: usize) -> Array2<f32> {
    let mut all = Array2::zeros((n_channels, sound.len()));
    for mut channel in all.outer_iter_mut() {
        channel.iter_mut().zip(sound).for_each(|(to, &from)| *to = from);
    }
    all
}

/// A whole track of one channel at `rate_hz`, at most so many seconds of it.
///
/// # Errors
/// A file that cannot be read.
pub fn track(path: &Path, most_secs: f64, rate_hz: u32) -> Result<Vec<f32>, percept_io::Error> {
    let mut file = sound::open(path)?;
    let (own, n_channels) = (file.facts().rate_hz, file.facts().n_channels);
    let mut values = Vec::new();
    file.read_into((most_secs * f64::from(own)) as usize, &mut values)?;
    let values = Array2::from_shape_vec((values.len() / n_channels.max(1), n_channels), values).unwrap_or_default();
    let samples = Samples { rate_hz: own, values: values.reversed_axes() };
    Ok(at_rate(&samples.mono(), own, rate_hz))
}
