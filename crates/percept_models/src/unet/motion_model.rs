//! A U-Net with motion modules, which predicts the frames of a video together: diffusers' `UNetMotionModel`.

use candle_core::{Device, Tensor};

use super::{Conditioning, CrossFrame, Film, MotionConfig, UNet2DConditionModel, UnetConfig};
use crate::{
    error::{ModelError, Result},
    nn::params::Params,
    tap::Taps,
};

/// A U-Net with motion modules: predicts the noise of all frames of a video from all of them.
pub struct UNetMotionModel {
    unet: UNet2DConditionModel,
    motion: MotionConfig,
}

impl UNetMotionModel {
    /// Builds the model from its configs and parameters: the names are those of the U-Net, and
    /// `{down_blocks.0,mid_block,up_blocks.0}.motion_modules.…`, as in adapters.
    ///
    /// # Errors
    /// Missing tensors and tensors of another shape, by name.
    pub fn new(p: &Params, config: UnetConfig, motion: MotionConfig) -> Result<Self> {
        Self::over(&UNet2DConditionModel::new(p, config)?, p, motion)
    }

    /// Puts the motion modules of an adapter into a U-Net of pictures, with which it shares its weights.
    ///
    /// # Errors
    /// Missing tensors and tensors of another shape, by name.
    pub fn over(unet: &UNet2DConditionModel, p: &Params, motion: MotionConfig) -> Result<Self> {
        let mut unet = unet.clone();
        unet.attach(p, &motion)?;
        Ok(Self { unet, motion })
    }

    /// As [`UNet2DConditionModel::with_checkpoints`].
    pub fn with_checkpoints(self, checkpoints: bool) -> Self {
        Self { unet: self.unet.with_checkpoints(checkpoints), ..self }
    }

    /// The config of the U-Net in it.
    pub fn config(&self) -> &UnetConfig {
        self.unet.config()
    }

    /// Where the model lives.
    pub fn device(&self) -> &Device {
        self.unet.device()
    }

    /// The config of its motion modules.
    pub fn motion(&self) -> &MotionConfig {
        &self.motion
    }

    /// The same model for single pictures, which are videos of one frame.
    pub fn pictures(&self) -> &UNet2DConditionModel {
        &self.unet
    }

    /// As [`Self::pictures`].
    pub fn into_pictures(self) -> UNet2DConditionModel {
        self.unet
    }

    /// The model's output for noisy latents of videos at the given diffusion steps.
    ///
    /// # Shapes
    /// `latents` (B, C, F, h, w), `steps` B numbers, `context` (B, tokens, width), or (B·F, tokens, width) for a context of
    /// each frame's own → (B, C, F, h, w).
    ///
    /// # Errors
    /// Shapes that do not fit the config, more frames than there are positions.
    pub fn forward(&self, latents: &Tensor, steps: &[f64], context: &Tensor) -> Result<Tensor> {
        let conditioning = Conditioning { context: Some(context), ..Conditioning::default() };
        self.forward_with(latents, steps, conditioning, &mut Taps::none())
    }

    /// As [`Self::forward`], with any conditioning (one row for each video, or for each frame), and with places that are
    /// read in passing: those of [`UNet2DConditionModel::forward_with`], all over (B·F, …), and `motion.{i}` with `self`,
    /// `cross` (the second attention) and `ff` below it, over (B·h·w, F, …).
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn forward_with(
        &self,
        latents: &Tensor,
        steps: &[f64],
        conditioning: Conditioning<'_>,
        taps: &mut Taps,
    ) -> Result<Tensor> {
        self.pass(latents, steps, conditioning, None, taps)
    }

    /// As [`Self::forward_with`], where frames also look at the frames before them: cross-frame attention.
    ///
    /// # Errors
    /// As [`Self::forward_with`]; another number of frames than [`CrossFrame::piece`] said.
    pub fn forward_across(
        &self,
        latents: &Tensor,
        steps: &[f64],
        conditioning: Conditioning<'_>,
        across: &CrossFrame,
        taps: &mut Taps,
    ) -> Result<Tensor> {
        across.expect_frames(latents.dims().get(2).copied().unwrap_or(0))?;
        self.pass(latents, steps, conditioning, Some(across), taps)
    }

    fn pass(
        &self,
        latents: &Tensor,
        steps: &[f64],
        conditioning: Conditioning<'_>,
        across: Option<&CrossFrame>,
        taps: &mut Taps,
    ) -> Result<Tensor> {
        let [batch, _, frames, height, width] = *latents.dims() else {
            let got = format!("{:?}", latents.dims());
            return Err(ModelError::Input { what: "latents of videos", expected: "(B, C, F, h, w)".into(), got });
        };
        if frames == 0 || frames > self.motion.longest() || batch != steps.len() {
            return Err(ModelError::Input {
                what: "videos",
                expected: format!("1 to {} frames, one diffusion step for each video", self.motion.longest()),
                got: format!("{:?} and {} steps", latents.dims(), steps.len()),
            });
        }
        // A row for each video is one for each of its frames.
        let spread = |rows: Option<&Tensor>| -> Result<Option<Tensor>> {
            let Some(rows) = rows.filter(|_| frames > 1) else { return Ok(rows.cloned()) };
            if rows.dim(0)? != batch {
                return Ok(Some(rows.clone()));
            }
            let mut shape = rows.dims().to_vec();
            shape.insert(1, frames);
            Ok(Some(rows.unsqueeze(1)?.broadcast_as(shape)?.contiguous()?.flatten(0, 1)?))
        };
        let (context, class) = (spread(conditioning.context)?, spread(conditioning.class)?);
        let guidance = spread(conditioning.guidance)?;
        let given = Conditioning { context: context.as_ref(), class: class.as_ref(), guidance: guidance.as_ref() };
        let steps: Vec<f64> = steps.iter().flat_map(|&step| std::iter::repeat_n(step, frames)).collect();
        // (B, C, F, h, w) → (B·F, C, h, w)
        let images = latents.transpose(1, 2)?.contiguous()?.flatten(0, 1)?;
        let out = self.unet.pass(&images, &steps, given, Film { frames, across }, taps)?;
        Ok(out.reshape((batch, frames, out.dim(1)?, height, width))?.transpose(1, 2)?.contiguous()?)
    }
}
