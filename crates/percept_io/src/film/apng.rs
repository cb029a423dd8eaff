//! Animated PNG: read, and written.
//!
//! Before anything is decoded the chunks are walked: which frames are whole, how long each is shown, and whether the data of the first
//! frame, which fills the canvas, are as long as the canvas needs. A file that ends inside a frame is read up to the frame before it.
//! Frames are put onto the canvas as their heads say (transparency lies on black). 16-bit pictures give their upper byte; colour
//! profiles are ignored.
//!
//! Written films hold of every frame but the first only the rectangle that changed. Equal films give equal bytes.
//!
//! # References
//! W3C, Portable Network Graphics (Third Edition), section 11.3.6.

use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::ZlibDecoder;
use ndarray::{Array3, ArrayView3, s};
use png::{BitDepth, BlendOp, ColorType, DisposeOp, Reader, Transformations};

use super::checks;
use crate::fs::{self, Cursor, Source};
use crate::picture::MAX_PIXELS;
use crate::{Error, Result};

const MAGIC: &[u8] = b"\x89PNG\r\n\x1a\n";
/// Frames of a film; a longer one is refused.
const MOST_FRAMES: usize = 1 << 20;

/// An animated PNG file.
#[derive(Clone, Debug)]
pub(crate) struct Apng {
    source: Source,
    /// Width and height.
    pub(crate) size: [usize; 2],
    /// Seconds for which each whole frame is shown.
    pub(crate) delays: Vec<f64>,
    /// Whether the first picture is not part of the film.
    has_cover: bool,
    pub(crate) notes: Vec<String>,
}

/// Whether these bytes begin a PNG file.
pub(crate) fn is_png(start: &[u8]) -> bool {
    start.starts_with(MAGIC)
}

fn codec(error: impl std::fmt::Display) -> Error {
    Error::codec("the animated PNG", error)
}

impl Apng {
    pub(crate) fn from_source(source: &Source) -> Result<Self> {
        Self::walk(source).map_err(|error| source.locate(error))
    }

    fn walk(source: &Source) -> Result<Self> {
        let mut found = Found::default();
        let mut at = MAGIC.len() as u64;
        while at + 8 <= source.len() {
            let head = source.bytes_at("a chunk", at, 8)?;
            let length = u64::from(u32::from_be_bytes([head[0], head[1], head[2], head[3]]));
            if at + 12 + length > source.len() {
                break;
            }
            let is_end = found.chunk(source, &head[4..], at + 8, length)?;
            at += 12 + length;
            if is_end {
                break;
            }
        }
        found.film(source)
    }

    /// Frame after frame from the first one on.
    pub(crate) fn play(&self) -> Result<Playing> {
        let limits = png::Limits { bytes: 8 * self.size[0] * self.size[1] + (16 << 20) };
        let mut decoder = png::Decoder::new_with_limits(BufReader::new(self.source.cursor()), limits);
        decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
        decoder.set_ignore_text_chunk(true);
        let reader = decoder.read_info().map_err(codec)?;
        let n_bytes = reader.output_buffer_size().ok_or_else(|| codec("its frames are too large"))?;
        let canvas = Array3::zeros((self.size[1], self.size[0], 4));
        let mut playing = Playing { reader, buffer: vec![0; n_bytes], canvas, after: After::Keep };
        if self.has_cover {
            playing.reader.next_frame(&mut playing.buffer).map_err(codec)?;
        }
        Ok(playing)
    }
}

/// What the walk has found.
#[derive(Default)]
struct Found {
    size: [u32; 2],
    /// Bits that a pixel takes before compression.
    bits: u64,
    claimed: Option<u32>,
    /// Delays of the frames whose heads were met.
    delays: Vec<f64>,
    /// Whether the last frame has data.
    has_data: bool,
    cover: bool,
    /// Where the first picture's data lie.
    first: Vec<(u64, u64)>,
    is_whole: bool,
}

