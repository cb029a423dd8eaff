//! Options of `fit` that would do nothing beside the others: they are refused, so that no record claims what was not done.

use anyhow::bail;

use crate::arguments::{Fit, FitPrecision, FitScore, Preset};

/// One option that has no effect, and why.
struct Unused {
    option: &'static str,
    because: &'static str,
}

/// Refuses the first option that would do nothing.
pub(super) fn refuse(arguments: &Fit) -> anyhow::Result<()> {
    if let Some(Unused { option, because }) = all(arguments).into_iter().next() {
        bail!("`{option}` does nothing here: {because} (leave it out)");
    }
    Ok(())
}

/// Every option that was given although nothing reads it.
fn all(given: &Fit) -> Vec<Unused> {
    let holds_out = given.folds.is_some() || given.chunks.is_some() || given.splits.is_some();
    let is_banded = given.x.len() > 1;
    let selects = given.select.is_some() || given.preset == Some(Preset::Fastl2lir);
    let mut unused = Vec::new();
    let mut refuse = |when: bool, options: &[(&'static str, bool)], because| {
        let given = options.iter().filter(|(_, is_given)| when && *is_given);
        unused.extend(given.map(|&(option, _)| Unused { option, because }));
    };
    refuse(given.merge, &merging(given), "`--merge` puts finished shards together and fits nothing");
    refuse(
        selects,
        &[
            ("--no-intercept", given.no_intercept),
            ("--standardize", given.standardize),
            ("--score", given.score.is_some()),
            ("--mean-over-folds", given.mean_over_folds),
            ("--folds", given.folds.is_some()),
            ("--groups", given.groups.is_some()),
            ("--chunks", given.chunks.is_some()),
            ("--splits", given.splits.is_some()),
            ("--stimuli", given.stimuli.is_some()),
            ("--extend", given.extend > 0),
            ("--shared", given.shared),
            ("--target-groups", given.target_groups.is_some()),
            ("--weights", given.weights.is_some()),
            ("--cache", given.cache.is_some()),
            ("--components", given.components.is_some()),
        ],
        "features are selected by their correlation, the intercept is always fitted, nothing is held out and all samples count alike",
    );
    refuse(
        given.kernel,
        &[
            ("--standardize", given.standardize),
            ("--components", given.components.is_some()),
            ("--cache", given.cache.is_some()),
        ],
        "only the products of samples are known, not their features",
    );
    refuse(
        is_banded || given.regions.is_some(),
        &[
            ("--shared", given.shared),
            ("--target-groups", given.target_groups.is_some()),
            ("--components", given.components.is_some()),
            ("--cache", given.cache.is_some()),
        ],
        "each feature space or region is fitted by itself, with a penalty for each target",
    );
    refuse(!is_banded, &[("--draws", given.draws.is_some())], "scales are drawn for several feature spaces only");
    refuse(
        !is_banded && given.chunks.is_none(),
        &[("--seed", given.seed.is_some())],
        "only draws of scales and of chunks are random",
    );
    refuse(
        !holds_out,
        &[("--stimuli", given.stimuli.is_some()), ("--allow-leaks", given.allow_leaks)],
        "without `--folds`, `--chunks` or `--splits` nothing can part the repeats of a stimulus",
    );
    refuse(
        given.stimuli.is_none(),
        &[("--allow-leaks", given.allow_leaks)],
        "without `--stimuli` leaks are not looked for",
    );
    refuse(
        !holds_out && given.groups.is_none(),
        &[("--mean-over-folds", given.mean_over_folds)],
        "every sample is held out by itself",
    );
    refuse(
        given.target_groups.is_some(),
        &[("--shared", given.shared)],
        "`--target-groups` says which targets share a penalty",
    );
    refuse(
        given.score == Some(FitScore::R) || given.preset == Some(Preset::Huth),
        &[("--precision f32", given.precision == Some(FitPrecision::F32))],
        "held-out correlations are made in f64",
    );
    unused
}

/// Everything but the model's folder and what is printed.
fn merging(given: &Fit) -> [(&'static str, bool); 26] {
    [
        ("--x", !given.x.is_empty()),
        ("--y", given.y.is_some()),
        ("--groups", given.groups.is_some()),
        ("--folds", given.folds.is_some()),
        ("--splits", given.splits.is_some()),
        ("--chunks", given.chunks.is_some()),
        ("--stimuli", given.stimuli.is_some()),
        ("--weights", given.weights.is_some()),
        ("--average", given.average.is_some()),
        ("--preset", given.preset.is_some()),
        ("--alphas", given.alphas.is_some()),
        ("--extend", given.extend > 0),
        ("--score", given.score.is_some()),
        ("--shared", given.shared),
        ("--target-groups", given.target_groups.is_some()),
        ("--standardize", given.standardize),
        ("--no-intercept", given.no_intercept),
        ("--kernel", given.kernel),
        ("--select", given.select.is_some()),
        ("--components", given.components.is_some()),
        ("--precision", given.precision.is_some()),
        ("--mask-missing", given.mask_missing),
        ("--targets-per-tile", given.targets_per_tile.is_some()),
        ("--cache", given.cache.is_some()),
        ("--shard", given.shard.is_some()),
        ("--stop-after", given.stop_after.is_some()),
    ]
}
