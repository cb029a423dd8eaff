//! Reading `[data]`, whose keys depend on its `kind`.

use super::error::ExperimentError;
use super::groups::Groups;
use super::section::{Section, nearest, quoted};
use super::settings::{ArrayRef, ArraysData, BetaForm, Data, NonFinite, NsdData, PhantomData};

const KINDS: [&str; 3] = ["nsd", "arrays", "phantom"];
const NSD: [&str; 10] =
    ["kind", "root", "subject", "betas", "form", "sessions", "early", "ventral", "non_finite", "groups"];
const ARRAYS: [&str; 18] = [
    "kind",
    "responses",
    "stimuli",
    "test_responses",
    "test_stimuli",
    "image_shape",
    "transpose",
    "value_range",
    "stimulus_ids",
    "test_stimulus_ids",
    "identify_stimuli",
    "sessions",
    "test_sessions",
    "early",
    "ventral",
    "captions",
    "non_finite",
    "groups",
];
const PHANTOM: [&str; 10] =
    ["kind", "subject", "sessions", "trials_per_session", "test_images", "shape", "voxels", "ncsnr", "seed", "groups"];

/// Reads the section `[data]` of the document `top`. With `with_groups` a tree without `[data.groups]` gets the usual four.
pub(super) fn read(top: &mut Section<'_>, with_groups: bool) -> Result<Data, ExperimentError> {
    if !top.has("data") {
        return Err(top.missing("data", "[data]\nkind = \"phantom\""));
    }
    let table = top.table("data")?;
    // The kind decides which keys are known, so it is looked at first.
    let kind = table.get("kind").and_then(toml::Value::as_str).map(str::to_owned);
    let known: &[&str] = match kind.as_deref() {
        Some("nsd") => &NSD,
        Some("arrays") => &ARRAYS,
        Some("phantom") => &PHANTOM,
        _ => {
            let mut keys: Vec<&str> = NSD.iter().chain(&ARRAYS).chain(&PHANTOM).copied().collect();
            keys.sort_unstable();
            keys.dedup();
            let mut section = top.open_table("data", table, &keys)?;
            let word = section.required("kind", "kind = \"nsd\"")?;
            let hint = nearest(&word, &KINDS).map(|near| format!(", perhaps `{near}`")).unwrap_or_default();
            return Err(section.value("kind", format!("one of {}{hint}", quoted(&KINDS)), format!("`{word}`")));
        }
    };
    let mut section = top.open_table("data", table, known)?;
    section.string("kind")?;
    match kind.as_deref() {
        Some("nsd") => nsd(&mut section, with_groups).map(Data::Nsd),
        Some("arrays") => arrays(&mut section).map(|arrays| Data::Arrays(Box::new(arrays))),
        _ => phantom(&mut section, with_groups).map(Data::Phantom),
    }
}

fn non_finite(section: &mut Section<'_>) -> Result<NonFinite, ExperimentError> {
    section.choice("non_finite", &[("error", NonFinite::Error), ("mask", NonFinite::Mask)], NonFinite::Error)
}

fn selectors(section: &mut Section<'_>, with_groups: bool) -> Result<Groups<String>, ExperimentError> {
    let written = Groups::read(section, Section::string)?;
    Ok(written.unwrap_or_else(|| if with_groups { Groups::four() } else { Groups::none() }))
}

fn nsd(section: &mut Section<'_>, with_groups: bool) -> Result<NsdData, ExperimentError> {
    let root = section.required("root", "root = \"/data/nsd\"")?;
    let forms = [("auto", BetaForm::Auto), ("hdf5", BetaForm::Hdf5), ("nifti", BetaForm::Nifti)];
    Ok(NsdData {
        root: section.resolve(&root),
        subject: section.size("subject", 1, 1)?,
        betas: section.string("betas")?.unwrap_or_else(|| "betas_fithrf_GLMdenoise_RR".to_owned()),
        form: section.choice("form", &forms, BetaForm::Auto)?,
        sessions: section.counts("sessions", 1)?.unwrap_or_default(),
        early: section.string("early")?.unwrap_or_else(|| "streams.early".to_owned()),
        ventral: section.string("ventral")?.unwrap_or_else(|| "streams.ventral".to_owned()),
        non_finite: non_finite(section)?,
        groups: selectors(section, with_groups)?,
    })
}

