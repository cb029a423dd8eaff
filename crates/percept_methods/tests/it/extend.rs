//! A new system, feature space, generator, metric and control, each written here as a stranger would, and each added by one line.

use std::sync::Arc;

use ndarray::{Array2, Array3};
use percept_core::outcome::{MetricFacts, Role, Unit};
use percept_core::{Provenance, Silent};
use percept_methods::bench::Bench;
use percept_methods::controls::Control;
use percept_methods::reconstruct::reconstruct;
use percept_methods::system::{Candidate, Entry, Oracle, System};
use percept_methods::{Experiment, PipelineError, Registry, RunFolder};
use percept_pipeline::evaluation::{Look, Metric};
use percept_pipeline::experiment::{ControlWord, MethodWord, Needs, Region};
use percept_pipeline::plan::Item;
use percept_pipeline::spaces::{Materials, Space};
use percept_pipeline::{Arm, FeatureTable, Generator, Inputs, Medium, data};
use percept_stats::ItemScores;

use crate::double::{Double, SIDE};
use crate::study;

/// A feature space: the mean colour of the picture.
struct Colour;

impl Space for Colour {
    fn name(&self) -> &'static str {
        "colour"
    }

    fn features(&self, from: &Materials<'_>) -> Result<FeatureTable, PipelineError> {
        let all: Vec<usize> = (0..from.data.stimuli.len()).collect();
        let shown = data::pictures::to_values(from.data.stimuli.pictures(&all)?.view());
        let pixels = (shown.dim().1 * shown.dim().2) as f32;
        let mean = |(stimulus, channel)| shown.slice(ndarray::s![stimulus, .., .., channel]).sum() / pixels;
        Ok(FeatureTable::new(Array2::from_shape_fn((all.len(), 3), mean)))
    }
}

/// A generator: a picture of one colour.
struct Flat;

impl Generator for Flat {
    fn record(&self, _: &[Item], _: usize, record: Provenance) -> Provenance {
        record.setting("generator", "flat")
    }

    fn make(&self, inputs: &Inputs, _: &[Item], _: usize) -> Result<Vec<Medium>, PipelineError> {
        let rows = inputs.required("colour", "a flat picture")?;
        let flat = |row: ndarray::ArrayView1<'_, f32>| Array3::from_shape_fn((SIDE, SIDE, 3), |(_, _, c)| row[c]);
        Ok(rows.outer_iter().map(|row| Medium::Picture(flat(row))).collect())
    }

    fn is_random(&self) -> bool {
        false
    }
}

/// A system: the colour, decoded and shown.
struct ColourOnly;

impl System for ColourOnly {
    fn methods(&self) -> Vec<MethodWord> {
        let (needs, doc) = (Needs::default(), "The mean colour of the picture.");
        vec![MethodWord { name: "colour", doc, by_default: false, thorough: false, needs }]
    }

    fn join<'a>(&self, bench: &Bench<'a>) -> Result<Box<dyn Entry + 'a>, PipelineError> {
        let found = bench.decode(&Colour, Region::All)?;
        bench.report_decoder(&Colour, Region::All, &found, 1.0)?;
        let inputs = |rows| Inputs::none().with("colour", rows);
        let words = ["one colour", "the mean colour, decoded"];
        let arm = bench.arm("colour", Role::Method, words, inputs(found.items), Arc::new(Flat))?;
        let truth = inputs(bench.true_rows(&Colour)?);
        let oracle = Some(Oracle { of: "colour".to_owned(), generator: Arc::new(Flat), inputs: truth });
        Ok(Box::new(One(Candidate { arm, strength: 1, mean: Some(inputs(found.mean)), oracle })))
    }
}

struct One(Candidate);

impl Entry for One {
    fn candidates(&self) -> Vec<Candidate> {
        vec![self.0.clone()]
    }
}

/// A metric: how far the mean brightness is off.
struct Brightness;

