//! PNG and JPEG pictures as RGB bytes.
//!
//! Grey pictures give three equal channels, 16-bit ones their upper byte, and transparency is dropped: the colour beneath
//! it is returned as stored. Colour profiles and orientation tags are ignored. Before any pixel is decoded, the structure
//! of the file is walked to its end, so a picture that was cut short is an error and not a picture with a grey half.
//!
//! # Shapes
//! (height, width, 3).

use std::io::Cursor;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageFormat, ImageReader};
use ndarray::{Array3, ArrayView3};

use crate::{Error, Result, fs, limits};

/// The longest file that is read as a picture: 256 MiB.
pub const MAX_FILE_BYTES: u64 = 256 << 20;

/// The largest picture, in pixels: 2^28, such as 16384 × 16384.
pub const MAX_PIXELS: u64 = 1 << 28;

/// Reads the picture at `path`.
///
/// # Shapes
/// (height, width, 3).
///
/// # Errors
/// If it is neither PNG nor JPEG, is damaged or cut short, or is larger than [`MAX_PIXELS`].
pub fn read(path: impl AsRef<Path>) -> Result<Array3<u8>> {
    let path = path.as_ref();
    decode(&fs::read_to_limit(path, MAX_FILE_BYTES)?).map_err(|error| error.in_file(path))
}

/// As [`read`], for the bytes of a PNG or JPEG file.
///
/// # Errors
/// As [`read`].
pub fn decode(bytes: &[u8]) -> Result<Array3<u8>> {
    let (format, pixel_limit) = if bytes.starts_with(PNG_MAGIC) {
        (ImageFormat::Png, png_pixel_limit(bytes)?)
    } else if bytes.starts_with(&[0xff, 0xd8]) {
        (ImageFormat::Jpeg, jpeg_pixel_limit(bytes)?)
    } else {
        let got = format!("`{}`", bytes[..bytes.len().min(8)].escape_ascii());
        let error = Error::malformed("the start of the picture", "that of a PNG or JPEG file", got);
        return Err(error.at(0).with_remedy("convert the picture to PNG"));
    };
    let failure = |error: image::ImageError| Error::codec("the picture", error);
    let decoder = ImageReader::with_format(Cursor::new(bytes), format).into_decoder().map_err(failure)?;
    let (width, height) = decoder.dimensions();
    let n_pixels = u64::from(width) * u64::from(height);
    let limit = pixel_limit.min(MAX_PIXELS);
    if n_pixels > limit {
        let what = format!("the picture of {width} × {height} pixels");
        let error = Error::too_large(what, 3 * u128::from(n_pixels), 3 * limit);
        return Err(if pixel_limit > MAX_PIXELS { error.with_remedy("scale the picture down") } else { error });
    }
    let pixels = DynamicImage::from_decoder(decoder).map_err(failure)?.into_rgb8();
    Array3::from_shape_vec((height as usize, width as usize, 3), pixels.into_raw())
        .map_err(|error| Error::codec("the picture", error))
}

const PNG_MAGIC: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Walks the chunks to the end and tells how many pixels the compressed data can hold at most.
fn png_pixel_limit(bytes: &[u8]) -> Result<u64> {
    let mut position = PNG_MAGIC.len();
    let mut n_compressed = 0;
    loop {
        let rest = bytes.len() - position;
        let Some((head, body)) = bytes[position..].split_at_checked(8) else {
            return Err(Error::truncated("the PNG chunk head", 8, rest as u64).at(position as u64));
        };
        let len = u64::from(u32::from_be_bytes([head[0], head[1], head[2], head[3]]));
        // The data are followed by a checksum.
        if len + 4 > body.len() as u64 {
            let what = format!("the PNG chunk `{}`", head[4..].escape_ascii());
            return Err(Error::truncated(what, len + 4, body.len() as u64).at(position as u64));
        }
        match &head[4..] {
            b"IDAT" => n_compressed += len,
            // One bit is the least that a pixel takes before compression.
            b"IEND" => return Ok(limits::inflated_limit(n_compressed).saturating_mul(8)),
            _ => {}
        }
        position += 12 + len as usize;
    }
}

