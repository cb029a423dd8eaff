//! What happens in a film, put into words by several annotators.

use percept_core::Seed;
use rand::Rng;

use super::annotation::{Annotation, Level};
use super::scenes::{BEAT_SECS, Line, Scene, Thing};
use super::words;

/// All annotations of some scenes.
pub(super) fn annotate(scenes: &[Scene], n_annotators: usize, seed: Seed) -> Vec<Annotation> {
    let mut annotations = Vec::new();
    for (number, scene) in scenes.iter().enumerate() {
        for &(onset_secs, end_secs, line) in &scene.lines {
            annotations.push(Annotation {
                level: Level::Speech,
                annotator: 1,
                onset_secs,
                end_secs,
                text: spoken(line),
            });
        }
        for annotator in 1..=n_annotators {
            // Some like the other words better than others do.
            let mut choice = seed.at(number as u64).at(annotator as u64).stream();
            let liking = seed.named("liking").at(annotator as u64).stream().random_range(0.2..0.8);
            let mut again = || choice.random_bool(liking);
            let mut add = |level, from: usize, to: usize, text: String| {
                let (onset_secs, end_secs) = (from as f64, to as f64);
                annotations.push(Annotation { level, annotator, onset_secs, end_secs, text });
            };
            add(Level::TimePlace, scene.start, scene.end, time_and_place(scene, again(), again()));
            add(Level::Summary, scene.start, scene.end, summary(scene, again(), again()));
            for (beat, deed) in scene.beats.iter().enumerate() {
                let from = scene.start + beat * BEAT_SECS;
                add(Level::Story, from, (from + BEAT_SECS).min(scene.end), happening(*deed, again()));
            }
            for (second, view) in scene.views.iter().enumerate() {
                let from = scene.start + second;
                add(Level::Object, from, from + 1, seen(*view, again()));
            }
        }
    }
    annotations
}

fn spoken(line: Line) -> String {
    match line {
        Line::About { line, topic } => words::LINES[line].replace("{topic}", words::TOPICS[topic]),
        Line::Reply(reply) => words::REPLIES[reply].to_owned(),
    }
}

fn time_and_place(scene: &Scene, time_again: bool, place_again: bool) -> String {
    let time = if time_again { words::TIMES_AGAIN } else { words::TIMES }[scene.time];
    let place = if place_again { words::SETTINGS_AGAIN } else { words::SETTINGS }[scene.setting];
    if time_again { format!("this scene plays {place} {time}") } else { format!("{time} {place}") }
}

fn summary(scene: &Scene, aim_again: bool, end_again: bool) -> String {
    let aim = if aim_again { words::AIMS_AGAIN } else { words::AIMS }[scene.aim];
    let aim = aim.replace("{treasure}", words::TREASURES[scene.treasure]);
    let end = if end_again { words::ENDS_AGAIN } else { words::ENDS }[scene.outcome];
    let (hero, friend) = (words::NAMES[scene.hero], words::NAMES[scene.friend]);
    format!("{hero} tries to {aim} with {friend} but {end}")
}

fn happening([who, deed, whom]: [usize; 3], again: bool) -> String {
    let deed = if again { words::DEEDS_AGAIN } else { words::DEEDS }[deed];
    format!("{} {}", words::NAMES[who], deed.replace("{other}", words::NAMES[whom]))
}

fn seen([a, b]: [Thing; 2], again: bool) -> String {
    let name = |thing: Thing| {
        let (size, color) = (words::SIZES[thing.size], words::COLORS[thing.color]);
        format!("a {size} {color} {} {}", words::THINGS[thing.kind], words::SPOTS[thing.spot])
    };
    if again { format!("one sees {} and {}", name(b), name(a)) } else { format!("{} and {}", name(a), name(b)) }
}
