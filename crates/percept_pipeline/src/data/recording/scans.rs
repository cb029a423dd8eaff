//! A series of scans and a table with one line per scan: what was shown and in which run.

use std::path::Path;

use ndarray::{Array2, Axis, s};
use percept_core::Responses;
use percept_io::array::Reference;
use percept_io::fs;
use percept_io::nifti;
use percept_io::open::{Format, sniff_path};

use super::super::units::{UnitGroup, drop_non_finite, expect_partition};
use super::series::{Labels, Recording, Timing, expect_stretches};
use super::timeline::Timeline;
use crate::data::Places;
use crate::error::PipelineError;
use crate::experiment::ArrayRef;
use crate::experiment::encoding::ScansData;

/// The longest table of scans.
const MAX_TABLE_BYTES: u64 = 256 << 20;
/// How far the interval between scans may lie from that of the header, as a share.
pub(in crate::data) const TR_TOLERANCE: f64 = 1e-3;
/// Names of the column of labels, and of that of runs, in tables with a head.
const LABEL_COLUMNS: [&str; 5] = ["label", "labels", "target", "targets", "trial_type"];
const RUN_COLUMNS: [&str; 5] = ["run", "runs", "chunk", "chunks", "run_id"];

/// What the file of responses holds.
struct Scans {
    responses: Array2<f32>,
    places: Places,
    affine: Option<[[f64; 4]; 4]>,
    /// Flat index of each unit in a volume, x fastest.
    voxels: Option<Vec<usize>>,
    n_still: usize,
}

/// Reads what `settings` name.
pub(super) fn open(settings: &ScansData) -> Result<Recording, PipelineError> {
    let [labels, runs] = attributes(&settings.attributes)?;
    let scans = read(settings)?;
    let n_scans = scans.responses.nrows();
    let (run_of_scan, run_names) = expect_stretches(&runs, "run")?;
    same_number(settings, &run_of_scan, &run_names, n_scans)?;
    let kept = kept_scans(settings, &run_of_scan, &run_names)?;
    let responses = if kept.len() == n_scans { scans.responses } else { scans.responses.select(Axis(0), &kept) };
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let labels = categories(&labels, &settings.rest);
    let run_of_sample: Vec<usize> = kept.iter().map(|&scan| run_of_scan[scan]).collect();
    let timeline = Timeline { session: run_of_scan, of_sample: kept };

    let mut groups = Vec::new();
    for (name, reference) in settings.groups.iter() {
        let units = units_above_zero(reference, scans.voxels.as_deref(), &scans.places, responses.ncols())?;
        groups.push(UnitGroup { name: name.to_owned(), selector: reference.to_string(), units, n_dropped: 0 });
    }
    expect_partition(&groups)?;
    let responses = Responses::new(responses, run_of_sample.clone(), run_of_sample.clone())?;
    let finite = drop_non_finite(responses, Vec::new(), groups, settings.non_finite)?;
    let places = match scans.places {
        Places::Columns(all) => Places::Columns(finite.kept.iter().map(|&unit| all[unit]).collect()),
        Places::Voxels { shape, coordinates } => {
            Places::Voxels { shape, coordinates: finite.kept.iter().map(|&unit| coordinates[unit]).collect() }
        }
    };
    let mut warnings: Vec<String> = finite.warning.into_iter().collect();
    if scans.n_still > 0 {
        warnings.push(format!("{} voxels never vary and were left out", scans.n_still));
    }
    let n_samples = run_of_sample.len();
    let n_units = finite.responses.n_units();
    Ok(Recording {
        subject: stem(&settings.responses.file),
        source: format!(
            "{n_samples} scans × {n_units} units in {} runs, {} s apart",
            run_names.len(),
            settings.tr_secs
        ),
        responses: finite.responses.data,
        places,
        affine: scans.affine,
        surfaces: None,
        regions: finite.groups,
        timing: Timing::Series { tr_secs: Some(settings.tr_secs), group: "run", sample: "scan" },
        session_of_sample: run_of_sample.clone(),
        group_of_sample: run_of_sample,
        timeline,
        sessions: run_names.clone(),
        groups: run_names,
        is_test: vec![false; n_samples],
        stimuli: None,
        captions: None,
        heard: None,
        annotations: Vec::new(),
        labels: Some(labels),
        warnings,
    })
}

fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split('.').next().unwrap_or_default().to_owned()
}

