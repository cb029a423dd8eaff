//! Data that any lab has: a matrix of responses and the pictures that were seen, as arrays inside MAT, npy, npz or HDF5 files.

use std::collections::BTreeMap;

use ndarray::{Array2, Array4, ArrayD, Axis};
use percept_core::Responses;
use percept_io::array::{self, Reference};
use percept_io::number::Element;

use super::alike::Alike;
use super::array_pictures::{self, Stored};
use super::units::{Places, RegionUnits, UnitGroup, drop_non_finite, expect_partition, expect_units};
use super::{Dataset, Stimuli};
use crate::error::PipelineError;
use crate::experiment::{ArrayRef, ArraysData, Needs, Region};

/// Reads everything that `settings` names, groups only if they are needs.
pub(super) fn open(settings: &ArraysData, needs: Needs) -> Result<Dataset, PipelineError> {
    let mut responses = matrix(&settings.responses)?;
    let stored = |reference| Ok::<_, PipelineError>(Stored { reference, values: read(reference)? });
    let mut shown = vec![stored(&settings.stimuli)?];
    same_length(&settings.responses, responses.nrows(), &settings.stimuli, shown[0].n_samples())?;
    let n_train = responses.nrows();
    if let (Some(test_responses), Some(test_stimuli)) = (&settings.test_responses, &settings.test_stimuli) {
        let more = matrix(test_responses)?;
        shown.push(stored(test_stimuli)?);
        same_length(test_responses, more.nrows(), test_stimuli, shown[1].n_samples())?;
        if more.ncols() != responses.ncols() {
            return Err(PipelineError::data(
                format!(
                    "`{}` has {} units but `{test_responses}` has {}",
                    settings.responses,
                    responses.ncols(),
                    more.ncols()
                ),
                "both sides must hold the same units in the same order",
            ));
        }
        responses = stack(&[responses, more]);
    }
    let (pictures, mut warnings) = array_pictures::pictures(&shown, settings)?;
    let pictures = stack(&pictures);
    let n_samples = responses.nrows();
    let label_of_sample = stimulus_labels(settings, n_train, &pictures)?;
    let (stimulus_of_sample, first_sample) = by_first_appearance(&label_of_sample);
    let session_of_sample =
        match labels(settings.sessions.as_ref(), settings.test_sessions.as_ref(), n_train, n_samples)? {
            Some(sessions) => by_first_appearance(&sessions).0,
            None => vec![0; n_samples],
        };
    let captions = match &settings.captions {
        None => None,
        Some(path) => Some(captions(path, n_samples, &first_sample)?),
    };
    let regions = vec![
        region(Region::Early, settings.early.as_ref(), responses.ncols())?,
        region(Region::Ventral, settings.ventral.as_ref(), responses.ncols())?,
    ];
    expect_units(&regions)?;
    let n_units = responses.ncols();
    let mut groups = Vec::new();
    for (name, reference) in settings.groups.iter().filter(|_| needs.groups) {
        let units = masked(reference, n_units)?;
        groups.push(UnitGroup { name: name.to_owned(), selector: reference.to_string(), units, n_dropped: 0 });
    }
    expect_partition(&groups)?;
    let responses = Responses::new(responses, stimulus_of_sample, session_of_sample)?;
    let finite = drop_non_finite(responses, regions, groups, settings.non_finite)?;
    warnings.extend(finite.warning);
    let pictures = pictures.select(Axis(0), &first_sample);
    let ids = (0..first_sample.len()).map(|stimulus| format!("stimulus{stimulus:04}")).collect();
    let file = settings.responses.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Dataset {
        surfaces: None,
        subject: file,
        source: format!(
            "arrays: {n_samples} samples of {n_units} units, {} different stimuli of {}",
            first_sample.len(),
            settings.image_shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(" × ")
        ),
        is_test: (0..n_samples).map(|sample| sample >= n_train).collect(),
        alike: Alike::of(pictures.view()),
        stimuli: Stimuli::in_memory(ids, pictures),
        responses: finite.responses,
        places: Places::Columns(finite.kept),
        regions: finite.regions,
        groups: finite.groups,
        captions,
        warnings,
    })
}

