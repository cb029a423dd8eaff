//! Tunes in words: templates over a small vocabulary. Every caption names all four tags; wording says nothing else about the tune.

use percept_core::Seed;
use percept_core::seed::Stream;
use rand::Rng;

use super::{Genre, Instrument, Mood, Tempo, Tune};

/// Captions of every tune.
pub const N_TUNE_CAPTIONS: usize = 5;

const TEMPLATES: &[&str] = &[
    "a {tempo} {mood} {genre} played by {instrument}",
    "{instrument} playing a {mood} {genre} at a {tempo} tempo",
    "a {mood} {genre} with {instrument} , {tempo}",
    "{tempo} {genre} music for {instrument} , {mood} in mood",
    "this is a {genre} : {instrument} , {tempo} and {mood}",
    "{mood} music , a {tempo} {genre} with {instrument}",
];

fn genres(genre: Genre) -> &'static [&'static str] {
    match genre {
        Genre::Waltz => &["waltz", "dance in three"],
        Genre::March => &["march", "marching tune"],
        Genre::Ballad => &["ballad", "love song"],
        Genre::Techno => &["techno", "electronic dance"],
        Genre::Swing => &["swing", "jazz dance"],
        Genre::Samba => &["samba", "latin dance"],
        Genre::Ska => &["ska", "reggae tune"],
        Genre::Rock => &["rock", "rock song"],
        Genre::Lullaby => &["lullaby", "cradle song"],
        Genre::Fanfare => &["fanfare", "solemn signal"],
    }
}

fn instruments(instrument: Instrument) -> &'static [&'static str] {
    match instrument {
        Instrument::Piano => &["a piano", "piano"],
        Instrument::Organ => &["an organ", "organ"],
        Instrument::Flute => &["a flute", "flute"],
        Instrument::Strings => &["strings", "violins"],
        Instrument::Guitar => &["a guitar", "guitar"],
        Instrument::Bells => &["bells", "a glockenspiel"],
        Instrument::Trumpet => &["a trumpet", "trumpet"],
        Instrument::Synth => &["a synth", "synthesizer"],
    }
}

fn tempi(tempo: Tempo) -> &'static [&'static str] {
    match tempo {
        Tempo::Slow => &["slow", "unhurried"],
        Tempo::Medium => &["medium", "moderate"],
        Tempo::Fast => &["fast", "quick"],
    }
}

fn moods(mood: Mood) -> &'static [&'static str] {
    match mood {
        Mood::Happy => &["happy", "cheerful"],
        Mood::Sad => &["sad", "gloomy"],
        Mood::Calm => &["calm", "peaceful"],
        Mood::Tense => &["tense", "uneasy"],
    }
}

fn pick(stream: &mut Stream, of: &[&'static str]) -> &'static str {
    of[stream.random_range(0..of.len() as u32) as usize]
}

pub(super) fn captions(tune: &Tune, seed: Seed) -> [String; N_TUNE_CAPTIONS] {
    std::array::from_fn(|number| {
        let stream = &mut seed.named("caption").at(number as u64).stream();
        pick(stream, TEMPLATES)
            .replace("{genre}", pick(stream, genres(tune.genre)))
            .replace("{instrument}", pick(stream, instruments(tune.instrument)))
            .replace("{tempo}", pick(stream, tempi(tune.tempo)))
            .replace("{mood}", pick(stream, moods(tune.mood)))
    })
}

/// Every word of every caption, sorted.
pub fn tune_vocabulary() -> Vec<String> {
    let phrases = (TEMPLATES.iter().copied())
        .chain(Genre::ALL.iter().flat_map(|&genre| genres(genre)).copied())
        .chain(Instrument::ALL.iter().flat_map(|&instrument| instruments(instrument)).copied())
        .chain(Tempo::ALL.iter().flat_map(|&tempo| tempi(tempo)).copied())
        .chain(Mood::ALL.iter().flat_map(|&mood| moods(mood)).copied());
    let mut words: Vec<String> =
        phrases.flat_map(str::split_whitespace).filter(|word| !word.starts_with('{')).map(str::to_owned).collect();
    words.sort_unstable();
    words.dedup();
    words
}
