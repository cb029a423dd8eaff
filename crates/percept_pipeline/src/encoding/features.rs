//! Features of every scan: each space as one or more sets, one for every point of its axes, made once and kept in the run's folder.
//!
//! A space of pictures has a row for each stimulus, one of texts or labels a row for each scan of the timeline. Places inside models are read
//! in blocks of stimuli, each a stage of its own, so that a run that is killed loses one block.

mod source;

use std::ops::Range;

use ndarray::{Array2, Array4, Axis, s};
use percept_core::{Progress, Provenance, Seed};
use percept_models::probe::{Input, Pool, Probe, Space};

use super::axes::Axes;
use super::gabor::Pyramid;
use super::places::tapped_in;
use crate::data::recording::{Annotations, Timeline, Timing};
use crate::data::{Recording, Stimuli, pictures};
use crate::error::PipelineError;
use crate::experiment::ArrayRef;
use crate::experiment::encoding::{
    ArraySpace, BagSpace, LabelSpace, RateSpace, SpaceSettings, TapPool, TapSpace, expand,
};
use crate::packs::content_of;
use crate::run::{RunFolder, StageName, artefact};
use source::{BLOCK, Source, over_scans, pictures_of};

/// Of the computation; see [`crate::run`].
const REVISION: u32 = 2;
/// The tensor's name in its file.
const VALUES: &str = "values";

/// One set of features: a space at one point of its axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The space, by its name in the experiment.
    pub space: String,
    /// Where it stands.
    pub axes: Axes,
    /// Its file in the run's folder.
    path: String,
    /// What the columns are, where they have names.
    pub columns: Vec<String>,
    /// Content hash.
    pub content: String,
    n_rows: usize,
    by_stimulus: bool,
}

impl Point {
    /// The features of every scan: n_scans of the timeline × n_features.
    ///
    /// # Errors
    /// When the file is missing or damaged.
    pub fn of_scans(&self, run: &RunFolder, data: &Recording) -> Result<Array2<f32>, PipelineError> {
        let rows = artefact::load(run, &self.path)?.matrix(VALUES, self.n_rows, None)?;
        Ok(if self.by_stimulus { rows.select(Axis(0), &data.group_of_sample) } else { rows })
    }

    /// A name for files and stages.
    pub fn key(&self) -> String {
        let stem = self.path.rsplit_once('/').map_or(self.path.as_str(), |(_, name)| name);
        stem.trim_end_matches(".safetensors").to_owned()
    }

    /// The space and its axes in words.
    pub fn words(&self) -> String {
        if self.axes.is_empty() { self.space.clone() } else { format!("{} ({})", self.space, self.axes) }
    }
}

/// What features are made from.
pub struct Materials<'a> {
    /// Where they are kept.
    pub run: &'a RunFolder,
    /// The recording.
    pub data: &'a Recording,
    /// Hashes of all inputs.
    pub record: &'a Provenance,
    /// The root of the noise of spaces in a U-Net.
    pub seed: Seed,
    /// Who is told.
    pub progress: &'a dyn Progress,
}

/// All points of the space called `name`, made or found.
///
/// # Errors
/// When the data lack what the space reads, or a model refuses it.
pub fn points(name: &str, settings: &SpaceSettings, from: &Materials<'_>) -> Result<Vec<Point>, PipelineError> {
    let found = match settings {
        SpaceSettings::Taps(taps) => return tapped(name, taps, from),
        SpaceSettings::Array(array) => return arrays(name, array, from),
        SpaceSettings::Bag(bag) => return bags(name, bag, settings, from),
        SpaceSettings::Rate(rate) => return rates(name, rate, settings, from),
        SpaceSettings::Pixels(_) | SpaceSettings::Gabor(_) => of_pictures(name, settings, from)?,
        SpaceSettings::Labels(labels) => of_labels(name, labels, from)?,
    };
    Ok(vec![found])
}

/// Keeps one set of rows as a stage.
fn keep(
    name: &str,
    number: usize,
    axes: Axes,
    by_stimulus: bool,
    record: Provenance,
    from: &Materials<'_>,
    make: impl FnOnce() -> Result<Array2<f32>, PipelineError>,
) -> Result<Point, PipelineError> {
    let key = format!("{name}.{number:04}");
    let path = format!("features/{key}.safetensors");
    let n_rows = if by_stimulus { from.data.groups.len() } else { from.data.timeline.len() };
    let stage = from.run.stage(StageName { name: &format!("features.{key}"), revision: REVISION }, record, || {
        let values = make()?;
        expect_rows(name, &values, n_rows)?;
        artefact::save(from.run, &path, &[(VALUES, values.into_dyn())])?;
        Ok(vec![path.clone()])
    })?;
    let (space, content) = (name.to_owned(), stage.content());
    Ok(Point { space, axes, path, columns: Vec::new(), content, n_rows, by_stimulus })
}

