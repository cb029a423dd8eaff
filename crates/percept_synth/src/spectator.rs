//! Phantom subjects in a scanner that takes a volume every two seconds while they watch films, with the films beside them.
//!
//! The session is that of cc2017: the first frame of a segment stands still for 12 s, the segment is shown, its last frame stands still
//! for 12 s. Recording ends with the session; it begins 2 s after the film for training segments and the first test segment, with the
//! film for the others. Training segments are shown twice, test segments more often; every showing has noise and drifts of its own.
//!
//! The cortex is that of [`crate::phantom`]; its regions follow features of the films that are passed in, several rows for each volume, so
//! that what is quick is smoothed by the haemodynamic response and not by the scanner. While a frame stands still, features hold their
//! value, but those of motion are 0. What they follow reaches the images as [`crate::scanner`] says. Films are passed in frame by frame:
//! this module does not know how they are made ([`crate::moving`] makes some).
//!
//! [`Spectator::write`] writes the layout of cc2017, the films as AVI of JPEG, regions, captions and the truth.
//!
//! # References
//! Wen, Shi, Zhang, Lu, Cao & Liu 2018 (doi:10.1093/cercor/bhx268), whose design it follows; nothing of their data is here.

mod params;
mod tree;

use ndarray::{Array2, Array3, Axis, s};
use percept_core::Seed;
use rayon::prelude::*;

pub use params::{SpectatorParams, Stretch, Words};

use crate::phantom::{Area, Cortex, Error, PhantomParams};
use crate::planted::{Drive, Mixture, Part, PlantedRegion, Sets, assign, hash, normal_weights};
use crate::scanner::{ScannedVoxel, Scanner, convolve, response};

/// Seconds for which the first and the last frame stand still.
pub const STILL_SECS: f64 = 12.0;
/// Seconds from the beginning of a training film to that of its recording.
pub const LATE_SECS: f64 = 2.0;

/// The frame of a segment (by its number, in the order of [`Spectator::segments`]) at a second: (height, width, 3).
pub type Frame<'a> = &'a (dyn Fn(usize, f64) -> Array3<u8> + Sync);

/// A segment of film, and what it is called.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// `seg1`, `test1`.
    pub name: String,
    /// What is shown.
    pub stretch: Stretch,
    /// Seconds of the film at which recording begins.
    pub begins_secs: f64,
}

/// A simulated subject that watched films.
pub struct Spectator {
    params: SpectatorParams,
    seed: Seed,
    segments: Vec<Segment>,
    regions: Vec<PlantedRegion>,
    scanner: Scanner,
    /// What the drives hold, for the description of the folder.
    drives_hash: String,
}

impl Spectator {
    /// Simulates a subject. Each drive has one matrix per stretch, in their order, with `steps_per_tr` rows for each volume of its film; those
    /// named in `moving` are 0 while a frame stands still.
    ///
    /// # Errors
    /// Parameters out of range; drives that do not fit the films; what [`assign`] refuses.
    pub fn new(
        params: SpectatorParams,
        stretches: Vec<Stretch>,
        drives: &[Drive],
        moving: &[&str],
        regions: Vec<PlantedRegion>,
        seed: Seed,
    ) -> Result<Self, Error> {
        params.check(&stretches)?;
        let own = PhantomParams { shape: params.shape, n_nsdgeneral: params.n_voxels, ..PhantomParams::default() };
        let cortex = Cortex::new(&own)?;
        let segments = named(stretches);
        fit(&params, &segments, drives, moving)?;
        let brain = seed.named("brain").at(params.subject as u64);
        let planted = assign(&cortex.voxels, &regions, drives, brain.named("mixtures"))?;
        let seen = drives.iter().map(|drive| as_seen(&params, drive, moving.contains(&drive.name.as_str())));
        let seen: Vec<Drive> = seen.collect::<Result<_, _>>()?;
        let lengths: Vec<usize> = segments.iter().map(|segment| n_session(&params, segment)).collect();
        let weights = &|voxel: usize, drive: &str, n: usize| normal_weights(brain.named("weights"), voxel, drive, n);
        let sets = Sets { drives: &seen, weights };
        // The response is in the drives already: they were finer than volumes.
        let scanner = Scanner::filtered(cortex, planted, &sets, lengths, params.quality(), brain, &|_| {});
        let drives_hash = hash(drives);
        Ok(Self { params, seed, segments, regions, scanner, drives_hash })
    }

    /// What was shown, in the order of the stretches.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The brain's shape.
    pub fn cortex(&self) -> &Cortex {
        &self.scanner.cortex
    }

