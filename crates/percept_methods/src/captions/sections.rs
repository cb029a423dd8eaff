//! What captions add to a report: how good they are, and what becomes of a picture when it is made through one.

use ndarray::Array2;
use percept_core::figure::{Axis, Estimate, Estimates, Level, Positions, Series};
use percept_core::{Figure, ScoreRow, Section, Seed, figure};
use percept_pipeline::PipelineError;
use percept_pipeline::evaluation::metrics::{ContextCosine, ContextPairwise};
use percept_pipeline::evaluation::{Metric, StimulusPictures, mean_row};
use percept_pipeline::spaces::Context;
use percept_stats::{ItemScores, clusters, correlation};

use super::choices;
use super::decoded::Decoded;
use super::scores::Scored;
use crate::bench::Bench;

/// Captions of all items by what they were made from.
pub(super) struct Told {
    pub(super) items: Vec<String>,
    pub(super) truth: Vec<String>,
    pub(super) mean: Vec<String>,
}

/// The section of a run that decodes captions alone.
pub(super) fn of_captions(decoded: &Decoded, scored: &Scored) -> Vec<Section> {
    let [tokens, width] = decoded.shape;
    let text = format!(
        "The captioner `{}` reads {tokens} vision tokens of {width} numbers, decoded from the responses. Chance is what the same \
         captions score against other stimuli. {}",
        decoded.captioner,
        scored.beyond_chance()
    );
    vec![Section { title: "Captions".to_owned(), text, figures: vec![scored.figure()] }]
}

/// The sections of a comparison with the method `caption`.
///
/// # Errors
/// When a picture cannot be read, or a model refuses it.
pub(super) fn of_comparison(
    bench: &Bench<'_>,
    decoded: &Decoded,
    told: &Told,
    stimuli: &StimulusPictures,
) -> Result<Vec<Section>, PipelineError> {
    let mut figures = Vec::new();
    let mut text = format!("The captioner `{}` puts decoded vision tokens into words.", decoded.captioner);
    if let Some((figure, words)) = choices::figure(bench, stimuli)? {
        figures.push(figure);
        text = format!("{text} {words}");
    }
    if bench.data.captions.is_some() {
        let found = ways_to_a_context(bench, told)?;
        text = format!("{text} {}", why(&found));
        figures.push(by_way(&found, &ContextPairwise.facts().name, |way| &way.pairwise));
        figures.push(by_way(&found, &ContextCosine.facts().name, |way| &way.cosine));
        figures.push(spread(&found));
    }
    Ok(vec![Section { title: "Through a caption, or directly".to_owned(), text, figures }])
}

/// Contexts that were found in one way, beside the true ones.
struct ToContext {
    name: &'static str,
    /// Identification of the true context.
    pairwise: ScoreRow,
    /// Cosine with the true context.
    cosine: ScoreRow,
    /// How far contexts of different items lie apart, as a share of how far the true ones do.
    spread: f64,
}

/// Every way to a context: decoded directly, through a decoded caption, through the caption of the true vision tokens, and one
/// person's caption instead of the mean of all.
fn ways_to_a_context(bench: &Bench<'_>, told: &Told) -> Result<Vec<ToContext>, PipelineError> {
    let truth = bench.true_rows(&Context)?;
    let direct = bench.decode(&Context, bench.experiment.decode.c_region)?.items;
    let captions = bench.data.captions.as_deref().unwrap_or_default();
    let person: Vec<String> =
        bench.plan.stimuli().iter().map(|&stimulus| captions[stimulus].first().cloned().unwrap_or_default()).collect();
    let mut found = Vec::new();
    let mut add = |name, contexts: &Array2<f32>| -> Result<(), PipelineError> {
        found.extend(way(bench, name, contexts, &truth)?);
        Ok(())
    };
    add("decoded directly", &direct)?;
    for (name, said) in [
        ("decoded caption", &told.items),
        ("caption of the true tokens", &told.truth),
        ("one person's caption", &person),
        ("caption of the mean brain", &told.mean),
    ] {
        add(name, &bench.model.embed_text(said)?)?;
    }
    Ok(found)
}

