//! Captioners: states and logits against the reference, captions of random features token by token, and the original naming
//! against transformers'.

use std::{
    collections::BTreeMap,
    io::{Write, stdout},
    path::Path,
    time::Instant,
};

use candle_core::DType;
use ndarray::Array2;
use percept_models::{
    caption::{Beam, Captioner, How, Preparation, Search},
    tap::Taps,
    weights::read_tensors,
};
use serde::Deserialize;

use super::{Result, relative_error};

#[derive(Deserialize)]
struct Found {
    tokens: Vec<u32>,
    score: Option<f32>,
}

/// Runs one case.
pub(crate) fn run(folder: &Path, name: &str) -> Result<()> {
    let mut out = stdout().lock();
    let io_path = folder.join("io.safetensors");
    let io = read_tensors(&std::fs::read(&io_path)?, &io_path)?;
    let get = |key: &str| io.get(key).ok_or_else(|| format!("{name} has no `{key}`"));
    let begin = Instant::now();
    let mut captioner = Captioner::open(folder)?;
    writeln!(out, "{name}: loaded in {:.1} s", begin.elapsed().as_secs_f64())?;
    for (size, suffix) in [(384, ""), (240, "_240")] {
        captioner = captioner.with_preparation(Preparation::blip(size))?;
        let begin = Instant::now();
        let ours = captioner.blip().vision.forward(get(&format!("input.pixel_values{suffix}"))?, &mut Taps::none())?;
        let seconds = begin.elapsed().as_secs_f64();
        let error = relative_error(&ours, get(&format!("output.image_embeds{suffix}"))?)?;
        writeln!(out, "  {} tokens of a picture in {seconds:.2} s, max relative error {error:.1e}", ours.dim(1)?)?;
    }
    let features = get("features")?.to_dtype(DType::F32)?;
    let (n, tokens, width) = features.dims3()?;
    let rows = Array2::from_shape_vec((n, tokens * width), features.flatten_all()?.to_vec1()?)?;
    let ids: Vec<Vec<u32>> = get("input.input_ids")?.to_dtype(DType::U32)?.to_vec2()?;
    let decoder = &captioner.blip().decoder;
    let logits = decoder.logits(&decoder.states(&ids, &features.narrow(0, 0, 2)?, &mut Taps::none())?)?;
    writeln!(out, "  logits: max relative error {:.1e}", relative_error(&logits, get("output.logits")?)?)?;
    let golden: BTreeMap<String, Vec<Vec<Found>>> =
        serde_json::from_str(&std::fs::read_to_string(folder.join("captions.json"))?)?;
    for (how, truth) in golden {
        let search = Search { how: if how == "beam" { How::Beam } else { How::Greedy }, ..Search::default() };
        let begin = Instant::now();
        let found = captioner.caption(rows.view(), &search)?;
        let seconds = begin.elapsed().as_secs_f64();
        let same = found.iter().zip(&truth).filter(|(ours, truth)| is_same(ours, truth)).count();
        let scores = found.iter().zip(&truth).flat_map(|(ours, truth)| ours.iter().zip(truth));
        let largest = scores
            .filter_map(|(ours, truth)| Some((ours.score - truth.score?).abs()))
            .fold(0.0, |max: f32, difference| max.max(difference));
        writeln!(out, "  {how}: {same} of {n} the same token by token, scores within {largest:.1e}, {seconds:.1} s")?;
    }
    if folder.join("original.pth").is_file() {
        let place = std::env::temp_dir().join(format!("percept-parity-{name}"));
        std::fs::create_dir_all(&place)?;
        for file in ["original.pth", "vocab.txt", "config.json"] {
            std::fs::copy(folder.join(file), place.join(file))?;
        }
        let original = Captioner::open(&place)?.with_preparation(Preparation::blip(240))?;
        std::fs::remove_dir_all(&place)?;
        let some = rows.slice(ndarray::s![..8, ..]);
        let same = original.caption(some, &Search::default())? == captioner.caption(some, &Search::default())?;
        let pixels = get("input.pixel_values_240")?;
        let [a, b] = [&original, &captioner].map(|c| c.blip().vision.forward(pixels, &mut Taps::none()));
        let error = relative_error(&a?, &b?)?;
        writeln!(
            out,
            "  original naming: captions {}, states differ by {error:.1e}",
            if same { "equal" } else { "differ" }
        )?;
    }
    Ok(())
}

fn is_same(ours: &[Beam], truth: &[Found]) -> bool {
    ours.len() == truth.len() && ours.iter().zip(truth).all(|(ours, truth)| ours.tokens == truth.tokens)
}
