//! What drives a region: the stimuli, words or categories for which the response of its best predicted unit is predicted to be
//! largest, in held-out predictions of the space that predicts this unit best.

use std::collections::BTreeMap;

use ndarray::Array1;
use percept_core::figure::{
    Axis as FigureAxis, Estimate, Estimates, Figure, Positions, Series, Strip, StripCell, StripRow,
};
use percept_io::picture;
use percept_pipeline::PipelineError;
use percept_pipeline::encoding::responses::delays;
use percept_pipeline::run::StageName;
use percept_surface::bundle::Note;

use super::models::{Bench, Found};

/// Regions that are shown.
const MOST_REGIONS: usize = 6;
/// Pictures in a row.
const PICTURES: usize = 8;
/// Pictures beside a map.
const THUMBNAILS: usize = 4;
/// Words or categories of a region.
const WORDS: usize = 14;
/// Texts that a word must stand in.
const FEWEST_TEXTS: usize = 8;
/// Of the pictures; see [`percept_pipeline::run`].
const REVISION: u32 = 1;

/// The best predicted unit of a region.
struct Driven {
    region: String,
    unit: usize,
    r: f64,
    space: String,
    /// Held-out prediction of every item.
    predicted: Array1<f32>,
}

/// Figures of what drives each of the regions `shown`, and the same as notes for maps; none where nothing is known of what was presented.
pub(super) fn figures(
    bench: &Bench<'_>,
    found: &Found,
    shown: &[String],
) -> Result<(Vec<Figure>, BTreeMap<String, Note>), PipelineError> {
    let driven = driven(bench, found, shown)?;
    let note = |of: &Driven| (of.region.clone(), Note { words: vec![of.words()], pictures: Vec::new() });
    let mut notes: BTreeMap<String, Note> = driven.iter().map(note).collect();
    if driven.is_empty() {
        return Ok((Vec::new(), notes));
    }
    if bench.data.stimuli.is_some() {
        let figure = pictures(bench, &driven)?;
        for of in &driven {
            add_pictures(notes.entry(of.region.clone()).or_default(), bench, of)?;
        }
        return Ok((vec![figure], notes));
    }
    if !bench.data.annotations.is_empty() {
        return Ok((driven.iter().map(|of| words(bench, of)).collect(), notes));
    }
    Ok((driven.iter().filter_map(|of| categories(bench, of)).collect(), notes))
}

/// Adds the stimuli with the largest predictions.
fn add_pictures(note: &mut Note, bench: &Bench<'_>, of: &Driven) -> Result<(), PipelineError> {
    let Some(stimuli) = bench.data.stimuli.as_ref() else { return Ok(()) };
    for item in order(bench, of).into_iter().take(THUMBNAILS) {
        let levels = stimuli.pictures(&[bench.plan.group_of_item[item]])?;
        note.add_png(&picture::encode_png(levels.index_axis(ndarray::Axis(0), 0))?);
    }
    Ok(())
}

/// Items, the largest prediction first.
fn order(bench: &Bench<'_>, of: &Driven) -> Vec<usize> {
    let mut order: Vec<usize> = (0..bench.plan.n_items()).collect();
    order.sort_by(|&a, &b| of.predicted[b].total_cmp(&of.predicted[a]));
    order
}

fn driven(bench: &Bench<'_>, found: &Found, shown: &[String]) -> Result<Vec<Driven>, PipelineError> {
    let mut all = Vec::new();
    let own = shown.iter().filter_map(|name| bench.judge.regions.iter().find(|(region, _)| region == name));
    for (region, units) in own.take(MOST_REGIONS) {
        let mut best: Option<(f64, usize, &super::models::Model)> = None;
        for model in found.models.iter().flatten() {
            for &unit in units {
                let Some(r) = model.scores.r[unit].map(|r| r.value) else { continue };
                if best.is_none_or(|(most, ..)| r > most) {
                    best = Some((r, unit, model));
                }
            }
        }
        let Some((r, unit, model)) = best else { continue };
        let predicted = bench.predictions(&model.point.key())?.of_units(unit..unit + 1)?.column(0).to_owned();
        all.push(Driven { region: region.clone(), unit, r, space: model.point.words(), predicted });
    }
    Ok(all)
}

impl Driven {
    fn heading(&self) -> String {
        format!("{}, unit {}", self.region, self.unit)
    }

    fn words(&self) -> String {
        format!("Unit {} is the best predicted of its region, r = {:.2}, from `{}`.", self.unit, self.r, self.space)
    }
}

