//! What the report shows beside its tables: profiles over layers, matrices of steps and blocks, unique parts, distributions of r
//! against chance, decoded categories.

use percept_core::Section;
use percept_core::figure::{Axis, Curve, Estimate, Estimates, Figure, Level, Lines, Matrix, Panel, Positions, Series};
use percept_pipeline::PipelineError;
use percept_pipeline::encoding::Axes;
use percept_pipeline::encoding::features::Point;
use percept_pipeline::encoding::score::{ALL, RegionEstimate};
use percept_stats::permutation::Shuffle;
use percept_stats::significance::{Side, correlation_p_values, false_discovery};
use percept_stats::{ItemScores, resampling};

use super::models::{Bench, Found, Model};
use super::rows::along;
use super::shown::{left_out, positions};
use super::{cortex, driving};

/// Regions with a matrix of their own.
const MOST_MATRICES: usize = 4;

/// All sections, in the order of the page.
pub(super) fn sections(bench: &Bench<'_>, found: &Found, shown: &[String]) -> Result<Vec<Section>, PipelineError> {
    let mut all = vec![spaces(bench, found, shown)];
    for (number, models) in found.models.iter().enumerate().filter(|(_, models)| models.len() > 1) {
        all.push(profile(bench, found, shown, number, models));
    }
    if !found.joint.is_empty() {
        all.push(parts(bench, found, shown));
    }
    all.push(distributions(bench, found)?);
    if let Some(decoded) = &found.decoded {
        all.push(confusion(decoded));
    }
    let (figures, notes) = driving::figures(bench, found, shown)?;
    // Maps stand where the eye goes first, behind the scores of the spaces.
    if let Some(maps) = cortex::section(bench, found, notes)? {
        all.insert(1, maps);
    }
    if !figures.is_empty() {
        let text = "For the unit of each region that is predicted best: what makes its held-out prediction largest."
            .to_owned();
        all.push(Section { title: "What drives each region".to_owned(), text, figures });
    }
    all.push(limits(bench, found));
    Ok(all)
}

fn estimate(x: usize, estimate: &resampling::Estimate) -> Estimate {
    Estimate { x: x as f64, value: estimate.value, interval: Some([estimate.low, estimate.high]) }
}

fn of_region<'a>(regions: &'a [RegionEstimate], name: &str) -> Option<&'a resampling::Estimate> {
    regions.iter().find(|of| of.region == name).and_then(|of| of.estimate.as_ref())
}

/// The mean ceiling of r over all units.
fn ceiling_level(bench: &Bench<'_>) -> Vec<Level> {
    let Some(ceiling) = &bench.judge.ceiling else { return Vec::new() };
    let known: Vec<f64> = ceiling.iter().flatten().map(|share| share.sqrt()).collect();
    if known.is_empty() {
        return Vec::new();
    }
    let value = known.iter().sum::<f64>() / known.len() as f64;
    vec![Level { name: "noise ceiling (all)".to_owned(), value, interval: None }]
}

/// The set of a space that predicts all units best on average.
fn best_model(models: &[Model]) -> Option<&Model> {
    let mean = |model: &&Model| of_region(&model.scores.r_of_region, ALL).map_or(f64::NEG_INFINITY, |of| of.value);
    models.iter().max_by(|a, b| mean(a).total_cmp(&mean(b)))
}

/// Every space at its best set, side by side.
fn spaces(bench: &Bench<'_>, found: &Found, shown: &[String]) -> Section {
    let best: Vec<&Model> = found.models.iter().filter_map(|models| best_model(models)).collect();
    let mut names: Vec<String> = best.iter().map(|model| model.point.words()).collect();
    let whole: Vec<_> = found.joint.iter().collect();
    names.extend(whole.iter().map(|joint| {
        let axes = if joint.axes.is_empty() { String::new() } else { format!(" ({})", joint.axes) };
        format!("{}{axes}", joint.names.join(" + "))
    }));
    let series = shown
        .iter()
        .map(|region| {
            let alone = best.iter().map(|model| of_region(&model.scores.r_of_region, region));
            let joint = whole.iter().map(|joint| of_region(&joint.scores.r_of_region, region));
            let points = alone.chain(joint).enumerate().filter_map(|(x, of)| Some(estimate(x, of?))).collect();
            Series { name: region.clone(), points }
        })
        .collect();
    let several = found.models.iter().any(|models| models.len() > 1);
    let chosen = if several {
        " Of a space with several layers, steps or blocks the best one over all units is shown, which flatters it a little: \
         see its profile."
    } else {
        ""
    };
    let left_out = left_out(bench.judge.regions.len(), shown);
    Section {
        title: "Spaces side by side".to_owned(),
        text: format!(
            "Correlation of held-out predictions with the responses, averaged over the units of each region, with 95 % \
             intervals.{chosen}{left_out}"
        ),
        figures: vec![Figure::Estimates(Estimates {
            title: "r of every space".to_owned(),
            caption: "Higher is better; 0 is chance.".to_owned(),
            x: Positions::Categories { label: "space".to_owned(), names },
            y: Axis::plain("r"),
            series,
            levels: ceiling_level(bench),
        })],
    }
}

