//! Figures in black and white: letters and digits in many handwritings, outlines, crosses, rings, gratings, checkerboards.

use ndarray::Array3;
use percept_core::Seed;
use percept_core::seed::Stream;
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::canvas::{Canvas, Rgb};
use super::glyphs::{self, Pen};
use super::size::SIDE;
use super::words::words;

words! {
    /// Shapes drawn as a line of even width.
    Outline {
        /// Four equal sides, upright.
        Square = "square",
        /// A square on its corner.
        Diamond = "diamond",
        /// Corner up.
        Triangle = "triangle",
        /// Thin and wide.
        Circle = "circle",
        /// Two bars, upright.
        Plus = "plus",
        /// Two bars, diagonal.
        Cross = "cross",
        /// A thick and narrow circle.
        Ring = "ring",
    }
}

words! {
    /// Which of ink and paper is bright.
    Polarity {
        /// Bright ink.
        WhiteOnBlack = "white on black",
        /// Dark ink.
        BlackOnWhite = "black on white",
    }
}

words! {
    /// Direction of the bars of a grating.
    Orientation {
        /// Upright bars.
        Vertical = "vertical",
        /// Level bars.
        Horizontal = "horizontal",
        /// Bars that rise to the right.
        Rising = "rising",
        /// Bars that fall to the right.
        Falling = "falling",
    }
}

words! {
    /// How closely a pattern repeats.
    Frequency {
        /// Wide bars or fields.
        Coarse = "coarse",
        /// In between.
        Medium = "medium",
        /// Narrow bars or fields.
        Fine = "fine",
    }
}

/// A letter (`a`–`z`, drawn as a capital) or a digit (`0`–`9`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "char", into = "char")]
pub struct Glyph(char);

impl Glyph {
    /// Number of glyphs there are.
    pub const COUNT: usize = 36;

    /// The glyph of `character`, if there is one.
    pub fn new(character: char) -> Option<Self> {
        (!glyphs::strokes(character).is_empty()).then_some(Self(character))
    }

    /// All glyphs: letters first, then digits.
    pub fn all() -> impl Iterator<Item = Self> {
        ('a'..='z').chain('0'..='9').map(Self)
    }

    /// The character that stands for it in captions.
    pub fn character(self) -> char {
        self.0
    }

    /// Position in [`Glyph::all`].
    pub fn index(self) -> usize {
        if self.0.is_ascii_digit() { 26 + (self.0 as usize - '0' as usize) } else { self.0 as usize - 'a' as usize }
    }
}

impl From<Glyph> for char {
    fn from(glyph: Glyph) -> Self {
        glyph.0
    }
}

impl TryFrom<char> for Glyph {
    type Error = String;

    fn try_from(character: char) -> Result<Self, String> {
        Self::new(character).ok_or_else(|| format!("no glyph for `{character}` (there are a to z and 0 to 9)"))
    }
}

/// What a figure shows, apart from its polarity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// A letter or digit.
    Glyph(Glyph),
    /// A geometric line drawing.
    Outline(Outline),
    /// Sinusoidal bars.
    Grating(Orientation, Frequency),
    /// Black and white fields.
    Checkerboard(Frequency),
}

/// What a figure shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Figure {
    /// The form.
    pub shape: Shape,
    /// Bright on dark or dark on bright; for patterns, which of the two the centre is.
    pub polarity: Polarity,
}

impl Figure {
    /// A random figure: half of them glyphs, three tenths outlines, the rest patterns.
    pub fn random(seed: Seed) -> Self {
        let stream = &mut seed.named("figure").stream();
        let shape = match stream.random_range(0..10u32) {
            0..5 => {
                let index = stream.random_range(0..Glyph::COUNT as u32) as usize;
                Shape::Glyph(Glyph::all().nth(index).expect("the index is below the number of glyphs"))
            }
            5..8 => Shape::Outline(Outline::random(stream)),
            8 => Shape::Grating(Orientation::random(stream), Frequency::random(stream)),
            _ => Shape::Checkerboard(Frequency::random(stream)),
        };
        Self { shape, polarity: Polarity::random(stream) }
    }
}

