//! The geometry of a convolution, and which way of computing it is fastest.

use std::sync::atomic::{AtomicBool, Ordering};

/// Elements of an im2col tile: half a megabyte, so that it stays in the second-level cache.
const TILE: usize = 1 << 17;

/// Pixels of an im2col tile at least, however large that makes it: every tile reads all weights.
const TILE_PIXELS: usize = 256;

/// Channels from which Winograd's transforms pay.
const WINOGRAD_FROM: usize = 32;
/// Channels and output pixels at which they do not: the weights are transformed, and grow fourfold, at every call, which
/// costs more than it saves where they are many and the picture is small. (Not by batch: a picture's result must not
/// depend on its company.)
const HEAVY_FROM: usize = 512;
const SMALL: usize = 512;
/// Output pixels up to which they never pay: a picture drawn alone takes more than twice as long with them, and a batch no less.
const TINY: usize = 64;

/// How a convolution is computed.
pub(super) enum Method {
    /// 3×3 of stride 1 with few channels.
    Direct,
    /// 3×3 of stride 1 with many channels.
    Winograd,
    /// Everything else, by a matrix of columns; 1×1 needs none.
    Columns,
}

/// The geometry of one convolution; sizes in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConvShape {
    pub(crate) in_channels: usize,
    pub(crate) out_channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: usize,
    /// Zeros added at the top, left, bottom and right.
    pub(crate) pad: [usize; 4],
}

static EXACT: AtomicBool = AtomicBool::new(false);

/// Whether convolutions keep to plain sums of products instead of Winograd's transforms, which need up to four times fewer
/// multiplications but round more coarsely (the worst errors are near 5e-5 of an output's typical size). Holds for the
/// whole process.
pub fn exact_convolution(exact: bool) {
    EXACT.store(exact, Ordering::Relaxed);
}

impl ConvShape {
    /// How this shape is computed fastest.
    pub(super) fn method(&self) -> Method {
        let few = self.in_channels.min(self.out_channels);
        let pixels = self.out_height() * self.out_width();
        if self.kernel != [3, 3] || self.stride != 1 || self.pad.iter().any(|&pad| pad > 2) {
            Method::Columns
        } else if few < WINOGRAD_FROM {
            Method::Direct
        } else if EXACT.load(Ordering::Relaxed) || pixels <= TINY || few >= HEAVY_FROM && pixels < SMALL {
            Method::Columns
        } else {
            Method::Winograd
        }
    }

    pub(crate) fn out_height(&self) -> usize {
        (self.height + self.pad[0] + self.pad[2] - self.kernel[0]) / self.stride + 1
    }

    pub(crate) fn out_width(&self) -> usize {
        (self.width + self.pad[1] + self.pad[3] - self.kernel[1]) / self.stride + 1
    }

    pub(super) fn depth(&self) -> usize {
        self.in_channels * self.kernel[0] * self.kernel[1]
    }

    pub(super) fn in_len(&self) -> usize {
        self.in_channels * self.height * self.width
    }

    pub(super) fn out_len(&self) -> usize {
        self.out_channels * self.out_height() * self.out_width()
    }

    pub(super) fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.stride == 1 && self.pad == [0; 4]
    }

    /// Output rows per tile.
    pub(super) fn tile_rows(&self) -> usize {
        let pixels = (TILE / self.depth().max(1)).max(TILE_PIXELS);
        (pixels / self.out_width().max(1)).clamp(1, self.out_height())
    }

    /// The output columns whose input column lies inside the picture, for kernel column `kx`.
    pub(super) fn valid_columns(&self, kx: usize) -> std::ops::Range<usize> {
        let left = self.pad[1].saturating_sub(kx).div_ceil(self.stride);
        // input column = x * stride + kx - pad_left must be < width
        let right = (self.width + self.pad[1]).saturating_sub(kx).div_ceil(self.stride).min(self.out_width());
        left.min(right)..right
    }

    /// Calls `visit(row of the column matrix, tile-local output row, input channel and row or None, kernel column)`.
    pub(super) fn for_each_row(
        &self,
        rows: &std::ops::Range<usize>,
        mut visit: impl FnMut(usize, usize, Option<usize>, usize),
    ) {
        for channel in 0..self.in_channels {
            for ky in 0..self.kernel[0] {
                for kx in 0..self.kernel[1] {
                    let col_row = (channel * self.kernel[0] + ky) * self.kernel[1] + kx;
                    for y in rows.clone() {
                        let source = (y * self.stride + ky)
                            .checked_sub(self.pad[0])
                            .filter(|&row| row < self.height)
                            .map(|row| (channel * self.height + row) * self.width);
                        visit(col_row, y - rows.start, source, kx);
                    }
                }
            }
        }
    }

    /// Fills `col` (depth × tile pixels) for the output rows `rows` of one sample.
    pub(super) fn im2col(&self, x: &[f32], rows: &std::ops::Range<usize>, col: &mut [f32]) {
        let out_width = self.out_width();
        let tile = rows.len() * out_width;
        self.for_each_row(rows, |col_row, y, source, kx| {
            let to = &mut col[col_row * tile + y * out_width..][..out_width];
            let Some(start) = source else {
                to.fill(0.0);
                return;
            };
            let valid = self.valid_columns(kx);
            to[..valid.start].fill(0.0);
            to[valid.end..].fill(0.0);
            if valid.is_empty() {
                return;
            }
            let first = start + valid.start * self.stride + kx - self.pad[1];
            if self.stride == 1 {
                to[valid.clone()].copy_from_slice(&x[first..first + valid.len()]);
            } else {
                for (value, from) in to[valid].iter_mut().zip(x[first..].iter().step_by(self.stride)) {
                    *value = *from;
                }
            }
        });
    }

    /// Adds the column matrix back to the picture it came from: the transpose of [`Self::im2col`].
    pub(super) fn col2im(&self, col: &[f32], rows: &std::ops::Range<usize>, dx: &mut [f32]) {
        let out_width = self.out_width();
        let tile = rows.len() * out_width;
        self.for_each_row(rows, |col_row, y, source, kx| {
            let Some(start) = source else { return };
            let valid = self.valid_columns(kx);
            if valid.is_empty() {
                return;
            }
            let from = &col[col_row * tile + y * out_width..][valid.clone()];
            let first = start + valid.start * self.stride + kx - self.pad[1];
            if self.stride == 1 {
                for (to, value) in dx[first..first + valid.len()].iter_mut().zip(from) {
                    *to += *value;
                }
            } else {
                for (to, value) in dx[first..].iter_mut().step_by(self.stride).zip(from) {
                    *to += *value;
                }
            }
        });
    }

    pub(super) fn tiles(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        let (step, height) = (self.tile_rows(), self.out_height());
        (0..height).step_by(step).map(move |start| start..(start + step).min(height))
    }
}
