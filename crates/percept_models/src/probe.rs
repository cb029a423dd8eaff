//! Feature spaces of a model pack: pictures, texts and sounds to rows of numbers, read at named places in one pass.
//!
//! | name | from | what |
//! |---|---|---|
//! | `sd.z` | pictures | scaled mean latents of the autoencoder |
//! | `vae.down.N`, `vae.mid` | pictures | places in its encoding half |
//! | `unet.PLACE@tN` | pictures | a place in the U-Net at diffusion step N, given the noised latents and no caption |
//! | `clip.image`, `clip.image.layerNN` | pictures | CLIP's embedding, and the tokens behind each layer |
//! | `sd.c` | texts | the context tokens of diffusion |
//! | `clip.text`, `clip.text.layerNN` | texts | CLIP's embedding, and the tokens behind each layer |
//! | `bert.layerNN`, `gpt2.…`, `opt.…`, `llama.…` | texts | hidden states of a language model |
//! | `words` | texts | the mean word vector |
//! | `blip.vision`, `blip.vision.layerNN` | pictures | the tokens that a captioner's decoder looks at, and those behind each layer |
//! | `blip.text.layerNN` | pictures | the states that the tokens of the picture's caption were chosen from (beam search) |
//! | `clap.audio` | sounds | CLAP's embedding, of length 1 |
//! | `clap.audio.stageN` | sounds | the tokens behind a stage of CLAP's audio encoder; `stage0` are those that enter |
//! | `clap.text` | texts | CLAP's embedding of a text |
//! | `encodec.latent` | sounds | EnCodec's latents before quantisation |
//! | `w2v.layerNN` | sounds | the tokens behind a layer of w2v-BERT 2.0 |
//! | `sound.mel` | sounds | no model: 128 mels in dB, as librosa makes them, of frames of 2,048 samples every 512 at 16 kHz |
//! | `sound.envelope` | sounds | no model: the root mean square of the same frames |
//!
//! Only the parts that the wanted spaces need are loaded, and only wanted values are kept. The noise of a picture depends
//! on its name alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::Path,
};

use candle_core::{Device, Tensor};
use ndarray::{Array2, ArrayView4, s};
use percept_core::Seed;

use crate::{
    caption::{Captioner, Search},
    device::side_by_side,
    error::{ModelError, Result},
    language::LanguageModel,
    latent::Autoencoder,
    nn::host::to_rows,
    parts::Parts,
    preprocess::Preprocess,
    preprocess::picture_tensor,
    scheduler::NoiseSchedule,
    sound::{
        clap::ClapModel,
        listener::{self, Listener},
    },
    tap::Taps,
    text::ClipTextModel,
    tokenizer::{ClipTokenizer, TextTokenizer},
    unet::{Conditioning, UNet2DConditionModel},
    vision::ClipVisionModel,
    weights::PackFiles,
    words::WordTable,
};

mod space;

use space::Source;
pub use space::{Input, Pool, Space};

/// The memory of a pass over a sound of half a minute.
const SOUND_BYTES: u64 = 1 << 29;

/// The parts of a pack that some spaces need.
pub struct Probe {
    spaces: Vec<Space>,
    pool: Pool,
    seed: Seed,
    vae: Option<Autoencoder>,
    unet: Option<(UNet2DConditionModel, NoiseSchedule, Tensor)>,
    image_size: Option<usize>,
    vision: Option<(ClipVisionModel, Preprocess)>,
    text: Option<(ClipTextModel, ClipTokenizer)>,
    language: Option<(LanguageModel, TextTokenizer)>,
    words: Option<WordTable>,
    captioner: Option<Captioner>,
    clap_words: Option<(ClapModel, TextTokenizer)>,
    listener: Option<Listener>,
}