/// Walks the segments to the end mark and tells how many pixels the coded data can hold at most.
fn jpeg_pixel_limit(bytes: &[u8]) -> Result<u64> {
    let mut position = 2;
    let cut = |position: usize| {
        let error = Error::truncated("the JPEG data", 2, bytes.len().saturating_sub(position) as u64);
        Err(error.at(position as u64))
    };
    loop {
        let Some(&[mark, kind]) = bytes.get(position..).and_then(|rest| rest.first_chunk::<2>()) else {
            return cut(position);
        };
        if mark != 0xff {
            let got = format!("0x{mark:02x}");
            return Err(Error::malformed("the start of a JPEG segment", "0xff", got).at(position as u64));
        }
        match kind {
            // Fill bytes, and marks without a body.
            0xff => position += 1,
            0x01 | 0xd0..=0xd8 => position += 2,
            // Each block of 64 pixels takes at least one bit.
            0xd9 => return Ok(bytes.len() as u64 * 8 * 64),
            _ => {
                let Some(&[high, low]) = bytes.get(position + 2..).and_then(|rest| rest.first_chunk::<2>()) else {
                    return cut(position);
                };
                position += 2 + usize::from(u16::from_be_bytes([high, low]));
                if kind == 0xda {
                    // Coded data follow; within them 0xff stands only before 0 or a restart mark.
                    let is_mark = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xd0..=0xd7);
                    let coded = bytes.get(position..).unwrap_or_default();
                    match coded.windows(2).position(is_mark) {
                        Some(len) => position += len,
                        None => return cut(bytes.len()),
                    }
                }
            }
        }
    }
}

/// The bytes of `picture` as PNG. Equal pictures give equal bytes.
///
/// # Shapes
/// (height, width, 3).
///
/// # Errors
/// If the last axis is not 3 or an axis is empty.
pub fn encode_png(picture: ArrayView3<'_, u8>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive);
    encode(encoder, picture, ExtendedColorType::Rgb8)?;
    Ok(bytes)
}

/// The same for large drawings: a few percent larger, in about half of the time.
///
/// # Shapes
/// (height, width, 3).
///
/// # Errors
/// As [`encode_png`].
pub fn encode_png_quick(picture: ArrayView3<'_, u8>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Level(3), FilterType::Adaptive);
    encode(encoder, picture, ExtendedColorType::Rgb8)?;
    Ok(bytes)
}

/// The bytes of a `picture` with opacity as PNG.
///
/// # Shapes
/// (height, width, 4).
///
/// # Errors
/// If the last axis is not 4 or an axis is empty.
pub fn encode_png_alpha(picture: ArrayView3<'_, u8>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive);
    encode(encoder, picture, ExtendedColorType::Rgba8)?;
    Ok(bytes)
}

/// The bytes of `picture` as JPEG of a quality between 1 and 100.
///
/// # Shapes
/// (height, width, 3).
///
/// # Errors
/// As [`encode_png`].
pub fn encode_jpeg(picture: ArrayView3<'_, u8>, quality: u8) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    encode(JpegEncoder::new_with_quality(&mut bytes, quality), picture, ExtendedColorType::Rgb8)?;
    Ok(bytes)
}

fn encode(encoder: impl ImageEncoder, picture: ArrayView3<'_, u8>, colours: ExtendedColorType) -> Result<()> {
    let (height, width, n_channels) = picture.dim();
    let n_expected = colours.channel_count() as usize;
    if n_channels != n_expected || height == 0 || width == 0 {
        let got = format!("({height}, {width}, {n_channels})");
        let remedy = "give one picture that is not empty";
        return Err(Error::mismatch("the shape", format!("(height, width, {n_expected})"), got, remedy));
    }
    let pixels = picture.as_standard_layout();
    let pixels = pixels.as_slice().unwrap_or_default();
    encoder
        .write_image(pixels, width as u32, height as u32, colours)
        .map_err(|error| Error::codec("the picture", error).with_remedy("give a smaller picture"))
}

/// Writes `picture` to `path` as PNG.
///
/// # Shapes
/// (height, width, 3).
///
/// # Errors
/// As [`encode_png`], and if the file cannot be written.
pub fn write_png(path: impl AsRef<Path>, picture: ArrayView3<'_, u8>) -> Result<()> {
    let path = path.as_ref();
    let bytes = encode_png(picture).map_err(|error| error.in_file(path))?;
    fs::write_bytes(path, &bytes)
}
