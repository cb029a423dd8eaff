//! Results unit by unit, in formats that other programs open: a Parquet table, and a NIfTI map of every quantity where units are
//! voxels.
//!
//! Columns are named `QUANTITY:SPACE`, with `@AXIS=VALUE` behind the space where it has several sets. A value that is not known is
//! a null in the table and NaN in a map; voxels that were not measured are NaN. `permutations.npy` holds the orders of the items that make
//! the null.

use ndarray::{Array2, Array4};
use percept_io::nifti::{self, Spec};
use percept_io::npy;
use percept_io::parquet::{self, Column};
use percept_pipeline::PipelineError;
use percept_pipeline::data::Places;
use percept_pipeline::encoding::Axes;
use percept_pipeline::encoding::score::ALL;
use percept_pipeline::run::StageName;
use percept_stats::resampling::Estimate;

use super::models::{Bench, Found};
use super::rows::along;

/// Of the computation; see [`percept_pipeline::run`].
const REVISION: u32 = 3;
const TABLE: &str = "units.parquet";
const ORDERS: &str = "permutations.npy";

/// One quantity of every unit.
struct Quantity {
    name: String,
    values: Vec<Option<f64>>,
}

/// Writes the table and the maps.
pub(super) fn write(bench: &Bench<'_>, found: &Found) -> Result<(), PipelineError> {
    let quantities = quantities(bench, found);
    let mut record = bench.record.only(&["responses", "design"]).setting("encode", &bench.experiment.encode);
    record = record.setting("statistics", &bench.experiment.statistics).setting("seed", &bench.seed);
    for point in found.spaces.iter().flatten() {
        record = record.input(&point.key(), point.content.clone());
    }
    bench.run.stage(StageName { name: "tables", revision: REVISION }, record, || {
        let mut files = vec![TABLE.to_owned()];
        table(bench, &quantities)?;
        if let Some(orders) = bench.judge.orders() {
            orders_of(bench, orders)?;
            files.push(ORDERS.to_owned());
        }
        if let Places::Voxels { shape, coordinates } = &bench.data.places {
            for quantity in &quantities {
                let path = format!("maps/{}.nii.gz", file_name(&quantity.name));
                map(bench, &path, *shape, coordinates, quantity)?;
                files.push(path);
            }
        }
        Ok(files)
    })?;
    Ok(())
}

/// The orders of the null, permutations × items: with them another program gets the same p.
fn orders_of(bench: &Bench<'_>, orders: &[Vec<u32>]) -> Result<(), PipelineError> {
    let n = bench.judge.n_items();
    let all = Array2::from_shape_fn((orders.len(), n), |(number, place)| orders[number][place]);
    Ok(npy::write(bench.run.file(ORDERS), all.view().into_dyn())?)
}

fn file_name(quantity: &str) -> String {
    quantity.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.=+@".contains(c) { c } else { '_' }).collect()
}

fn named(quantity: &str, space: &str, axes: &Axes) -> String {
    let at: Vec<String> = axes.iter().map(|(axis, value)| format!("{axis}={value}")).collect();
    if at.is_empty() { format!("{quantity}:{space}") } else { format!("{quantity}:{space}@{}", at.join(",")) }
}

