//! Films that are read without other programs: against Pillow, round trips, odd and damaged files.

use std::path::Path;

use ndarray::{Array3, Array4, Axis, s};
use percept_io::film::avi::{AviWriter, write_avi};
use percept_io::film::{At, Film, FilmOptions, FilmRequest, encode_apng, square, write_apng};
use percept_io::fs::Source;
use percept_io::{npz, picture};
use percept_testing::Hostile;

use crate::fixture;

/// Decoders of JPEG round their transforms differently.
const JPEG: u8 = 4;
/// ffmpeg rounds colours that shine through otherwise, a unit on each of several layers.
const MIXED: u8 = 3;

pub(crate) const EVERY: FilmRequest<'static> = FilmRequest { side: None, at: At::Every };

pub(crate) fn expected(name: &str) -> Array4<u8> {
    let mut values = npz::open(fixture::path("film/values.npz")).expect("the fixture");
    let array = values.array(name).expect(name).read().expect(name);
    array.into_dimensionality().expect("frames")
}

pub(crate) fn seconds(name: &str) -> Vec<f64> {
    let all = fixture::json("film/expected.json");
    all[name].as_array().expect("a list").iter().map(|secs| secs.as_f64().expect("a number")).collect()
}

pub(crate) fn all(film: &Film) -> Vec<Array3<u8>> {
    film.frames(&EVERY).expect("starts").collect::<Result<_, _>>().expect("frames")
}

pub(crate) fn furthest(ours: &[Array3<u8>], truth: &Array4<u8>, name: &str) -> u8 {
    assert_eq!(ours.len(), truth.len_of(Axis(0)), "{name}");
    let pairs = ours.iter().zip(truth.outer_iter());
    let differences = pairs.flat_map(|(own, truth)| {
        assert_eq!(own.dim(), truth.dim(), "{name}");
        own.iter().zip(truth).map(|(a, b)| a.abs_diff(*b)).collect::<Vec<_>>()
    });
    differences.max().unwrap_or(0)
}

/// Something that moves over something that does not.
pub(crate) fn moving(number: usize) -> Array3<u8> {
    Array3::from_shape_fn((20, 30, 3), |(y, x, c)| {
        let is_inside = (number..number + 6).contains(&x) && (4..9).contains(&y);
        if is_inside { [250, 90, 10][c] } else { (5 * x + 3 * y + 20 * c) as u8 }
    })
}

#[test]
fn animated_png_is_shown_as_pillow_and_ffmpeg_show_it() {
    for name in ["plain.png", "grey.png", "palette.png", "layers.png", "cover.png", "mixed.png"] {
        let film = Film::open(fixture::path(&format!("film/{name}"))).expect(name);
        let (info, delays) = (film.info(), seconds(name));
        assert_eq!((info.width, info.height, info.n_frames, info.how.as_str()), (24, 18, delays.len(), "animated PNG"));
        assert!(info.notes.is_empty(), "{name}: {:?}", info.notes);
        assert!((info.secs - delays.iter().sum::<f64>()).abs() < 1e-9, "{name}: {}", info.secs);
        for (number, start) in film.starts().iter().enumerate() {
            assert!((start - delays[..number].iter().sum::<f64>()).abs() < 1e-9, "{name}: frame {number} at {start}");
        }
        let allowed = if name == "mixed.png" { MIXED } else { 0 };
        let worst = furthest(&all(&film), &expected(name), name);
        assert!(worst <= allowed, "{name} is off by {worst}");
    }
}

#[test]
fn an_avi_with_sound_has_the_frames_that_pillow_decodes() {
    let film = Film::open(fixture::path("film/sound.avi")).expect("an AVI");
    let info = film.info();
    assert_eq!((info.width, info.height, info.n_frames, info.how.as_str()), (48, 32, 10, "AVI of JPEG"));
    assert_eq!((info.frames_per_sec, info.secs, info.notes.len()), (10.0, 1.0, 0));
    let worst = furthest(&all(&film), &expected("sound.avi"), "sound.avi");
    assert!(worst <= JPEG, "off by {worst}");
}

