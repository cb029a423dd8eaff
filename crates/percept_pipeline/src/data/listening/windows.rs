//! Windows of excerpts, and the responses to them.
//!
//! An excerpt of 15 s has windows of a target's length, stepped by a fixed time. The response to a window is the mean of all scans that
//! touch it, `lag_secs` later, over all of its showings but dummies. A window at the end of a run has the scans that there are; one whose
//! scans would all lie behind the end is left out. This is how Brain2Music averages scans (Denk et al. 2023, arXiv 2307.11078); the lag is
//! ours, since blood answers late.

use ndarray::{Array1, Array2};

use super::Listening;
use crate::error::PipelineError;

/// How excerpts are cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Windows {
    /// Seconds of a window; an excerpt that is shorter is one.
    pub secs: f64,
    /// Seconds from one to the next.
    pub step_secs: f64,
    /// Seconds from the sound to the scans that are taken for its response.
    pub lag_secs: f64,
}

/// Responses to windows.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowRows {
    /// Windows × units.
    pub responses: Array2<f32>,
    /// The clip of each.
    pub clip: Vec<usize>,
    /// Which window of its clip each is, from 0 on.
    pub window: Vec<usize>,
}

/// How far a window may reach beyond its excerpt by rounding, and a scan be touched by nothing.
const NEARLY: f64 = 1e-6;

impl Windows {
    /// Where the windows of an excerpt begin, seconds.
    pub fn starts(&self, clip_secs: f64) -> Vec<f64> {
        let mut starts = vec![0.0];
        while starts[starts.len() - 1] + self.step_secs + self.secs <= clip_secs + NEARLY {
            starts.push(starts[starts.len() - 1] + self.step_secs);
        }
        starts
    }

    /// Scans that touch the stretch from `from` to `to` seconds of a run of `n_scans`.
    fn scans(&self, from: f64, to: f64, tr_secs: f64, n_scans: usize) -> std::ops::Range<usize> {
        let first = ((from + self.lag_secs + NEARLY) / tr_secs).max(0.0).floor() as usize;
        let end = ((to + self.lag_secs - NEARLY) / tr_secs).max(0.0).ceil() as usize;
        first.min(n_scans)..end.min(n_scans)
    }

    /// The responses to all windows of `clips`, clip by clip.
    ///
    /// # Errors
    /// When a clip has no scan at all: its run ended before.
    pub fn of(&self, data: &Listening, clips: &[usize]) -> Result<WindowRows, PipelineError> {
        let mut shown: Vec<Vec<(usize, f64)>> = vec![Vec::new(); data.schedule.clips.len()];
        for (number, run) in data.schedule.runs.iter().enumerate() {
            for playing in run.playings.iter().filter(|playing| !playing.is_dummy) {
                shown[playing.clip].push((number, playing.onset_secs));
            }
        }
        let n_units = data.responses.ncols();
        let (mut rows, mut clip_of_row, mut window_of_row) = (Vec::new(), Vec::new(), Vec::new());
        for &clip in clips {
            let secs = data.schedule.clips[clip].secs;
            let before = clip_of_row.len();
            for (window, start) in self.starts(secs).into_iter().enumerate() {
                let mut sum = Array1::<f64>::zeros(n_units);
                let mut n_showings = 0;
                for &(run, onset) in &shown[clip] {
                    let (first, n_scans) = (data.starts[run], data.starts[run + 1] - data.starts[run]);
                    let from = onset + start;
                    let scans = self.scans(from, from + self.secs.min(secs), data.tr_secs, n_scans);
                    if scans.is_empty() {
                        continue;
                    }
                    n_showings += 1;
                    let share = 1.0 / scans.len() as f64;
                    for scan in scans {
                        sum.zip_mut_with(&data.responses.row(first + scan), |sum, &value| {
                            *sum += share * f64::from(value);
                        });
                    }
                }
                if n_showings == 0 {
                    continue;
                }
                rows.extend(sum.iter().map(|value| (value / f64::from(n_showings)) as f32));
                clip_of_row.push(clip);
                window_of_row.push(window);
            }
            if clip_of_row.len() == before {
                let what = format!("no window of `{}` has a scan", data.schedule.clips[clip].name());
                return Err(PipelineError::data(what, "lower `decode.lag_secs`, or look whether its run is whole"));
            }
        }
        let responses = Array2::from_shape_vec((clip_of_row.len(), n_units), rows)
            .map_err(|error| PipelineError::data(format!("windows do not fit: {error}"), "report this"))?;
        Ok(WindowRows { responses, clip: clip_of_row, window: window_of_row })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOWS: Windows = Windows { secs: 10.0, step_secs: 1.5, lag_secs: 0.0 };

    #[test]
    fn windows_step_to_the_end_of_an_excerpt() {
        assert_eq!(WINDOWS.starts(15.0), [0.0, 1.5, 3.0, 4.5]);
        assert_eq!(Windows { secs: 1.5, ..WINDOWS }.starts(15.0).len(), 10);
        assert_eq!(Windows { secs: 15.0, ..WINDOWS }.starts(15.0), [0.0]);
        assert_eq!(Windows { secs: 20.0, ..WINDOWS }.starts(15.0), [0.0]);
    }

    #[test]
    fn scans_that_touch_a_window_are_taken_and_none_beyond_the_run() {
        assert_eq!(WINDOWS.scans(15.0, 25.0, 1.5, 410), 10..17);
        assert_eq!(WINDOWS.scans(0.0, 1.5, 1.5, 410), 0..1);
        let late = Windows { lag_secs: 4.5, ..WINDOWS };
        assert_eq!(late.scans(15.0, 25.0, 1.5, 410), 13..20);
        assert_eq!(late.scans(600.0, 610.0, 1.5, 410), 403..410);
        assert!(late.scans(612.0, 615.0, 1.5, 410).is_empty());
    }
}
