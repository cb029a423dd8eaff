//! Scores of captions: every way by every metric, with intervals and with what the same captions score against other stimuli.

use ndarray::Array2;
use percept_core::figure::{Axis, Estimate, Estimates, Positions, Series};
use percept_core::outcome::{MetricFacts, Unit};
use percept_core::{Figure, ScoreRow, Seed};
use percept_pipeline::PipelineError;
use percept_pipeline::evaluation::words::names;
use percept_pipeline::evaluation::{StimulusPictures, mean_row};
use percept_pipeline::experiment::Pack;
use percept_pipeline::plan::Plan;
use percept_stats::ItemScores;
use percept_stats::text::clip::ClipEmbeddings;
use percept_stats::text::{self, Captions, ScoreSettings, TextScore};

use super::names::METHOD;
use super::settings::CaptionSettings;
use super::ways::Way;
use crate::bench::Bench;

/// Shuffles of the captions, from which chance is taken.
const SHUFFLES: usize = 2000;
/// What begins a caption when CLIP is asked how well it fits a picture (Hessel et al. 2021); the pocket pack's CLIP knows bare
/// captions of drawings only.
const PREFIX: &str = "A photo depicts ";

/// Scores of all ways.
pub(super) struct Scored {
    /// What the metrics are, in the order of the tables.
    pub(super) metrics: Vec<MetricFacts>,
    /// One row per way and metric.
    pub(super) rows: Vec<ScoreRow>,
    /// Way, metric, item: in the order of the way's rows.
    pub(super) per_item: Vec<Vec<Vec<Option<f64>>>>,
    /// Metric of the decoded captions and the value that one in a thousand shuffles reaches.
    rare: Vec<(String, f64, f64)>,
}

/// What a metric of captions is, in words.
const FACTS: [(&str, &str, &str); 10] = [
    ("bleu1", "BLEU-1", "Share of words that stand in people's captions, too (corpus BLEU, closest reference length)."),
    ("bleu2", "BLEU-2", "The same with pairs of words."),
    ("bleu3", "BLEU-3", "The same with up to three words in a row."),
    ("bleu4", "BLEU-4", "The same with up to four words in a row: the usual BLEU."),
    ("bleu4_sentence", "BLEU-4, sentences", "The mean of smoothed BLEU-4 of each caption."),
    ("rouge_l", "ROUGE-L", "The longest common sequence of words."),
    ("meteor", "METEOR", "Words matched exactly or by their stem, with a penalty for another order."),
    ("cider", "CIDEr", "Common sequences of words, rare ones counting more (CIDEr-D; up to 10)."),
    ("clipscore", "CLIPScore", "Fit of the caption to the picture by CLIP: 2.5 times the cosine."),
    ("refclipscore", "RefCLIPScore", "Harmonic mean of that and of the fit to people's captions."),
];

fn facts(name: &str) -> MetricFacts {
    let known = FACTS.iter().find(|(known, ..)| *known == name);
    let kind = name.strip_prefix("names.");
    let (label, description) = match (known, kind) {
        (Some((_, label, description)), _) => ((*label).to_owned(), (*description).to_owned()),
        (None, Some(kind)) => (
            format!("Names the {kind}"),
            format!("Share of captions that name the {kind} of people's captions, and no other."),
        ),
        (None, None) => (name.to_owned(), String::new()),
    };
    let unit = if kind.is_some() { Unit::Percent } else { Unit::Plain };
    MetricFacts { name: name.to_owned(), label, description, unit, lower_is_better: false, chance: None }
}

/// Scores every way; without captions of the stimuli there is nothing to score by, and all is empty.
///
/// # Errors
/// When CLIP refuses a caption or a picture, or values are not finite.
pub(super) fn of(
    bench: &Bench<'_>,
    ways: &[Way],
    stimuli: &StimulusPictures,
    settings: &CaptionSettings,
) -> Result<Scored, PipelineError> {
    let mut scored = Scored { metrics: Vec::new(), rows: Vec::new(), per_item: Vec::new(), rare: Vec::new() };
    let Some(captions) = &bench.data.captions else {
        bench.warn(
            "the data have no captions, so decoded captions cannot be scored: name them under `[data]`".to_owned(),
        );
        scored.per_item = ways.iter().map(|_| Vec::new()).collect();
        return Ok(scored);
    };
    let labels = bench.plan.stimuli();
    let references: Vec<Vec<String>> = labels.iter().map(|&stimulus| captions[stimulus].clone()).collect();
    let clip = Clip::new(bench, stimuli, &references)?;
    bench.progress.begin("scores of captions", ways.len() as u64);
    for way in ways {
        let said = way.best();
        let mut found = text::score(&Captions::new(&said, &references)?, score_settings(bench, &labels))?;
        if let Some(clip) = &clip {
            found.extend(clip.score(bench, &said, &labels)?);
        }
        let mut per_item = Vec::new();
        for score in found {
            if way.name == METHOD {
                scored.rare.extend(score.chance.map(|chance| (score.metric.to_owned(), score.value, chance.p99_9)));
            }
            per_item.push(score.items.iter().map(|&value| Some(value)).collect());
            scored.rows.push(row(bench.plan, way.name, &score));
        }
        for (kind, list) in settings.words.iter() {
            if let Some((row, values)) = naming(bench, way.name, kind, list, &said, &references)? {
                scored.rows.push(row);
                per_item.push(values);
            }
        }
        scored.per_item.push(per_item);
        bench.progress.advance(1);
    }
    bench.progress.end("");
    for row in &scored.rows {
        if !scored.metrics.iter().any(|known| known.name == row.metric) {
            scored.metrics.push(facts(&row.metric));
        }
    }
    Ok(scored)
}