/// The label and the run of every scan.
fn attributes(path: &Path) -> Result<[Vec<String>; 2], PipelineError> {
    let text = fs::read_text(path, MAX_TABLE_BYTES)?;
    let wrong = |what: String| {
        PipelineError::data(
            format!("`{}`: {what}", path.display()),
            "write a label and a run on each line, parted by a space, tab or comma",
        )
    };
    let parts = |line: &str| -> Vec<String> {
        let cut = |c: char| c == ',' || c.is_whitespace();
        line.split(cut).filter(|part| !part.is_empty()).map(|part| part.trim_matches('"').to_owned()).collect()
    };
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).peekable();
    let Some(&(_, first)) = lines.peek() else { return Err(wrong("there is no line".to_owned())) };
    let head = parts(first);
    let column = |names: &[&str]| head.iter().position(|part| names.iter().any(|name| part.eq_ignore_ascii_case(name)));
    let columns = match (column(&LABEL_COLUMNS), column(&RUN_COLUMNS)) {
        (Some(label), Some(run)) => {
            lines.next();
            [label, run]
        }
        _ => [0, 1],
    };
    let [mut labels, mut runs] = [Vec::new(), Vec::new()];
    for (number, line) in lines {
        let parts = parts(line);
        let [label, run] = columns.map(|column| parts.get(column).cloned());
        let (Some(label), Some(run)) = (label, run) else {
            return Err(wrong(format!("line {} is `{}`", number + 1, line.trim())));
        };
        labels.push(label);
        runs.push(run);
    }
    Ok([labels, runs])
}

fn read(settings: &ScansData) -> Result<Scans, PipelineError> {
    let reference = &settings.responses;
    if sniff_path(&reference.file)? != Format::Nifti {
        let found = Reference { path: reference.file.clone(), name: reference.variable.clone() };
        let responses = percept_io::array::standard(found.read_matrix::<f32>()?);
        let places = Places::Columns((0..responses.ncols()).collect());
        return Ok(Scans { responses, places, affine: None, voxels: None, n_still: 0 });
    }
    let file = nifti::open(&reference.file)?;
    let header = file.header();
    if let Some(tr) = header.tr_secs
        && (tr - settings.tr_secs).abs() > TR_TOLERANCE * settings.tr_secs
    {
        return Err(PipelineError::data(
            format!(
                "`data.tr_secs` is {} s, but the header of `{}` says {tr} s, so that scan 2 comes at {tr} s",
                settings.tr_secs,
                reference.file.display()
            ),
            "correct the one that is wrong",
        ));
    }
    let (shape, affine) = (header.shape, header.affine);
    let n_voxels = header.n_voxels();
    let voxels: Vec<usize> = match &settings.mask {
        Some(mask) => mask_of(mask, shape)?,
        None => (0..n_voxels).collect(),
    };
    let responses = file.select::<f32>(&voxels)?;
    let varies = |unit: &usize| {
        let column = responses.column(*unit);
        column.iter().any(|value| *value != column[0])
    };
    let kept: Vec<usize> = (0..voxels.len()).filter(varies).collect();
    // Outside of a head nothing varies: that is not worth a word unless a mask asked for it.
    let n_still = if settings.mask.is_some() { voxels.len() - kept.len() } else { 0 };
    if kept.is_empty() {
        return Err(PipelineError::data(
            format!("no voxel of `{}` that was asked for ever varies", reference.file.display()),
            "check the mask",
        ));
    }
    let voxels: Vec<usize> = kept.iter().map(|&unit| voxels[unit]).collect();
    let coordinates = coordinates_of(&voxels, shape);
    Ok(Scans {
        responses: responses.select(Axis(1), &kept),
        places: Places::Voxels { shape, coordinates },
        affine: Some(affine),
        voxels: Some(voxels),
        n_still,
    })
}

/// Where voxels of these flat indices, x fastest, lie.
pub(in crate::data) fn coordinates_of(voxels: &[usize], [nx, ny, _]: [usize; 3]) -> Vec<[usize; 3]> {
    voxels.iter().map(|&voxel| [voxel % nx, voxel / nx % ny, voxel / (nx * ny)]).collect()
}

/// Flat indices, x fastest, of the voxels above zero.
pub(in crate::data) fn mask_of(path: &Path, shape: [usize; 3]) -> Result<Vec<usize>, PipelineError> {
    let volume = nifti::open(path)?.read_volume::<f32>()?;
    let (x, y, z) = volume.dim();
    if [x, y, z] != shape {
        return Err(PipelineError::data(
            format!("the mask `{}` is {x} × {y} × {z}, the responses {shape:?}", path.display()),
            "name a mask in the space of the responses",
        ));
    }
    // Transposed, the last axis runs fastest, which is x.
    let above = volume.t().iter().enumerate().filter(|(_, value)| **value > 0.0).map(|(voxel, _)| voxel).collect();
    Ok(above)
}

