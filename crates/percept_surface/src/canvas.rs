//! A drawing as a list of things, written as SVG or filled into pixels: pictures, text, lines, boxes and colour bars.
//!
//! Both forms come from the same list, so they agree. Units are pixels; y points down.

use std::fmt::Write as _;

use base64::Engine as _;
use ndarray::Array3;
use percept_io::picture;

use crate::colour::Rgb;
use crate::{Result, font};

/// One thing that is drawn; later ones lie above earlier ones.
#[derive(Clone, Debug, PartialEq)]
pub enum Thing {
    /// A picture with an opacity per pixel, at its own size in pixels divided by `density`.
    Picture {
        /// Left edge.
        x: f32,
        /// Upper edge.
        y: f32,
        /// Pixels of the picture for each pixel of the drawing.
        density: f32,
        /// What is seen, for those who cannot see it.
        alt: String,
        /// Rows × columns × (red, green, blue, opacity).
        pixels: Array3<u8>,
    },
    /// One line of text; (x, y) is where its capitals begin above.
    Text {
        /// Where along x: the beginning, middle or end, by `anchor`.
        x: f32,
        /// The top of its capitals.
        y: f32,
        /// The height of its capitals.
        height: f32,
        /// Which part of the text is at x.
        anchor: Anchor,
        /// Its colour.
        colour: Rgb,
        /// A border of another colour around the letters, so that they can be read on any ground.
        halo: Option<Rgb>,
        /// What it says.
        text: String,
    },
    /// Lines through points.
    Lines {
        /// Each a list of points.
        strokes: Vec<Vec<[f32; 2]>>,
        /// Their width.
        width: f32,
        /// Their colour.
        colour: Rgb,
    },
    /// A filled box.
    Filled {
        /// Left edge, upper edge, width and height.
        frame: [f32; 4],
        /// Its colour.
        colour: Rgb,
    },
    /// A colour bar: colours from left to right.
    Bar {
        /// Left edge, upper edge, width and height.
        frame: [f32; 4],
        /// Its colours.
        colours: Vec<Rgb>,
    },
}

/// Which part of a text is at its x.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Its beginning.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

/// A whole drawing.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawing {
    /// Its width in pixels.
    pub width: usize,
    /// Its height in pixels.
    pub height: usize,
    /// The colour behind everything.
    pub ground: Rgb,
    /// What it shows, for those who cannot see it.
    pub title: String,
    /// The things in it.
    pub things: Vec<Thing>,
}

impl Drawing {
    /// The drawing in pixels, `density` for each of its own.
    ///
    /// # Shapes
    /// Rows × columns × (red, green, blue).
    pub fn pixels(&self, density: f32) -> Array3<u8> {
        let (rows, columns) =
            ((self.height as f32 * density).ceil() as usize, (self.width as f32 * density).ceil() as usize);
        let mut out = Array3::from_shape_fn((rows, columns, 3), |(_, _, channel)| self.ground[channel]);
        for thing in &self.things {
            put(&mut out, thing, density);
        }
        out
    }

    /// The drawing as a PNG file.
    ///
    /// # Errors
    /// If it is empty.
    pub fn png(&self, density: f32) -> Result<Vec<u8>> {
        Ok(picture::encode_png_quick(self.pixels(density).view())?)
    }

    /// The drawing as an SVG file: text stays text, lines stay lines, pictures are embedded.
    ///
    /// # Errors
    /// If a picture is empty.
    pub fn svg(&self) -> Result<String> {
        let (w, h) = (self.width, self.height);
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" role=\"img\" \
             font-family=\"system-ui, sans-serif\">\n<title>{}</title>\n<rect width=\"{w}\" height=\"{h}\" fill=\"{}\"/>\n",
            escape(&self.title),
            hex(self.ground)
        );
        for thing in &self.things {
            svg_thing(&mut out, thing)?;
        }
        out.push_str("</svg>\n");
        Ok(out)
    }
}

