//! Our own letters and digits: strokes through points in a unit box (x to the right, y down), straight or smooth.

/// One movement of the pen.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pen {
    /// Straight from point to point.
    Line(&'static [(f32, f32)]),
    /// Smooth through the points (Catmull–Rom).
    Curve(&'static [(f32, f32)]),
    /// Smooth and closed.
    Loop(&'static [(f32, f32)]),
}

use Pen::{Curve, Line, Loop};

/// The strokes of `character`, one of `a`–`z` (drawn as capitals) or `0`–`9`; empty for anything else.
pub(super) fn strokes(character: char) -> &'static [Pen] {
    match character {
        'a' => &[Line(&[(0.0, 1.0), (0.5, 0.0), (1.0, 1.0)]), Line(&[(0.2, 0.64), (0.8, 0.64)])],
        'b' => &[
            Line(&[(0.05, 0.0), (0.05, 1.0)]),
            Curve(&[(0.05, 0.0), (0.55, 0.0), (0.85, 0.22), (0.55, 0.47), (0.05, 0.47)]),
            Curve(&[(0.05, 0.47), (0.6, 0.47), (0.98, 0.74), (0.6, 1.0), (0.05, 1.0)]),
        ],
        'c' => &[Curve(&[(0.95, 0.17), (0.55, 0.0), (0.08, 0.28), (0.08, 0.72), (0.55, 1.0), (0.95, 0.83)])],
        'd' => &[
            Line(&[(0.05, 0.0), (0.05, 1.0)]),
            Curve(&[(0.05, 0.0), (0.55, 0.04), (0.95, 0.5), (0.55, 0.96), (0.05, 1.0)]),
        ],
        'e' => &[Line(&[(0.92, 0.0), (0.08, 0.0), (0.08, 1.0), (0.92, 1.0)]), Line(&[(0.08, 0.5), (0.74, 0.5)])],
        'f' => &[Line(&[(0.92, 0.0), (0.08, 0.0), (0.08, 1.0)]), Line(&[(0.08, 0.5), (0.74, 0.5)])],
        'g' => &[
            Curve(&[(0.92, 0.17), (0.5, 0.0), (0.05, 0.28), (0.05, 0.72), (0.5, 1.0), (0.9, 0.88)]),
            Line(&[(0.9, 0.9), (0.92, 0.55), (0.56, 0.55)]),
        ],
        'h' => {
            &[Line(&[(0.08, 0.0), (0.08, 1.0)]), Line(&[(0.92, 0.0), (0.92, 1.0)]), Line(&[(0.08, 0.5), (0.92, 0.5)])]
        }
        'i' => &[Line(&[(0.5, 0.0), (0.5, 1.0)]), Line(&[(0.2, 0.0), (0.8, 0.0)]), Line(&[(0.2, 1.0), (0.8, 1.0)])],
        'j' => &[Line(&[(0.35, 0.0), (1.0, 0.0)]), Curve(&[(0.72, 0.0), (0.72, 0.68), (0.4, 1.0), (0.06, 0.74)])],
        'k' => {
            &[Line(&[(0.08, 0.0), (0.08, 1.0)]), Line(&[(0.9, 0.0), (0.1, 0.58)]), Line(&[(0.36, 0.42), (0.95, 1.0)])]
        }
        'l' => &[Line(&[(0.1, 0.0), (0.1, 1.0), (0.92, 1.0)])],
        'm' => &[Line(&[(0.0, 1.0), (0.04, 0.0), (0.5, 0.62), (0.96, 0.0), (1.0, 1.0)])],
        'n' => &[Line(&[(0.06, 1.0), (0.06, 0.0), (0.94, 1.0), (0.94, 0.0)])],
        'o' => &[Loop(&[(0.5, 0.0), (0.95, 0.25), (0.95, 0.75), (0.5, 1.0), (0.05, 0.75), (0.05, 0.25)])],
        'p' => &[
            Line(&[(0.08, 0.0), (0.08, 1.0)]),
            Curve(&[(0.08, 0.0), (0.62, 0.0), (0.95, 0.27), (0.62, 0.54), (0.08, 0.54)]),
        ],
        'q' => &[
            Loop(&[(0.48, 0.0), (0.9, 0.25), (0.9, 0.7), (0.48, 0.94), (0.05, 0.7), (0.05, 0.25)]),
            Line(&[(0.58, 0.62), (1.0, 1.06)]),
        ],
        'r' => &[
            Line(&[(0.08, 0.0), (0.08, 1.0)]),
            Curve(&[(0.08, 0.0), (0.62, 0.0), (0.92, 0.26), (0.62, 0.52), (0.08, 0.52)]),
            Line(&[(0.45, 0.54), (0.95, 1.0)]),
        ],
        's' => &[Curve(&[
            (0.9, 0.15),
            (0.5, 0.0),
            (0.12, 0.2),
            (0.28, 0.43),
            (0.72, 0.57),
            (0.88, 0.8),
            (0.5, 1.0),
            (0.08, 0.85),
        ])],
        't' => &[Line(&[(0.0, 0.0), (1.0, 0.0)]), Line(&[(0.5, 0.0), (0.5, 1.0)])],
        'u' => &[Curve(&[(0.06, 0.0), (0.06, 0.64), (0.3, 0.97), (0.7, 0.97), (0.94, 0.64), (0.94, 0.0)])],
        'v' => &[Line(&[(0.0, 0.0), (0.5, 1.0), (1.0, 0.0)])],
        'w' => &[Line(&[(0.0, 0.0), (0.22, 1.0), (0.5, 0.34), (0.78, 1.0), (1.0, 0.0)])],
        'x' => &[Line(&[(0.04, 0.0), (0.96, 1.0)]), Line(&[(0.96, 0.0), (0.04, 1.0)])],
        'y' => &[Line(&[(0.0, 0.0), (0.5, 0.5), (1.0, 0.0)]), Line(&[(0.5, 0.5), (0.5, 1.0)])],
        'z' => &[Line(&[(0.05, 0.0), (0.95, 0.0), (0.05, 1.0), (0.95, 1.0)])],
        '0' => &[
            Loop(&[(0.5, 0.0), (0.84, 0.25), (0.84, 0.75), (0.5, 1.0), (0.16, 0.75), (0.16, 0.25)]),
            Line(&[(0.62, 0.36), (0.38, 0.64)]),
        ],
        '1' => &[Line(&[(0.22, 0.24), (0.54, 0.0), (0.54, 1.0)])],
        '2' => &[
            Curve(&[(0.1, 0.24), (0.3, 0.03), (0.7, 0.03), (0.88, 0.28), (0.66, 0.56), (0.1, 1.0)]),
            Line(&[(0.1, 1.0), (0.92, 1.0)]),
        ],
        '3' => &[
            Curve(&[(0.1, 0.14), (0.45, 0.0), (0.84, 0.22), (0.44, 0.46)]),
            Curve(&[(0.44, 0.46), (0.92, 0.7), (0.5, 1.0), (0.08, 0.86)]),
        ],
        '4' => &[Line(&[(0.7, 1.0), (0.7, 0.0), (0.05, 0.7), (0.98, 0.7)])],
        '5' => &[
            Line(&[(0.86, 0.0), (0.2, 0.0), (0.15, 0.44)]),
            Curve(&[(0.15, 0.44), (0.6, 0.38), (0.9, 0.68), (0.56, 1.0), (0.1, 0.88)]),
        ],
        '6' => &[
            Curve(&[(0.78, 0.04), (0.36, 0.18), (0.12, 0.68)]),
            Loop(&[(0.5, 0.46), (0.88, 0.72), (0.5, 1.0), (0.12, 0.72)]),
        ],
        '7' => &[Line(&[(0.08, 0.0), (0.94, 0.0), (0.38, 1.0)])],
        '8' => &[
            Loop(&[(0.5, 0.0), (0.82, 0.23), (0.5, 0.46), (0.18, 0.23)]),
            Loop(&[(0.5, 0.46), (0.9, 0.73), (0.5, 1.0), (0.1, 0.73)]),
        ],
        '9' => &[
            Loop(&[(0.5, 0.0), (0.88, 0.28), (0.5, 0.54), (0.12, 0.28)]),
            Curve(&[(0.88, 0.3), (0.76, 0.76), (0.36, 1.0)]),
        ],
        _ => &[],
    }
}

/// Points of a smooth line through `points` (Catmull–Rom, six pieces per span), closed if asked.
pub(super) fn smooth(points: &[(f32, f32)], closed: bool) -> Vec<(f32, f32)> {
    const PIECES: usize = 6;
    let n = points.len();
    let spans = if closed { n } else { n.saturating_sub(1) };
    let at = |index: isize| {
        if closed {
            points[index.rem_euclid(n as isize) as usize]
        } else {
            points[index.clamp(0, n as isize - 1) as usize]
        }
    };
    let mut line = Vec::with_capacity(spans * PIECES + 1);
    for span in 0..spans as isize {
        let [a, b, c, d] = [at(span - 1), at(span), at(span + 1), at(span + 2)];
        for piece in 0..PIECES {
            let s = piece as f32 / PIECES as f32;
            let blend = |a: f32, b: f32, c: f32, d: f32| {
                0.5 * (2.0 * b
                    + (c - a) * s
                    + (2.0 * a - 5.0 * b + 4.0 * c - d) * s * s
                    + (3.0 * b - a - 3.0 * c + d) * s * s * s)
            };
            line.push((blend(a.0, b.0, c.0, d.0), blend(a.1, b.1, c.1, d.1)));
        }
    }
    if !closed && let Some(&last) = points.last() {
        line.push(last);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_and_digit_has_strokes_inside_the_box() {
        for character in ('a'..='z').chain('0'..='9') {
            let strokes = strokes(character);
            assert!(!strokes.is_empty(), "`{character}` has no strokes");
            for stroke in strokes {
                let (Line(points) | Curve(points) | Loop(points)) = stroke;
                assert!(
                    points.len() >= 2
                        && points.iter().all(|p| (0.0..=1.0).contains(&p.0) && (0.0..=1.1).contains(&p.1))
                );
            }
        }
        assert!(super::strokes('!').is_empty());
    }

    #[test]
    fn a_smooth_line_passes_through_its_points() {
        let points = [(0.0, 0.0), (0.5, 1.0), (1.0, 0.2)];
        let line = smooth(&points, false);
        assert!(points.iter().all(|p| line.contains(p)));
        assert_eq!(smooth(&points, true).len(), 18);
    }
}
