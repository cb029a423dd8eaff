//! Films: frames that are denoised together, so that they hold together.
//!
//! Frames know of each other in two ways. Motion modules (AnimateDiff) let each pixel see itself at other times; they were
//! trained for a number of frames, so that a longer film is denoised in windows. At *every* step the predictions of all windows
//! are made from the one film as it is, and blended with weights that rise and fall over the frames that neighbours share
//! (as MultiDiffusion does it over places: Bar-Tal et al. 2023, arXiv 2302.08113); there is no place at which one clip ends
//! and another begins. Cross-frame attention needs no training and no windows: each frame looks at the first and the
//! one before it, and what pieces of the film have to know of earlier ones is kept from piece to piece, so that a
//! film without motion modules is the same in pieces of any length.
//!
//! A film depends on its request alone, not on the number of threads; the pieces that run side by side are summed in order.

use std::{ops::Range, path::Path, sync::Arc};

use candle_core::Tensor;
use ndarray::{Array2, ArrayView2};
use percept_core::Seed;

use super::{DiffusionPack, expect_columns, row_tensor};
use crate::{
    device::side_by_side,
    error::{ModelError, Result},
    nn::host::to_rows,
    parts::Parts,
    scheduler::{History, Sampler},
    tap::Taps,
    unet::{Conditioning, CrossFrame, UNetMotionModel, guidance_embedding},
    weights::PackFiles,
};

/// How the frames of a film know of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frames {
    /// Not at all: each is a picture.
    Alone,
    /// By cross-frame attention to the first frame and the one before, which needs no training.
    FirstAndPrevious,
    /// By motion modules.
    Motion,
    /// By both.
    MotionAndFirst,
}

impl Frames {
    fn moves(self) -> bool {
        matches!(self, Self::Motion | Self::MotionAndFirst)
    }

    fn looks_back(self) -> bool {
        matches!(self, Self::FirstAndPrevious | Self::MotionAndFirst)
    }
}

/// A request for one film.
#[derive(Clone, Copy)]
pub struct FilmRequest<'a> {
    /// A conditioning context for each frame, frames × (tokens · width).
    pub contexts: ArrayView2<'a, f32>,
    /// Scaled latents to start from (image to image), frames × latent; `None` starts from the noise alone.
    pub init: Option<ArrayView2<'a, f32>>,
    /// How far to noise `init` before denoising, 0 to 1.
    pub strength: f64,
    /// Steps of the full schedule.
    pub steps: usize,
    /// Classifier-free guidance scale; 1 means none and costs one U-Net pass per step.
    pub guidance: f64,
    /// Unit noise that the frames start from, frames × latent; [`crate::film`] makes it.
    pub noise: ArrayView2<'a, f32>,
    /// The root of the noise of samplers that draw it at every step: the same for all frames.
    pub seed: Seed,
    /// How the frames know of each other.
    pub frames: Frames,
    /// Frames that are denoised together, at most those that the motion modules were made for. Without motion modules it
    /// says how many are worked on at once, and the film does not depend on it.
    pub window: usize,
    /// The least number of frames that two neighbouring windows share; without motion modules none are.
    pub overlap: usize,
}

/// A film between two steps: enough to go on from, and to end with the same values.
#[derive(Clone, Debug, PartialEq)]
pub struct FilmState {
    /// The step that is next, counted over the steps of the full schedule.
    pub next: usize,
    /// Steps of the full schedule.
    pub steps: usize,
    /// The film as it is, frames × latent.
    pub sample: Array2<f32>,
    /// Clean films as they were predicted at earlier steps, newest last, where the sampler remembers them.
    pub clean: Vec<Array2<f32>>,
    /// The film from which the last step was taken and the order of that step, where the sampler remembers them.
    pub last: Option<(Array2<f32>, usize)>,
}

/// Frames that go through the U-Net together.
#[derive(Clone, Debug, PartialEq)]
struct Window {
    frames: Range<usize>,
    /// How much of each frame's prediction it gives.
    weights: Vec<f64>,
    /// The frame before the next window's first, counted from this one's first.
    keep: usize,
}

impl DiffusionPack {
    /// The same pack with motion modules: a folder with the `config.json` and weights of a diffusers `MotionAdapter`, or a
    /// pack's folder with `motion_adapter` inside. The U-Net's weights are shared.
    ///
    /// # Errors
    /// Files that are missing or do not fit, an adapter of another U-Net.
    pub fn with_motion_adapter(&self, dir: &Path) -> Result<Self> {
        self.with_motion_files(&PackFiles::Directory(dir.to_owned()))
    }

