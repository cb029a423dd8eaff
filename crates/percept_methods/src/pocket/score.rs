//! What the pack can do on drawings that it never saw, judged by the classifier.

use std::path::Path;

use ndarray::Array4;
use percept_core::Seed;
use percept_models::{DiffusionPack, Generation, ModelError, train::PictureClassifier};
use serde::Serialize;

use super::drawings::Drawn;
use super::judge;

/// Scores of a pack; accuracies are shares of scenes.
#[derive(Clone, Debug, Serialize)]
pub struct PocketScores {
    /// The judge on the true drawings: what the other shares can at best reach.
    pub judge: Attributes,
    /// Mean peak signal-to-noise ratio of reconstructed scenes, in dB.
    pub autoencoder_psnr_db: f64,
    /// The judge on reconstructions by the autoencoder.
    pub autoencoder: Attributes,
    /// The right one of 100 captions has the highest similarity.
    pub clip_top1_of_100: f64,
    /// Generated from a caption: each attribute as the caption says, over the captions that name it (4 % are brief).
    pub text_to_image: Attributes,
    /// Generated from the mean context of all five captions.
    pub mean_context_to_image: Attributes,
}

/// Share of pictures in which an attribute is named as it should be: by the judge, or by a caption.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Attributes {
    /// Object.
    pub object: f64,
    /// Colour.
    pub color: f64,
    /// Size.
    pub size: f64,
    /// Place.
    pub place: f64,
    /// Background.
    pub background: f64,
    /// Time of day.
    pub time: f64,
    /// Object and colour together.
    pub object_and_color: f64,
}

impl Attributes {
    /// `share` is told which attributes must all be right, by their place in the judge's heads.
    pub(super) fn of(share: impl Fn(&[usize]) -> f64) -> Self {
        Self {
            object: share(&[0]),
            color: share(&[1]),
            size: share(&[2]),
            place: share(&[3]),
            background: share(&[4]),
            time: share(&[5]),
            object_and_color: share(&[0, 1]),
        }
    }
}

/// What the judge sees in `pictures`; of each attribute, in those that were `asked` for it.
fn judged(
    judge: &PictureClassifier,
    pictures: &Array4<f32>,
    drawn: &Drawn,
    asked: Option<&[[bool; 6]]>,
) -> Result<Attributes, ModelError> {
    let named = judge.classify(pictures.view())?;
    let truth = drawn.labels();
    let share = |heads: &[usize]| {
        let is_asked = |&row: &usize| asked.is_none_or(|asked| heads.iter().all(|&h| asked[row][h]));
        let rows: Vec<usize> = (0..named.len()).filter(is_asked).collect();
        let is_right = |&&row: &&usize| heads.iter().all(|&h| Some(named[row][h]) == truth[row][h]);
        rows.iter().filter(is_right).count() as f64 / rows.len().max(1) as f64
    };
    Ok(Attributes::of(share))
}

/// Scores the pack at `out` on `n` held-out scenes.
///
/// # Errors
/// When a part is missing.
pub fn score(out: &Path, n: usize) -> Result<PocketScores, ModelError> {
    let judge = judge::load(out)?;
    let pack = DiffusionPack::open(out)?;
    let drawn = Drawn::scenes(Seed::new(0).named("held out"), n);
    let pictures = drawn.pictures();
    let decoded = pack.decode(pack.encode(pictures.view())?.view())?;
    let psnr = pictures
        .outer_iter()
        .zip(decoded.outer_iter())
        .map(|(a, b)| {
            let mse = a.iter().zip(b.iter()).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>() / a.len() as f64;
            -10.0 * mse.log10()
        })
        .sum::<f64>()
        / n as f64;
    let captions = drawn.captions(Seed::new(0).named("held out"));
    let ids: Vec<u64> = (0..n as u64).collect();
    let generate = |context: ndarray::Array2<f32>, asked: Option<&[[bool; 6]]>| -> Result<Attributes, ModelError> {
        let pictures = pack.generate(&Generation {
            context: context.view(),
            init: None,
            strength: 1.0,
            steps: 20,
            guidance: 3.0,
            seed: Seed::new(0).named("score"),
            image_ids: &ids,
            sample: 0,
        })?;
        judged(&judge, &pictures, &drawn, asked)
    };
    let all = pack.embed_text(&drawn.all_captions())?;
    let per = all.nrows() / n;
    let mean = ndarray::Array2::from_shape_fn((n, all.ncols()), |(i, j)| {
        (0..per).map(|k| all[[i * per + k, j]]).sum::<f32>() / per as f32
    });
    Ok(PocketScores {
        judge: judged(&judge, &pictures, &drawn, None)?,
        autoencoder_psnr_db: psnr,
        autoencoder: judged(&judge, &decoded, &drawn, None)?,
        clip_top1_of_100: clip_top1(&pack, &pictures, &captions)?,
        text_to_image: generate(pack.embed_text(&captions)?, Some(&drawn.named_in(&captions)))?,
        mean_context_to_image: generate(mean, None)?,
    })
}

/// Share of pictures whose own caption is the most similar of each block of 100.
pub(super) fn clip_top1(pack: &DiffusionPack, pictures: &Array4<f32>, captions: &[String]) -> Result<f64, ModelError> {
    let unit = |rows: ndarray::Array2<f32>| {
        let mut rows = rows;
        for mut row in rows.rows_mut() {
            let norm = row.dot(&row).sqrt().max(1e-12);
            row /= norm;
        }
        rows
    };
    let (text, image) = (unit(pack.clip_text(captions)?), unit(pack.clip_image(pictures.view())?));
    let n = captions.len();
    let (mut hits, mut count) = (0usize, 0usize);
    for start in (0..n).step_by(100).filter(|start| start + 100 <= n) {
        for i in start..start + 100 {
            let own = image.row(i).dot(&text.row(i));
            // A caption in the same words is no miss.
            let beaten = (start..start + 100)
                .any(|j| j != i && captions[j] != captions[i] && image.row(i).dot(&text.row(j)) >= own);
            hits += usize::from(!beaten);
            count += 1;
        }
    }
    Ok(hits as f64 / count.max(1) as f64)
}
