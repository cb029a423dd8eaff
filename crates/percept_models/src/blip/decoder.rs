//! BLIP's decoder: BERT with a causal mask and, in every layer, cross-attention to the tokens of a picture (transformers'
//! `BlipTextLMHeadModel`).
//!
//! There are two ways through it that compute the same. Whole texts at once ([`CaptionDecoder::states`]), which can train and
//! be read by taps; and token by token ([`CaptionDecoder::extend`]), with keys and values kept: those of the text so far for
//! each row, those of a picture once for all of its rows.

use candle_core::{Device, IndexOp, Tensor};

use super::config::{NAME, TextConfig};
use crate::{
    error::{ModelError, Result},
    nn::{
        attention::attend,
        elementwise::Elementwise,
        layers::{Embedding, LayerNorm, Linear},
        ops,
        params::{Init, Params},
    },
    tap::Taps,
};

/// Attention with the norm behind its residual.
struct Attention {
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    norm: LayerNorm,
}

impl Attention {
    fn new(p: &Params, c: &TextConfig, inputs: usize) -> Result<Self> {
        let (own, output, width) = (p.at("self"), p.at("output"), c.hidden_size);
        Ok(Self {
            q: Linear::new(&own.at("query"), width, width)?,
            k: Linear::new(&own.at("key"), inputs, width)?,
            v: Linear::new(&own.at("value"), inputs, width)?,
            out: Linear::new(&output.at("dense"), width, width)?,
            norm: LayerNorm::new(&output.at("LayerNorm"), width, c.layer_norm_eps)?,
        })
    }

    /// What was attended to, projected, added to `x` and normalised.
    fn finish(&self, x: &Tensor, attended: &Tensor) -> Result<Tensor> {
        self.norm.forward(&(self.out.forward(attended)? + x)?)
    }

    /// Keys and values of `context` (B, S, inputs), both (B, S, width).
    fn keys(&self, context: &Tensor) -> Result<[Tensor; 2]> {
        Ok([self.k.forward(context)?, self.v.forward(context)?])
    }
}

struct Layer {
    own: Attention,
    cross: Attention,
    first: Linear,
    activation: Elementwise,
    second: Linear,
    norm: LayerNorm,
}

impl Layer {
    fn new(p: &Params, c: &TextConfig, context: usize) -> Result<Self> {
        Ok(Self {
            own: Attention::new(&p.at("attention"), c, c.hidden_size)?,
            cross: Attention::new(&p.at("crossattention"), c, context)?,
            first: Linear::new(&p.at("intermediate").at("dense"), c.hidden_size, c.intermediate_size)?,
            activation: Elementwise::named(NAME, "hidden_act", &c.hidden_act)?,
            second: Linear::new(&p.at("output").at("dense"), c.intermediate_size, c.hidden_size)?,
            norm: LayerNorm::new(&p.at("output").at("LayerNorm"), c.hidden_size, c.layer_norm_eps)?,
        })
    }

    fn network(&self, x: &Tensor) -> Result<Tensor> {
        let h = self.second.forward(&self.activation.apply(&self.first.forward(x)?)?)?;
        self.norm.forward(&(h + x)?)
    }
}

/// The keys and values of pictures: of each layer, of each picture, both (heads, tokens, head width).
pub struct Pictures {
    layers: Vec<Vec<[Tensor; 2]>>,
}

/// The keys and values of the texts so far, of each layer both (rows, tokens, width); none before the first token.
#[derive(Default)]
pub struct Past {
    layers: Vec<[Tensor; 2]>,
    length: usize,
}

impl Past {
    /// The same with these rows, in this order; a row may be taken several times.
    ///
    /// # Errors
    /// Rows that there are not.
    pub fn select(&self, rows: &[u32]) -> Result<Self> {
        let Some([first, _]) = self.layers.first() else { return Ok(Self::default()) };
        if rows.len() == first.dim(0)? && rows.iter().enumerate().all(|(i, &row)| i == row as usize) {
            return Ok(Self { layers: self.layers.clone(), length: self.length });
        }
        let rows = Tensor::from_vec(rows.to_vec(), rows.len(), first.device())?;
        let taken = |pair: &[Tensor; 2]| -> Result<[Tensor; 2]> {
            Ok([pair[0].index_select(&rows, 0)?, pair[1].index_select(&rows, 0)?])
        };
        Ok(Self { layers: self.layers.iter().map(taken).collect::<Result<_>>()?, length: self.length })
    }
}

/// The decoder.
pub struct CaptionDecoder {
    words: Embedding,
    positions: Embedding,
    norm_in: LayerNorm,
    layers: Vec<Layer>,
    transform: Linear,
    activation: Elementwise,
    transform_norm: LayerNorm,
    head: Tensor,
    head_bias: Tensor,
    vocabulary: usize,
    longest: usize,
    heads: usize,
    width: usize,
}

