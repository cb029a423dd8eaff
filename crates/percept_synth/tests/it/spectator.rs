//! A spectator of moving drawings: films on the disk show what was drawn, and what is quick reaches the images smoothed.

use ndarray::{Array2, s};
use percept_core::{Seed, Silent};
use percept_io::film::{At, Film, FilmRequest};
use percept_io::nifti;
use percept_synth::moving::{Movie, MovieParams};
use percept_synth::phantom::Error;
use percept_synth::planted::Drive;
use percept_synth::spectator::{Spectator, SpectatorParams, Stretch, Words, usual_regions};

const SECS: f64 = 40.0;

/// JPEG of the written quality leaves so much of a drawing, mean over all values.
const JPEG: f64 = 4.0;

fn movies() -> Vec<Movie> {
    (0..2).map(|number| Movie::random(Seed::new(4).at(number), SECS, &MovieParams::default())).collect()
}

fn stretches(movies: &[Movie]) -> Vec<Stretch> {
    let words = |movie: &Movie| {
        let of = |shot: &percept_synth::moving::Shot| Words {
            start_secs: shot.start_secs,
            end_secs: shot.end_secs,
            text: shot.description(),
        };
        movie.shots().iter().map(of).collect()
    };
    movies
        .iter()
        .zip([false, true])
        .map(|(movie, is_test)| Stretch { is_test, secs: SECS, words: words(movie) })
        .collect()
}

fn params() -> SpectatorParams {
    SpectatorParams { shape: [12, 14, 10], n_voxels: 420, n_test_showings: 2, ..SpectatorParams::default() }
}

/// Mean colours, and how fast things are: half a second a row.
fn drives(movies: &[Movie]) -> Vec<Drive> {
    let rows = (SECS / 0.5) as usize;
    let colours = |movie: &Movie| {
        let mut out = Array2::<f32>::zeros((rows, 3));
        for (row, mut out) in out.rows_mut().into_iter().enumerate() {
            let frame = movie.frame(0.5 * row as f64 + 0.25);
            for (channel, out) in out.iter_mut().enumerate() {
                *out = frame.slice(s![.., .., channel]).iter().map(|&v| f32::from(v)).sum::<f32>() / 4096.0;
            }
        }
        out
    };
    let speed =
        |movie: &Movie| Array2::from_shape_fn((rows, 1), |(row, _)| movie.shot_at(0.5 * row as f64 + 0.25).speed);
    let of = |name: &str, make: &dyn Fn(&Movie) -> Array2<f32>| Drive {
        name: name.to_owned(),
        runs: movies.iter().map(make).collect(),
    };
    vec![of("colours", &colours), of("speed", &speed)]
}

fn spectator(movies: &[Movie], drives: &[Drive]) -> Result<Spectator, Error> {
    let one = |name: &str| vec![(name.to_owned(), 1.0)];
    let regions = usual_regions(&one("colours"), &one("speed"), &one("colours"));
    Spectator::new(params(), stretches(movies), drives, &["speed"], regions, Seed::new(8))
}