impl Found {
    /// Takes note of a chunk; true at the end of the file.
    fn chunk(&mut self, source: &Source, name: &[u8], at: u64, length: u64) -> Result<bool> {
        let bytes = |n: u64| source.bytes_at("a chunk", at, n.min(length));
        let word = |bytes: &[u8], from: usize| {
            let word = bytes.get(from..from + 4).and_then(|word| word.first_chunk::<4>());
            word.map(|word| u32::from_be_bytes(*word)).ok_or_else(|| Error::truncated("a chunk", 4, 0).at(at))
        };
        match name {
            b"IHDR" => {
                let head = bytes(13)?;
                self.size = [word(&head, 0)?, word(&head, 4)?];
                let (&depth, &colour) = (head.get(8).unwrap_or(&0), head.get(9).unwrap_or(&0));
                let n_channels = [1, 0, 3, 1, 2, 0, 4].get(usize::from(colour)).copied().unwrap_or(0);
                self.bits = u64::from(depth) * n_channels;
            }
            b"acTL" => self.claimed = Some(word(&bytes(8)?, 0)?),
            b"fcTL" => {
                let head = bytes(26)?;
                let delay = word(&head, 20)?;
                let (n, d) = (delay >> 16, delay & 0xffff);
                // The format says that a denominator of 0 means hundredths.
                self.delays.push(f64::from(n) / f64::from(if d == 0 { 100 } else { d }));
                self.has_data = false;
                if self.delays.len() > MOST_FRAMES {
                    return Err(Error::too_large("the film", MOST_FRAMES as u128 + 1, MOST_FRAMES as u64).at(at));
                }
            }
            b"IDAT" => {
                self.cover |= self.delays.is_empty();
                self.has_data = true;
                self.first.push((at, length));
            }
            b"fdAT" => self.has_data = true,
            b"IEND" => self.is_whole = true,
            _ => {}
        }
        Ok(self.is_whole)
    }

    fn film(mut self, source: &Source) -> Result<Apng> {
        let Some(claimed) = self.claimed else {
            let error =
                Error::mismatch("the PNG file", "a film", "a still picture", "name a film, or a folder of pictures");
            return Err(error);
        };
        self.first_fills_the_canvas(source)?;
        let mut notes = Vec::new();
        if !self.is_whole && !self.delays.is_empty() {
            notes.push(format!("the file ends inside frame {}", self.delays.len() - 1));
            self.delays.pop();
        } else if !self.has_data {
            self.delays.pop();
        }
        if claimed as usize != self.delays.len() {
            notes.push(format!("the head says {claimed} frames, there are {}", self.delays.len()));
            self.delays.truncate(claimed as usize);
        }
        if self.delays.is_empty() {
            return Err(Error::malformed("the animated PNG", "frames", "none"));
        }
        Ok(Apng {
            source: source.clone(),
            size: self.size.map(|length| length as usize),
            delays: self.delays,
            has_cover: self.cover,
            notes,
        })
    }

    /// Inflates the first picture into nothing, so that a false size is found before memory is taken for it.
    fn first_fills_the_canvas(&self, source: &Source) -> Result<()> {
        let [width, height] = self.size.map(u64::from);
        let row = (width * self.bits).div_ceil(8) + 1;
        let needed = u128::from(row) * u128::from(height);
        if width * height > MAX_PIXELS {
            return Err(Error::too_large(format!("the film of {width} × {height} pixels"), needed, 3 * MAX_PIXELS));
        }
        let mut data = Vec::new();
        for &(at, length) in &self.first {
            data.extend(source.bytes_at("the first frame", at, length)?);
        }
        let n = fs::skip(ZlibDecoder::new(data.as_slice()).take(needed as u64), "the first frame", needed as u64)?;
        // Interlaced pictures have a few bytes more, never fewer.
        if u128::from(n) < needed || needed == 0 {
            return Err(Error::malformed("the data of the first frame", format!("{needed} bytes"), format!("{n}")));
        }
        Ok(())
    }
}

/// What happens to the place of a frame before the next one.
enum After {
    Keep,
    Clear([usize; 4]),
    Restore(Box<Array3<u8>>),
}

/// A film that is being decoded.
pub(crate) struct Playing {
    reader: Reader<BufReader<Cursor>>,
    buffer: Vec<u8>,
    /// Red, green, blue, opacity.
    canvas: Array3<u8>,
    after: After,
}

