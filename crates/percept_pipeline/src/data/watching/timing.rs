//! Which volumes belong to which clip.
//!
//! In cc2017 a session shows the first frame of a segment for 12 s, the segment for 480 s, and its last frame for 12 s. Recording ends with
//! the session; for all training segments and `test1` it begins 2 s after the film does, for the other test segments together with it. So
//! there are 245 or 246 volumes of 2 s, and the number of volumes says when they began: `start = film + 12 − n · TR`. With a delay of 4 s the
//! response to clip `i` is volume `i + 1` or `i + 2`, counted from 0: the authors drop the first one or two and the last four.

use std::ops::Range;

use ndarray::{Array2, ArrayView2};

/// Seconds for which the last frame stands still at the end of a session of cc2017.
pub(super) const STILL_SECS: f64 = 12.0;
/// Rounding of lengths, as a share of a volume.
const NEARLY: f64 = 0.26;

/// A segment that was shown.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Showing {
    /// The recording, by its number.
    pub(super) recording: usize,
    /// Seconds from the beginning of the recording to that of the segment; below 0 where recording began later.
    pub(super) onset_secs: f64,
}

/// Clips of a film; what is left at its end by rounding belongs to the last.
pub(super) fn n_clips(secs: f64, tr_secs: f64) -> usize {
    (secs / tr_secs + NEARLY).floor().max(0.0) as usize
}

/// How a recording lies to its film: the second of the film at which it begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fit {
    /// It ends with the still frame after the film.
    WithStill(f64),
    /// It begins and ends with the film.
    FilmAlone,
    /// It holds the still frames before and after.
    Whole,
    /// None of these.
    None,
}

impl Fit {
    /// Of `n_volumes` to a film of `film_secs`.
    pub(super) fn of(n_volumes: usize, tr_secs: f64, film_secs: f64) -> Self {
        let film = n_clips(film_secs, tr_secs) as f64 * tr_secs;
        let late = film + STILL_SECS - n_volumes as f64 * tr_secs;
        let is = |expected: f64| (late - expected).abs() < NEARLY * tr_secs;
        if is(0.0) || is(2.0) {
            Self::WithStill(late)
        } else if is(STILL_SECS) {
            Self::FilmAlone
        } else if is(-STILL_SECS) {
            Self::Whole
        } else {
            Self::None
        }
    }

    /// Seconds from the beginning of the recording to that of the film.
    pub(super) fn onset_secs(self) -> Option<f64> {
        match self {
            Self::WithStill(late) => Some(-late),
            Self::FilmAlone => Some(0.0),
            Self::Whole => Some(STILL_SECS),
            Self::None => None,
        }
    }
}

/// Where clip `clip` is answered, in volumes of the recording.
fn place(showing: &Showing, clip: usize, tr_secs: f64, delay_secs: f64) -> f64 {
    let place = (showing.onset_secs + delay_secs) / tr_secs + clip as f64;
    // Whole volumes are meant where rounding says nearly so.
    if (place - place.round()).abs() < 1e-6 { place.round() } else { place }
}

/// The clips that are answered within the recordings of all showings.
pub(super) fn measured(
    showings: &[Showing],
    n_volumes: impl Fn(&Showing) -> usize,
    n_clips: usize,
    tr_secs: f64,
    delay_secs: f64,
) -> Range<usize> {
    let is_measured = |clip: usize| {
        showings.iter().all(|showing| {
            let place = place(showing, clip, tr_secs, delay_secs);
            place >= 0.0 && place <= n_volumes(showing) as f64 - 1.0
        })
    };
    let Some(first) = (0..n_clips).find(|&clip| is_measured(clip)) else { return 0..0 };
    let n = (first..n_clips).take_while(|&clip| is_measured(clip)).count();
    first..first + n
}

/// Which volumes the rows of a showing are.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rows {
    /// For each row the volume before or at it, and how much of the next one is in it.
    places: Vec<(usize, f32)>,
}

impl Rows {
    pub(super) fn new(showing: &Showing, clips: &Range<usize>, tr_secs: f64, delay_secs: f64) -> Self {
        let of = |clip: usize| {
            let place = place(showing, clip, tr_secs, delay_secs);
            (place.floor() as usize, (place - place.floor()) as f32)
        };
        Self { places: clips.clone().map(of).collect() }
    }

    /// The first volume that is needed.
    pub(super) fn first(&self) -> usize {
        self.places.first().map_or(0, |(volume, _)| *volume)
    }

    /// One behind the last volume that is needed.
    pub(super) fn end(&self) -> usize {
        self.places.last().map_or(0, |(volume, share)| volume + 1 + usize::from(*share > 0.0))
    }

    /// Rows × units from `values`, whose first row is volume `first`.
    pub(super) fn of(&self, values: ArrayView2<'_, f32>, first: usize) -> Array2<f32> {
        let mut out = Array2::zeros((self.places.len(), values.ncols()));
        for (mut out, (volume, share)) in out.rows_mut().into_iter().zip(&self.places) {
            out.assign(&values.row(volume - first));
            if *share > 0.0 {
                let next = values.row(volume - first + 1);
                out.zip_mut_with(&next, |out, next| *out += share * (next - *out));
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Axis, array};

    #[test]
    fn volumes_say_when_recording_began() {
        assert_eq!(Fit::of(245, 2.0, 480.02), Fit::WithStill(2.0));
        assert_eq!(Fit::of(246, 2.0, 480.0), Fit::WithStill(0.0));
        assert_eq!(Fit::of(240, 2.0, 479.9), Fit::FilmAlone);
        assert_eq!(Fit::of(252, 2.0, 480.0), Fit::Whole);
        assert_eq!(Fit::of(244, 2.0, 480.0), Fit::None);
        assert_eq!(Fit::of(245, 2.0, 470.0), Fit::None);
    }

    #[test]
    fn four_seconds_later_are_the_volumes_that_the_authors_take() {
        for (n, dropped) in [(245, 1), (246, 2)] {
            let onset_secs = Fit::of(n, 2.0, 480.0).onset_secs().expect("fits");
            let showing = Showing { recording: 0, onset_secs };
            let clips = measured(std::slice::from_ref(&showing), |_| n, 240, 2.0, 4.0);
            assert_eq!(clips, 0..240);
            let rows = Rows::new(&showing, &clips, 2.0, 4.0);
            assert_eq!((rows.first(), rows.end()), (dropped, n - 4));
        }
    }

    #[test]
    fn clips_that_were_not_measured_are_left_out_at_both_ends() {
        let late = Showing { recording: 0, onset_secs: -2.0 };
        let early = Showing { recording: 1, onset_secs: 0.0 };
        let n = |showing: &Showing| [10, 8][showing.recording];
        assert_eq!(measured(&[late.clone(), early.clone()], n, 10, 2.0, 0.0), 1..8);
        assert_eq!(measured(&[late.clone(), early.clone()], n, 10, 2.0, 6.0), 0..5);
        assert!(measured(&[late, early], n, 10, 2.0, 30.0).is_empty());
    }

    #[test]
    fn between_two_volumes_both_count_in_proportion() {
        let showing = Showing { recording: 0, onset_secs: 1.0 };
        let rows = Rows::new(&showing, &(0..2), 2.0, 3.5);
        assert_eq!((rows.first(), rows.end()), (2, 5));
        let values = array![[0.0f32, 8.0], [4.0, 0.0], [8.0, 4.0]];
        assert_eq!(rows.of(values.view(), 2), array![[1.0, 6.0], [5.0, 1.0]]);
        assert_eq!(rows.of(values.view(), 2).len_of(Axis(0)), 2);
    }
}