fn svg_thing(out: &mut String, thing: &Thing) -> Result<()> {
    match thing {
        Thing::Picture { x, y, density, alt, pixels } => {
            let (rows, columns, _) = pixels.dim();
            let png = encode_rgba(pixels)?;
            let _ = writeln!(
                out,
                "<image x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" href=\"data:image/png;base64,{}\"><title>{}</title></image>",
                columns as f32 / density,
                rows as f32 / density,
                base64::engine::general_purpose::STANDARD.encode(png),
                escape(alt)
            );
        }
        Thing::Text { x, y, height, anchor, colour, halo, text } => {
            let anchor = match anchor {
                Anchor::Start => "start",
                Anchor::Middle => "middle",
                Anchor::End => "end",
            };
            let halo = halo.map_or(String::new(), |halo| {
                format!(" stroke=\"{}\" stroke-width=\"{}\" paint-order=\"stroke\"", hex(halo), height * 0.4)
            });
            let _ = writeln!(
                out,
                "<text x=\"{x:.2}\" y=\"{:.2}\" font-size=\"{:.2}\" text-anchor=\"{anchor}\" fill=\"{}\"{halo}>{}</text>",
                y + height,
                height * 1.4,
                hex(*colour),
                escape(text)
            );
        }
        Thing::Lines { strokes, width, colour } => {
            let mut path = String::new();
            for stroke in strokes {
                for (i, [x, y]) in stroke.iter().enumerate() {
                    let _ = write!(path, "{}{x:.1} {y:.1}", if i == 0 { "M" } else { "L" });
                }
            }
            let _ = writeln!(
                out,
                "<path d=\"{path}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{width}\" stroke-linecap=\"round\"/>",
                hex(*colour)
            );
        }
        Thing::Filled { frame: [x, y, w, h], colour } => {
            let _ = writeln!(out, "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" fill=\"{}\"/>", hex(*colour));
        }
        Thing::Bar { frame: [x, y, w, h], colours } => {
            let step = w / colours.len().max(1) as f32;
            for (i, colour) in colours.iter().enumerate() {
                let _ = writeln!(
                    out,
                    "<rect x=\"{:.2}\" y=\"{y}\" width=\"{:.2}\" height=\"{h}\" fill=\"{}\"/>",
                    x + step * i as f32,
                    step + 0.3,
                    hex(*colour)
                );
            }
        }
    }
    Ok(())
}

/// A PNG with opacity.
fn encode_rgba(pixels: &Array3<u8>) -> Result<Vec<u8>> {
    Ok(picture::encode_png_alpha(pixels.view())?)
}

