//! What the rows and columns of a run's arrays are: tables beside them, and a README that opens them in Python.
//!
//! Without these an array of weights is easily put back into the brain in the wrong order: units are numbered x fastest, while
//! numpy flattens z fastest.

use percept_core::Provenance;
use percept_io::parquet::{self, Column};

use super::Plan;
use crate::data::{Dataset, Places};
use crate::error::PipelineError;
use crate::experiment::Region;
use crate::run::{RunFolder, StageName};

/// Of the computation; see [`crate::run`].
const REVISION: u32 = 1;
const README: &str = "README.md";
const UNITS: &str = "labels/units.parquet";
const SAMPLES: &str = "labels/samples.parquet";
const STIMULI: &str = "labels/stimuli.parquet";
const ITEMS: &str = "labels/items.parquet";

/// Writes the tables and the README of the run called `name`, unless they are there.
///
/// # Errors
/// When the disk refuses.
pub fn write(
    run: &RunFolder,
    name: &str,
    dataset: &Dataset,
    plan: &Plan,
    record: &Provenance,
) -> Result<(), PipelineError> {
    let record = record.only(&["design", "stimuli", "captions"]).setting("name", name);
    run.stage(StageName { name: "labels", revision: REVISION }, record, || {
        units(run, dataset)?;
        samples(run, dataset)?;
        stimuli(run, dataset)?;
        items(run, dataset, plan)?;
        run.write(README, readme(name, dataset).as_bytes())?;
        Ok([README, UNITS, SAMPLES, STIMULI, ITEMS].map(str::to_owned).to_vec())
    })?;
    Ok(())
}

fn whole(values: impl Iterator<Item = usize>) -> Column {
    Column::Integer(values.map(|value| value as i64).collect())
}

/// One row per unit; of the weights of a decoder, those of its region in this order.
fn units(run: &RunFolder, dataset: &Dataset) -> Result<(), PipelineError> {
    let n = dataset.responses.n_units();
    let mut columns = vec![("unit", whole(0..n))];
    match &dataset.places {
        Places::Columns(of_unit) => columns.push(("column", whole(of_unit.iter().copied()))),
        Places::Voxels { shape: [nx, ny, nz], coordinates } => {
            for (axis, name) in ["x", "y", "z"].into_iter().enumerate() {
                columns.push((name, whole(coordinates.iter().map(|place| place[axis]))));
            }
            columns.push(("index_f", whole(coordinates.iter().map(|[x, y, z]| x + nx * (y + ny * z)))));
            columns.push(("index_c", whole(coordinates.iter().map(|[x, y, z]| (x * ny + y) * nz + z))));
        }
    }
    let is_in = |units: &[usize]| whole((0..n).map(|unit| usize::from(units.binary_search(&unit).is_ok())));
    for region in &dataset.regions {
        columns.push((region.region.name(), is_in(&region.units)));
    }
    let groups: Vec<(String, Column)> =
        dataset.groups.iter().map(|group| (format!("group {}", group.name), is_in(&group.units))).collect();
    columns.extend(groups.iter().map(|(name, column)| (name.as_str(), column.clone())));
    Ok(parquet::write(run.file(UNITS), &columns)?)
}

fn samples(run: &RunFolder, dataset: &Dataset) -> Result<(), PipelineError> {
    let responses = &dataset.responses;
    let shown = responses.stimulus_of_sample.iter().map(|&stimulus| dataset.stimuli.id(stimulus).to_owned());
    let columns = [
        ("sample", whole(0..responses.n_samples())),
        ("stimulus", Column::Text(shown.collect())),
        ("session", whole(responses.session_of_sample.iter().copied())),
        ("is_test", whole(dataset.is_test.iter().map(|&is_test| usize::from(is_test)))),
    ];
    Ok(parquet::write(run.file(SAMPLES), &columns)?)
}

fn stimuli(run: &RunFolder, dataset: &Dataset) -> Result<(), PipelineError> {
    let n = dataset.stimuli.len();
    let caption = |stimulus: usize| {
        let captions = dataset.captions.as_ref().map(|all| all[stimulus].as_slice());
        captions.and_then(<[String]>::first).cloned().unwrap_or_default()
    };
    let columns = [
        ("row", whole(0..n)),
        ("stimulus", Column::Text((0..n).map(|stimulus| dataset.stimuli.id(stimulus).to_owned()).collect())),
        ("caption", Column::Text((0..n).map(caption).collect())),
    ];
    Ok(parquet::write(run.file(STIMULI), &columns)?)
}

fn items(run: &RunFolder, dataset: &Dataset, plan: &Plan) -> Result<(), PipelineError> {
    let ids = |of: &dyn Fn(&super::Item) -> String| Column::Text(plan.items.iter().map(of).collect());
    let columns = [
        ("row", whole(0..plan.items.len())),
        ("item", ids(&|item| item.id.clone())),
        ("stimulus", ids(&|item| dataset.stimuli.id(item.stimulus).to_owned())),
        ("n_samples", whole(plan.items.iter().map(|item| item.samples.len()))),
        ("fold", whole(plan.items.iter().map(|item| item.fold))),
    ];
    Ok(parquet::write(run.file(ITEMS), &columns)?)
}

fn readme(name: &str, dataset: &Dataset) -> String {
    let regions: Vec<&str> = dataset.regions.iter().map(|region| region.region.name()).collect();
    let early = regions.first().copied().unwrap_or(Region::Early.name());
    let in_brain = match &dataset.places {
        Places::Columns(_) => "`column` is the column of each unit in the responses that were given.\n".to_owned(),
        Places::Voxels { shape: [x, y, z], .. } => format!(
            "`x`, `y`, `z` are voxel coordinates from 0 in the volume of {x} × {y} × {z}. `index_c` is the place in\n\
             `img.get_fdata().ravel()` of nibabel, `index_f` that of MATLAB's `(:)`. To put a value of each unit back:\n\n\
             ```python\nvolume = np.zeros(({x}, {y}, {z}))\nvolume[units.x, units.y, units.z] = values\n```\n"
        ),
    };
    format!(
        "# {name}\n\n\
         Written by percept. `report.html` shows the result, `experiment.toml` what was asked for, `outcome.json` everything that\n\
         the report says. `stages/` holds the record of what made each file.\n\n\
         | array | rows | columns |\n|---|---|---|\n\
         | `features/z.safetensors`, `c` | `labels/stimuli.parquet` | features |\n\
         | `decoders/*/fold….safetensors`: `items` | `labels/items.parquet` of that fold | targets |\n\
         | the same: `weights` | targets | units of the decoder's region, in the order of `labels/units.parquet` |\n\
         | `scores_per_image.parquet` | method and item | metrics |\n\n\
         {in_brain}\n\
         ```python\n\
         import numpy as np, pandas as pd\n\
         from safetensors.numpy import load_file\n\
         units = pd.read_parquet(\"labels/units.parquet\")\n\
         weights = load_file(\"decoders/z/fold000-targets000000.safetensors\")[\"weights\"]   # targets × units of its region\n\
         region = units[units.{early} == 1]                                               # one row per column of weights\n\
         scores = pd.read_parquet(\"scores.parquet\")\n\
         ```\n"
    )
}
