//! Swin's stages (Liu et al. 2021, arXiv 2103.14030), as CLAP's audio encoder has them: attention within windows of patches,
//! every second time shifted by half a window, and merging of patches between stages.

use candle_core::Tensor;

use crate::{
    error::Result,
    nn::{
        elementwise::Elementwise,
        layers::{LayerNorm, Linear},
        maps,
        params::{Init, Params},
        time::attend_biased,
    },
};

/// What all blocks share.
#[derive(Clone, Copy)]
pub(super) struct SwinConfig {
    pub(super) window: usize,
    pub(super) mlp_ratio: f64,
    pub(super) qkv_bias: bool,
    pub(super) eps: f64,
    pub(super) activation: Elementwise,
}

/// What is added to a score across the border of a shift: enough that nothing passes.
const APART: f32 = -100.0;

/// Attention within windows and a two-layer network, each behind a norm and around a residual.
struct Block {
    norm_before: LayerNorm,
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    norm_after: LayerNorm,
    first: Linear,
    activation: Elementwise,
    second: Linear,
    heads: usize,
    /// Tokens of a window.
    tokens: usize,
    bias: Bias,
    /// Where each token of the windows lies in the map, and back; absent where they are the same.
    order: Option<[Tensor; 2]>,
}

impl Block {
    fn new(p: &Params, width: usize, heads: usize, side: usize, shifted: bool, c: SwinConfig) -> Result<Self> {
        // A map that is one window is not cut.
        let window = c.window;
        let shift = if shifted && side > window { window / 2 } else { 0 };
        let attention = p.at("attention");
        let own = attention.at("self");
        own.ignore("relative_position_index");
        let spans = 2 * c.window - 1;
        let table = own.get("relative_position_bias_table", &[spans * spans, heads], Init::Normal { std: 0.02 })?;
        let square = |name: &str| {
            let place = own.at(name);
            if c.qkv_bias { Linear::new(&place, width, width) } else { Linear::without_bias(&place, width, width) }
        };
        let inner = (c.mlp_ratio * width as f64) as usize;
        Ok(Self {
            norm_before: LayerNorm::new(&p.at("layernorm_before"), width, c.eps)?,
            q: square("query")?,
            k: square("key")?,
            v: square("value")?,
            out: Linear::new(&attention.at("output").at("dense"), width, width)?,
            norm_after: LayerNorm::new(&p.at("layernorm_after"), width, c.eps)?,
            first: Linear::new(&p.at("intermediate").at("dense"), width, inner)?,
            activation: c.activation,
            second: Linear::new(&p.at("output").at("dense"), inner, width)?,
            heads,
            tokens: window * window,
            order: (side > window).then(|| order(side, window, shift, &table)).transpose()?,
            bias: Bias::new(table, [side, window, shift], heads)?,
        })
    }

    /// (B, side², width) → the same.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, length, width) = x.dims3()?;
        let h = self.norm_before.forward(x)?;
        let h = match &self.order {
            Some([order, _]) => h.index_select(order, 1)?,
            None => h,
        };
        let h = h.reshape((batch * length / self.tokens, self.tokens, width))?;
        let (q, k, v) = (self.q.forward(&h)?, self.k.forward(&h)?, self.v.forward(&h)?);
        let h = self.out.forward(&attend_biased(&q, &k, &v, &self.bias.get()?, self.heads)?)?;
        let h = h.reshape((batch, length, width))?;
        let h = match &self.order {
            Some([_, back]) => h.index_select(back, 1)?,
            None => h,
        };
        let x = maps::add(x, &h)?;
        let h = self.activation.apply(&self.first.forward(&self.norm_after.forward(&x)?)?)?;
        Ok(maps::add(&x, &self.second.forward(&h)?)?)
    }
}

/// For each token of each window, window by window, its place in the map that is shifted up and left; and the inverse.
fn order(side: usize, window: usize, shift: usize, like: &Tensor) -> Result<[Tensor; 2]> {
    let n = side / window;
    let mut order = Vec::with_capacity(side * side);
    for (top, left) in (0..n * n).map(|i| (i / n * window, i % n * window)) {
        for (y, x) in (0..window * window).map(|i| (top + i / window, left + i % window)) {
            order.push(((y + shift) % side * side + (x + shift) % side) as u32);
        }
    }
    let mut back = vec![0u32; order.len()];
    for (i, &at) in order.iter().enumerate() {
        back[at as usize] = i as u32;
    }
    let tensor = |values: Vec<u32>| Tensor::from_vec(values, side * side, like.device());
    Ok([tensor(order)?, tensor(back)?])
}