/// How one person at one moment draws.
struct Hand {
    x: f32,
    y: f32,
    width_px: f32,
    size: f32,
    aspect: f32,
    slant: f32,
    angle: f32,
}

impl Hand {
    fn random(stream: &mut Stream, turn: f32) -> Self {
        Self {
            x: 32.0 + stream.random_range(-3.0f32..3.0),
            y: 32.0 + stream.random_range(-3.0f32..3.0),
            width_px: stream.random_range(5.0f32..8.0),
            size: stream.random_range(38.0f32..46.0),
            aspect: stream.random_range(0.68f32..0.88),
            slant: stream.random_range(-0.22f32..0.22),
            angle: stream.random_range(-turn..turn),
        }
    }

    /// A point of the unit box on the page.
    fn place(&self, (u, v): (f32, f32)) -> (f32, f32) {
        let (x, y) = ((u - 0.5) * self.aspect - (v - 0.5) * self.slant, v - 0.5);
        let (sin, cos) = self.angle.sin_cos();
        (self.x + self.size * (x * cos - y * sin), self.y + self.size * (x * sin + y * cos))
    }
}

const WHITE: Rgb = Rgb(255.0, 255.0, 255.0);
const BLACK: Rgb = Rgb(0.0, 0.0, 0.0);

/// Draws the figure; handwriting or phase come from `stream`.
pub(super) fn render(figure: &Figure, stream: &mut Stream) -> Array3<u8> {
    match figure.shape {
        Shape::Glyph(glyph) => drawn(figure.polarity, |canvas, ink| write(canvas, ink, glyph, stream)),
        Shape::Outline(outline) => drawn(figure.polarity, |canvas, ink| trace(canvas, ink, outline, stream)),
        Shape::Grating(orientation, frequency) => grating(orientation, frequency, figure.polarity, stream),
        Shape::Checkerboard(frequency) => checkerboard(frequency, figure.polarity, stream),
    }
}

fn drawn(polarity: Polarity, draw: impl FnOnce(&mut Canvas, Rgb)) -> Array3<u8> {
    let (ink, paper) = match polarity {
        Polarity::WhiteOnBlack => (WHITE, BLACK),
        Polarity::BlackOnWhite => (BLACK, WHITE),
    };
    let mut canvas = Canvas::new();
    canvas.gradient(0.0, SIDE as f32, paper, paper);
    draw(&mut canvas, ink);
    canvas.finish()
}

fn write(canvas: &mut Canvas, ink: Rgb, glyph: Glyph, stream: &mut Stream) {
    let hand = Hand::random(stream, 0.12);
    let mut tremble =
        |&(u, v): &(f32, f32)| (u + stream.random_range(-0.03f32..0.03), v + stream.random_range(-0.03f32..0.03));
    for stroke in glyphs::strokes(glyph.character()) {
        let (Pen::Line(points) | Pen::Curve(points) | Pen::Loop(points)) = stroke;
        let points: Vec<_> = points.iter().map(&mut tremble).collect();
        let points = match stroke {
            Pen::Line(_) => points,
            Pen::Curve(_) => glyphs::smooth(&points, false),
            Pen::Loop(_) => glyphs::smooth(&points, true),
        };
        let points: Vec<_> = points.into_iter().map(|point| hand.place(point)).collect();
        if matches!(stroke, Pen::Loop(_)) {
            canvas.stroke_closed(&points, ink, hand.width_px);
        } else {
            canvas.stroke(&points, ink, hand.width_px);
        }
    }
}

