//! The work: decompose once, then read, fit and write one tile of targets after the other.
//!
//! What is done is written down after every tile, once its bytes are on the disk: a fit that is killed goes on after its last
//! tile and ends with the same bytes. The model takes its name when its last tile is written, its description after that.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ndarray::{Array1, ArrayView1, s};
use percept_core::Progress;
use percept_core::provenance::content_hash;
use percept_io::number::Element;
use percept_io::pieces::{Found, Pieces};
use percept_io::{fs, lock, machine, safetensors};
use percept_regress::cost;
use percept_regress::{Edge, Real, Selection, Together};
use serde::{Deserialize, Serialize};

use crate::error::LinearError;
use crate::job::{FitJob, Precision};
use crate::model::{self, CONSTANT, Counts, Description, DesignFacts, MASKED};
use crate::plan::{FitPlan, Preflight, plan};
use crate::prepared::{Prepared, Tile};

/// Features written at a time: the weights are turned from one target per row to one feature per row on the way.
const FEATURES_PER_WRITE: usize = 256;
const MAX_JOURNAL_BYTES: u64 = 1 << 30;
/// Seconds for which plain products are timed, for each counted operation: a four-hundredth of the work at 100 GFLOP/s.
const LOOK: f64 = 2.5e-14;

/// What came out of a fit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// The model's folder.
    pub model: PathBuf,
    /// Whether the model was there already, made by the same fit.
    pub already_there: bool,
    /// What the fit needed.
    pub plan: Preflight,
    /// What the samples are like.
    pub design: DesignFacts,
    /// How many targets stand where.
    pub counts: Counts,
    /// Mean held-out score over targets that are neither constant nor masked.
    pub mean_cv_score: Option<f64>,
    /// Tiles that an earlier run had made.
    pub n_tiles_resumed: usize,
    /// Wall time of this run.
    pub seconds: f64,
    /// Of which checking and hashing the inputs.
    pub check_seconds: f64,
    /// Of which the decomposition.
    pub decompose_seconds: f64,
    /// Of which the targets.
    pub target_seconds: f64,
    /// Most memory that the process had, if the system says.
    pub peak_bytes: Option<u64>,
    /// Plain products per second on the same threads just before the work, in the precision of the fit.
    pub product_rate: f64,
    /// The same in double precision.
    pub double_product_rate: f64,
    /// Time of the counted operations at these rates, over the time they took; of this run's share of the work.
    pub share_of_floor: f64,
}

/// What is written down between tiles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Journal {
    fingerprint: String,
    design: Option<DesignFacts>,
    /// Ranges of targets that are done, ascending.
    done: Vec<[usize; 2]>,
}

/// Makes the fit that `job` asks for. `tell` hears what it needs before it begins.
///
/// # Errors
/// Every kind of [`LinearError`].
pub fn fit(job: &FitJob, tell: &mut dyn FnMut(&Preflight), progress: &dyn Progress) -> Result<Outcome, LinearError> {
    match job.working_precision() {
        Precision::Single => fit_as::<f32>(job, tell, progress),
        Precision::Double => fit_as::<f64>(job, tell, progress),
    }
}

/// Opens and checks the inputs.
pub(crate) fn checked<T: Real + Element>(job: &FitJob, progress: &dyn Progress) -> Result<FitPlan<T>, LinearError> {
    progress.begin("check of the inputs", 1);
    let plan = plan::<T>(job)?;
    progress.advance(1);
    progress.end("");
    Ok(plan)
}

