//! `percept fit`: ridge regression on files, streamed and resumable; `percept fit --merge` puts shards together.

#[cfg_attr(not(feature = "mpi"), path = "fit/alone.rs")]
mod company;
mod said;
mod unused;

use anyhow::{Context, bail};
use percept::io::array::Reference;
use percept::linear::fit::{clear_abandoned, fit};
use percept::linear::job::{FitJob, HoldOut, Method, Missing, Precision};
use percept::linear::shard::merge;
use percept::regress::{AlphaChoice, Pooling, RidgeParams, Score, TAKAGI2023_ALPHAS};

use crate::arguments::{Fit, FitPrecision, FitScore, Preset};
use crate::output::{json, say};
use crate::progress::Bars;
use crate::settings::{parse_alphas, parse_bytes, parse_chunks, parse_shard};

/// The seed of draws and chunks unless another is given.
const SEED: u64 = 1;
/// Scales drawn for several feature spaces unless another number is given.
const DRAWS: usize = 50;

/// Fits, or merges shards.
pub(crate) fn run(arguments: &Fit) -> anyhow::Result<()> {
    unused::refuse(arguments)?;
    if arguments.merge {
        let description = merge(&arguments.out, &Bars::new())?;
        say(format!("model: {} ({} targets)", arguments.out.display(), description.n_targets));
        return if arguments.json { json(&description) } else { Ok(()) };
    }
    let job = job(arguments)?;
    if company::fit(arguments, &job)? {
        return Ok(());
    }
    clear_abandoned(&job.out)?;
    let outcome = fit(&job, &mut said::needs, &Bars::new())?;
    if arguments.json {
        return json(&outcome);
    }
    said::outcome(&outcome);
    Ok(())
}

fn job(arguments: &Fit) -> anyhow::Result<FitJob> {
    let list = |text: &Option<String>| -> anyhow::Result<Option<Reference>> {
        Ok(text.as_deref().map(str::parse).transpose()?)
    };
    let mut x = arguments.x.iter().map(|text| Ok(text.parse()?)).collect::<anyhow::Result<Vec<Reference>>>()?;
    let (false, Some(y)) = (x.is_empty(), list(&arguments.y)?) else {
        bail!("`--x` and `--y` are needed (or `--merge` to put shards together)");
    };
    let bands = x.split_off(1);
    let params = params(arguments)?;
    let mut job = FitJob::new(x.remove(0), y, hold_out(arguments)?, params, arguments.out.clone());
    job.method = method(arguments, !bands.is_empty())?;
    job.bands = bands;
    job.average = list(&arguments.average)?;
    job.components = arguments.components;
    job.stimuli = list(&arguments.stimuli)?;
    job.allow_leaks = arguments.allow_leaks;
    job.weights = list(&arguments.weights)?;
    job.target_groups = list(&arguments.target_groups)?;
    job.precision = match arguments.precision {
        None | Some(FitPrecision::F32) => Precision::Single,
        Some(FitPrecision::F64) => Precision::Double,
    };
    job.missing = if arguments.mask_missing { Missing::Mask } else { Missing::Refuse };
    job.memory = arguments.memory.as_deref().map(parse_bytes).transpose().context("`--memory`")?;
    job.targets_per_tile = arguments.targets_per_tile;
    job.cache.clone_from(&arguments.cache);
    job.shard = arguments.shard.as_deref().map(parse_shard).transpose()?;
    job.stop_after = arguments.stop_after;
    Ok(job)
}

