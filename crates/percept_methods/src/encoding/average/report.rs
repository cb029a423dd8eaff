//! What the report of an average over subjects shows: scores over people, profiles over layers, unique parts, each subject beside the mean.

use std::collections::BTreeMap;

use percept_core::figure::{Axis, Estimate, Estimates, Figure, Level, Matrix, Positions, Series};
use percept_core::outcome::DataSummary;
use percept_core::{Outcome, Provenance, Section};
use percept_pipeline::encoding::score::ALL;
use percept_pipeline::encoding::{Axes, Coordinate};

use super::super::summary::{Shown, tables};
use super::subject::{AverageRow, Subject};

/// Regions that are drawn in one figure.
const MOST_REGIONS: usize = 8;

/// The outcome.
pub(super) fn outcome(subjects: &[Subject], rows: &[AverageRow], warnings: Vec<String>, record: Provenance) -> Outcome {
    let experiment = &subjects[0].experiment;
    let names: Vec<&str> = subjects.iter().map(|subject| subject.name.as_str()).collect();
    let shown = regions(rows);
    let (arms, scores) = tables(rows.iter().filter(|row| shown.contains(&row.region.as_str())).map(|row| Shown {
        region: &row.region,
        space: &row.space,
        axes: &row.axes,
        metric: &row.metric,
        value: row.value,
        interval: Some([row.low, row.high]),
        chance: row.chance,
        n: row.n,
    }));
    Outcome {
        name: format!("{}: the mean over {} subjects", experiment.name, subjects.len()),
        lead: format!(
            "Means over {}, with Student's 95 % intervals over people. Each number of a subject comes from what its fits never saw.",
            names.join(", ")
        ),
        warnings,
        data: DataSummary {
            subject: format!("{} subjects", subjects.len()),
            source: names.join(", "),
            split: subjects[0].outcome.data.split.clone(),
            ..DataSummary::default()
        },
        decoders: Vec::new(),
        main: None,
        arms,
        metrics: subjects[0].outcome.metrics.clone(),
        scores,
        differences: Vec::new(),
        items: Vec::new(),
        sections: sections(subjects, rows),
        experiment: experiment.resolved(),
        provenance: record,
    }
}

fn sections(subjects: &[Subject], rows: &[AverageRow]) -> Vec<Section> {
    let mut all = Vec::new();
    let mut spaces: Vec<&str> = rows.iter().filter(|row| row.metric == "r").map(|row| row.space.as_str()).collect();
    spaces.dedup();
    for space in spaces {
        let mut figures = vec![over_regions(rows, space, "r", "r")];
        figures.extend(of_subjects(subjects, rows, space));
        figures.extend(best(subjects, rows, space));
        let text = "Correlation of held-out predictions with the responses; points are means over subjects, bars their 95 % intervals."
            .to_owned();
        all.push(Section { title: space.to_owned(), text, figures });
    }
    let parts: Vec<Figure> = [
        ("unique_r2", "Unique parts as a difference of R²"),
        ("unique_r", "Unique parts as a difference of r"),
        ("common_r2", "What spaces explain in common, of R²"),
    ]
    .into_iter()
    .filter_map(|(metric, title)| over_spaces(rows, metric, title))
    .collect();
    if !parts.is_empty() {
        let text = "Score of all spaces less the score without one, the mean over subjects.".to_owned();
        all.push(Section { title: "What each space adds".to_owned(), text, figures: parts });
    }
    all
}

/// Regions in the order of the rows; of many, that of all units and those with the largest r.
fn regions(rows: &[AverageRow]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for row in rows {
        if !names.contains(&row.region.as_str()) {
            names.push(&row.region);
        }
    }
    if names.len() > MOST_REGIONS {
        let mut most: BTreeMap<&str, f64> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.metric == "r") {
            let r = most.entry(&row.region).or_insert(f64::NEG_INFINITY);
            *r = r.max(row.value);
        }
        let r = |name: &str| most.get(name).copied().unwrap_or(f64::NEG_INFINITY);
        names.sort_by(|a, b| (*b == ALL).cmp(&(*a == ALL)).then(r(b).total_cmp(&r(a))));
        names.truncate(MOST_REGIONS);
    }
    names
}

fn of<'a>(rows: &'a [AverageRow], space: &'a str, metric: &'a str) -> impl Iterator<Item = &'a AverageRow> {
    rows.iter().filter(move |row| row.space == space && row.metric == metric)
}

/// The sets of a space in the order of the rows.
fn sets(rows: &[AverageRow], space: &str, metric: &str) -> Vec<Axes> {
    let mut all: Vec<Axes> = Vec::new();
    for row in of(rows, space, metric) {
        if !all.contains(&row.axes) {
            all.push(row.axes.clone());
        }
    }
    all
}

/// Where each set stands on the x axis: by number where there is one ascending axis of numbers, else by name.
fn positions(sets: &[Axes]) -> (Positions, Vec<f64>) {
    let number = |axes: &Axes| {
        let mut all = axes.iter();
        match (all.next(), all.next()) {
            (Some((_, Coordinate::Number(number))), None) => Some(*number),
            _ => None,
        }
    };
    let label =
        sets.first().map_or_else(String::new, |axes| axes.iter().map(|(name, _)| name).collect::<Vec<_>>().join(", "));
    match sets.iter().map(number).collect::<Option<Vec<f64>>>() {
        Some(numbers) if numbers.len() > 1 && numbers.windows(2).all(|pair| pair[0] < pair[1]) => {
            (Positions::Numbers { axis: Axis::plain(label) }, numbers)
        }
        _ => {
            let names = sets.iter().map(ToString::to_string).collect();
            (Positions::Categories { label, names }, (0..sets.len()).map(|place| place as f64).collect())
        }
    }
}