/// The units that the region `reference` takes.
fn units_above_zero(
    reference: &ArrayRef,
    voxels: Option<&[usize]>,
    places: &Places,
    n_units: usize,
) -> Result<Vec<usize>, PipelineError> {
    if let (Some(voxels), Places::Voxels { shape, .. }) = (voxels, places)
        && sniff_path(&reference.file)? == Format::Nifti
    {
        let taken = mask_of(&reference.file, *shape)?;
        return Ok((0..voxels.len()).filter(|&unit| taken.binary_search(&voxels[unit]).is_ok()).collect());
    }
    let found = Reference { path: reference.file.clone(), name: reference.variable.clone() };
    let values = found.read::<f64>()?.data;
    if values.len() != n_units {
        return Err(PipelineError::data(
            format!("`{reference}` has {} values for {n_units} units", values.len()),
            "give one value per unit, or a NIfTI volume",
        ));
    }
    Ok(values.iter().enumerate().filter(|(_, value)| **value > 0.0).map(|(unit, _)| unit).collect())
}

/// Refuses a table that is longer or shorter than the series, naming run and second.
fn same_number(
    settings: &ScansData,
    run_of_scan: &[usize],
    names: &[String],
    n_scans: usize,
) -> Result<(), PipelineError> {
    let n_lines = run_of_scan.len();
    if n_lines == n_scans {
        return Ok(());
    }
    let (what, remedy) = if n_lines > n_scans {
        let run = run_of_scan[n_scans];
        let start = run_of_scan.iter().position(|found| *found == run).unwrap_or(0);
        let second = (n_scans - start) as f64 * settings.tr_secs;
        let what = format!(
            "`{}` has {n_lines} lines but there are {n_scans} scans: those of run `{}` end at its second {second}",
            settings.attributes.display(),
            names[run]
        );
        (what, "remove the lines without a scan")
    } else {
        let last = run_of_scan.last().map_or("", |&run| names[run].as_str());
        let start = run_of_scan.iter().position(|found| Some(found) == run_of_scan.last()).unwrap_or(0);
        let second = (n_lines - start) as f64 * settings.tr_secs;
        let what = format!(
            "`{}` has {n_lines} lines but there are {n_scans} scans: it says nothing behind second {second} of run `{last}`",
            settings.attributes.display()
        );
        (what, "add a line for every scan")
    };
    Err(PipelineError::data(what, remedy))
}

/// Scans that are left when the first of every run are dropped.
fn kept_scans(settings: &ScansData, run_of_scan: &[usize], names: &[String]) -> Result<Vec<usize>, PipelineError> {
    let mut kept = Vec::with_capacity(run_of_scan.len());
    for (run, name) in names.iter().enumerate() {
        let start = run_of_scan.iter().position(|found| *found == run).unwrap_or(0);
        let length = run_of_scan[start..].iter().take_while(|found| **found == run).count();
        if length < settings.drop_scans + 2 {
            return Err(PipelineError::data(
                format!("run `{name}` has {length} scans, of which {} are dropped", settings.drop_scans),
                "drop fewer (`data.drop_scans`), or leave the run out",
            ));
        }
        kept.extend(start + settings.drop_scans..start + length);
    }
    Ok(kept)
}

/// Which category each scan shows; none at rest.
fn categories(labels: &[&str], rest: &str) -> Labels {
    let mut names: Vec<String> = labels.iter().filter(|label| **label != rest).map(|&label| label.to_owned()).collect();
    names.sort_unstable();
    names.dedup();
    let mut holds = Array2::zeros((labels.len(), names.len()));
    for (mut row, label) in holds.rows_mut().into_iter().zip(labels) {
        if let Ok(category) = names.binary_search_by(|name| name.as_str().cmp(label)) {
            row.slice_mut(s![category]).fill(1.0);
        }
    }
    Labels { names, holds, exclusive: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("attributes.txt");
        std::fs::write(&path, text).expect("written");
        (folder, path)
    }

    #[test]
    fn tables_with_and_without_a_head_say_the_same() {
        for text in [
            "face 0\nrest 0\nhouse 1\n",
            "targets chunks\nface 0\nrest 0\nhouse 1\n",
            "run,label\n0,face\n0,rest\n1,house",
        ] {
            let (_folder, path) = written(text);
            let [labels, runs] = attributes(&path).expect("read");
            assert_eq!((labels.join(" "), runs.join(" ")), ("face rest house".to_owned(), "0 0 1".to_owned()));
        }
        let (_folder, path) = written("face 0\nrest\n");
        assert!(attributes(&path).expect_err("no run").to_string().contains("line 2 is `rest`"));
    }

    #[test]
    fn a_run_that_comes_back_is_named() {
        let labels = ["1", "1", "2", "1"].map(str::to_owned);
        let error = expect_stretches(&labels, "run").expect_err("scattered").to_string();
        assert!(error.starts_with("run `1` comes back at row 4 after `2`"), "{error}");
    }

    #[test]
    fn rest_has_no_category() {
        let labels = categories(&["rest", "house", "face", "house"], "rest");
        assert_eq!(labels.names, ["face", "house"]);
        assert_eq!(labels.holds, ndarray::array![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]);
    }
}
