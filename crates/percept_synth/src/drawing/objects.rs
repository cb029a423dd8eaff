//! The ten objects, each in a frame whose units reach from −1 to 1 (top −1, bottom 1), mostly in one colour.

use super::canvas::{Canvas, INK, Rgb};
use super::words::Object;

const WHITE: Rgb = Rgb(255.0, 255.0, 255.0);
const BLACK: Rgb = Rgb(0.0, 0.0, 0.0);
const WOOD: Rgb = Rgb(104.0, 68.0, 42.0);
const LEAF: Rgb = Rgb(52.0, 140.0, 58.0);
const SKIN: Rgb = Rgb(246.0, 208.0, 172.0);
const PALE: Rgb = Rgb(255.0, 248.0, 214.0);
const GLASS: Rgb = Rgb(214.0, 234.0, 250.0);
const TYRE: Rgb = Rgb(52.0, 52.0, 58.0);

/// Draws `object` in the canvas's current frame.
pub(super) fn draw(canvas: &mut Canvas, object: Object, color: Rgb) {
    let dark = color.mix(BLACK, 0.34);
    let light = color.mix(WHITE, 0.42);
    match object {
        Object::House => house(canvas, color, dark),
        Object::Tree => tree(canvas, color, light),
        Object::Car => car(canvas, color, dark),
        Object::Boat => boat(canvas, color, dark),
        Object::Fish => fish(canvas, color, dark),
        Object::Flower => flower(canvas, color),
        Object::Cup => cup(canvas, color, dark, light),
        Object::Ball => ball(canvas, color, dark, light),
        Object::Person => person(canvas, color, dark),
        Object::Butterfly => butterfly(canvas, color, light),
    }
}

fn house(canvas: &mut Canvas, color: Rgb, dark: Rgb) {
    canvas.outlined_rect(0.38, -0.92, 0.66, -0.3, dark);
    canvas.outlined_rect(-0.76, -0.1, 0.76, 1.0, color);
    canvas.outlined_polygon(&[(-1.02, -0.06), (0.0, -1.0), (1.02, -0.06)], dark);
    canvas.outlined_rect(-0.2, 0.36, 0.2, 1.0, WOOD);
    canvas.outlined_rect(-0.62, 0.18, -0.34, 0.52, PALE);
    canvas.outlined_rect(0.34, 0.18, 0.62, 0.52, PALE);
}

fn tree(canvas: &mut Canvas, color: Rgb, light: Rgb) {
    canvas.outlined_rect(-0.18, 0.2, 0.18, 1.0, WOOD);
    canvas.outlined_discs(&[(0.0, -0.52, 0.48), (-0.44, -0.02, 0.44), (0.44, -0.02, 0.44), (0.0, 0.04, 0.4)], color);
    canvas.ellipse(-0.16, -0.62, 0.17, 0.12, light, 1.0);
}

fn car(canvas: &mut Canvas, color: Rgb, dark: Rgb) {
    canvas.outlined_polygon(&[(-0.7, 0.2), (-0.46, -0.5), (0.36, -0.5), (0.7, 0.2)], color);
    canvas.polygon(&[(-0.5, 0.14), (-0.35, -0.32), (-0.1, -0.32), (-0.1, 0.14)], GLASS);
    canvas.polygon(&[(0.06, 0.14), (0.06, -0.32), (0.27, -0.32), (0.48, 0.14)], GLASS);
    canvas.outlined_polygon(
        &[(-1.08, 0.3), (-0.98, 0.14), (0.86, 0.14), (1.08, 0.34), (1.08, 0.72), (-1.08, 0.72)],
        color,
    );
    canvas.stroke(&[(-0.96, 0.48), (0.96, 0.48)], dark, canvas.line);
    for x in [-0.56, 0.56] {
        canvas.outlined_ellipse(x, 0.7, 0.28, 0.28, TYRE);
        canvas.ellipse(x, 0.7, 0.11, 0.11, Rgb(210.0, 210.0, 214.0), 1.0);
    }
}

fn boat(canvas: &mut Canvas, color: Rgb, dark: Rgb) {
    canvas.stroke(&[(0.0, 0.5), (0.0, -1.0)], WOOD, 1.3 * canvas.line);
    canvas.outlined_polygon(&[(0.1, -0.96), (0.98, 0.32), (0.1, 0.32)], color);
    canvas.outlined_polygon(&[(-0.12, -0.7), (-0.12, 0.32), (-0.82, 0.32)], WHITE);
    canvas.outlined_polygon(&[(-1.08, 0.44), (1.08, 0.44), (0.72, 1.0), (-0.72, 1.0)], color);
    canvas.stroke(&[(-0.84, 0.64), (0.84, 0.64)], dark, canvas.line);
}

