//! What a run of music ends in: scores of every space, of every arm, and what a report shows.

use ndarray::Array2;
use percept_core::figure::{Axis, Estimate, Estimates, Figure, Level, Matrix, Positions, Series};
use percept_core::outcome::{ArmSummary, DataSummary, DecoderSummary, MetricFacts, Role, Unit};
use percept_core::{Outcome, ScoreRow, Section};
use percept_models::sound::music::MusicPack;
use percept_pipeline::PipelineError;
use percept_pipeline::data::UnitGroup;
use percept_stats::correlation::cosine_rows;
use serde::{Deserialize, Serialize};

use super::arms::Arm;
use super::bench::Bench;
use super::decode::Decoded;
use super::pictures;
use super::tags::TagNamer;
use super::targets::Target;
use crate::scorer::{MANY, Scorer};

/// The published table's layout, relative to the run.
pub(super) const TABLE: &str = "table.json";
/// The two sides as they are called in rows.
const SIDES: [&str; 2] = ["training, held out", "test"];
/// Table 1 of Denk et al. 2023 (arXiv 2307.11078): identification and correlation on the test, of other people, models and data.
const PUBLISHED: [(&str, f64, f64); 4] = [
    ("MuLan-music", 0.876, 0.307),
    ("w2v-BERT", 0.837, 0.113),
    ("MuLan-text", 0.817, 0.181),
    ("SoundStream", 0.674, 0.184),
];

/// A line of the published table's layout: a space on one side of the split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableRow {
    /// The space.
    pub target: String,
    /// `training, held out` or `test`.
    pub split: String,
    /// The score and the ends of its interval.
    pub identification: Option<[f64; 3]>,
    /// Likewise.
    pub correlation: Option<[f64; 3]>,
    /// Whether it is a number of Denk et al. 2023, of other people, models and music, and not of this run.
    pub is_published: bool,
}

pub(super) fn outcome(
    bench: &Bench<'_>,
    targets: &[Target],
    decoded: &[Decoded],
    arms: &[Arm],
) -> Result<Outcome, PipelineError> {
    let mut scores = Vec::new();
    for (target, decoded) in targets.iter().zip(decoded) {
        scores.extend(of_target(bench, target, decoded)?);
    }
    let table = table(targets, &scores);
    bench.run.write_json(TABLE, &table)?;
    let main = bench.experiment.main_target();
    if let Some(left_out) = &decoded[main].left_out {
        scores.extend(of_genres(bench, &targets[main], left_out)?);
    }
    scores.extend(of_arms(bench, &targets[main], &decoded[main], arms)?);
    bench.run.write_json("scores.json", &scores)?;
    let mut sections = sections(bench, targets, decoded, &scores);
    sections.insert(0, pictures::section(bench, &targets[main], arms)?);
    let outcome = Outcome {
        name: bench.experiment.name.clone(),
        lead: lead(bench, targets),
        warnings: bench.data.warnings.clone(),
        data: data(bench, targets),
        decoders: targets.iter().zip(decoded).map(|(target, decoded)| decoder(bench, target, decoded)).collect(),
        arms: summaries(targets, &targets[main].name, arms),
        main: None,
        metrics: metrics(bench),
        sections,
        scores,
        differences: Vec::new(),
        items: Vec::new(),
        experiment: bench.experiment.resolved(),
        provenance: bench.record.clone(),
    };
    bench.run.write_json("outcome.json", &outcome)?;
    Ok(outcome)
}

fn of_target(bench: &Bench<'_>, target: &Target, decoded: &Decoded) -> Result<Vec<ScoreRow>, PipelineError> {
    let mut rows = Vec::new();
    for (number, side) in target.sides.iter().enumerate() {
        let seed = bench.seed.named("scores").named(&target.name).at(number as u64);
        let scorer = Scorer { method: &target.name, split: SIDES[number], seed, blocks: None };
        let predicted = &decoded.sides[number];
        rows.extend(scorer.correlation(predicted.view(), side.truth.view(), &side.windows.clip)?);
        let (predicted, truth) = (side.by_clip(predicted), side.by_clip(&side.truth));
        rows.extend(scorer.identification(predicted.view(), truth.view())?);
    }
    Ok(rows)
}