/// The stimuli with the largest and the smallest predictions.
fn pictures(bench: &Bench<'_>, driven: &[Driven]) -> Result<Figure, PipelineError> {
    let stimuli =
        bench.data.stimuli.as_ref().ok_or_else(|| PipelineError::data("there are no pictures", "report this"))?;
    let most = PICTURES.min(bench.plan.n_items());
    let mut rows = Vec::new();
    let mut shown = BTreeMap::new();
    for of in driven {
        let order = order(bench, of);
        for (word, chosen) in
            [("most", order[..most].to_vec()), ("least", order.iter().rev().take(most).copied().collect())]
        {
            let cell = |item: usize| {
                let stimulus = bench.plan.group_of_item[item];
                let path = format!("pictures/{}.png", stimuli.id(stimulus));
                shown.insert(stimulus, path.clone());
                Some(StripCell { picture: path, map: None, note: format!("{:.2}", of.predicted[item]) })
            };
            rows.push(StripRow {
                label: format!("{} ({word})", of.heading()),
                cells: chosen.into_iter().map(cell).collect(),
            });
        }
    }
    let record = bench.record.only(&["stimuli"]).setting("shown", &shown);
    bench.run.stage(StageName { name: "pictures", revision: REVISION }, record, || {
        for (&stimulus, path) in &shown {
            let levels = stimuli.pictures(&[stimulus])?;
            bench.run.write(path, &picture::encode_png(levels.index_axis(ndarray::Axis(0), 0))?)?;
        }
        Ok(shown.values().cloned().collect())
    })?;
    let details: Vec<String> = driven.iter().map(Driven::words).collect();
    Ok(Figure::Strip(Strip {
        title: "Pictures that drive the best predicted unit of each region".to_owned(),
        caption: format!("Below each picture its held-out prediction. {}", details.join(" ")),
        columns: (1..=most).map(|rank| rank.to_string()).collect(),
        rows,
    }))
}

/// The words whose texts have the largest mean prediction.
fn words(bench: &Bench<'_>, of: &Driven) -> Figure {
    let texts = said(bench);
    let delays = delays(bench.data, &bench.experiment.encode);
    let mut sums = BTreeMap::<String, (f64, usize)>::new();
    for (item, samples) in bench.plan.items.iter().enumerate() {
        let mut own: Vec<String> = Vec::new();
        for &delay in &delays {
            if let Some(before) = bench.data.timeline.before(samples[0], delay) {
                own.extend(texts[before].iter().cloned());
            }
        }
        own.sort_unstable();
        own.dedup();
        for word in own.into_iter().filter(|word| word.chars().any(char::is_alphabetic)) {
            let sum = sums.entry(word).or_default();
            sum.0 += f64::from(of.predicted[item]);
            sum.1 += 1;
        }
    }
    let mut means: Vec<(String, f64, usize)> = sums
        .into_iter()
        .filter(|(_, (_, n))| *n >= FEWEST_TEXTS)
        .map(|(word, (sum, n))| (word, sum / n as f64, n))
        .collect();
    means.sort_by(|a, b| b.1.total_cmp(&a.1));
    means.truncate(WORDS);
    named(
        format!("Words that drive {}", of.heading()),
        format!(
            "The mean held-out prediction over the texts with a word, for words in {FEWEST_TEXTS} texts or more: a description, \
             without correction for how many words were looked at. {}",
            of.words()
        ),
        "word",
        means.into_iter().map(|(word, mean, n)| (format!("{word} ({n})"), mean)).collect(),
    )
}

/// The different words of the texts of all levels in each scan.
fn said(bench: &Bench<'_>) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new(); bench.data.timeline.len()];
    for level in &bench.data.annotations {
        let words: Vec<Vec<String>> =
            level.texts.iter().map(|text| text.split_whitespace().map(str::to_lowercase).collect()).collect();
        for &[text, scan] in &level.stands {
            all[scan].extend(words[text].iter().cloned());
        }
    }
    for words in &mut all {
        words.sort_unstable();
        words.dedup();
    }
    all
}

/// The mean prediction while each category was seen.
fn categories(bench: &Bench<'_>, of: &Driven) -> Option<Figure> {
    let labels = bench.data.labels.as_ref()?;
    let delays = delays(bench.data, &bench.experiment.encode);
    let delay = delays.get(delays.len() / 2).copied().unwrap_or(0);
    let mut sums = vec![(0.0, 0usize); labels.names.len()];
    for (item, samples) in bench.plan.items.iter().enumerate() {
        let Some(before) = bench.data.timeline.before(samples[0], delay) else { continue };
        for (label, sum) in sums.iter_mut().enumerate() {
            if labels.holds[(before, label)] > 0.0 {
                sum.0 += f64::from(of.predicted[item]);
                sum.1 += 1;
            }
        }
    }
    let mut means: Vec<(String, f64)> = labels
        .names
        .iter()
        .zip(sums)
        .filter(|(_, (_, n))| *n > 0)
        .map(|(name, (sum, n))| (name.clone(), sum / n as f64))
        .collect();
    means.sort_by(|a, b| b.1.total_cmp(&a.1));
    means.truncate(WORDS);
    let caption = format!("The mean held-out prediction {delay} scans after a scan with each label. {}", of.words());
    Some(named(format!("What drives {}", of.heading()), caption, "label", means))
}

fn named(title: String, caption: String, label: &str, values: Vec<(String, f64)>) -> Figure {
    let points = values
        .iter()
        .enumerate()
        .map(|(x, (_, value))| Estimate { x: x as f64, value: *value, interval: None })
        .collect();
    Figure::Estimates(Estimates {
        title,
        caption,
        x: Positions::Categories { label: label.to_owned(), names: values.into_iter().map(|(name, _)| name).collect() },
        y: FigureAxis::plain("predicted response"),
        series: vec![Series { name: "held-out prediction".to_owned(), points }],
        levels: Vec::new(),
    })
}
