//! What is played: melody, chords, bass and drums of a tune, bar by bar.
//!
//! Times are in ticks, twelve to a beat, so that both eighths and triplets fall on ticks. The melody is a walk on the scale that is the
//! same in the first and third of four bars and begins every bar with a note of its chord.

use percept_core::Seed;
use percept_core::seed::Stream;
use rand::Rng;

use super::drums::{self, Drum, Hit};
use super::notes::{Note, Voice};
use super::voices::Voices;
use super::{Genre, Instrument, RATE_HZ, Tune};

/// Ticks in a beat.
const BEAT: usize = 12;

/// No note is heard longer after its end, no drum after its hit.
const LONGEST_RELEASE_SECS: f64 = 1.0;
const LONGEST_HIT_SECS: f64 = 2.0;

/// Onset and length in ticks.
type Span = (usize, usize);

/// How a genre goes, bar by bar, in ticks.
struct Style {
    beats: usize,
    /// Rhythms of which the melody takes one in each bar.
    melody: &'static [&'static [Span]],
    chords: &'static [Span],
    /// Whether the notes of a chord follow one another.
    broken: bool,
    bass: &'static [Span],
    drums: &'static [(Drum, &'static [usize], f32)],
}

impl Genre {
    fn style(self) -> Style {
        use Drum::{Hat, Kettle, Kick, Shaker, Snare};
        let plain = Style { beats: 4, melody: &[], chords: &[], broken: false, bass: &[], drums: &[] };
        match self {
            Self::Waltz => Style {
                beats: 3,
                melody: &[&[(0, 24), (24, 12)], &[(0, 12), (12, 12), (24, 12)], &[(0, 18), (18, 6), (24, 12)]],
                chords: &[(12, 8), (24, 8)],
                bass: &[(0, 11)],
                drums: &[(Kick, &[0], 0.5), (Hat, &[12, 24], 0.6)],
                ..plain
            },
            Self::March => Style {
                melody: &[
                    &[(0, 12), (12, 6), (18, 6), (24, 12), (36, 12)],
                    &[(0, 9), (9, 3), (12, 12), (24, 9), (33, 3), (36, 12)],
                ],
                chords: &[(12, 5), (36, 5)],
                bass: &[(0, 9), (24, 9)],
                drums: &[(Kick, &[0, 24], 0.7), (Snare, &[0, 9, 12, 21, 24, 33, 36, 39, 42, 45], 0.5)],
                ..plain
            },
            Self::Ballad => Style {
                melody: &[&[(0, 24), (24, 12), (36, 12)], &[(0, 36), (36, 12)], &[(0, 12), (12, 36)]],
                chords: &[(0, 46)],
                bass: &[(0, 46)],
                drums: &[(Kick, &[0], 0.5), (Snare, &[24], 0.35)],
                ..plain
            },
            Self::Techno => Style {
                melody: &[
                    &[(0, 6), (6, 6), (18, 6), (24, 6), (30, 6), (42, 6)],
                    &[(0, 9), (9, 9), (18, 6), (24, 9), (33, 9), (42, 6)],
                ],
                chords: &[(0, 6), (21, 6)],
                bass: &[(6, 5), (18, 5), (30, 5), (42, 5)],
                drums: &[(Kick, &[0, 12, 24, 36], 1.2), (Hat, &[6, 18, 30, 42], 1.0)],
                ..plain
            },
            Self::Swing => Style {
                melody: &[
                    &[(0, 8), (8, 4), (12, 8), (20, 4), (24, 12), (36, 8), (44, 4)],
                    &[(0, 12), (20, 4), (24, 8), (32, 4), (36, 12)],
                ],
                chords: &[(20, 4), (44, 4)],
                bass: &[(0, 11), (12, 11), (24, 11), (36, 11)],
                drums: &[(Hat, &[0, 12, 20, 24, 36, 44], 0.9), (Snare, &[32], 0.15)],
                ..plain
            },
            Self::Samba => Style {
                melody: &[
                    &[(0, 6), (9, 3), (12, 6), (21, 9), (33, 6), (42, 6)],
                    &[(3, 6), (9, 9), (21, 6), (27, 9), (39, 9)],
                ],
                chords: &[(6, 4), (15, 4), (30, 4), (39, 4)],
                bass: &[(0, 8), (18, 5), (24, 8), (42, 5)],
                drums: &[
                    (Shaker, &[0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36, 39, 42, 45], 0.7),
                    (Shaker, &[9, 21, 33, 45], 0.9),
                    (Kettle, &[12, 36], 0.8),
                ],
                ..plain
            },
            Self::Ska => Style {
                melody: &[&[(0, 12), (12, 6), (18, 6), (24, 18), (42, 6)], &[(0, 18), (18, 18), (36, 12)]],
                chords: &[(6, 4), (18, 4), (30, 4), (42, 4)],
                bass: &[(0, 9), (12, 9), (24, 9), (30, 6), (36, 9)],
                drums: &[(Kick, &[24], 0.9), (Hat, &[0, 12, 24, 36], 0.6), (Snare, &[24], 0.4)],
                ..plain
            },
            Self::Rock => Style {
                melody: &[
                    &[(0, 6), (6, 6), (12, 12), (24, 6), (30, 6), (36, 12)],
                    &[(0, 12), (12, 12), (24, 18), (42, 6)],
                ],
                chords: &[(0, 23), (24, 23)],
                bass: &[(0, 5), (6, 5), (12, 5), (18, 5), (24, 5), (30, 5), (36, 5), (42, 5)],
                drums: &[
                    (Kick, &[0, 24, 30], 1.0),
                    (Snare, &[12, 36], 1.0),
                    (Hat, &[0, 6, 12, 18, 24, 30, 36, 42], 0.5),
                ],
                ..plain
            },
            Self::Lullaby => Style {
                melody: &[&[(0, 24), (24, 24)], &[(0, 24), (24, 12), (36, 12)]],
                chords: &[(0, 46)],
                broken: true,
                ..plain
            },
            Self::Fanfare => Style {
                melody: &[
                    &[(0, 9), (9, 3), (12, 9), (21, 3), (24, 24)],
                    &[(0, 4), (4, 4), (8, 4), (12, 12), (24, 9), (33, 3), (36, 12)],
                ],
                drums: &[(Kettle, &[0, 24, 36], 1.1), (Kettle, &[42, 45], 0.6)],
                ..plain
            },
        }
    }
}

