//! What a model of a space reads: pictures, captions, texts or sounds, in rows that become those of stimuli or of scans.

use std::collections::BTreeMap;
use std::ops::Range;

use ndarray::Array2;
use percept_models::probe::{Input, Probe};

use crate::data::listening::sounds;
use crate::data::recording::{Annotations, Heard, Timing};
use crate::data::{Recording, Stimuli, pictures};
use crate::error::PipelineError;

/// Stimuli read, computed and saved at a time.
pub(super) const BLOCK: usize = 64;
/// The same of texts: among many there are enough of every length to fill passes.
const BLOCK_OF_TEXTS: usize = 512;
/// Stimuli in a pass of a model.
const BATCH: usize = 8;
/// Texts of equal length in a pass.
const BATCH_OF_TEXTS: usize = 32;

/// What a model reads.
pub(super) enum Source<'a> {
    /// A picture per stimulus.
    Pictures(&'a Stimuli),
    /// The captions of each stimulus, which are averaged.
    Captions { texts: Vec<String>, stimulus: Vec<usize>, n: usize },
    /// Texts and the scans that they stand in; silence is zeros.
    Texts { texts: &'a Annotations, n: usize },
    /// Moments of excerpts, each with the sound around it, and the scans that they stand in; silence is zeros.
    Sounds { heard: &'a Heard, window_secs: f64, n: usize },
}

impl<'a> Source<'a> {
    pub(super) fn of(
        name: &str,
        level: &str,
        data: &'a Recording,
        input: Input,
        window_secs: f64,
    ) -> Result<Self, PipelineError> {
        match input {
            Input::Pictures => return Ok(Self::Pictures(pictures_of(name, data)?)),
            Input::Sounds => return Self::of_sounds(name, data, window_secs),
            Input::Texts => {}
        }
        if let Some(captions) = &data.captions {
            let pairs: Vec<(usize, &String)> = captions
                .iter()
                .enumerate()
                .flat_map(|(stimulus, list)| list.iter().map(move |text| (stimulus, text)))
                .collect();
            let (stimulus, texts) = pairs.into_iter().map(|(stimulus, text)| (stimulus, text.clone())).unzip();
            return Ok(Self::Captions { texts, stimulus, n: captions.len() });
        }
        Ok(Self::Texts { texts: data.texts_of(level)?, n: data.timeline.len() })
    }

    fn of_sounds(name: &str, data: &'a Recording, window_secs: f64) -> Result<Self, PipelineError> {
        let (Some(heard), Timing::Series { tr_secs: Some(tr_secs), .. }) = (&data.heard, &data.timing) else {
            let what = format!("the space `{name}` is made from sounds, and the data have none");
            return Err(PipelineError::data(what, "leave it out"));
        };
        let window_secs = if window_secs > 0.0 { window_secs } else { *tr_secs };
        Ok(Self::Sounds { heard, window_secs, n: data.timeline.len() })
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Sounds { heard, .. } => heard.moments.len(),
            Self::Pictures(stimuli) => stimuli.len(),
            Self::Captions { texts, .. } => texts.len(),
            Self::Texts { texts, .. } => texts.texts.len(),
        }
    }

    /// How many are read, computed and saved at a time.
    pub(super) fn block(&self) -> usize {
        if matches!(self, Self::Pictures(_) | Self::Sounds { .. }) { BLOCK } else { BLOCK_OF_TEXTS }
    }

    pub(super) fn by_stimulus(&self) -> bool {
        matches!(self, Self::Pictures(_) | Self::Captions { .. })
    }

    pub(super) fn rows(
        &self,
        probe: &Probe,
        rows: Range<usize>,
    ) -> Result<BTreeMap<String, Array2<f32>>, PipelineError> {
        match self {
            Self::Captions { texts, .. } => Ok(probe.texts(&texts[rows], BATCH_OF_TEXTS)?),
            Self::Texts { texts, .. } => Ok(probe.texts(&texts.texts[rows], BATCH_OF_TEXTS)?),
            Self::Sounds { heard, window_secs, .. } => {
                let format = probe.sound_format().ok_or_else(|| {
                    PipelineError::data("the pack holds no model of sound", "name one that does in `pack`")
                })?;
                Ok(probe.sounds(&around(heard, &heard.moments[rows], *window_secs, format)?)?)
            }
            Self::Pictures(stimuli) => {
                let names: Vec<String> = rows.clone().map(|stimulus| stimuli.id(stimulus).to_owned()).collect();
                let shown = pictures::to_values(stimuli.pictures(&rows.collect::<Vec<_>>())?.view());
                let resized = probe.image_size().map(|side| pictures::resize(shown.view(), side, side));
                Ok(probe.pictures(&names, shown.view(), resized.as_ref().map(|all| all.view()), BATCH)?)
            }
        }
    }

    /// Rows of texts as rows of stimuli or scans.
    pub(super) fn gathered(&self, rows: Array2<f32>) -> Array2<f32> {
        let (of_row, n) = match self {
            Self::Pictures(_) => return rows,
            Self::Texts { texts, n } => return over_scans(&rows, &texts.stands, *n, true),
            Self::Sounds { heard, n, .. } => return over_scans(&rows, &heard.stands, *n, true),
            Self::Captions { stimulus, n, .. } => (stimulus, *n),
        };
        let mut sums = Array2::<f64>::zeros((n, rows.ncols()));
        let mut counts = vec![0usize; n];
        for (row, &to) in rows.rows().into_iter().zip(of_row) {
            counts[to] += 1;
            sums.row_mut(to).zip_mut_with(&row, |sum, value| *sum += f64::from(*value));
        }
        for (mut row, &count) in sums.rows_mut().into_iter().zip(&counts) {
            row /= count.max(1) as f64;
        }
        sums.mapv(|sum| sum as f32)
    }
}

/// The pictures of the data, for the space `name`.
pub(super) fn pictures_of<'a>(name: &str, data: &'a Recording) -> Result<&'a Stimuli, PipelineError> {
    data.stimuli.as_ref().ok_or_else(|| {
        PipelineError::data(format!("the space `{name}` is made from pictures, and the data have none"), "leave it out")
    })
}

