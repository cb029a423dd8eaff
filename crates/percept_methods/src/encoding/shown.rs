//! What the reports of one run and of an average over subjects show alike: which regions, tables of scores, where sets stand on an axis.

use percept_core::figure::{Axis, Positions};
use percept_core::outcome::{ArmSummary, Role};
use percept_core::score::ScoreRow;
use percept_pipeline::encoding::score::ALL;
use percept_pipeline::encoding::{Axes, Coordinate};

/// Rows of the tables of scores; more are only in `rows.json` and the figures.
const MOST_METHODS: usize = 40;
/// Metrics of the tables.
const METRICS: [&str; 3] = ["r", "r2", "significant"];
/// Regions that are drawn in one figure.
const MOST_REGIONS: usize = 8;

/// A row as a table shows it.
pub(super) struct Shown<'a> {
    pub(super) region: &'a str,
    pub(super) space: &'a str,
    pub(super) axes: &'a Axes,
    pub(super) metric: &'a str,
    pub(super) value: f64,
    pub(super) interval: Option<[f64; 2]>,
    pub(super) chance: Option<f64>,
    pub(super) n: usize,
}

/// Every set of features as a row of a table, one table for each of `regions`.
pub(super) fn tables(rows: &[Shown<'_>], regions: &[String]) -> (Vec<ArmSummary>, Vec<ScoreRow>) {
    let mut arms: Vec<ArmSummary> = Vec::new();
    let mut scores = Vec::new();
    let is_shown =
        |row: &&Shown<'_>| METRICS.contains(&row.metric) && regions.iter().any(|region| region == row.region);
    for row in rows.iter().filter(is_shown) {
        let name = if row.axes.is_empty() { row.space.to_owned() } else { format!("{} {}", row.space, row.axes) };
        if !arms.iter().any(|arm| arm.name == name) {
            if arms.len() == MOST_METHODS {
                continue;
            }
            let description = format!(
                "The features `{}`{}.",
                row.space,
                if row.axes.is_empty() { String::new() } else { format!(" at {}", row.axes) }
            );
            arms.push(ArmSummary {
                name: name.clone(),
                role: Role::Method,
                short: String::new(),
                description,
                n_draws: 0,
            });
        }
        let [low, high] = row.interval.unwrap_or([row.value; 2]);
        scores.push(ScoreRow {
            method: name,
            split: row.region.to_owned(),
            metric: row.metric.to_owned(),
            value: row.value,
            low,
            high,
            chance: row.chance,
            n: row.n,
            n_undefined: 0,
        });
    }
    (arms, scores)
}

/// The regions that are shown, in the order of the rows; of an atlas with many, that of all units and those that are predicted best.
pub(super) fn regions(rows: &[Shown<'_>]) -> Vec<String> {
    let mut most: Vec<(&str, f64)> = Vec::new();
    for row in rows {
        let r = if row.metric == "r" { row.value } else { f64::NEG_INFINITY };
        match most.iter_mut().find(|(region, _)| *region == row.region) {
            Some((_, known)) => *known = known.max(r),
            None => most.push((row.region, r)),
        }
    }
    if most.len() > MOST_REGIONS {
        most.sort_by(|(a, r_of_a), (b, r_of_b)| (*b == ALL).cmp(&(*a == ALL)).then(r_of_b.total_cmp(r_of_a)));
        most.truncate(MOST_REGIONS);
    }
    most.into_iter().map(|(region, _)| region.to_owned()).collect()
}

/// What is to be said of regions that are not shown; nothing where all `n_regions` are.
pub(super) fn left_out(n_regions: usize, shown: &[String]) -> String {
    if n_regions <= shown.len() {
        return String::new();
    }
    format!(
        " Of {n_regions} regions the {} with the largest r are shown, which flatters them a little; `rows.json` has all.",
        shown.len() - 1
    )
}

/// Where each set stands on the x axis: by number where there is one ascending axis of numbers, else by name.
pub(super) fn positions(sets: &[&Axes]) -> (Positions, Vec<f64>) {
    let number = |axes: &&Axes| {
        let mut all = axes.iter();
        match (all.next(), all.next()) {
            (Some((_, Coordinate::Number(number))), None) => Some(*number),
            _ => None,
        }
    };
    let names = |axes: &&Axes| axes.iter().map(|(name, _)| name).collect::<Vec<_>>().join(", ");
    let label = sets.first().map_or_else(String::new, names);
    match sets.iter().map(number).collect::<Option<Vec<f64>>>() {
        Some(numbers) if numbers.windows(2).all(|pair| pair[0] < pair[1]) => {
            (Positions::Numbers { axis: Axis::plain(label) }, numbers)
        }
        _ => {
            let names = sets.iter().map(ToString::to_string).collect();
            (Positions::Categories { label, names }, (0..sets.len()).map(|place| place as f64).collect())
        }
    }
}