#[test]
fn films_on_the_disk_show_what_was_drawn_and_images_what_was_scanned() {
    let movies = movies();
    let spectator = spectator(&movies, &drives(&movies)).expect("fits");
    let dir = tempfile::tempdir().expect("a folder");
    spectator.write(dir.path(), &|segment, secs| movies[segment].frame(secs), &Silent).expect("written");
    let film = Film::open(dir.path().join("stimuli/test1.avi")).expect("a film");
    assert_eq!((film.info().width, film.info().secs, film.info().frames_per_sec), (64, SECS, 8.0));
    let request = FilmRequest { side: None, at: At::Rate(1.0) };
    for (second, frame) in film.frames(&request).expect("starts").enumerate() {
        let truth = movies[1].frame(second as f64 + 0.5 / 8.0);
        let pairs = frame.expect("whole").into_iter().zip(truth).map(|(a, b)| f64::from(a.abs_diff(b)));
        let mean = pairs.sum::<f64>() / (64.0 * 64.0 * 3.0);
        assert!(mean < JPEG, "second {second} is off by {mean}");
    }
    let bold = nifti::open(dir.path().join("subject1/fmri/test1/mni/test1_2_mni.nii.gz")).expect("images");
    // 40 s and the last frame for 12 s, less the 2 s before recording.
    assert_eq!((bold.header().n_frames, bold.header().tr_secs), (25, Some(2.0)));
    let data = bold.read::<f32>().expect("reads");
    let expected = spectator.bold(1, 1);
    for (number, voxel) in spectator.voxels().iter().enumerate().step_by(17) {
        let [x, y, z] = voxel.planted.index;
        for volume in 0..25 {
            assert!((data[[x, y, z, volume]] - expected[(volume, number)]).abs() <= 0.5);
        }
    }
    let captions = std::fs::read_to_string(dir.path().join("captions.csv")).expect("captions");
    assert!(captions.starts_with("segment,start_secs,end_secs,caption\nseg1,0.000,"), "{captions}");
    let n_shots: usize = movies.iter().map(|movie| movie.shots().len()).sum();
    assert_eq!(captions.lines().count(), 1 + n_shots);
    // Showings share the signal and nothing else.
    let [a, b] = [0, 1].map(|showing| spectator.bold(1, showing));
    assert_ne!(a, b);
    assert_eq!(spectator.signal(1).dim(), a.dim());
}

#[test]
fn the_signal_of_a_session_has_mean_0_and_parts_sum_to_it() {
    let movies = movies();
    let spectator = spectator(&movies, &drives(&movies)).expect("fits");
    let parts = spectator.parts();
    assert_eq!(parts.iter().map(|part| part.drive.as_str()).collect::<Vec<_>>(), ["colours", "speed"]);
    // Two sessions of 64 s.
    assert!(parts.iter().all(|part| part.values.nrows() == 64));
    for voxel in parts[1].voxels.iter().copied().filter(|&voxel| {
        let region = spectator.voxels()[voxel].planted.region.expect("a region");
        spectator.regions()[region].name == "MT"
    }) {
        let column = parts[1].voxels.iter().position(|&own| own == voxel).expect("a column");
        let own = parts[1].values.column(column);
        let mean = own.mean().expect("rows");
        assert!(mean.abs() < 1e-3 * own.iter().fold(0f32, |most, v| most.max(v.abs())), "{mean}");
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let movies = movies();
    let all = drives(&movies);
    let mut short = all.clone();
    short[1].runs[0] = short[1].runs[0].slice(s![1.., ..]).to_owned();
    let words = spectator(&movies, &short).map(drop).expect_err("a row less").to_string();
    assert!(words.contains("drive `speed` has segments of [79, 80] rows, the films need [80, 80]"), "{words}");
    let words = spectator(&movies, &all[..1]).map(drop).expect_err("no speed").to_string();
    assert!(words.contains("`speed`"), "{words}");
    let with = |params: SpectatorParams, secs: f64| {
        let stretch = Stretch { is_test: false, secs, words: Vec::new() };
        Spectator::new(params, vec![stretch], &[], &[], Vec::new(), Seed::new(1))
            .map(drop)
            .expect_err("wrong")
            .to_string()
    };
    for (params, secs, words) in [
        (SpectatorParams { tr_secs: 1.5, ..params() }, 60.0, "`tr_secs` is 1.5 s"),
        (params(), 61.0, "the length of a film is 61 s with volumes of 2 s"),
        (SpectatorParams { n_test_showings: 0, ..params() }, 60.0, "`n_test_showings` is 0"),
        (SpectatorParams { frames_per_sec: f64::NAN, ..params() }, 60.0, "`frames_per_sec` is NaN"),
        (SpectatorParams { subject: 0, ..params() }, 60.0, "`subject` is 0"),
    ] {
        let found = with(params, secs);
        assert!(found.contains(words), "{found}");
    }
}
