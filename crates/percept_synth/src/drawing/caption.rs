//! Words for drawings: templates over a vocabulary small enough to be learnt from the drawings alone.
//!
//! Every caption of a scene names object and colour; all but [`BRIEF_SHARE`] of them name size, place, background and time
//! too. Wording carries no information about the picture beyond its description.

use percept_core::Seed;
use percept_core::seed::Stream;
use rand::Rng;

use super::figure::{Figure, Frequency, Glyph, Orientation, Outline, Polarity, Shape};
use super::scene::Scene;
use super::size::N_CAPTIONS;
use super::words::{Background, Color, Object, Place, Size, Time};

/// Share of captions of scenes that name only object, colour and one more attribute.
const BRIEF_SHARE: f64 = 0.04;

const FULL: &[&str] = &[
    "a {size} {color} {object} {place} {background} {time}",
    "a {size} {color} {object} {background} {place} {time}",
    "{time} a {size} {color} {object} stands {place} {background}",
    "{place} {background} there is a {size} {color} {object} {time}",
    "{background} {time} there is a {size} {color} {object} {place}",
    "a picture of a {size} {color} {object} {place} {background} {time}",
    "a drawing of a {size} {color} {object} {time} {place} {background}",
    "the {color} {object} is {size} and stands {place} {background} {time}",
    "the {object} is {color} and {size} {place} {background} {time}",
];
const BRIEF: &[&str] = &[
    "a {color} {object} {background}",
    "a {color} {object} {time}",
    "a {size} {color} {object}",
    "a {color} {object} {place}",
];

const DRAWN: &[&str] = &[
    "{the} {shape} {ink} on {paper}",
    "a {ink} {shape} on {paper}",
    "a picture of a {ink} {shape} on {paper}",
    "a drawing of a {ink} {shape} on a {paper} background",
    "there is a {ink} {shape} on a {paper} background",
    "on {paper} there is a {ink} {shape}",
];
const PATTERN: &[&str] = &[
    "a {shape} with {ink} in the center",
    "a picture of a {shape} with {ink} in the center",
    "a drawing of a {shape} with {ink} in the middle",
    "a {shape} in black and white with {ink} in the middle",
    "there is a {shape} in black and white with {ink} in the center",
];

fn sizes(size: Size) -> &'static [&'static str] {
    match size {
        Size::Small => &["small", "little", "tiny"],
        Size::Large => &["large", "big", "huge"],
    }
}

fn places(place: Place) -> &'static [&'static str] {
    match place {
        Place::Left => &["on the left", "at the left", "on the left side"],
        Place::Middle => &["in the middle", "in the center"],
        Place::Right => &["on the right", "at the right", "on the right side"],
    }
}

fn backgrounds(background: Background) -> &'static [&'static str] {
    match background {
        Background::Field => &["in a field", "in a green field", "on the grass"],
        Background::Beach => &["on a beach", "at the beach", "on the sand"],
        Background::Sea => &["on the sea", "at sea", "on the water"],
        Background::Snow => &["in the snow", "on snow", "in winter"],
        Background::Room => &["in a room", "inside a room", "in the house"],
        Background::City => &["in a city", "in the city", "on the street"],
    }
}

fn times(time: Time) -> &'static [&'static str] {
    match time {
        Time::Day => &["by day", "on a sunny day", "in daylight"],
        Time::Night => &["at night", "by night", "in the dark night"],
    }
}

fn outlines(outline: Outline) -> &'static [&'static str] {
    match outline {
        Outline::Square => &["square"],
        Outline::Diamond => &["diamond"],
        Outline::Triangle => &["triangle"],
        Outline::Circle => &["circle", "thin circle"],
        Outline::Plus => &["plus"],
        Outline::Cross => &["cross"],
        Outline::Ring => &["ring", "thick ring"],
    }
}

fn orientations(orientation: Orientation) -> &'static [&'static str] {
    match orientation {
        Orientation::Vertical => &["vertical"],
        Orientation::Horizontal => &["horizontal"],
        Orientation::Rising => &["rising"],
        Orientation::Falling => &["falling"],
    }
}

fn frequencies(frequency: Frequency) -> &'static [&'static str] {
    match frequency {
        Frequency::Coarse => &["coarse"],
        Frequency::Medium => &["medium"],
        Frequency::Fine => &["fine"],
    }
}

const GRATING: &[&str] = &["grating", "pattern of bars"];