    /// As [`Self::with_motion_adapter`], from files that may be part of the program.
    ///
    /// # Errors
    /// As [`Self::with_motion_adapter`].
    pub fn with_motion_files(&self, files: &PackFiles) -> Result<Self> {
        let folder = if files.holds("motion_adapter/config.json") { "motion_adapter" } else { "" };
        let motion = Parts::new(files)?.motion_adapter(folder, self.unet()?)?;
        Ok(Self { motion: Some(Arc::new(motion)), ..self.clone() })
    }

    /// The most frames that motion modules see together; `None` without motion modules.
    pub fn most_frames(&self) -> Option<usize> {
        self.motion.as_ref().map(|motion| motion.motion().longest())
    }

    /// The scaled latents of a film, frames × latent.
    ///
    /// # Errors
    /// Rows that do not fit the pack or each other, windows that do not fit the motion modules or their overlap, motion
    /// without modules, a strength outside 0..=1.
    pub fn film_latents(&self, request: &FilmRequest<'_>) -> Result<Array2<f32>> {
        self.film_latents_with(request, None, &mut |_| Ok(()))
    }

    /// As [`Self::film_latents`], going on `from` a state of the same request, and handing each state to `behind_step`, whose
    /// error ends the work.
    ///
    /// # Errors
    /// As [`Self::film_latents`]; a state of another request; what `behind_step` says.
    pub fn film_latents_with(
        &self,
        request: &FilmRequest<'_>,
        from: Option<&FilmState>,
        behind_step: &mut dyn FnMut(&FilmState) -> Result<()>,
    ) -> Result<Array2<f32>> {
        self.expect_film(request)?;
        let sampler = Sampler::new(self.schedule.clone(), request.steps)?;
        let (mut next, mut sample, mut history) = match from {
            Some(state) => self.film_resumed(state, request, &sampler)?,
            None => self.film_start(request, &sampler)?,
        };
        let unet = FilmUnet::new(self, request)?;
        while next < sampler.steps().len() {
            let input = (&sample * sampler.input_scale(next))?;
            let output = unet.predict(&input, sampler.steps()[next])?;
            let noise = sampler.draws_noise(next).then(|| self.film_noise(request, next)).transpose()?;
            sample = sampler.step(next, &output, &sample, noise.as_ref(), &mut history)?;
            next += 1;
            let rows = |tensors: &[Tensor]| tensors.iter().map(to_rows).collect::<Result<Vec<_>>>();
            behind_step(&FilmState {
                next,
                steps: request.steps,
                sample: to_rows(&sample)?,
                clean: rows(history.clean())?,
                last: history.last().map(|(last, order)| Ok::<_, ModelError>((to_rows(last)?, order))).transpose()?,
            })?;
        }
        to_rows(&sample)
    }

    /// The first step, the film before it, and nothing to remember.
    fn film_start(&self, request: &FilmRequest<'_>, sampler: &Sampler) -> Result<(usize, Tensor, History)> {
        let noise = self.film_tensor(&request.noise)?;
        let Some(init) = &request.init else {
            return Ok((0, (noise * sampler.first_noise())?, History::default()));
        };
        let (first, init) = (sampler.start(request.strength), self.film_tensor(init)?);
        if first >= sampler.steps().len() {
            return Ok((first, init, History::default()));
        }
        let (signal, amount) = sampler.mix(first);
        Ok((first, ((init * signal)? + (noise * amount)?)?, History::default()))
    }

    fn film_resumed(
        &self,
        state: &FilmState,
        request: &FilmRequest<'_>,
        sampler: &Sampler,
    ) -> Result<(usize, Tensor, History)> {
        let shape = request.noise.dim();
        let all = [&state.sample].into_iter().chain(&state.clean).chain(state.last.iter().map(|(last, _)| last));
        let first = if request.init.is_some() { sampler.start(request.strength) } else { 0 };
        let fits = all.clone().all(|rows| rows.dim() == shape);
        if !fits || state.steps != request.steps || !(first..=sampler.steps().len()).contains(&state.next) {
            let shapes: Vec<_> = all.map(Array2::dim).collect();
            return Err(ModelError::Input {
                what: "state of a film",
                expected: format!("one of this request: {shape:?}, {} steps, the first of them {first}", request.steps),
                got: format!("{shapes:?}, {} steps, the next of them {}", state.steps, state.next),
            });
        }
        let clean = state.clean.iter().map(|rows| self.film_tensor(&rows.view())).collect::<Result<_>>()?;
        let last = match &state.last {
            Some((rows, order)) => Some((self.film_tensor(&rows.view())?, *order)),
            None => None,
        };
        Ok((state.next, self.film_tensor(&state.sample.view())?, History::from_parts(clean, last)))
    }