impl CaptionDecoder {
    /// Builds the model from its config and parameters (`text_decoder` of a checkpoint); `context` is the width of a picture's
    /// tokens. The output has the table of words as its weight, or, where the checkpoint holds another, that.
    ///
    /// # Errors
    /// Missing tensors and tensors of another shape, by name.
    pub fn new(p: &Params, c: &TextConfig, context: usize, tied: bool) -> Result<Self> {
        let bert = p.at("bert");
        let embeddings = bert.at("embeddings");
        embeddings.ignore("position_ids");
        let head = p.at("cls").at("predictions");
        let (width, vocabulary) = (c.hidden_size, c.vocab_size);
        let table = embeddings.at("word_embeddings");
        let words = table.get("weight", &[vocabulary, width], Init::Normal { std: 0.02 })?;
        let own = head.at("decoder");
        let weight = match own.buffer("weight", &[vocabulary, width])? {
            Some(weight) if differs(&weight, &words)? => weight,
            Some(_) => words.clone(),
            None if tied => words.clone(),
            None => own.get("weight", &[vocabulary, width], Init::Normal { std: 0.02 })?,
        };
        // Stored twice, under the name of the layer too.
        let head_bias = match own.buffer("bias", &[vocabulary])? {
            Some(bias) if !head.in_files("bias") => bias,
            _ => head.get("bias", &[vocabulary], Init::Zeros)?,
        };
        let layers = bert.at("encoder").at("layer");
        let transform = head.at("transform");
        Ok(Self {
            positions: Embedding::new(&embeddings.at("position_embeddings"), c.max_position_embeddings, width)?,
            words: Embedding::new(&table, vocabulary, width)?,
            norm_in: LayerNorm::new(&embeddings.at("LayerNorm"), width, c.layer_norm_eps)?,
            layers: (0..c.num_hidden_layers).map(|i| Layer::new(&layers.at(i), c, context)).collect::<Result<_>>()?,
            transform: Linear::new(&transform.at("dense"), width, width)?,
            activation: Elementwise::named(NAME, "hidden_act", &c.hidden_act)?,
            transform_norm: LayerNorm::new(&transform.at("LayerNorm"), width, c.layer_norm_eps)?,
            head: weight,
            head_bias,
            vocabulary,
            longest: c.max_position_embeddings,
            heads: c.num_attention_heads,
            width,
        })
    }

    /// Where the model lives.
    pub fn device(&self) -> &Device {
        self.words.device()
    }

    /// Tokens in the vocabulary.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// The most tokens of a text.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// The embeddings of tokens (B, L, width) that stand from position `from` on.
    fn embed(&self, ids: &[Vec<u32>], from: usize) -> Result<Tensor> {
        let length = ids.first().map_or(0, Vec::len);
        let refuse = |expected: String, got: String| Err(ModelError::Input { what: "token ids", expected, got });
        if length == 0 || from + length > self.longest || ids.iter().any(|row| row.len() != length) {
            return refuse(
                format!("rows of equal length, 1 to {} in all", self.longest),
                format!("lengths {:?} behind {from}", ids.iter().map(Vec::len).collect::<Vec<_>>()),
            );
        }
        let flat: Vec<u32> = ids.iter().flatten().copied().collect();
        if let Some(id) = flat.iter().find(|&&id| id as usize >= self.vocabulary) {
            return refuse(format!("ids below {}", self.vocabulary), id.to_string());
        }
        let ids = Tensor::from_vec(flat, (ids.len(), length), self.device())?;
        let places = self.positions.first(from + length)?.narrow(0, from, length)?;
        self.norm_in.forward(&self.words.forward(&ids)?.broadcast_add(&places)?)
    }

    /// Whole texts of equal length and the tokens of their pictures (B, S, context) to the states behind the last layer
    /// (B, L, width), with places that are read in passing: `layer00` (the embeddings), `layer01`, ….
    ///
    /// # Errors
    /// Rows of unequal length, too long, or with ids outside the vocabulary; pictures that do not fit.
    pub fn states(&self, ids: &[Vec<u32>], pictures: &Tensor, taps: &mut Taps) -> Result<Tensor> {
        let mut x = self.embed(ids, 0)?;
        taps.see(format_args!("layer00"), &x);
        for (i, layer) in self.layers.iter().enumerate() {
            let [k, v] = layer.own.keys(&x)?;
            x = layer.own.finish(&x, &attend(&layer.own.q.forward(&x)?, &k, &v, self.heads, true)?)?;
            let [k, v] = layer.cross.keys(pictures)?;
            x = layer.cross.finish(&x, &attend(&layer.cross.q.forward(&x)?, &k, &v, self.heads, false)?)?;
            x = layer.network(&x)?;
            taps.see(format_args!("layer{:02}", i + 1), &x);
        }
        Ok(x)
    }