fn choose(words: &[&'static str], stream: &mut Stream) -> &'static str {
    words[stream.random_range(0..words.len() as u32) as usize]
}

pub(super) fn of_scene(scene: Scene, seed: Seed) -> Vec<String> {
    let stream = &mut seed.stream();
    distinct(stream, |stream| {
        let template = choose(if stream.random_bool(BRIEF_SHARE) { BRIEF } else { FULL }, stream);
        let mut background = choose(backgrounds(scene.background), stream);
        if scene.object == Object::House && background == "in the house" {
            background = "in a room";
        }
        template
            .replace("{object}", scene.object.name())
            .replace("{color}", scene.color.name())
            .replace("{size}", choose(sizes(scene.size), stream))
            .replace("{place}", choose(places(scene.place), stream))
            .replace("{background}", background)
            .replace("{time}", choose(times(scene.time), stream))
    })
}

/// Object, colour, size, place, background and time of day: whether `caption` has a word for that of `scene`.
pub(super) fn named_in(scene: Scene, caption: &str) -> [bool; 6] {
    let caption = format!(" {caption} ");
    let has = |phrases: &[&str]| phrases.iter().any(|phrase| caption.contains(&format!(" {phrase} ")));
    [
        has(&[scene.object.name()]),
        has(&[scene.color.name()]),
        has(sizes(scene.size)),
        has(places(scene.place)),
        has(backgrounds(scene.background)),
        has(times(scene.time)),
    ]
}

pub(super) fn of_figure(figure: &Figure, seed: Seed) -> Vec<String> {
    let stream = &mut seed.stream();
    let (ink, paper) = match figure.polarity {
        Polarity::WhiteOnBlack => ("white", "black"),
        Polarity::BlackOnWhite => ("black", "white"),
    };
    distinct(stream, |stream| {
        let (templates, shape) = match figure.shape {
            Shape::Glyph(glyph) => {
                let kind = if glyph.character().is_ascii_digit() { "digit" } else { "letter" };
                (DRAWN, format!("{kind} {}", glyph.character()))
            }
            Shape::Outline(outline) => (DRAWN, choose(outlines(outline), stream).to_owned()),
            Shape::Grating(orientation, frequency) => {
                let orientation = choose(orientations(orientation), stream);
                (
                    PATTERN,
                    format!("{} {orientation} {}", choose(frequencies(frequency), stream), choose(GRATING, stream)),
                )
            }
            Shape::Checkerboard(frequency) => {
                (PATTERN, format!("{} checkerboard", choose(frequencies(frequency), stream)))
            }
        };
        let the = if matches!(figure.shape, Shape::Glyph(_)) { "the" } else { "a" };
        choose(templates, stream)
            .replace("{the}", the)
            .replace("{shape}", &shape)
            .replace("{ink}", ink)
            .replace("{paper}", paper)
    })
}

/// Five captions, different from each other as long as 40 attempts find one that is.
fn distinct(stream: &mut Stream, mut caption: impl FnMut(&mut Stream) -> String) -> Vec<String> {
    const ATTEMPTS: usize = 40;
    let mut captions: Vec<String> = Vec::with_capacity(N_CAPTIONS);
    while captions.len() < N_CAPTIONS {
        let mut next = caption(stream);
        for _ in 0..ATTEMPTS {
            if !captions.contains(&next) {
                break;
            }
            next = caption(stream);
        }
        captions.push(next);
    }
    captions
}

/// All words that captions use, sorted.
pub fn vocabulary() -> Vec<String> {
    let mut phrases: Vec<&str> = [FULL, BRIEF, DRAWN, PATTERN, GRATING].concat();
    phrases.extend(Object::ALL.iter().map(|value| value.name()));
    phrases.extend(Color::ALL.iter().map(|value| value.name()));
    phrases.extend(Size::ALL.iter().flat_map(|&value| sizes(value)));
    phrases.extend(Place::ALL.iter().flat_map(|&value| places(value)));
    phrases.extend(Background::ALL.iter().flat_map(|&value| backgrounds(value)));
    phrases.extend(Time::ALL.iter().flat_map(|&value| times(value)));
    phrases.extend(Outline::ALL.iter().flat_map(|&value| outlines(value)));
    phrases.extend(Orientation::ALL.iter().flat_map(|&value| orientations(value)));
    phrases.extend(Frequency::ALL.iter().flat_map(|&value| frequencies(value)));
    phrases.extend(["black", "white", "checkerboard", "letter", "digit", "the", "a"]);
    let words = phrases.iter().flat_map(|phrase| phrase.split(' ')).filter(|word| !word.starts_with('{'));
    let mut words: Vec<String> = words.map(str::to_owned).collect();
    words.extend(Glyph::all().map(|glyph| glyph.character().to_string()));
    words.sort_unstable();
    words.dedup();
    words
}
