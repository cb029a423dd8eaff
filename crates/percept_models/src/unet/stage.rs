//! The stages of a U-Net: what stands at one place of a level, and what a pass hands to each.

use std::sync::Arc;

use candle_core::Tensor;

use super::motion::TemporalTransformer;
use crate::{
    error::Result,
    nn::{CrossFrame, recompute::checkpoint, transformer::SpatialTransformer},
    resnet::ResnetBlock,
    tap::Taps,
};

/// One residual block with the Transformers behind it, over the picture and over time, where the level has them.
#[derive(Clone)]
pub(super) struct Stage {
    pub(super) resnet: ResnetBlock,
    pub(super) attention: Option<SpatialTransformer>,
    pub(super) motion: Option<Arc<TemporalTransformer>>,
}

/// What every stage of a pass is given beside its pictures and the embedded diffusion step.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    pub(super) context: Option<&'a Tensor>,
    pub(super) film: Film<'a>,
}

/// How the pictures of a pass belong together.
#[derive(Clone, Copy)]
pub(super) struct Film<'a> {
    /// How many pictures that follow each other are the frames of one film to the motion modules.
    pub(super) frames: usize,
    /// Where frames look at those before them.
    pub(super) across: Option<&'a CrossFrame>,
}

impl Film<'_> {
    /// They do not.
    pub(super) const PICTURES: Self = Self { frames: 1, across: None };
}

impl Stage {
    /// The stage's places are `resnet.{i}`, `attn.{i}` and `motion.{i}`, with those of the Transformers below the latter.
    pub(super) fn forward(
        &self,
        i: usize,
        x: &Tensor,
        step: &Tensor,
        given: Given<'_>,
        taps: &mut Taps,
    ) -> Result<Tensor> {
        let mut x = self.resnet.forward(x, Some(step))?;
        taps.see(format_args!("resnet.{i}"), &x);
        if let Some(attention) = &self.attention {
            x = taps.within(format_args!("attn.{i}"), |taps| {
                attention.forward(&x, given.context, given.film.across, taps)
            })?;
            taps.see(format_args!("attn.{i}"), &x);
        }
        if let Some(motion) = &self.motion {
            x = taps.within(format_args!("motion.{i}"), |taps| motion.forward(&x, given.film.frames, taps))?;
            taps.see(format_args!("motion.{i}"), &x);
        }
        Ok(x)
    }

    /// As [`Self::forward`] without cross-frame attention, keeping only the inputs for the backward pass.
    pub(super) fn forward_checkpointed(
        self: &Arc<Self>,
        i: usize,
        x: &Tensor,
        step: &Tensor,
        given: Given<'_>,
        taps: &mut Taps,
    ) -> Result<Tensor> {
        let (context, frames) = (given.context, given.film.frames);
        let mut inputs = vec![x, step];
        inputs.extend(context);
        let detached = context.map(Tensor::detach);
        let first = Given { context: detached.as_ref(), film: Film { frames, across: None } };
        let value = self.forward(i, &x.detach(), &step.detach(), first, taps)?;
        let stage = self.clone();
        let again = move |inputs: &[Tensor]| {
            let given = Given { context: inputs.get(2), film: Film { frames, across: None } };
            let out = stage.forward(i, &inputs[0], &inputs[1], given, &mut Taps::none());
            out.map_err(candle_core::Error::wrap)
        };
        Ok(checkpoint(value, &inputs, Arc::new(again))?)
    }
}

/// The middle block; without attention it is a single residual block.
#[derive(Clone)]
pub(super) struct Mid {
    pub(super) first: ResnetBlock,
    pub(super) rest: Option<(SpatialTransformer, Option<Arc<TemporalTransformer>>, ResnetBlock)>,
}