fn expect_rows(name: &str, values: &Array2<f32>, n_rows: usize) -> Result<(), PipelineError> {
    let bad = values.indexed_iter().find(|(_, value)| !value.is_finite());
    if let Some(((row, column), value)) = bad {
        let what = format!("feature {column} of row {row} of the space `{name}` is {value}");
        return Err(PipelineError::data(what, "mend the array, or leave the space out"));
    }
    if values.nrows() != n_rows || values.ncols() == 0 {
        let what =
            format!("the space `{name}` has {} rows × {} features for {n_rows} rows", values.nrows(), values.ncols());
        return Err(PipelineError::data(what, "give one row for every sample or stimulus"));
    }
    Ok(())
}

fn of_pictures(name: &str, settings: &SpaceSettings, from: &Materials<'_>) -> Result<Point, PipelineError> {
    let stimuli = pictures_of(name, from.data)?;
    let record = from.record.only(&["stimuli"]).setting("space", settings);
    keep(name, 0, Axes::none(), true, record, from, || {
        let n = stimuli.len();
        let with_colour = has_colour(stimuli)?;
        let pyramid = match settings {
            SpaceSettings::Gabor(gabor) => Some(Pyramid::new(gabor)),
            _ => None,
        };
        from.progress.begin(&format!("features: {name}"), n as u64);
        let mut all: Option<Array2<f32>> = None;
        for rows in blocks(n, BLOCK) {
            let shown = pictures::to_values(stimuli.pictures(&rows.clone().collect::<Vec<_>>())?.view());
            let part = match (&pyramid, settings) {
                (Some(pyramid), _) => pyramid.features(shown.view(), with_colour),
                (None, SpaceSettings::Pixels(pixels)) => flat(&shown, pixels.size, with_colour),
                (None, _) => Array2::zeros((0, 0)),
            };
            let all = all.get_or_insert_with(|| Array2::zeros((n, part.ncols())));
            all.slice_mut(s![rows.clone(), ..]).assign(&part);
            from.progress.advance(rows.len() as u64);
        }
        from.progress.end("");
        Ok(all.unwrap_or_default())
    })
}

fn blocks(n: usize, length: usize) -> impl Iterator<Item = Range<usize>> {
    (0..n).step_by(length).map(move |start| start..(start + length).min(n))
}

