//! The checked job: what the files hold, what is held out, and the memory and disk that the fit needs, before any work.

use std::ops::Range;
use std::path::PathBuf;

use percept_core::provenance::content_hash;
use percept_core::{Provenance, Seed};
use percept_io::array::Reference;
use percept_io::number::Element;
use percept_io::{fs, machine, pieces};
use percept_regress::cost::{self, Memory, Operations, Size};
use percept_regress::folds::{self, Leaks};
use percept_regress::{AlphaChoice, Folds, LeakReport, Real, Region, Repeats};
use rayon::prelude::*;
use serde::Serialize;

use crate::cache::FolderCache;
use crate::error::LinearError;
use crate::job::{FitJob, HoldOut, Method, Missing, Precision, Shard};
use crate::source::{self, Opened, Source};
use crate::{method, model};

/// Targets beyond which a tile gains nothing.
const MOST_TARGETS_PER_TILE: usize = 8192;

/// What a fit needs, said before it begins.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Preflight {
    /// Number of samples that are left.
    pub n_samples: usize,
    /// Number of features.
    pub n_features: usize,
    /// Number of targets, all shards together.
    pub n_targets: usize,
    /// Targets of this shard: first and one past the last.
    pub targets: [usize; 2],
    /// Sets that are held out in turn.
    pub n_folds: usize,
    /// Whether the kernel is decomposed rather than the covariance.
    pub kernel: bool,
    /// Bytes of memory at the peak.
    pub memory_bytes: u64,
    /// Bytes that may be taken.
    pub memory_granted: u64,
    /// Bytes of disk for the model and what is kept until it is finished.
    pub disk_bytes: u64,
    /// Bytes that are free, if the system says.
    pub disk_free: Option<u64>,
    /// Targets held at a time.
    pub targets_per_tile: usize,
    /// Number of tiles.
    pub n_tiles: usize,
    /// Rows left out because nothing was there.
    pub n_left_out_rows: usize,
    /// Features masked because something was missing.
    pub n_masked_features: usize,
    /// Targets masked because something was missing.
    pub n_masked_targets: usize,
    /// Stimuli whose repeats stand in several folds, when that was allowed.
    pub n_leaking_stimuli: usize,
    /// Whether targets are the same in all samples of a held-out set and the fit makes use of it.
    pub repeated_targets: bool,
    /// Operations in double precision.
    pub double_operations: f64,
    /// Operations in the precision of the fit.
    pub single_operations: f64,
}

