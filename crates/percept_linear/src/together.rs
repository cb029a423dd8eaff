//! One fit by several processes that speak to each other: rows are shared for the Gram matrix, targets for everything after.
//!
//! Every process fits its own shard of the targets ([`crate::shard`]), so what is written, and how a killed fit goes on, is that of
//! shards: the same command with as many processes goes on where each of them was. The first one merges in the end. What one process
//! would have to do again in each shard (means, Gram matrix, samples in its directions, blocks of held-out groups, scores for
//! shared penalties) is made once, in shares; the decomposition by the first process alone.
//!
//! Sums over shares differ by rounding of f64 from those of one process, so weights do too (far below 1e-6 relative).

use std::time::Instant;

use percept_core::Progress;
use percept_io::number::Element;
use percept_io::pieces;
use percept_regress::{Real, RegressError, Together};

use crate::error::LinearError;
use crate::fit::{Outcome, Run, Times, checked, fit};
use crate::job::{FitJob, Precision, Shard};
use crate::model;
use crate::plan::Preflight;
use crate::shard::merge;

/// Makes the fit that `job` asks for together with `others`, all of which call this with the same job. `tell` hears what this
/// process needs.
///
/// # Errors
/// Those of [`fit`]; [`LinearError::Regress`] for a method or a shard that cannot be shared. A process that fails must end the
/// others, which would wait for it.
pub fn fit_together(
    job: &FitJob,
    others: &dyn Together,
    tell: &mut dyn FnMut(&Preflight),
    progress: &dyn Progress,
) -> Result<Outcome, LinearError> {
    if others.size() == 1 {
        return fit(job, tell, progress);
    }
    if job.shard.is_some() || job.method.is_whole() || job.components.is_some() {
        return Err(RegressError::Setting {
            what: format!(
                "{} processes are to share a {} regression{}{}",
                others.size(),
                job.method.name(),
                if job.shard.is_some() { " of one shard" } else { "" },
                if job.components.is_some() { " on components" } else { "" }
            ),
            expected: "a ridge, kernel or selected regression of all targets".to_owned(),
            remedy: "start one process",
        }
        .into());
    }
    match job.working_precision() {
        Precision::Single => fit_as::<f32>(job, others, tell, progress),
        Precision::Double => fit_as::<f64>(job, others, tell, progress),
    }
}

fn fit_as<T: Real + Element>(
    job: &FitJob,
    others: &dyn Together,
    tell: &mut dyn FnMut(&Preflight),
    progress: &dyn Progress,
) -> Result<Outcome, LinearError> {
    let start = Instant::now();
    let shard = Shard { number: others.rank() + 1, of: others.size() };
    let mut plan = checked::<T>(&FitJob { shard: Some(shard), ..job.clone() }, progress)?;
    // The shards of all, and the whole that they become, stand on the disk at once.
    let whole = model::tensor_bytes(plan.size.n_features, plan.size.n_targets, job.precision, &[]);
    plan.preflight.disk_bytes = 2 * whole + (plan.preflight.disk_bytes.saturating_sub(plan.shard_bytes()));
    if let Some(free) = pieces::free_bytes(&job.out)
        && free < whole
    {
        let folder = job.out.display().to_string();
        return Err(LinearError::Disk { folder, needed: plan.preflight.disk_bytes, free });
    }
    tell(&plan.preflight);
    let check = start.elapsed().as_secs_f64();
    let run = Run::new(&plan, Some(others))?;
    let is_there = model::read_description(&job.out, None)
        .is_ok_and(|description| description.fingerprint == plan.provenance.fingerprint());
    let is_there = run.all(is_there)?;
    let own = if is_there {
        None
    } else {
        let own = run.work(start, check, progress)?;
        // Nobody merges before all have written, and nobody goes before the first has merged.
        run.all(true)?;
        if others.rank() == 0 {
            merge(&job.out, progress)?;
        }
        run.all(true)?;
        Some(own)
    };
    let description = model::read_description(&job.out, None)?;
    match own {
        None => {
            let tensors = model::tensors_path(&job.out, None);
            run.outcome_of(tensors, description, true, Times::checked(check), start)
        }
        Some(own) => {
            let file = percept_io::safetensors::open(model::tensors_path(&job.out, None))?;
            Ok(Outcome {
                already_there: false,
                design: description.design,
                counts: description.counts,
                mean_cv_score: crate::fit::mean_score(&file)?,
                seconds: start.elapsed().as_secs_f64(),
                ..own
            })
        }
    }
}