fn trace(canvas: &mut Canvas, ink: Rgb, outline: Outline, stream: &mut Stream) {
    let Hand { x, y, width_px, size, angle, .. } = Hand::random(stream, 0.1);
    let round_width = stream.random_range(9.0f32..11.0);
    canvas.frame(x, y, 1.0, angle);
    let half = 0.5 * size;
    match outline {
        Outline::Square => {
            let corner = 0.86 * half;
            let corners = [(-corner, -corner), (corner, -corner), (corner, corner), (-corner, corner)];
            canvas.stroke_closed(&corners, ink, width_px);
        }
        Outline::Diamond => {
            let corner = 1.12 * half;
            canvas.stroke_closed(&[(0.0, -corner), (corner, 0.0), (0.0, corner), (-corner, 0.0)], ink, width_px);
        }
        Outline::Triangle => {
            let points = [(0.0, -1.02 * half), (1.08 * half, 0.84 * half), (-1.08 * half, 0.84 * half)];
            canvas.stroke_closed(&points, ink, width_px);
        }
        Outline::Circle => canvas.stroke_ellipse(0.0, 0.0, 1.08 * half, 1.08 * half, ink, 0.75 * width_px),
        Outline::Ring => canvas.stroke_ellipse(0.0, 0.0, 0.68 * half, 0.68 * half, ink, round_width),
        Outline::Plus => {
            canvas.stroke(&[(-half, 0.0), (half, 0.0)], ink, 1.3 * width_px);
            canvas.stroke(&[(0.0, -half), (0.0, half)], ink, 1.3 * width_px);
        }
        Outline::Cross => {
            let tip = 0.8 * half;
            canvas.stroke(&[(-tip, -tip), (tip, tip)], ink, 1.3 * width_px);
            canvas.stroke(&[(tip, -tip), (-tip, tip)], ink, 1.3 * width_px);
        }
    }
}

fn gray(value: impl Fn(f32, f32) -> f32) -> Array3<u8> {
    Array3::from_shape_fn((SIDE, SIDE, 3), |(row, column, _)| {
        let bright = value(column as f32 + 0.5 - 32.0, row as f32 + 0.5 - 32.0);
        (255.0 * bright.clamp(0.0, 1.0)).round() as u8
    })
}

/// Sinusoidal bars; with white-on-black polarity a bright bar runs near the centre, otherwise a dark one.
fn grating(orientation: Orientation, frequency: Frequency, polarity: Polarity, stream: &mut Stream) -> Array3<u8> {
    let period = match frequency {
        Frequency::Coarse => 24.0,
        Frequency::Medium => 15.0,
        Frequency::Fine => 10.0,
    } * stream.random_range(0.96f32..1.04);
    let normal = match orientation {
        Orientation::Vertical => 0.0,
        Orientation::Rising => std::f32::consts::FRAC_PI_4,
        Orientation::Horizontal => std::f32::consts::FRAC_PI_2,
        Orientation::Falling => -std::f32::consts::FRAC_PI_4,
    } + stream.random_range(-0.06f32..0.06);
    let sign = if polarity == Polarity::WhiteOnBlack { 0.5 } else { -0.5 };
    let phase = stream.random_range(-0.7f32..0.7);
    let (sin, cos) = normal.sin_cos();
    gray(|x, y| 0.5 + sign * (std::f32::consts::TAU * (x * cos + y * sin) / period + phase).cos())
}

/// Square fields; with white-on-black polarity the centre lies in a bright one.
fn checkerboard(frequency: Frequency, polarity: Polarity, stream: &mut Stream) -> Array3<u8> {
    let field: f32 = match frequency {
        Frequency::Coarse => 18.0,
        Frequency::Medium => 12.0,
        Frequency::Fine => 8.0,
    };
    let slack: f32 = field * 0.25;
    let (dx, dy) = (stream.random_range(-slack..slack).round(), stream.random_range(-slack..slack).round());
    let bright_parity = i32::from(polarity == Polarity::BlackOnWhite);
    gray(|x, y| {
        let cell = |v: f32| ((v + 0.5 * field) / field).floor() as i32;
        if (cell(x - dx) + cell(y - dy)).rem_euclid(2) == bright_parity { 1.0 } else { 0.0 }
    })
}