impl Instrument {
    /// The pitch around which it plays, 60 for the middle C.
    fn register(self) -> i32 {
        match self {
            Self::Flute => 72,
            Self::Bells => 79,
            Self::Guitar | Self::Synth => 55,
            Self::Piano | Self::Organ | Self::Strings | Self::Trumpet => 62,
        }
    }
}

/// Everything that is played.
pub(super) struct Score {
    notes: Vec<Note>,
    hits: Vec<Hit>,
    seed: Seed,
}

/// What the bars of a tune share.
struct Bars<'a> {
    tune: &'a Tune,
    style: Style,
    tick_secs: f64,
    root: i32,
    chords: [usize; 4],
}

impl Score {
    /// The bars of `tune` that begin within `secs`.
    pub(super) fn of(tune: &Tune, secs: f64) -> Self {
        let mut stream = tune.seed.named("frame").stream();
        let progressions = tune.mood.chords();
        let bars = Bars {
            tune,
            style: tune.genre.style(),
            tick_secs: 60.0 / tune.beats_per_minute() / BEAT as f64,
            root: stream.random_range(0..12u32) as i32 - 6,
            chords: progressions[stream.random_range(0..progressions.len() as u32) as usize],
        };
        let bar_secs = bars.tick_secs * (bars.style.beats * BEAT) as f64;
        let mut score = Self { notes: Vec::new(), hits: Vec::new(), seed: tune.seed };
        for bar in 0..(secs / bar_secs).ceil() as usize {
            bars.melody(bar, bar as f64 * bar_secs, &mut score.notes);
            bars.accompaniment(bar, bar as f64 * bar_secs, &mut score.notes);
            bars.drums(bar as f64 * bar_secs, &mut score.hits);
        }
        score
    }

