//! What a picture goes through before CLIP's vision encoder, as `feature_extractor/preprocessor_config.json` asks; and before the
//! Vision Transformers that classify pictures and films, as their `preprocessor_config.json` does.
//!
//! Resizing is Pillow's filter to the last bit (antialiased; 8-bit pixels with 22-bit weights; rows before columns), because
//! embeddings of a few pixels' difference are what scores are made of. CLIP's configs that name another filter than the
//! bicubic one are refused; classifiers also have the bilinear one, captioners Lanczos'.

use candle_core::{Device, Tensor};
use ndarray::{Array4, ArrayView3, ArrayView4, s};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    config,
    error::{ModelError, Result},
};

const NAME: &str = "feature_extractor";
/// Pillow's number for the bilinear filter.
const BILINEAR: u64 = 2;
/// Pillow's number for the bicubic filter.
pub(crate) const BICUBIC: u64 = 3;
/// Fractional bits of a filter weight.
const WEIGHT_BITS: u32 = 22;

/// A filter that pictures are resized by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// Keys' cubic with a = −1/2.
    #[default]
    Bicubic,
    /// Lanczos' windowed sinc over three lobes.
    Lanczos,
    /// A triangle: the straight line between two pixels.
    Bilinear,
}

impl Filter {
    /// Half the width of the filter in pixels.
    fn support(self) -> f64 {
        match self {
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
            Self::Bilinear => 1.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        match self {
            Self::Bicubic => cubic(x),
            Self::Lanczos if x.abs() < 3.0 => sinc(x) * sinc(x / 3.0),
            Self::Lanczos => 0.0,
            Self::Bilinear => (1.0 - x.abs()).max(0.0),
        }
    }
}

/// How pictures are prepared.
#[derive(Clone, Debug, Deserialize)]
pub struct Preprocess {
    image_mean: [f32; 3],
    image_std: [f32; 3],
    #[serde(default)]
    size: Value,
    #[serde(default = "bicubic")]
    resample: u64,
    #[serde(skip)]
    filter: Filter,
    #[serde(default = "yes")]
    do_resize: bool,
    #[serde(default = "yes")]
    do_center_crop: bool,
    #[serde(default = "yes")]
    do_rescale: bool,
    #[serde(default = "yes")]
    do_normalize: bool,
}

fn bicubic() -> u64 {
    BICUBIC
}
fn yes() -> bool {
    true
}

impl Preprocess {
    /// Reads and checks a `preprocessor_config.json` that feeds an encoder of `side` × `side` pixels.
    ///
    /// # Errors
    /// [`ModelError::Config`] for anything that is not supported.
    pub fn parse(text: &str, side: usize) -> Result<Self> {
        config::parse::<Self>(NAME, text)?.checked(side, &[(BICUBIC, Filter::Bicubic, "bicubic")])
    }

    /// As [`Self::parse`] for a `ViTImageProcessor` or a `VideoMAEImageProcessor`, whatever version of transformers wrote it. The
    /// first makes pictures square; the second keeps their proportions and cuts the middle out.
    ///
    /// # Errors
    /// As [`Self::parse`]; another kind of processor.
    pub fn parse_classifier(text: &str, side: usize) -> Result<Self> {
        let refuse = |key: &str, value: String, supported: String| {
            Err(ModelError::Config { component: NAME, key: key.into(), value, supported })
        };
        let mut keys: serde_json::Map<String, Value> = config::parse(NAME, text)?;
        let named = ["video_processor_type", "image_processor_type", "feature_extractor_type"];
        let kind = named.iter().find_map(|key| keys.get(*key)?.as_str()).unwrap_or_default().to_owned();
        let defaults = match &kind {
            kind if kind.starts_with("ViT") => {
                json!({"do_center_crop": false, "size": {"height": side, "width": side}})
            }
            kind if kind.starts_with("VideoMAE") => json!({"do_center_crop": true, "size": {"shortest_edge": side}}),
            other => {
                let supported = "ViTImageProcessor, VideoMAEImageProcessor".to_owned();
                return refuse("image_processor_type", format!("\"{other}\""), supported);
            }
        };
        // Old files hold a number, which means what the kind's default does.
        if let (Some(number), Some(sides)) = (keys.get("size").and_then(Value::as_u64), defaults["size"].as_object()) {
            let of_kind = sides.keys().map(|key| (key.clone(), number.into())).collect();
            keys.insert("size".into(), Value::Object(of_kind));
        }
        let shared = json!({"resample": BILINEAR, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]});
        for (key, value) in [defaults, shared].iter().filter_map(Value::as_object).flatten() {
            keys.entry(key.clone()).or_insert_with(|| value.clone());
        }
        let crop = keys.get("crop_size").map(|crop| crop.get("height").unwrap_or(crop).clone());
        let crops = keys.get("do_center_crop").and_then(Value::as_bool).unwrap_or(false);
        if let Some(crop) = crop.filter(|crop| crops && crop.as_u64() != Some(side as u64)) {
            return refuse("crop_size", crop.to_string(), format!("{side}, the model's `image_size`"));
        }
        let filters = [(BILINEAR, Filter::Bilinear, "bilinear"), (BICUBIC, Filter::Bicubic, "bicubic")];
        config::parse::<Self>(NAME, &Value::Object(keys).to_string())?.checked(side, &filters)
    }