#[test]
fn frames_without_tables_as_cameras_send_them_are_read_by_the_usual_ones() {
    let bytes = fixture::bytes("film/sound.avi");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bare.avi");
    let mut bare = AviWriter::new(&path, [48, 32], 10.0);
    let index = bytes.windows(4).rposition(|word| word == b"idx1").expect("an index");
    let list = bytes.windows(4).position(|word| word == b"movi").expect("a list of frames");
    let starts: Vec<usize> = (list..index).filter(|&at| &bytes[at..at + 4] == b"00dc").collect();
    assert_eq!(starts.len(), 10);
    for (number, at) in starts.into_iter().enumerate() {
        let length = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().expect("four bytes")) as usize;
        let mut jpeg = bytes[at + 8..at + 8 + length].to_vec();
        while let Some(table) = jpeg.windows(2).position(|mark| mark == [0xff, 0xc4]) {
            let length = usize::from(u16::from_be_bytes([jpeg[table + 2], jpeg[table + 3]]));
            jpeg.drain(table..table + 2 + length);
        }
        picture::decode(&jpeg).expect_err("no tables");
        bare.add(number as u64, &jpeg).expect("written");
    }
    bare.close().expect("written");
    let whole = all(&Film::open(fixture::path("film/sound.avi")).expect("a film"));
    assert_eq!(all(&Film::open(&path).expect("a film")), whole);
}

#[test]
fn a_frame_is_the_last_that_began_before_its_time() {
    let film = Film::open(fixture::path("film/grey.png")).expect("a film");
    let whole = all(&film);
    // Frames begin at 0, 0.1, 0.3, 0.35 and 0.45 s; the last ends at 0.7 s.
    let times = [0.0, 0.05, 0.1, 0.29, 0.3, 0.46, 0.46, 0.7];
    let request = FilmRequest { side: None, at: At::Secs(&times) };
    let shown: Vec<_> = film.frames(&request).expect("starts").collect::<Result<_, _>>().expect("frames");
    let numbers = [0, 0, 1, 1, 2, 4, 4, 4];
    for ((frame, number), time) in shown.iter().zip(numbers).zip(times) {
        assert_eq!(*frame, whole[number], "second {time}");
    }
    let request = FilmRequest { side: Some(6), at: At::Rate(10.0) };
    let shown: Vec<_> = film.frames(&request).expect("starts").collect::<Result<_, _>>().expect("frames");
    assert_eq!(shown.len(), 7);
    for (frame, number) in shown.iter().zip([0, 1, 1, 2, 3, 4, 4]) {
        assert_eq!(*frame, square(whole[number].view(), 6));
    }
    for (at, words) in [
        (At::Secs(&[0.0, 0.71]), "a time is 0.71 s, but 0 to 0.700 s was asked for"),
        (At::Secs(&[0.2, 0.1]), "second 0.1 after second 0.2"),
        (At::Secs(&[f64::NAN]), "a time is NaN s"),
        (At::Secs(&[-0.1]), "a time is -0.1 s"),
        (At::Rate(0.0), "the number of frames a second is 0"),
    ] {
        let error = film.frames(&FilmRequest { side: None, at }).map(drop).expect_err(words).to_string();
        assert!(error.contains(words) && error.contains("grey.png"), "{error}");
    }
}

#[test]
fn an_avi_comes_back_as_its_jpeg_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("film.avi");
    write_avi(&path, 12, 12.5, 90, |number| Ok(moving(number))).expect("written");
    let film = Film::open(&path).expect("read");
    let info = film.info();
    assert_eq!((info.width, info.height, info.n_frames, info.frames_per_sec), (30, 20, 12, 12.5));
    for (number, frame) in all(&film).iter().enumerate() {
        let jpeg = picture::encode_jpeg(moving(number).view(), 90).expect("encoded");
        assert_eq!(*frame, picture::decode(&jpeg).expect("decoded"), "frame {number}");
    }
    // A film whose writer was killed has neither lengths nor an index.
    let (live, jpeg) = (folder.path().join("live.avi"), picture::encode_jpeg(moving(0).view(), 90).expect("encoded"));
    let mut writer = AviWriter::new(&live, [30, 20], 25.0);
    writer.add(0, &jpeg).expect("written");
    writer.add(3, &jpeg).expect("written");
    std::mem::forget(writer);
    let film = Film::open(&live).expect("read");
    assert_eq!((film.info().n_frames, film.info().notes.len()), (4, 0));
}