/// Text as XML wants it.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// `#rrggbb`.
pub(crate) fn hex([r, g, b]: Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn put(out: &mut Array3<u8>, thing: &Thing, scale: f32) {
    match thing {
        Thing::Picture { x, y, density, pixels, .. } => {
            put_picture(out, *x * scale, *y * scale, density / scale, pixels);
        }
        Thing::Text { x, y, height, anchor, colour, halo, text } => {
            let (height, top) = (height * scale, y * scale);
            let width = font::width(text, height);
            let left = x * scale
                - match anchor {
                    Anchor::Start => 0.0,
                    Anchor::Middle => width / 2.0,
                    Anchor::End => width,
                };
            let strokes = font::strokes(text, left, top, height);
            if let Some(halo) = halo {
                put_lines(out, &strokes, height * 0.45, *halo);
            }
            put_lines(out, &strokes, (height * 0.13).max(1.0), *colour);
        }
        Thing::Lines { strokes, width, colour } => {
            let scaled: Vec<Vec<[f32; 2]>> = strokes
                .iter()
                .map(|stroke| stroke.iter().map(|point| point.map(|value| value * scale)).collect())
                .collect();
            put_lines(out, &scaled, width * scale, *colour);
        }
        Thing::Filled { frame, colour } => put_box(out, frame.map(|value| value * scale), *colour),
        Thing::Bar { frame: [x, y, w, h], colours } => {
            let step = w / colours.len().max(1) as f32;
            for (i, colour) in colours.iter().enumerate() {
                put_box(out, [x + step * i as f32, *y, step, *h].map(|value| value * scale), *colour);
            }
        }
    }
}

/// Lays `pixels` over `out`; each pixel of `out` takes the mean of those that it covers.
fn put_picture(out: &mut Array3<u8>, x: f32, y: f32, density: f32, pixels: &Array3<u8>) {
    let (rows, columns, _) = pixels.dim();
    let (height, width, _) = out.dim();
    let (left, top) = (x.round() as i64, y.round() as i64);
    let span = |i: usize, most: usize| {
        let from = (i as f32 * density).round() as usize;
        from.min(most)..(((i + 1) as f32 * density).round() as usize).max(from + 1).min(most)
    };
    for row in 0..(rows as f32 / density).ceil() as usize {
        let Some(to_row) = usize::try_from(top + row as i64).ok().filter(|&row| row < height) else { continue };
        for column in 0..(columns as f32 / density).ceil() as usize {
            let Some(to) = usize::try_from(left + column as i64).ok().filter(|&column| column < width) else {
                continue;
            };
            let (mut sum, mut alpha, mut n) = ([0u32; 3], 0u32, 0u32);
            for r in span(row, rows) {
                for c in span(column, columns) {
                    let opacity = u32::from(pixels[(r, c, 3)]);
                    (0..3).for_each(|k| sum[k] += u32::from(pixels[(r, c, k)]) * opacity);
                    alpha += opacity;
                    n += 1;
                }
            }
            if alpha == 0 {
                continue;
            }
            for k in 0..3 {
                let own = u32::from(out[(to_row, to, k)]);
                let value = (sum[k] + own * (255 * n - alpha)) as f32 / (255 * n) as f32;
                out[(to_row, to, k)] = value.round() as u8;
            }
        }
    }
}

fn put_box(out: &mut Array3<u8>, [x, y, w, h]: [f32; 4], colour: Rgb) {
    let (height, width, _) = out.dim();
    let rows = (y.round().max(0.0) as usize).min(height)..((y + h).round().max(0.0) as usize).min(height);
    let columns = (x.round().max(0.0) as usize).min(width)..((x + w).round().max(0.0) as usize).min(width);
    for row in rows {
        for column in columns.clone() {
            (0..3).for_each(|k| out[(row, column, k)] = colour[k]);
        }
    }
}

/// Lines with soft edges; where strokes of one call cross, the colour is laid on once.
fn put_lines(out: &mut Array3<u8>, strokes: &[Vec<[f32; 2]>], width: f32, colour: Rgb) {
    let (rows, columns, _) = out.dim();
    let reach = width / 2.0 + 1.0;
    let all = || strokes.iter().flatten();
    let bound = |axis: usize, most: usize| {
        let low = all().map(|point| point[axis]).fold(f32::INFINITY, f32::min) - reach;
        let high = all().map(|point| point[axis]).fold(f32::NEG_INFINITY, f32::max) + reach;
        (low.max(0.0) as usize).min(most)..((high.max(0.0) as usize) + 1).min(most)
    };
    if all().next().is_none() {
        return;
    }
    let (xs, ys) = (bound(0, columns), bound(1, rows));
    if xs.is_empty() || ys.is_empty() {
        return;
    }
    let mut cover = vec![0.0f32; xs.len() * ys.len()];
    for stroke in strokes {
        let single = [stroke.first().copied().unwrap_or_default(); 2];
        let segments = stroke.windows(2).map(|pair| [pair[0], pair[1]]);
        let dot = (stroke.len() == 1).then_some(single);
        for [a, b] in segments.chain(dot) {
            let low = [a[0].min(b[0]) - reach, a[1].min(b[1]) - reach];
            let high = [a[0].max(b[0]) + reach, a[1].max(b[1]) + reach];
            let r0 = (low[1].max(0.0) as usize).max(ys.start);
            let r1 = ((high[1].max(0.0) as usize) + 1).min(ys.end);
            let c0 = (low[0].max(0.0) as usize).max(xs.start);
            let c1 = ((high[0].max(0.0) as usize) + 1).min(xs.end);
            for row in r0..r1 {
                for column in c0..c1 {
                    let distance = distance([column as f32 + 0.5, row as f32 + 0.5], a, b);
                    let covered = (width / 2.0 + 0.5 - distance).clamp(0.0, 1.0);
                    let cell = &mut cover[(row - ys.start) * xs.len() + column - xs.start];
                    *cell = cell.max(covered);
                }
            }
        }
    }
    for (i, &covered) in cover.iter().enumerate().filter(|(_, covered)| **covered > 0.0) {
        let (row, column) = (ys.start + i / xs.len(), xs.start + i % xs.len());
        for k in 0..3 {
            let own = f32::from(out[(row, column, k)]);
            out[(row, column, k)] = (own + (f32::from(colour[k]) - own) * covered).round() as u8;
        }
    }
}

fn distance(p: [f32; 2], a: [f32; 2], b: [f32; 2]) -> f32 {
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let squared = dx * dx + dy * dy;
    let along = if squared > 0.0 { (((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / squared).clamp(0.0, 1.0) } else { 0.0 };
    ((p[0] - a[0] - along * dx).powi(2) + (p[1] - a[1] - along * dy).powi(2)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_where_they_should_be_in_both_forms() {
        let mut pixels = Array3::from_elem((4, 4, 4), 255);
        pixels[(0, 0, 3)] = 0;
        let drawing = Drawing {
            width: 40,
            height: 20,
            ground: [10, 20, 30],
            title: "a < b".to_owned(),
            things: vec![
                Thing::Picture { x: 1.0, y: 2.0, density: 2.0, alt: "x".to_owned(), pixels },
                Thing::Filled { frame: [10.0, 10.0, 5.0, 5.0], colour: [1, 2, 3] },
                Thing::Lines { strokes: vec![vec![[20.0, 5.5], [30.0, 5.5]]], width: 1.0, colour: [200, 0, 0] },
            ],
        };
        let drawn = drawing.pixels(1.0);
        assert_eq!(drawn[(0, 0, 2)], 30);
        assert_eq!(drawn[(12, 12, 0)], 1);
        assert_eq!(drawn[(5, 25, 0)], 200);
        assert_eq!((drawn[(3, 2, 0)], drawn[(2, 1, 0)]), (255, 194), "a quarter of the first pixel is clear");
        let svg = drawing.svg().expect("drawn");
        assert!(svg.contains("<title>a &lt; b</title>") && svg.contains("M20.0 5.5L30.0 5.5"));
    }
}