fn fit_as<T: Real + Element>(
    job: &FitJob,
    tell: &mut dyn FnMut(&Preflight),
    progress: &dyn Progress,
) -> Result<Outcome, LinearError> {
    let start = Instant::now();
    let plan = checked::<T>(job, progress)?;
    tell(&plan.preflight);
    let check_seconds = start.elapsed().as_secs_f64();
    let _lock = lock::lock(&job.out, &model::named(".percept", job.shard, "lock"), || {
        progress.warn(&format!("another process is fitting in `{}`: waiting until it is done", job.out.display()));
        true
    })?;
    if job.shard.is_none() {
        // Shards write into one folder at a time: what one of them is just beginning would look abandoned.
        fs::remove_abandoned(&job.out)?;
    }
    let run = Run::new(&plan, None)?;
    if let Some(description) = run.finished() {
        model::mend_table(&job.out, job.shard)?;
        return run.outcome(description, true, Times::checked(check_seconds), start);
    }
    run.work(start, check_seconds, progress)
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Times {
    check: f64,
    decompose: f64,
    targets: f64,
    /// Share of the targets that this run worked on.
    share: f64,
    resumed: usize,
    rate: f64,
    double_rate: f64,
}

impl Times {
    /// Of a run that only checked its inputs.
    pub(crate) fn checked(check: f64) -> Self {
        Self { check, ..Self::default() }
    }
}

/// One fit under way.
pub(crate) struct Run<'a, T> {
    plan: &'a FitPlan<T>,
    together: Option<&'a dyn Together>,
    fingerprint: String,
    tensors: PathBuf,
    journal: PathBuf,
    selection: PathBuf,
}

impl<'a, T: Real + Element> Run<'a, T> {
    pub(crate) fn new(plan: &'a FitPlan<T>, together: Option<&'a dyn Together>) -> Result<Self, LinearError> {
        let job = &plan.job;
        fs::create_dir(&job.out)?;
        // Two shards of one fit are different things in one folder.
        let whole = plan.provenance.fingerprint();
        model::refuse_other(&job.out, job.shard, &plan.provenance)?;
        let fingerprint = match job.shard {
            None => whole,
            Some(shard) => content_hash(format!("{whole} shard {} of {}", shard.number, shard.of).as_bytes()),
        };
        Ok(Self {
            plan,
            together,
            fingerprint,
            tensors: model::tensors_path(&job.out, job.shard),
            journal: job.out.join(model::named("unfinished", job.shard, "json")),
            selection: job.out.join(model::named("selection", job.shard, "json")),
        })
    }

    /// The description of the model if the very same fit has finished before.
    pub(crate) fn finished(&self) -> Option<Description> {
        let job = &self.plan.job;
        let description = model::read_description(&job.out, job.shard).ok()?;
        let is_ours = description.fingerprint == self.fingerprint && fs::is_file(&self.tensors);
        (is_ours && model::verify(&job.out, &description).is_ok()).then_some(description)
    }

    /// Whether something holds in all processes.
    pub(crate) fn all(&self, holds: bool) -> Result<bool, LinearError> {
        let Some(others) = self.together else { return Ok(holds) };
        let mut count = [f64::from(u8::from(holds))];
        others.sum(&mut count)?;
        Ok(count[0] as usize == others.size())
    }

