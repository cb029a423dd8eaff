//! The experiment: one TOML file that says what is reconstructed, from what, by which method and how it is scored.
//!
//! A file is read into [`Experiment`] with every default filled in and every key checked; overrides (`key=value` by
//! dotted path) are merged in before that, so they obey the same rules. Relative paths are resolved against the folder
//! of the file. [`Experiment::resolved`] gives the form that is written beside every result. Reading an experiment opens
//! no data; that is [`crate::dataset`]'s work.

mod b2c;
mod data;
mod error;
mod groups;
mod section;
mod settings;

use std::path::{Path, PathBuf};

use toml::{Table, Value};

pub use b2c::{B2cLosses, B2cSettings, B2cTraining, B2cVariant, OnFailure};
pub use error::ExperimentError;
pub use groups::Groups;
use section::{Origin, Section, line_of};
pub use settings::*;

/// Default regularisation strengths: half decades over what standardised responses of a few thousand units need.
const ALPHAS: [f64; 9] = [1e2, 3e2, 1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6];

/// No experiment is longer; whatever is, is another file.
const MAX_BYTES: u64 = 1 << 20;

const TOP: [&str; 13] = [
    "name",
    "seed",
    "methods",
    "data",
    "split",
    "model",
    "decode",
    "generate",
    "evaluate",
    "controls",
    "baselines",
    "decoder",
    "b2c",
];
const METHODS: [(&str, Method); 4] = [("z", Method::Z), ("c", Method::C), ("z+c", Method::ZC), ("b2c", Method::B2c)];
const REGIONS: [(&str, Region); 3] = [("early", Region::Early), ("ventral", Region::Ventral), ("all", Region::All)];

impl Experiment {
    /// Reads the experiment in the file `path`, with `overrides` such as `generate.steps=50`.
    ///
    /// # Errors
    /// Any [`ExperimentError`]; each names the key, the line and the remedy.
    pub fn open(path: &Path, overrides: &[String]) -> Result<Self, ExperimentError> {
        let text = percept_io::fs::read_text(path, MAX_BYTES)?;
        Self::parse(&text, path, overrides)
    }

    /// Reads the experiment in `text`, which stands in the file `path` (for messages and relative paths).
    ///
    /// # Errors
    /// Any [`ExperimentError`] but those of reading the file.
    pub fn parse(text: &str, path: &Path, overrides: &[String]) -> Result<Self, ExperimentError> {
        let mut document: Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map(|span| format!(" line {}", line_of(text, span.start))).unwrap_or_default();
            let message = error.message().replace('\n', " ");
            ExperimentError::Syntax { at: format!("{}{line}", path.display()), message }
        })?;
        let mut overridden = Vec::with_capacity(overrides.len());
        for text in overrides {
            overridden.push(set(&mut document, text)?);
        }
        let folder = absolute_folder(path);
        read(document, &Origin { file: path, text, overridden: &overridden, folder: &folder })
    }

    /// The experiment that `percept demo` runs: a phantom subject and the pocket pack, with every default.
    ///
    /// # Errors
    /// Those of [`Experiment::parse`] for `overrides`.
    pub fn demo(overrides: &[String]) -> Result<Self, ExperimentError> {
        Self::parse(include_str!("experiment/demo.toml"), Path::new("demo.toml"), overrides)
    }

    /// The whole experiment as TOML, defaults included; reading it gives the same experiment.
    pub fn resolved(&self) -> String {
        toml::to_string_pretty(self).expect("settings hold only what TOML can say")
    }
}

/// The folder of `path`, made absolute by the working directory where it is relative.
fn absolute_folder(path: &Path) -> PathBuf {
    let folder = path.parent().unwrap_or(Path::new(""));
    section::tidied(&std::path::absolute(folder.join("x")).unwrap_or_else(|_| folder.join("x")))
        .parent()
        .map(Path::to_owned)
        .unwrap_or_default()
}

/// Merges the override `text` into `document` and returns its dotted key.
fn set(document: &mut Table, text: &str) -> Result<String, ExperimentError> {
    let refused = || ExperimentError::Override { text: text.to_owned() };
    let (key, value) = text.split_once('=').ok_or_else(refused)?;
    let (key, value) = (key.trim(), value.trim());
    if key.is_empty() || key.split('.').any(str::is_empty) {
        return Err(refused());
    }
    // What is no TOML value is taken as text, so that a shell needs no quotes inside quotes.
    let value = format!("x = {value}")
        .parse::<Table>()
        .ok()
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("x"))
        .unwrap_or_else(|| Value::String(value.to_owned()));
    let mut table = document;
    let mut parts: Vec<&str> = key.split('.').collect();
    let last = parts.pop().ok_or_else(refused)?;
    for part in parts {
        let inner = table.entry(part.to_owned()).or_insert_with(|| Value::Table(Table::new()));
        table = inner.as_table_mut().ok_or_else(refused)?;
    }
    table.insert(last.to_owned(), value);
    Ok(key.to_owned())
}