    /// Refuses what is not supported; `filters` are those that may be asked for.
    fn checked(self, side: usize, filters: &[(u64, Filter, &str)]) -> Result<Self> {
        let config = self;
        let refuse = |key: &str, value: String, supported: String| {
            Err(ModelError::Config { component: NAME, key: key.into(), value, supported })
        };
        let Some((_, filter, _)) = filters.iter().find(|(number, ..)| *number == config.resample) else {
            let words: Vec<String> = filters.iter().map(|(number, _, name)| format!("{number} ({name})")).collect();
            return refuse("resample", config.resample.to_string(), words.join(", "));
        };
        for (key, value) in
            [("do_resize", config.do_resize), ("do_rescale", config.do_rescale), ("do_normalize", config.do_normalize)]
        {
            if !value {
                return refuse(key, "false".into(), "true".into());
            }
        }
        // Old files hold a number, newer ones an object.
        let asked = match &config.size {
            Value::Object(size) => size.get("shortest_edge").or(size.get("height")).cloned().unwrap_or_default(),
            other => other.clone(),
        };
        if !asked.is_null() && asked.as_u64() != Some(side as u64) {
            return refuse("size", config.size.to_string(), format!("{side}, the encoder's `image_size`"));
        }
        if config.image_std.iter().any(|sd| !(sd.is_finite() && *sd > 0.0)) {
            return refuse("image_std", format!("{:?}", config.image_std), "positive numbers".into());
        }
        Ok(Self { filter: *filter, ..config })
    }

    /// Whether a picture keeps its proportions and loses what lies outside the central square.
    fn crops(&self) -> bool {
        self.do_center_crop && self.size.get("height").is_none()
    }

    /// Pictures in 0..=1 of any size to normalised tensors on `device`. Pictures that already have the encoder's size are taken as
    /// they are; others are rounded to 8 bits, as they would be in a file, and resized.
    ///
    /// # Shapes
    /// (n, height, width, 3) → (n, 3, side, side).
    ///
    /// # Errors
    /// Pictures without pixels.
    pub fn apply(&self, pictures: &ArrayView4<'_, f32>, side: usize, device: &Device) -> Result<Tensor> {
        let (n, height, width, channels) = pictures.dim();
        if height == 0 || width == 0 || channels != 3 {
            return Err(ModelError::Input {
                what: "pictures",
                expected: "(n, height, width, 3) with at least one pixel".into(),
                got: format!("{:?}", pictures.dim()),
            });
        }
        if (height, width) == (side, side) {
            return picture_tensor(pictures, self.image_mean, self.image_std, device);
        }
        let (new_height, new_width) = match (self.crops(), width <= height) {
            (false, _) => (side, side),
            (true, true) => (side * height / width, side),
            (true, false) => (side, side * width / height),
        };
        let (top, left) = ((new_height - side) / 2, (new_width - side) / 2);
        let mut prepared = Array4::zeros((n, side, side, 3));
        for (picture, mut to) in pictures.outer_iter().zip(prepared.outer_iter_mut()) {
            let pixels = resize(&picture, new_height, new_width, self.filter);
            for ((y, x, c), value) in to.indexed_iter_mut() {
                *value = f32::from(pixels[((y + top) * new_width + x + left) * 3 + c]) / 255.0;
            }
        }
        picture_tensor(&prepared.view(), self.image_mean, self.image_std, device)
    }
}

/// A picture in 0..=1 to `height` × `width` × 3 bytes.
pub(crate) fn resize(picture: &ArrayView3<'_, f32>, height: usize, width: usize, filter: Filter) -> Vec<u8> {
    let (old_height, old_width, _) = picture.dim();
    let bytes: Vec<u8> = picture.iter().map(|v| (v * 255.0).round().clamp(0.0, 255.0) as u8).collect();
    // Rows: each output pixel is a weighted sum of pixels in its row.
    let taps = weights(old_width, width, filter);
    let mut narrow = Vec::with_capacity(old_height * width * 3);
    for row in bytes.chunks_exact(old_width * 3) {
        for (first, taps) in &taps {
            for c in 0..3 {
                narrow.push(weighted(taps, |i| row[(first + i) * 3 + c]));
            }
        }
    }
    // Columns.
    let mut out = Vec::with_capacity(height * width * 3);
    for (first, taps) in &weights(old_height, height, filter) {
        for column in 0..width * 3 {
            out.push(weighted(taps, |i| narrow[(first + i) * width * 3 + column]));
        }
    }
    out
}