fn same_length(a: &ArrayRef, n_a: usize, b: &ArrayRef, n_b: usize) -> Result<(), PipelineError> {
    if n_a == n_b {
        return Ok(());
    }
    Err(PipelineError::data(
        format!("`{a}` has {n_a} samples but `{b}` has {n_b}"),
        "both must hold one row per sample; check the names and whether one is transposed",
    ))
}

fn stack<T: Clone, D: ndarray::RemoveAxis>(parts: &[ndarray::Array<T, D>]) -> ndarray::Array<T, D> {
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    ndarray::concatenate(Axis(0), &views).expect("the caller has compared all other axes")
}

/// n_samples × n_units; a last axis of length 1 is dropped.
fn matrix(reference: &ArrayRef) -> Result<Array2<f32>, PipelineError> {
    let array = read::<f32>(reference)?;
    let shape = array.shape().to_vec();
    let flat = match *shape.as_slice() {
        [n, p] | [n, p, 1] => array.into_shape_with_order((n, p)),
        _ => {
            return Err(PipelineError::data(
                format!("`{reference}` has shape {shape:?}, expected samples × units"),
                "name a matrix with one row per sample",
            ));
        }
    };
    Ok(flat.expect("the lengths are the same"))
}

/// One number per sample.
fn vector(reference: &ArrayRef, n_samples: usize) -> Result<Vec<f64>, PipelineError> {
    let array = read::<f64>(reference)?;
    if array.len() != n_samples || array.shape().iter().filter(|&&length| length > 1).count() > 1 {
        return Err(PipelineError::data(
            format!("`{reference}` has shape {:?}, expected one value for each of {n_samples} samples", array.shape()),
            "name a vector of that length",
        ));
    }
    Ok(array.iter().copied().collect())
}

/// A label per sample that is equal exactly for samples of one stimulus.
fn stimulus_labels(
    settings: &ArraysData,
    n_train: usize,
    pictures: &Array4<u8>,
) -> Result<Vec<Vec<u8>>, PipelineError> {
    let n_samples = pictures.dim().0;
    let by_id = labels(settings.stimulus_ids.as_ref(), settings.test_stimulus_ids.as_ref(), n_train, n_samples)?;
    let seen = |sample: usize| pictures.index_axis(Axis(0), sample).iter().copied().collect::<Vec<u8>>();
    match by_id {
        Some(labels) => {
            let mut first: BTreeMap<&[u8], usize> = BTreeMap::new();
            for (sample, label) in labels.iter().enumerate() {
                let &mut earlier = first.entry(label).or_insert(sample);
                if seen(earlier) != seen(sample) {
                    return Err(PipelineError::data(
                        format!("samples {earlier} and {sample} have the same stimulus id but different pictures"),
                        "correct `data.stimulus_ids`, or drop it and set `data.identify_stimuli = true`",
                    ));
                }
            }
            Ok(labels)
        }
        None if settings.identify_stimuli => Ok((0..n_samples).map(seen).collect()),
        None => Ok((0..n_samples).map(|sample| sample.to_le_bytes().to_vec()).collect()),
    }
}

/// Labels of both sides as bytes, if they were named.
fn labels(
    train: Option<&ArrayRef>,
    test: Option<&ArrayRef>,
    n_train: usize,
    n_samples: usize,
) -> Result<Option<Vec<Vec<u8>>>, PipelineError> {
    let Some(train) = train else { return Ok(None) };
    let mut values = vector(train, n_train)?;
    if n_samples > n_train {
        let Some(test) = test else {
            return Err(PipelineError::data(
                format!("`{train}` labels the training side, but nothing labels the test side"),
                "name the test side's labels too",
            ));
        };
        values.extend(vector(test, n_samples - n_train)?);
    }
    Ok(Some(values.into_iter().map(|value| value.to_le_bytes().to_vec()).collect()))
}