    /// The regions that were planted.
    pub fn regions(&self) -> &[PlantedRegion] {
        &self.regions
    }

    /// The truth about every voxel of cortex, in the order of [`Cortex::voxels`].
    pub fn voxels(&self) -> &[ScannedVoxel] {
        &self.scanner.voxels
    }

    /// What each drive makes in the images over all sessions, in the scanner's units, without level, noise and drifts. A session has the still
    /// frames at both ends.
    pub fn parts(&self) -> Vec<Part> {
        self.scanner.parts()
    }

    /// What the scanner saw of a segment when it was shown for the time number `showing`, from 0 on: recorded volumes × voxels of cortex.
    pub fn bold(&self, segment: usize, showing: usize) -> Array2<f32> {
        let all = self.scanner.bold_again(segment, showing);
        all.slice(s![self.n_before(segment).., ..]).to_owned()
    }

    /// The signal alone in the same volumes: the same in every showing.
    pub fn signal(&self, segment: usize) -> Array2<f32> {
        let all = self.scanner.signal_of(segment);
        all.slice(s![self.n_before(segment).., ..]).to_owned()
    }

    /// Showings of a segment.
    pub fn n_showings(&self, segment: usize) -> usize {
        let is_test = self.segments[segment].stretch.is_test;
        if is_test { self.params.n_test_showings } else { self.params.n_training_showings }
    }

    /// Volumes of a session before recording begins.
    fn n_before(&self, segment: usize) -> usize {
        ((STILL_SECS + self.segments[segment].begins_secs) / self.params.tr_secs).round() as usize
    }
}

/// Regions as one plants them: V1 to V3 follow `early`, V4 half of it and half `semantic`; MT and MST, which lie behind the lateral and parietal streams, `motion`; the
/// ventral and lateral streams `semantic`, the parietal one half of it and half `motion`.
pub fn usual_regions(early: &Mixture, motion: &Mixture, semantic: &Mixture) -> Vec<PlantedRegion> {
    let both = |a: &Mixture, b: &Mixture| -> Mixture {
        a.iter().chain(b).map(|(name, share)| (name.clone(), share / 2.0)).collect()
    };
    let region = |name: &str, areas: &[Area], mixture: Mixture| PlantedRegion {
        name: name.to_owned(),
        areas: areas.to_vec(),
        mixtures: vec![mixture],
    };
    vec![
        region("V1", &[Area::V1Ventral, Area::V1Dorsal], early.clone()),
        region("V2", &[Area::V2Ventral, Area::V2Dorsal], early.clone()),
        region("V3", &[Area::V3Ventral, Area::V3Dorsal], early.clone()),
        region("V4", &[Area::V4], both(early, semantic)),
        region("MT", &[Area::Midlateral], motion.clone()),
        region("MST", &[Area::Midparietal], motion.clone()),
        region("ventral", &[Area::Midventral, Area::Ventral], semantic.clone()),
        region("lateral", &[Area::Lateral], semantic.clone()),
        region("parietal", &[Area::Parietal], both(motion, semantic)),
    ]
}

/// `seg1`, `seg2`, …, `test1`, …, and when recording begins.
fn named(stretches: Vec<Stretch>) -> Vec<Segment> {
    let mut counts = [0, 0];
    let of = |stretch: Stretch| {
        let is_test = stretch.is_test;
        let count = &mut counts[usize::from(is_test)];
        *count += 1;
        let begins_secs = if is_test && *count > 1 { 0.0 } else { LATE_SECS };
        Segment { name: format!("{}{count}", if is_test { "test" } else { "seg" }), stretch, begins_secs }
    };
    stretches.into_iter().map(of).collect()
}

fn n_volumes(params: &SpectatorParams, secs: f64) -> usize {
    (secs / params.tr_secs).round() as usize
}

/// Volumes of a whole session.
fn n_session(params: &SpectatorParams, segment: &Segment) -> usize {
    n_volumes(params, segment.stretch.secs + 2.0 * STILL_SECS)
}

/// Refuses drives of other lengths, and names that are none.
fn fit(params: &SpectatorParams, segments: &[Segment], drives: &[Drive], moving: &[&str]) -> Result<(), Error> {
    let rows_of = |segment: &Segment| n_volumes(params, segment.stretch.secs) * params.steps_per_tr;
    let expected: Vec<usize> = segments.iter().map(rows_of).collect();
    for drive in drives {
        let rows: Vec<usize> = drive.runs.iter().map(Array2::nrows).collect();
        if rows != expected {
            let what = format!("drive `{}` has segments of {rows:?} rows, the films need {expected:?}", drive.name);
            return Err(Error::Planted { what, remedy: "give `steps_per_tr` rows for each volume of each film" });
        }
    }
    match moving.iter().find(|name| drives.iter().all(|drive| drive.name != **name)) {
        None => Ok(()),
        Some(name) => {
            let what = format!("`{name}` should be 0 while a frame stands still, but is no drive");
            Err(Error::Planted { what, remedy: "name drives that are given" })
        }
    }
}

