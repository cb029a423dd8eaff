//! A small drawing surface: filled and outlined shapes in pixel or object coordinates, anti-aliased, opaque at the end.

use ndarray::Array3;
use tiny_skia::{
    Color, FillRule, GradientStop, LineCap, LineJoin, LinearGradient, Paint, Path, PathBuilder, Pixmap, Point, Rect,
    Shader, SpreadMode, Stroke, Transform,
};

use super::size::SIDE;

/// A colour, red green blue in 0..=255, kept in floats so that shades can be mixed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rgb(pub f32, pub f32, pub f32);

impl Rgb {
    /// The colour `share` of the way from this one to `other`.
    pub(super) fn mix(self, other: Self, share: f32) -> Self {
        let at = |a: f32, b: f32| a + (b - a) * share;
        Self(at(self.0, other.0), at(self.1, other.1), at(self.2, other.2))
    }

    /// All channels moved by `offset`.
    pub(super) fn shift(self, offset: f32) -> Self {
        Self(self.0 + offset, self.1 + offset, self.2 + offset)
    }

    fn paint(self, alpha: f32) -> Color {
        let unit = |value: f32| (value / 255.0).clamp(0.0, 1.0);
        Color::from_rgba(unit(self.0), unit(self.1), unit(self.2), alpha).unwrap_or(Color::BLACK)
    }
}

/// Dark outline of objects.
pub(super) const INK: Rgb = Rgb(28.0, 24.0, 30.0);

/// The surface. Shapes are given in the current frame (see [`Canvas::frame`]); at first that is pixels.
#[derive(Clone)]
pub(super) struct Canvas {
    pixmap: Pixmap,
    transform: Transform,
    scale: f32,
    /// Outline width in pixels.
    pub(super) line: f32,
}

impl Canvas {
    pub(super) fn new() -> Self {
        let pixmap = Pixmap::new(SIDE as u32, SIDE as u32).expect("the side of a drawing is a positive constant");
        Self { pixmap, transform: Transform::identity(), scale: 1.0, line: 1.0 }
    }

    /// Later shapes are in units of `scale` pixels around (`x`, `y`), turned by `angle` radians.
    pub(super) fn frame(&mut self, x: f32, y: f32, scale: f32, angle: f32) {
        let (sin, cos) = angle.sin_cos();
        self.transform = Transform::from_row(scale * cos, scale * sin, -scale * sin, scale * cos, x, y);
        self.scale = scale;
    }

    /// Vertical gradient over rows `top..bottom` (pixels) in the whole width.
    pub(super) fn gradient(&mut self, top: f32, bottom: f32, above: Rgb, below: Rgb) {
        if let Some(rect) = Rect::from_ltrb(0.0, top, SIDE as f32, bottom) {
            let paint = Paint { shader: vertical(top, bottom, above, below), anti_alias: true, ..Paint::default() };
            self.pixmap.fill_rect(rect, &paint, Transform::identity(), None);
        }
    }

    /// Polygon filled with a vertical gradient between rows `top` and `bottom`.
    pub(super) fn gradient_polygon(&mut self, points: &[(f32, f32)], top: f32, bottom: f32, above: Rgb, below: Rgb) {
        if let Some(path) = polygon(points) {
            let paint = Paint { shader: vertical(top, bottom, above, below), anti_alias: true, ..Paint::default() };
            self.pixmap.fill_path(&path, &paint, FillRule::Winding, self.transform, None);
        }
    }

    fn fill_path(&mut self, path: &Path, color: Rgb, alpha: f32) {
        let mut paint = Paint { anti_alias: true, ..Paint::default() };
        paint.set_color(color.paint(alpha));
        self.pixmap.fill_path(path, &paint, FillRule::Winding, self.transform, None);
    }

    fn stroke_path(&mut self, path: &Path, color: Rgb, width_px: f32) {
        let mut paint = Paint { anti_alias: true, ..Paint::default() };
        paint.set_color(color.paint(1.0));
        let stroke = Stroke {
            width: width_px / self.scale,
            line_cap: LineCap::Round,
            line_join: LineJoin::Round,
            ..Stroke::default()
        };
        self.pixmap.stroke_path(path, &paint, &stroke, self.transform, None);
    }

    fn outlined(&mut self, path: &Path, color: Rgb) {
        self.fill_path(path, color, 1.0);
        self.stroke_path(path, INK, self.line);
    }

    /// Filled polygon without outline.
    pub(super) fn polygon(&mut self, points: &[(f32, f32)], color: Rgb) {
        if let Some(path) = polygon(points) {
            self.fill_path(&path, color, 1.0);
        }
    }