/// A space with several sets: r over its axes, and how surely each set is the best.
fn profile(bench: &Bench<'_>, found: &Found, shown: &[String], number: usize, models: &[Model]) -> Section {
    let points = &found.spaces[number];
    let axes: Vec<&str> = points[0].axes.iter().map(|(name, _)| name).collect();
    let mut figures = Vec::new();
    match axes.as_slice() {
        [rows, columns] => {
            for region in shown.iter().take(MOST_MATRICES) {
                let values: Vec<Option<f64>> = models
                    .iter()
                    .map(|model| of_region(&model.scores.r_of_region, region).map(|of| of.value))
                    .collect();
                figures.extend(matrix(points, rows, columns, region, "r", &values));
            }
        }
        _ => figures.push(curve(bench, shown, points, models)),
    }
    let best = found.best.iter().find(|best| best.space == number);
    if let Some(best) = best {
        let names: Vec<String> = points.iter().map(|point| point.axes.to_string()).collect();
        let rows: Vec<&(String, percept_stats::best::Best)> =
            shown.iter().filter_map(|name| best.sets.regions.iter().find(|(region, _)| region == name)).collect();
        if let [rows_axis, columns_axis] = axes.as_slice() {
            for (region, of) in rows.iter().take(MOST_MATRICES) {
                let values: Vec<Option<f64>> = of.probability.iter().map(|p| Some(*p)).collect();
                figures.extend(matrix(points, rows_axis, columns_axis, region, "probability of being best", &values));
            }
        } else {
            figures.push(Figure::Matrix(Matrix {
                title: "How surely each set is the best".to_owned(),
                caption: "The share of bootstrap draws in which a set predicts the region best: never a bare maximum."
                    .to_owned(),
                row_label: "region".to_owned(),
                rows: rows.iter().map(|(region, _)| region.clone()).collect(),
                column_label: axes.join(", "),
                columns: names,
                quantity: Axis::plain("probability of being best"),
                values: rows.iter().map(|(_, of)| of.probability.clone()).collect(),
            }));
        }
        figures.push(shares(bench, shown, points, &best.sets.units));
    }
    let least = bench.experiment.statistics.least_ceiling;
    let ceiling = if bench.judge.ceiling.is_some() {
        format!(" Best sets are counted over units whose noise ceiling is at least {least}, by r over the ceiling.")
    } else {
        String::new()
    };
    Section {
        title: format!("Profile of {}", points[0].space),
        text: format!("`{}` over {}.{ceiling}", points[0].space, axes.join(" and ")),
        figures,
    }
}

/// r along one axis, or over all sets in their order.
fn curve(bench: &Bench<'_>, shown: &[String], points: &[Point], models: &[Model]) -> Figure {
    let sets: Vec<&Axes> = points.iter().map(|point| &point.axes).collect();
    let (x, places) = positions(&sets);
    let series = shown
        .iter()
        .map(|region| {
            let points = models
                .iter()
                .enumerate()
                .filter_map(|(position, model)| {
                    let of = of_region(&model.scores.r_of_region, region)?;
                    Some(Estimate { x: places[position], ..estimate(position, of) })
                })
                .collect();
            Series { name: region.clone(), points }
        })
        .collect();
    Figure::Estimates(Estimates {
        title: format!("r of {} along its axis", points[0].space),
        caption: "Mean over the units of each region, with 95 % intervals.".to_owned(),
        x,
        y: Axis::plain("r"),
        series,
        levels: ceiling_level(bench),
    })
}