/// Identification by decoders that never saw the genre they are tested on.
fn of_genres(bench: &Bench<'_>, target: &Target, left_out: &Array2<f32>) -> Result<Vec<ScoreRow>, PipelineError> {
    let test = &target.sides[1];
    let seed = bench.seed.named("scores").named("genres left out");
    let scorer = Scorer { method: &target.name, split: "genres left out", seed, blocks: None };
    scorer.identification(test.by_clip(left_out).view(), test.by_clip(&test.truth).view())
}

/// Likeness, identification and tags of what was made, and the tags of the decoded vectors themselves.
fn of_arms(
    bench: &Bench<'_>,
    target: &Target,
    decoded: &Decoded,
    arms: &[Arm],
) -> Result<Vec<ScoreRow>, PipelineError> {
    let [training, test] = &target.sides;
    let truth = test.by_clip(&test.truth);
    let namers = TagNamer::all(bench.data, &training.windows.clip, &training.truth)?;
    let mut rows = Vec::new();
    let mut tags = |method: &str, vectors: &Array2<f32>| -> Result<(), PipelineError> {
        let seed = bench.seed.named("scores").named(method);
        let scorer = Scorer { method, split: SIDES[1], seed, blocks: None };
        for namer in &namers {
            let right = namer.right(bench.data, &test.clips, vectors.view())?;
            rows.extend(scorer.mean(&tag_metric(&namer.kind), &right, Some(1.0 / namer.n_words as f64))?);
        }
        Ok(())
    };
    tags(&target.name, &decoded.vectors(target))?;
    tags(&format!("{}.true", target.name), &truth)?;
    for arm in arms {
        tags(&arm.name, &arm.heard)?;
    }
    for arm in arms.iter().filter(|arm| arm.name != "stimulus") {
        let seed = bench.seed.named("scores").named(&arm.name);
        let scorer = Scorer { method: &arm.name, split: SIDES[1], seed, blocks: None };
        let likeness = cosine_rows(arm.heard.view(), truth.view())?.values;
        // What the same sounds score against the excerpts of others.
        let all = MusicPack::unit(arm.heard.view()).dot(&MusicPack::unit(truth.view()).t());
        let n_others = all.len() - all.nrows();
        let chance = (n_others > 0).then(|| f64::from(all.sum() - all.diag().sum()) / n_others as f64);
        rows.extend(scorer.mean("clap_similarity", &likeness, chance)?);
        rows.extend(scorer.identification(arm.heard.view(), truth.view())?);
    }
    Ok(rows)
}

fn tag_metric(kind: &str) -> String {
    format!("tag_{kind}")
}

fn table(targets: &[Target], scores: &[ScoreRow]) -> Vec<TableRow> {
    let found = |method: &str, split: &str, metric: &str| {
        let is_it = |row: &&ScoreRow| row.method == method && row.split == split && row.metric == metric;
        scores.iter().find(is_it).map(|row| [row.value, row.low, row.high])
    };
    let own = targets.iter().flat_map(|target| {
        SIDES.map(|split| TableRow {
            target: target.name.clone(),
            split: split.to_owned(),
            identification: found(&target.name, split, "identification"),
            correlation: found(&target.name, split, "correlation"),
            is_published: false,
        })
    });
    let published = PUBLISHED.map(|(target, identification, correlation)| TableRow {
        target: target.to_owned(),
        split: "test".to_owned(),
        identification: Some([identification; 3]),
        correlation: Some([correlation; 3]),
        is_published: true,
    });
    own.chain(published).collect()
}

fn lead(bench: &Bench<'_>, targets: &[Target]) -> String {
    let names: Vec<String> = targets.iter().map(|target| format!("`{}`", target.name)).collect();
    let n = targets.first().map_or(0, |target| target.sides[1].clips.len());
    format!(
        "Music heard by {}: {} decoded from the responses to {n} excerpts that no decoder saw, and what can be made of it.",
        bench.data.subject,
        names.join(", ")
    )
}