fn score_settings<'a>(bench: &Bench<'_>, labels: &'a [usize]) -> ScoreSettings<'a> {
    ScoreSettings {
        seed: Seed::new(bench.experiment.seed).named("captions"),
        n_draws: bench.experiment.evaluate.draws,
        n_shuffles: SHUFFLES,
        labels: Some(labels),
    }
}

fn row(plan: &Plan, method: &str, score: &TextScore) -> ScoreRow {
    ScoreRow {
        method: method.to_owned(),
        split: plan.split_name.to_owned(),
        metric: score.metric.to_owned(),
        value: score.value,
        low: score.interval.low,
        high: score.interval.high,
        chance: score.chance.map(|chance| chance.mean),
        n: score.items.len(),
        n_undefined: 0,
    }
}

/// The share of captions that name the right words of one kind; `None` where no reference names any.
fn naming(
    bench: &Bench<'_>,
    method: &str,
    kind: &str,
    list: &[String],
    said: &[String],
    references: &[Vec<String>],
) -> Result<Option<(ScoreRow, Vec<Option<f64>>)>, PipelineError> {
    let right =
        |said: &str, references: &[String]| names(said, references, list).map(|right| f64::from(u8::from(right)));
    let values: Vec<Option<f64>> =
        said.iter().zip(references).map(|(said, references)| right(said, references)).collect();
    // Every caption against every other item's references: chance without drawing.
    let (mut sum, mut n) = (0.0, 0usize);
    for (i, said) in said.iter().enumerate() {
        for (_, references) in references.iter().enumerate().filter(|(j, _)| *j != i) {
            if let Some(value) = right(said, references) {
                (sum, n) = (sum + value, n + 1);
            }
        }
    }
    let chance = (n > 0).then(|| sum / n as f64);
    let metric = facts(&format!("names.{kind}"));
    let names = [method, bench.plan.split_name];
    let seed = Seed::new(bench.experiment.seed).named("bootstrap");
    let scores = ItemScores { values: values.clone() };
    let row = mean_row(names, &metric, &scores, &bench.plan.stimuli(), chance, seed, bench.experiment.evaluate.draws)?;
    Ok(row.map(|row| (row, values)))
}

/// Embeddings of pictures and references, where the model pack has both encoders.
struct Clip {
    pictures: Array2<f32>,
    references: Vec<Array2<f32>>,
}

impl Clip {
    fn new(
        bench: &Bench<'_>,
        stimuli: &StimulusPictures,
        references: &[Vec<String>],
    ) -> Result<Option<Self>, PipelineError> {
        let model = &bench.model;
        if !model.has_clip() || model.clip_text(&[String::new()])?.is_none() {
            return Ok(None);
        }
        let pictures = model.clip_image(stimuli.read(bench.run, model.image_size())?.view())?;
        let mut all = Vec::with_capacity(references.len());
        for captions in references {
            all.extend(model.clip_text(&prefixed(bench, captions))?);
        }
        Ok(Some(Self { pictures, references: all }))
    }

    fn score(&self, bench: &Bench<'_>, said: &[String], labels: &[usize]) -> Result<Vec<TextScore>, PipelineError> {
        let Some(captions) = bench.model.clip_text(&prefixed(bench, said))? else { return Ok(Vec::new()) };
        let embeddings = ClipEmbeddings {
            predicted: captions.view(),
            images: self.pictures.view(),
            references: Some(&self.references),
        };
        Ok(text::score_clip(embeddings, score_settings(bench, labels))?)
    }
}

fn prefixed(bench: &Bench<'_>, captions: &[String]) -> Vec<String> {
    let prefix = if bench.experiment.model.pack == Pack::Pocket { "" } else { PREFIX };
    captions.iter().map(|caption| format!("{prefix}{caption}")).collect()
}

impl Scored {
    /// Whether decoded captions are beyond what one in a thousand shuffles reaches, in words.
    pub(super) fn beyond_chance(&self) -> String {
        let Some((_, value, rare)) = self.rare.iter().find(|(metric, ..)| metric == "bleu4") else {
            return String::new();
        };
        let verdict = if value > rare { "beyond" } else { "not beyond" };
        format!(
            "Corpus BLEU-4 of the decoded captions is {value:.3}, {verdict} the {rare:.3} that one in a thousand shuffles of \
             them over the stimuli reaches."
        )
    }

    /// All ways side by side, by the metrics that lie between 0 and 1.
    pub(super) fn figure(&self) -> Figure {
        let shown: Vec<&MetricFacts> = self.metrics.iter().filter(|facts| facts.name != "cider").collect();
        let mut ways: Vec<&str> = self.rows.iter().map(|row| row.method.as_str()).collect();
        ways.dedup();
        let series = ways.into_iter().map(|way| {
            let points = shown.iter().enumerate().filter_map(|(i, facts)| {
                let row = self.rows.iter().find(|row| row.method == way && row.metric == facts.name)?;
                Some(Estimate { x: i as f64, value: row.value, interval: Some([row.low, row.high]) })
            });
            Series { name: way.to_owned(), points: points.collect() }
        });
        Figure::Estimates(Estimates {
            title: "Captions by every metric".to_owned(),
            caption: "Decoded captions, what perfect decoding would have said, and controls. CIDEr, which reaches 10, stands in \
                      the table."
                .to_owned(),
            x: Positions::Categories {
                label: "metric".to_owned(),
                names: shown.iter().map(|facts| facts.label.clone()).collect(),
            },
            y: Axis::plain("score"),
            series: series.collect(),
            levels: Vec::new(),
        })
    }
}