/// Numbers labels by their first appearance; also returns the first sample of each.
fn by_first_appearance(label_of_sample: &[Vec<u8>]) -> (Vec<usize>, Vec<usize>) {
    let mut number: BTreeMap<&[u8], usize> = BTreeMap::new();
    let mut first_sample = Vec::new();
    let numbers = label_of_sample
        .iter()
        .enumerate()
        .map(|(sample, label)| {
            *number.entry(label).or_insert_with(|| {
                first_sample.push(sample);
                first_sample.len() - 1
            })
        })
        .collect();
    (numbers, first_sample)
}

fn region(region: Region, mask: Option<&ArrayRef>, n_units: usize) -> Result<RegionUnits, PipelineError> {
    let Some(mask) = mask else {
        let units = (0..n_units).collect();
        return Ok(RegionUnits { region, selector: "all units".to_owned(), units, n_dropped: 0 });
    };
    Ok(RegionUnits { region, selector: mask.to_string(), units: masked(mask, n_units)?, n_dropped: 0 })
}

/// The units that `mask` takes: those above zero.
fn masked(mask: &ArrayRef, n_units: usize) -> Result<Vec<usize>, PipelineError> {
    let values = read::<f64>(mask)?;
    if values.len() != n_units {
        return Err(PipelineError::data(
            format!("the mask `{mask}` has shape {:?}, but the responses have {n_units} units", values.shape()),
            "name a mask with one value per unit",
        ));
    }
    Ok(values.iter().enumerate().filter(|(_, value)| **value > 0.0).map(|(unit, _)| unit).collect())
}

/// The captions of each stimulus: from a JSON file that lists them by sample, or from a table of `sample` and `caption`.
fn captions(
    path: &std::path::Path,
    n_samples: usize,
    first_sample: &[usize],
) -> Result<Vec<Vec<String>>, PipelineError> {
    let is_table =
        path.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv") || end.eq_ignore_ascii_case("tsv"));
    let lists = if is_table { captions_of_table(path, n_samples)? } else { captions_of_json(path)? };
    if lists.len() != n_samples {
        return Err(PipelineError::data(
            format!("`{}` has captions for {} samples, but there are {n_samples}", path.display(), lists.len()),
            "write one list of captions per sample, the training side first",
        ));
    }
    if let Some(&sample) = first_sample.iter().find(|&&sample| lists[sample].is_empty()) {
        return Err(PipelineError::data(
            format!("`{}` has no caption for sample {sample}", path.display()),
            "write at least one for each",
        ));
    }
    Ok(first_sample.iter().map(|&sample| lists[sample].clone()).collect())
}

fn captions_of_json(path: &std::path::Path) -> Result<Vec<Vec<String>>, PipelineError> {
    let text = percept_io::fs::read_text(path, MAX_CAPTION_BYTES)?;
    serde_json::from_str(&text).map_err(|error| {
        PipelineError::data(
            format!("`{}` is not a list of lists of captions: {error}", path.display()),
            "write one list of captions per sample, such as [[\"a dog\"], [\"a cat\", \"a kitten\"]], or a table (.csv, .tsv)",
        )
    })
}

/// One caption a row, with the number of its sample from 0; a sample may have several rows.
fn captions_of_table(path: &std::path::Path, n_samples: usize) -> Result<Vec<Vec<String>>, PipelineError> {
    let table = percept_io::table::open(path)?;
    let mut lists = vec![Vec::new(); n_samples];
    for (sample, caption) in table.integers("sample")?.into_iter().zip(table.texts("caption")?) {
        let Some(list) = usize::try_from(sample).ok().and_then(|sample| lists.get_mut(sample)) else {
            return Err(PipelineError::data(
                format!("`{}` has a caption for sample {sample}, but there are {n_samples}", path.display()),
                "count samples from 0, the training side first",
            ));
        };
        list.push(caption.to_owned());
    }
    // Repeats of a stimulus need its captions once: the first sample of each has them.
    Ok(lists)
}

/// Captions of a million samples fit; whatever is larger is another file.
const MAX_CAPTION_BYTES: u64 = 1 << 30;

fn read<T: Element>(reference: &ArrayRef) -> Result<ArrayD<T>, PipelineError> {
    let found = Reference { path: reference.file.clone(), name: reference.variable.clone() };
    // MAT files hand over their columns as they lie; reshaping wants rows.
    Ok(array::standard(found.read::<T>()?.data))
}