/// A drive as it reaches the images: standardised over all films, held (or 0) while frames stand still, through the haemodynamic response, and
/// averaged over each volume of the session.
fn as_seen(params: &SpectatorParams, drive: &Drive, is_moving: bool) -> Result<Drive, Error> {
    let steps = params.steps_per_tr;
    let response = response(params.tr_secs / steps as f64)?;
    let n_still = n_volumes(params, STILL_SECS) * steps;
    let moments = moments(drive);
    let session = |run: &Array2<f32>| {
        let n_rows = run.nrows() + 2 * n_still;
        let mut out = Array2::<f32>::zeros((n_rows / steps, run.ncols()));
        out.axis_iter_mut(Axis(1)).into_par_iter().enumerate().for_each(|(column, mut out)| {
            let (mean, deviation) = moments[column];
            let scaled = |value: f64| if deviation > 0.0 { (value - mean) / deviation } else { 0.0 };
            let film = run.column(column);
            let value = |row: usize| match row.checked_sub(n_still) {
                Some(row) if row < film.len() => scaled(f64::from(film[row])),
                _ if is_moving => scaled(0.0),
                None => scaled(f64::from(film[0])),
                Some(_) => scaled(f64::from(film[film.len() - 1])),
            };
            let mut series: Vec<f64> = (0..n_rows).map(value).collect();
            convolve(&mut series, &response);
            for (volume, out) in out.iter_mut().enumerate() {
                let mean = series[volume * steps..(volume + 1) * steps].iter().sum::<f64>() / steps as f64;
                *out = mean as f32;
            }
        });
        out
    };
    Ok(Drive { name: drive.name.clone(), runs: drive.runs.iter().map(session).collect() })
}

/// Mean and deviation of each column over all films; deviation 0 where it does not vary.
fn moments(drive: &Drive) -> Vec<(f64, f64)> {
    let width = drive.runs.first().map_or(0, Array2::ncols);
    let of = |column: usize| {
        let values = || drive.runs.iter().flat_map(|run| run.column(column).to_vec()).map(f64::from);
        let n = values().count().max(1) as f64;
        let mean = values().sum::<f64>() / n;
        let deviation = (values().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
        (mean, if deviation <= 1e-9 * (1.0 + mean.abs()) { 0.0 } else { deviation })
    };
    (0..width).into_par_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params() -> SpectatorParams {
        SpectatorParams { steps_per_tr: 2, ..SpectatorParams::default() }
    }

    #[test]
    fn segments_are_named_and_begin_as_those_of_cc2017() {
        let stretch = |is_test| Stretch { is_test, secs: 480.0, words: Vec::new() };
        let segments = named([false, false, true, true].map(stretch).to_vec());
        let found: Vec<(&str, f64)> = segments.iter().map(|own| (own.name.as_str(), own.begins_secs)).collect();
        assert_eq!(found, [("seg1", 2.0), ("seg2", 2.0), ("test1", 2.0), ("test2", 0.0)]);
        // 252 volumes, of which 245 and 246 are recorded.
        assert_eq!(n_session(&params(), &segments[0]), 252);
    }

    #[test]
    fn motion_is_none_while_a_frame_stands_still_and_the_rest_is_held() {
        // A step of size 1 in the middle of the film, half of all rows: standardised −1 and 1.
        let run = Array2::from_shape_fn((40, 1), |(row, _)| if row < 20 { 0.0 } else { 1.0 });
        let drive = Drive { name: "x".to_owned(), runs: vec![run] };
        let held = as_seen(&params(), &drive, false).expect("fits").runs[0].clone();
        let moving = as_seen(&params(), &drive, true).expect("fits").runs[0].clone();
        assert_eq!((held.dim(), moving.dim()), ((32, 1), (32, 1)));
        // Six volumes of 2 s at each end; both are alike until the film has ended and the response shows it.
        assert!((0..26).all(|volume| (held[(volume, 0)] - moving[(volume, 0)]).abs() < 1e-6));
        // Twelve seconds after the step the response has come to its full height; afterwards motion goes back.
        assert!(held[(31, 0)] > 0.9, "{}", held[(31, 0)]);
        assert!(moving[(31, 0)] < held[(31, 0)] - 1.0, "{}", moving[(31, 0)]);
    }
}
