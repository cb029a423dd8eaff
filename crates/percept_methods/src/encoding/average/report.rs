//! What the report of an average over subjects shows: scores over people, profiles over layers, unique parts, each subject beside the mean.

use std::collections::BTreeSet;

use percept_core::figure::{Axis, Estimate, Estimates, Figure, Level, Matrix, Positions, Series};
use percept_core::outcome::DataSummary;
use percept_core::{Outcome, Provenance, Section};
use percept_pipeline::encoding::Axes;
use percept_pipeline::encoding::score::ALL;

use super::super::shown::{Shown, left_out, positions, regions, tables};
use super::subject::{AverageRow, Subject};

/// The outcome.
pub(super) fn outcome(subjects: &[Subject], rows: &[AverageRow], warnings: Vec<String>, record: Provenance) -> Outcome {
    let experiment = &subjects[0].experiment;
    let names: Vec<&str> = subjects.iter().map(|subject| subject.name.as_str()).collect();
    let all: Vec<Shown<'_>> = rows
        .iter()
        .map(|row| Shown {
            region: &row.region,
            space: &row.space,
            axes: &row.axes,
            metric: &row.metric,
            value: row.value,
            interval: Some([row.low, row.high]),
            chance: row.chance,
            n: row.n,
        })
        .collect();
    let shown = regions(&all);
    let (arms, scores) = tables(&all, &shown);
    let n_regions = rows.iter().map(|row| &row.region).collect::<BTreeSet<_>>().len();
    Outcome {
        name: format!("{}: the mean over {} subjects", experiment.name, subjects.len()),
        lead: format!(
            "Means over {}, with Student's 95 % intervals over people. Each number of a subject comes from what its fits never saw.{}",
            names.join(", "),
            left_out(n_regions, &shown)
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
        sections: sections(subjects, rows, &shown),
        experiment: experiment.resolved(),
        provenance: record,
    }
}

fn sections(subjects: &[Subject], rows: &[AverageRow], shown: &[String]) -> Vec<Section> {
    let mut all = Vec::new();
    let mut spaces: Vec<&str> = Vec::new();
    for row in rows.iter().filter(|row| row.metric == "r") {
        if !spaces.contains(&row.space.as_str()) {
            spaces.push(&row.space);
        }
    }
    for space in spaces {
        let mut figures = vec![over_regions(rows, space, shown)];
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
    .filter_map(|(metric, title)| over_spaces(rows, metric, title, shown))
    .collect();
    if !parts.is_empty() {
        let text = "Score of all spaces less the score without one, the mean over subjects.".to_owned();
        all.push(Section { title: "What each space adds".to_owned(), text, figures: parts });
    }
    all
}

fn of<'a>(rows: &'a [AverageRow], space: &'a str, metric: &'a str) -> impl Iterator<Item = &'a AverageRow> {
    rows.iter().filter(move |row| row.space == space && row.metric == metric)
}

/// The sets of a space in the order of the rows.
fn sets<'a>(rows: &'a [AverageRow], space: &'a str) -> Vec<&'a Axes> {
    let mut all: Vec<&Axes> = Vec::new();
    for row in of(rows, space, "r") {
        if !all.contains(&&row.axes) {
            all.push(&row.axes);
        }
    }
    all
}

fn point(x: f64, row: &AverageRow) -> Estimate {
    Estimate { x, value: row.value, interval: Some([row.low, row.high]) }
}

/// A space over its sets in every region; a space of one set over regions.
fn over_regions(rows: &[AverageRow], space: &str, names: &[String]) -> Figure {
    let sets = sets(rows, space);
    let (x, series) = if let [_] = sets.as_slice() {
        let points = of(rows, space, "r")
            .filter_map(|row| Some(point(names.iter().position(|name| *name == row.region)? as f64, row)));
        let series = vec![Series { name: space.to_owned(), points: points.collect() }];
        let names = names.to_vec();
        (Positions::Categories { label: "region".to_owned(), names }, series)
    } else {
        let (x, places) = positions(&sets);
        let series = names.iter().map(|region| {
            let own = of(rows, space, "r").filter(|row| row.region == *region);
            let points =
                own.filter_map(|row| Some(point(places[sets.iter().position(|axes| **axes == row.axes)?], row)));
            Series { name: region.clone(), points: points.collect() }
        });
        (x, series.collect())
    };
    Figure::Estimates(Estimates {
        title: format!("r of {space}"),
        caption: "Mean over subjects with Student's 95 % interval.".to_owned(),
        x,
        y: Axis::plain("r"),
        series,
        levels: ceiling(rows, space),
    })
}

fn ceiling(rows: &[AverageRow], space: &str) -> Vec<Level> {
    let known = of(rows, space, "r").find(|row| row.region == ALL).and_then(|row| row.ceiling);
    let level = |value| Level { name: "noise ceiling (all)".to_owned(), value, interval: None };
    known.map(level).into_iter().collect()
}

/// Every subject by itself, over all units.
fn of_subjects(subjects: &[Subject], rows: &[AverageRow], space: &str) -> Option<Figure> {
    let sets = sets(rows, space);
    if sets.len() < 2 {
        return None;
    }
    let (x, places) = positions(&sets);
    let series = subjects.iter().map(|subject| {
        let own = of(rows, space, "r").filter(|row| row.region == ALL);
        let points = own.filter_map(|row| {
            let place = sets.iter().position(|axes| **axes == row.axes)?;
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
    let sets = sets(rows, space);
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
fn over_spaces(rows: &[AverageRow], metric: &str, title: &str, shown: &[String]) -> Option<Figure> {
    let mut places: Vec<(&str, &Axes)> = Vec::new();
    for row in rows.iter().filter(|row| row.metric == metric) {
        if !places.contains(&(row.space.as_str(), &row.axes)) {
            places.push((&row.space, &row.axes));
        }
    }
    if places.is_empty() {
        return None;
    }
    let series = shown.iter().map(|region| {
        let own = rows.iter().filter(|row| row.metric == metric && row.region == *region);
        let points = own.filter_map(|row| {
            let place = places.iter().position(|place| *place == (row.space.as_str(), &row.axes))?;
            Some(point(place as f64, row))
        });
        Series { name: region.clone(), points: points.collect() }
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
