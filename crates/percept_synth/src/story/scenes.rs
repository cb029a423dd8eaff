//! What happens in a film, before anybody has put it into words: numbers of words and times.

use percept_core::Seed;
use percept_core::seed::{Stream, permutation};
use rand::Rng;

use super::words;

/// People of a title.
const CAST: usize = 4;
/// Shortest and longest scene, seconds.
const SCENE_SECS: [usize; 2] = [24, 60];
/// One event of the story.
pub(super) const BEAT_SECS: usize = 5;
/// The chance that one of the two things in the picture changes in a second.
const CHANGE: f64 = 0.35;

/// A scene: numbers point into the lists of [`words`].
pub(super) struct Scene {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) setting: usize,
    pub(super) time: usize,
    pub(super) hero: usize,
    pub(super) friend: usize,
    pub(super) aim: usize,
    pub(super) treasure: usize,
    pub(super) outcome: usize,
    /// Who does what to whom, one for each [`BEAT_SECS`].
    pub(super) beats: Vec<[usize; 3]>,
    /// The things in the picture in each second.
    pub(super) views: Vec<[Thing; 2]>,
    /// What is said: onset and end in seconds of the run, a line and its topic, or a reply.
    pub(super) lines: Vec<(f64, f64, Line)>,
}

/// A thing in the picture.
#[derive(Clone, Copy)]
pub(super) struct Thing {
    pub(super) kind: usize,
    pub(super) color: usize,
    pub(super) size: usize,
    pub(super) spot: usize,
}

/// Something that is said.
#[derive(Clone, Copy)]
pub(super) enum Line {
    About { line: usize, topic: usize },
    Reply(usize),
}

fn below(stream: &mut Stream, n: usize) -> usize {
    stream.random_range(0..n as u64) as usize
}

/// The scenes of a run with the people of its title.
pub(super) fn draw(title: Seed, run: Seed, n_secs: usize) -> Vec<Scene> {
    let mut cast = permutation(title.named("cast"), words::NAMES.len());
    cast.truncate(CAST);
    let mut stream = run.named("scenes").stream();
    let mut scenes = Vec::new();
    let mut start = 0;
    while start < n_secs {
        let length = SCENE_SECS[0] + below(&mut stream, SCENE_SECS[1] - SCENE_SECS[0] + 1);
        // What is left must be a scene of its own, or belongs to this one.
        let end = if start + length + SCENE_SECS[0] > n_secs { n_secs } else { start + length };
        scenes.push(scene(&cast, run.at(scenes.len() as u64), start, end));
        start = end;
    }
    scenes
}

fn scene(cast: &[usize], seed: Seed, start: usize, end: usize) -> Scene {
    let mut stream = seed.named("frame").stream();
    let hero = below(&mut stream, cast.len());
    let friend = (hero + 1 + below(&mut stream, cast.len() - 1)) % cast.len();
    let n_secs = end - start;
    Scene {
        start,
        end,
        setting: below(&mut stream, words::SETTINGS.len()),
        time: below(&mut stream, words::TIMES.len()),
        hero: cast[hero],
        friend: cast[friend],
        aim: below(&mut stream, words::AIMS.len()),
        treasure: below(&mut stream, words::TREASURES.len()),
        outcome: below(&mut stream, words::ENDS.len()),
        beats: beats(cast, seed.named("beats"), n_secs.div_ceil(BEAT_SECS)),
        views: views(seed.named("views"), n_secs),
        lines: lines(seed.named("lines"), start as f64, end as f64),
    }
}

fn beats(cast: &[usize], seed: Seed, n: usize) -> Vec<[usize; 3]> {
    let mut stream = seed.stream();
    (0..n)
        .map(|_| {
            let who = below(&mut stream, cast.len());
            let whom = (who + 1 + below(&mut stream, cast.len() - 1)) % cast.len();
            [cast[who], below(&mut stream, words::DEEDS.len()), cast[whom]]
        })
        .collect()
}

fn views(seed: Seed, n_secs: usize) -> Vec<[Thing; 2]> {
    let mut stream = seed.stream();
    let thing = |stream: &mut Stream| Thing {
        kind: below(stream, words::THINGS.len()),
        color: below(stream, words::COLORS.len()),
        size: below(stream, words::SIZES.len()),
        spot: below(stream, words::SPOTS.len()),
    };
    let mut now = [thing(&mut stream), thing(&mut stream)];
    (0..n_secs)
        .map(|_| {
            if stream.random_bool(CHANGE) {
                now[below(&mut stream, 2)] = thing(&mut stream);
            }
            now
        })
        .collect()
}

fn lines(seed: Seed, start: f64, end: f64) -> Vec<(f64, f64, Line)> {
    let mut stream = seed.stream();
    let mut lines = Vec::new();
    let mut now = start + stream.random_range(0.0..4.0);
    loop {
        let (length, line) = if stream.random_bool(0.7) {
            let line = Line::About {
                line: below(&mut stream, words::LINES.len()),
                topic: below(&mut stream, words::TOPICS.len()),
            };
            (stream.random_range(1.8..3.6), line)
        } else {
            (stream.random_range(0.6..1.4), Line::Reply(below(&mut stream, words::REPLIES.len())))
        };
        if now + length > end {
            return lines;
        }
        // Milliseconds are enough, and short to write.
        let milli = |secs: f64| (secs * 1e3).round() / 1e3;
        lines.push((milli(now), milli(now + length), line));
        // Mostly the next line follows at once; sometimes nobody speaks for a while.
        now += length
            + if stream.random_bool(0.25) { stream.random_range(3.0..9.0) } else { stream.random_range(0.2..1.2) };
    }
}