fn matrix(
    points: &[Point],
    rows_axis: &str,
    columns_axis: &str,
    region: &str,
    quantity: &str,
    values: &[Option<f64>],
) -> Option<Figure> {
    let (rows, row_of) = along(points, rows_axis);
    let (columns, column_of) = along(points, columns_axis);
    if rows.len() * columns.len() != points.len() {
        return None;
    }
    let mut table = vec![vec![0.0; columns.len()]; rows.len()];
    for (point, value) in values.iter().enumerate() {
        table[row_of[point]][column_of[point]] = (*value)?;
    }
    Some(Figure::Matrix(Matrix {
        title: format!("{quantity}: {region}"),
        caption: format!("`{}`, {rows_axis} downwards, {columns_axis} to the right.", points[0].space),
        row_label: rows_axis.to_owned(),
        rows,
        column_label: columns_axis.to_owned(),
        columns,
        quantity: Axis::plain(quantity),
        values: table,
    }))
}

/// How many units have each set as their best.
fn shares(
    bench: &Bench<'_>,
    shown: &[String],
    points: &[Point],
    units: &[Option<percept_pipeline::encoding::score::BestUnit>],
) -> Figure {
    let series = shown
        .iter()
        .filter_map(|name| bench.judge.regions.iter().find(|(region, _)| region == name))
        .map(|(region, of)| {
            let best: Vec<usize> = of.iter().filter_map(|&unit| units[unit].map(|best| best.candidate)).collect();
            let share = |set: usize| best.iter().filter(|best| **best == set).count() as f64 / best.len().max(1) as f64;
            let points =
                (0..points.len()).map(|set| Estimate { x: set as f64, value: share(set), interval: None }).collect();
            Series { name: format!("{region} ({} units)", best.len()), points }
        })
        .collect();
    Figure::Estimates(Estimates {
        title: "Share of units by their best set".to_owned(),
        caption: "The set that is best in most draws, unit by unit.".to_owned(),
        x: Positions::Categories {
            label: "set".to_owned(),
            names: points.iter().map(|point| point.axes.to_string()).collect(),
        },
        y: Axis::plain("share of units"),
        series,
        levels: Vec::new(),
    })
}

/// Unique and common parts of spaces that were fitted together.
fn parts(bench: &Bench<'_>, found: &Found, shown: &[String]) -> Section {
    let mut figures = Vec::new();
    for (prefix, title, caption) in [
        ("unique_r2:", "Unique parts as a difference of R²", "R² of all spaces less R² without one."),
        (
            "unique_r:",
            "Unique parts as a difference of r",
            "r of all spaces less r without one: not the same number as that of R².",
        ),
        (
            "common_r2:",
            "What spaces explain in common",
            "The part of R² that exactly these spaces share; below 0 where one hides what another explains.",
        ),
    ] {
        let mut names: Vec<String> = Vec::new();
        let mut series: Vec<Series> =
            shown.iter().map(|name| Series { name: name.clone(), points: Vec::new() }).collect();
        for joint in &found.joint {
            for (name, regions) in joint.parts.names.iter().zip(&joint.parts.regions) {
                let Some(space) = name.strip_prefix(prefix) else { continue };
                let x = names.len();
                names.push(if joint.axes.is_empty() { space.to_owned() } else { format!("{space} ({})", joint.axes) });
                for of in &mut series {
                    of.points.extend(of_region(regions, &of.name).map(|found| estimate(x, found)));
                }
            }
        }
        if !names.is_empty() {
            figures.push(Figure::Estimates(Estimates {
                title: title.to_owned(),
                caption: format!("{caption} Mean over the units of each region, with 95 % intervals."),
                x: Positions::Categories { label: "space".to_owned(), names },
                y: Axis::plain(if prefix == "unique_r:" { "difference of r" } else { "difference of R²" }),
                series,
                levels: Vec::new(),
            }));
        }
    }
    Section {
        title: "What each space adds".to_owned(),
        text: format!(
            "The spaces {} in one {} regression, and in one for every selection of them.",
            bench.experiment.encode.together.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
            bench.experiment.encode.model.name()
        ),
        figures,
    }
}

