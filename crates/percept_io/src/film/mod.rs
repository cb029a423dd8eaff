//! Films as files: frames by their times, streamed.
//!
//! | film | read by | written by |
//! |---|---|---|
//! | AVI of JPEG files | own parser ([`avi`]) | [`avi::AviWriter`], [`avi::write_avi`] |
//! | animated PNG | the crate `png`, own canvas | [`write_apng`] |
//! | a folder of numbered PNG or JPEG files | [`crate::picture`] | |
//! | anything else: MP4, MKV, WebM, MOV, MPEG, AVI of other codecs | the user's programs `ffmpeg` and `ffprobe` | [`write_mp4`] |
//!
//! [`Film::open`] reads what a film says about itself; [`Film::frames`] gives the frames that are shown at asked times, one at a
//! time, so that a long film never lies in memory. The frame shown at a time is the last one that began before or at it. Films
//! begin at second 0 with their first frame, whatever their container calls that time.
//!
//! Frames come as they are stored, or, where [`FilmRequest::side`] asks for it, as the square in their middle with each pixel the
//! mean of the area that it covers: the only values in this crate that are not those of the file, since whole films do not
//! fit into memory at full size. Pixels are taken for square. Sound and subtitles are not read. No program is needed but for the last row of the table; where it is
//! missing the error says so. `ffmpeg` may open files only, never addresses.
//!
//! # Shapes
//! Frames are (height, width, 3), red, green, blue.

mod apng;
pub mod avi;
mod checks;
mod ffmpeg;
mod folder;
mod info;
mod kind;
mod open;
mod play;
mod scale;

pub use apng::{encode_apng, write_apng};
pub use ffmpeg::{Programs, write_mp4, write_mp4_by};
pub use info::{At, ENDINGS, FilmInfo, FilmOptions, FilmRequest};
pub use open::Film;
pub use play::Frames;
pub use scale::square;