fn way(
    bench: &Bench<'_>,
    name: &'static str,
    contexts: &Array2<f32>,
    truth: &Array2<f32>,
) -> Result<Option<ToContext>, PipelineError> {
    let stimuli = bench.plan.stimuli();
    let row = |metric: &dyn Metric, scores: &ItemScores| {
        let seed = Seed::new(bench.experiment.seed).named("bootstrap");
        let names = [name, bench.plan.split_name];
        mean_row(names, &metric.facts(), scores, &stimuli, None, seed, bench.experiment.evaluate.draws)
    };
    let pairwise = row(&ContextPairwise, &clusters::two_way_cosine(contexts.view(), truth.view(), &stimuli)?.scores)?;
    let cosine = row(&ContextCosine, &correlation::cosine_rows(contexts.view(), truth.view())?)?;
    let spread = variance(contexts) / variance(truth).max(f64::MIN_POSITIVE);
    Ok(pairwise.zip(cosine).map(|(pairwise, cosine)| ToContext { name, pairwise, cosine, spread: spread.sqrt() }))
}

/// Mean squared distance of the rows from their mean.
fn variance(rows: &Array2<f32>) -> f64 {
    let Some(mean) = rows.mean_axis(ndarray::Axis(0)) else { return 0.0 };
    let squares = rows
        .rows()
        .into_iter()
        .map(|row| row.iter().zip(&mean).map(|(&value, &mean)| f64::from(value - mean).powi(2)).sum::<f64>());
    squares.sum::<f64>() / rows.nrows() as f64
}

/// What the numbers say, in words.
fn why(found: &[ToContext]) -> String {
    let of = |name: &str| found.iter().find(|way| way.name == name);
    let (Some(direct), Some(caption), Some(perfect), Some(person)) =
        (of("decoded directly"), of("decoded caption"), of("caption of the true tokens"), of("one person's caption"))
    else {
        return String::new();
    };
    let percent = |value: f64| format!("{:.0} %", 100.0 * value);
    format!(
        "What the caption loses: with perfect vision tokens its context identifies the stimulus in {} \
         (that of one person's caption in {}); what is missing no caption says. What language adds: contexts of decoded captions lie {} as far \
         apart as true ones, those decoded directly {}; so the generator gets a context of a kind that it knows, right or wrong, \
         instead of one near the mean. Decoded, the caption's context identifies the stimulus in {}, the direct one in {}.",
        percent(perfect.pairwise.value),
        percent(person.pairwise.value),
        percent(caption.spread),
        percent(direct.spread),
        percent(caption.pairwise.value),
        percent(direct.pairwise.value),
    )
}

/// One score of every way.
fn by_way(found: &[ToContext], metric: &str, of: impl Fn(&ToContext) -> &ScoreRow) -> Figure {
    let points = found.iter().enumerate().map(|(i, way)| {
        let row = of(way);
        Estimate { x: i as f64, value: row.value, interval: Some([row.low, row.high]) }
    });
    let chance = found.first().and_then(|way| of(way).chance);
    Figure::Estimates(Estimates {
        title: format!("Contexts, by the way they were found: `{metric}`"),
        caption: "How near the context comes to that of all captions of the stimulus.".to_owned(),
        x: positions(found),
        y: figure::Axis::plain(metric),
        series: vec![Series { name: "context".to_owned(), points: points.collect() }],
        levels: chance.map(|value| Level { name: "chance".to_owned(), value, interval: None }).into_iter().collect(),
    })
}

/// How far contexts lie apart.
fn spread(found: &[ToContext]) -> Figure {
    let points =
        found.iter().enumerate().map(|(i, way)| Estimate { x: i as f64, value: way.spread, interval: None }).collect();
    Figure::Estimates(Estimates {
        title: "How far contexts of different stimuli lie apart".to_owned(),
        caption: "Root mean square distance from their mean, as a share of that of the true contexts. Regression shrinks what it \
                  cannot predict; words are always whole."
            .to_owned(),
        x: positions(found),
        y: Axis::plain("share of the true spread"),
        series: vec![Series { name: "spread".to_owned(), points }],
        levels: vec![Level { name: "true contexts".to_owned(), value: 1.0, interval: None }],
    })
}

fn positions(found: &[ToContext]) -> Positions {
    let names = found.iter().map(|way| way.name.to_owned()).collect();
    Positions::Categories { label: "the context was".to_owned(), names }
}