impl Playing {
    /// The next frame.
    pub(crate) fn advance(&mut self) -> Result<Array3<u8>> {
        match std::mem::replace(&mut self.after, After::Keep) {
            After::Keep => {}
            After::Clear([left, top, width, height]) => {
                self.canvas.slice_mut(s![top..top + height, left..left + width, ..]).fill(0);
            }
            After::Restore(canvas) => self.canvas = *canvas,
        }
        let output = self.reader.next_frame(&mut self.buffer).map_err(codec)?;
        let Some(head) = self.reader.info().frame_control else {
            return Err(Error::malformed("a frame", "one with a head", "one without"));
        };
        let place = [head.x_offset, head.y_offset, head.width, head.height].map(|length| length as usize);
        let [left, top, width, height] = place;
        let (rows, columns, _) = self.canvas.dim();
        if left + width > columns || top + height > rows || output.bit_depth != BitDepth::Eight {
            let got = format!("{width} × {height} at ({left}, {top})");
            return Err(Error::malformed("a frame", format!("within {columns} × {rows} pixels"), got));
        }
        self.after = match head.dispose_op {
            DisposeOp::None => After::Keep,
            DisposeOp::Background => After::Clear(place),
            DisposeOp::Previous => After::Restore(Box::new(self.canvas.clone())),
        };
        self.put(place, output.color_type, output.line_size, head.blend_op == BlendOp::Over);
        Ok(on_black(&self.canvas))
    }

    fn put(&mut self, [left, top, width, height]: [usize; 4], colours: ColorType, line: usize, is_over: bool) {
        let n = colours.samples();
        for y in 0..height {
            for x in 0..width {
                let pixel = &self.buffer[y * line + x * n..y * line + (x + 1) * n];
                let new = match *pixel {
                    [grey] => [grey, grey, grey, 255],
                    [grey, opacity] => [grey, grey, grey, opacity],
                    [r, g, b] => [r, g, b, 255],
                    [r, g, b, a, ..] => [r, g, b, a],
                    [] => continue,
                };
                let mut old = self.canvas.slice_mut(s![top + y, left + x, ..]);
                let below = [old[0], old[1], old[2], old[3]];
                let now = if is_over { over(new, below) } else { new };
                old.iter_mut().zip(now).for_each(|(old, now)| *old = now);
            }
        }
    }
}

/// Red, green, blue and opacity as colours on black.
fn on_black(canvas: &Array3<u8>) -> Array3<u8> {
    let (height, width, _) = canvas.dim();
    let shade = |value: u8, opacity: u8| ((u32::from(value) * u32::from(opacity) + 127) / 255) as u8;
    Array3::from_shape_fn((height, width, 3), |(y, x, c)| shade(canvas[(y, x, c)], canvas[(y, x, 3)]))
}

/// `new` over `old`, colours not multiplied by opacity.
fn over(new: [u8; 4], old: [u8; 4]) -> [u8; 4] {
    let (a, b) = (u32::from(new[3]), u32::from(old[3]));
    if a == 255 || b == 0 {
        return new;
    }
    // In units of 1 / 255²: what shines through of the old.
    let (above, below) = (a * 255, (255 - a) * b);
    let all = above + below;
    let mix = |c: usize| ((u32::from(new[c]) * above + u32::from(old[c]) * below + all / 2) / all) as u8;
    [mix(0), mix(1), mix(2), ((all + 127) / 255) as u8]
}

/// Writes a film of `n_frames` pictures, `rate` a second, shown `n_loops` times (0: for ever), as animated PNG, which every browser
/// plays. `frame` makes one picture at a time.
///
/// # Shapes
/// Each frame (height, width, 3), all alike.
///
/// # Errors
/// If there is no frame, frames differ in size, or the file cannot be written.
pub fn write_apng(
    path: impl AsRef<Path>,
    n_frames: usize,
    rate: f64,
    n_loops: u32,
    frame: impl FnMut(usize) -> Result<Array3<u8>>,
) -> Result<()> {
    fs::write_atomic(path, |sink| encode_apng(sink, n_frames, rate, n_loops, frame))
}