/// Rows added up, or averaged, over those that stand in each scan.
pub(super) fn over_scans(rows: &Array2<f32>, stands: &[[usize; 2]], n_scans: usize, is_mean: bool) -> Array2<f32> {
    let mut sums = Array2::<f64>::zeros((n_scans, rows.ncols()));
    let mut counts = vec![0usize; n_scans];
    for &[row, scan] in stands {
        counts[scan] += 1;
        sums.row_mut(scan).zip_mut_with(&rows.row(row), |sum, value| *sum += f64::from(*value));
    }
    if is_mean {
        for (mut row, &count) in sums.rows_mut().into_iter().zip(&counts) {
            row /= count.max(1) as f64;
        }
    }
    sums.mapv(|sum| sum as f32)
}

/// The sound around each of `moments`, in the rate and the channels of a model.
fn around(
    heard: &Heard,
    moments: &[(usize, f64)],
    window_secs: f64,
    (rate_hz, n_channels): (u32, usize),
) -> Result<Vec<Array2<f32>>, PipelineError> {
    let mut last: Option<(usize, Vec<f32>)> = None;
    let mut cut = Vec::with_capacity(moments.len());
    for &(clip, at_secs) in moments {
        // Moments stand in the order of the excerpts.
        let whole = match last.take() {
            Some((known, whole)) if known == clip => whole,
            _ => sounds::excerpt(&heard.clips[clip].0, &heard.clips[clip].1, rate_hz)?,
        };
        let rate = f64::from(rate_hz);
        let length = ((window_secs * rate).round() as usize).clamp(1, whole.len());
        let first = ((at_secs - window_secs / 2.0) * rate).round().max(0.0) as usize;
        let first = first.min(whole.len() - length);
        cut.push(sounds::channels(&whole[first..first + length], n_channels));
        last = Some((clip, whole));
    }
    Ok(cut)
}
