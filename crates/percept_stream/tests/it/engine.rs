//! The engine: what is drawn of what happens.

use std::sync::Arc;

use ndarray::{Array2, s};
use percept_io::film::avi::AviWriter;
use percept_stream::Event;
use percept_stream::controls::Controls;
use percept_stream::engine::{Engine, Run, Summary};
use percept_stream::picture::{Job, Painter};
use percept_stream::settings::{PromptSettings, Settings};

use crate::script::{Memory, Script, block, facts, samples};

fn quick() -> Settings {
    let mut settings = Settings::default();
    settings.picture.steps = 1;
    settings
}

fn run(settings: &Settings, run: Run, events: Vec<Event>, controls: Controls) -> (Memory, Summary) {
    let memory = Memory::default();
    let mut sinks: Vec<Box<dyn percept_stream::engine::Sink>> = vec![Box::new(memory.clone())];
    let painter = Painter::open(settings).expect("the pocket pack");
    let engine = Engine::new(settings, painter, &mut sinks, Arc::new(controls), run);
    let summary = engine.run(Script::new(events)).expect("nothing ends a stream but its end");
    assert!(memory.0.lock().expect("one thread").finished);
    (memory, summary)
}

#[test]
fn trouble_is_counted_and_pictures_go_on() {
    let x = samples(1000, 8);
    let part = |from: usize, to: usize, n: usize| x.slice(s![from..to, ..n]).to_owned();
    let events = vec![
        Event::Value("/before/everything".into(), 1.0),
        block(0, part(0, 10, 8)),
        Event::Facts(facts(8, 100.0)),
        block(0, part(0, 150, 8)),
        Event::Refused("garbage".into()),
        Event::Gap(Some(50)),
        block(200, part(200, 260, 8)),
        Event::Lost("the cable".into()),
        Event::Back,
        block(260, Array2::from_elem((5, 8), f64::NAN)),
        block(265, part(265, 300, 3)),
        block(265, Array2::zeros((0, 8))),
        Event::Facts(facts(3, 200.0)),
        block(300, part(300, 620, 3)),
        Event::Facts(facts(2000, 100.0)),
        block(620, Array2::zeros((9, 2000))),
    ];
    let (memory, summary) = run(&quick(), Run { fast: true, ..Run::default() }, events, Controls::default());
    assert_eq!((summary.gaps, summary.lost, summary.refused, summary.bad_values), (1, 2, 1, 40));
    let seen = memory.0.lock().expect("one thread");
    // One second fills a window; then thirty pictures a second: 35 after 2.15 s at 100 Hz, 19 after 1.6 s at 200 Hz.
    assert_eq!(summary.frames, 35 + 19);
    let numbers: Vec<u64> = seen.pictures.iter().map(|picture| picture.frame.frame_idx).collect();
    assert_eq!(numbers, (0..54).collect::<Vec<_>>());
    assert_eq!(seen.pictures[35].frame.sample_idx, 300 + 199);
    assert!(seen.pictures.windows(2).any(|two| two[0].pixels != two[1].pixels));
    assert_eq!(summary.dropped, 0);
}

#[test]
fn late_frames_are_dropped_and_the_newest_is_drawn() {
    let x = samples(3000, 4);
    let mut events = vec![Event::Facts(facts(4, 1000.0))];
    events.push(block(0, x.slice(s![..2000, ..]).to_owned()));
    events.push(block(2000, x.slice(s![2000.., ..]).to_owned()));
    let (memory, summary) = run(&quick(), Run::default(), events, Controls::default());
    let seen = memory.0.lock().expect("one thread");
    // 61 frames were complete at the end; what was drawn last is the newest of them.
    assert_eq!(summary.frames + summary.dropped, 61);
    assert!(summary.frames <= 3, "{}", summary.frames);
    assert_eq!(seen.pictures.last().map(|picture| picture.frame.frame_idx), Some(60));
}

