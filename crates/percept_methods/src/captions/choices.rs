//! The paper's forced choice: which of two reconstructions is more like the stimulus, by CLIP?
//!
//! For each stimulus and draw the similarity of CLIP's image embeddings decides between the picture made through the caption
//! and the picture made by another method from the same noise. The share that the caption wins has a binomial interval over
//! stimuli. People decide by `percept judge`.

use ndarray::{Array2, Array4};
use percept_core::Figure;
use percept_core::figure::{Axis, Estimate, Estimates, Level, Positions, Series};
use percept_pipeline::PipelineError;
use percept_pipeline::arms::picture_path;
use percept_pipeline::data::pictures;
use percept_pipeline::evaluation::StimulusPictures;
use percept_stats::correlation;
use percept_stats::preference::{self, Preference};

use super::names::METHOD;
use crate::bench::Bench;

/// The methods that the caption is compared with, where they are asked for.
const RIVALS: [&str; 2] = ["z+c", "c"];

/// The choices as a figure, and who wins in words; `None` without CLIP or without rivals.
pub(super) fn figure(bench: &Bench<'_>, stimuli: &StimulusPictures) -> Result<Option<(Figure, String)>, PipelineError> {
    let rivals: Vec<&str> = RIVALS.into_iter().filter(|name| bench.experiment.asks(name)).collect();
    if rivals.is_empty() || !bench.model.has_clip() {
        return Ok(None);
    }
    let shown = bench.model.clip_image(stimuli.read(bench.run, bench.model.image_size())?.view())?;
    let ours = similarities(bench, METHOD, &shown)?;
    let (mut points, mut said) = (Vec::new(), Vec::new());
    for (i, rival) in rivals.iter().enumerate() {
        let found = preference::by_similarity(&ours, &similarities(bench, rival, &shown)?)?;
        points.extend(found.share.map(|share| Estimate {
            x: i as f64,
            value: share.value,
            interval: Some([share.interval.low, share.interval.high]),
        }));
        said.push(verdict(rival, &found));
    }
    let figure = Figure::Estimates(Estimates {
        title: "Forced choice by CLIP".to_owned(),
        caption:
            "Share of stimuli for which the picture made through the caption is more like the stimulus than the other \
                  method's, with a 95 % binomial interval (Clopper and Pearson). Ties decide nothing."
                .to_owned(),
        x: Positions::Categories {
            label: "against".to_owned(),
            names: rivals.iter().map(|name| (*name).to_owned()).collect(),
        },
        y: Axis::plain("share that `caption` wins"),
        series: vec![Series { name: METHOD.to_owned(), points }],
        levels: vec![Level { name: "chance".to_owned(), value: 0.5, interval: None }],
    });
    Ok(Some((figure, said.join(" "))))
}

fn verdict(rival: &str, found: &Preference) -> String {
    let Some(share) = found.share else {
        return format!("By CLIP `{METHOD}` and `{rival}` are the same for every stimulus.");
    };
    let words = if share.interval.low > 0.5 {
        "wins against"
    } else if share.interval.high < 0.5 {
        "loses against"
    } else {
        "cannot be told from"
    };
    let percent = |value: f64| format!("{:.1} %", 100.0 * value);
    format!(
        "By CLIP `{METHOD}` {words} `{rival}`: it is nearer for {} of {} stimuli (95 % interval {} to {}).",
        percent(share.value),
        found.wins + found.losses,
        percent(share.interval.low),
        percent(share.interval.high)
    )
}

/// For each item the cosine of its picture by the method `name` with the stimulus, averaged over draws.
fn similarities(bench: &Bench<'_>, name: &str, shown: &Array2<f32>) -> Result<Vec<f64>, PipelineError> {
    let items = &bench.plan.items;
    let n_draws = bench.experiment.generate.samples;
    let mut sums = vec![0.0; items.len()];
    for draw in 0..n_draws {
        let side = bench.model.image_size();
        let mut made = Array4::zeros((items.len(), side, side, 3));
        for (mut into, item) in made.outer_iter_mut().zip(items) {
            let path = picture_path(name, item, draw);
            let picture = percept_io::picture::read(bench.run.file(&path))?;
            if picture.dim() != into.dim() {
                let expected = format!("a picture of {side} × {side}");
                return Err(PipelineError::Artefact { path, expected });
            }
            into.assign(&picture);
        }
        let embedded = bench.model.clip_image(pictures::to_values(made.view()).view())?;
        let cosines = correlation::cosine_rows(embedded.view(), shown.view())?;
        for (sum, value) in sums.iter_mut().zip(cosines.values) {
            *sum += value.unwrap_or(0.0);
        }
    }
    Ok(sums.into_iter().map(|sum| sum / n_draws as f64).collect())
}