/// What is held out in turn.
fn hold_out(arguments: &Fit) -> anyhow::Result<HoldOut> {
    let parse = |text: &Option<String>| -> anyhow::Result<Option<Reference>> {
        Ok(text.as_deref().map(str::parse).transpose()?)
    };
    let chunks = arguments.chunks.as_deref().map(parse_chunks).transpose()?;
    let groups = parse(&arguments.groups)?;
    Ok(match (parse(&arguments.splits)?, chunks, arguments.folds, groups) {
        (Some(splits), None, None, None) => HoldOut::Splits(splits),
        (None, Some([length, held, draws]), None, None) => {
            HoldOut::Chunks { length, held, draws, seed: arguments.seed.unwrap_or(SEED) }
        }
        (None, None, Some(k), groups) => HoldOut::Folds(k, groups),
        (None, None, None, Some(groups)) => HoldOut::Groups(groups),
        (None, None, None, None) => match arguments.preset {
            Some(Preset::Himalaya | Preset::Takagi2023) => HoldOut::Folds(5, None),
            Some(Preset::Huth) => bail!(
                "`--preset huth` averages correlations over draws of chunks, so say which (as `--chunks 40:20:15`, or give `--folds`, `--groups` or `--splits`)"
            ),
            _ => HoldOut::Samples,
        },
        _ => bail!(
            "`--splits` and `--chunks` say already what is held out (give one of them, or `--folds` and `--groups`)"
        ),
    })
}

/// The settings of the regression.
fn params(arguments: &Fit) -> anyhow::Result<RidgeParams> {
    let grid = |default: &dyn Fn() -> Vec<f64>| match &arguments.alphas {
        Some(text) => parse_alphas(text),
        None => Ok(default()),
    };
    let params = match arguments.preset {
        Some(Preset::Sklearn) => {
            // Its leave-one-out is one weighted mean over all samples; with folds it is a mean over them.
            let by_sample = matches!(hold_out(arguments)?, HoldOut::Samples);
            let pooling = if by_sample { Pooling::Samples } else { Pooling::Folds };
            RidgeParams { pooling, ..RidgeParams::sklearn(grid(&|| vec![0.1, 1.0, 10.0])?) }
        }
        Some(Preset::Himalaya) => RidgeParams::himalaya(grid(&|| vec![0.1, 1.0])?),
        Some(Preset::Takagi2023) => RidgeParams::takagi2023(grid(&|| TAKAGI2023_ALPHAS.to_vec())?),
        Some(Preset::Huth) => {
            RidgeParams::huth(&grid(&|| (0..10).map(|step| 10f64.powf(1.0 + f64::from(step) * 2.0 / 9.0)).collect())?)
        }
        Some(Preset::Fastl2lir) => {
            RidgeParams { standardize: false, alphas: grid(&|| vec![1.0])?, ..RidgeParams::default() }
        }
        None => RidgeParams {
            alphas: parse_alphas(arguments.alphas.as_deref().unwrap_or("1:1e7:8"))?,
            score: match arguments.score {
                None | Some(FitScore::R2) => Score::R2,
                Some(FitScore::Mse) => Score::NegMse,
                Some(FitScore::R) => Score::Pearson,
            },
            intercept: !arguments.no_intercept,
            standardize: arguments.standardize,
            pooling: if arguments.mean_over_folds { Pooling::Folds } else { Pooling::Samples },
            ..RidgeParams::default()
        },
    };
    let choice = if arguments.shared { AlphaChoice::Shared } else { AlphaChoice::PerTarget };
    Ok(RidgeParams { choice, extend: arguments.extend, ..params })
}

/// Which regression is asked for.
fn method(arguments: &Fit, has_bands: bool) -> anyhow::Result<Method> {
    let is_fastl2lir = arguments.preset == Some(Preset::Fastl2lir);
    let selects = arguments.select.is_some() || is_fastl2lir;
    let asked = [has_bands, arguments.kernel, selects, arguments.regions.is_some()];
    if asked.iter().filter(|asked| **asked).count() > 1 {
        bail!("several `--x`, `--kernel`, `--select` and `--regions` exclude each other (give one of them)");
    }
    Ok(match &arguments.regions {
        Some(list) => {
            Method::Regions { of_feature: list.parse()?, n_best: arguments.best, per_target: arguments.best_per_target }
        }
        None if has_bands => {
            Method::Banded { n_draws: arguments.draws.unwrap_or(DRAWS), seed: arguments.seed.unwrap_or(SEED) }
        }
        None if arguments.kernel => Method::Kernel,
        None if selects => {
            Method::Selected { n_features: arguments.select.unwrap_or(usize::MAX), penalize_intercept: is_fastl2lir }
        }
        None => Method::Ridge,
    })
}
