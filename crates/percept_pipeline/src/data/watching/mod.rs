//! Somebody in a scanner who watched films: cc2017 (Wen et al. 2018) as it was published, and any folder of films with tables of events.
//!
//! A *segment* is a stretch of film that was shown whole, once or several times. It is cut into clips of one repetition time; the
//! response to a clip is what was measured `delay_secs` after it began, between two volumes in proportion. Every showing is cleaned by
//! itself (a polynomial over the volumes that are used, then z-scores) and showings are averaged; those of test segments are kept too,
//! for a ceiling of what can be predicted. Delays never cross a segment: a clip whose response was not measured in every showing has no
//! row, and that is said.
//!
//! The steps are those of the data's authors; for their data and a delay of 4 s also the volumes are (`timing` says why).
//!
//! Not done: motion correction, spatial normalisation, smoothing; the published images have been through these.
//!
//! # References
//! Wen, Shi, Zhang, Lu, Cao & Liu 2018, Cerebral Cortex 28:4136 (doi:10.1093/cercor/bhx268); the data: doi:10.4231/R7SF2TCW.

mod captions;
mod cc2017;
pub mod doctor;
pub mod events;
mod files;
mod plan;
mod scans;
mod timing;

use std::ops::Range;

use ndarray::{Array2, Array3, ArrayView2, Axis, s};

use super::units::{Places, UnitGroup};
use crate::error::PipelineError;

pub use captions::Caption;
pub use files::{EventsRun, Form, Origin, WatchingFiles, film};
use plan::Plan;
pub use plan::{Repeats, Segment};
use scans::Chosen;
use timing::{Rows, Showing};

/// What was measured and what was seen.
#[derive(Clone, Debug)]
pub struct Watching {
    /// `subject1`.
    pub subject: String,
    /// Where the responses came from, in words.
    pub source: String,
    /// Clips × units, segment after segment.
    pub responses: Array2<f32>,
    /// The showings of every test segment.
    pub repeats: Vec<Repeats>,
    /// Regions; all units where there is no atlas.
    pub regions: Vec<UnitGroup>,
    /// Where each unit lies.
    pub places: Places,
    /// Segments: training first, then test.
    pub segments: Vec<Segment>,
    /// Seconds of a clip, and from one volume to the next.
    pub tr_secs: f64,
    /// What was said about stretches of film, where there is a table of it.
    pub captions: Option<Vec<Caption>>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl Watching {
    /// Reads what `files` name, one recording at a time.
    ///
    /// # Errors
    /// When files are missing, damaged or do not fit together.
    pub fn open(files: &WatchingFiles) -> Result<Self, PipelineError> {
        if !(files.delay_secs >= 0.0 && files.delay_secs <= 30.0) {
            let what = format!("a delay of {} s", files.delay_secs);
            return Err(PipelineError::data(what, "blood answers within 0 to 30 s; 4 s are usual"));
        }
        let mut plan = match &files.origin {
            Origin::Cc2017 { root, subject, form } => cc2017::plan(files, root, subject, *form)?,
            Origin::Events { runs } => events::plan(files, runs)?,
        };
        if plan.segments.is_empty() {
            return Err(PipelineError::data("there is no segment to read", "name segments that are there"));
        }
        plan.segments.sort_by_key(|segment| segment.is_test);
        let chosen = scans::choose(files, &plan.recordings)?;
        let (segments, cuts) = segments_of(&mut plan, files.delay_secs, &chosen)?;
        let mut read = Read::new(&segments, chosen.n_units());
        for recording in 0..plan.recordings.len() {
            read.add(files, &plan, recording, &chosen, &cuts)?;
        }
        let (responses, repeats) = read.finish(&segments);
        plan.warnings.extend(read.warnings);
        let captions = files.captions.as_deref();
        let captions = captions.map(|path| captions::read(path, &segments, &mut plan.warnings)).transpose()?;
        let n_units = chosen.n_units();
        let (n_rows, n) = (responses.nrows(), segments.len());
        Ok(Self {
            source: format!("{n_rows} clips × {n_units} units in {n} segments, {} s each", plan.tr_secs),
            subject: plan.subject,
            responses,
            repeats,
            regions: chosen.regions,
            places: chosen.places,
            segments,
            tr_secs: plan.tr_secs,
            captions,
            warnings: plan.warnings,
        })
    }

    /// The segment of a row, and the second of its film at which its clip begins.
    pub fn clip(&self, row: usize) -> Option<(usize, f64)> {
        let segment = self.segments.iter().position(|segment| segment.rows.contains(&row))?;
        let own = &self.segments[segment];
        Some((segment, own.start_secs + (row - own.rows.start) as f64 * self.tr_secs))
    }

    /// Rows to learn from, or to be tested on.
    pub fn rows_of(&self, is_test: bool) -> Vec<usize> {
        self.segments.iter().filter(|segment| segment.is_test == is_test).flat_map(|own| own.rows.clone()).collect()
    }

    /// The responses to one segment.
    pub fn of_segment(&self, segment: usize) -> ArrayView2<'_, f32> {
        self.responses.slice(s![self.segments[segment].rows.clone(), ..])
    }
}

