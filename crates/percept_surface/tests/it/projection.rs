//! Projections against nilearn and SciPy on fsaverage5.

use percept_core::Mesh;
use percept_surface::surfaces::{Shape, Surfaces};
use percept_surface::transfer::{self, Rule};
use percept_surface::volume::{self, Grid, Sampling};
use percept_testing::shared_data;
use serde_json::Value;

/// Single precision of coordinates of 100 mm, through a volume that changes by 0.3 from voxel to voxel.
const TOLERANCE: f32 = 1e-5;

fn expected() -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/projection/expected.json");
    serde_json::from_slice(&std::fs::read(path).expect("a fixture")).expect("JSON")
}

fn floats(value: &Value) -> Vec<f32> {
    value.as_array().expect("a list").iter().map(|value| value.as_f64().expect("a number") as f32).collect()
}

fn fsaverage5() -> Option<Surfaces> {
    let folder = shared_data("surf_fsaverage5")?;
    Some(Surfaces::open(&[folder], None).expect("readable"))
}

#[test]
fn volumes_come_onto_the_surface_as_by_nilearn() {
    let Some(surfaces) = fsaverage5() else { return };
    let all = expected();
    let shape: [usize; 3] = serde_json::from_value(all["shape"].clone()).expect("a shape");
    let grid = Grid { shape, affine: serde_json::from_value(all["affine"].clone()).expect("an affine") };
    let depths = floats(&all["depths"]);
    let volume: Vec<f32> = (0..grid.n_voxels())
        .map(|at| {
            let (i, j, k) = (at % shape[0], at / shape[0] % shape[1], at / shape[0] / shape[1]);
            ((0.3 * i as f64).sin() + (0.2 * j as f64).cos() * (0.25 * k as f64).sin()) as f32
        })
        .collect();
    for hemisphere in &surfaces.hemispheres {
        let mesh = |shape| hemisphere.mesh(shape).expect("there");
        for (name, sampling) in [("linear", Sampling::Linear), ("nearest_most_frequent", Sampling::Nearest)] {
            let weights =
                volume::weights(&grid, mesh(Shape::White), mesh(Shape::Pial), &depths, sampling).expect("fits");
            let got = match sampling {
                Sampling::Linear => weights.apply(&volume),
                Sampling::Nearest => weights.apply_most_frequent(&volume),
            };
            let got = got.expect("fits");
            let key = format!("{name}_{}", hemisphere.side.word());
            let mut worst = 0.0f32;
            for (value, expected) in got.iter().step_by(47).zip(floats(&all[&key])) {
                worst = worst.max((value - expected).abs());
            }
            assert!(worst <= TOLERANCE, "{key}: {worst}");
        }
    }
}

#[test]
fn spheres_pass_values_on_as_scipy_says() {
    let Some(surfaces) = fsaverage5() else { return };
    let all = expected();
    let turn: [[f32; 3]; 3] = serde_json::from_value(all["turn"].clone()).expect("a matrix");
    let left = &surfaces.hemispheres[0];
    let from = left.sphere.as_ref().expect("a sphere");
    let rows = surfaces.hemispheres[1].sphere.as_ref().expect("a sphere").vertices.iter().step_by(47);
    let turned = rows.map(|place| turn.map(|row| (0..3).map(|axis| row[axis] * place[axis]).sum::<f32>()));
    let to = Mesh { vertices: turned.collect(), triangles: Vec::new() };
    let nearest = transfer::weights(from, &to, Rule::Nearest);
    for (vertex, expected) in all["nearest"].as_array().expect("a list").iter().enumerate() {
        let got: Vec<usize> = nearest.matrix().row(vertex).map(|(source, _)| source).collect();
        assert_eq!(serde_json::json!(got), serde_json::json!([expected]), "vertex {vertex}");
    }
    let mixed = transfer::weights(from, &to, Rule::Triangle);
    let white = left.mesh(Shape::White).expect("there");
    for axis in 0..3 {
        let values: Vec<f32> = white.vertices.iter().map(|place| place[axis]).collect();
        let got = mixed.apply(&values).expect("fits");
        for (value, expected) in got.iter().zip(all["triangle"].as_array().expect("a list")) {
            let expected = expected[axis].as_f64().expect("a number") as f32;
            // Values reach 100 mm; single precision on a sphere leaves some 1e-6 of that.
            assert!((value - expected).abs() <= 100.0 * TOLERANCE, "{value} against {expected}");
        }
    }
}