fn data(bench: &Bench<'_>, targets: &[Target]) -> DataSummary {
    let counts =
        |side: usize| targets.first().map_or((0, 0), |of| (of.sides[side].truth.nrows(), of.sides[side].clips.len()));
    let ((n_train_samples, n_train_stimuli), (n_test_samples, n_test_stimuli)) = (counts(0), counts(1));
    DataSummary {
        subject: bench.data.subject.clone(),
        source: bench.data.source.clone(),
        split: "the data's own runs of training and test".to_owned(),
        n_train_samples,
        n_train_stimuli,
        n_test_samples,
        n_test_stimuli,
        regions: bench.data.regions.iter().map(UnitGroup::summary).collect(),
        groups: Vec::new(),
    }
}

fn decoder(bench: &Bench<'_>, target: &Target, decoded: &Decoded) -> DecoderSummary {
    let [training, test] = &target.sides;
    let n_units = decoded
        .chosen
        .iter()
        .filter_map(|name| bench.data.regions.iter().find(|region| region.name == *name))
        .map(|region| region.units.len())
        .sum();
    let of_columns = percept_stats::correlation::columns(decoded.sides[1].view(), test.truth.view());
    let test_correlation = of_columns.map_or(0.0, |found| {
        let defined: Vec<f64> = found.values.into_iter().flatten().collect();
        defined.iter().sum::<f64>() / defined.len().max(1) as f64
    });
    let spread = |rows: &Array2<f32>| f64::from(rows.var_axis(ndarray::Axis(0), 0.0).sum());
    DecoderSummary {
        feature: target.name.clone(),
        region: decoded.chosen.join(", "),
        n_samples: training.truth.nrows(),
        n_units,
        n_targets: training.truth.ncols(),
        n_folds: 1,
        alphas: bench.experiment.decode.alphas.clone(),
        n_targets_of_alpha: decoded.n_targets_of_alpha.clone(),
        cv_r2: decoded.r2,
        test_correlation,
        kept_variance: spread(&decoded.sides[0]) / spread(&training.truth).max(1e-12),
        rescale_median: 1.0,
    }
}

fn summaries(targets: &[Target], main: &str, arms: &[Arm]) -> Vec<ArmSummary> {
    let spaces = targets.iter().map(|target| ArmSummary {
        name: target.name.clone(),
        role: Role::Method,
        short: "decoded vector".to_owned(),
        description: format!(
            "`{}` decoded from the brain, in windows of {} s.",
            target.settings.space, target.settings.window_secs
        ),
        n_draws: 0,
    });
    let arms = arms.iter().map(|arm| ArmSummary {
        name: arm.name.clone(),
        role: arm.role,
        short: String::new(),
        description: arm.description.clone(),
        n_draws: 0,
    });
    let truth = ArmSummary {
        name: format!("{main}.true"),
        role: Role::Bound,
        short: String::new(),
        description: "The true vectors: how well tags can be told from them at all.".to_owned(),
        n_draws: 0,
    };
    spaces.chain(std::iter::once(truth)).chain(arms).collect()
}

fn metrics(bench: &Bench<'_>) -> Vec<MetricFacts> {
    let facts = |name: &str, label: &str, description: &str, unit, chance| MetricFacts {
        name: name.to_owned(),
        label: label.to_owned(),
        description: description.to_owned(),
        unit,
        lower_is_better: false,
        chance,
    };
    let mut all = vec![
        facts(
            "correlation",
            "correlation",
            "The correlation over windows of each dimension of a space with its prediction, averaged over dimensions; the interval draws excerpts.",
            Unit::Plain,
            Some(0.0),
        ),
        facts(
            "identification",
            "identification",
            "The share of other test excerpts whose true vector correlates less with the vector than the own one does.",
            Unit::Percent,
            Some(0.5),
        ),
        facts(
            "ten_way",
            "1 of 10",
            "How often the own excerpt is the first among ten: nine others are drawn at random, all draws taken together.",
            Unit::Percent,
            Some(1.0 / MANY as f64),
        ),
        facts(
            "clap_similarity",
            "CLAP similarity",
            "The cosine of the vector of a sound with that of the excerpt; chance is the mean cosine with the excerpts of others.",
            Unit::Plain,
            None,
        ),
    ];
    for tags in bench.data.tags.iter().filter(|tags| tags.words.len() > 1) {
        all.push(facts(
            &tag_metric(&tags.kind),
            &tags.kind,
            &format!(
                "How often a classifier that learnt the {} from the true vectors of training excerpts names that of the excerpt, of {}.",
                tags.kind,
                tags.words.len()
            ),
            Unit::Percent,
            Some(1.0 / tags.words.len() as f64),
        ));
    }
    all
}