fn read(document: Table, origin: &Origin<'_>) -> Result<Experiment, ExperimentError> {
    let mut top = Section::open("", document, &TOP, origin)?;
    let seed = top.count("seed", 0, 1)?;
    let methods = top.choices("methods", &METHODS)?;
    let name = top.string("name")?.unwrap_or_else(|| stem(origin.file));
    let with_b2c = top.has("b2c") || methods.as_deref().is_some_and(|methods| methods.contains(&Method::B2c));
    let data = data::read(&mut top, with_b2c)?;
    let mut methods = methods
        .unwrap_or_else(|| METHODS.iter().map(|&(_, method)| method).filter(|method| method.is_ridge()).collect());
    methods.sort_unstable();
    methods.dedup();
    if methods.is_empty() {
        return Err(top.value("methods", "at least one of `z`, `c`, `z+c`, `b2c`", "an empty list"));
    }
    let experiment = Experiment {
        name,
        seed,
        split: split(&mut top, &data)?,
        model: model(&mut top)?,
        decode: decode(&mut top, &data)?,
        generate: generate(&mut top, seed)?,
        evaluate: evaluate(&mut top, with_b2c)?,
        controls: controls(&mut top, methods.iter().any(|method| method.reads_c()), methods.contains(&Method::B2c))?,
        baselines: baselines(&mut top)?,
        decoder: top.file("decoder")?,
        b2c: b2c::read(&mut top, seed)?,
        methods,
        data,
    };
    no_conflict(&experiment, origin)?;
    Ok(experiment)
}