fn fish(canvas: &mut Canvas, color: Rgb, dark: Rgb) {
    canvas.outlined_polygon(&[(0.42, 0.1), (1.08, -0.48), (0.92, 0.1), (1.08, 0.68)], dark);
    canvas.outlined_polygon(&[(-0.3, -0.4), (0.16, -0.82), (0.34, -0.3)], dark);
    canvas.outlined_polygon(&[(-0.2, 0.6), (0.06, 0.96), (0.22, 0.52)], dark);
    canvas.outlined_ellipse(-0.26, 0.1, 0.82, 0.6, color);
    canvas.stroke(&[(-0.44, -0.3), (-0.32, 0.1), (-0.44, 0.5)], dark, canvas.line);
    canvas.outlined_ellipse(-0.72, -0.06, 0.15, 0.15, WHITE);
    canvas.ellipse(-0.75, -0.06, 0.06, 0.06, INK, 1.0);
}

fn flower(canvas: &mut Canvas, color: Rgb) {
    let stem = 0.13 * 18.0 / 1.5 * canvas.line;
    canvas.stroke(&[(0.0, 0.0), (0.0, 0.96)], LEAF, stem);
    canvas.outlined_polygon(&[(0.02, 0.86), (0.28, 0.46), (0.66, 0.42), (0.44, 0.76)], LEAF);
    let petals: [(f32, f32, f32); 6] = std::array::from_fn(|petal| {
        let angle = (petal as f32 + 0.5) * std::f32::consts::TAU / 6.0;
        (0.43 * angle.cos(), -0.32 + 0.43 * angle.sin(), 0.3)
    });
    for (x, y, radius) in petals {
        canvas.outlined_ellipse(x, y, radius, radius, color);
    }
    canvas.outlined_ellipse(0.0, -0.32, 0.24, 0.24, PALE);
}

fn cup(canvas: &mut Canvas, color: Rgb, dark: Rgb, light: Rgb) {
    let handle = 0.3 * 8.0 * canvas.line;
    canvas.stroke_ellipse(0.62, 0.06, 0.36, 0.36, INK, handle);
    canvas.stroke_ellipse(0.62, 0.06, 0.36, 0.36, color, handle - 2.0 * canvas.line);
    canvas.outlined_polygon(&[(-0.9, -0.66), (0.62, -0.66), (0.46, 0.98), (-0.74, 0.98)], color);
    canvas.stroke(&[(-0.74, 0.62), (0.42, 0.62)], dark, canvas.line);
    canvas.outlined_ellipse(-0.14, -0.68, 0.76, 0.22, light);
}

fn ball(canvas: &mut Canvas, color: Rgb, dark: Rgb, light: Rgb) {
    canvas.ellipse(0.0, 0.02, 0.97, 0.97, color, 1.0);
    canvas.stroke_ellipse(0.0, 0.02, 0.42, 0.97, dark, canvas.line);
    canvas.stroke(&[(-0.97, 0.02), (0.97, 0.02)], dark, canvas.line);
    canvas.ellipse(-0.42, -0.46, 0.24, 0.19, light, 1.0);
    canvas.stroke_ellipse(0.0, 0.02, 0.97, 0.97, INK, 1.1 * canvas.line);
}

fn person(canvas: &mut Canvas, color: Rgb, dark: Rgb) {
    canvas.outlined_polygon(&[(-0.3, 0.3), (-0.04, 0.3), (-0.08, 1.0), (-0.4, 1.0)], dark);
    canvas.outlined_polygon(&[(0.3, 0.3), (0.04, 0.3), (0.08, 1.0), (0.4, 1.0)], dark);
    for side in [-1.0f32, 1.0] {
        canvas.outlined_ellipse(side * 0.84, 0.16, 0.13, 0.13, SKIN);
        canvas.outlined_polygon(
            &[(side * 0.22, -0.38), (side * 0.42, -0.36), (side * 0.86, 0.02), (side * 0.72, 0.24), (side * 0.3, 0.0)],
            color,
        );
    }
    canvas.outlined_polygon(&[(-0.38, -0.38), (0.38, -0.38), (0.42, 0.44), (-0.42, 0.44)], color);
    canvas.outlined_ellipse(0.0, -0.68, 0.31, 0.31, SKIN);
}

fn butterfly(canvas: &mut Canvas, color: Rgb, light: Rgb) {
    for side in [-1.0f32, 1.0] {
        canvas.stroke(&[(side * 0.05, -0.4), (side * 0.26, -0.94)], INK, canvas.line);
        canvas.outlined_polygon(
            &[
                (side * 0.04, 0.1),
                (side * 0.5, 0.12),
                (side * 0.82, 0.36),
                (side * 0.76, 0.82),
                (side * 0.4, 0.94),
                (side * 0.12, 0.6),
            ],
            color,
        );
        canvas.outlined_polygon(
            &[
                (side * 0.04, -0.24),
                (side * 0.5, -0.82),
                (side * 0.96, -0.8),
                (side * 1.04, -0.3),
                (side * 0.72, 0.14),
                (side * 0.04, 0.16),
            ],
            color,
        );
        canvas.ellipse(side * 0.68, -0.38, 0.16, 0.16, light, 1.0);
        canvas.ellipse(side * 0.5, 0.54, 0.11, 0.11, light, 1.0);
    }
    canvas.ellipse(0.0, 0.08, 0.12, 0.56, INK, 1.0);
}
