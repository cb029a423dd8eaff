//! Films by the user's `ffmpeg` and `ffprobe`, started as programs: nothing of them is linked.
//!
//! `ffprobe` says size, rate and when each frame is shown (from the container, without decoding); `ffmpeg` sends frames as they are
//! stored, `rgb24` through a pipe, one for each time. Frames are turned as the file says. Both may read files only, no addresses.
//! A pipe holds a few frames at most, so the memory does not grow with the film. Not needed for any other format.

use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use ndarray::Array3;
use serde::Deserialize;

use super::checks;
use crate::picture::MAX_PIXELS;
use crate::{Error, Result, fs};

/// What a program may answer; the times of a day of frames are a tenth of it.
const MOST_ANSWER_BYTES: u64 = 1 << 30;
/// What is kept of a program's complaints.
const MOST_COMPLAINT_BYTES: usize = 4096;
const REMEDY: &str =
    "install ffmpeg, which brings `ffmpeg` and `ffprobe`, or give the film as AVI of JPEG or as a folder of frames";

/// What is started for films that are not read here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    /// Decodes and encodes.
    pub ffmpeg: PathBuf,
    /// Says what a film is.
    pub ffprobe: PathBuf,
}

impl Default for Programs {
    /// Those that the system finds under their names.
    fn default() -> Self {
        Self { ffmpeg: PathBuf::from("ffmpeg"), ffprobe: PathBuf::from("ffprobe") }
    }
}

/// What `ffprobe` said of a film.
#[derive(Clone, Debug)]
pub(crate) struct Probed {
    path: PathBuf,
    programs: Programs,
    version: Version,
    /// Width and height as shown.
    pub(crate) size: [usize; 2],
    pub(crate) rate: f64,
    /// When each frame begins.
    pub(crate) starts: Vec<f64>,
    pub(crate) secs: f64,
    pub(crate) how: String,
    pub(crate) notes: Vec<String>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    streams: Vec<Stream>,
}

#[derive(Deserialize)]
struct Stream {
    #[serde(default)]
    codec_name: String,
    #[serde(default)]
    width: usize,
    #[serde(default)]
    height: usize,
    #[serde(default)]
    avg_frame_rate: String,
    #[serde(default)]
    r_frame_rate: String,
    #[serde(default)]
    tags: Tags,
    #[serde(default)]
    side_data_list: Vec<SideData>,
}

#[derive(Default, Deserialize)]
struct Tags {
    rotate: Option<String>,
}

#[derive(Deserialize)]
struct SideData {
    rotation: Option<f64>,
}

impl Stream {
    /// Width and height after the turn that the file asks for.
    fn size(&self) -> [usize; 2] {
        let by_tag = self.tags.rotate.as_ref().and_then(|text| text.parse::<f64>().ok());
        let turn = self.side_data_list.iter().find_map(|side| side.rotation).or(by_tag).unwrap_or(0.0);
        let is_on_its_side = (turn.rem_euclid(180.0) - 90.0).abs() < 45.0;
        if is_on_its_side { [self.height, self.width] } else { [self.width, self.height] }
    }

    fn rate(&self) -> Option<f64> {
        [&self.avg_frame_rate, &self.r_frame_rate].into_iter().find_map(|text| {
            let (n, d) = text.split_once('/')?;
            let rate = n.parse::<f64>().ok()? / d.parse::<f64>().ok()?;
            checks::is_rate(rate).then_some(rate)
        })
    }
}

/// As `ffmpeg -version` says it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    text: String,
    /// Major and minor number; none for builds between releases, which are taken for new.
    number: Option<[u32; 2]>,
}

impl Version {
    fn of(ffmpeg: &Path) -> Result<Self> {
        let answer = ask(ffmpeg, &["-hide_banner".as_ref(), "-version".as_ref()])?;
        Ok(Self::parsed(&String::from_utf8_lossy(&answer)))
    }