/// A checked job.
#[derive(Debug)]
pub struct FitPlan<T> {
    pub(crate) job: FitJob,
    pub(crate) x: Source<T>,
    pub(crate) y: Source<T>,
    pub(crate) folds: Folds,
    pub(crate) regions: Vec<Region>,
    /// Tensors of this method beside those of every model, by name and rows.
    pub(crate) extra: Vec<(&'static str, usize)>,
    pub(crate) weights: Option<Vec<f64>>,
    pub(crate) target_labels: Option<Vec<usize>>,
    pub(crate) left_out_rows: Vec<usize>,
    pub(crate) size: Size,
    /// Targets of this shard.
    pub(crate) range: Range<usize>,
    /// Targets one task works on.
    pub(crate) width: usize,
    /// Targets held at a time, a multiple of `width`.
    pub(crate) step: usize,
    pub(crate) operations: Operations,
    pub(crate) provenance: Provenance,
    pub(crate) cache: FolderCache,
    pub(crate) own_cache: Option<PathBuf>,
    /// What the fit needs.
    pub preflight: Preflight,
}

/// Opens and checks everything, and refuses what cannot fit.
///
/// # Errors
/// Every kind of [`LinearError`] but [`LinearError::Stopped`].
pub fn plan<T: Real + Element>(job: &FitJob) -> Result<FitPlan<T>, LinearError> {
    let job = &method::settled(job)?;
    job.params.grid()?;
    let references: Vec<Reference> = std::iter::once(&job.x).chain(&job.bands).cloned().collect();
    let granted = machine::granted_bytes(job.memory);
    let mut held = 0u64;
    for reference in references.iter().chain([&job.y]) {
        held = held.saturating_add(reference.inflated_bytes()?);
    }
    if held > granted {
        return Err(LinearError::Memory { stage: "the unpacked inputs", needed: held, granted });
    }
    let Opened { mut x, mut y, left_out_rows, target_codes } =
        source::open_both::<T>(&references, &job.y, job.missing)?;
    let n_file = x.file_dim().0;
    let mut weights = match &job.weights {
        Some(list) => Some(source::numbers(list, n_file, &left_out_rows, &job.x)?),
        None => None,
    };
    let mut repeats = None;
    if let Some(list) = &job.average {
        let labels = source::labels(list, n_file, &left_out_rows, &job.x)?;
        let found = Repeats::by_label(&labels);
        let averages = found.weights(weights.as_deref())?;
        x.average(found.clone(), weights.clone());
        y.average(found.clone(), weights.take());
        weights = Some(averages);
        repeats = Some(found);
    }
    let lists = Lists { n: n_file, left_out: &left_out_rows, repeats: repeats.as_ref() };
    let n_samples = lists.n_samples();
    let size = Size { n_samples, n_features: x.file_dim().1, n_targets: y.file_dim().1 };
    let (folds, leaks) = folds_of(job, &lists)?;
    let regions = method::regions(job, size.n_features)?;
    let mut target_labels = match &job.target_groups {
        Some(list) => Some(source::labels(list, size.n_targets, &[], &job.y)?),
        None => None,
    };
    if target_labels.is_none() && job.params.choice == AlphaChoice::Shared {
        target_labels = Some(vec![0; size.n_targets]);
    }
    let width = method::task_width(job, size.n_targets);
    let range = shard_range(size.n_targets, width, job.shard)?;
    let n_threads = rayon::current_num_threads();
    let mut needs = method::memory::<T>(job, size, &folds, &regions, n_threads);
    let mut operations = method::operations(job, Size { n_targets: range.len(), ..size }, &folds, &regions);
    let base = machine::resident_bytes().unwrap_or(64 << 20).max(x.held_bytes() + y.held_bytes());
    let is_plain = job.method == Method::Ridge && job.components.is_none() && job.average.is_none();
    let mut repeated_targets = false;
    // All targets decide, so that shards together do the same work as one process.
    if is_plain && folds.have_one(&target_codes) && cost::repeats_pay(size, &job.params, &folds) {
        let own = Size { n_targets: range.len(), ..size };
        let (other, memory) = cost::with_repeats::<T>(own, &job.params, &folds, n_threads);
        if base + memory.design + memory.per_target * width.min(range.len()) as u64 <= granted {
            (repeated_targets, needs, operations) = (true, memory, other);
        }
    }
    let most = job.targets_per_tile.unwrap_or(MOST_TARGETS_PER_TILE);
    let (step, memory_bytes) = tile(needs, base, granted, width, range.len(), most)?;
    let n_features = job.components.unwrap_or(size.n_features);
    let kernel = job.params.takes_kernel(n_samples, n_features, folds.largest());

    let n_tiles = range.len().div_ceil(step);
    let spectrum_order = if kernel { n_samples } else { job.components.unwrap_or(size.n_features) } as u64;
    // The decomposition is kept while there is something to resume.
    let own_cache =
        (job.cache.is_none() && n_tiles > 1 && job.method == Method::Ridge).then(|| job.out.join("unfinished"));
    let keeps = job.cache.is_some() || own_cache.is_some();
    let extra = method::extra_tensors(job, &regions);
    let disk_bytes = model::tensor_bytes(size.n_features, range.len(), job.precision, &extra)
        + if keeps { 8 * spectrum_order * spectrum_order } else { 0 };
    let disk_free = pieces::free_bytes(&job.out);
    let partial = pieces::partial_path(&model::tensors_path(&job.out, job.shard))?;
    if let Some(free) = disk_free
        && free < disk_bytes
        && !fs::is_file(&partial)
    {
        return Err(LinearError::Disk { folder: job.out.display().to_string(), needed: disk_bytes, free });
    }
    let provenance = provenance(job)?;
    let cache_folder = job.cache.clone().or_else(|| own_cache.clone()).unwrap_or_else(|| job.out.clone());
    let of_samples = ["x", "weights", "average"].map(|name| provenance.inputs.get(name).map_or("", String::as_str));
    let samples =
        format!("{of_samples:?} components {:?} left out {left_out_rows:?} masked {:?}", job.components, x.masked());
    let preflight = Preflight {
        n_samples,
        n_features: size.n_features,
        n_targets: size.n_targets,
        targets: [range.start, range.end],
        n_folds: if matches!(job.method, Method::Selected { .. }) { 0 } else { folds.len() },
        kernel,
        memory_bytes,
        memory_granted: granted,
        disk_bytes,
        disk_free,
        targets_per_tile: step.min(range.len()),
        n_tiles,
        n_left_out_rows: left_out_rows.len(),
        n_masked_features: x.masked().len(),
        n_masked_targets: y.masked().len(),
        n_leaking_stimuli: leaks.map_or(0, |leaks| leaks.straddling.len()),
        repeated_targets,
        double_operations: operations.double,
        single_operations: operations.single,
    };
    Ok(FitPlan {
        job: job.clone(),
        x,
        y,
        folds,
        regions,
        extra,
        weights,
        target_labels,
        left_out_rows,
        size,
        range,
        width,
        step,
        operations,
        cache: FolderCache::new(cache_folder, content_hash(samples.as_bytes())),
        own_cache,
        provenance,
        preflight,
    })
}

impl<T: Real> FitPlan<T> {
    /// Bytes of the tensors that this process writes.
    pub(crate) fn shard_bytes(&self) -> u64 {
        model::tensor_bytes(self.size.n_features, self.range.len(), self.job.precision, &self.extra)
    }
}

/// Samples that train and samples that are scored.
type Split = (Vec<usize>, Vec<usize>);

/// Lists with one entry per row of the files, brought to one per sample.
struct Lists<'a> {
    n: usize,
    left_out: &'a [usize],
    repeats: Option<&'a Repeats>,
}