fn array(section: &mut Section<'_>, key: &str) -> Result<Option<ArrayRef>, ExperimentError> {
    let Some(text) = section.string(key)? else { return Ok(None) };
    let (file, variable) = match text.rsplit_once(':') {
        Some((file, variable)) if !file.is_empty() && !variable.is_empty() => (file, Some(variable.to_owned())),
        Some(_) => return Err(section.value(key, "`file` or `file:variable`", format!("`{text}`"))),
        None => (text.as_str(), None),
    };
    Ok(Some(ArrayRef { file: section.resolve(file), variable }))
}

fn arrays(section: &mut Section<'_>) -> Result<ArraysData, ExperimentError> {
    let needed = |found: Option<ArrayRef>, section: &Section<'_>, key: &str, example: &str| {
        found.ok_or_else(|| section.missing(key, example))
    };
    let responses = array(section, "responses")?;
    let responses = needed(responses, section, "responses", "responses = \"data.mat:responses\"")?;
    let stimuli = array(section, "stimuli")?;
    let stimuli = needed(stimuli, section, "stimuli", "stimuli = \"data.mat:images\"")?;
    let test_responses = array(section, "test_responses")?;
    let test_stimuli = array(section, "test_stimuli")?;
    match (&test_responses, &test_stimuli) {
        (Some(_), None) => return Err(section.missing("test_stimuli", "test_stimuli = \"data.mat:test_images\"")),
        (None, Some(_)) => return Err(section.missing("test_responses", "test_responses = \"data.mat:test\"")),
        _ => {}
    }
    let Some(image_shape) = section.counts("image_shape", 1)? else {
        return Err(section.missing("image_shape", "image_shape = [28, 28]"));
    };
    if !matches!(image_shape.as_slice(), [_, _] | [_, _, 1 | 3]) {
        let expected = "height and width, and 3 for colour, such as [28, 28] or [64, 64, 3]";
        return Err(section.value("image_shape", expected, format!("{image_shape:?}")));
    }
    let value_range = match section.numbers("value_range")?.as_deref() {
        None => [0.0, 1.0],
        Some(&[black, white]) if black != white => [black, white],
        Some(other) => {
            let expected = "two different numbers, what is stored for black and for white, such as [0, 255]";
            return Err(section.value("value_range", expected, format!("{other:?}")));
        }
    };
    Ok(ArraysData {
        responses,
        stimuli,
        test_responses,
        test_stimuli,
        image_shape,
        transpose: section.boolean("transpose", false)?,
        value_range,
        stimulus_ids: array(section, "stimulus_ids")?,
        test_stimulus_ids: array(section, "test_stimulus_ids")?,
        identify_stimuli: section.boolean("identify_stimuli", false)?,
        sessions: array(section, "sessions")?,
        test_sessions: array(section, "test_sessions")?,
        early: array(section, "early")?,
        ventral: array(section, "ventral")?,
        captions: section.file("captions")?,
        non_finite: non_finite(section)?,
        groups: Groups::read(section, array)?.unwrap_or_else(Groups::none),
    })
}

fn phantom(section: &mut Section<'_>, with_groups: bool) -> Result<PhantomData, ExperimentError> {
    let default = percept_synth::phantom::PhantomParams::default();
    let shape = match section.counts("shape", 1)?.as_deref() {
        None => default.shape,
        Some(&[x, y, z]) => [x, y, z],
        Some(other) => {
            return Err(section.value("shape", "three numbers of voxels, such as [24, 26, 18]", format!("{other:?}")));
        }
    };
    Ok(PhantomData {
        subject: section.size("subject", 1, default.subject)?,
        sessions: section.size("sessions", 1, default.n_sessions)?,
        trials_per_session: section.size("trials_per_session", 1, default.trials_per_session)?,
        test_images: section.size("test_images", 2, default.n_shared)?,
        shape,
        voxels: section.size("voxels", 1, default.n_nsdgeneral)?,
        // Shortest decimal form, so that 0.45 stays 0.45 on the way through f32.
        ncsnr: section.number("ncsnr", 0.0..=1.0, shortest(default.median_ncsnr))?,
        seed: section.count("seed", 0, 1)?,
        groups: selectors(section, with_groups)?,
    })
}

/// The decimal number that a person would write for `value`.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}
