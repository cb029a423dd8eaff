//! In place of a fit by several processes, in a program that was built without MPI: several of them would write over each other.

use anyhow::bail;
use percept::linear::FitJob;

use crate::arguments::Fit;

/// Fits nothing; refuses to be one of many.
pub(crate) fn fit(_: &Fit, job: &FitJob) -> anyhow::Result<bool> {
    let many =
        std::env::var("OMPI_COMM_WORLD_SIZE").is_ok_and(|size| size.trim().parse().is_ok_and(|size: usize| size > 1));
    if many && job.shard.is_none() {
        bail!(
            "this program was built without MPI, so the processes that were started know nothing of each other (build it with \
             `--features mpi`, or give each its `--shard`)"
        );
    }
    Ok(false)
}