    fn parsed(answer: &str) -> Self {
        let text = answer.split_ascii_whitespace().nth(2).unwrap_or("of unknown version").to_owned();
        let digits = text.trim_start_matches('n');
        let mut parts = digits.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
        let number = match (parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Some([major, minor]),
            _ => None,
        };
        Self { text, number }
    }

    /// How one asks for every frame that there is.
    fn every_frame(&self) -> [&'static str; 2] {
        if self.number.is_some_and(|number| number < [5, 1]) {
            ["-vsync", "passthrough"]
        } else {
            ["-fps_mode", "passthrough"]
        }
    }
}

/// The name under which a program opens `path` as a file, whatever it looks like.
fn as_file(path: &Path) -> std::ffi::OsString {
    let mut name = std::ffi::OsString::from("file:");
    name.push(path);
    name
}

impl Probed {
    pub(crate) fn open(path: &Path, programs: &Programs) -> Result<Self> {
        let version = Version::of(&programs.ffmpeg)?;
        let stream = stream_of(path, programs)?;
        let size = stream.size();
        if size.contains(&0) || (size[0] as u64).saturating_mul(size[1] as u64) > MAX_PIXELS {
            let got = format!("{} × {} pixels", size[0], size[1]);
            return Err(Error::malformed("the size of the film", format!("1 to {MAX_PIXELS} pixels"), got));
        }
        let (times, n_unknown) = times_of(path, programs)?;
        let n = times.len() + n_unknown;
        if n == 0 {
            return Err(Error::malformed("the film", "frames", "none"));
        }
        let said = stream.rate();
        let mut notes = Vec::new();
        let starts: Vec<f64> = if n_unknown == 0 {
            times.iter().map(|time| time - times[0]).collect()
        } else {
            let Some(rate) = said else {
                let got = format!("`{}`", stream.avg_frame_rate);
                return Err(Error::malformed("the number of frames a second", "a positive number", got));
            };
            notes.push(format!("frames have no times; they are taken to be {rate} a second"));
            (0..n).map(|frame_idx| frame_idx as f64 / rate).collect()
        };
        let spread = starts[n - 1];
        let rate = if n > 1 && spread > 0.0 { (n - 1) as f64 / spread } else { said.unwrap_or(1.0) };
        // Times are rounded in the container; a rate that agrees with them is exact.
        let rate = said.filter(|said| (said / rate - 1.0).abs() < 1e-3).unwrap_or(rate);
        checks::check_rate(rate)?;
        let how = format!("ffmpeg {}", version.text);
        let programs = programs.clone();
        Ok(Self { path: path.to_owned(), programs, version, size, rate, secs: spread + 1.0 / rate, starts, how, notes })
    }

