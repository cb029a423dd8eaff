//! Captions of pictures by BLIP (Li et al. 2022, arXiv 2201.12086), from transformers' layout or the original checkpoints.
//!
//! [`Captioner::features`] makes of pictures the tokens that the decoder looks at; [`Captioner::caption`] makes captions of
//! *given* tokens, which may as well be predicted from a brain. Work is cut into batches that do not depend on the number of
//! threads, and pictures of a batch know nothing of each other (sums of products may be rounded otherwise in another batch). A checkpoint of the original code is one `.pth` beside a `vocab.txt`; without a
//! `config.json` the shapes of its tensors tell which size of BLIP it is.

mod preparation;
mod search;
mod words;

use std::{collections::BTreeMap, ops::Range, path::Path};

use candle_core::{Device, Tensor};
use ndarray::{Array2, ArrayView2, ArrayView4, Axis, s};
use percept_core::provenance::content_hash;

pub use preparation::Preparation;
pub use search::{Beam, How, Search, Stop};
pub use words::CaptionWords;

pub use crate::{
    blip::{Blip, BlipConfig},
    preprocess::Filter,
};

use crate::{
    blip::Past,
    device::side_by_side,
    error::{ModelError, Result},
    nn::host::to_rows,
    nn::host::to_vec,
    pack::row_tensor,
    parts::Parts,
    tap::Taps,
    weights::PackFiles,
};
use search::Hunt;

/// Pictures per batch.
const BATCH: usize = 8;

/// A captioner behind plain arrays.
pub struct Captioner {
    blip: Blip,
    words: CaptionWords,
    preparation: Preparation,
    content: String,
    /// Pictures that are worked on at once.
    at_once: usize,
}

impl Captioner {
    /// Opens a folder in the layout of transformers, or with a checkpoint of the original code (`*.pth`) and its vocabulary.
    ///
    /// # Errors
    /// Names the file, config key or tensor that is missing or does not fit.
    pub fn open(dir: &Path) -> Result<Self> {
        Self::load(&PackFiles::Directory(dir.to_owned()))
    }