fn sections(bench: &Bench<'_>, targets: &[Target], decoded: &[Decoded], scores: &[ScoreRow]) -> Vec<Section> {
    let names: Vec<String> = targets.iter().map(|target| target.name.clone()).collect();
    let estimates = |metric: &str, levels: Vec<Level>| {
        let series = SIDES.map(|split| Series {
            name: split.to_owned(),
            points: names
                .iter()
                .enumerate()
                .filter_map(|(x, name)| {
                    let row =
                        scores.iter().find(|row| row.method == *name && row.split == split && row.metric == metric)?;
                    Some(Estimate { x: x as f64, value: row.value, interval: Some([row.low, row.high]) })
                })
                .collect(),
        });
        Figure::Estimates(Estimates {
            title: metric.to_owned(),
            caption: "Each decoded space, with 95 % intervals over excerpts.".to_owned(),
            x: Positions::Categories { label: "space".to_owned(), names: names.clone() },
            y: Axis::plain(metric),
            series: series.to_vec(),
            levels,
        })
    };
    let chance = Level { name: "chance".to_owned(), value: 0.5, interval: None };
    let published = Figure::Matrix(Matrix {
        title: "As published, for reference".to_owned(),
        caption: "Denk et al. 2023 (arXiv 2307.11078), test: five people, other models, real music. Not measured here."
            .to_owned(),
        row_label: "space".to_owned(),
        rows: PUBLISHED.iter().map(|(name, ..)| (*name).to_owned()).collect(),
        column_label: "score".to_owned(),
        columns: vec!["identification".to_owned(), "correlation".to_owned()],
        quantity: Axis::plain("score"),
        values: PUBLISHED.iter().map(|(_, identification, correlation)| vec![*identification, *correlation]).collect(),
    });
    let mut sections = vec![Section {
        title: "Spaces of sound".to_owned(),
        text: "How well each space is decoded: penalties and regions are chosen by folds of whole excerpts of the training, and the numbers of \
               the training side come from models that did not see the excerpt."
            .to_owned(),
        figures: vec![estimates("identification", vec![chance]), estimates("correlation", Vec::new()), published],
    }];
    sections.push(regions(bench, targets, decoded));
    sections
}

/// The best regions of each space.
fn regions(bench: &Bench<'_>, targets: &[Target], decoded: &[Decoded]) -> Section {
    const MOST: usize = 16;
    let figures = targets
        .iter()
        .zip(decoded)
        .map(|(target, decoded)| {
            let mut order: Vec<usize> = (0..decoded.of_regions.len()).collect();
            order.sort_by(|&a, &b| decoded.of_regions[b].total_cmp(&decoded.of_regions[a]));
            order.truncate(MOST);
            let point = |(x, &region): (usize, &usize)| Estimate {
                x: x as f64,
                value: decoded.of_regions[region],
                interval: None,
            };
            Figure::Estimates(Estimates {
                title: format!("Regions that predict {}", target.name),
                caption: format!(
                    "The held-out correlation of each region's own model; averaged are {}.",
                    decoded.chosen.join(", ")
                ),
                x: Positions::Categories {
                    label: "region".to_owned(),
                    names: order.iter().map(|&region| bench.data.regions[region].name.clone()).collect(),
                },
                y: Axis::plain("held-out correlation"),
                series: vec![Series {
                    name: target.name.clone(),
                    points: order.iter().enumerate().map(point).collect(),
                }],
                levels: Vec::new(),
            })
        })
        .collect();
    Section {
        title: "Regions".to_owned(),
        text: "Every region has a model of its own; the best by cross-validation are averaged.".to_owned(),
        figures,
    }
}