impl Lists<'_> {
    fn n_samples(&self) -> usize {
        self.repeats.map_or(self.n - self.left_out.len(), |repeats| repeats.samples.len())
    }

    fn labels(&self, job: &FitJob, reference: &Reference) -> Result<Vec<usize>, LinearError> {
        let labels = source::labels(reference, self.n, self.left_out, &job.x)?;
        match self.repeats {
            Some(repeats) => Ok(repeats.common("a list of labels", &labels)?),
            None => Ok(labels),
        }
    }

    /// Samples on one side of a split.
    fn splits(&self, job: &FitJob, reference: &Reference) -> Result<Vec<Split>, LinearError> {
        let table = reference.read_matrix::<f64>()?;
        if table.nrows() != self.n {
            return Err(LinearError::Lengths {
                left: reference.to_string(),
                left_len: table.nrows(),
                right: job.x.to_string(),
                right_len: self.n,
                unit: "rows",
                unit_one: "sample",
            });
        }
        let rows: Vec<usize> = (0..self.n).filter(|row| self.left_out.binary_search(row).is_err()).collect();
        let codes = |split: usize| -> Result<Vec<f64>, LinearError> {
            let codes: Vec<f64> = rows.iter().map(|&row| table[(row, split)]).collect();
            match self.repeats {
                Some(repeats) => Ok(repeats.common("a split", &codes)?),
                None => Ok(codes),
            }
        };
        let side =
            |codes: &[f64], code: f64| (0..codes.len()).filter(|&sample| codes[sample] == code).collect::<Vec<_>>();
        (0..table.ncols()).map(|split| codes(split).map(|codes| (side(&codes, 1.0), side(&codes, 2.0)))).collect()
    }
}

