//! Optical flow beside that of scikit-image and OpenCV, on a disc that moves over a moving texture.

use ndarray::{Array2, Array3};
use percept_signal::flow::{FlowSettings, flow};
use serde_json::Value;

const SIDE: usize = 64;
/// Right and down, pixels.
const DISC: [f64; 2] = [2.0, -1.0];
const GROUND: [f64; 2] = [-1.0, 0.5];
/// No flow is compared so close to the edge.
const MARGIN: usize = 8;

/// The picture of `make_flow.py` at a time.
fn picture(time: f64) -> Array2<f32> {
    Array2::from_shape_fn((SIDE, SIDE), |(row, column)| {
        let (x, y) = (column as f64, row as f64);
        let (u, v) = (x - GROUND[0] * time, y - GROUND[1] * time);
        let ground = 0.45 + 0.12 * (0.5 * u + 0.3 * v).sin() + 0.12 * (0.6 * v - 0.2 * u).cos();
        let (u, v) = (x - DISC[0] * time, y - DISC[1] * time);
        let share = 1.0 / (1.0 + (((u - 30.0).hypot(v - 34.0) - 14.0) * 1.5).exp());
        let disc = 0.55 + 0.2 * (0.7 * u).sin() * (0.6 * v).cos() + 0.1 * (0.9 * u + 0.5 * v).cos();
        (ground * (1.0 - share) + disc * share) as f32
    })
}

/// Pixels from the middle of the disc, whose radius is 14.
fn away(row: usize, column: usize) -> f64 {
    (column as f64 - 30.0).hypot(row as f64 - 34.0)
}

/// The pixels within the margin.
fn places() -> impl Iterator<Item = (usize, usize)> {
    let side = MARGIN..SIDE - MARGIN;
    side.clone().flat_map(move |row| side.clone().map(move |column| (row, column)))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
fn it_is_as_true_as_that_of_scikit_image_and_opencv_and_close_to_both() {
    let golden: Value = serde_json::from_str(include_str!("../data/flow/golden.json")).expect("valid JSON");
    let own: Array3<f32> = flow(picture(0.0).view(), picture(1.0).view(), &FlowSettings::default());
    let at = |axis: usize, (row, column): (usize, usize)| f64::from(own[(axis, row, column)]);
    let error = |place: (usize, usize)| {
        let [right, down] = if away(place.0, place.1) < 14.0 { DISC } else { GROUND };
        (at(0, place) - right).hypot(at(1, place) - down)
    };
    let errors: Vec<f64> = places().map(error).collect();
    for name in ["scikit-image", "OpenCV"] {
        let theirs = &golden[name];
        let number = |of: &Value| of.as_f64().expect("a number");
        assert!(mean(&errors) < 1.1 * number(&theirs["mean"]), "{name}: {} {theirs}", mean(&errors));
        assert!(median(errors.clone()) < 1.1 * number(&theirs["median"]), "{name}: {}", median(errors.clone()));
        for (region, is_in) in [("disc", 0.0..8.0), ("ground", 20.0..99.0)] {
            for axis in 0..2 {
                let inside = places().filter(|&(row, column)| is_in.contains(&away(row, column)));
                let found = mean(&inside.map(|place| at(axis, place)).collect::<Vec<_>>());
                let expected = number(&theirs[region][axis]);
                assert!((found - expected).abs() < 0.1, "{name}, {region}: {found} {expected}");
            }
        }
    }
}
