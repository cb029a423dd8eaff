//! The tiny autoencoder: against diffusers, from original files, and the real one for FLUX.2.

use std::path::Path;

use candle_core::{Device, Tensor};
use percept_models::{
    autoencoder_tiny::{AutoencoderTiny, TinyConfig},
    weights::open_tensors,
};
use percept_testing::{Hostile, shared_data};

use crate::fixture::{Case, OUTPUT, folder, relative_error, tensors, values};

/// The real autoencoder's golden files come from an independent forward pass in f32.
const GOLDEN: f64 = 1e-3;
/// What the real autoencoder keeps of a photograph, at least.
const PHOTOGRAPH_DB: f64 = 25.0;

#[test]
pub(crate) fn a_tiny_autoencoder_equals_diffusers() {
    let case = Case::open("autoencoder_tiny", "diffusion_pytorch_model.safetensors");
    let config = TinyConfig::parse(&case.config()).expect("the config is supported");
    assert_eq!(config.downscale(), 4);
    let model = AutoencoderTiny::new(&case.params, config).expect("the weights fit the config");
    let (image, latent) = (case.input("image"), case.input("latent"));
    let encoded = model.encode(&image).expect("encoding runs");
    let decoded = model.decode(&latent).expect("decoding runs");
    case.check(&[("latent", &encoded), ("image", &decoded)], &[("image", &image), ("latent", &latent)]);
}

#[test]
fn a_pair_of_original_files_tells_its_own_architecture() {
    let place = folder().join("taesd_original");
    let open = |name: &str| open_tensors(&place.join(name)).expect("a PyTorch checkpoint");
    let model = AutoencoderTiny::from_original(&open("encoder.pth"), &open("decoder.ckpt"), "test").expect("a pair");
    let io = tensors("taesd_original/io.safetensors");
    let encoded = model.encode(&wide(&io["input.image"])).expect("encoding runs");
    assert!(relative_error(&values(&encoded), &values(&io["output.latent"])) <= OUTPUT);
    let decoded = model.decode(&io["input.latent"]).expect("decoding runs");
    assert!(relative_error(&values(&decoded), &values(&wide(&io["output.image"]))) <= OUTPUT);

    let swapped = AutoencoderTiny::from_original(&open("decoder.ckpt"), &open("encoder.pth"), "test").err();
    assert!(swapped.expect("the files are exchanged").to_string().contains("test"));
}

#[test]
fn damaged_checkpoints_are_refused_by_name() {
    let bytes = std::fs::read(folder().join("taesd_original/encoder.pth")).expect("readable");
    let place = tempfile::tempdir().expect("a folder");
    let path = place.path().join("copy.pth");
    let read = |copy: &[u8]| {
        std::fs::write(&path, copy).expect("writable");
        open_tensors(&path).map_err(|error| error.to_string())
    };
    let outcome = Hostile::new(&bytes).prefixes(200).mutations(300).check(read);
    assert!(outcome.n_refused >= 200, "{outcome:?}");
    let words = read(&bytes[..bytes.len() / 2]).expect_err("half a file");
    assert!(words.contains("copy.pth") && words.contains("PyTorch"), "{words}");
}

/// Pictures in 0..=1 to −1..=1.
fn wide(picture: &Tensor) -> Tensor {
    ((picture * 2.0).expect("scaled") - 1.0).expect("shifted")
}

/// A picture file as (1, 3, H, W) in −1..=1.
fn photograph(path: &Path, side: u32) -> Tensor {
    let picture = image::open(path).expect("a picture").to_rgb8();
    let (width, height) = (picture.width().min(side), picture.height().min(side));
    let pixels = |c: usize| {
        let picture = &picture;
        (0..height).flat_map(move |y| (0..width).map(move |x| f32::from(picture.get_pixel(x, y).0[c]) / 127.5 - 1.0))
    };
    let all: Vec<f32> = (0..3).flat_map(pixels).collect();
    Tensor::from_vec(all, (1, 3, height as usize, width as usize), &Device::Cpu).expect("the pixels fill the shape")
}

/// The values of a little-endian f32 `.npy` file.
fn npy(path: &Path) -> Vec<f64> {
    let bytes = std::fs::read(path).expect("readable");
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    bytes[header..].chunks_exact(4).map(|b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]]))).collect()
}

fn flux(place: &Path) -> AutoencoderTiny {
    let open = |name: &str| open_tensors(&place.join(name)).expect("a PyTorch checkpoint");
    AutoencoderTiny::from_original(&open("taef2_encoder.pth"), &open("taef2_decoder.pth"), "taef2").expect("a pair")
}

#[test]
fn the_real_autoencoder_gives_its_golden_latent_and_picture() {
    let Some(place) = shared_data("taef2") else { return };
    let model = flux(&place);
    assert_eq!((model.config().latent_channels, model.config().downscale()), (32, 8));
    let encoded = model.encode(&photograph(&place.join("golden/in_128.png"), 128)).expect("encoding runs");
    let truth = npy(&place.join("golden/latent_32x16x16_f32.npy"));
    let error = relative_error(&values(&encoded), &truth);
    assert!(error <= GOLDEN, "the latent is off by {error:.1e}");
    let truth: Vec<f32> = truth.into_iter().map(|v| v as f32).collect();
    let latent = Tensor::from_vec(truth, (1, 32, 16, 16), &Device::Cpu).expect("the values fill the shape");
    let decoded = model.decode(&latent).expect("decoding runs");
    let ours: Vec<f64> = values(&decoded).into_iter().map(|v| f64::midpoint(v, 1.0).clamp(0.0, 1.0)).collect();
    let error = relative_error(&ours, &npy(&place.join("golden/recon_3x128x128_f32.npy")));
    assert!(error <= GOLDEN, "the picture is off by {error:.1e}");
    eprintln!("latent and picture within {GOLDEN:.0e} of the golden files");
}

#[test]
fn a_real_photograph_survives_the_real_autoencoder() {
    let (Some(place), Some(photographs)) = (shared_data("taef2"), shared_data("images_gb82")) else { return };
    let model = flux(&place);
    for name in ["girl-lossless.png", "sunset-lossless.png"] {
        let picture = photograph(&photographs.join(name), 256);
        let back = model.encode(&picture).and_then(|latent| model.decode(&latent)).expect("the round trip runs");
        let (before, after) = (values(&picture), values(&back));
        // Pixels in 0..=1: half of −1..=1.
        let error: f64 = before.iter().zip(&after).map(|(a, b)| (0.5 * (a - b.clamp(-1.0, 1.0))).powi(2)).sum();
        let psnr = -10.0 * (error / before.len() as f64).log10();
        eprintln!("{name}: {psnr:.1} dB");
        assert!(psnr >= PHOTOGRAPH_DB, "{name}: {psnr:.1} dB");
    }
}