    pub(crate) fn work(&self, start: Instant, check: f64, progress: &dyn Progress) -> Result<Outcome, LinearError> {
        let FitPlan { job, preflight, range, .. } = self.plan;
        let mut journal = self.read_journal();
        let partial = percept_io::pieces::partial_path(&self.tensors)?;
        let earlier = self.finished();
        let is_written =
            earlier.is_some() || covered(&journal.done, range) && fs::is_file(&self.tensors) && !fs::is_file(&partial);
        let mut times = Times::checked(check);
        // Who is done still helps the others to make their samples ready.
        if !self.all(is_written)? {
            let mut begun = None;
            if !is_written {
                // A description without its tensors would make a half-written model look whole.
                fs::remove_file(model::description_path(&job.out, job.shard))?;
                let (planned, texts) = (
                    model::planned(self.plan.size.n_features, range.len(), job.precision, &self.plan.extra),
                    model::texts(&self.fingerprint),
                );
                let (pieces, found) = Pieces::safetensors(&self.tensors, &planned, &texts, !journal.done.is_empty())?;
                if found == Found::Nothing {
                    journal.done.clear();
                }
                begun = Some(pieces);
            }
            // A longer look where it costs nothing beside the work: other programs come and go.
            let look = (LOOK * (preflight.single_operations + preflight.double_operations)).clamp(0.1, 2.0);
            (times.rate, times.double_rate) = (cost::product_rate::<T>(look), cost::product_rate::<f64>(look));
            let begin = Instant::now();
            let design = self.decompose(progress)?;
            times.decompose = begin.elapsed().as_secs_f64();
            journal.design = Some(design.facts(self.plan));
            let begin = Instant::now();
            let selection = self.shared_selection(&design, progress)?;
            if let Some(pieces) = begun {
                self.targets(&design, selection.as_ref(), &pieces, &mut journal, &mut times, progress)?;
                pieces.finish()?;
            }
            times.targets = begin.elapsed().as_secs_f64();
        }
        if let Some(description) = earlier {
            return self.outcome(description, true, times, start);
        }
        let file = safetensors::open(&self.tensors)?;
        if job.shard.is_none() {
            model::write_table(&job.out, &file)?;
        }
        let Some(design) = journal.design else {
            return Err(model::broken(&job.out, &"what the decomposition found is lost"));
        };
        let bands = self.plan.x.parts().into_iter();
        let description = Description {
            kind: "percept linear model".to_owned(),
            n_samples: preflight.n_samples,
            n_features: preflight.n_features,
            n_targets: preflight.n_targets,
            targets: preflight.targets,
            shard: job.shard,
            precision: job.precision,
            params: job.params.clone(),
            method: job.method.name().to_owned(),
            bands: if job.bands.is_empty() { Vec::new() } else { bands.map(|band| [band.start, band.end]).collect() },
            regions: self.plan.regions.iter().map(|region| region.name.clone()).collect(),
            design,
            counts: model::count(&model::vector(&file, "edge")?),
            left_out_rows: self.plan.left_out_rows.clone(),
            masked_features: self.plan.x.masked().to_vec(),
            masked_targets: self.plan.y.masked().to_vec(),
            provenance: self.plan.provenance.clone(),
            fingerprint: self.fingerprint.clone(),
            tensors: Some(percept_io::fs::content_hash(model::tensors_path(&job.out, job.shard))?),
        };
        model::write_description(&job.out, &description)?;
        self.tidy_up()?;
        self.outcome(description, false, times, start)
    }

    fn decompose(&self, progress: &dyn Progress) -> Result<Prepared<T>, LinearError> {
        let FitPlan { job, preflight, .. } = self.plan;
        let order = if preflight.kernel { preflight.n_samples } else { job.components.unwrap_or(preflight.n_features) };
        progress.begin(&format!("decomposition of order {order}"), 1);
        // One process may have less memory than another.
        let repeated_targets = self.all(preflight.repeated_targets)?;
        let prepared = Prepared::new(self.plan, self.together, repeated_targets)?;
        progress.advance(1);
        progress.end("");
        Ok(prepared)
    }

    fn targets(
        &self,
        design: &Prepared<T>,
        selection: Option<&Selection>,
        pieces: &Pieces,
        journal: &mut Journal,
        times: &mut Times,
        progress: &dyn Progress,
    ) -> Result<(), LinearError> {
        let FitPlan { job, range, step, .. } = self.plan;
        pieces.put("x_mean", 0, design.x_mean().view())?;
        let left = remaining(&journal.done, range, *step);
        let n_left: usize = left.iter().map(ExactSizeIterator::len).sum();
        times.share = n_left as f64 / range.len().max(1) as f64;
        times.resumed = journal.done.len();
        progress.begin("targets", n_left as u64);
        for (made, tile) in left.into_iter().enumerate() {
            if job.stop_after == Some(made) {
                return Err(LinearError::Stopped { tiles: made });
            }
            let y = self.plan.y.read_columns(tile.clone())?;
            let given = selection.map(|selection| selection.part(tile.clone()));
            let made = design.fit(self.plan, y.view(), given.as_ref())?;
            drop(y);
            self.write_tile(pieces, &tile, made)?;
            pieces.flush()?;
            journal.done.push([tile.start, tile.end]);
            journal.done.sort_unstable();
            self.write_journal(journal)?;
            progress.advance(tile.len() as u64);
        }
        progress.end("");
        Ok(())
    }

