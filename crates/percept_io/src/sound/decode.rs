//! Samples: of WAV by [`crate::recording`], of packets by `symphonia`.

use std::io::{Read, Seek, SeekFrom};

use symphonia::core::audio::Channels;
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_FLAC, CODEC_ID_MP3, CODEC_ID_VORBIS};
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as Failure;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::units::Duration;

use crate::fs::{Cursor, Source};
use crate::recording::{Recording, wav};
use crate::{Error, Result};

/// What the headers of a file say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// `WAV`, `FLAC`, `MP3`, `Ogg Vorbis`.
    pub format: &'static str,
    /// Samples in a second.
    pub rate_hz: u32,
    /// Channels, 1 for mono.
    pub n_channels: usize,
    /// Samples of each channel, where the file says so.
    pub n_frames: Option<u64>,
}

/// Frames of a WAV that are read at once.
const BLOCK: usize = 1 << 14;
/// Packets of an MP3 that may need data from before its start.
const LEADING: usize = 4;
/// Frames by which a lossy format may be shorter than it says.
const SLACK: u64 = 2 * 1152;
const WORDS: &str = "a WAV, FLAC, MP3 or Ogg Vorbis file";

/// The source of a file, as the crate wants it.
struct Media {
    cursor: Cursor,
    len: u64,
}

impl Read for Media {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.cursor.read(buffer)
    }
}

impl Seek for Media {
    fn seek(&mut self, target: SeekFrom) -> std::io::Result<u64> {
        self.cursor.seek(target)
    }
}

impl MediaSource for Media {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.len)
    }
}

/// A file that is being read.
pub(super) enum Decoder {
    /// Samples that lie in the file as they are, and how many were read.
    Plain(Box<Recording>, usize),
    /// Samples in packets.
    Packets(Box<Packets>),
}

impl Decoder {
    pub(super) fn open(source: &Source) -> Result<(Self, Facts)> {
        let start = source.bytes_at("the start of the file", 0, source.len().min(12))?;
        if !wav::is_wav(&start) {
            let (packets, facts) = Packets::open(source, &start)?;
            return Ok((Self::Packets(Box::new(packets)), facts));
        }
        let file = wav::open(source.clone())?;
        let facts = Facts {
            format: "WAV",
            rate_hz: file.rate_hz() as u32,
            n_channels: file.channels().len(),
            n_frames: Some(file.n_samples() as u64),
        };
        Ok((Self::Plain(Box::new(file), 0), facts))
    }

    /// Frames by which the file may be shorter than it says.
    pub(super) fn slack(&self) -> u64 {
        match self {
            Self::Packets(packets) if !packets.is_lossless => SLACK,
            _ => 0,
        }
    }

    /// Appends the next samples, of `n_channels` channels, which begin at frame `at`; `false` at the end.
    pub(super) fn next_into(&mut self, out: &mut Vec<f32>, n_channels: usize, at: u64) -> Result<bool> {
        match self {
            Self::Plain(file, done) => {
                let end = (*done + BLOCK).min(file.n_samples());
                let is_more = *done < end;
                file.read_into(*done..end, out)?;
                *done = end;
                Ok(is_more)
            }
            Self::Packets(packets) => packets.next_into(out, n_channels, at),
        }
    }

    /// Compares the checksum of the samples, where the file has one.
    pub(super) fn finish(&mut self) -> Result<()> {
        let is_other = match self {
            Self::Packets(packets) => packets.codec.finalize().verify_ok == Some(false),
            Self::Plain(..) => false,
        };
        if is_other {
            return Err(Error::malformed("the checksum of the samples", "that of the file", "another one"));
        }
        Ok(())
    }
}

/// A file of packets that is being decoded.
pub(super) struct Packets {
    format: Box<dyn FormatReader>,
    codec: Box<dyn AudioDecoder>,
    track: u32,
    rate_hz: u32,
    n_seen: usize,
    is_mp3: bool,
    is_lossless: bool,
    ended: bool,
    block: Vec<f32>,
}

