//! Cross-frame attention: in the self-attention of a picture model, each frame of a film looks at the first frame and at the
//! one before it, and not at itself. No weight changes and nothing is trained, and yet the frames hold together (Wu et al.
//! 2023, arXiv 2212.11565; Khachatryan et al. 2023, arXiv 2303.13439).
//!
//! A film may come in pieces. Between them the keys and values of two frames are kept for each attention: of the first
//! frame of the film, and of the frame before the next piece. What a frame sees is therefore the same in one piece and in
//! many, as long as nothing else joins the frames.

use std::cell::RefCell;

use candle_core::Tensor;

use crate::error::{ModelError, Result};

/// What the frames of films look at while they go through a model, piece by piece.
#[derive(Default)]
pub struct CrossFrame {
    /// Frames of each film in the piece.
    frames: usize,
    /// The frame of the piece that comes before the next piece.
    keep: usize,
    memory: RefCell<Memory>,
}

/// Of each attention, once for keys and once for values, in the order of a pass.
#[derive(Default)]
struct Memory {
    kept: Vec<Kept>,
    at: usize,
}

/// Tokens of two frames of each film, (B, 1, L, width).
#[derive(Clone)]
struct Kept {
    first: Tensor,
    before: Tensor,
}

impl CrossFrame {
    /// Films that have not begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next pass sees `frames` more frames of each film; the piece behind it begins after the frame `keep` of these,
    /// counted from 0.
    ///
    /// # Errors
    /// A piece without frames, a frame that is not in it.
    pub fn piece(&mut self, frames: usize, keep: usize) -> Result<()> {
        if keep >= frames {
            return Err(ModelError::Input {
                what: "piece of a film",
                expected: "at least one frame, and one of them to be kept".into(),
                got: format!("{frames} frames, of which frame {keep} is to be kept"),
            });
        }
        (self.frames, self.keep) = (frames, keep);
        Ok(())
    }

    /// Refuses a pass over films of another number of frames.
    pub(crate) fn expect_frames(&self, frames: usize) -> Result<()> {
        if frames == self.frames {
            return Ok(());
        }
        Err(ModelError::Input {
            what: "frames for cross-frame attention",
            expected: format!("{}, the frames of the piece", self.frames),
            got: frames.to_string(),
        })
    }

    /// A pass over `images` pictures begins.
    pub(crate) fn begin(&self, images: usize) -> Result<()> {
        if self.frames == 0 || !images.is_multiple_of(self.frames) {
            return Err(ModelError::Input {
                what: "pictures for cross-frame attention",
                expected: format!("films of {} frames each", self.frames),
                got: format!("{images} pictures"),
            });
        }
        self.memory.borrow_mut().at = 0;
        Ok(())
    }

    /// The keys (or values) that each frame looks at: those of the first frame and of the one before it.
    ///
    /// # Shapes
    /// (B·F, L, width) → (B·F, 2·L, width).
    pub(crate) fn spread(&self, tokens: &Tensor) -> Result<Tensor> {
        let (images, length, width) = tokens.dims3()?;
        let (frames, films) = (self.frames, images / self.frames);
        let tokens = tokens.reshape((films, frames, length, width))?;
        let own = |frame: usize| -> Result<Tensor> { Ok(tokens.narrow(1, frame, 1)?.contiguous()?) };
        let mut memory = self.memory.borrow_mut();
        let at = memory.at;
        let Kept { first, before } = match memory.kept.get(at) {
            Some(kept) => kept.clone(),
            None => Kept { first: own(0)?, before: own(0)? },
        };
        if first.dims() != [films, 1, length, width] {
            return Err(ModelError::Input {
                what: "piece of a film",
                expected: format!("{} films whose frames have {} tokens, as before", first.dims()[0], first.dims()[2]),
                got: format!("{films} films, {length} tokens"),
            });
        }
        let kept = Kept { first: first.clone(), before: own(self.keep)? };
        if at < memory.kept.len() {
            memory.kept[at] = kept;
        } else {
            memory.kept.push(kept);
        }
        memory.at += 1;

        let previous = match frames {
            1 => before,
            _ => Tensor::cat(&[&before, &tokens.narrow(1, 0, frames - 1)?.contiguous()?], 1)?,
        };
        let first = first.broadcast_as(tokens.shape())?.contiguous()?;
        // (B, F, L, width) twice → (B, F, 2·L, width)
        Ok(Tensor::cat(&[&first, &previous], 2)?.reshape((images, 2 * length, width))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// Frame `f` of film `b` holds `10 · b + f`, for two tokens of one feature.
    fn films(frames: std::ops::Range<usize>) -> Tensor {
        let values: Vec<f32> =
            (0..2).flat_map(|b| frames.clone().flat_map(move |f| [(10 * b + f) as f32; 2])).collect();
        Tensor::from_vec(values, (2 * frames.len(), 2, 1), &Device::Cpu).expect("small tensors")
    }

    fn seen(across: &CrossFrame, frames: std::ops::Range<usize>) -> Vec<Vec<f32>> {
        across.begin(2 * frames.len()).expect("films of this many frames");
        let spread = across.spread(&films(frames)).expect("they fit");
        spread.squeeze(2).and_then(|x| x.to_vec2()).expect("small tensors")
    }

    #[test]
    fn every_frame_sees_the_first_and_the_one_before_it() {
        let mut across = CrossFrame::new();
        across.piece(3, 2).expect("a piece");
        let rows = seen(&across, 0..3);
        assert_eq!(rows[0], [0.0, 0.0, 0.0, 0.0], "the first sees itself twice");
        assert_eq!(rows[2], [0.0, 0.0, 1.0, 1.0]);
        assert_eq!(rows[5], [10.0, 10.0, 11.0, 11.0], "films do not see each other");
    }

    #[test]
    fn pieces_that_overlap_see_what_the_whole_film_sees() {
        let mut across = CrossFrame::new();
        across.piece(3, 1).expect("a piece");
        seen(&across, 0..3);
        across.piece(2, 1).expect("a piece");
        let rows = seen(&across, 2..4);
        assert_eq!(rows[0], [0.0, 0.0, 1.0, 1.0], "frame 2");
        assert_eq!(rows[3], [10.0, 10.0, 12.0, 12.0], "frame 3 of the other film");
        across.piece(1, 0).expect("a piece");
        assert_eq!(seen(&across, 4..5)[0], [0.0, 0.0, 3.0, 3.0], "a piece of one frame");
    }

    #[test]
    fn pieces_that_do_not_fit_are_named() {
        let mut across = CrossFrame::new();
        assert!(across.piece(2, 2).is_err() && across.piece(0, 0).is_err());
        across.piece(2, 1).expect("a piece");
        let words = across.begin(3).expect_err("one and a half films").to_string();
        assert!(words.contains("3 pictures"), "{words}");
        seen(&across, 0..2);
        across.begin(2).expect("one film");
        let words = across.spread(&films(0..1)).expect_err("one film of two").to_string();
        assert!(words.contains("2 films"), "{words}");
    }
}
