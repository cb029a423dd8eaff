//! What was measured as plain data for the report.

use percept_core::figure::{Axis, Estimate, Estimates, Figure, Positions, Section, Series};
use percept_core::outcome::{ArmSummary, DataSummary, MetricFacts, Outcome, Role, Unit};
use percept_core::provenance::Provenance;
use percept_core::score::{DifferenceRow, ScoreRow};

use super::found::{Condition, Difference, Mean, Measures};
use crate::settings::Settings;
use crate::source::SourceFacts;

const SPLIT: &str = "segments";

/// The report's content.
pub(super) fn outcome(measures: &Measures, facts: &SourceFacts, settings: &Settings) -> Outcome {
    let [n_segments, n_frames] = measures.extent;
    let arms = Condition::ALL.map(|condition| ArmSummary {
        name: condition.name().to_owned(),
        role: if condition == Condition::Recording { Role::Method } else { Role::Control },
        short: String::new(),
        description: describe(condition).to_owned(),
        n_draws: 0,
    });
    Outcome {
        name: format!("How pictures follow {}", facts.name),
        lead: format!(
            "{n_segments} segments of {n_frames} frames at {} frames a second, drawn from the recording and from three surrogates; \
             intervals are over segments.",
            settings.fps
        ),
        warnings: Vec::new(),
        data: DataSummary {
            subject: facts.name.clone(),
            source: format!("{} channels at {} Hz", facts.channels.len(), facts.rate_hz),
            ..DataSummary::default()
        },
        decoders: Vec::new(),
        arms: arms.to_vec(),
        main: Some(Condition::Recording.name().to_owned()),
        metrics: metrics(),
        scores: scores(measures),
        differences: differences(measures),
        items: Vec::new(),
        sections: vec![lags(measures), correlations(measures)],
        experiment: toml::to_string(settings).unwrap_or_default(),
        provenance: Provenance::new(settings.seed),
    }
}

fn describe(condition: Condition) -> &'static str {
    match condition.name() {
        "recording" => "Segments of the recording as it is.",
        "random phases" => {
            "The recording with random phases, the same for all channels: spectra and correlations between channels are kept."
        }
        "time shuffled" => "The recording with its samples in random order of time, the same for all channels.",
        _ => "Noise without memory, with mean and deviation of every channel.",
    }
}

fn metrics() -> Vec<MetricFacts> {
    let fact = |name: &str, label: &str, description: &str, unit: Unit, lower: bool, chance: Option<f64>| MetricFacts {
        name: name.to_owned(),
        label: label.to_owned(),
        description: description.to_owned(),
        unit,
        lower_is_better: lower,
        chance,
    };
    vec![
        fact(
            "neighbours_pixel",
            "neighbours, pixels",
            "Root mean square of the difference of neighbouring frames; pixels lie in 0 to 1.",
            Unit::Plain,
            true,
            None,
        ),
        fact(
            "neighbours_clip",
            "neighbours, CLIP",
            "The same between CLIP embeddings of length 1.",
            Unit::Plain,
            true,
            None,
        ),
        fact(
            "neighbours_latent",
            "neighbours, latents",
            "The same between the latents that frames are drawn from; unrelated latents are √2 apart.",
            Unit::Plain,
            true,
            None,
        ),
        fact(
            "follows",
            "pictures follow latents",
            "Over pairs of frames of a segment, the correlation of the distance of pictures with the distance of latents.",
            Unit::Plain,
            false,
            Some(0.0),
        ),
        fact(
            "state",
            "state told",
            "Share of frames nearer (by CLIP) to the mean picture of other segments of their own half by theta over delta.",
            Unit::Percent,
            false,
            Some(0.5),
        ),
    ]
}

fn scores(measures: &Measures) -> Vec<ScoreRow> {
    let mut rows = Vec::new();
    for measured in &measures.conditions {
        let mut add = |metric: String, mean: &Mean, chance: Option<f64>| {
            rows.push(ScoreRow {
                method: measured.condition.to_owned(),
                split: SPLIT.to_owned(),
                metric,
                value: mean.value,
                low: mean.interval.low,
                high: mean.interval.high,
                chance,
                n: measures.extent[0],
                n_undefined: 0,
            });
        };
        for curve in &measured.curves {
            if let Some(first) = curve.distance.first() {
                add(format!("neighbours_{}", curve.quantity), first, None);
            }
        }
        add("follows".to_owned(), &measured.follows, Some(0.0));
        if let Some(told) = &measured.told {
            add("state".to_owned(), told, Some(0.5));
        }
    }
    rows
}

fn differences(measures: &Measures) -> Vec<DifferenceRow> {
    let row = |metric: &str, found: &Difference| DifferenceRow {
        method: Condition::ALL[0].name().to_owned(),
        reference: Condition::ALL[2].name().to_owned(),
        split: SPLIT.to_owned(),
        metric: metric.to_owned(),
        value: found.mean,
        low: found.interval.low,
        high: found.interval.high,
        p: found.p,
        n: measures.extent[0],
    };
    let clip = measures.nearer_clip.as_ref().map(|found| row("neighbours_clip", found));
    [row("neighbours_pixel", &measures.nearer)].into_iter().chain(clip).collect()
}

/// One figure per quantity: a value over lags, a series per condition.
fn over_lags(measures: &Measures, title: &str, caption: &str, y: &str, quantity: &str, correlation: bool) -> Figure {
    let series = measures
        .conditions
        .iter()
        .filter_map(|measured| {
            let curve = measured.curves.iter().find(|curve| curve.quantity == quantity)?;
            let means = if correlation { &curve.correlation } else { &curve.distance };
            let points = measures.lags.iter().zip(means).map(|(lag, mean)| Estimate {
                x: *lag as f64 / measures.fps * 1000.0,
                value: mean.value,
                interval: Some([mean.interval.low, mean.interval.high]),
            });
            Some(Series { name: measured.condition.to_owned(), points: points.collect() })
        })
        .collect();
    Figure::Estimates(Estimates {
        title: title.to_owned(),
        caption: caption.to_owned(),
        x: Positions::Numbers { axis: Axis { label: "lag".into(), unit: "ms".into(), log: true } },
        y: Axis::plain(y),
        series,
        levels: Vec::new(),
    })
}

fn lags(measures: &Measures) -> Section {
    let has_clip = measures.conditions.iter().all(|m| m.curves.iter().any(|curve| curve.quantity == "clip"));
    let caption = "Means over segments with 95 % intervals.";
    let mut figures = vec![
        over_lags(measures, "Signal", caption, "distance of latents", "latent", false),
        over_lags(measures, "Pictures, by pixels", caption, "distance of pixels", "pixel", false),
    ];
    if has_clip {
        figures.push(over_lags(measures, "Pictures, by CLIP", caption, "distance of embeddings", "clip", false));
    }
    let text = "How far apart two frames are when some time lies between them. A signal with memory has near neighbours; where \
                pictures follow it, so have they.";
    Section { title: "Distance over lags".into(), text: text.into(), figures }
}

fn correlations(measures: &Measures) -> Section {
    let caption = "Correlation of two frames of a segment, over lags; means over segments with 95 % intervals.";
    Section {
        title: "Autocorrelation".into(),
        text: "The correlation of a frame with a later one: of the latents, and of the pictures drawn from them."
            .into(),
        figures: vec![
            over_lags(measures, "Autocorrelation of the signal", caption, "correlation", "latent", true),
            over_lags(measures, "Autocorrelation of pictures", caption, "correlation", "pixel", true),
        ],
    }
}
