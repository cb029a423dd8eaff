//! What a picture goes through before a captioner: resized to a square by a filter, shifted and scaled per channel.

use candle_core::{Device, Tensor};
use ndarray::{Array4, ArrayView4};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    config,
    error::{ModelError, Result},
    preprocess::{BICUBIC, Filter, picture_tensor, resize},
};

const NAME: &str = "preprocessor";
/// Pillow's number for Lanczos' filter.
const LANCZOS: u64 = 1;
/// The mean and standard deviation of CLIP's pictures, which BLIP shares.
const CLIP_MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const CLIP_SD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

/// How pictures are prepared. The whole picture is squeezed to the square; nothing is cropped.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preparation {
    /// Side of the square in pixels.
    pub size: usize,
    /// What pictures of another size are resized by.
    pub filter: Filter,
    /// What is subtracted from each channel of values in 0..=1.
    pub mean: [f32; 3],
    /// What each channel is then divided by.
    pub sd: [f32; 3],
}

impl Preparation {
    /// As BLIP's own code and transformers: bicubic, CLIP's mean and standard deviation.
    pub fn blip(size: usize) -> Self {
        Self { size, filter: Filter::Bicubic, mean: CLIP_MEAN, sd: CLIP_SD }
    }

    /// As the code of Takagi & Nishimoto: Lanczos, values left in 0..=1.
    pub fn takagi2023(size: usize) -> Self {
        Self { size, filter: Filter::Lanczos, mean: [0.0; 3], sd: [1.0; 3] }
    }

    /// Reads a `preprocessor_config.json`; what it leaves out is as in [`Self::blip`] for an encoder of `side` pixels.
    ///
    /// # Errors
    /// [`ModelError::Config`] for anything that is not supported.
    pub fn parse(text: &str, side: usize) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(default)]
        struct File {
            image_mean: [f32; 3],
            image_std: [f32; 3],
            size: Value,
            resample: u64,
            do_resize: bool,
            do_rescale: bool,
            do_normalize: bool,
            do_center_crop: bool,
        }
        impl Default for File {
            fn default() -> Self {
                let (image_mean, image_std) = (CLIP_MEAN, CLIP_SD);
                let (do_resize, do_rescale, do_normalize, do_center_crop) = (true, true, true, false);
                let (size, resample) = (Value::Null, BICUBIC);
                Self { image_mean, image_std, size, resample, do_resize, do_rescale, do_normalize, do_center_crop }
            }
        }
        let file: File = config::parse(NAME, text)?;
        let refuse = |key: &str, value: String, supported: &str| {
            Err(ModelError::Config { component: NAME, key: key.into(), value, supported: supported.into() })
        };
        let filter = match file.resample {
            BICUBIC => Filter::Bicubic,
            LANCZOS => Filter::Lanczos,
            other => return refuse("resample", other.to_string(), "3 (bicubic), 1 (Lanczos)"),
        };
        for (key, value) in [("do_resize", file.do_resize), ("do_rescale", file.do_rescale)] {
            if !value {
                return refuse(key, "false".into(), "true");
            }
        }
        if file.do_center_crop {
            return refuse("do_center_crop", "true".into(), "false");
        }
        let sides = match &file.size {
            Value::Object(size) => [size.get("height"), size.get("width")].map(|side| side.and_then(Value::as_u64)),
            Value::Null => [Some(side as u64); 2],
            other => [other.as_u64(); 2],
        };
        let [Some(height), Some(width)] = sides else {
            return refuse("size", file.size.to_string(), "`height` and `width`");
        };
        if height != width {
            return refuse("size", file.size.to_string(), "a square");
        }
        if file.image_std.iter().any(|sd| !(sd.is_finite() && *sd > 0.0)) {
            return refuse("image_std", format!("{:?}", file.image_std), "positive numbers");
        }
        let (mean, sd) = if file.do_normalize { (file.image_mean, file.image_std) } else { ([0.0; 3], [1.0; 3]) };
        Ok(Self { size: height as usize, filter, mean, sd })
    }

    /// Pictures in 0..=1 of any size to tensors on `device`. Those that have the size already are taken as they are; others
    /// are rounded to 8 bits, as they would be in a file, and resized.
    ///
    /// # Shapes
    /// (n, height, width, 3) → (n, 3, size, size).
    ///
    /// # Errors
    /// Pictures without pixels.
    pub fn apply(&self, pictures: &ArrayView4<'_, f32>, device: &Device) -> Result<Tensor> {
        let (n, height, width, channels) = pictures.dim();
        if height == 0 || width == 0 || channels != 3 {
            return Err(ModelError::Input {
                what: "pictures",
                expected: "(n, height, width, 3) with at least one pixel".into(),
                got: format!("{:?}", pictures.dim()),
            });
        }
        let side = self.size;
        if (height, width) == (side, side) {
            return picture_tensor(pictures, self.mean, self.sd, device);
        }
        let mut prepared = Array4::zeros((n, side, side, 3));
        for (picture, mut to) in pictures.outer_iter().zip(prepared.outer_iter_mut()) {
            let pixels = resize(&picture, side, side, self.filter);
            to.iter_mut().zip(pixels).for_each(|(to, byte)| *to = f32::from(byte) / 255.0);
        }
        picture_tensor(&prepared.view(), self.mean, self.sd, device)
    }
}