/// What is held out, and what leaks where that is allowed.
fn folds_of(job: &FitJob, lists: &Lists<'_>) -> Result<(Folds, Option<LeakReport>), LinearError> {
    let kept = lists.n_samples();
    let list = |reference: &Reference| lists.labels(job, reference);
    let mut of_sample: Option<Vec<usize>> = None;
    let folds = match &job.hold_out {
        HoldOut::Samples => {
            let labels: Vec<usize> = (0..kept).collect();
            let folds = Folds::by_label(&labels)?;
            of_sample = Some(labels);
            folds
        }
        HoldOut::Groups(reference) => {
            let labels = list(reference)?;
            let folds = Folds::by_label(&labels)?;
            of_sample = Some(labels);
            folds
        }
        HoldOut::Folds(k, groups) => {
            let groups = match groups {
                Some(reference) => Some(list(reference)?),
                None => None,
            };
            let folds = Folds::k(*k, groups.as_deref(), kept)?;
            of_sample = Some(folds.fold_of_sample());
            folds
        }
        HoldOut::Splits(reference) => Folds::splits(&lists.splits(job, reference)?, kept)?,
        HoldOut::Chunks { length, held, draws, seed } => {
            Folds::chunks(*length, *held, *draws, kept, Seed::new(*seed).named("chunks"))?
        }
    };
    let Some(stimuli) = &job.stimuli else { return Ok((folds, None)) };
    let stimuli = list(stimuli)?;
    let leaks = if job.allow_leaks { Leaks::Allow } else { Leaks::Refuse };
    let report = match of_sample {
        Some(of_sample) => folds::check(&of_sample, &stimuli, leaks)?,
        None => folds.check_splits(&stimuli, leaks)?,
    };
    Ok((folds, Some(report)))
}

/// Targets of a shard: whole tasks, so that shards together do the same work as one process.
pub(crate) fn shard_range(n_targets: usize, width: usize, shard: Option<Shard>) -> Result<Range<usize>, LinearError> {
    let Some(Shard { number, of }) = shard else { return Ok(0..n_targets) };
    let n_tasks = n_targets.div_ceil(width);
    if number == 0 || number > of || of > n_tasks {
        let what = format!("shard {number} of {of} of {n_targets} targets, which are {n_tasks} tasks of {width}");
        return Err(LinearError::Shards { what });
    }
    let task = |number: usize| (number * n_tasks / of * width).min(n_targets);
    Ok(task(number - 1)..task(number))
}

/// Targets per tile and memory at the peak.
fn tile(
    needs: Memory,
    base: u64,
    granted: u64,
    width: usize,
    n_targets: usize,
    most: usize,
) -> Result<(usize, u64), LinearError> {
    for (stage, bytes) in [("the decomposition", needs.decompose), ("the samples' directions", needs.directions)] {
        if base + bytes > granted {
            return Err(LinearError::Memory { stage, needed: base + bytes, granted });
        }
    }
    let standing = base + needs.design;
    let narrowest = standing + needs.per_target * width.min(n_targets) as u64;
    if narrowest > granted {
        return Err(LinearError::Memory { stage: "one tile of targets", needed: narrowest, granted });
    }
    let held = ((granted - standing) / needs.per_target.max(1)) as usize;
    let most = held.min(most).min(n_targets.next_multiple_of(width));
    let step = (most / width).max(1) * width;
    let tiles = standing + needs.per_target * step.min(n_targets) as u64;
    Ok((step, tiles.max(base + needs.decompose).max(base + needs.directions)))
}