    fn film_tensor(&self, rows: &ArrayView2<'_, f32>) -> Result<Tensor> {
        row_tensor(rows, &self.latent_shape(), self.device())
    }

    /// The noise of a step that draws it, one for all frames: frames that start alike are to stay alike.
    fn film_noise(&self, request: &FilmRequest<'_>, step: usize) -> Result<Tensor> {
        let [channels, height, width] = self.latent_shape();
        let noise = self.noise(request.seed.named("step noise").at(step as u64), 0, &[0])?;
        Ok(noise.broadcast_as((request.noise.nrows(), channels, height, width))?.contiguous()?)
    }

    /// Refuses what does not fit the pack or itself.
    fn expect_film(&self, request: &FilmRequest<'_>) -> Result<()> {
        let refuse = |what, expected: String, got: String| Err(ModelError::Input { what, expected, got });
        let (n, latent) = (request.contexts.nrows(), self.latent_shape().iter().product());
        expect_columns("contexts of a film", &request.contexts, self.context_shape().iter().product())?;
        expect_columns("noise of a film", &request.noise, latent)?;
        if let Some(init) = &request.init {
            expect_columns("initial latents of a film", init, latent)?;
        }
        let init_rows = request.init.map_or(n, |init| init.nrows());
        if n == 0 || init_rows != n || request.noise.nrows() != n {
            let expected = "at least one frame, and as many contexts, noises and initial latents".into();
            let got = format!("{n} contexts, {} noises, {init_rows} initial latents", request.noise.nrows());
            return refuse("frames of a film", expected, got);
        }
        if !(0.0..=1.0).contains(&request.strength) {
            return refuse("strength of a film", "0 to 1".into(), request.strength.to_string());
        }
        if !request.guidance.is_finite() {
            return refuse("guidance of a film", "a number".into(), request.guidance.to_string());
        }
        if request.overlap >= request.window {
            return refuse(
                "overlap of a film's windows",
                format!("fewer frames than the {} of a window (make the window longer)", request.window),
                request.overlap.to_string(),
            );
        }
        if !request.frames.moves() {
            return Ok(());
        }
        match self.most_frames() {
            None => refuse(
                "motion of a film",
                "motion modules: `motion_adapter/` in the pack's folder, or an adapter that is added to it".into(),
                "a pack without (add an adapter, or let frames look at the first and the previous one)".into(),
            ),
            Some(longest) if request.window > longest => refuse(
                "window of a film",
                format!("at most {longest} frames, for which the motion modules were made (longer films have several)"),
                request.window.to_string(),
            ),
            Some(_) => Ok(()),
        }
    }
}

/// Everything that the prediction of a film's noise needs, for all steps.
struct FilmUnet<'a, 'r> {
    pack: &'a DiffusionPack,
    request: &'a FilmRequest<'r>,
    motion: Option<&'a UNetMotionModel>,
    /// The contexts of each half of classifier-free guidance: the frames' own, and before them those of no prompt.
    halves: Vec<Tensor>,
    windows: Vec<Window>,
}

impl<'a, 'r> FilmUnet<'a, 'r> {
    fn new(pack: &'a DiffusionPack, request: &'a FilmRequest<'r>) -> Result<Self> {
        let contexts = row_tensor(&request.contexts, &pack.context_shape(), pack.device())?;
        // A model that takes the guidance as an input needs no second pass.
        let embedded = pack.unet()?.config().time_cond_proj_dim;
        let is_guided = embedded.is_none() && (request.guidance - 1.0).abs() > 1e-9;
        let mut halves = Vec::with_capacity(2);
        if is_guided {
            let empty = pack.text_states(&[String::new()])?.last_hidden.detach();
            halves.push(empty.broadcast_as(contexts.shape())?.contiguous()?);
        }
        halves.push(contexts);
        let overlap = if request.frames.moves() { request.overlap } else { 0 };
        Ok(Self {
            pack,
            request,
            motion: pack.motion.as_deref().filter(|_| request.frames.moves()),
            halves,
            windows: windows(request.contexts.nrows(), request.window, overlap),
        })
    }