    /// States (…, width) to the logits of the token behind each (…, vocabulary).
    ///
    /// # Errors
    /// States of another width.
    pub fn logits(&self, states: &Tensor) -> Result<Tensor> {
        let h = self.activation.apply(&self.transform.forward(states)?)?;
        Ok(ops::linear(&self.transform_norm.forward(&h)?, &self.head, Some(&self.head_bias))?)
    }

    /// The keys and values of pictures (n, S, context), computed once.
    ///
    /// # Errors
    /// Pictures of another width.
    pub fn look(&self, pictures: &Tensor) -> Result<Pictures> {
        let (n, length, _) = pictures.dims3()?;
        let by_head = |x: &Tensor, picture: usize| -> Result<Tensor> {
            let x = x.i(picture)?.reshape((length, self.heads, self.width / self.heads))?;
            Ok(x.transpose(0, 1)?.contiguous()?)
        };
        let of_layer = |layer: &Layer| -> Result<Vec<[Tensor; 2]>> {
            let [k, v] = layer.cross.keys(pictures)?;
            (0..n).map(|picture| Ok([by_head(&k, picture)?, by_head(&v, picture)?])).collect()
        };
        Ok(Pictures { layers: self.layers.iter().map(of_layer).collect::<Result<_>>()? })
    }

    /// Goes on by the tokens `ids` of every row; `owners` are the pictures of the rows, those of one together. Returns the
    /// logits behind the last token of each row, (rows, vocabulary). Several tokens at once only begin a text.
    ///
    /// # Errors
    /// As [`Self::states`].
    pub fn extend(&self, ids: &[Vec<u32>], owners: &[usize], pictures: &Pictures, past: &mut Past) -> Result<Tensor> {
        let length = ids.first().map_or(0, Vec::len);
        if (past.length > 0 && length != 1) || owners.len() != ids.len() {
            return Err(ModelError::Input {
                what: "tokens to go on by",
                expected: "one for each row behind the beginning".into(),
                got: format!("{length} of {} rows", ids.len()),
            });
        }
        let mut x = self.embed(ids, past.length)?;
        let causal = length > 1;
        let mut kept = Vec::with_capacity(self.layers.len());
        for (i, layer) in self.layers.iter().enumerate() {
            let mut both = layer.own.keys(&x)?;
            if let Some([k, v]) = past.layers.get(i) {
                both = [Tensor::cat(&[k, &both[0]], 1)?, Tensor::cat(&[v, &both[1]], 1)?];
            }
            let attended = attend(&layer.own.q.forward(&x)?, &both[0], &both[1], self.heads, causal)?;
            x = layer.own.finish(&x, &attended)?;
            kept.push(both);
            let attended = self.look_at(&layer.cross.q.forward(&x)?, owners, &pictures.layers[i])?;
            x = layer.cross.finish(&x, &attended)?;
            x = layer.network(&x)?;
        }
        *past = Past { layers: kept, length: past.length + length };
        self.logits(&x.i((.., length - 1))?.contiguous()?)
    }

    /// Queries (rows, L, width) at the pictures of their rows; all rows of a picture are queries of one attention.
    fn look_at(&self, q: &Tensor, owners: &[usize], pictures: &[[Tensor; 2]]) -> Result<Tensor> {
        let (_, length, width) = q.dims3()?;
        let dim = width / self.heads;
        let mut parts = Vec::new();
        let mut first = 0;
        for rows in owners.chunk_by(|a, b| a == b) {
            let queries = rows.len() * length;
            let own = q.narrow(0, first, rows.len())?.reshape((queries, self.heads, dim))?;
            let own = own.transpose(0, 1)?.contiguous()?; // heads, queries, dim
            let [k, v] = &pictures[rows[0]];
            let seen = attend(&own, k, v, 1, false)?;
            parts.push(seen.transpose(0, 1)?.reshape((rows.len(), length, width))?);
            first += rows.len();
        }
        Ok(Tensor::cat(&parts, 0)?)
    }
}

/// Whether two weights are not the same; what stands in for a missing one is not contiguous, and takes no memory.
fn differs(a: &Tensor, b: &Tensor) -> Result<bool> {
    Ok(a.is_contiguous() && b.is_contiguous() && (a - b)?.abs()?.max_all()?.to_scalar::<f32>()? > 0.0)
}