/// Inputs by their hashes, settings by their words.
fn provenance(job: &FitJob) -> Result<Provenance, LinearError> {
    let mut inputs = vec![("x".to_owned(), &job.x)];
    inputs.extend(job.bands.iter().enumerate().map(|(band, reference)| (format!("x{}", band + 2), reference)));
    inputs.push(("y".to_owned(), &job.y));
    let (what, list) = match &job.hold_out {
        HoldOut::Samples => ("samples".to_owned(), None),
        HoldOut::Groups(list) => ("groups".to_owned(), Some(list)),
        HoldOut::Folds(k, list) => (format!("{k} folds"), list.as_ref()),
        HoldOut::Splits(list) => ("splits".to_owned(), Some(list)),
        HoldOut::Chunks { length, held, draws, seed } => {
            (format!("{draws} draws of {held} chunks of {length}, seed {seed}"), None)
        }
    };
    let of_feature = match &job.method {
        Method::Regions { of_feature, .. } => Some(of_feature),
        _ => None,
    };
    let lists = [
        ("average", job.average.as_ref()),
        ("regions", of_feature),
        ("hold_out", list),
        ("stimuli", job.stimuli.as_ref()),
        ("weights", job.weights.as_ref()),
        ("target_groups", job.target_groups.as_ref()),
    ];
    inputs.extend(lists.into_iter().filter_map(|(name, list)| Some((name.to_owned(), list?))));
    // Gigabytes each: one to a thread.
    let hashes: Vec<_> = inputs.par_iter().map(|(_, reference)| fs::content_hash(&reference.path)).collect();
    let mut provenance = Provenance::new(0);
    for ((name, reference), hash) in inputs.into_iter().zip(hashes) {
        let inner = reference.name.as_ref().map_or_else(String::new, |name| format!(":{name}"));
        provenance.inputs.insert(name, format!("{}{inner}", hash?));
    }
    let precision = match job.precision {
        Precision::Single => "single",
        Precision::Double => "double",
    };
    let missing = match job.missing {
        Missing::Refuse => "refuse",
        Missing::Mask => "mask",
    };
    let params = serde_json::to_string(&job.params).map_err(|error| model::broken(&job.out, &error))?;
    let settings = [
        ("hold_out", what.as_str()),
        ("allow_leaks", if job.allow_leaks { "true" } else { "false" }),
        ("precision", precision),
        ("missing", missing),
        ("params", params.as_str()),
        ("method", &method::words(&job.method)),
        ("components", &job.components.map_or_else(|| "all features".to_owned(), |n| n.to_string())),
    ];
    provenance.settings.extend(settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
    Ok(provenance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_whole_tasks_and_cover_all_targets_once() {
        for (n_targets, of) in [(1000, 3), (1000, 1), (97, 4), (128, 8)] {
            let mut next = 0;
            for number in 1..=of {
                let range = shard_range(n_targets, 16, Some(Shard { number, of })).expect("enough tasks");
                assert_eq!(range.start, next);
                assert!(range.end == n_targets || range.end.is_multiple_of(16));
                next = range.end;
            }
            assert_eq!(next, n_targets);
        }
        assert!(shard_range(16, 16, Some(Shard { number: 1, of: 2 })).is_err());
        assert!(shard_range(160, 16, Some(Shard { number: 3, of: 2 })).is_err());
    }

    #[test]
    fn a_tile_takes_what_is_granted_and_no_more() {
        let needs = Memory { decompose: 1000, directions: 500, design: 400, per_target: 10 };
        assert_eq!(tile(needs, 100, 1100, 16, 1000, 8192).expect("fits"), (48, 1100));
        assert_eq!(tile(needs, 100, 2100, 16, 1000, 8192).expect("fits"), (160, 2100));
        assert_eq!(tile(needs, 100, u64::MAX, 16, 100, 8192).expect("fits").0, 112);
        assert!(matches!(tile(needs, 100, 1099, 16, 1000, 8192), Err(LinearError::Memory { needed: 1100, .. })));
        let small = Memory { decompose: 0, directions: 0, ..needs };
        assert!(matches!(tile(small, 100, 659, 16, 1000, 8192), Err(LinearError::Memory { needed: 660, .. })));
    }
}