#[test]
fn paused_streams_draw_nothing_and_drop_nothing_and_blank_ones_are_black() {
    let events = || vec![Event::Facts(facts(4, 100.0)), block(0, samples(150, 4))];
    let paused = Controls::default();
    paused.pause(true);
    let (_, summary) = run(&quick(), Run::default(), events(), paused);
    assert_eq!((summary.frames, summary.dropped), (0, 0));
    let blank = Controls::default();
    blank.blank(true);
    let (memory, summary) = run(&quick(), Run { fast: true, n_frames: Some(3), only: None }, events(), blank);
    assert_eq!(summary.frames, 3);
    let seen = memory.0.lock().expect("one thread");
    assert!(seen.pictures.iter().all(|picture| picture.blank && picture.pixels.iter().all(|value| *value == 0)));
}

#[test]
fn a_pipeline_draws_the_same_pictures_and_prompts_change_them() {
    let mut settings = Settings::default();
    settings.picture.steps = 3;
    let ramp = PromptSettings { text: "a red circle".into(), value: "/mood".into(), from: 0.0, to: 1.0 };
    let draw = |settings: &Settings, weights: &[f32]| {
        let mut painter: Painter<usize> = Painter::open(settings).expect("the pocket pack");
        let mut drawn = Vec::new();
        for tag in 0..5 {
            let latent = percept_core::Seed::new(tag as u64).normal(painter.n_latent());
            drawn.extend(painter.draw(Job { tag, latent, weights: weights.to_vec() }).expect("drawn"));
        }
        while let Some(last) = painter.flush().expect("drawn") {
            drawn.push(last);
        }
        assert!(drawn.iter().map(|one| one.tag).eq(0..5));
        drawn.into_iter().map(|one| one.picture).collect::<Vec<_>>()
    };
    let plain = draw(&settings, &[]);
    settings.picture.pipelined = true;
    // Products of larger matrices are summed in another order: a value may be rounded the other way.
    for (found, expected) in draw(&settings, &[]).iter().zip(&plain) {
        assert!(found.iter().zip(expected).all(|(a, b)| a.abs_diff(*b) <= 1));
    }
    settings.picture.pipelined = false;
    settings.prompt = vec![ramp];
    assert_eq!(draw(&settings, &[0.0]), plain);
    assert_ne!(draw(&settings, &[1.0]), plain);
}

#[test]
fn latents_that_hardly_differ_keep_their_picture() {
    let mut settings = quick();
    settings.picture.skip_below = 0.05;
    let mut painter: Painter<()> = Painter::open(&settings).expect("the pocket pack");
    let mut latent = percept_core::Seed::new(1).normal(painter.n_latent());
    let mut kept = |latent: &[f32]| {
        painter.draw(Job { tag: (), latent: latent.to_vec(), weights: vec![] }).expect("drawn").expect("one").kept
    };
    assert!(!kept(&latent));
    latent[0] += 0.1;
    assert!(kept(&latent));
    for value in &mut latent {
        *value = -*value;
    }
    assert!(!kept(&latent));
}

#[test]
fn a_film_has_every_frame_and_fills_those_that_were_dropped() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("film.avi");
    let mut film = AviWriter::new(&path, [64, 64], 30.0);
    for (frame_idx, jpeg) in [(10, &b"one"[..]), (11, b"two!"), (14, b"three")] {
        film.add(frame_idx, jpeg).expect("written");
    }
    film.close().expect("closed");
    let bytes = std::fs::read(&path).expect("there");
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize;
    assert_eq!(word(4), bytes.len() - 8);
    assert_eq!((word(48), word(140)), (5, 5));
    let index = 220 + word(216);
    assert_eq!(&bytes[index..index + 4], b"idx1");
    let entries = (0..5).map(|i| {
        let at = index + 8 + 16 * i;
        let (offset, length) = (220 + word(at + 8), word(at + 12));
        assert_eq!(&bytes[offset..offset + 4], b"00dc");
        String::from_utf8_lossy(&bytes[offset + 8..offset + 8 + length]).into_owned()
    });
    assert_eq!(entries.collect::<Vec<_>>(), ["one", "two!", "two!", "two!", "three"]);
}
