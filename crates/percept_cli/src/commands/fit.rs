//! `percept fit`: ridge regression on files, streamed and resumable; `percept fit --merge` puts shards together.

use anyhow::{Context, bail};
use percept::io::array::Reference;
use percept::linear::fit::{Outcome, clear_abandoned, fit};
use percept::linear::job::{FitJob, HoldOut, Missing, Precision};
use percept::linear::plan::Preflight;
use percept::linear::shard::merge;
use percept::regress::{AlphaChoice, Path, Pooling, RidgeParams, Score};

use crate::arguments::{Fit, FitPrecision, FitScore};
use crate::output::{bytes, clock, json, say};
use crate::progress::Bars;
use crate::settings::{parse_alphas, parse_bytes, parse_shard};

/// Fits, or merges shards.
pub(crate) fn run(arguments: &Fit) -> anyhow::Result<()> {
    if arguments.merge {
        let description = merge(&arguments.out, &Bars::new())?;
        say(format!("model: {} ({} targets)", arguments.out.display(), description.n_targets));
        return if arguments.json { json(&description) } else { Ok(()) };
    }
    let job = job(arguments)?;
    clear_abandoned(&job.out)?;
    let outcome = fit(&job, &mut tell, &Bars::new())?;
    if arguments.json {
        return json(&outcome);
    }
    print(&outcome);
    Ok(())
}

fn job(arguments: &Fit) -> anyhow::Result<FitJob> {
    let list = |text: &Option<String>| -> anyhow::Result<Option<Reference>> {
        Ok(text.as_deref().map(str::parse).transpose()?)
    };
    let (Some(x), Some(y)) = (list(&arguments.x)?, list(&arguments.y)?) else {
        bail!("`--x` and `--y` are needed (or `--merge` to put shards together)");
    };
    let groups = list(&arguments.groups)?;
    let hold_out = match (list(&arguments.splits)?, arguments.folds, groups) {
        (Some(splits), None, None) => HoldOut::Splits(splits),
        (None, Some(k), groups) => HoldOut::Folds(k, groups),
        (None, None, Some(groups)) => HoldOut::Groups(groups),
        (None, None, None) => HoldOut::Samples,
        _ => bail!("`--splits` says already what is held out (leave `--folds` and `--groups` away)"),
    };
    let pooling = if arguments.mean_over_folds { Pooling::Folds } else { Pooling::Samples };
    let params = RidgeParams {
        alphas: parse_alphas(&arguments.alphas)?,
        choice: if arguments.shared { AlphaChoice::Shared } else { AlphaChoice::PerTarget },
        score: match arguments.score {
            FitScore::R2 => Score::R2,
            FitScore::Mse => Score::NegMse,
            FitScore::R => Score::Pearson,
        },
        intercept: !arguments.no_intercept,
        standardize: arguments.standardize,
        path: Path::Auto,
        pooling,
        extend: arguments.extend,
    };
    let mut job = FitJob::new(x, y, hold_out, params, arguments.out.clone());
    job.stimuli = list(&arguments.stimuli)?;
    job.allow_leaks = arguments.allow_leaks;
    job.weights = list(&arguments.weights)?;
    job.target_groups = list(&arguments.target_groups)?;
    job.precision = match arguments.precision {
        FitPrecision::F32 => Precision::Single,
        FitPrecision::F64 => Precision::Double,
    };
    job.missing = if arguments.mask_missing { Missing::Mask } else { Missing::Refuse };
    job.memory = arguments.memory.as_deref().map(parse_bytes).transpose().context("`--memory`")?;
    job.targets_per_tile = arguments.targets_per_tile;
    job.cache.clone_from(&arguments.cache);
    job.shard = arguments.shard.as_deref().map(parse_shard).transpose()?;
    job.stop_after = arguments.stop_after;
    Ok(job)
}

/// What the fit needs, before it begins.
fn tell(plan: &Preflight) {
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

fn print(outcome: &Outcome) {
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
    let peak = outcome.peak_bytes.map_or_else(String::new, |peak| format!(", peak memory {}", bytes(peak)));
    say(format!(
        "{} in all, {:.0} % of the speed of plain products{peak}",
        clock(outcome.seconds.round() as u64),
        100.0 * outcome.share_of_floor
    ));
    say(format!("model: {}", outcome.model.display()));
}