    /// What the U-Net says of the film at a training step, all windows and both halves.
    fn predict(&self, film: &Tensor, step: f64) -> Result<Tensor> {
        let (n_halves, n_windows) = (self.halves.len(), self.windows.len());
        // Pieces that hand something on from window to window are not apart.
        let n_chains = if self.request.frames.looks_back() { 1 } else { n_windows };
        let per_chain = n_windows / n_chains;
        let piece = |at: usize| {
            self.chain(film, step, at / n_chains, at % n_chains * per_chain..(at % n_chains + 1) * per_chain)
        };
        let together = (self.pack.rows_at_once / self.request.window).max(1);
        let n_pieces = n_halves * n_chains;
        let mut outputs = Vec::with_capacity(n_halves * n_windows);
        for first in (0..n_pieces).step_by(together) {
            let some = together.min(n_pieces - first);
            outputs.extend(side_by_side(self.pack.device(), some, |i| piece(first + i))?.into_iter().flatten());
        }
        let mut films = outputs.chunks(n_windows).map(|outputs| self.blend(outputs));
        match (films.next(), films.next()) {
            (Some(free), Some(bound)) => {
                let free = free?;
                Ok((&free + ((bound? - &free)? * self.request.guidance)?)?)
            }
            (Some(film), None) => film,
            (None, _) => Err(ModelError::Input { what: "film", expected: "frames".into(), got: "none".into() }),
        }
    }

    /// The predictions of some windows, one after the other.
    fn chain(&self, film: &Tensor, step: f64, half: usize, windows: Range<usize>) -> Result<Vec<Tensor>> {
        let mut across = self.request.frames.looks_back().then(CrossFrame::new);
        let window = |window: &Window| {
            let (first, n) = (window.frames.start, window.frames.len());
            if let Some(across) = &mut across {
                across.piece(n, window.keep)?;
            }
            let frames = film.narrow(0, first, n)?.contiguous()?;
            let context = self.halves[half].narrow(0, first, n)?.contiguous()?;
            self.pass(&frames, step, &context, across.as_ref())
        };
        self.windows[windows].iter().map(window).collect()
    }

    /// One pass: `frames` (F, C, h, w) with a context each.
    fn pass(&self, frames: &Tensor, step: f64, context: &Tensor, across: Option<&CrossFrame>) -> Result<Tensor> {
        let unet = self.pack.unet()?;
        let n = frames.dim(0)?;
        let width = unet.config().time_cond_proj_dim;
        let scales = vec![self.request.guidance; n];
        let guidance = width.map(|width| guidance_embedding(&scales, width, self.pack.device())).transpose()?;
        let given = Conditioning { context: Some(context), guidance: guidance.as_ref(), class: None };
        let taps = &mut Taps::none();
        let Some(motion) = self.motion else {
            let steps = vec![step; n];
            return match across {
                Some(across) => unet.forward_across(frames, &steps, given, across, taps),
                None => unet.forward_with(frames, &steps, given, taps),
            };
        };
        // (F, C, h, w) → (1, C, F, h, w) and back
        let video = frames.transpose(0, 1)?.unsqueeze(0)?;
        let out = match across {
            Some(across) => motion.forward_across(&video, &[step], given, across, taps)?,
            None => motion.forward_with(&video, &[step], given, taps)?,
        };
        Ok(out.squeeze(0)?.transpose(0, 1)?.contiguous()?)
    }

    /// The film that windows (each (F, C, h, w)) say together.
    fn blend(&self, outputs: &[Tensor]) -> Result<Tensor> {
        let frame = |frame: usize| -> Result<Tensor> {
            let mut sum: Option<Tensor> = None;
            for (window, output) in self.windows.iter().zip(outputs).filter(|(w, _)| w.frames.contains(&frame)) {
                let at = frame - window.frames.start;
                let part = (output.narrow(0, at, 1)? * window.weights[at])?;
                sum = Some(match sum {
                    None => part,
                    Some(sum) => (sum + part)?,
                });
            }
            sum.ok_or_else(|| ModelError::Input {
                what: "windows of a film",
                expected: format!("one with frame {frame}"),
                got: "none".into(),
            })
        };
        if let [whole] = outputs {
            return Ok(whole.clone());
        }
        let frames = (0..self.request.contexts.nrows()).map(frame).collect::<Result<Vec<_>>>()?;
        Ok(Tensor::cat(&frames, 0)?)
    }
}

