//! What a trained pack of music can do with tunes that it never heard.

use std::path::Path;

use ndarray::Array2;
use percept_core::Seed;
use percept_models::ModelError;
use percept_models::autoencoder::AutoencoderConfig;
use percept_models::sound::music::{MusicGeneration, MusicPack};
use percept_models::train::mel_latents;
use percept_models::weights::read_tensors;
use percept_pipeline::decoding::Classifier;
use percept_synth::tunes::{Genre, Instrument, Mood, Tempo, Tune};
use rayon::prelude::*;
use serde::Serialize;

use super::configs::{self, FRAMES};
use super::sounds::{self, Piece};
use super::train::VAE;
use crate::disk::read;

/// Tunes that the classifier of tags learns from.
const N_LEARNT: usize = 1_200;
/// How generations are made.
const STEPS: usize = 20;
const GUIDANCE: f64 = 2.0;
const SECS: f64 = 4.096;

/// Shares of tags that are named rightly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct TagScores {
    /// Of ten.
    pub genre: f64,
    /// Of eight.
    pub instrument: f64,
    /// Of three.
    pub tempo: f64,
    /// Of four.
    pub mood: f64,
}

/// What a pack can do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MusicScores {
    /// How often the caption of a tune is the nearest of 100.
    pub clap_top1_of_100: f64,
    /// Tags by a linear classifier of CLAP's vectors, of tunes.
    pub tunes: TagScores,
    /// Of tunes that went through the autoencoder and the vocoder: no music made from latents can be told better.
    pub copied: TagScores,
    /// Of what is generated from the vectors of tunes.
    pub generated: TagScores,
    /// Mean cosine of the vector of what is generated with the one it was made from.
    pub likeness: f64,
}

/// Scores the pack at `out` on `n` tunes.
///
/// # Errors
/// When a part is missing.
pub fn score(out: &Path, n: usize) -> Result<MusicScores, ModelError> {
    let pack = MusicPack::open(out)?;
    let seed = Seed::new(0).named("held out music");
    let (learnt, tested) = (Piece::several(seed.named("learnt"), N_LEARNT), Piece::several(seed.named("tested"), n));
    let waves = |pieces: &[Piece]| pieces.par_iter().map(Piece::whole).collect::<Vec<Vec<f32>>>();
    let (of_learnt, heard) = (pack.hear(&waves(&learnt))?, waves(&tested));
    let of_tested = pack.hear(&heard)?;
    let of_copied = pack.hear(&copied(out, &pack, &heard)?)?;
    let conditions = of_tested.view();
    let ids: Vec<u64> = (0..n as u64).collect();
    let made = pack.generate(&MusicGeneration {
        conditions,
        negative: None,
        seconds: SECS,
        steps: STEPS,
        guidance: GUIDANCE,
        candidates: 1,
        seed: seed.named("noise"),
        ids: &ids,
        noise: None,
    })?;
    let made: Vec<Vec<f32>> = made.into_iter().map(|mut pieces| pieces.remove(0).samples).collect();
    let of_made = pack.hear(&made)?;
    let likeness = of_made.rows().into_iter().zip(conditions.rows()).map(|(a, b)| f64::from(a.dot(&b))).sum::<f64>();
    let captions: Vec<String> = tested.iter().map(Piece::caption).collect();
    let read = pack.embed_texts(&captions)?;
    let [mut tunes, mut copied, mut generated] = [TagScores::default(); 3];
    for kind in 0..4 {
        let labels = |pieces: &[Piece]| pieces.iter().map(|piece| label(&piece.tune, kind)).collect::<Vec<_>>();
        let classifier = Classifier::fit(of_learnt.view(), &labels(&learnt), n_labels(kind)).map_err(not_fitted)?;
        let truth = labels(&tested);
        let all = [(&mut tunes, &of_tested), (&mut copied, &of_copied), (&mut generated, &of_made)];
        for (scores, vectors) in all {
            let named = classifier.name(vectors.view()).map_err(not_fitted)?;
            let right = named.iter().zip(&truth).filter(|(a, b)| a == b).count();
            *scores.of(kind) = right as f64 / n.max(1) as f64;
        }
    }
    let clap_top1_of_100 = nearest_captions(&of_tested, &read, &captions);
    Ok(MusicScores { clap_top1_of_100, tunes, copied, generated, likeness: likeness / n.max(1) as f64 })
}

/// Sounds after a way through the autoencoder and the vocoder of the pack at `out`.
fn copied(out: &Path, pack: &MusicPack, heard: &[Vec<f32>]) -> Result<Vec<Vec<f32>>, ModelError> {
    let (mel, path) = (sounds::mel()?, out.join(VAE));
    let weights = read_tensors(&read(&path)?, &path)?;
    let mels: Vec<Array2<f32>> = heard.par_iter().map(|sound| sounds::spectrogram(&mel, sound)).collect();
    let mels = sounds::stacked(&mels, FRAMES);
    pack.sounds(mel_latents(&weights, &AutoencoderConfig::parse(configs::VAE)?, mels.view())?.view(), SECS)
}

impl TagScores {
    fn of(&mut self, kind: usize) -> &mut f64 {
        match kind {
            0 => &mut self.genre,
            1 => &mut self.instrument,
            2 => &mut self.tempo,
            _ => &mut self.mood,
        }
    }
}

fn label(tune: &Tune, kind: usize) -> usize {
    match kind {
        0 => tune.genre as usize,
        1 => tune.instrument as usize,
        2 => tune.tempo as usize,
        _ => tune.mood as usize,
    }
}

fn n_labels(kind: usize) -> usize {
    [Genre::ALL.len(), Instrument::ALL.len(), Tempo::ALL.len(), Mood::ALL.len()][kind]
}

fn not_fitted(error: percept_pipeline::PipelineError) -> ModelError {
    ModelError::Input {
        what: "vectors of tunes",
        expected: "some that tags can be told from".into(),
        got: error.to_string(),
    }
}

/// How often the nearest of up to 100 captions, in the order of the tunes, is that of the tune or one in the same words.
fn nearest_captions(heard: &Array2<f32>, read: &Array2<f32>, captions: &[String]) -> f64 {
    let mut right = 0usize;
    for from in (0..heard.nrows()).step_by(100) {
        let of = from..heard.nrows().min(from + 100);
        for row in of.clone() {
            let near = |text: usize| heard.row(row).dot(&read.row(text));
            let best = of.clone().max_by(|&a, &b| near(a).total_cmp(&near(b))).unwrap_or(row);
            right += usize::from(captions[best] == captions[row]);
        }
    }
    right as f64 / heard.nrows().max(1) as f64
}