    /// Starts to decode.
    pub(crate) fn play(&self) -> Result<Playing> {
        let mut command = Command::new(&self.programs.ffmpeg);
        command.args(["-hide_banner", "-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe", "-i"]);
        command.arg(as_file(&self.path)).args(["-map", "0:v:0", "-an", "-sn", "-dn"]);
        command.args(self.version.every_frame()).args(["-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]);
        let (child, complaints) = start(&mut command, &self.programs.ffmpeg, Stdio::null())?;
        let n_bytes = 3 * self.size[0] * self.size[1];
        let mut running = Running { child, complaints: Some(complaints) };
        let pipe = running.child.stdout.take();
        let pipe = pipe.ok_or_else(|| Error::io("read from `ffmpeg`", std::io::ErrorKind::BrokenPipe.into()))?;
        let pipe = BufReader::with_capacity(n_bytes.clamp(1 << 12, 1 << 20), pipe);
        Ok(Playing { running, pipe, next: 0, size: self.size, n_frames: self.starts.len() })
    }
}

/// A program that ends with the value.
struct Running {
    child: Child,
    complaints: Option<JoinHandle<String>>,
}

impl Running {
    /// Waits, and gives what it complained about.
    fn end(&mut self) -> (bool, String) {
        let is_well = self.child.wait().is_ok_and(|status| status.success());
        let said = self.complaints.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        (is_well, said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nobody reads any more; both fail only where the program has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A film that is being decoded.
pub(crate) struct Playing {
    running: Running,
    pipe: BufReader<ChildStdout>,
    next: usize,
    size: [usize; 2],
    n_frames: usize,
}

impl Playing {
    /// Frame number `frame_idx`, which must not lie before the one that was asked for last.
    pub(crate) fn frame(&mut self, frame_idx: usize) -> Result<Array3<u8>> {
        let [width, height] = self.size;
        let mut bytes = Vec::new();
        while self.next <= frame_idx {
            // Memory grows as bytes arrive.
            let n_bytes = 3 * width as u64 * height as u64;
            if fs::refill(&mut self.pipe, "a frame", n_bytes, &mut bytes).is_err() {
                return Err(self.ended_early());
            }
            self.next += 1;
        }
        Array3::from_shape_vec((height, width, 3), bytes).map_err(|error| Error::codec("the frame", error))
    }

    fn ended_early(&mut self) -> Error {
        let (_, said) = self.running.end();
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        let words = format!("`ffmpeg` gave {} of {} frames{said}", self.next, self.n_frames);
        Error::codec("the film", words)
    }
}

fn stream_of(path: &Path, programs: &Programs) -> Result<Stream> {
    let fields =
        "stream=codec_name,width,height,avg_frame_rate,r_frame_rate:stream_side_data=rotation:stream_tags=rotate";
    let answer = probe(path, programs, fields, "json")?;
    let answer: Answer = serde_json::from_slice(&answer)
        .map_err(|error| Error::codec("the answer of `ffprobe`", error).with_remedy("install another ffmpeg"))?;
    let Some(stream) = answer.streams.into_iter().next() else {
        let remedy = "name a film, or a folder of pictures";
        return Err(Error::mismatch("the file", "a film", "without a stream of pictures", remedy));
    };
    // Pictures are streams of one frame for these programs.
    if stream.codec_name.is_empty() {
        return Err(Error::unsupported("the codec", "that `ffprobe` does not name", REMEDY));
    }
    Ok(stream)
}

/// The times of all frames that will be shown, ascending, and how many have none.
fn times_of(path: &Path, programs: &Programs) -> Result<(Vec<f64>, usize)> {
    let answer = probe(path, programs, "packet=pts_time,flags", "csv=p=0")?;
    let (mut times, mut n_unknown) = (Vec::new(), 0);
    for line in String::from_utf8_lossy(&answer).lines() {
        let mut parts = line.split(',');
        let (time, flags) = (parts.next().unwrap_or_default().trim(), parts.next().unwrap_or_default());
        // Frames that a decoder needs but nobody sees.
        if time.is_empty() || flags.contains('D') {
            continue;
        }
        match time.parse::<f64>() {
            Ok(time) if time.is_finite() => times.push(time),
            _ => n_unknown += 1,
        }
    }
    times.sort_by(f64::total_cmp);
    Ok((times, n_unknown))
}

fn probe(path: &Path, programs: &Programs, fields: &str, form: &str) -> Result<Vec<u8>> {
    let whitelist = ["-hide_banner", "-v", "error", "-protocol_whitelist", "file,pipe", "-select_streams", "v:0"];
    let mut arguments: Vec<std::ffi::OsString> = whitelist.into_iter().map(Into::into).collect();
    arguments.extend(["-show_entries", fields, "-of", form, "-i"].map(Into::into));
    arguments.push(as_file(path));
    let arguments: Vec<&std::ffi::OsStr> = arguments.iter().map(AsRef::as_ref).collect();
    ask(&programs.ffprobe, &arguments)
}

/// Runs a program to its end and gives what it wrote.
fn ask(program: &Path, arguments: &[&std::ffi::OsStr]) -> Result<Vec<u8>> {
    let (child, complaints) = start(Command::new(program).args(arguments), program, Stdio::null())?;
    let mut running = Running { child, complaints: Some(complaints) };
    let mut answer = Vec::new();
    if let Some(pipe) = running.child.stdout.take() {
        let read = pipe.take(MOST_ANSWER_BYTES).read_to_end(&mut answer);
        read.map_err(|error| Error::io("read what a program answers", error))?;
    }
    if answer.len() as u64 == MOST_ANSWER_BYTES {
        return Err(Error::too_large("the answer of a program", u128::from(MOST_ANSWER_BYTES) + 1, MOST_ANSWER_BYTES));
    }
    let (is_well, said) = running.end();
    if is_well {
        return Ok(answer);
    }
    let said = if said.is_empty() { "nothing".to_owned() } else { said };
    let words = format!("`{}` failed and said {said}", program.display());
    Err(Error::codec("the film", words)
        .with_remedy("check that this is a whole film, or give it as a folder of frames"))
}

/// Starts a program; a thread keeps the end of what it complains about.
fn start(command: &mut Command, program: &Path, input: Stdio) -> Result<(Child, JoinHandle<String>)> {
    let child = command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| {
        let name = program.display().to_string();
        if error.kind() == std::io::ErrorKind::NotFound {
            Error::missing("program", name, [""; 0]).with_remedy(REMEDY)
        } else {
            Error::codec(format!("the program `{name}`"), error).with_remedy(REMEDY)
        }
    })?;
    let pipe = child.stderr.take();
    let complaints = std::thread::spawn(move || {
        let mut kept = Vec::new();
        let mut block = [0; 1024];
        let Some(mut pipe) = pipe else { return String::new() };
        while let Ok(n @ 1..) = pipe.read(&mut block) {
            // What it said first is most often the cause.
            let room = MOST_COMPLAINT_BYTES - kept.len();
            kept.extend_from_slice(&block[..n.min(room)]);
        }
        in_words(&String::from_utf8_lossy(&kept))
    });
    Ok((child, complaints))
}

/// Complaints in one line, without the addresses in memory that ffmpeg names its parts by.
fn in_words(said: &str) -> String {
    let line = |line: &str| match (line.find(" @ 0x"), line.find(']')) {
        (Some(from), Some(to)) if line.starts_with('[') && from < to => format!("{}{}", &line[..from], &line[to..]),
        _ => line.to_owned(),
    };
    said.lines().map(|text| line(text.trim())).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ")
}

/// Encoders that are asked for, the better one first, and their settings.
const ENCODERS: [(&str, &[&str]); 2] =
    [("libx264", &["-preset", "medium", "-crf", "16"]), ("mpeg4", &["-q:v", "2", "-bf", "0"])];

/// Writes a film of `n_frames` pictures, `rate` a second, as MP4 by the user's `ffmpeg`; says with which encoder, `None` where there is no
/// `ffmpeg`. The picture is H.264 (or MPEG-4 Part 2 where the user's has no encoder for it) with halved colours, which every player shows;
/// a row or column is added where their number is odd. The file appears whole or not at all.
///
/// # Errors
/// If there is no frame, frames differ in size, or encoding fails.
pub fn write_mp4(
    path: impl AsRef<Path>,
    n_frames: usize,
    rate: f64,
    frame: impl FnMut(usize) -> Result<Array3<u8>>,
) -> Result<Option<String>> {
    write_mp4_by(&Programs::default(), path, n_frames, rate, frame)
}

/// As [`write_mp4`], by named programs.
///
/// # Errors
/// As [`write_mp4`].
pub fn write_mp4_by(
    programs: &Programs,
    path: impl AsRef<Path>,
    n_frames: usize,
    rate: f64,
    mut frame: impl FnMut(usize) -> Result<Array3<u8>>,
) -> Result<Option<String>> {
    checks::check_rate(rate)?;
    let path = path.as_ref();
    let Ok(answer) = ask(&programs.ffmpeg, &["-hide_banner", "-v", "error", "-encoders"].map(AsRef::as_ref)) else {
        return Ok(None);
    };
    let answer = String::from_utf8_lossy(&answer);
    let has = |name: &str| answer.lines().any(|line| line.split_ascii_whitespace().nth(1) == Some(name));
    let Some((name, settings)) = ENCODERS.into_iter().find(|(name, _)| has(name)) else { return Ok(None) };
    let mut attempt = || {
        let first = if n_frames > 0 { frame(0)? } else { Array3::zeros((0, 0, 3)) };
        let mut shape = None;
        checks::same_shape(&mut shape, 0, &first)?;
        fs::write_beside(path, |scratch| {
            let mut command = encoder(programs, [first.dim().1, first.dim().0], rate, name, settings);
            let (child, complaints) = start(command.arg(as_file(scratch)), &programs.ffmpeg, Stdio::piped())?;
            let mut running = Running { child, complaints: Some(complaints) };
            let mut send = running.child.stdin.take();
            let mut put = |frame: &Array3<u8>| {
                let bytes: Vec<u8> = frame.iter().copied().collect();
                // A program that has ended says why below.
                send.as_mut().is_some_and(|pipe| pipe.write_all(&bytes).is_ok())
            };
            let mut is_sent = put(&first);
            for frame_idx in 1..n_frames {
                let now = frame(frame_idx)?;
                checks::same_shape(&mut shape, frame_idx, &now)?;
                is_sent &= put(&now);
                if !is_sent {
                    break;
                }
            }
            drop(send);
            match running.end() {
                (true, _) if is_sent => Ok(()),
                (_, said) => Err(Error::codec("the film", format!("`ffmpeg` failed and said {said}"))
                    .with_remedy("write an animated PNG instead, or install another ffmpeg")),
            }
        })
    };
    attempt().map(|()| Some(name.to_owned())).map_err(|error| error.in_file(path))
}

fn encoder(programs: &Programs, [width, height]: [usize; 2], rate: f64, name: &str, settings: &[&str]) -> Command {
    let mut command = Command::new(&programs.ffmpeg);
    command.args(["-hide_banner", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24"]);
    command.args(["-s", &format!("{width}x{height}"), "-r", &format!("{rate:.6}"), "-i", "pipe:0"]);
    command.args(["-an", "-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-c:v", name]).args(settings);
    command.args(["-pix_fmt", "yuv420p", "-map_metadata", "-1", "-fflags", "+bitexact", "-flags:v", "+bitexact"]);
    command.args(["-movflags", "+faststart", "-f", "mp4"]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_say_how_every_frame_is_asked_for() {
        let of = |text: &str| Version::parsed(&format!("ffmpeg version {text} Copyright (c) 2000-2024"));
        assert_eq!(of("5.1.6-0+deb12u1").number, Some([5, 1]));
        assert_eq!(of("4.4.2-0ubuntu0.22.04.1").every_frame()[0], "-vsync");
        assert_eq!(of("n7.1").every_frame()[0], "-fps_mode");
        assert_eq!(of("N-117000-gabcdef").every_frame()[0], "-fps_mode");
        assert_eq!(Version::parsed("").text, "of unknown version");
    }

    #[test]
    fn complaints_name_no_addresses() {
        let said = "[mov,mp4 @ 0x561916cbde00] moov atom not found\nx.mp4: Invalid data [1]\n";
        assert_eq!(in_words(said), "[mov,mp4] moov atom not found; x.mp4: Invalid data [1]");
    }

    #[test]
    fn a_film_on_its_side_is_turned() {
        let stream = |json: &str| serde_json::from_str::<Stream>(json).expect("fits").size();
        assert_eq!(stream(r#"{"width": 64, "height": 48}"#), [64, 48]);
        assert_eq!(stream(r#"{"width": 64, "height": 48, "side_data_list": [{"rotation": -90}]}"#), [48, 64]);
        assert_eq!(stream(r#"{"width": 64, "height": 48, "tags": {"rotate": "180"}}"#), [64, 48]);
    }
}