/// r of all units against what chance gives.
fn distributions(bench: &Bench<'_>, found: &Found) -> Result<Section, PipelineError> {
    let mut panels = Vec::new();
    let mut naive = Vec::new();
    for model in found.models.iter().filter_map(|models| best_model(models)) {
        let r: Vec<f64> = model.scores.r.iter().flatten().map(|of| of.value).collect();
        let bins = Bins::around(&r, model.scores.null.as_deref());
        let null = match &model.scores.null {
            Some(null) => bins.of_null(null),
            None => bins.analytic(bench.judge.n_items()),
        };
        panels.push(Panel {
            title: model.point.words(),
            y: Axis::plain("share of units"),
            series: vec![
                Curve { name: "units".to_owned(), points: bins.of_units(&r) },
                Curve { name: "chance".to_owned(), points: null },
            ],
        });
        if bench.judge.permutes() && !bench.data.is_trials() {
            let values = ItemScores { values: model.scores.r.iter().map(|of| of.map(|of| of.value)).collect() };
            let p: Vec<f64> =
                correlation_p_values(&values, bench.judge.n_items(), Side::Greater)?.into_iter().flatten().collect();
            let rate = bench.experiment.statistics.rate;
            if !p.is_empty() {
                let naively = false_discovery(&p, rate)?.rejected.iter().filter(|rejected| **rejected).count();
                let ours = model.scores.adjusted.iter().flatten().filter(|p| **p <= rate).count();
                naive.push(format!("`{}`: {ours} units, where a t-test would name {naively}", model.point.words()));
            }
        }
    }
    let text = if bench.judge.permutes() {
        let what = how_samples_move(bench);
        let naive = if naive.is_empty() { String::new() } else { format!(" Significant units: {}.", naive.join("; ")) };
        format!("Chance is measured: {what}.{naive}")
    } else {
        format!(
            "Chance is the distribution of r between {} independent pairs: stimuli were shown one by one, so that items are independent.",
            bench.judge.n_items()
        )
    };
    Ok(Section {
        title: "Against chance".to_owned(),
        text,
        figures: vec![Figure::Lines(Lines {
            title: "Distribution of r over units".to_owned(),
            caption: "What is predicted lies to the right of what chance gives.".to_owned(),
            x: Axis::plain("r"),
            panels,
        })],
    })
}

/// What the null does to the items, and why.
fn how_samples_move(bench: &Bench<'_>) -> String {
    // Titles of several runs are held out whole, but nothing moves from one run to another.
    let is_run = bench.data.sessions.len() != bench.data.groups.len();
    let word = if is_run { "run" } else { bench.data.group_word() };
    let moved = match bench.judge.shuffle {
        _ if bench.data.is_trials() => return "stimuli change places within their fold".to_owned(),
        Some(Shuffle::Blocks { length }) => format!("blocks of {length} samples change places within their {word}"),
        _ => format!("every {word} is turned as a ring, by a number of samples of its own"),
    };
    format!(
        "{moved}, so that the null is as slow as the responses are; a t-test counts neighbours as independent and finds too much"
    )
}

/// Bins of a drawn distribution of r: as wide as what is shown, and as fine as it is narrow.
struct Bins {
    /// They cover −half..=half.
    half: f64,
    n: usize,
}

impl Bins {
    /// Around all of `r`, and all but a thousandth of the null.
    fn around(r: &[f64], null: Option<&[u64]>) -> Self {
        let mut largest = r.iter().fold(0.1f64, |largest, r| largest.max(r.abs()));
        if let Some(null) = null {
            let total: u64 = null.iter().sum();
            let place = |bin: usize| (2.0 * (bin as f64 + 0.5) / null.len() as f64 - 1.0).abs();
            let mut seen: Vec<(f64, u64)> = null.iter().enumerate().map(|(bin, count)| (place(bin), *count)).collect();
            seen.sort_by(|a, b| b.0.total_cmp(&a.0));
            let mut beyond = 0;
            let inner = seen.into_iter().find(|(_, count)| {
                beyond += count;
                beyond * 1000 > total
            });
            largest = largest.max(inner.map_or(0.0, |(place, _)| place));
        }
        let tenths = (largest * 10.0).ceil().min(10.0);
        let per_tenth = if tenths <= 5.0 { 10.0 } else { 5.0 };
        Self { half: tenths / 10.0, n: (tenths * per_tenth) as usize }
    }

    fn middle(&self, bin: usize) -> f64 {
        self.half * (2.0 * (bin as f64 + 0.5) / self.n as f64 - 1.0)
    }

    /// The bin of a value; values beyond the ends are counted in the last bins.
    fn bin(&self, r: f64) -> usize {
        let share = (r + self.half) / (2.0 * self.half);
        ((share * self.n as f64) as usize).min(self.n - 1)
    }

    fn normalised(&self, counts: &[f64]) -> Vec<[f64; 2]> {
        let total: f64 = counts.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        counts.iter().enumerate().map(|(bin, count)| [self.middle(bin), count / total]).collect()
    }

    fn of_units(&self, r: &[f64]) -> Vec<[f64; 2]> {
        let mut counts = vec![0.0; self.n];
        for &r in r {
            counts[self.bin(r)] += 1.0;
        }
        self.normalised(&counts)
    }