#[test]
fn an_avi_that_lies_is_read_as_far_as_it_goes_and_that_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("film.avi");
    write_avi(&path, 5, 10.0, 90, |number| Ok(moving(number))).expect("written");
    let whole = std::fs::read(&path).expect("there");
    let frames = all(&Film::open(&path).expect("read"));
    let film = |bytes: &[u8]| Film::from_source(&Source::from_bytes(bytes));
    let chunk = whole.windows(4).rposition(|word| word == b"00dc").expect("an index");
    let last = whole[..chunk - 8].windows(4).rposition(|word| word == b"00dc");
    // Within the last frame: it is left out.
    let index = whole.windows(4).rposition(|word| word == b"idx1").expect("an index");
    let cut = film(&whole[..index - 10]).expect("four frames");
    assert_eq!(cut.info().notes, ["the file ends inside frame 4", "the head says 5 frames, there are 4"]);
    assert_eq!(all(&cut), frames[..4]);
    assert!(last.is_some());
    // A head that counts wrongly, has another size, or no rate.
    let mut liar = whole.clone();
    liar[48] = 99;
    liar[64] = 77;
    let read = film(&liar).expect("read");
    let notes = ["the head says 99 frames, there are 5", "the head says 77 × 20 pixels, the first frame has 30 × 20"];
    assert_eq!(read.info().notes[0], notes[0]);
    // The size of a frame stands in the format of the stream.
    let format = whole.windows(4).position(|word| word == b"strf").expect("a format") + 12;
    liar[format] = 77;
    assert_eq!(film(&liar).expect("read").info().notes, notes);
    let stream = whole.windows(4).position(|word| word == b"strh").expect("a stream");
    liar[stream + 8 + 20..stream + 8 + 28].fill(0);
    assert_eq!(film(&liar).expect("the rate of the file").info().frames_per_sec, 10.0);
    liar[32..36].fill(0);
    let words = film(&liar).expect_err("no rate").to_string();
    assert!(words.contains("the number of frames a second is NaN by the stream and inf by the file"), "{words}");
}

#[test]
fn an_empty_chunk_of_an_avi_shows_the_frame_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("film.avi");
    write_avi(&path, 2, 10.0, 90, |number| Ok(moving(number))).expect("written");
    let mut bytes = std::fs::read(&path).expect("there");
    let index = bytes.windows(4).rposition(|word| word == b"idx1").expect("an index");
    bytes.truncate(index);
    bytes.extend(b"00dc\0\0\0\0");
    let length = (bytes.len() - 220) as u32;
    bytes[216..220].copy_from_slice(&length.to_le_bytes());
    let film = Film::from_source(&Source::from_bytes(bytes)).expect("read");
    let frames = all(&film);
    assert_eq!((frames.len(), &frames[2]), (3, &frames[1]));
}

#[test]
fn an_animated_png_comes_back_bit_for_bit_and_is_small_where_little_moves() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("film.png");
    write_apng(&path, 24, 8.0, 0, |number| Ok(moving(number / 2))).expect("written");
    let film = Film::open(&path).expect("read");
    let info = film.info();
    assert_eq!((info.width, info.height, info.n_frames, info.notes.len()), (30, 20, 24, 0));
    assert!((info.frames_per_sec - 8.0).abs() < 1e-9 && (info.secs - 3.0).abs() < 1e-9);
    for (number, frame) in all(&film).iter().enumerate() {
        assert_eq!(*frame, moving(number / 2), "frame {number}");
    }
    let (mut again, mut still) = (Vec::new(), Vec::new());
    encode_apng(&mut again, 24, 8.0, 0, |number| Ok(moving(number / 2))).expect("encoded");
    assert_eq!(again, std::fs::read(&path).expect("there"));
    encode_apng(&mut still, 1, 8.0, 0, |_| Ok(moving(0))).expect("encoded");
    assert!(2 * again.len() < 24 * still.len(), "{} bytes for 24 frames, {} for one", again.len(), still.len());
    // What programs that know no films show is the first frame.
    assert_eq!(picture::read(&path).expect("a picture"), moving(0));
}

#[test]
fn what_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("film");
    let shapes = |number: usize| Ok(Array3::zeros((4 + number, 4, 3)));
    for (result, words) in [
        (write_avi(&path, 2, 8.0, 90, shapes), "the shape of frame 1 is (5, 4, 3), but (4, 4, 3)"),
        (write_apng(&path, 2, 8.0, 0, shapes), "the shape of frame 1 is (5, 4, 3), but (4, 4, 3)"),
        (write_avi(&path, 0, 8.0, 90, shapes), "the film is none"),
        (write_apng(&path, 0, 8.0, 0, shapes), "the number of frames is 0"),
        (write_apng(&path, 1, f64::INFINITY, 0, shapes), "the number of frames a second is inf"),
        (write_avi(&path, 1, 8.0, 90, |_| Ok(Array3::zeros((0, 4, 3)))), "the shape of frame 0 is (0, 4, 3)"),
    ] {
        let error = result.expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
        assert!(std::fs::read_dir(folder.path()).expect("a folder").next().is_none(), "{words}: something is left");
    }
}

