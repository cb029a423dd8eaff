//! The rows of a run: one for every region, set of features and quantity.

use std::borrow::Cow;

use percept_pipeline::encoding::Axes;
use percept_pipeline::encoding::features::Point;
use percept_pipeline::encoding::score::{ModelScores, RegionEstimate};
use percept_stats::best::marginal;
use serde::{Deserialize, Serialize};

use super::models::{Bench, BestOfSpace, Found};

/// One quantity of one set of features in one region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncodingRow {
    /// The region; `all` for all units.
    pub region: String,
    /// The space, or several joined by `+`.
    pub space: String,
    /// Layer, step, block, phase; empty where the space has one set.
    pub axes: Axes,
    /// What is counted: `r`, `r2`, `significant`, `r_of_ceiling`, `best_probability`, `margin`, `unique_r2`, `unique_r`, `common_r2`,
    /// `accuracy`; of a simulated subject `planted_found`, `planted_unique_r2`, `planted_fits_unique_r2`,
    /// `planted_within`.
    pub metric: Cow<'static, str>,
    /// The mean over the units of the region, or the share of them.
    pub value: f64,
    /// Lower end of the 95 % bootstrap interval over stimuli or blocks of time.
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
    /// What chance gives, where it is known.
    pub chance: Option<f64>,
    /// What any model could reach, in the units of the value.
    pub ceiling: Option<f64>,
    /// Units, or items that were decoded.
    pub n: usize,
}

/// All rows of a run.
pub(super) fn rows(bench: &Bench<'_>, found: &Found) -> Vec<EncodingRow> {
    let mut rows = Vec::new();
    for model in found.models.iter().flatten() {
        scores(bench, &model.point.space, &model.point.axes, &model.scores, &mut rows);
    }
    for joint in &found.joint {
        scores(bench, &joint.names.join("+"), &joint.axes, &joint.scores, &mut rows);
        for (name, regions) in joint.parts.names.iter().zip(&joint.parts.regions) {
            let Some((metric, space)) = name.split_once(':') else { continue };
            let metric = match metric {
                "unique_r2" => "unique_r2",
                "unique_r" => "unique_r",
                _ => "common_r2",
            };
            let of = |estimate: &RegionEstimate| row(space, &joint.axes, metric, estimate, Some(0.0), None);
            rows.extend(regions.iter().filter_map(of));
        }
    }
    for best in &found.best {
        best_rows(&found.spaces[best.space], best, bench.judge.ceiling.is_some(), &mut rows);
    }
    if let Some(decoded) = &found.decoded {
        rows.push(decoded.row());
    }
    rows
}

fn scores(bench: &Bench<'_>, space: &str, axes: &Axes, scores: &ModelScores, rows: &mut Vec<EncodingRow>) {
    let null = scores.null.as_deref().map_or(Some(0.0), mean_of_bins);
    for estimate in &scores.r_of_region {
        let ceiling = mean_ceiling(bench, &estimate.region, f64::sqrt);
        rows.extend(row(space, axes, "r", estimate, null, ceiling));
    }
    for estimate in &scores.r2_of_region {
        let ceiling = mean_ceiling(bench, &estimate.region, |share| share);
        rows.extend(row(space, axes, "r2", estimate, Some(0.0), ceiling));
    }
    for (region, units) in &bench.judge.regions {
        let tested: Vec<f64> = units.iter().filter_map(|&unit| scores.adjusted[unit]).collect();
        if tested.is_empty() {
            continue;
        }
        let n_found = tested.iter().filter(|p| **p <= bench.experiment.statistics.rate).count();
        rows.push(EncodingRow {
            region: region.clone(),
            space: space.to_owned(),
            axes: axes.clone(),
            metric: "significant".into(),
            value: n_found as f64 / tested.len() as f64,
            low: None,
            high: None,
            chance: Some(0.0),
            ceiling: None,
            n: tested.len(),
        });
    }
}

fn row(
    space: &str,
    axes: &Axes,
    metric: &'static str,
    of: &RegionEstimate,
    chance: Option<f64>,
    ceiling: Option<f64>,
) -> Option<EncodingRow> {
    let estimate = of.estimate?;
    Some(EncodingRow {
        region: of.region.clone(),
        space: space.to_owned(),
        axes: axes.clone(),
        metric: metric.into(),
        value: estimate.value,
        low: Some(estimate.low),
        high: Some(estimate.high),
        chance,
        ceiling,
        n: of.n_units,
    })
}

/// The mean ceiling over the units of a region, each through `form`.
fn mean_ceiling(bench: &Bench<'_>, region: &str, form: impl Fn(f64) -> f64) -> Option<f64> {
    let ceiling = bench.judge.ceiling.as_ref()?;
    let (_, units) = bench.judge.regions.iter().find(|(name, _)| name == region)?;
    let known: Vec<f64> = units.iter().filter_map(|&unit| ceiling[unit]).map(form).collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

/// The mean of a histogram over −1..=1.
fn mean_of_bins(bins: &[u64]) -> Option<f64> {
    let total: u64 = bins.iter().sum();
    let middle = |bin: usize| 2.0 * (bin as f64 + 0.5) / bins.len() as f64 - 1.0;
    let sum: f64 = bins.iter().enumerate().map(|(bin, &count)| count as f64 * middle(bin)).sum();
    (total > 0).then(|| sum / total as f64)
}

fn best_rows(points: &[Point], best: &BestOfSpace, has_ceiling: bool, rows: &mut Vec<EncodingRow>) {
    for (region, found) in &best.sets.regions {
        let mut push =
            |axes: &Axes, metric: &'static str, value: f64, interval: Option<[f64; 2]>, chance: Option<f64>| {
                rows.push(EncodingRow {
                    region: region.clone(),
                    space: points[0].space.clone(),
                    axes: axes.clone(),
                    metric: metric.into(),
                    value,
                    low: interval.map(|[low, _]| low),
                    high: interval.map(|[_, high]| high),
                    chance,
                    ceiling: None,
                    n: found.n_units,
                });
            };
        let chance = Some(1.0 / points.len() as f64);
        for (point, &probability) in points.iter().zip(&found.probability) {
            push(&point.axes, "best_probability", probability, None, chance);
        }
        for (point, estimate) in points.iter().zip(&found.profile) {
            if let (Some(estimate), true) = (estimate, has_ceiling) {
                push(&point.axes, "r_of_ceiling", estimate.value, Some([estimate.low, estimate.high]), None);
            }
        }
        push(
            &points[found.candidate].axes,
            "margin",
            found.margin.value,
            Some([found.margin.low, found.margin.high]),
            Some(0.0),
        );
        let axes: Vec<&str> = points[0].axes.iter().map(|(name, _)| name).collect();
        if axes.len() < 2 {
            continue;
        }
        for axis in axes {
            let (values, of_point) = along(points, axis);
            let Ok(shares) = marginal(&found.probability, &of_point) else { continue };
            for (value, share) in values.iter().zip(shares) {
                push(&Axes::one(axis, value), "best_probability", share, None, Some(1.0 / values.len() as f64));
            }
        }
    }
}

/// The different coordinates on an axis in order of appearance, and the number of each point's.
pub(super) fn along(points: &[Point], axis: &str) -> (Vec<String>, Vec<usize>) {
    let mut values: Vec<String> = Vec::new();
    let of_point = points
        .iter()
        .map(|point| {
            let value = point.axes.get(axis).map(ToString::to_string).unwrap_or_default();
            values.iter().position(|known| *known == value).unwrap_or_else(|| {
                values.push(value);
                values.len() - 1
            })
        })
        .collect();
    (values, of_point)
}