    /// Of counts in equal bins over −1..=1.
    fn of_null(&self, null: &[u64]) -> Vec<[f64; 2]> {
        let mut counts = vec![0.0; self.n];
        for (bin, count) in null.iter().enumerate() {
            counts[self.bin(2.0 * (bin as f64 + 0.5) / null.len() as f64 - 1.0)] += *count as f64;
        }
        self.normalised(&counts)
    }

    /// The density of r between `n` independent pairs, (1 − r²)^((n − 4) / 2) up to a factor.
    fn analytic(&self, n: usize) -> Vec<[f64; 2]> {
        let density = |bin: usize| (1.0 - self.middle(bin).powi(2)).powf((n as f64 - 4.0).max(0.0) / 2.0);
        self.normalised(&(0..self.n).map(density).collect::<Vec<f64>>())
    }
}

fn confusion(decoded: &super::models::Decoded) -> Section {
    let [value, low, high] = decoded.accuracy;
    Section {
        title: "Decoding the category".to_owned(),
        text: format!(
            "The other direction: from all units {} samples after it, {:.1} % of {} scans are given their category ({:.1} to {:.1} % over \
             runs; {:.1} % by always naming the most frequent one). Both directions say that the responses and the categories go \
             together; only the encoding says where.",
            decoded.delay,
            100.0 * value,
            decoded.n,
            100.0 * low,
            100.0 * high,
            100.0 * decoded.chance
        ),
        figures: vec![Figure::Matrix(Matrix {
            title: "What was answered".to_owned(),
            caption: "The share of answers for each category that was shown; the diagonal is right.".to_owned(),
            row_label: "shown".to_owned(),
            rows: decoded.names.clone(),
            column_label: "answer".to_owned(),
            columns: decoded.names.clone(),
            quantity: Axis::plain("share of answers"),
            values: decoded.confusion.clone(),
        })],
    }
}

/// What the data cannot say.
fn limits(bench: &Bench<'_>, found: &Found) -> Section {
    let data = bench.data;
    let mut said = vec!["One subject: the intervals tell how results would move with other stimuli or other minutes, not with other people.".to_owned()];
    if bench.judge.ceiling.is_none() {
        said.push(
            "Nothing was presented twice in a way that tells signal from noise, so how far a prediction is from the best possible one is not known."
                .to_owned(),
        );
    }
    if matches!(data.places, percept_pipeline::data::Places::Columns(_)) {
        said.push("Where a unit lies in the brain is not in the data: there are no maps.".to_owned());
    }
    if data.regions.is_empty() {
        said.push("No regions are named, so averages are over all units.".to_owned());
    }
    if data.groups.len() < 30 {
        said.push(format!(
            "There are only {} {}: small differences between spaces cannot be seen, and what holds for other {} is a guess.",
            data.groups.len(),
            percept_pipeline::encoding::plan::plural(data.group_word()),
            percept_pipeline::encoding::plan::plural(data.group_word())
        ));
    }
    if found.models.iter().any(|models| models.len() > 1) {
        said.push("A layer that predicts best is not shown to be what the brain computes: layers resemble each other, and a better one may not have been tried.".to_owned());
    }
    Section { title: "What these data cannot say".to_owned(), text: said.join(" "), figures: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_hold_all_units_and_are_finer_where_r_is_small() {
        // A null within ±0.055, in bins of 0.01.
        let null: Vec<u64> = (0..200).map(|bin| u64::from((95..105).contains(&bin))).collect();
        for (r, half, n) in [(vec![0.02, 0.17], 0.2, 20), (vec![-0.31, 0.1], 0.4, 40), (vec![0.72], 0.8, 40)] {
            let bins = Bins::around(&r, Some(&null));
            assert_eq!((bins.half, bins.n), (half, n));
            let shares = bins.of_units(&r);
            assert!((shares.iter().map(|[_, share]| share).sum::<f64>() - 1.0).abs() < 1e-12);
            for r in r {
                let [place, share] = shares[bins.bin(r)];
                assert!(share > 0.0 && (place - r).abs() <= half / n as f64 + 1e-12);
            }
            let inside: f64 = bins.of_null(&null).iter().filter(|[r, _]| r.abs() < 0.07).map(|[_, share]| share).sum();
            assert!((inside - 1.0).abs() < 1e-12);
            let analytic = bins.analytic(40);
            assert!(analytic[n / 2][1] > analytic[n - 1][1]);
        }
        let wide: Vec<u64> = vec![1; 200];
        assert_eq!(Bins::around(&[0.1], Some(&wide)).half, 1.0);
    }
}