fn point(x: f64, row: &AverageRow) -> Estimate {
    Estimate { x, value: row.value, interval: Some([row.low, row.high]) }
}

/// A space over its sets in every region; a space of one set over regions.
fn over_regions(rows: &[AverageRow], space: &str, metric: &str, label: &str) -> Figure {
    let sets = sets(rows, space, metric);
    let names = regions(rows);
    let (x, series) = if let [_] = sets.as_slice() {
        let points = of(rows, space, metric)
            .filter_map(|row| Some(point(names.iter().position(|name| *name == row.region)? as f64, row)));
        let series = vec![Series { name: space.to_owned(), points: points.collect() }];
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        (Positions::Categories { label: "region".to_owned(), names }, series)
    } else {
        let (x, places) = positions(&sets);
        let series = names.iter().map(|region| {
            let own = of(rows, space, metric).filter(|row| row.region == *region);
            let points =
                own.filter_map(|row| Some(point(places[sets.iter().position(|axes| *axes == row.axes)?], row)));
            Series { name: (*region).to_owned(), points: points.collect() }
        });
        (x, series.collect())
    };
    Figure::Estimates(Estimates {
        title: format!("{label} of {space}"),
        caption: "Mean over subjects with Student's 95 % interval.".to_owned(),
        x,
        y: Axis::plain(label),
        series,
        levels: ceiling(rows, space, metric),
    })
}

fn ceiling(rows: &[AverageRow], space: &str, metric: &str) -> Vec<Level> {
    let known = of(rows, space, metric).find(|row| row.region == ALL).and_then(|row| row.ceiling);
    let level = |value| Level { name: "noise ceiling (all)".to_owned(), value, interval: None };
    known.map(level).into_iter().collect()
}

/// Every subject by itself, over all units.
fn of_subjects(subjects: &[Subject], rows: &[AverageRow], space: &str) -> Option<Figure> {
    let sets = sets(rows, space, "r");
    if sets.len() < 2 {
        return None;
    }
    let (x, places) = positions(&sets);
    let series = subjects.iter().map(|subject| {
        let own = of(rows, space, "r").filter(|row| row.region == ALL);
        let points = own.filter_map(|row| {
            let place = sets.iter().position(|axes| *axes == row.axes)?;
            Some(Estimate { x: places[place], value: *row.subjects.get(&subject.name)?, interval: None })
        });
        Series { name: subject.name.clone(), points: points.collect() }
    });
    Some(Figure::Estimates(Estimates {
        title: format!("r of {space}, subject by subject"),
        caption: "Over all units.".to_owned(),
        x,
        y: Axis::plain("r"),
        series: series.collect(),
        levels: Vec::new(),
    }))
}

/// How surely each set is the best, subject by subject.
fn best(subjects: &[Subject], rows: &[AverageRow], space: &str) -> Option<Figure> {
    let sets = sets(rows, space, "r");
    let probability = |subject: &Subject, axes: &Axes| {
        let own = of(rows, space, "best_probability").find(|row| row.region == ALL && row.axes == *axes)?;
        own.subjects.get(&subject.name).copied()
    };
    if sets.len() < 2 {
        return None;
    }
    let values = subjects
        .iter()
        .map(|subject| sets.iter().map(|axes| probability(subject, axes)).collect::<Option<Vec<f64>>>())
        .collect::<Option<Vec<_>>>()?;
    Some(Figure::Matrix(Matrix {
        title: format!("How surely each set of {space} is the best, subject by subject"),
        caption: "The share of bootstrap draws in which a set predicts all units best.".to_owned(),
        row_label: "subject".to_owned(),
        rows: subjects.iter().map(|subject| subject.name.clone()).collect(),
        column_label: sets[0].iter().map(|(name, _)| name).collect::<Vec<_>>().join(", "),
        columns: sets.iter().map(ToString::to_string).collect(),
        quantity: Axis::plain("probability of being best"),
        values,
    }))
}

/// A quantity of several spaces side by side, region by region.
fn over_spaces(rows: &[AverageRow], metric: &str, title: &str) -> Option<Figure> {
    let mut places: Vec<(&str, &Axes)> = Vec::new();
    for row in rows.iter().filter(|row| row.metric == metric) {
        if !places.contains(&(row.space.as_str(), &row.axes)) {
            places.push((&row.space, &row.axes));
        }
    }
    if places.is_empty() {
        return None;
    }
    let series = regions(rows).into_iter().map(|region| {
        let own = rows.iter().filter(|row| row.metric == metric && row.region == region);
        let points = own.filter_map(|row| {
            let place = places.iter().position(|place| *place == (row.space.as_str(), &row.axes))?;
            Some(point(place as f64, row))
        });
        Series { name: region.to_owned(), points: points.collect() }
    });
    let names = places.iter().map(
        |(space, axes)| {
            if axes.is_empty() { (*space).to_owned() } else { format!("{space} ({axes})") }
        },
    );
    Some(Figure::Estimates(Estimates {
        title: title.to_owned(),
        caption: "Mean over subjects with Student's 95 % interval.".to_owned(),
        x: Positions::Categories { label: "space".to_owned(), names: names.collect() },
        y: Axis::plain(if metric == "unique_r" { "difference of r" } else { "difference of R²" }),
        series: series.collect(),
        levels: Vec::new(),
    }))
}