/// Whether any picture has a pixel that is not gray.
fn has_colour(stimuli: &Stimuli) -> Result<bool, PipelineError> {
    for rows in blocks(stimuli.len(), BLOCK) {
        let shown = stimuli.pictures(&rows.collect::<Vec<_>>())?;
        if shown.lanes(Axis(3)).into_iter().any(|pixel| pixel[0] != pixel[1] || pixel[0] != pixel[2]) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Pictures averaged down to at most `side` pixels a side, one row each.
fn flat(shown: &Array4<f32>, side: usize, with_colour: bool) -> Array2<f32> {
    let (n, height, width, _) = shown.dim();
    let small = pictures::resize(shown.view(), height.min(side), width.min(side));
    let channels = if with_colour { 3 } else { 1 };
    let values: Vec<f32> = small.slice(s![.., .., .., ..channels]).iter().copied().collect();
    let columns = values.len() / n.max(1);
    Array2::from_shape_vec((n, columns), values).unwrap_or_default()
}

fn of_labels(name: &str, settings: &LabelSpace, from: &Materials<'_>) -> Result<Point, PipelineError> {
    let labels = from.data.labels.as_ref().ok_or_else(|| {
        let what = format!("the space `{name}` is made from labels, and the data have none");
        PipelineError::data(what, "leave it out, or name labels in `[data]`")
    })?;
    let mut columns = Vec::new();
    for wanted in &settings.only {
        let found = labels.names.iter().position(|label| label == wanted).ok_or_else(|| {
            let known = labels.names.iter().take(12).map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
            PipelineError::data(format!("the data have no label `{wanted}`"), format!("there are {known}"))
        })?;
        columns.push(found);
    }
    if columns.is_empty() {
        columns = (0..labels.names.len()).collect();
    }
    let record = from.record.only(&["labels", "design"]).setting("columns", &columns);
    let holds = labels.holds.select(Axis(1), &columns);
    let names = columns.iter().map(|&column| labels.names[column].clone()).collect();
    let point = keep(name, 0, Axes::none(), false, record, from, || Ok(holds))?;
    Ok(Point { columns: names, ..point })
}

/// The levels that a pattern names, each with what it adds to the axes: a list in braces makes the axis level.
fn levels_of(pattern: &str) -> Result<Vec<(String, Option<String>)>, PipelineError> {
    let names =
        expand(pattern).map_err(|expected| PipelineError::data(format!("`{pattern}`: {expected}"), "mend it"))?;
    Ok(names.into_iter().map(|(level, chosen)| (level, (!chosen.is_empty()).then(|| chosen.join(" ")))).collect())
}

/// The axes of a set at one level.
fn at_level(axes: Axes, level: Option<&String>) -> Axes {
    match level {
        Some(level) => axes.with_first("level", level),
        None => axes,
    }
}

/// Counts of words, one set for every level.
fn bags(
    name: &str,
    bag: &BagSpace,
    settings: &SpaceSettings,
    from: &Materials<'_>,
) -> Result<Vec<Point>, PipelineError> {
    of_words(name, &bag.level, settings, from, |texts| hashed(texts, &from.data.timeline.session, bag))
}

/// Numbers of words and letters, one set for every level.
fn rates(
    name: &str,
    rate: &RateSpace,
    settings: &SpaceSettings,
    from: &Materials<'_>,
) -> Result<Vec<Point>, PipelineError> {
    let n_scans = from.data.timeline.len();
    let points = of_words(name, &rate.level, settings, from, |texts| counted(texts, n_scans))?;
    let columns = ["words", "letters"].map(str::to_owned).to_vec();
    Ok(points.into_iter().map(|point| Point { columns: columns.clone(), ..point }).collect())
}

/// A space whose rows are counts over the texts of each scan: one set for every level.
fn of_words(
    name: &str,
    pattern: &str,
    settings: &SpaceSettings,
    from: &Materials<'_>,
    make: impl Fn(&Annotations) -> Array2<f32>,
) -> Result<Vec<Point>, PipelineError> {
    let mut points = Vec::new();
    for (number, (level, chosen)) in levels_of(pattern)?.into_iter().enumerate() {
        let texts = from.data.texts_of(&level)?;
        let record = from.record.only(&["texts", "design"]).setting("space", settings);
        let axes = at_level(Axes::none(), chosen.as_ref());
        points.push(keep(name, number, axes, false, record, from, || Ok(make(texts)))?);
    }
    Ok(points)
}

/// Words as they are told apart: runs of letters, digits and apostrophes, in small letters.
pub(super) fn words_of(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '\'')).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// Counts of words, each in the column and with the sign that its hash names.
fn hashed(texts: &Annotations, runs: &[usize], settings: &BagSpace) -> Array2<f32> {
    let mut rows = Array2::<f32>::zeros((texts.texts.len(), settings.columns));
    for (mut row, text) in rows.rows_mut().into_iter().zip(&texts.texts) {
        for word in words_of(text) {
            let hash = blake(&word);
            let sign = if hash & 1 == 0 { 1.0 } else { -1.0 };
            row[(hash >> 1) as usize % settings.columns] += sign;
        }
    }
    let own = over_scans(&rows, &texts.stands, runs.len(), false);
    let mut all = own.clone();
    for scan in 0..runs.len() {
        let first = scan.saturating_sub(settings.context);
        for before in (first..scan).filter(|&before| runs[before] == runs[scan]) {
            let mut to = all.row_mut(scan);
            to += &own.row(before);
        }
    }
    all
}

/// The first eight bytes of a content hash of `word`.
fn blake(word: &str) -> u64 {
    let hex = percept_core::provenance::content_hash(word.as_bytes());
    u64::from_str_radix(&hex[..16], 16).unwrap_or(0)
}

fn counted(texts: &Annotations, n_scans: usize) -> Array2<f32> {
    let rows = Array2::from_shape_fn((texts.texts.len(), 2), |(text, column)| match column {
        0 => words_of(&texts.texts[text]).count() as f32,
        _ => texts.texts[text].chars().filter(|letter| letter.is_alphanumeric()).count() as f32,
    });
    over_scans(&rows, &texts.stands, n_scans, false)
}

fn arrays(name: &str, settings: &ArraySpace, from: &Materials<'_>) -> Result<Vec<Point>, PipelineError> {
    let pattern = settings.array.to_string_lossy();
    let names =
        expand(&pattern).map_err(|expected| PipelineError::data(format!("`{pattern}`: {expected}"), "mend it"))?;
    let has_stimuli = from.data.stimuli.is_some();
    let mut points = Vec::with_capacity(names.len());
    for (number, (text, chosen)) in names.into_iter().enumerate() {
        let reference = ArrayRef::parse(&text, std::path::Path::new("")).map_err(|refused| {
            PipelineError::data(format!("{} names no array", refused.got), format!("write {}", refused.expected))
        })?;
        let axes = if chosen.is_empty() { Axes::none() } else { Axes::one(&settings.axis, &chosen.join(" ")) };
        let hash = percept_io::fs::content_hash(&reference.file)?;
        let record = from.record.only(&["design"]).input("array", hash).setting("variable", &reference.variable);
        let found = percept_io::array::Reference { path: reference.file.clone(), name: reference.variable.clone() };
        let values = percept_io::array::standard(found.read_matrix::<f32>()?);
        let n_samples = from.data.n_samples();
        let by_stimulus = has_stimuli && values.nrows() == from.data.groups.len() && values.nrows() != n_samples;
        let is_known = [n_samples, from.data.timeline.len()].contains(&values.nrows());
        if values.nrows() > n_samples && !is_known && !from.data.is_trials() {
            return Err(too_many(name, values.nrows(), from.data));
        }
        points.push(keep(name, number, axes, by_stimulus, record, from, || {
            Ok(on_timeline(values, &from.data.timeline))
        })?);
    }
    Ok(points)
}

/// Rows of samples as rows of scans, zeros where a scan was dropped; rows of scans as they are.
fn on_timeline(rows: Array2<f32>, timeline: &Timeline) -> Array2<f32> {
    if timeline.is_whole() || rows.nrows() != timeline.of_sample.len() {
        return rows;
    }
    let mut all = Array2::zeros((timeline.len(), rows.ncols()));
    for (row, &scan) in rows.rows().into_iter().zip(&timeline.of_sample) {
        all.row_mut(scan).assign(&row);
    }
    all
}

/// Features that go on where the scans have ended.
fn too_many(name: &str, rows: usize, data: &Recording) -> PipelineError {
    let n = data.n_samples();
    let run = data.group_of_sample.last().map_or("", |&group| data.groups[group].as_str());
    let length =
        data.group_of_sample.iter().rev().take_while(|group| Some(*group) == data.group_of_sample.last()).count();
    let word = data.group_word();
    let until = match data.timing {
        Timing::Series { tr_secs: Some(tr), .. } => {
            format!("second {}", length as f64 * tr)
        }
        _ => format!("row {length}"),
    };
    PipelineError::data(
        format!(
            "the space `{name}` has {rows} rows for {n} samples: {word} `{run}` ends at its {until}, and {} rows follow",
            rows - n
        ),
        "cut the features to the samples, run by run",
    )
}

fn tapped(name: &str, settings: &TapSpace, from: &Materials<'_>) -> Result<Vec<Point>, PipelineError> {
    let (places, spaces, files) = tapped_in(settings)?;
    let input = input_of(name, settings, &spaces)?;
    let pool = match settings.pool {
        TapPool::Whole => Pool::Whole,
        TapPool::Mean => Pool::Mean,
        TapPool::First => Pool::First,
        TapPool::Last => Pool::Last,
    };
    let record = from
        .record
        .only(&["stimuli", "captions", "texts", "sounds", "design"])
        .input("pack", content_of(&files)?)
        .setting("places", &places)
        .setting("pool", &settings.pool)
        .setting("window_secs", &settings.window_secs)
        .setting("seed", &from.seed);
    let mut points = Vec::new();
    for (number, (level, chosen)) in levels_of(&settings.level)?.into_iter().enumerate() {
        let tapping = Tapping {
            name,
            stem: if number == 0 { name.to_owned() } else { format!("{name}.level{number:02}") },
            first: points.len(),
            places: &places,
            source: Source::of(name, &level, from.data, input, settings.window_secs)?,
            record: record.clone().setting("level", &level),
            from,
        };
        if !tapping.is_there() {
            tapping.read(|| Ok(Probe::open(&files, spaces.clone(), pool, from.seed)?))?;
        }
        for place in 0..places.len() {
            points.push(tapping.finish(place, chosen.as_ref())?);
        }
        from.run.remove(&tapping.prefix())?;
    }
    Ok(points)
}

/// What the places of the space `name` are all made from.
fn input_of(name: &str, settings: &TapSpace, spaces: &[Space]) -> Result<Input, PipelineError> {
    let input = spaces.first().map_or(Input::Texts, Space::input);
    if let Some(other) = spaces.iter().map(Space::input).find(|other| *other != input) {
        let what = format!("the space `{name}` has places of {} and of {}", input.word(), other.word());
        return Err(PipelineError::data(what, "make two spaces of it"));
    }
    if settings.window_secs > 0.0 && input != Input::Sounds {
        let what = format!("`spaces.{name}.window_secs` is set, but its places are of {}", input.word());
        return Err(PipelineError::data(what, "remove it"));
    }
    Ok(input)
}

/// Places of a model on the way to their files.
struct Tapping<'a> {
    name: &'a str,
    /// What its blocks are called.
    stem: String,
    /// The number of the set at the first place.
    first: usize,
    places: &'a [String],
    source: Source<'a>,
    record: Provenance,
    from: &'a Materials<'a>,
}

