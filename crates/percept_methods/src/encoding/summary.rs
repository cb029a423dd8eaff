//! The outcome of a run: what the report shows.

use percept_core::Outcome;
use percept_core::outcome::{DataSummary, MetricFacts, RegionSummary, Unit};
use percept_pipeline::PipelineError;
use percept_pipeline::data::recording::Timing;
use percept_pipeline::encoding::plan::plural;

use super::models::{Bench, Found};
use super::rows::EncodingRow;
use super::sections;
use super::shown::{Shown, regions, tables};

/// The outcome.
pub(super) fn outcome(
    bench: &Bench<'_>,
    found: &Found,
    rows: &[EncodingRow],
    warnings: Vec<String>,
) -> Result<Outcome, PipelineError> {
    let all: Vec<Shown<'_>> = rows
        .iter()
        .map(|row| Shown {
            region: &row.region,
            space: &row.space,
            axes: &row.axes,
            metric: &row.metric,
            value: row.value,
            interval: row.low.zip(row.high).map(|(low, high)| [low, high]),
            chance: row.chance,
            n: row.n,
        })
        .collect();
    let shown = regions(&all);
    let (arms, scores) = tables(&all, &shown);
    Ok(Outcome {
        name: bench.experiment.name.clone(),
        lead: lead(bench),
        warnings,
        data: data(bench, &shown),
        decoders: Vec::new(),
        main: None,
        arms,
        metrics: metrics(bench),
        scores,
        differences: Vec::new(),
        items: Vec::new(),
        sections: sections::sections(bench, found, &shown)?,
        experiment: bench.experiment.resolved(),
        provenance: bench.record.clone(),
    })
}

fn lead(bench: &Bench<'_>) -> String {
    let names: Vec<String> = bench.experiment.spaces.iter().map(|(name, _)| format!("`{name}`")).collect();
    format!(
        "Responses of {} units of {} predicted from {}: every number comes from {} that the fit never saw.",
        bench.data.responses.ncols(),
        bench.data.subject,
        names.join(", "),
        plural(bench.data.group_word())
    )
}

fn metrics(bench: &Bench<'_>) -> Vec<MetricFacts> {
    let fact = |name: &str, label: &str, description: String, unit| MetricFacts {
        name: name.to_owned(),
        label: label.to_owned(),
        description,
        unit,
        lower_is_better: false,
        chance: Some(0.0),
    };
    let null = if bench.judge.permutes() { "permutations" } else { "the t distribution of r" };
    vec![
        fact(
            "r",
            "r",
            "Correlation of held-out predictions with responses, each less its mean in the fold; the mean over the units of a region."
                .to_owned(),
            Unit::Plain,
        ),
        fact(
            "r2",
            "R²",
            "1 less the squared error of held-out predictions over that of predicting the mean of what was fitted on; below 0 where \
             this mean would be better. Most units of a brain do not see what a space holds, so a mean over all of them is small."
                .to_owned(),
            Unit::Plain,
        ),
        fact(
            "significant",
            "significant",
            format!(
                "Share of units whose r is above chance by {null}, at a false discovery rate of {} over all units. Of one subject it is a \
                 count and has no interval.",
                bench.experiment.statistics.rate
            ),
            Unit::Percent,
        ),
    ]
}

fn data(bench: &Bench<'_>, shown: &[String]) -> DataSummary {
    let folds = &bench.plan.folds;
    let n_train = folds.iter().map(|fold| fold.train.len()).sum::<usize>() / folds.len().max(1);
    let groups_of = |samples: &[usize]| {
        let mut groups: Vec<usize> = samples.iter().map(|&sample| bench.data.group_of_sample[sample]).collect();
        groups.sort_unstable();
        groups.dedup();
        groups.len()
    };
    let mut tested = bench.plan.group_of_item.clone();
    tested.sort_unstable();
    tested.dedup();
    let ceiling_of = |units: &[usize]| {
        let mut known: Vec<f64> = bench
            .judge
            .ceiling
            .as_ref()
            .map_or_else(Vec::new, |all| units.iter().filter_map(|&unit| all[unit]).collect());
        known.sort_by(f64::total_cmp);
        (!known.is_empty()).then(|| known[known.len() / 2])
    };
    let regions = bench
        .judge
        .regions
        .iter()
        .filter(|(name, _)| shown.contains(name))
        .map(|(name, units)| RegionSummary {
            name: name.clone(),
            selector: bench
                .data
                .regions
                .iter()
                .find(|region| region.name == *name)
                .map(|region| region.selector.clone())
                .unwrap_or_default(),
            n_units: units.len(),
            n_dropped: 0,
            ncsnr_median: None,
            ceiling_median: ceiling_of(units),
        })
        .collect();
    let (group, sample) = match bench.data.timing {
        Timing::Trials => ("stimulus", "trial"),
        Timing::Series { group, sample, .. } => (group, sample),
    };
    let n_groups = folds.iter().map(|fold| groups_of(&fold.train)).sum::<usize>() / folds.len().max(1);
    let n_test = bench.plan.items.iter().map(Vec::len).sum::<usize>();
    let split = format!(
        "held out: {}; fitted on {n_train} {sample}s of {n_groups} {} (the mean over folds), tested on {n_test} {sample}s of {} {}",
        bench.plan.words,
        plural(group),
        tested.len(),
        plural(group)
    );
    DataSummary {
        subject: bench.data.subject.clone(),
        source: bench.data.source.clone(),
        split,
        regions,
        ..DataSummary::default()
    }
}