    /// Penalties that targets share, chosen over all of them before any is fitted.
    fn shared_selection(
        &self,
        prepared: &Prepared<T>,
        progress: &dyn Progress,
    ) -> Result<Option<Selection>, LinearError> {
        #[derive(Serialize, Deserialize)]
        struct Kept {
            fingerprint: String,
            alpha: Vec<f64>,
            cv_score: Vec<f64>,
            edge: Vec<Edge>,
        }
        let (Some(labels), Some(design)) = (&self.plan.target_labels, prepared.design()) else { return Ok(None) };
        let text = fs::read_text(&self.selection, MAX_JOURNAL_BYTES).ok();
        let kept = text.and_then(|text| serde_json::from_str::<Kept>(&text).ok());
        let kept = kept.filter(|kept| kept.fingerprint == self.fingerprint);
        if self.all(kept.is_some())? {
            return Ok(kept.map(|kept| Selection { alpha: kept.alpha, cv_score: kept.cv_score, edge: kept.edge }));
        }
        progress.begin("shared penalties", self.plan.size.n_targets as u64);
        let selection = design.choose_shared(&self.plan.y, labels, self.plan.step, self.together, &|targets| {
            progress.advance(targets as u64);
        })?;
        progress.end("");
        let kept = Kept {
            fingerprint: self.fingerprint.clone(),
            alpha: selection.alpha.clone(),
            cv_score: selection.cv_score.clone(),
            edge: selection.edge.clone(),
        };
        let text = serde_json::to_vec(&kept).map_err(|error| model::broken(&self.plan.job.out, &error))?;
        fs::write_bytes(&self.selection, &text)?;
        Ok(Some(selection))
    }

    fn write_tile(
        &self,
        pieces: &Pieces,
        tile: &Range<usize>,
        Tile { mut plain, extra }: Tile<T>,
    ) -> Result<(), LinearError> {
        let mut edge: Vec<i8> = plain
            .edge
            .iter()
            .map(|edge| match edge {
                Edge::Low => -1,
                Edge::Inside => 0,
                Edge::High => 1,
            })
            .collect();
        for &target in &plain.report.constant_targets {
            edge[target] = CONSTANT;
        }
        for &masked in self.plan.y.masked().iter().filter(|masked| tile.contains(masked)) {
            let target = masked - tile.start;
            edge[target] = MASKED;
            // Nothing is known of this target: not even a mean.
            for values in [&mut plain.intercept, &mut plain.offset, &mut plain.alpha, &mut plain.cv_score] {
                if let Some(value) = values.get_mut(target) {
                    *value = f64::NAN;
                }
            }
        }
        let first = tile.start - self.plan.range.start;
        let vectors = [
            ("alpha", &plain.alpha),
            ("cv_score", &plain.cv_score),
            ("intercept", &plain.intercept),
            ("norm", &plain.norm),
            ("offset", &plain.offset),
        ];
        for (name, values) in vectors {
            pieces.put(name, first, ArrayView1::from(values))?;
        }
        pieces.put("edge", first, Array1::from(edge).view())?;
        for ((name, _), values) in self.plan.extra.iter().zip(&extra) {
            let values = values.as_standard_layout();
            pieces.put_block(name, 0, first..first + tile.len(), values.view())?;
        }
        let (weights, n_features) = (plain.weights.t(), plain.weights.ncols());
        for start in (0..n_features).step_by(FEATURES_PER_WRITE) {
            let end = (start + FEATURES_PER_WRITE).min(n_features);
            let block = weights.slice(s![start..end, ..]).as_standard_layout().into_owned();
            pieces.put_block("weights", start, first..first + tile.len(), block.view())?;
        }
        Ok(())
    }

    fn read_journal(&self) -> Journal {
        let found = fs::read_text(&self.journal, MAX_JOURNAL_BYTES).ok();
        let journal = found.and_then(|text| serde_json::from_str::<Journal>(&text).ok());
        journal.filter(|journal| journal.fingerprint == self.fingerprint).unwrap_or_else(|| Journal {
            fingerprint: self.fingerprint.clone(),
            design: None,
            done: Vec::new(),
        })
    }

    fn write_journal(&self, journal: &Journal) -> Result<(), LinearError> {
        let text = serde_json::to_vec(journal).map_err(|error| model::broken(&self.plan.job.out, &error))?;
        Ok(fs::write_bytes(&self.journal, &text)?)
    }

