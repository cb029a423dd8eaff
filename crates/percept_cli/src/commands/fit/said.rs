//! What `percept fit` says before and after its work.

use percept::linear::fit::Outcome;
use percept::linear::plan::Preflight;

use crate::output::{bytes, clock, say};

/// What the fit needs, before it begins.
pub(super) fn needs(plan: &Preflight) {
    let [first, end] = plan.targets;
    let part = if end - first == plan.n_targets { String::new() } else { format!(", {first} to {end} here") };
    say(format!(
        "{} samples, {} features, {} targets{part}; {} sets held out in turn; {}",
        plan.n_samples,
        plan.n_features,
        plan.n_targets,
        plan.n_folds,
        if plan.kernel { "kernel of the samples" } else { "covariance of the features" }
    ));
    let free = plan.disk_free.map_or_else(String::new, |free| format!(" of {} free", bytes(free)));
    say(format!(
        "memory {} of {} granted; disk {}{free}; {} tiles of {} targets",
        bytes(plan.memory_bytes),
        bytes(plan.memory_granted),
        bytes(plan.disk_bytes),
        plan.n_tiles,
        plan.targets_per_tile
    ));
    if plan.repeated_targets {
        say("targets are the same in all samples of a set: errors are made of one number per set");
    }
    for (n, what) in [
        (plan.n_left_out_rows, "rows in which nothing is there are left out"),
        (plan.n_masked_features, "features with missing values are masked"),
        (plan.n_masked_targets, "targets with missing values are masked"),
        (plan.n_leaking_stimuli, "stimuli have repeats on both sides of a fold: scores are too good"),
    ] {
        if n > 0 {
            say(format!("warning: {n} {what}"));
        }
    }
}

/// What the fit found.
pub(super) fn outcome(outcome: &Outcome) {
    if outcome.already_there {
        say("the same fit was finished before: nothing to do");
    }
    let counts = outcome.counts;
    if let Some(score) = outcome.mean_cv_score {
        say(format!("mean held-out score {score:.4}"));
    }
    let at_edge = counts.edge_low + counts.edge_high;
    if at_edge > 0 {
        say(format!(
            "warning: {at_edge} targets have a penalty at an end of the grid ({} low, {} high): their optimum may lie beyond (widen \
             `--alphas`, or let it grow with `--extend`)",
            counts.edge_low, counts.edge_high
        ));
    }
    if counts.constant + counts.masked > 0 {
        say(format!("{} targets are constant, {} masked", counts.constant, counts.masked));
    }
    if !outcome.design.constant_features.is_empty() {
        say(format!("{} features do not vary and get no weight", outcome.design.constant_features.len()));
    }
    let n_independent = outcome.plan.n_features.min(outcome.plan.n_samples.saturating_sub(1));
    if let Some(rank) = outcome.design.rank.filter(|rank| *rank < n_independent) {
        say(format!(
            "warning: the features span {rank} of {n_independent} directions: nearly collinear ones cannot be told apart and \
             share their weights, whatever the penalty"
        ));
    }
    let peak = outcome.peak_bytes.map_or_else(String::new, |peak| format!(", peak memory {}", bytes(peak)));
    say(format!(
        "{} in all, {:.0} % of the speed of plain products{peak}",
        clock(outcome.seconds.round() as u64),
        100.0 * outcome.share_of_floor
    ));
    say(format!("model: {}", outcome.model.display()));
}
