//! The design of a phantom spectator's experiment.

use serde::{Deserialize, Serialize};

use crate::phantom::Error;
use crate::scanner::{Quality, check_subject};

use super::LATE_SECS;

/// What was said about a part of a film.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Words {
    /// Seconds of the film from which on it holds.
    pub start_secs: f64,
    /// And until when.
    pub end_secs: f64,
    /// The sentence.
    pub text: String,
}

/// A film that is shown whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stretch {
    /// Whether it is there to be tested on.
    pub is_test: bool,
    /// How long it is.
    pub secs: f64,
    /// What is said about it.
    pub words: Vec<Words>,
}

/// What kind of spectator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SpectatorParams {
    /// Which subject, from 1 on: another brain that sees the same films.
    pub subject: usize,
    /// Voxels along x, y and z.
    pub shape: [usize; 3],
    /// Voxels that belong to areas; the rest of cortex follows nothing.
    pub n_voxels: usize,
    /// Seconds from one volume to the next.
    pub tr_secs: f64,
    /// Rows of the drives for each volume.
    pub steps_per_tr: usize,
    /// How often a training segment is shown.
    pub n_training_showings: usize,
    /// How often a test segment is shown.
    pub n_test_showings: usize,
    /// Median over voxels of the share of variance that is signal, drift aside, in a single showing.
    pub median_ceiling: f32,
    /// Correlation of noise between neighbouring volumes.
    pub noise_memory: f32,
    /// Share of the noise's variance that all voxels have in common.
    pub common_noise: f32,
    /// Standard deviation of signal and noise together, percent of the level.
    pub percent: f32,
    /// Standard deviation of drifts in units of signal and noise together.
    pub drift: f32,
    /// Frames a second of the films.
    pub frames_per_sec: f64,
    /// Quality of their JPEG files.
    pub jpeg_quality: u8,
}

impl Default for SpectatorParams {
    /// The showings of cc2017: two for training, ten for the test.
    fn default() -> Self {
        Self {
            subject: 1,
            shape: [14, 16, 12],
            n_voxels: 700,
            tr_secs: 2.0,
            steps_per_tr: 4,
            n_training_showings: 2,
            n_test_showings: 10,
            median_ceiling: 0.4,
            noise_memory: 0.4,
            common_noise: 0.05,
            percent: 1.5,
            drift: 1.0,
            frames_per_sec: 8.0,
            jpeg_quality: 92,
        }
    }
}

impl SpectatorParams {
    pub(super) fn check(&self, stretches: &[Stretch]) -> Result<(), Error> {
        let refuse = |what, got: String, expected, remedy| Err(Error::Parameter { what, got, expected, remedy });
        check_subject(self.subject)?;
        self.quality().check()?;
        let late = LATE_SECS / self.tr_secs;
        if (late - late.round()).abs() > 1e-9 {
            let got = format!("{} s", self.tr_secs);
            return refuse("`tr_secs`", got, "a whole part of 2 s", "recording begins 2 s late: 2, 1 or 0.5 s fit");
        }
        if !(1..=64).contains(&self.steps_per_tr) {
            return refuse("`steps_per_tr`", self.steps_per_tr.to_string(), "1 to 64", "4 rows for 2 s are usual");
        }
        for (what, n) in
            [("`n_training_showings`", self.n_training_showings), ("`n_test_showings`", self.n_test_showings)]
        {
            if !(1..=99).contains(&n) {
                return refuse(what, n.to_string(), "1 to 99", "the real set has 2 and 10");
            }
        }
        if !(self.frames_per_sec >= 0.5 && self.frames_per_sec <= 120.0) {
            let got = self.frames_per_sec.to_string();
            return refuse("`frames_per_sec`", got, "0.5 to 120", "8 show what moves");
        }
        if !(1..=100).contains(&self.jpeg_quality) {
            return refuse("`jpeg_quality`", self.jpeg_quality.to_string(), "1 to 100", "92 leaves little to see");
        }
        for stretch in stretches {
            let volumes = stretch.secs / self.tr_secs;
            if !(5.0..=5000.0).contains(&volumes) || (volumes - volumes.round()).abs() > 1e-9 {
                let got = format!("{} s with volumes of {} s", stretch.secs, self.tr_secs);
                return refuse("the length of a film", got, "5 to 5000 whole volumes", "the real ones have 240 of 2 s");
            }
            let is_time = |words: &&super::Words| !(words.start_secs >= 0.0 && words.end_secs > words.start_secs);
            if let Some(words) = stretch.words.iter().find(is_time) {
                let got = format!("{} to {} s", words.start_secs, words.end_secs);
                return refuse("the time of a caption", got, "one that ends after it begins", "correct it");
            }
        }
        if stretches.is_empty() {
            return refuse("films", "none".to_owned(), "at least one", "the real set has 18 and 5");
        }
        Ok(())
    }

    pub(super) fn quality(&self) -> Quality {
        Quality {
            tr_secs: self.tr_secs,
            median_ceiling: self.median_ceiling,
            noise_memory: self.noise_memory,
            common_noise: self.common_noise,
            percent: self.percent,
            drift: self.drift,
        }
    }
}