fn stem(file: &Path) -> String {
    file.file_stem().map_or_else(|| "experiment".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

fn split(top: &mut Section<'_>, data: &Data) -> Result<SplitSettings, ExperimentError> {
    let kinds = [
        ("given", SplitKind::Given),
        ("leave-one-stimulus-out", SplitKind::LeaveOneStimulusOut),
        ("shared", SplitKind::Shared),
    ];
    let default = match data {
        Data::Arrays(arrays) if arrays.test_responses.is_none() => SplitKind::LeaveOneStimulusOut,
        Data::Arrays(_) => SplitKind::Given,
        Data::Nsd(_) | Data::Phantom(_) => SplitKind::Shared,
    };
    let mut section = top.section("split", &["kind", "allow_leaks"])?;
    Ok(SplitSettings {
        kind: section.choice("kind", &kinds, default)?,
        allow_leaks: section.boolean("allow_leaks", false)?,
    })
}

fn model(top: &mut Section<'_>) -> Result<ModelSettings, ExperimentError> {
    let mut section = top.section("model", &["pack"])?;
    let pack = match section.string("pack")?.as_deref() {
        None | Some("pocket") => Pack::Pocket,
        Some(name) => match percept_io::hub::pack(name) {
            Some(Ok(folder)) => Pack::Folder(folder),
            Some(Err(error)) => return Err(section.value("pack", "a pack on this machine", error.to_string())),
            None => Pack::Folder(section.resolve(name)),
        },
    };
    Ok(ModelSettings { pack })
}

fn decode(top: &mut Section<'_>, data: &Data) -> Result<DecodeSettings, ExperimentError> {
    let keys = ["alphas", "z_region", "c_region", "normalise", "average_repeats", "rescale"];
    let mut section = top.section("decode", &keys)?;
    let alphas = section.numbers("alphas")?.unwrap_or_else(|| ALPHAS.to_vec());
    if alphas.is_empty() || alphas.iter().any(|&alpha| alpha <= 0.0) {
        return Err(section.value("alphas", "one or more numbers above 0", format!("{alphas:?}")));
    }
    if alphas.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(section.value("alphas", "ascending numbers", format!("{alphas:?}")));
    }
    let by_session = match data {
        Data::Nsd(_) | Data::Phantom(_) => Normalise::Session,
        Data::Arrays(arrays) if arrays.sessions.is_some() => Normalise::Session,
        Data::Arrays(_) => Normalise::None,
    };
    Ok(DecodeSettings {
        alphas,
        z_region: section.choice("z_region", &REGIONS, Region::Early)?,
        c_region: section.choice("c_region", &REGIONS, Region::Ventral)?,
        normalise: section.choice(
            "normalise",
            &[("session", Normalise::Session), ("none", Normalise::None)],
            by_session,
        )?,
        average_repeats: section.boolean("average_repeats", true)?,
        rescale: section.choice(
            "rescale",
            &[("none", Rescale::None), ("global", Rescale::Global), ("target", Rescale::Target)],
            Rescale::None,
        )?,
    })
}

fn generate(top: &mut Section<'_>, seed: u64) -> Result<GenerateSettings, ExperimentError> {
    let mut section = top.section("generate", &["z", "steps", "guidance", "strength", "samples", "batch", "seed"])?;
    Ok(GenerateSettings {
        z: section.choice(
            "z",
            &[("decode", LatentAlone::Decode), ("denoise", LatentAlone::Denoise)],
            LatentAlone::Decode,
        )?,
        steps: section.size("steps", 1, 20)?,
        guidance: section.number("guidance", 0.0..=100.0, 3.0)?,
        strength: section.number("strength", 0.0..=1.0, 0.8)?,
        samples: section.size("samples", 1, 1)?,
        batch: section.size("batch", 1, 20)?,
        seed: section.count("seed", 0, seed)?,
    })
}

fn evaluate(top: &mut Section<'_>, with_b2c: bool) -> Result<EvaluateSettings, ExperimentError> {
    let words: Vec<(&str, Metric)> = Metric::ALL.iter().map(|&metric| (metric.name(), metric)).collect();
    let mut section = top.section("evaluate", &["metrics", "draws"])?;
    let default = if with_b2c { &Metric::ALL[..] } else { &Metric::BASE[..] };
    let mut metrics = section.choices("metrics", &words)?.unwrap_or_else(|| default.to_vec());
    metrics.sort_unstable();
    metrics.dedup();
    Ok(EvaluateSettings { metrics, draws: section.size("draws", 100, 2000)? })
}

fn controls(top: &mut Section<'_>, with_c: bool, with_b2c: bool) -> Result<ControlSettings, ExperimentError> {
    let mut section = top.section("controls", &["shuffled", "mean", "true", "true_c"])?;
    let settings = ControlSettings {
        shuffled: section.boolean("shuffled", true)?,
        mean: section.boolean("mean", true)?,
        true_features: section.boolean("true", true)?,
        true_c: section.boolean("true_c", with_b2c)?,
    };
    if settings.true_c && !with_c {
        return Err(section.value("true_c", "false unless `methods` has `c` or `z+c`", "true"));
    }
    Ok(settings)
}

fn baselines(top: &mut Section<'_>) -> Result<BaselineSettings, ExperimentError> {
    let mut section = top.section("baselines", &["pixel_ridge", "pixel_size"])?;
    Ok(BaselineSettings {
        pixel_ridge: section.boolean("pixel_ridge", false)?,
        pixel_size: section.size("pixel_size", 2, 32)?,
    })
}

/// Refuses settings that are each valid but cannot be meant together.
fn no_conflict(experiment: &Experiment, origin: &Origin<'_>) -> Result<(), ExperimentError> {
    let conflict = |message: &str, remedy: &str| {
        Err(ExperimentError::Conflict {
            file: origin.file.to_owned(),
            message: message.to_owned(),
            remedy: remedy.to_owned(),
        })
    };
    match (&experiment.data, experiment.split.kind) {
        (Data::Arrays(_), SplitKind::Shared) => {
            return conflict(
                "`split.kind = \"shared\"` needs an NSD tree, but `data.kind` is `arrays`",
                "use `given` or `leave-one-stimulus-out`",
            );
        }
        (Data::Arrays(arrays), SplitKind::Given) if arrays.test_responses.is_none() => {
            return conflict(
                "`split.kind = \"given\"` needs a test side, but `data.test_responses` is missing",
                "name it, or use `leave-one-stimulus-out`",
            );
        }
        _ => {}
    }
    if let Data::Arrays(arrays) = &experiment.data
        && arrays.captions.is_none()
        && let Some(method) = experiment.methods.iter().find(|method| method.reads_c())
    {
        return conflict(
            &format!("the method `{}` needs captions, but `data.captions` is missing", method.name()),
            "name a JSON file with one list of captions per sample, or set `methods = [\"z\"]`",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests;