#[test]
fn a_folder_of_frames_needs_a_rate_and_says_what_is_missing() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |number: usize| {
        let path = folder.path().join(format!("f{number:03}.png"));
        picture::write_png(path, moving(number).view()).expect("written");
    };
    [3, 4, 7].into_iter().for_each(write);
    std::fs::write(folder.path().join("notes.txt"), "x").expect("written");
    let words = Film::open(folder.path()).expect_err("no rate").to_string();
    assert!(words.contains("the folder of frames is without one, but a rate was asked for"), "{words}");
    let options = FilmOptions { frames_per_sec: Some(2.0), ..FilmOptions::default() };
    let film = Film::open_with(folder.path(), &options).expect("a film");
    assert_eq!(film.info().notes, ["2 of the frames 3 to 7 are missing, the first is 5"]);
    assert_eq!((film.info().n_frames, film.info().secs, film.info().how.as_str()), (5, 2.5, "folder of pictures"));
    let frames = all(&film);
    for (frame, number) in frames.iter().zip([3, 4, 4, 4, 7]) {
        assert_eq!(*frame, moving(number));
    }
    picture::write_png(folder.path().join("g0004.png"), moving(1).view()).expect("written");
    let words = Film::open_with(folder.path(), &options).expect_err("two films").to_string();
    assert!(words.contains("`f004.png` and `g0004.png`"), "{words}");
    std::fs::remove_file(folder.path().join("g0004.png")).expect("removed");
    picture::write_png(folder.path().join("f009.png"), moving(1).slice(s![..10, .., ..])).expect("written");
    let film = Film::open_with(folder.path(), &options).expect("a film");
    let last = film.frames(&EVERY).expect("starts").last().expect("an end").expect_err("another size").to_string();
    assert!(last.contains("the size of frame 6 is 30 × 10, but 30 × 20 was asked for"), "{last}");
}

#[test]
fn what_is_no_film_is_named() {
    let still = fixture::path("film/../picture");
    let png = std::fs::read_dir(still).expect("pictures").map(|entry| entry.expect("an entry").path());
    let png = png.into_iter().find(|path| path.extension().is_some_and(|end| end == "png")).expect("a PNG");
    let words = Film::open(&png).expect_err("a picture").to_string();
    assert!(words.contains("is a still picture, but a film was asked for"), "{words}");
    let rated = FilmOptions { frames_per_sec: Some(3.0), ..FilmOptions::default() };
    let words = Film::open_with(fixture::path("film/plain.png"), &rated).expect_err("it has a rate").to_string();
    assert!(words.contains("leave the rate out"), "{words}");
    Film::open(Path::new("/there/is/none.avi")).expect_err("no file");
}

/// Reads everything, as a film would be.
fn everything(bytes: &[u8]) -> percept_io::Result<usize> {
    let film = Film::from_source(&Source::from_bytes(bytes))?;
    let mut n = 0;
    for frame in film.frames(&EVERY)? {
        frame?;
        n += 1;
    }
    Ok(n)
}

#[test]
fn damaged_films_are_refused_or_read_in_little_memory() {
    let mut small = Vec::new();
    encode_apng(&mut small, 4, 8.0, 0, |number| Ok(moving(number))).expect("encoded");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("film.avi");
    write_avi(&path, 3, 10.0, 70, |number| Ok(moving(number))).expect("written");
    let avi = std::fs::read(&path).expect("there");
    for (name, bytes) in [("png", small), ("avi", avi), ("layers", fixture::bytes("film/layers.png"))] {
        let trial = Hostile::new(&bytes).prefixes(600).mutations(1500).memory_limit(48 << 20).prefixes_may_pass();
        let outcome = trial.check(everything);
        assert!(outcome.n_refused > 300, "{name}: {outcome:?}");
    }
}

#[test]
fn an_animated_png_that_is_cut_shows_its_whole_frames() {
    let mut bytes = Vec::new();
    encode_apng(&mut bytes, 4, 8.0, 0, |number| Ok(moving(number))).expect("encoded");
    let film = Film::from_source(&Source::from_bytes(&bytes[..bytes.len() - 20])).expect("three frames");
    assert_eq!(film.info().notes, ["the file ends inside frame 3", "the head says 4 frames, there are 3"]);
    let frames = all(&film);
    assert_eq!((frames.len(), &frames[2]), (3, &moving(2)));
}

#[test]
fn a_long_film_lies_in_memory_a_frame_at_a_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let (avi, png) = (folder.path().join("long.avi"), folder.path().join("long.png"));
    write_avi(&avi, 3000, 30.0, 60, |number| Ok(moving(number % 20))).expect("written");
    write_apng(&png, 3000, 30.0, 0, |number| Ok(moving(number % 20))).expect("written");
    for path in [avi, png] {
        let used = allocation_counter::measure(|| {
            let film = Film::open(&path).expect("a film");
            let n = film.frames(&EVERY).expect("starts").flatten().count();
            assert_eq!((n, film.info().secs.round()), (3000, 100.0));
        });
        // All frames would be 5.4 MB; times and places of 3000 frames are 0.1 MB.
        assert!(used.bytes_max < 3 << 20, "{}: {} bytes at once", path.display(), used.bytes_max);
    }
}