impl Packets {
    fn open(source: &Source, start: &[u8]) -> Result<(Self, Facts)> {
        let media = Media { cursor: source.cursor(), len: source.len() };
        let stream = MediaSourceStream::new(Box::new(media), MediaSourceStreamOptions::default());
        let unknown = |detail: String| {
            let got = format!("`{}` ({detail})", start[..start.len().min(8)].escape_ascii());
            Error::malformed("the start", format!("that of {WORDS}"), got)
        };
        let mut hint = Hint::new();
        hint.with_extension(ending(start));
        let format = symphonia::default::get_probe()
            .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(|error| unknown(error.to_string()))?;
        let track = format.default_track(TrackType::Audio).ok_or_else(|| unknown("no track of sound".into()))?;
        let codec = track.codec_params.as_ref().and_then(CodecParameters::audio);
        let codec = codec.ok_or_else(|| unknown("no coding of sound".into()))?;
        let name = match codec.codec {
            CODEC_ID_FLAC => "FLAC",
            CODEC_ID_MP3 => "MP3",
            CODEC_ID_VORBIS => "Ogg Vorbis",
            _ => {
                let remedy = "save it as WAV with 16, 24 or 32 bits, or as FLAC";
                return Err(Error::unsupported("the coding of the sound", format!("{:?}", codec.codec), remedy));
            }
        };
        let facts = Facts {
            format: name,
            rate_hz: codec.sample_rate.unwrap_or(0),
            n_channels: codec.channels.as_ref().map_or(0, Channels::count),
            n_frames: track.num_frames.or_else(|| {
                // Its time base is one frame wherever the number of frames is not told apart from the duration.
                track.duration.map(Duration::get)
            }),
        };
        let options = AudioDecoderOptions::default().verify(true);
        let made = symphonia::default::get_codecs().make_audio_decoder(codec, &options).map_err(|error| {
            Error::unsupported("the coding of the sound", error, "save it as WAV with 16, 24 or 32 bits, or as FLAC")
        })?;
        let track = track.id;
        let (is_mp3, is_lossless) = (name == "MP3", name == "FLAC");
        let rate_hz = facts.rate_hz.max(1);
        let decoder = Self {
            format,
            codec: made,
            track,
            rate_hz,
            n_seen: 0,
            is_mp3,
            is_lossless,
            ended: false,
            block: Vec::new(),
        };
        Ok((decoder, facts))
    }

    /// Appends the samples of the next packet, of `n_channels` channels, which begins at frame `at`; `false` at the end.
    fn next_into(&mut self, out: &mut Vec<f32>, n_channels: usize, at: u64) -> Result<bool> {
        let seconds = at as f64 / f64::from(self.rate_hz);
        while !self.ended {
            let packet = match self.format.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) | Err(Failure::ResetRequired) => break,
                Err(Failure::IoError(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(Error::codec(format!("the sound at {seconds:.3} s"), error)),
            };
            if packet.track_id != self.track {
                continue;
            }
            self.n_seen += 1;
            match self.codec.decode(&packet) {
                Ok(decoded) => {
                    if decoded.num_planes() != n_channels {
                        let got = format!("{} at {seconds:.3} s", decoded.num_planes());
                        return Err(Error::malformed("the number of channels", n_channels, got));
                    }
                    decoded.copy_to_vec_interleaved(&mut self.block);
                    out.extend_from_slice(&self.block);
                    return Ok(true);
                }
                Err(Failure::DecodeError(_) | Failure::IoError(_)) if self.is_mp3 && self.n_seen <= LEADING => {
                    out.resize(out.len() + packet.dur.get().min(SLACK) as usize * n_channels, 0.0);
                    return Ok(true);
                }
                Err(error) => return Err(Error::codec(format!("the sound at {seconds:.3} s"), error)),
            }
        }
        self.ended = true;
        Ok(false)
    }
}

/// How a name usually ends whose file starts so.
fn ending(start: &[u8]) -> &'static str {
    match start {
        [b'f', b'L', b'a', b'C', ..] => "flac",
        [b'O', b'g', b'g', b'S', ..] => "ogg",
        _ => "mp3",
    }
}