/// The frames of each window in which a film of `n_frames` frames is denoised with motion modules, as [`FilmRequest`] says.
pub fn window_spans(n_frames: usize, window: usize, overlap: usize) -> Vec<Range<usize>> {
    if n_frames == 0 || window == 0 || overlap >= window {
        return Vec::new();
    }
    windows(n_frames, window, overlap).into_iter().map(|window| window.frames).collect()
}

/// The windows of a film of `n` frames: as few as share `overlap` frames or more, evenly spread, all of one length (the last
/// is shorter where none overlap). A window's weight rises over the frames that it shares with the one before, and falls
/// over those that it shares with the next; the weights of a frame sum to 1.
fn windows(n: usize, window: usize, overlap: usize) -> Vec<Window> {
    let length = window.min(n);
    let count = if n <= window { 1 } else { (n - overlap).div_ceil(window - overlap) };
    let begin = |i: usize| match (count, overlap) {
        (1, _) => 0,
        (_, 0) => i * window,
        // Rounded to the nearest frame.
        _ => (2 * i * (n - length) + count - 1) / (2 * (count - 1)),
    };
    let range = |i: usize| begin(i)..(begin(i) + length).min(n);
    let ramp = |i: usize, frame: usize| {
        let own = range(i);
        let shared_before = if i > 0 { range(i - 1).end.saturating_sub(own.start) } else { 0 };
        let shared_behind = if i + 1 < count { own.end.saturating_sub(range(i + 1).start) } else { 0 };
        let rise = (frame - own.start + 1) as f64 / (shared_before + 1) as f64;
        let fall = (own.end - frame) as f64 / (shared_behind + 1) as f64;
        rise.min(fall).min(1.0)
    };
    let total =
        |frame: usize| -> f64 { (0..count).filter(|&i| range(i).contains(&frame)).map(|i| ramp(i, frame)).sum() };
    (0..count)
        .map(|i| Window {
            weights: range(i).map(|frame| ramp(i, frame) / total(frame)).collect(),
            keep: if i + 1 < count { begin(i + 1) - begin(i) - 1 } else { range(i).len() - 1 },
            frames: range(i),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_every_frame_with_weights_that_sum_to_one() {
        for (n, window, overlap) in [
            (1, 16, 4),
            (16, 16, 4),
            (17, 16, 4),
            (40, 16, 4),
            (40, 16, 8),
            (41, 16, 15),
            (100, 16, 1),
            (33, 8, 0),
            (5, 1, 0),
        ] {
            let windows = windows(n, window, overlap);
            let mut sums = vec![0.0; n];
            for (i, one) in windows.iter().enumerate() {
                assert!(one.frames.len() == window.min(n) || overlap == 0, "{n} {window} {overlap}: {one:?}");
                assert!(one.weights.iter().all(|weight| *weight > 0.0));
                for (frame, weight) in one.frames.clone().zip(&one.weights) {
                    sums[frame] += weight;
                }
                if let Some(next) = windows.get(i + 1) {
                    assert!(one.frames.end >= next.frames.start + overlap, "{n} {window} {overlap}: {windows:?}");
                    assert_eq!(one.frames.start + one.keep + 1, next.frames.start, "the kept frame is the one before");
                    assert!(one.keep < one.frames.len());
                }
            }
            assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-12), "{n} {window} {overlap}: {sums:?}");
            assert_eq!(windows.last().map(|last| last.frames.end), Some(n));
        }
    }

    #[test]
    fn neighbours_hand_over_in_even_steps() {
        let windows = windows(13, 8, 3);
        assert_eq!(windows.iter().map(|w| w.frames.clone()).collect::<Vec<_>>(), [0..8, 5..13]);
        assert_eq!(window_spans(13, 8, 3), [0..8, 5..13]);
        assert!(window_spans(13, 8, 8).is_empty() && window_spans(0, 8, 3).is_empty());
        assert_eq!(&windows[0].weights[4..], [1.0, 0.75, 0.5, 0.25]);
        assert_eq!(&windows[1].weights[..4], [0.25, 0.5, 0.75, 1.0]);
    }
}