impl Metric for Brightness {
    fn name(&self) -> &'static str {
        "brightness"
    }

    fn description(&self) -> &'static str {
        "Difference of the mean brightness."
    }

    fn facts(&self) -> MetricFacts {
        MetricFacts {
            name: self.name().to_owned(),
            label: "Brightness".to_owned(),
            description: self.description().to_owned(),
            unit: Unit::Plain,
            lower_is_better: true,
            chance: None,
        }
    }

    fn values(&self, made: &Look<'_>, truth: &Look<'_>, _: &[usize]) -> Result<Option<ItemScores>, PipelineError> {
        let mean = |row: ndarray::ArrayView1<'_, f32>| f64::from(row.mean().unwrap_or(0.0));
        let pairs = made.pixels().outer_iter().zip(truth.pixels().outer_iter());
        Ok(Some(pairs.map(|(made, truth)| (mean(made) - mean(truth)).abs()).collect::<Vec<f64>>().into()))
    }
}

/// A control: the method turned upside down, every item with the brain of the next.
struct Next;

impl Control for Next {
    fn word(&self) -> ControlWord {
        ControlWord { name: "next", doc: "The brain of the next item.", by_default: true, needs: Needs::default() }
    }

    fn arm(&self, bench: &Bench<'_>, main: &Candidate) -> Result<Option<Arm>, PipelineError> {
        let n = bench.plan.items.len();
        let rows: Vec<usize> = (0..n).map(|item| (item + 1) % n).collect();
        let (inputs, generator) = (main.arm.inputs.select(&rows), main.arm.generator.clone());
        bench.arm("next", Role::Control, ["next brain", "the brain of the next item"], inputs, generator).map(Some)
    }
}

#[test]
fn a_system_a_metric_and_a_control_are_added_by_one_line_each() {
    let mut registry = Registry::default();
    registry.systems.push(Box::new(ColourOnly));
    registry.metrics.push(Box::new(Brightness));
    registry.controls.push(Box::new(Next));

    let folder = tempfile::tempdir().expect("temporary folder");
    study::write(folder.path());
    let overrides =
        ["methods=[\"z\", \"colour\"]", "controls.true_c=false", "evaluate.metrics=[\"pixcorr\", \"brightness\"]"];
    let overrides = overrides.map(str::to_owned);
    let path = folder.path().join("bars.toml");
    let experiment =
        Experiment::parse(study::EXPERIMENT, &path, &overrides, &registry.vocabulary()).expect("its words are known");
    let run = RunFolder::open(&folder.path().join("out"), None).expect("open");
    let dataset = data::open(&experiment, &run, &Silent).expect("open");
    let outcome = reconstruct(&experiment, &registry, &dataset, Arc::new(Double), &run, &Silent).expect("a comparison");

    let arms: Vec<&str> = outcome.arms.iter().map(|arm| arm.name.as_str()).collect();
    assert_eq!(arms, ["z", "colour", "shuffled", "mean", "true", "next", "pixel_ridge"]);
    assert_eq!(outcome.arm("true").map(|arm| arm.role), Some(Role::Bound));
    assert!(outcome.decoders.iter().any(|decoder| decoder.feature == "colour"));
    let score = |arm: &str| outcome.scores.iter().find(|row| row.method == arm && row.metric == "brightness");
    let value = |arm: &str| score(arm).expect("scored").value;
    // Stimuli differ in colour, so the right brain knows more of the brightness than the next one.
    assert!(value("true") < 0.01 && value("colour") < value("next"), "{} {}", value("colour"), value("next"));
    assert_eq!(outcome.metric("brightness").map(|facts| facts.lower_is_better), Some(true));
    assert!(outcome.differences.iter().any(|row| row.method == "colour" && row.reference == "z"));
}

#[test]
fn a_word_that_nobody_added_is_refused_with_the_nearest() {
    let error = Experiment::parse(
        "methods = [\"colour\"]\n[data]\nkind = \"phantom\"",
        std::path::Path::new("/x/e.toml"),
        &[],
        &Registry::default().vocabulary(),
    );
    assert!(error.expect_err("unknown").to_string().contains("`colour`"));
}