fn quantities(bench: &Bench<'_>, found: &Found) -> Vec<Quantity> {
    let mut all = Vec::new();
    let mut push = |name: String, values: Vec<Option<f64>>| all.push(Quantity { name, values });
    let value = |estimates: &[Option<Estimate>]| estimates.iter().map(|e| e.map(|e| e.value)).collect::<Vec<_>>();
    if let Some(ceiling) = &bench.judge.ceiling {
        push("ceiling_r2".to_owned(), ceiling.clone());
    }
    let alone = found.models.iter().flatten().map(|model| (&*model.point.space, &model.point.axes, &model.scores));
    let joined: Vec<String> = found.joint.iter().map(|joint| joint.names.join("+")).collect();
    let joint = found.joint.iter().zip(&joined).map(|(joint, name)| (name.as_str(), &joint.axes, &joint.scores));
    for (space, axes, scores) in alone.chain(joint) {
        push(named("r", space, axes), value(&scores.r));
        push(named("r2", space, axes), value(&scores.r2));
        push(named("p", space, axes), scores.p.clone());
        push(named("q", space, axes), scores.adjusted.clone());
        if let Some(p_max) = &scores.p_max {
            push(named("p_max", space, axes), p_max.clone());
        }
    }
    for joint in &found.joint {
        for (name, units) in joint.parts.names.iter().zip(&joint.parts.units) {
            let (quantity, space) = name.split_once(':').unwrap_or((name, ""));
            push(named(quantity, space, &joint.axes), value(units));
            if quantity.starts_with("unique") {
                push(
                    named(&format!("{quantity}_p"), space, &joint.axes),
                    units.iter().map(|e| e.map(|e| e.p)).collect(),
                );
            }
        }
    }
    for best in &found.best {
        let points = &found.spaces[best.space];
        let space = &points[0].space;
        let none = Axes::none();
        let units = &best.sets.units;
        push(named("best", space, &none), units.iter().map(|b| b.map(|b| b.candidate as f64)).collect());
        push(named("best_probability", space, &none), units.iter().map(|b| b.map(|b| b.probability)).collect());
        push(named("best_margin", space, &none), units.iter().map(|b| b.map(|b| b.margin)).collect());
        for (axis, _) in points[0].axes.iter() {
            let (values, of_point) = along(points, axis);
            // Coordinates that are numbers stand for themselves, words for their place in the list.
            let number = |place: usize| values[place].parse().unwrap_or(place as f64);
            push(
                named(&format!("best_{axis}"), space, &none),
                units.iter().map(|b| b.map(|b| number(of_point[b.candidate]))).collect(),
            );
        }
    }
    all
}

fn table(bench: &Bench<'_>, quantities: &[Quantity]) -> Result<(), PipelineError> {
    let n = bench.data.responses.ncols();
    let whole = |values: Vec<usize>| Column::Integer(values.into_iter().map(|value| value as i64).collect());
    let mut columns: Vec<(&str, Column)> = vec![("unit", whole((0..n).collect()))];
    match &bench.data.places {
        Places::Columns(of_unit) => columns.push(("column", whole(of_unit.clone()))),
        Places::Voxels { shape: [nx, ny, _], coordinates } => {
            for (axis, name) in ["i", "j", "k"].into_iter().enumerate() {
                columns.push((name, whole(coordinates.iter().map(|place| place[axis]).collect())));
            }
            // x fastest, as NIfTI stores them.
            columns.push(("voxel", whole(coordinates.iter().map(|[x, y, z]| x + nx * (y + ny * z)).collect())));
        }
    }
    let region_of = |unit: usize| {
        let own = bench.judge.regions.iter().find(|(name, units)| name != ALL && units.binary_search(&unit).is_ok());
        own.map_or_else(String::new, |(name, _)| name.clone())
    };
    columns.push(("region", Column::Text((0..n).map(region_of).collect())));
    for quantity in quantities {
        columns.push((&quantity.name, Column::OptionalFloat(quantity.values.clone())));
    }
    Ok(parquet::write(bench.run.file(TABLE), &columns)?)
}

fn map(
    bench: &Bench<'_>,
    path: &str,
    [nx, ny, nz]: [usize; 3],
    coordinates: &[[usize; 3]],
    quantity: &Quantity,
) -> Result<(), PipelineError> {
    let mut volume = Array4::from_elem((nx, ny, nz, 1), f32::NAN);
    for ([x, y, z], value) in coordinates.iter().zip(&quantity.values) {
        if let Some(value) = value {
            volume[(*x, *y, *z, 0)] = *value as f32;
        }
    }
    let mut spec = Spec { description: quantity.name.clone(), ..Spec::default() };
    if let Some(affine) = bench.data.affine {
        spec.affine = affine;
    }
    Ok(nifti::write(bench.run.file(path), volume.view(), &spec)?)
}
