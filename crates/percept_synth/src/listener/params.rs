//! The design of a phantom listener's experiment.

use serde::{Deserialize, Serialize};

use crate::phantom::Error;
use crate::scanner::{Quality, check_subject};
use crate::tunes::Genre;

/// What kind of listener.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListenerParams {
    /// Which subject, from 1 on: another brain that hears the same tunes.
    pub subject: usize,
    /// Voxels along x, y and z.
    pub shape: [usize; 3],
    /// Excerpts to learn from; the same number of every genre.
    pub n_training: usize,
    /// Excerpts to be tested on; the same number of every genre.
    pub n_test: usize,
    /// Different excerpts in a training run.
    pub per_training_run: usize,
    /// Different excerpts in a test run.
    pub per_test_run: usize,
    /// How often a test run plays each.
    pub n_repeats: usize,
    /// Seconds of an excerpt.
    pub clip_secs: f64,
    /// Seconds of a track.
    pub track_secs: f64,
    /// Seconds from one volume to the next.
    pub tr_secs: f64,
    /// Median over voxels that hear of the share of variance that is signal, drift aside.
    pub median_ceiling: f32,
    /// Correlation of noise between neighbouring volumes.
    pub noise_memory: f32,
    /// Standard deviation of drifts in units of signal and noise together.
    pub drift: f32,
}

impl Default for ListenerParams {
    /// The design of ds003720: 480 and 60 excerpts of 15 s in 12 and 6 runs.
    fn default() -> Self {
        Self {
            subject: 1,
            shape: [20, 24, 16],
            n_training: 480,
            n_test: 60,
            per_training_run: 40,
            per_test_run: 10,
            n_repeats: 4,
            clip_secs: 15.0,
            track_secs: 18.0,
            tr_secs: 1.5,
            median_ceiling: 0.3,
            noise_memory: 0.4,
            drift: 1.0,
        }
    }
}

impl ListenerParams {
    pub(super) fn check(&self) -> Result<(), Error> {
        let refuse = |what, got: String, expected, remedy| Err(Error::Parameter { what, got, expected, remedy });
        check_subject(self.subject)?;
        self.quality().check()?;
        let n_genres = Genre::ALL.len();
        for (what, n, per_run) in
            [("`n_training`", self.n_training, self.per_training_run), ("`n_test`", self.n_test, self.per_test_run)]
        {
            if per_run == 0 || n == 0 || !n.is_multiple_of(n_genres) || !n.is_multiple_of(per_run) {
                let expected = "a positive multiple of the number of genres, 10, and of the excerpts in a run";
                return refuse(what, format!("{n} in runs of {per_run}"), expected, "the real set has 480 and 60");
            }
        }
        if self.n_training + self.n_test > 100 * n_genres {
            let got = format!("{} and {}", self.n_training, self.n_test);
            return refuse("`n_training` and `n_test`", got, "at most 1000 together", "a genre has 100 tracks");
        }
        if self.n_training / self.per_training_run > 99 || self.n_test / self.per_test_run > 99 {
            return refuse("excerpts in a run", "over 99 runs".to_owned(), "at most 99 runs", "put more into a run");
        }
        if !(1..=99).contains(&self.n_repeats) {
            return refuse("`n_repeats`", self.n_repeats.to_string(), "1 to 99", "the real set has 4");
        }
        let volumes = self.clip_secs / self.tr_secs;
        if !(2.0..=200.0).contains(&volumes) || (volumes - volumes.round()).abs() > 1e-9 {
            let got = format!("{} s with volumes of {} s", self.clip_secs, self.tr_secs);
            return refuse("`clip_secs`", got, "2 to 200 whole volumes", "excerpts of 15 s hold 10 of 1.5 s");
        }
        if !(self.track_secs >= self.clip_secs && self.track_secs <= self.clip_secs + 600.0) {
            let got = format!("{} s", self.track_secs);
            return refuse("`track_secs`", got, "as long as an excerpt or longer", "the real set has 30 s");
        }
        Ok(())
    }

    pub(super) fn quality(&self) -> Quality {
        Quality {
            tr_secs: self.tr_secs,
            median_ceiling: self.median_ceiling,
            noise_memory: self.noise_memory,
            common_noise: 0.05,
            percent: 1.5,
            drift: self.drift,
        }
    }

    /// Volumes of one excerpt.
    pub(super) fn volumes_per_clip(&self) -> usize {
        (self.clip_secs / self.tr_secs).round() as usize
    }
}