    /// As [`Self::open`], from any files of a pack.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn load(files: &PackFiles) -> Result<Self> {
        let (words, vocabulary) = CaptionWords::load(files)?;
        let (blip, weights) = Parts::new(files)?.blip()?;
        let side = blip.config.vision.image_size;
        let preparation = if files.holds(PREPROCESSOR) {
            Preparation::parse(&files.read_text(PREPROCESSOR)?, side)?
        } else {
            Preparation::blip(side)
        };
        let content = content_hash(format!("{weights} {vocabulary}").as_bytes());
        let plain = Self { blip, words, preparation, content, at_once: usize::MAX };
        plain.with_preparation(preparation)
    }

    /// The same captioner with pictures prepared in this way; the table of positions is interpolated to their size.
    ///
    /// # Errors
    /// A size that no picture has.
    pub fn with_preparation(mut self, preparation: Preparation) -> Result<Self> {
        self.blip.vision.resize(preparation.size)?;
        self.preparation = preparation;
        Ok(self)
    }

    /// How pictures are prepared.
    pub fn preparation(&self) -> &Preparation {
        &self.preparation
    }

    /// Side of the prepared pictures in pixels.
    pub fn image_size(&self) -> usize {
        self.preparation.size
    }

    /// Tokens of a picture.
    pub fn n_tokens(&self) -> usize {
        self.blip.vision.n_tokens()
    }

    /// Width of a picture's tokens.
    pub fn width(&self) -> usize {
        self.blip.config.vision.hidden_size
    }

    /// The two networks.
    pub fn blip(&self) -> &Blip {
        &self.blip
    }

    /// The vocabulary.
    pub fn words(&self) -> &CaptionWords {
        &self.words
    }

    /// A hash of weights, configuration, vocabulary and preparation.
    pub fn content(&self) -> String {
        content_hash(format!("{} {:?}", self.content, self.preparation).as_bytes())
    }

    /// Where the captioner lives and runs.
    pub fn device(&self) -> &Device {
        self.blip.decoder.device()
    }

    /// The memory that the captions of one picture take, in bytes, weights aside: keys and values of every layer.
    pub fn bytes_per_picture(&self, search: &Search) -> u64 {
        let t = &self.blip.config.text;
        let tokens = 2 * self.n_tokens() + 2 * search.n_beams() * search.max_len;
        let scores = 4 * search.n_beams() * t.vocab_size;
        4 * (2 * tokens * t.num_hidden_layers * t.hidden_size / 2 + scores + 2 * self.n_tokens() * self.width()) as u64
    }

    /// The same captioner, working on as many pictures at once as `bytes` of memory allow, weights aside, at least one. Results
    /// do not depend on it.
    #[must_use]
    pub fn within(mut self, bytes: u64, search: &Search) -> Self {
        self.at_once = usize::try_from(bytes / self.bytes_per_picture(search).max(1)).unwrap_or(usize::MAX).max(1);
        self
    }

    /// Pictures in 0..=1 of any size to the tokens that the decoder looks at.
    ///
    /// # Shapes
    /// (n, height, width, 3) → (n, tokens · width).
    ///
    /// # Errors
    /// Pictures without pixels.
    pub fn features(&self, pictures: ArrayView4<'_, f32>) -> Result<Array2<f32>> {
        let n = pictures.dim().0;
        let parts = self.batched(n, |range| {
            let part = pictures.slice(s![range, .., .., ..]);
            let x = self.preparation.apply(&part, self.device())?;
            to_rows(&self.blip.vision.forward(&x, &mut Taps::none())?)
        })?;
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        let columns = self.n_tokens() * self.width();
        if views.is_empty() {
            return Ok(Array2::zeros((0, columns)));
        }
        ndarray::concatenate(Axis(0), &views).map_err(|source| ModelError::Input {
            what: "features of pictures",
            expected: format!("{columns} columns"),
            got: source.to_string(),
        })
    }

    /// The captions of pictures with these features, for each as many as the search has beams, the best first.
    ///
    /// # Shapes
    /// `features` (n, tokens · width), of pictures or predicted.
    ///
    /// # Errors
    /// Features of another size or that are not finite; a search that cannot be.
    pub fn caption(&self, features: ArrayView2<'_, f32>, search: &Search) -> Result<Vec<Vec<Beam>>> {
        let prompt = self.prompt(search)?;
        search.check(prompt.len(), self.blip.decoder.longest(), self.blip.decoder.vocabulary())?;
        self.expect_features(&features)?;
        let parts = self
            .batched(features.nrows(), |range| self.caption_batch(&features.slice(s![range, ..]), search, &prompt))?;
        Ok(parts.into_iter().flatten().collect())
    }

    /// The tokens that every caption begins with: the beginning, and the search's prompt.
    ///
    /// # Errors
    /// When the vocabulary cannot express the prompt.
    pub fn prompt(&self, search: &Search) -> Result<Vec<u32>> {
        let mut tokens = vec![self.blip.config.text.bos_token_id];
        tokens.extend(self.words.encode(&search.prompt)?);
        Ok(tokens)
    }

    fn caption_batch(&self, rows: &ArrayView2<'_, f32>, search: &Search, prompt: &[u32]) -> Result<Vec<Vec<Beam>>> {
        let (decoder, end) = (&self.blip.decoder, self.blip.config.text.sep_token_id);
        let features = row_tensor(rows, &[self.n_tokens(), self.width()], self.device())?;
        let pictures = decoder.look(&features)?;
        let name = |row: ndarray::ArrayView1<'_, f32>| -> String {
            content_hash(&row.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())
        };
        let mut hunts: Vec<Hunt<'_>> =
            rows.outer_iter().map(|row| Hunt::new(search, prompt, end, &name(row))).collect();
        let mut past = Past::default();
        let mut owners: Vec<usize> = (0..hunts.len()).collect();
        let mut ids = vec![prompt.to_vec(); hunts.len()];
        while !owners.is_empty() {
            let logits = decoder.extend(&ids, &owners, &pictures, &mut past)?;
            let logits = to_vec(&logits)?;
            let vocabulary = decoder.vocabulary();
            let mut rest = logits.as_slice();
            let (mut first, mut kept, mut next) = (0, Vec::new(), Vec::new());
            ids.clear();
            for (picture, hunt) in hunts.iter_mut().enumerate().filter(|(_, hunt)| !hunt.is_over()) {
                let running = hunt.n_running();
                let (own, others) = rest.split_at(running * vocabulary);
                rest = others;
                let parents = hunt.advance(own);
                if !hunt.is_over() {
                    kept.extend(parents.iter().map(|parent| first + parent));
                    next.resize(next.len() + parents.len(), picture);
                    ids.extend(hunt.next().map(|token| vec![token]));
                }
                first += running as u32;
            }
            past = past.select(&kept)?;
            owners = next;
        }
        hunts.into_iter().map(|hunt| self.read(hunt.found(), prompt.len())).collect()
    }

    /// Puts the captions into words.
    fn read(&self, mut beams: Vec<Beam>, prompt: usize) -> Result<Vec<Beam>> {
        for beam in &mut beams {
            beam.text = self.words.decode(&beam.tokens[prompt..])?;
        }
        Ok(beams)
    }

    /// The states of the decoder that each token of `texts` behind the first `prompt` was chosen from, at the places `wanted`
    /// (`layer00`, `layer01`, …): of each text (tokens, width) by place.
    ///
    /// # Shapes
    /// `features` (n, tokens · width), a text for each.
    ///
    /// # Errors
    /// Texts that are not longer than the prompt; places that the model does not have.
    pub fn states(
        &self,
        features: ArrayView2<'_, f32>,
        texts: &[Vec<u32>],
        prompt: usize,
        wanted: &[&str],
    ) -> Result<Vec<BTreeMap<String, Array2<f32>>>> {
        self.expect_features(&features)?;
        if features.nrows() != texts.len() || prompt == 0 || texts.iter().any(|text| text.len() <= prompt) {
            return Err(ModelError::Input {
                what: "texts",
                expected: format!("{} of more than {prompt} tokens, prompt included", features.nrows()),
                got: format!("lengths {:?}", texts.iter().map(Vec::len).collect::<Vec<_>>()),
            });
        }
        let rows: Vec<usize> = (0..texts.len()).collect();
        side_by_side(self.device(), rows.len(), |i| {
            let row = features.slice(s![i..=i, ..]);
            let picture = row_tensor(&row, &[self.n_tokens(), self.width()], self.device())?;
            let mut taps = Taps::wanting(wanted.iter().copied());
            // The last token was chosen; nothing was chosen from it.
            let read = texts[i][..texts[i].len() - 1].to_vec();
            self.blip.decoder.states(&[read], &picture, &mut taps)?;
            let of_text = |state: &Tensor| -> Result<Array2<f32>> {
                let (_, length, _) = state.dims3()?;
                let own = state.squeeze(0)?.narrow(0, prompt - 1, length + 1 - prompt)?;
                to_rows(&own.contiguous()?)
            };
            taps.finish()?.into_iter().map(|(name, state)| Ok((name, of_text(&state)?))).collect()
        })
    }

    fn expect_features(&self, features: &ArrayView2<'_, f32>) -> Result<()> {
        let columns = self.n_tokens() * self.width();
        let refuse =
            |expected: String, got: String| Err(ModelError::Input { what: "features of pictures", expected, got });
        if features.ncols() != columns {
            let expected = format!("{} tokens of {} numbers, {columns} columns", self.n_tokens(), self.width());
            return refuse(expected, features.ncols().to_string());
        }
        match features.outer_iter().position(|row| row.iter().any(|value| !value.is_finite())) {
            Some(row) => refuse("finite numbers".into(), format!("another in row {row}")),
            None => Ok(()),
        }
    }

    /// Runs `work` over `0..n` in batches, side by side on the CPU where memory allows.
    fn batched<T: Send>(&self, n: usize, work: impl Fn(Range<usize>) -> Result<T> + Sync) -> Result<Vec<T>> {
        let batch = BATCH.min(self.at_once);
        let (n_batches, together) = (n.div_ceil(batch), (self.at_once / batch).max(1));
        let mut parts = Vec::with_capacity(n_batches);
        for first in (0..n_batches).step_by(together) {
            let some = together.min(n_batches - first);
            let range = |i: usize| (first + i) * batch..((first + i + 1) * batch).min(n);
            parts.extend(side_by_side(self.device(), some, |i| work(range(i)))?);
        }
        Ok(parts)
    }
}

/// Where a pack says how pictures are prepared.
const PREPROCESSOR: &str = "preprocessor_config.json";