    /// Polygon with dark outline.
    pub(super) fn outlined_polygon(&mut self, points: &[(f32, f32)], color: Rgb) {
        if let Some(path) = polygon(points) {
            self.outlined(&path, color);
        }
    }

    /// Rectangle from (`left`, `top`) to (`right`, `bottom`) without outline.
    pub(super) fn rect(&mut self, left: f32, top: f32, right: f32, bottom: f32, color: Rgb) {
        self.polygon(&[(left, top), (right, top), (right, bottom), (left, bottom)], color);
    }

    /// Rectangle with dark outline.
    pub(super) fn outlined_rect(&mut self, left: f32, top: f32, right: f32, bottom: f32, color: Rgb) {
        self.outlined_polygon(&[(left, top), (right, top), (right, bottom), (left, bottom)], color);
    }

    /// Ellipse without outline; `alpha` 1 is opaque.
    pub(super) fn ellipse(&mut self, x: f32, y: f32, radius_x: f32, radius_y: f32, color: Rgb, alpha: f32) {
        if let Some(path) = ellipse(x, y, radius_x, radius_y) {
            self.fill_path(&path, color, alpha);
        }
    }

    /// Ellipse with dark outline.
    pub(super) fn outlined_ellipse(&mut self, x: f32, y: f32, radius_x: f32, radius_y: f32, color: Rgb) {
        if let Some(path) = ellipse(x, y, radius_x, radius_y) {
            self.outlined(&path, color);
        }
    }

    /// Several discs (x, y, radius) as one shape with one outline around their union.
    pub(super) fn outlined_discs(&mut self, discs: &[(f32, f32, f32)], color: Rgb) {
        for &(x, y, radius) in discs {
            let radius = radius + 0.5 * self.line / self.scale;
            self.ellipse(x, y, radius, radius, INK, 1.0);
        }
        for &(x, y, radius) in discs {
            let radius = radius - 0.5 * self.line / self.scale;
            self.ellipse(x, y, radius, radius, color, 1.0);
        }
    }

    /// Open line through `points`, round ends.
    pub(super) fn stroke(&mut self, points: &[(f32, f32)], color: Rgb, width_px: f32) {
        if let Some(path) = line(points, false) {
            self.stroke_path(&path, color, width_px);
        }
    }

    /// Closed line through `points`, round corners.
    pub(super) fn stroke_closed(&mut self, points: &[(f32, f32)], color: Rgb, width_px: f32) {
        if let Some(path) = line(points, true) {
            self.stroke_path(&path, color, width_px);
        }
    }

    /// Ellipse as a line only.
    pub(super) fn stroke_ellipse(&mut self, x: f32, y: f32, radius_x: f32, radius_y: f32, color: Rgb, width_px: f32) {
        if let Some(path) = ellipse(x, y, radius_x, radius_y) {
            self.stroke_path(&path, color, width_px);
        }
    }

    /// The finished picture, (row, column, channel). Every pixel was painted by a background, so alpha plays no part.
    pub(super) fn finish(&self) -> Array3<u8> {
        let data = self.pixmap.data();
        Array3::from_shape_fn((SIDE, SIDE, 3), |(row, column, channel)| data[(row * SIDE + column) * 4 + channel])
    }
}

fn vertical(top: f32, bottom: f32, above: Rgb, below: Rgb) -> Shader<'static> {
    let stops = vec![GradientStop::new(0.0, above.paint(1.0)), GradientStop::new(1.0, below.paint(1.0))];
    let (from, to) = (Point::from_xy(0.0, top), Point::from_xy(0.0, bottom));
    LinearGradient::new(from, to, stops, SpreadMode::Pad, Transform::identity())
        .unwrap_or(Shader::SolidColor(above.paint(1.0)))
}

fn line(points: &[(f32, f32)], closed: bool) -> Option<Path> {
    let mut builder = PathBuilder::new();
    let (&(x, y), rest) = points.split_first()?;
    builder.move_to(x, y);
    for &(x, y) in rest {
        builder.line_to(x, y);
    }
    if closed {
        builder.close();
    }
    builder.finish()
}

fn polygon(points: &[(f32, f32)]) -> Option<Path> {
    line(points, true)
}

fn ellipse(x: f32, y: f32, radius_x: f32, radius_y: f32) -> Option<Path> {
    PathBuilder::from_oval(Rect::from_ltrb(x - radius_x, y - radius_y, x + radius_x, y + radius_y)?)
}