impl Probe {
    /// Loads what `spaces` need from `files`; `seed` is that of the noise.
    ///
    /// # Errors
    /// Names the file, config key or tensor that is missing or does not fit.
    pub fn open(files: &PackFiles, spaces: Vec<Space>, pool: Pool, seed: Seed) -> Result<Self> {
        let needs: BTreeSet<Source> = spaces.iter().map(|space| space.source).collect();
        let wants = |source| needs.contains(&source);
        let mut parts = Parts::new(files)?;
        let vae = (wants(Source::Vae) || wants(Source::Unet)).then(|| parts.vae()).transpose()?;
        let image_size = match &vae {
            Some(vae) if files.holds("unet/config.json") => {
                Some(parts.unet_config()?.sample_size.unwrap_or(64) * vae.downscale())
            }
            _ => None,
        };
        let clip_text = |parts: &mut Parts<'_>| -> Result<(ClipTextModel, ClipTokenizer)> {
            let model = parts.text()?;
            let tokenizer = parts.clip_tokenizer(model.config().max_position_embeddings)?;
            Ok((model, tokenizer))
        };
        let unet = if wants(Source::Unet) {
            let (model, tokenizer) = clip_text(&mut parts)?;
            let empty = model.forward(&[tokenizer.encode("")?])?.last_hidden;
            Some((parts.unet()?, parts.schedule()?, empty))
        } else {
            None
        };
        let vision = if wants(Source::ClipImage) {
            let model = parts.vision()?;
            let preprocess = parts.preprocess(model.config().image_size)?;
            Some((model, preprocess))
        } else {
            None
        };
        let language = if wants(Source::Language) {
            let model = parts.language()?;
            for space in spaces.iter().filter(|space| space.source == Source::Language) {
                if !space.name.starts_with(&format!("{}.", model.family())) {
                    return Err(ModelError::Input {
                        what: "feature space",
                        expected: format!("one that begins with `{}.`, the pack's family", model.family()),
                        got: format!("`{}`", space.name),
                    });
                }
            }
            let tokenizer = parts.text_tokenizer(model.longest())?;
            Some((model, tokenizer))
        } else {
            None
        };
        let text = wants(Source::ClipText).then(|| clip_text(&mut parts)).transpose()?;
        let wants_captions = wants(Source::BlipVision) || wants(Source::BlipText);
        let captioner = wants_captions.then(|| Captioner::load(files)).transpose()?;
        let clap_words = wants(Source::ClapWords).then(|| listener::clap_words(files, &mut parts)).transpose()?;
        let heard = [Source::ClapSound, Source::Encodec, Source::W2v, Source::Sound].map(wants);
        let listener = Listener::open(files, &mut parts, heard)?;
        Ok(Self {
            spaces,
            pool,
            seed,
            vae,
            unet,
            image_size,
            vision,
            text,
            language,
            words: None,
            captioner,
            clap_words,
            listener,
        })
    }

    /// A table of word vectors, whose one space is `words`.
    ///
    /// # Errors
    /// As [`WordTable::open`].
    pub fn open_words(path: &Path) -> Result<Self> {
        Ok(Self {
            spaces: vec![Space::parse("words")?],
            pool: Pool::Mean,
            seed: Seed::new(0),
            vae: None,
            unet: None,
            image_size: None,
            vision: None,
            text: None,
            language: None,
            words: Some(WordTable::open(path)?),
            captioner: None,
            clap_words: None,
            listener: None,
        })
    }

    /// Where the models live; tables of words have no other place than the host.
    fn device(&self) -> Device {
        let parts = [
            self.vae.as_ref().map(Autoencoder::device),
            self.vision.as_ref().map(|(model, _)| model.device()),
            self.text.as_ref().map(|(model, _)| model.device()),
            self.language.as_ref().map(|(model, _)| model.device()),
            self.captioner.as_ref().map(Captioner::device),
        ];
        let heard = self.listener.as_ref().map(Listener::device);
        let words = self.clap_words.as_ref().map(|(model, _)| model.device().clone());
        parts.into_iter().flatten().next().cloned().or(heard).or(words).unwrap_or(Device::Cpu)
    }

    /// The side that pictures must have for the autoencoder and U-Net; `None` where only CLIP, which resizes for itself,
    /// or texts are read.
    pub fn image_size(&self) -> Option<usize> {
        self.image_size
    }

    /// An estimate of the memory that one more picture or text in a batch takes, in bytes, weights aside: a pass holds
    /// about twelve times the largest of its values.
    pub fn bytes_per_row(&self) -> u64 {
        const COPIES: u64 = 12;
        let floats = |n: usize| 4 * n as u64;
        let pixels = self.image_size.map_or(0, |side| floats(side * side * 128));
        let vision = self.vision.as_ref().map_or(0, |(model, _)| {
            let c = model.config();
            floats((c.image_size / c.patch_size).pow(2) * c.intermediate_size + c.image_size.pow(2) * 3)
        });
        let text = self
            .text
            .as_ref()
            .map_or(0, |(model, _)| floats(model.config().max_position_embeddings * model.config().intermediate_size));
        // A text of 256 tokens; longer ones are rare, and their batch is small.
        let language = self.language.as_ref().map_or(0, |(model, _)| floats(256 * 4 * model.width()));
        if self.listener.is_some() {
            return SOUND_BYTES;
        }
        let captions = self.captioner.as_ref().map_or(0, |captioner| {
            let inner = captioner.blip().config.vision.intermediate_size;
            floats(captioner.n_tokens() * inner) + captioner.bytes_per_picture(&Search::default()) / COPIES
        });
        (COPIES * pixels.max(vision).max(text).max(language).max(captions)).max(1 << 16)
    }

    /// Samples in a second, and channels, of the sounds that are read.
    pub fn sound_format(&self) -> Option<(u32, usize)> {
        self.listener.as_ref().map(|listener| (listener.rate_hz(), listener.channels()))
    }

    /// Sounds (channels, samples) at [`Self::sound_format`]'s rate to one row each in every space.
    ///
    /// # Errors
    /// Sounds that are empty, too short or too long for the model, places that it does not have.
    pub fn sounds(&self, sounds: &[Array2<f32>]) -> Result<BTreeMap<String, Array2<f32>>> {
        let Some(listener) = &self.listener else { return Ok(BTreeMap::new()) };
        let heard: Vec<&Space> = self.spaces.iter().filter(|space| space.input() == Input::Sounds).collect();
        let places: Vec<&str> = heard.iter().map(|space| space.place.as_str()).collect();
        in_batches(&self.device(), sounds.len(), 1, |rows| {
            let found = listener.hear(sounds[rows.start].view(), &places)?;
            let row = |space: &&Space| -> Result<Option<(String, Array2<f32>)>> {
                let Some(value) = found.get(&space.place) else { return Ok(None) };
                Ok(Some((space.name.clone(), to_rows(&pooled(value, self.pool)?)?)))
            };
            heard.iter().filter_map(|space| row(space).transpose()).collect()
        })
    }

    /// Pictures (n, height, width, 3) in 0..=1 to one row each in every space, `batch` of them in a pass; `names` are
    /// theirs, for the noise. `resized` are the same pictures at [`Self::image_size`], where they are not already.
    ///
    /// # Errors
    /// Pictures of another size than [`Self::image_size`], places that the models do not have.
    pub fn pictures(
        &self,
        names: &[String],
        pictures: ArrayView4<'_, f32>,
        resized: Option<ArrayView4<'_, f32>>,
        batch: usize,
    ) -> Result<BTreeMap<String, Array2<f32>>> {
        let resized = resized.unwrap_or(pictures);
        in_batches(&self.device(), names.len(), batch, |rows| {
            let own = |all: &ArrayView4<'_, f32>| all.slice(s![rows.clone(), .., .., ..]).to_owned();
            self.picture_batch(&names[rows.clone()], own(&pictures).view(), own(&resized).view())
        })
    }

    fn picture_batch(
        &self,
        names: &[String],
        pictures: ArrayView4<'_, f32>,
        resized: ArrayView4<'_, f32>,
    ) -> Result<BTreeMap<String, Array2<f32>>> {
        let mut rows = BTreeMap::new();
        if let Some(vae) = &self.vae {
            let (n, height, width, _) = resized.dim();
            if self.image_size.is_some_and(|side| (height, width) != (side, side)) {
                return Err(ModelError::Input {
                    what: "pictures",
                    expected: format!("(n, {0}, {0}, 3)", self.image_size.unwrap_or(0)),
                    got: format!("{:?}", resized.dim()),
                });
            }
            let mut taps = self.taps(Source::Vae, None);
            let x = picture_tensor(&resized, [0.5; 3], [0.5; 3], vae.device())?;
            let latents = (vae.encode_with(&x, &mut taps)? * vae.scaling_factor())?;
            self.collect(Source::Vae, None, taps, Some(&latents), &mut rows)?;
            if let Some((unet, schedule, empty)) = &self.unet {
                let steps: BTreeSet<usize> = self.spaces.iter().filter_map(|space| space.step).collect();
                for step in steps {
                    let noisy = self.noised(&latents, names, schedule, step)?;
                    let context = empty.broadcast_as((n, empty.dim(1)?, empty.dim(2)?))?.contiguous()?;
                    let mut taps = self.taps(Source::Unet, Some(step));
                    let given = Conditioning { context: Some(&context), ..Conditioning::default() };
                    unet.forward_with(&noisy, &vec![step as f64; n], given, &mut taps)?;
                    self.collect(Source::Unet, Some(step), taps, None, &mut rows)?;
                }
            }
        }
        if let Some((model, preprocess)) = &self.vision {
            let mut taps = self.taps(Source::ClipImage, None);
            let x = preprocess.apply(&pictures, model.config().image_size, model.device())?;
            let embedding = model.forward_with(&x, &mut taps)?.embedding;
            self.collect(Source::ClipImage, None, taps, Some(&embedding), &mut rows)?;
        }
        if let Some(captioner) = &self.captioner {
            let mut taps = self.taps(Source::BlipVision, None);
            let x = captioner.preparation().apply(&pictures, captioner.device())?;
            let tokens = captioner.blip().vision.forward(&x, &mut taps)?;
            self.collect(Source::BlipVision, None, taps, Some(&tokens), &mut rows)?;
            self.caption_rows(captioner, &tokens, &mut rows)?;
        }
        Ok(rows)
    }

    /// The states behind the captions of pictures, each pooled over the tokens of its caption.
    fn caption_rows(
        &self,
        captioner: &Captioner,
        tokens: &Tensor,
        rows: &mut BTreeMap<String, Array2<f32>>,
    ) -> Result<()> {
        let own: Vec<&Space> = self.spaces.iter().filter(|space| space.source == Source::BlipText).collect();
        if own.is_empty() {
            return Ok(());
        }
        let (features, search) = (to_rows(tokens)?, Search::default());
        let found = captioner.caption(features.view(), &search)?;
        let texts: Vec<Vec<u32>> = found.into_iter().map(|mut beams| beams.swap_remove(0).tokens).collect();
        let places: Vec<&str> = own.iter().map(|space| space.place.as_str()).collect();
        let states = captioner.states(features.view(), &texts, captioner.prompt(&search)?.len(), &places)?;
        for space in own {
            let mut pooled_rows = Vec::with_capacity(states.len());
            for state in &states {
                let state = &state[&space.place];
                let values: Vec<f32> = state.iter().copied().collect();
                let state = Tensor::from_vec(values, (1, state.nrows(), state.ncols()), &Device::Cpu)?;
                pooled_rows.push(to_rows(&pooled(&state, self.pool)?)?);
            }
            let views: Vec<_> = pooled_rows.iter().map(|row| row.view()).collect();
            let stacked = ndarray::concatenate(ndarray::Axis(0), &views).map_err(|_| ModelError::Input {
                what: "whole states",
                expected: "captions of equal length (or pool them: mean, first, last)".into(),
                got: format!("captions of {:?} tokens", texts.iter().map(Vec::len).collect::<Vec<_>>()),
            })?;
            rows.insert(space.name.clone(), stacked);
        }
        Ok(())
    }

    /// Texts to one row each in every space, `batch` of them in a pass.
    ///
    /// # Errors
    /// Texts without tokens, places that the models do not have, whole states of texts of unequal length.
    pub fn texts(&self, texts: &[String], batch: usize) -> Result<BTreeMap<String, Array2<f32>>> {
        let mut rows = BTreeMap::new();
        if self.words.is_some() || self.text.is_some() || self.clap_words.is_some() {
            rows = in_batches(&self.device(), texts.len(), batch, |rows| self.text_batch(&texts[rows]))?;
        }
        if let Some((model, tokenizer)) = &self.language {
            rows.extend(self.language_rows(model, tokenizer, texts, batch)?);
        }
        Ok(rows)
    }

    fn text_batch(&self, texts: &[String]) -> Result<BTreeMap<String, Array2<f32>>> {
        let mut rows = BTreeMap::new();
        if let Some(table) = &self.words {
            let mut means = Array2::zeros((texts.len(), table.width()));
            for (mut row, text) in means.outer_iter_mut().zip(texts) {
                row.iter_mut().zip(table.mean(text).0).for_each(|(to, value)| *to = value);
            }
            rows.insert("words".to_owned(), means);
        }
        if let Some((model, tokenizer)) = &self.text {
            let ids = texts.iter().map(|text| tokenizer.encode(text)).collect::<Result<Vec<_>>>()?;
            let mut taps = self.taps(Source::ClipText, None);
            let states = model.forward_with(&ids, &mut taps)?;
            let wants_embedding =
                self.spaces.iter().any(|space| space.source == Source::ClipText && space.place.is_empty());
            let embedding = wants_embedding.then(|| model.project(&states.pooled)).transpose()?;
            self.collect(Source::ClipText, None, taps, embedding.as_ref(), &mut rows)?;
        }
        if let Some((model, tokenizer)) = &self.clap_words {
            rows.insert("clap.text".to_owned(), model.embed_texts(tokenizer, texts)?);
        }
        Ok(rows)
    }

    /// Texts of equal length together, so that no padding is needed: the more texts are given at once, the fuller passes are.
    fn language_rows(
        &self,
        model: &LanguageModel,
        tokenizer: &TextTokenizer,
        texts: &[String],
        batch: usize,
    ) -> Result<BTreeMap<String, Array2<f32>>> {
        let mut groups: BTreeMap<usize, Vec<(usize, Vec<u32>)>> = BTreeMap::new();
        for (i, text) in texts.iter().enumerate() {
            let ids = tokenizer.encode(text)?;
            if ids.is_empty() {
                let expected = "at least one token".to_owned();
                return Err(ModelError::Input { what: "text", expected, got: format!("none in {text:?}") });
            }
            groups.entry(ids.len()).or_default().push((i, ids));
        }
        // The longest first, so that all threads end together.
        let passes: Vec<&[(usize, Vec<u32>)]> =
            groups.values().rev().flat_map(|group| group.chunks(batch.max(1))).collect();
        let found = side_by_side(&self.device(), passes.len(), |pass| {
            let ids: Vec<Vec<u32>> = passes[pass].iter().map(|(_, ids)| ids.clone()).collect();
            let mut taps = self.taps(Source::Language, None);
            model.forward(&ids, &mut taps)?;
            let mut part = BTreeMap::new();
            self.collect(Source::Language, None, taps, None, &mut part)?;
            Ok(part)
        })?;
        let mut rows: BTreeMap<String, Array2<f32>> = BTreeMap::new();
        for (pass, part) in passes.iter().zip(found) {
            for (name, values) in part {
                let all = rows.entry(name).or_insert_with(|| Array2::zeros((texts.len(), values.ncols())));
                if all.ncols() != values.ncols() {
                    return Err(ModelError::Input {
                        what: "whole states",
                        expected: "texts of equal length (or pool them: mean, first, last)".into(),
                        got: format!("{} and {} numbers", all.ncols(), values.ncols()),
                    });
                }
                for (row, (to, _)) in values.outer_iter().zip(*pass) {
                    all.row_mut(*to).assign(&row);
                }
            }
        }
        Ok(rows)
    }

    fn noised(&self, latents: &Tensor, names: &[String], schedule: &NoiseSchedule, step: usize) -> Result<Tensor> {
        let last = schedule.config().num_train_timesteps - 1;
        if step > last {
            let expected = format!("0 to {last}");
            return Err(ModelError::Input { what: "diffusion step", expected, got: step.to_string() });
        }
        let per_row = latents.elem_count() / names.len().max(1);
        let noise: Vec<f32> = names
            .iter()
            .flat_map(|name| self.seed.named("noise").named(name).at(step as u64).normal(per_row))
            .collect();
        let noise = Tensor::from_vec(noise, latents.shape(), latents.device())?;
        let (signal, amount) = schedule.mix(step);
        Ok(((latents * signal)? + (noise * amount)?)?)
    }

    fn taps(&self, source: Source, step: Option<usize>) -> Taps {
        let own = self.spaces.iter().filter(|space| space.source == source && space.step == step);
        Taps::wanting(own.filter(|space| !space.place.is_empty()).map(|space| space.place.as_str()))
    }

    /// Pools what was seen into rows. `output` is the part's own output, the space without a place.
    fn collect(
        &self,
        source: Source,
        step: Option<usize>,
        taps: Taps,
        output: Option<&Tensor>,
        rows: &mut BTreeMap<String, Array2<f32>>,
    ) -> Result<()> {
        let found = taps.finish()?;
        for space in self.spaces.iter().filter(|space| space.source == source && space.step == step) {
            let value = if space.place.is_empty() { output } else { found.get(&space.place) };
            if let Some(value) = value {
                // An output is what it is; only the places inside are pooled.
                let pool = if space.place.is_empty() || space.name == "sd.c" { Pool::Whole } else { self.pool };
                rows.insert(space.name.clone(), to_rows(&pooled(value, pool)?)?);
            }
        }
        Ok(())
    }
}

