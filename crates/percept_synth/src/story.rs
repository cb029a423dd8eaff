//! Films that nobody shot: titles cut into runs, with annotations on five levels by several annotators.
//!
//! A film is a row of scenes; a scene has people, a place, a time of day and an aim. What is said, what is seen, what happens, the
//! summary, and time and place are drawn apart from each other as far as a story allows, so that each level tells something that the
//! others do not. Annotators write of the same events in other words.
//!
//! The five levels and their rhythm are those of Nakagi and others 2024 (EMNLP): speech as it is spoken, objects every second, the
//! story every five seconds, a summary and time and place for every scene.

mod annotation;
mod scenes;
mod sentences;
mod words;

use percept_core::Seed;
use serde::{Deserialize, Serialize};

pub use annotation::{Annotation, Level};
pub use words::vocabulary;

/// The part of a film that is shown in one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FilmRun {
    /// The film's title, a word of letters.
    pub title: String,
    /// Which run of the title, from 1 on.
    pub run: usize,
    /// How long it is.
    pub n_secs: usize,
    /// All annotations, by onset, level and annotator.
    pub annotations: Vec<Annotation>,
}

impl FilmRun {
    /// A run of a film. Runs of one title share their people; everything follows from the seed.
    pub fn random(title: &str, run: usize, n_secs: usize, n_annotators: usize, seed: Seed) -> Self {
        let title_seed = seed.named(title);
        let scenes = scenes::draw(title_seed, title_seed.named("run").at(run as u64), n_secs);
        let mut annotations = sentences::annotate(&scenes, n_annotators, title_seed.named("words").at(run as u64));
        annotations.sort_by(|a, b| {
            a.onset_secs.total_cmp(&b.onset_secs).then((a.level, a.annotator).cmp(&(b.level, b.annotator)))
        });
        Self { title: title.to_owned(), run, n_secs, annotations }
    }

    /// The text of one level and annotator in every second of the run; empty where there is none. Speech stands in every second
    /// during which some of it is spoken.
    pub fn each_second(&self, level: Level, annotator: usize) -> Vec<String> {
        let mut seconds = vec![String::new(); self.n_secs];
        for annotation in self.annotations.iter().filter(|a| a.level == level && a.annotator == annotator) {
            let last = (annotation.end_secs.ceil() as usize).min(self.n_secs);
            for second in &mut seconds[(annotation.onset_secs.floor() as usize).min(last)..last] {
                if !second.is_empty() {
                    second.push(' ');
                }
                second.push_str(&annotation.text);
            }
        }
        seconds
    }

    /// How many annotators wrote on this level.
    pub fn n_annotators(&self, level: Level) -> usize {
        self.annotations.iter().filter(|a| a.level == level).map(|a| a.annotator).max().unwrap_or(0)
    }
}

/// Of a film of `n_secs` that follows from `seed`, everything that is written on each level, in the order of time: what a language
/// model can learn from.
pub fn texts(n_secs: usize, seed: Seed) -> Vec<String> {
    let film = FilmRun::random("film", 1, n_secs, 2, seed);
    let of_level = |level: &Level| {
        let own = film.annotations.iter().filter(|annotation| annotation.level == *level);
        own.map(|annotation| annotation.text.as_str()).collect::<Vec<_>>().join(" ")
    };
    Level::ALL.iter().map(of_level).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn run() -> FilmRun {
        FilmRun::random("lighthouse", 1, 300, 3, Seed::new(4))
    }

    #[test]
    fn every_level_has_its_rhythm_and_its_annotators() {
        let run = run();
        assert_eq!(run, FilmRun::random("lighthouse", 1, 300, 3, Seed::new(4)));
        assert_ne!(run.annotations, FilmRun::random("lighthouse", 2, 300, 3, Seed::new(4)).annotations);
        for level in Level::ALL {
            assert_eq!(run.n_annotators(level), if level == Level::Speech { 1 } else { 3 });
            let filled = run.each_second(level, 1).iter().filter(|text| !text.is_empty()).count();
            assert!(
                if level == Level::Speech { (90..290).contains(&filled) } else { filled == 300 },
                "{level:?} {filled}"
            );
        }
        for annotation in &run.annotations {
            let secs = annotation.end_secs - annotation.onset_secs;
            let expected = match annotation.level {
                Level::Speech => 0.5..6.0,
                Level::Object => 0.99..1.01,
                Level::Story => 0.99..5.01,
                Level::Summary | Level::TimePlace => 9.0..90.0,
            };
            assert!(expected.contains(&secs) && annotation.end_secs <= 300.0, "{annotation:?}");
        }
    }

    #[test]
    fn annotators_write_of_the_same_in_other_words() {
        let run = run();
        let (a, b) = (run.each_second(Level::Story, 1), run.each_second(Level::Story, 2));
        let differ = a.iter().zip(&b).filter(|(a, b)| a != b).count();
        // They choose their words apart: in about half of the seconds these differ.
        assert!((60..240).contains(&differ), "{differ}");
    }

    #[test]
    fn all_words_are_in_the_vocabulary() {
        let words: BTreeSet<String> = vocabulary().into_iter().collect();
        for seed in 0..20 {
            for annotation in FilmRun::random("texts", 1, 200, 2, Seed::new(seed)).annotations {
                for word in annotation.text.split(' ') {
                    assert!(words.contains(word), "`{word}` in `{}`", annotation.text);
                }
            }
        }
        assert!(words.len() < 600, "{}", words.len());
    }
}