fn weighted(taps: &[i64], value: impl Fn(usize) -> u8) -> u8 {
    let sum: i64 = taps.iter().enumerate().map(|(i, tap)| tap * i64::from(value(i))).sum();
    ((sum + (1 << (WEIGHT_BITS - 1))) >> WEIGHT_BITS).clamp(0, 255) as u8
}

/// For each of `new` output pixels the first input pixel and the weights from there on.
fn weights(old: usize, new: usize, filter: Filter) -> Vec<(usize, Vec<i64>)> {
    let scale = old as f64 / new as f64;
    let filter_scale = scale.max(1.0);
    let support = filter.support() * filter_scale;
    (0..new)
        .map(|i| {
            let centre = (i as f64 + 0.5) * scale;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(old);
            let raw: Vec<f64> = (first..end).map(|j| filter.weight((j as f64 - centre + 0.5) / filter_scale)).collect();
            let sum: f64 = raw.iter().sum();
            let taps = raw.iter().map(|w| (w / sum * f64::from(1 << WEIGHT_BITS)).round() as i64).collect();
            (first, taps)
        })
        .collect()
}

fn sinc(x: f64) -> f64 {
    let x = std::f64::consts::PI * x;
    if x == 0.0 { 1.0 } else { x.sin() / x }
}

/// Keys' cubic kernel with a = −1/2 (Catmull–Rom).
fn cubic(x: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 {
        (1.5 * x - 2.5) * x * x + 1.0
    } else if x < 2.0 {
        ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    } else {
        0.0
    }
}

/// Pictures (n, H, W, 3) in 0..=1 → tensor (n, 3, H, W), (value − mean) / sd per channel.
pub(crate) fn picture_tensor(
    pictures: &ArrayView4<'_, f32>,
    mean: [f32; 3],
    sd: [f32; 3],
    device: &Device,
) -> Result<Tensor> {
    let (n, height, width, _) = pictures.dim();
    let mut values = Vec::with_capacity(pictures.len());
    for picture in pictures.outer_iter() {
        for channel in 0..3 {
            values.extend(picture.slice(s![.., .., channel]).iter().map(|v| (v - mean[channel]) / sd[channel]));
        }
    }
    Ok(Tensor::from_vec(values, (n, 3, height, width), device)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_picture_stays_flat_at_any_size() {
        let picture = ndarray::Array3::from_elem((9, 14, 3), 0.4);
        for (height, width) in [(1, 1), (5, 7), (30, 3)] {
            for filter in [Filter::Bicubic, Filter::Lanczos, Filter::Bilinear] {
                let out = resize(&picture.view(), height, width, filter);
                assert_eq!(out, vec![102; height * width * 3]);
            }
        }
    }

    #[test]
    fn unsupported_settings_are_named() {
        let base = |extra: &str| format!("{{\"image_mean\": [0, 0, 0], \"image_std\": [1, 1, 1], {extra}}}");
        for (extra, key) in [
            ("\"resample\": 2", "resample"),
            ("\"do_resize\": false", "do_resize"),
            ("\"size\": 13", "size"),
            ("\"size\": {\"shortest_edge\": 13}", "size"),
            ("\"size\": {\"height\": 13, \"width\": 13}", "size"),
        ] {
            let error = Preprocess::parse(&base(extra), 12).expect_err(extra).to_string();
            assert!(error.contains(&format!("`{key}`")), "{error}");
        }
        Preprocess::parse(&base("\"size\": 12"), 12).expect("the encoder's own size is fine");
    }

    #[test]
    fn processors_of_classifiers_are_told_apart() {
        let parse = |text: &str| Preprocess::parse_classifier(text, 12);
        let square = parse(r#"{"feature_extractor_type": "ViTFeatureExtractor", "size": 12}"#).expect("an old file");
        assert!(!square.crops() && square.filter == Filter::Bilinear);
        let cut = parse(r#"{"image_processor_type": "VideoMAEImageProcessor", "size": 12, "resample": 3}"#);
        let cut = cut.expect("an old file");
        assert!(cut.crops() && cut.filter == Filter::Bicubic);
        for (text, key) in [
            ("{}", "image_processor_type"),
            (r#"{"image_processor_type": "ConvNextImageProcessor"}"#, "image_processor_type"),
            (r#"{"image_processor_type": "ViTImageProcessor", "resample": 0}"#, "resample"),
            (r#"{"image_processor_type": "ViTImageProcessor", "size": {"height": 13, "width": 13}}"#, "size"),
            (
                r#"{"image_processor_type": "VideoMAEImageProcessor", "crop_size": {"height": 8, "width": 8}}"#,
                "crop_size",
            ),
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains(&format!("`{key}`")), "{error}");
        }
    }
}