/// Segments with their rows, and which volumes make them: clips that were not measured in every showing are left out and named.
fn segments_of(
    plan: &mut Plan,
    delay_secs: f64,
    chosen: &Chosen,
) -> Result<(Vec<Segment>, Vec<Vec<Rows>>), PipelineError> {
    let (mut segments, mut cuts) = (Vec::with_capacity(plan.segments.len()), Vec::new());
    let mut n_rows = 0;
    for planned in &plan.segments {
        let [from, secs] = planned.film_secs;
        let n_clips = timing::n_clips(secs, plan.tr_secs);
        let n_volumes = |showing: &Showing| chosen.n_volumes[showing.recording];
        let measured = timing::measured(&planned.showings, n_volumes, n_clips, plan.tr_secs, delay_secs);
        if measured.is_empty() {
            let what = format!("no clip of `{}` was measured {delay_secs} s later in every showing", planned.name);
            return Err(PipelineError::data(what, "look whether its images are whole (`percept doctor cc2017`)"));
        }
        if measured.len() < n_clips {
            plan.warnings.push(format!(
                "`{}` has {n_clips} clips, of which {} to {} were measured {delay_secs} s later in every showing; the rest is left out",
                planned.name,
                measured.start + 1,
                measured.end
            ));
        }
        let rows_of = |showing: &Showing| Rows::new(showing, &measured, plan.tr_secs, delay_secs);
        cuts.push(planned.showings.iter().map(rows_of).collect());
        segments.push(Segment {
            name: planned.name.clone(),
            is_test: planned.is_test,
            film: planned.film.clone(),
            start_secs: from + measured.start as f64 * plan.tr_secs,
            n_trs: measured.len(),
            rows: n_rows..n_rows + measured.len(),
            n_repeats: planned.showings.len(),
        });
        n_rows += measured.len();
    }
    Ok((segments, cuts))
}

/// Responses that are being read.
struct Read {
    sum: Array2<f32>,
    /// Of every test segment.
    repeats: Vec<Option<Array3<f32>>>,
    rows: Vec<Range<usize>>,
    warnings: Vec<String>,
}

impl Read {
    fn new(segments: &[Segment], n_units: usize) -> Self {
        let n_rows = segments.last().map_or(0, |segment| segment.rows.end);
        let of = |own: &Segment| own.is_test.then(|| Array3::zeros((own.n_repeats, own.n_trs, n_units)));
        Self {
            sum: Array2::zeros((n_rows, n_units)),
            repeats: segments.iter().map(of).collect(),
            rows: segments.iter().map(|segment| segment.rows.clone()).collect(),
            warnings: Vec::new(),
        }
    }

    /// Reads one recording and adds every showing in it to its segment.
    fn add(
        &mut self,
        files: &WatchingFiles,
        plan: &Plan,
        recording: usize,
        chosen: &Chosen,
        cuts: &[Vec<Rows>],
    ) -> Result<(), PipelineError> {
        let mut own: Vec<(usize, usize, &Rows)> = Vec::new();
        for (segment, (planned, cuts)) in plan.segments.iter().zip(cuts).enumerate() {
            for (number, (showing, cut)) in planned.showings.iter().zip(cuts).enumerate() {
                if showing.recording == recording {
                    own.push((segment, number, cut));
                }
            }
        }
        let Some(first) = own.iter().map(|(.., cut)| cut.first()).min() else { return Ok(()) };
        let end = own.iter().map(|(.., cut)| cut.end()).max().unwrap_or(first);
        let (name, path) = &plan.recordings[recording];
        let mut values = chosen.read(path, first..end)?;
        let cleaned = scans::clean(&mut values, files.trend_order);
        let n_still = cleaned.map_err(|error| {
            PipelineError::data(format!("run `{name}` cannot be cleaned: {error}"), "lower the order of the trend")
        })?;
        if n_still > 0 {
            self.warnings
                .push(format!("{n_still} units of run `{name}` do not vary or are not finite; they count as 0"));
        }
        for (segment, showing, cut) in own {
            let rows = cut.of(values.view(), first);
            let mut sum = self.sum.slice_mut(s![self.rows[segment].clone(), ..]);
            sum += &rows;
            if let Some(repeats) = &mut self.repeats[segment] {
                repeats.index_axis_mut(Axis(0), showing).assign(&rows);
            }
        }
        Ok(())
    }

    fn finish(&mut self, segments: &[Segment]) -> (Array2<f32>, Vec<Repeats>) {
        let mut sum = std::mem::take(&mut self.sum);
        for segment in segments {
            let mut rows = sum.slice_mut(s![segment.rows.clone(), ..]);
            rows /= segment.n_repeats as f32;
        }
        let kept = std::mem::take(&mut self.repeats).into_iter().enumerate();
        let repeats = kept.filter_map(|(segment, values)| Some(Repeats { segment, values: values? })).collect();
        (sum, repeats)
    }
}
