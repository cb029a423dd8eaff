//! Which clips there are: one for every scan that has scans enough behind it, the test's in unbroken stretches.

use ndarray::{Array2, s};
use percept_pipeline::PipelineError;
use percept_pipeline::data::watching::Watching;
use percept_pipeline::experiment::video::VideoExperiment;

/// Clips whose frames are in memory together.
pub(super) const AT_ONCE: usize = 16;

/// A stretch of a film as long as a scan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Clip {
    /// Which film.
    pub segment: usize,
    /// Which scan of the film.
    pub scan: usize,
}

/// All clips.
pub(super) struct Clips {
    /// Frames of a clip.
    pub frames: usize,
    /// Seconds of a clip.
    pub tr_secs: f64,
    /// Of the training and the test, film by film.
    pub sides: [Vec<Clip>; 2],
}

impl Clips {
    pub(super) fn new(experiment: &VideoExperiment, data: &Watching) -> Result<Self, PipelineError> {
        let Some(frames) = experiment.frames_per_clip(data.tr_secs) else {
            let what = format!(
                "`film.rate` is {}, which gives {} frames in the {} s of a scan",
                experiment.film.rate,
                experiment.film.rate * data.tr_secs,
                data.tr_secs
            );
            return Err(PipelineError::data(what, "choose a rate that gives a whole number of at least 2"));
        };
        let behind = experiment.decode.scans - 1;
        let of = |is_test: bool| -> Vec<Clip> {
            let segments = data.segments.iter().enumerate().filter(|(_, segment)| segment.is_test == is_test);
            segments
                .flat_map(|(number, segment)| {
                    (0..segment.n_trs.saturating_sub(behind)).map(move |scan| Clip { segment: number, scan })
                })
                .collect()
        };
        let sides = [of(false), of(true)];
        for (side, name) in sides.iter().zip(["training", "test"]) {
            if side.len() < 2 {
                let what = format!("there are {} clips for the {name}", side.len());
                return Err(PipelineError::data(what, "give more or longer films, or fewer `decode.scans`"));
            }
        }
        Ok(Self { frames, tr_secs: data.tr_secs, sides })
    }

    /// When a clip begins in its film.
    pub(super) fn start_secs(&self, data: &Watching, clip: Clip) -> f64 {
        data.segments[clip.segment].start_secs + clip.scan as f64 * self.tr_secs
    }

    /// When each of its frames is shown.
    pub(super) fn frame_secs(&self, data: &Watching, clip: Clip) -> Vec<f64> {
        let step = self.tr_secs / self.frames as f64;
        (0..self.frames).map(|frame| self.start_secs(data, clip) + frame as f64 * step).collect()
    }

    /// The clips of each test film, as ranges of the test's clips: numbers of segments with first and end.
    pub(super) fn test_films(&self) -> Vec<(usize, std::ops::Range<usize>)> {
        let mut films: Vec<(usize, std::ops::Range<usize>)> = Vec::new();
        for (number, clip) in self.sides[1].iter().enumerate() {
            match films.last_mut() {
                Some((segment, range)) if *segment == clip.segment => range.end = number + 1,
                _ => films.push((clip.segment, number..number + 1)),
            }
        }
        films
    }

    /// The scans of each clip of a side, next to each other.
    ///
    /// # Shapes
    /// Clips × (units · scans), the first scan of all units first.
    pub(super) fn responses(&self, side: usize, data: &Watching, scans: usize) -> Array2<f64> {
        let n_units = data.responses.ncols();
        let mut out = Array2::zeros((self.sides[side].len(), n_units * scans));
        for (mut row, clip) in out.outer_iter_mut().zip(&self.sides[side]) {
            let first = data.segments[clip.segment].rows.start + clip.scan;
            for scan in 0..scans {
                let mut part = row.slice_mut(s![scan * n_units..(scan + 1) * n_units]);
                part.zip_mut_with(&data.responses.row(first + scan), |to, &from| *to = f64::from(from));
            }
        }
        out
    }
}
