//! `mpirun -n N percept fit …` and `srun percept fit …`: one fit by all processes that the launcher started.

use percept::core::{Progress, Silent};
use percept::io::machine::{available_bytes, n_processors};
use percept::linear::FitJob;
use percept::linear::fit::clear_abandoned;
use percept::linear::together::fit_together;
use percept::linear::{mpi, plan::Preflight};
use percept::regress::Together;

use super::said;
use crate::arguments::Fit;
use crate::output::{json, say};
use crate::progress::Bars;

/// The share of a machine's free memory that its processes take together when none is granted.
const SHARE_OF_FREE: f64 = 0.8;

/// Fits together with the others, if a launcher started any. A process that fails ends them all.
pub(crate) fn fit(arguments: &Fit, job: &FitJob) -> anyhow::Result<bool> {
    if job.shard.is_some() {
        return Ok(false);
    }
    let Some((_universe, world)) = mpi::join() else { return Ok(false) };
    if world.size() == 1 {
        return Ok(false);
    }
    let (is_first, neighbours) = (world.rank() == 0, world.neighbours());
    let mut job = job.clone();
    if job.memory.is_none() {
        job.memory = available_bytes().map(|free| (free as f64 * SHARE_OF_FREE) as u64 / neighbours as u64);
    }
    let allowed = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = n_processors().map_or(allowed, |all| all / neighbours);
    // Fails where `--threads` has already said how many.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(allowed.min(share).max(1)).build_global();
    if is_first {
        say(format!(
            "{} processes, {} threads in each of {neighbours} here",
            world.size(),
            rayon::current_num_threads()
        ));
    }
    let work = || -> anyhow::Result<_> {
        if is_first {
            clear_abandoned(&job.out)?;
        }
        // Nobody writes while the first clears up.
        world.sum(&mut [0.0])?;
        let bars = Bars::new();
        let progress: &dyn Progress = if is_first { &bars } else { &Silent };
        let mut hear = |plan: &Preflight| {
            if is_first {
                said::needs(plan)
            }
        };
        Ok(fit_together(&job, &world, &mut hear, progress)?)
    };
    let outcome = match work() {
        Ok(outcome) => outcome,
        Err(error) => {
            say(format!("error in process {} of {}: {error:#}", world.rank(), world.size()));
            world.abort(i32::from(crate::failure::INPUT))
        }
    };
    if is_first {
        if arguments.json {
            json(&outcome)?;
        } else {
            said::outcome(&outcome);
        }
    }
    Ok(true)
}