/// What is added to scores: by distance, and across borders.
struct Bias {
    /// (distances, heads).
    table: Tensor,
    /// The distance of each pair of tokens of a window.
    distances: Tensor,
    /// (windows, 1, tokens, tokens): [`APART`] where a shift brought together what is not.
    borders: Option<Tensor>,
    /// Made once, where the table is frozen.
    ready: Option<Tensor>,
}

impl Bias {
    fn new(table: Tensor, [side, window, shift]: [usize; 3], heads: usize) -> Result<Self> {
        let tokens = window * window;
        let place = |token: usize| (token / window, token % window);
        let mut distances = Vec::with_capacity(tokens * tokens);
        for (a, b) in (0..tokens * tokens).map(|i| (place(i / tokens), place(i % tokens))) {
            let (dy, dx) = (a.0 + window - 1 - b.0, a.1 + window - 1 - b.1);
            distances.push((dy * (2 * window - 1) + dx) as u32);
        }
        let n = side / window;
        let region = |at: usize| usize::from(at >= side - window) + usize::from(at >= side - shift);
        let mut mask = Vec::new();
        for (top, left) in (0..n * n).map(|i| (i / n * window, i % n * window)).filter(|_| shift > 0) {
            let regions: Vec<usize> =
                (0..tokens).map(place).map(|(y, x)| region(top + y) * 3 + region(left + x)).collect();
            for (a, b) in (0..tokens * tokens).map(|i| (i / tokens, i % tokens)) {
                mask.push(if regions[a] == regions[b] { 0.0 } else { APART });
            }
        }
        let device = table.device();
        let distances = Tensor::from_vec(distances, tokens * tokens, device)?;
        let borders = (shift > 0).then(|| Tensor::from_vec(mask, (n * n, 1, tokens, tokens), device)).transpose()?;
        let made = Self { table, distances, borders, ready: None };
        let ready = (!made.table.track_op()).then(|| made.make(heads, tokens)).transpose()?;
        Ok(Self { ready, ..made })
    }

    fn make(&self, heads: usize, tokens: usize) -> Result<Tensor> {
        let near = self.table.index_select(&self.distances, 0)?.t()?.reshape((1, heads, tokens, tokens))?;
        Ok(match &self.borders {
            Some(borders) => near.broadcast_add(borders)?,
            None => near.contiguous()?,
        })
    }

    /// (tables, heads, tokens, tokens).
    fn get(&self) -> Result<Tensor> {
        let tokens = self.distances.elem_count().isqrt();
        self.ready.clone().map_or_else(|| self.make(self.table.dim(1)?, tokens), Ok)
    }
}

/// Blocks at one resolution, and the merging behind them.
pub(super) struct Stage {
    blocks: Vec<Block>,
    merge: Option<(LayerNorm, Linear)>,
    side: usize,
}

impl Stage {
    pub(super) fn new(
        p: &Params,
        [width, heads, depth]: [usize; 3],
        side: usize,
        merges: bool,
        c: SwinConfig,
    ) -> Result<Self> {
        let blocks = p.at("blocks");
        let merge = p.at("downsample");
        Ok(Self {
            blocks: (0..depth)
                .map(|i| Block::new(&blocks.at(i), width, heads, side, i % 2 == 1, c))
                .collect::<Result<_>>()?,
            merge: merges
                .then(|| -> Result<_> {
                    let norm = LayerNorm::new(&merge.at("norm"), 4 * width, 1e-5)?;
                    Ok((norm, Linear::without_bias(&merge.at("reduction"), 4 * width, 2 * width)?))
                })
                .transpose()?,
            side,
        })
    }

    /// (B, side², width) → (B, (side / 2)², 2 · width), or the same shape at the last stage.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        let Some((norm, reduction)) = &self.merge else { return Ok(x) };
        let (batch, _, width) = x.dims3()?;
        let half = self.side / 2;
        // Rows of two, columns of two; of the four neighbours, the columns count slower.
        let x = x.reshape((batch, half, 2, half, 2, width))?.permute((0, 1, 3, 4, 2, 5))?;
        reduction.forward(&norm.forward(&x.reshape((batch, half * half, 4 * width))?)?)
    }
}