/// Runs `work` over `0..n` in batches, on the CPU each on one thread where there are several, and stacks their rows in order.
/// What a batch holds does not depend on the number of threads, and neither do the rows.
fn in_batches(
    device: &Device,
    n: usize,
    batch: usize,
    work: impl Fn(Range<usize>) -> Result<BTreeMap<String, Array2<f32>>> + Sync,
) -> Result<BTreeMap<String, Array2<f32>>> {
    let batch = batch.max(1);
    let parts = side_by_side(device, n.div_ceil(batch), |i| work(i * batch..((i + 1) * batch).min(n)))?;
    let Some(names) = parts.first().map(|part| part.keys().cloned().collect::<Vec<_>>()) else {
        return Ok(BTreeMap::new());
    };
    let mut all = BTreeMap::new();
    for name in names {
        let views: Vec<_> = parts.iter().map(|part| part[&name].view()).collect();
        let stacked = ndarray::concatenate(ndarray::Axis(0), &views).map_err(|source| ModelError::Input {
            what: "rows of a feature space",
            expected: "the same number of columns in every batch".into(),
            got: format!("{source} in `{name}`"),
        })?;
        all.insert(name, stacked);
    }
    Ok(all)
}

/// (B, L, D), (B, C, H, W) or (B, D) → (B, …) with tokens or pixels pooled.
fn pooled(value: &Tensor, pool: Pool) -> Result<Tensor> {
    match (value.rank(), pool) {
        (_, Pool::Whole) | (2, _) => Ok(value.clone()),
        (3, Pool::Mean) => Ok(value.mean(1)?),
        (3, Pool::First) => Ok(value.narrow(1, 0, 1)?.contiguous()?),
        (3, Pool::Last) => Ok(value.narrow(1, value.dim(1)? - 1, 1)?.contiguous()?),
        (4, Pool::Mean) => Ok(value.flatten_from(2)?.mean(2)?),
        (rank, _) => Err(ModelError::Input {
            what: "pooling",
            expected: "`mean` or `whole` for a place with pixels".into(),
            got: format!("{pool:?} of a value with {rank} axes"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_where_a_space_lies() {
        let space = Space::parse("unet.down.1.attn.0.cross@t600").expect("a space");
        assert_eq!((space.source, space.place.as_str(), space.step), (Source::Unet, "down.1.attn.0.cross", Some(600)));
        let space = Space::parse("llama.layer16").expect("a space");
        assert_eq!((space.input(), space.place.as_str()), (Input::Texts, "layer16"));
        assert_eq!(Space::parse("sd.z").expect("a space").input(), Input::Pictures);
        for wrong in ["unet.mid", "clip.text@t5", "unet.mid@tx", "layer07", ""] {
            let words = Space::parse(wrong).expect_err(wrong).to_string();
            assert!(words.contains(&format!("`{wrong}`")), "{words}");
        }
    }
}