impl Tapping<'_> {
    fn prefix(&self) -> String {
        format!("features.{}.block", self.stem)
    }

    /// Whether all sets were finished by an earlier run.
    fn is_there(&self) -> bool {
        self.places.iter().enumerate().all(|(number, place)| {
            let key = format!("features.{}.{:04}", self.name, self.first + number);
            let record = self.record.clone().setting("place", place);
            self.from.run.has(StageName { name: &key, revision: REVISION }, &record)
        })
    }

    /// Reads all places block by block; the model is opened when the first block is missing.
    fn read(&self, open: impl Fn() -> Result<Probe, PipelineError>) -> Result<(), PipelineError> {
        let (run, progress) = (self.from.run, self.from.progress);
        let mut probe = None;
        progress.begin(&format!("features: {}", self.name), self.source.len() as u64);
        for (rows, file) in block_files(&self.stem, &self.source) {
            let mut is_made = false;
            let stage = format!("{}{:08}", self.prefix(), rows.start);
            let record = self.record.clone().setting("rows", &rows);
            run.stage(StageName { name: &stage, revision: REVISION }, record, || {
                is_made = true;
                let probe = match &mut probe {
                    Some(probe) => probe,
                    none => none.insert(open()?),
                };
                let made = self.source.rows(probe, rows.clone())?;
                let arrays: Vec<_> =
                    made.iter().map(|(place, rows)| (place.as_str(), rows.clone().into_dyn())).collect();
                artefact::save(run, &file, &arrays)?;
                Ok(vec![file.clone()])
            })?;
            let n = rows.len() as u64;
            if is_made { progress.advance(n) } else { progress.resume(n) }
        }
        progress.end("");
        Ok(())
    }

    /// One place as a set of its own, from all blocks.
    fn finish(&self, number: usize, level: Option<&String>) -> Result<Point, PipelineError> {
        let place = &self.places[number];
        let axes = at_level(Axes::of_place(place), level);
        let record = self.record.clone().setting("place", place);
        let by_stimulus = self.source.by_stimulus();
        keep(self.name, self.first + number, axes, by_stimulus, record, self.from, || {
            let n = self.source.len();
            let mut all: Option<Array2<f32>> = None;
            for (rows, file) in block_files(&self.stem, &self.source) {
                let part = artefact::load(self.from.run, &file)?.matrix(place, rows.len(), None)?;
                let all = all.get_or_insert_with(|| Array2::zeros((n, part.ncols())));
                if part.ncols() != all.ncols() {
                    let expected = format!("rows of {} features", all.ncols());
                    return Err(PipelineError::Artefact { path: file, expected });
                }
                all.slice_mut(s![rows, ..]).assign(&part);
            }
            Ok(self.source.gathered(all.unwrap_or_default()))
        })
    }
}

fn block_files(name: &str, source: &Source<'_>) -> Vec<(Range<usize>, String)> {
    blocks(source.len(), source.block())
        .map(|rows| (rows.clone(), format!("features/{name}.block{:08}.safetensors", rows.start)))
        .collect()
}
