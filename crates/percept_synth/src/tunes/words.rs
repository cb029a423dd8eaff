//! What a tune can be: genres, instruments, tempi and moods.

use crate::drawing::words;

words! {
    /// Metre, drums and accompaniment.
    Genre {
        /// Three beats, the first in the bass, the others in chords.
        Waltz = "waltz",
        /// Two beats with snare rolls.
        March = "march",
        /// Long chords, a soft drum on the third beat.
        Ballad = "ballad",
        /// A bass drum on every beat, a bass between.
        Techno = "techno",
        /// Three notes to a beat of which the first and third sound, a walking bass.
        Swing = "swing",
        /// Syncopes of a shaker and a low drum.
        Samba = "samba",
        /// Chords between the beats.
        Ska = "ska",
        /// Snares on the second and fourth beat, a bass in eighths.
        Rock = "rock",
        /// No drums; chords broken upwards.
        Lullaby = "lullaby",
        /// No chords; notes repeated in dotted rhythm over kettledrums.
        Fanfare = "fanfare",
    }
}

words! {
    /// What plays the melody.
    Instrument {
        /// Struck strings that fade.
        Piano = "piano",
        /// Pipes at octaves and fifths that stay.
        Organ = "organ",
        /// Nearly one partial, with breath and vibrato.
        Flute = "flute",
        /// Many partials that begin softly.
        Strings = "strings",
        /// Plucked strings.
        Guitar = "guitar",
        /// Partials that are no multiples, ringing long.
        Bells = "bells",
        /// Bright after its beginning.
        Trumpet = "trumpet",
        /// Odd partials under a filter that closes.
        Synth = "synth",
    }
}

words! {
    /// How fast the beats follow one another.
    Tempo {
        /// About 68 beats in a minute.
        Slow = "slow",
        /// About 104.
        Medium = "medium",
        /// About 160.
        Fast = "fast",
    }
}

words! {
    /// The scale.
    Mood {
        /// Major.
        Happy = "happy",
        /// Minor.
        Sad = "sad",
        /// Five notes without half steps.
        Calm = "calm",
        /// A half step above the root, and a tritone.
        Tense = "tense",
    }
}

impl Tempo {
    /// The slowest and the fastest, beats in a minute.
    pub(super) fn beats_per_minute(self) -> (f64, f64) {
        match self {
            Self::Slow => (64.0, 72.0),
            Self::Medium => (98.0, 110.0),
            Self::Fast => (150.0, 170.0),
        }
    }
}

impl Mood {
    /// Half steps above the root.
    pub(super) fn scale(self) -> &'static [i32] {
        match self {
            Self::Happy => &[0, 2, 4, 5, 7, 9, 11],
            Self::Sad => &[0, 2, 3, 5, 7, 8, 10],
            Self::Calm => &[0, 2, 4, 7, 9],
            Self::Tense => &[0, 1, 4, 6, 8, 10],
        }
    }

    /// Degrees of the scale on which the chords of four bars stand.
    pub(super) fn chords(self) -> &'static [[usize; 4]] {
        match self {
            Self::Happy => &[[0, 3, 4, 0], [0, 5, 3, 4], [0, 4, 5, 3]],
            Self::Sad => &[[0, 5, 6, 0], [0, 3, 5, 4], [0, 6, 5, 6]],
            Self::Calm => &[[0, 3, 0, 3], [0, 2, 3, 0], [0, 3, 2, 3]],
            Self::Tense => &[[0, 1, 0, 1], [0, 3, 1, 0], [0, 1, 3, 1]],
        }
    }
}
