//! Optical flow beside that of scikit-image and OpenCV, on a disc that moves over a moving texture.

use ndarray::{Array2, Array3};
use percept_signal::flow::{FlowSettings, flow};

const SIDE: usize = 64;

macro_rules! floats {
    ($name:literal) => {
        include_bytes!(concat!("../data/flow/", $name, ".f32"))
            .chunks_exact(4)
            .map(|four| f32::from_le_bytes(four.try_into().expect("four bytes")))
            .collect::<Vec<f32>>()
    };
}

/// Right and down of the disc and of what is behind it, as the script has them.
fn truth(row: usize, column: usize) -> [f32; 2] {
    let inside = (column as f32 - 30.0).hypot(row as f32 - 34.0) < 14.0;
    if inside { [2.0, -1.0] } else { [-1.0, 0.5] }
}

/// The lengths of differences from `other` within the margin, ascending.
fn errors(found: &Array3<f32>, other: impl Fn(usize, usize) -> [f32; 2]) -> Vec<f32> {
    let mut all = Vec::new();
    for row in 8..SIDE - 8 {
        for column in 8..SIDE - 8 {
            let [right, down] = other(row, column);
            all.push((found[(0, row, column)] - right).hypot(found[(1, row, column)] - down));
        }
    }
    all.sort_by(f32::total_cmp);
    all
}

#[test]
fn it_is_as_true_as_that_of_scikit_image_and_opencv_and_close_to_both() {
    let picture = |values: Vec<f32>| Array2::from_shape_vec((SIDE, SIDE), values).expect("64 × 64");
    let field = |values: Vec<f32>| Array3::from_shape_vec((2, SIDE, SIDE), values).expect("2 × 64 × 64");
    let (from, to) = (picture(floats!("from")), picture(floats!("to")));
    let own = flow(from.view(), to.view(), &FlowSettings::default());
    let mean = |errors: &[f32]| errors.iter().sum::<f32>() / errors.len() as f32;
    let own_errors = errors(&own, truth);
    for (name, other) in [("scikit-image", field(floats!("ilk"))), ("OpenCV", field(floats!("farneback")))] {
        let theirs = errors(&other, truth);
        let half = theirs.len() / 2;
        assert!(mean(&own_errors) < 1.1 * mean(&theirs), "{name}: {} {}", mean(&own_errors), mean(&theirs));
        assert!(own_errors[half] < 1.1 * theirs[half], "{name}: {} {}", own_errors[half], theirs[half]);
        let apart = errors(&own, |row, column| [other[(0, row, column)], other[(1, row, column)]]);
        assert!(apart[half] < 0.2, "{name}: {}", apart[half]);
    }
}
