//! Pictures from starts that the caller brings, in place of drawn noise: what makes a film of a signal.
//!
//! A row is a start with its context. Rows that are at different steps go through the U-Net together, as in StreamDiffusion
//! (Kodaira et al. 2023, arXiv 2312.12491): with [`Flow::advance`] a picture is finished in every pass once all steps are
//! filled. A row's result depends on the rows beside it by rounding alone: products of larger matrices are summed in another order.
//!
//! Samplers that draw noise at every step (LCM) get the same noise for every row, so that pictures differ by their starts
//! alone. A prompt of nothing makes guidance idle; then, and with a guidance of 1, there is one U-Net pass per step.

use std::path::Path;
use std::sync::Arc;

use candle_core::Tensor;
use ndarray::{Array2, Array4, ArrayView1, ArrayView2};
use percept_core::Seed;

use super::{DiffusionPack, expect_columns, row_tensor};
use crate::nn::host::to_rows;
use crate::{
    error::{ModelError, Result},
    latent::Autoencoder,
    parts::Parts,
    scheduler::{History, Sampler},
    tap::Taps,
    unet::{Conditioning, guidance_embedding},
    weights::PackFiles,
};

/// A sampler over a pack, ready for starts.
pub struct Flow {
    pack: DiffusionPack,
    sampler: Sampler,
    guidance: f64,
    /// The context of no prompt, where guidance needs it.
    empty: Option<Tensor>,
    /// The noise of each step that draws it.
    noise: Vec<Option<Tensor>>,
}

/// A picture on its way.
pub struct Row {
    sample: Tensor,
    context: Tensor,
    step: usize,
    history: History,
}

impl Flow {
    /// A run of `steps` steps of the pack's own sampler.
    ///
    /// # Errors
    /// A pack without a U-Net, a number of steps that the sampler cannot take, a guidance that is no number.
    pub fn new(pack: &DiffusionPack, steps: usize, guidance: f64, seed: Seed) -> Result<Self> {
        if !guidance.is_finite() {
            return Err(ModelError::Input { what: "guidance", expected: "a number".into(), got: guidance.to_string() });
        }
        let unet = pack.unet()?;
        let sampler = Sampler::new(pack.schedule.clone(), steps)?;
        let doubled = unet.config().time_cond_proj_dim.is_none() && (guidance - 1.0).abs() > 1e-9;
        let empty = if doubled { Some(pack.text_states(&[String::new()])?.last_hidden.detach()) } else { None };
        let noise = (0..sampler.steps().len())
            .map(|i| {
                let drawn = sampler.draws_noise(i);
                drawn.then(|| pack.noise(seed.named("step noise").at(i as u64), 0, &[0])).transpose()
            })
            .collect::<Result<_>>()?;
        Ok(Self { pack: pack.clone(), sampler, guidance, empty, noise })
    }

    /// The training steps visited, noisiest first.
    pub fn steps(&self) -> &[f64] {
        self.sampler.steps()
    }

    /// A row that begins.
    ///
    /// # Shapes
    /// `start`: one number per element of a latent, of mean 0 and variance 1; `context`: tokens · width.
    ///
    /// # Errors
    /// Other lengths.
    pub fn begin(&self, start: ArrayView1<'_, f32>, context: ArrayView1<'_, f32>) -> Result<Row> {
        let (start, context) = (start.insert_axis(ndarray::Axis(0)), context.insert_axis(ndarray::Axis(0)));
        let shape = self.pack.latent_shape();
        expect_columns("start", &start, shape.iter().product())?;
        expect_columns("context", &context, self.pack.context_shape().iter().product())?;
        let device = self.pack.device();
        let sample = (row_tensor(&start, &shape, device)? * self.sampler.first_noise())?;
        let context = row_tensor(&context, &self.pack.context_shape(), device)?;
        Ok(Row { sample, context, step: 0, history: History::default() })
    }

    /// Whether a row has gone through all steps.
    pub fn is_done(&self, row: &Row) -> bool {
        row.step >= self.sampler.steps().len()
    }

    /// Takes every row one step further, in one U-Net pass; rows that are done stay as they are.
    ///
    /// # Errors
    /// When the models fail.
    pub fn advance(&self, rows: &mut [Row]) -> Result<()> {
        let mut going: Vec<&mut Row> = rows.iter_mut().filter(|row| row.step < self.sampler.steps().len()).collect();
        if going.is_empty() {
            return Ok(());
        }
        let outputs = self.outputs(&going)?;
        for (i, row) in going.iter_mut().enumerate() {
            let output = outputs.narrow(0, i, 1)?;
            let noise = self.noise[row.step].as_ref();
            row.sample = self.sampler.step(row.step, &output, &row.sample, noise, &mut row.history)?;
            row.step += 1;
        }
        Ok(())
    }

