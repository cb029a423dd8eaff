//! Pictures on their way into CLIP against transformers on Pillow.

use ndarray::{Array, Array4};
use percept_models::preprocess::Preprocess;

use crate::fixture::{tensors, text, values};

/// Less than a tenth of one grey level: the resized bytes themselves must be equal.
const TOLERANCE: f64 = 1e-3;

#[test]
fn pictures_are_resized_and_cropped_as_pillow_does_it() {
    let preprocess = Preprocess::parse(&text("clip_preprocess/preprocessor_config.json"), 12).expect("supported");
    let io = tensors("clip_preprocess/io.safetensors");
    for name in ["smaller", "square", "larger"] {
        let input = &io[&format!("input.{name}")];
        let (height, width, _) = input.dims3().expect("a picture has three axes");
        let pixels = values(input).into_iter().map(|byte| byte as f32 / 255.0).collect();
        let pictures: Array4<f32> =
            Array::from_shape_vec((1, height, width, 3), pixels).expect("the values fill the shape");
        let ours = preprocess.apply(&pictures.view(), 12, &candle_core::Device::Cpu).expect("the picture has pixels");
        assert_eq!(ours.dims(), [1, 3, 12, 12]);
        for (i, (a, b)) in values(&ours).iter().zip(values(&io[&format!("output.{name}")])).enumerate() {
            assert!((a - b).abs() < TOLERANCE, "{name}: value {i} is {a}, not {b}");
        }
    }
}