    /// `n` samples from `start_secs` on. What begins earlier and still sounds is played from its own beginning.
    pub(super) fn play(&self, start_secs: f64, n: usize) -> Vec<f32> {
        let rate = f64::from(RATE_HZ);
        let lasts = |note: &&Note| note.at_secs + note.secs + LONGEST_RELEASE_SECS > start_secs;
        let rings = |hit: &&Hit| hit.at_secs + LONGEST_HIT_SECS > start_secs;
        let onsets = self.notes.iter().filter(lasts).map(|note| note.at_secs);
        let onsets = onsets.chain(self.hits.iter().filter(rings).map(|hit| hit.at_secs));
        let first = (onsets.fold(start_secs, f64::min) * rate) as usize;
        let start = (start_secs * rate) as usize;
        let mut out = vec![0.0; start - first + n];
        let voices = Voices::new();
        for (number, note) in self.notes.iter().enumerate().filter(|(_, note)| lasts(note)) {
            voices.play(&mut out, first, note, self.seed.named("note").at(number as u64));
        }
        for (number, hit) in self.hits.iter().enumerate().filter(|(_, hit)| rings(hit)) {
            drums::hit(&mut out, first, hit, self.seed.named("hit").at(number as u64));
        }
        out.split_off(start - first)
    }
}

impl Bars<'_> {
    /// The pitch of a degree of the scale, which may be beyond an octave, over the root at `register`.
    fn pitch(&self, degree: i32, register: i32) -> i32 {
        let scale = self.tune.mood.scale();
        let n = scale.len() as i32;
        register + self.root + 12 * degree.div_euclid(n) + scale[degree.rem_euclid(n) as usize]
    }

    fn note(&self, voice: Voice, start_secs: f64, (onset, length): Span, pitch: i32, loudness: f32) -> Note {
        Note {
            voice,
            at_secs: start_secs + onset as f64 * self.tick_secs,
            secs: length as f64 * self.tick_secs * 0.92,
            pitch,
            loudness,
        }
    }

    fn melody(&self, bar: usize, start_secs: f64, notes: &mut Vec<Note>) {
        // A B A C, so that a tune can be recognised; every fourth time something else.
        let phrase = [0, 1, 0, 2][bar % 4] + u64::from(bar % 8 == 7);
        let mut stream: Stream = self.tune.seed.named("phrase").at(phrase).stream();
        let rhythm = self.style.melody[stream.random_range(0..self.style.melody.len() as u32) as usize];
        let chord = self.chords[bar % 4] as i32;
        let mut degree = chord + [0, 2, 4][stream.random_range(0..3u32) as usize];
        let voice = Voice::Melody(self.tune.instrument);
        for &span in rhythm {
            let loudness = if span.0 == 0 { 1.0 } else { 0.85 };
            let pitch = self.pitch(degree, self.tune.instrument.register());
            notes.push(self.note(voice, start_secs, span, pitch, loudness));
            let repeats = self.tune.genre == Genre::Fanfare && stream.random::<f32>() < 0.5;
            let step = [-2, -1, -1, 1, 1, 2, 3][stream.random_range(0..7u32) as usize];
            if !repeats {
                degree = (degree + step).clamp(-2, 9);
            }
        }
    }

    fn accompaniment(&self, bar: usize, start_secs: f64, notes: &mut Vec<Note>) {
        let chord = self.chords[bar % 4] as i32;
        for &span in self.style.chords {
            for (number, third) in [0, 2, 4].into_iter().enumerate() {
                let pitch = self.pitch(chord + third, 50);
                if self.style.broken {
                    for quarter in 0..2 {
                        let onset = quarter * 24 + number * 6;
                        notes.push(self.note(Voice::Chord, start_secs, (onset, 12), pitch, 0.75));
                    }
                } else {
                    notes.push(self.note(Voice::Chord, start_secs, span, pitch, 0.5));
                }
            }
        }
        for (number, &span) in self.style.bass.iter().enumerate() {
            let walks = self.tune.genre == Genre::Swing;
            let degree = chord + if walks { [0, 2, 4, 2][number % 4] } else { 0 };
            notes.push(self.note(Voice::Bass, start_secs, span, self.pitch(degree, 38), 0.55));
        }
    }

    fn drums(&self, start_secs: f64, hits: &mut Vec<Hit>) {
        for &(drum, onsets, loudness) in self.style.drums {
            for &onset in onsets {
                hits.push(Hit { drum, at_secs: start_secs + onset as f64 * self.tick_secs, loudness: 0.6 * loudness });
            }
        }
    }
}