    /// What the U-Net says of rows, each at its own step.
    fn outputs(&self, rows: &[&mut Row]) -> Result<Tensor> {
        let unet = self.pack.unet()?;
        let all = self.sampler.steps();
        let inputs = rows
            .iter()
            .map(|row| Ok((&row.sample * self.sampler.input_scale(row.step))?))
            .collect::<Result<Vec<Tensor>>>()?;
        let inputs = Tensor::cat(&inputs, 0)?;
        let contexts = Tensor::cat(&rows.iter().map(|row| &row.context).collect::<Vec<_>>(), 0)?;
        let steps: Vec<f64> = rows.iter().map(|row| all[row.step]).collect();
        if let Some(empty) = &self.empty {
            let free = empty.broadcast_as(contexts.shape())?.contiguous()?;
            let both = Tensor::cat(&[&free, &contexts], 0)?;
            let output =
                unet.forward(&Tensor::cat(&[&inputs, &inputs], 0)?, &[&steps[..], &steps[..]].concat(), &both)?;
            let (free, bound) = (output.narrow(0, 0, rows.len())?, output.narrow(0, rows.len(), rows.len())?);
            return Ok((&free + ((bound - &free)? * self.guidance)?)?);
        }
        let scales = vec![self.guidance; rows.len()];
        let embedded = unet.config().time_cond_proj_dim;
        let guidance = embedded.map(|width| guidance_embedding(&scales, width, self.pack.device())).transpose()?;
        let given = Conditioning { context: Some(&contexts), guidance: guidance.as_ref(), class: None };
        unet.forward_with(&inputs, &steps, given, &mut Taps::none())
    }

    /// The scaled latent of a row, as far as it is.
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn latent(&self, row: &Row) -> Result<Array2<f32>> {
        to_rows(&row.sample)
    }

    /// Starts to pictures, all steps at once for rows side by side.
    ///
    /// # Shapes
    /// n × latent and n × context → (n, height, width, 3) in 0..=1.
    ///
    /// # Errors
    /// As [`Self::begin`] and [`Self::advance`].
    pub fn pictures(&self, starts: ArrayView2<'_, f32>, contexts: ArrayView2<'_, f32>) -> Result<Array4<f32>> {
        let pairs = starts.rows().into_iter().zip(contexts.rows());
        let mut rows = pairs.map(|(start, context)| self.begin(start, context)).collect::<Result<Vec<_>>>()?;
        for _ in self.steps() {
            self.advance(&mut rows)?;
        }
        let latents = rows.iter().map(|row| self.latent(row)).collect::<Result<Vec<_>>>()?;
        let views: Vec<_> = latents.iter().map(|latent| latent.view()).collect();
        let latents = ndarray::concatenate(ndarray::Axis(0), &views).map_err(|source| ModelError::Input {
            what: "starts",
            expected: "at least one row".into(),
            got: source.to_string(),
        })?;
        self.pack.decode(latents.view())
    }
}

impl DiffusionPack {
    /// The same pack with another autoencoder in its place, such as the tiny one that was distilled from it (TAESD): a folder
    /// with `config.json` and weights, or a pack's folder with `vae` inside.
    ///
    /// # Errors
    /// Files that are missing or do not fit, and an autoencoder of another latent shape.
    pub fn with_autoencoder(&self, dir: &Path) -> Result<Self> {
        let files = PackFiles::Directory(dir.to_owned());
        let folder = if files.holds("vae/config.json") { "vae" } else { "" };
        let autoencoder = Parts::new(&files)?.autoencoder_in(folder)?;
        let shape = |a: &Autoencoder| [a.latent_channels(), a.downscale()];
        if shape(&autoencoder) != shape(&self.autoencoder) {
            return Err(ModelError::Input {
                what: "autoencoder in place of the pack's",
                expected: format!("{:?} channels and pixels per place", shape(&self.autoencoder)),
                got: format!("{:?}", shape(&autoencoder)),
            });
        }
        Ok(Self { autoencoder: Arc::new(autoencoder), ..self.clone() })
    }
}