/// As [`write_apng`], into any sink.
///
/// # Errors
/// As [`write_apng`].
pub fn encode_apng(
    sink: impl std::io::Write,
    n_frames: usize,
    rate: f64,
    n_loops: u32,
    mut frame: impl FnMut(usize) -> Result<Array3<u8>>,
) -> Result<()> {
    checks::check_rate(rate)?;
    if n_frames == 0 || n_frames > MOST_FRAMES {
        let remedy = "give at least one frame, and at most a million";
        return Err(Error::mismatch("the number of frames", format!("1 to {MOST_FRAMES}"), n_frames, remedy));
    }
    let failed = |error: png::EncodingError| match error {
        png::EncodingError::IoError(error) => Error::io("write", error),
        error => Error::codec("the animated PNG", error).with_remedy("give smaller frames"),
    };
    let mut shape = None;
    let first = frame(0)?;
    checks::same_shape(&mut shape, 0, &first)?;
    let (height, width, _) = first.dim();
    let [n, d] = delay(rate);
    let mut encoder = png::Encoder::new(sink, width as u32, height as u32);
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(png::Compression::Balanced);
    encoder.set_animated(n_frames as u32, n_loops).map_err(failed)?;
    encoder.set_frame_delay(n, d).map_err(failed)?;
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&bytes_of(first.view())).map_err(failed)?;
    let mut before = first;
    for frame_idx in 1..n_frames {
        let now = frame(frame_idx)?;
        checks::same_shape(&mut shape, frame_idx, &now)?;
        let [left, top, width, height] = changed(&before, &now);
        writer.reset_frame_position().map_err(failed)?;
        writer.set_frame_dimension(width as u32, height as u32).map_err(failed)?;
        writer.set_frame_position(left as u32, top as u32).map_err(failed)?;
        let part = now.slice(s![top..top + height, left..left + width, ..]);
        writer.write_image_data(&bytes_of(part)).map_err(failed)?;
        before = now;
    }
    writer.finish().map_err(failed)
}

fn bytes_of(picture: ArrayView3<'_, u8>) -> Vec<u8> {
    picture.iter().copied().collect()
}

/// The smallest rectangle that holds all pixels that differ: left, top, width, height; one pixel where none does.
fn changed(before: &Array3<u8>, now: &Array3<u8>) -> [usize; 4] {
    let (height, width, _) = now.dim();
    let differs = |y: usize, x: usize| before.slice(s![y, x, ..]) != now.slice(s![y, x, ..]);
    let row = |y: &usize| (0..width).any(|x| differs(*y, x));
    let Some(top) = (0..height).find(row) else { return [0, 0, 1, 1] };
    let bottom = (top..height).rev().find(row).unwrap_or(top);
    let column = |x: &usize| (top..=bottom).any(|y| differs(y, *x));
    let left = (0..width).find(column).unwrap_or(0);
    let right = (left..width).rev().find(column).unwrap_or(left);
    [left, top, right - left + 1, bottom - top + 1]
}

/// The fraction of 16-bit numbers that lies nearest to the seconds for which a frame is shown: the last convergent that fits.
fn delay(rate: f64) -> [u16; 2] {
    let target = 1.0 / rate;
    let (mut before, mut now) = ([0u64, 1], [1u64, 0]);
    let mut rest = target;
    for _ in 0..32 {
        let whole = rest.floor();
        let next = [0, 1].map(|i| (whole as u64).saturating_mul(now[i]).saturating_add(before[i]));
        if next.iter().any(|&part| part > u64::from(u16::MAX)) {
            break;
        }
        (before, now) = (now, next);
        // Floating-point dust is not continued.
        if (now[0] as f64 / now[1] as f64 - target).abs() <= 1e-12 * target || rest == whole {
            break;
        }
        rest = (rest - whole).recip();
    }
    if now[0] == 0 || now[1] == 0 { [1, u16::MAX] } else { now.map(|part| part as u16) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_the_fractions_that_one_writes() {
        for (rate, expected) in [
            (8.0, [1, 8]),
            (30.0, [1, 30]),
            (30_000.0 / 1001.0, [1001, 30_000]),
            (0.5, [2, 1]),
            (12.5, [2, 25]),
            (2.0 / 3.0, [3, 2]),
        ] {
            assert_eq!(delay(rate), expected, "{rate}");
        }
        let [n, d] = delay(23.976);
        assert!((f64::from(d) / f64::from(n) - 23.976).abs() < 1e-6);
    }

    #[test]
    fn what_shines_through_is_mixed_by_opacity() {
        assert_eq!(over([200, 0, 0, 255], [0, 0, 9, 255]), [200, 0, 0, 255]);
        assert_eq!(over([200, 100, 0, 0], [0, 40, 9, 255]), [0, 40, 9, 255]);
        assert_eq!(over([255, 0, 0, 128], [0, 0, 255, 255]), [128, 0, 127, 255]);
    }
}