    /// Removes what was kept for going on.
    fn tidy_up(&self) -> Result<(), LinearError> {
        fs::remove_file(&self.journal)?;
        fs::remove_file(&self.selection)?;
        if let Some(folder) = self.plan.own_cache.as_ref().filter(|folder| fs::is_dir(folder)) {
            // Other shards may still want it; the last one leaves the folder empty.
            if self.plan.job.shard.is_none() {
                for path in fs::list(folder)? {
                    fs::remove_file(path)?;
                }
            }
            let _ = std::fs::remove_dir(folder);
        }
        Ok(())
    }

    fn outcome(
        &self,
        description: Description,
        already_there: bool,
        times: Times,
        start: Instant,
    ) -> Result<Outcome, LinearError> {
        self.outcome_of(self.tensors.clone(), description, already_there, times, start)
    }

    /// The same of another tensors file.
    pub(crate) fn outcome_of(
        &self,
        tensors: PathBuf,
        description: Description,
        already_there: bool,
        times: Times,
        start: Instant,
    ) -> Result<Outcome, LinearError> {
        let FitPlan { job, preflight, operations, .. } = self.plan;
        let file = safetensors::open(tensors)?;
        // Where the decomposition was found, as by a resumed fit, only targets are compared with their floor.
        let decomposed = times.resumed == 0 && !self.plan.cache.found();
        let (double, decompose) = if decomposed { (operations.double, times.decompose) } else { (0.0, 0.0) };
        let floor = double / times.double_rate.max(1.0) + times.share * operations.single / times.rate.max(1.0);
        let took = decompose + times.targets;
        Ok(Outcome {
            model: job.out.clone(),
            already_there,
            plan: preflight.clone(),
            design: description.design,
            counts: description.counts,
            mean_cv_score: mean_score(&file)?,
            n_tiles_resumed: times.resumed,
            seconds: start.elapsed().as_secs_f64(),
            check_seconds: times.check,
            decompose_seconds: times.decompose,
            target_seconds: times.targets,
            peak_bytes: machine::peak_bytes(),
            product_rate: times.rate,
            double_product_rate: times.double_rate,
            share_of_floor: if took > 0.0 { floor / took } else { 0.0 },
        })
    }
}

/// Mean score over targets that have one.
pub(crate) fn mean_score(file: &safetensors::SafeTensors) -> Result<Option<f64>, LinearError> {
    let (edge, scores) = (model::vector::<i8>(file, "edge")?, model::vector::<f64>(file, "cv_score")?);
    let known: Vec<f64> = edge
        .iter()
        .zip(&scores)
        .filter(|(edge, score)| **edge < CONSTANT && score.is_finite())
        .map(|(_, score)| *score)
        .collect();
    Ok((!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64))
}

/// Whether ascending ranges cover `range` without a hole.
fn covered(done: &[[usize; 2]], range: &Range<usize>) -> bool {
    remaining(done, range, usize::MAX).is_empty()
}

/// What is left of `range`, in pieces of at most `step`.
fn remaining(done: &[[usize; 2]], range: &Range<usize>, step: usize) -> Vec<Range<usize>> {
    let mut left = Vec::new();
    let mut next = range.start;
    let mut gap = |from: usize, to: usize| {
        let mut start = from;
        while start < to {
            let end = start.saturating_add(step).min(to);
            left.push(start..end);
            start = end;
        }
    };
    for &[start, end] in done {
        gap(next, start.min(range.end));
        next = next.max(end);
    }
    gap(next, range.end);
    left
}

/// Removes temporary files that a killed run left in the model's folder.
///
/// # Errors
/// If the folder cannot be listed.
pub fn clear_abandoned(folder: &Path) -> Result<(), LinearError> {
    if fs::is_dir(folder) {
        fs::remove_abandoned(folder)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_what_was_not_done() {
        assert_eq!(remaining(&[], &(0..10), 4), vec![0..4, 4..8, 8..10]);
        assert_eq!(remaining(&[[0, 4], [8, 10]], &(0..10), 4), vec![4..8]);
        assert_eq!(remaining(&[[4, 8]], &(0..10), 3), vec![0..3, 3..4, 8..10]);
        assert!(covered(&[[0, 4], [4, 10]], &(0..10)));
        assert!(!covered(&[[0, 4], [5, 10]], &(0..10)));
    }
}
