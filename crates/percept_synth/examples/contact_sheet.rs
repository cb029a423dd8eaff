//! Writes a sheet of drawings as PNG: one row per object, then one of figures and one of random drawings per column.
//!
//! `cargo run --release -p percept_synth --example contact_sheet -- sheet.png`

use image::{Rgb, RgbImage, imageops};
use ndarray::Array3;
use percept_core::Seed;
use percept_synth::drawing::{
    Background, Color, Drawing, Figure, Glyph, Object, Outline, Place, Polarity, SIDE, Scene, Shape, Size, Time,
};

/// Drawings per row.
const COLUMNS: usize = 16;
/// Each pixel becomes a block of this side.
const ZOOM: u32 = 2;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: contact_sheet SHEET.png")?;
    let seed = Seed::new(1);
    let mut drawings = Vec::new();
    for (row, &object) in Object::ALL.iter().enumerate() {
        for column in 0..COLUMNS {
            let n = row + column;
            drawings.push(Drawing::Scene(Scene {
                object,
                color: Color::ALL[(column + row) % 8],
                size: Size::ALL[(column / 8 + 1) % 2],
                place: Place::ALL[n % 3],
                background: Background::ALL[column % 6],
                time: Time::ALL[(n / 2) % 2],
            }));
        }
    }
    for &background in Background::ALL {
        for column in 0..COLUMNS {
            drawings.push(Drawing::Scene(Scene {
                object: Object::ALL[column % 10],
                color: Color::ALL[column % 8],
                size: Size::ALL[column % 2],
                place: Place::ALL[column % 3],
                background,
                time: Time::ALL[column / 8],
            }));
        }
    }
    let shapes = Glyph::all().map(Shape::Glyph).chain(Outline::ALL.iter().map(|&outline| Shape::Outline(outline)));
    for (index, shape) in shapes.enumerate() {
        drawings.push(Drawing::Figure(Figure { shape, polarity: Polarity::ALL[index % 2] }));
    }
    let mut index = 0;
    while drawings.len() < COLUMNS * 22 {
        let drawing = Drawing::random(seed.at(index));
        index += 1;
        if drawings.len() >= COLUMNS * 20 || matches!(drawing, Drawing::Figure(_)) {
            drawings.push(drawing);
        }
    }

    let rows = drawings.len().div_ceil(COLUMNS);
    let mut sheet = RgbImage::new((COLUMNS * SIDE) as u32, (rows * SIDE) as u32);
    for (index, drawing) in drawings.iter().enumerate() {
        paste(&mut sheet, &drawing.render(seed.at(index as u64)), index / COLUMNS * SIDE, index % COLUMNS * SIDE);
    }
    let (width, height) = sheet.dimensions();
    imageops::resize(&sheet, width * ZOOM, height * ZOOM, imageops::FilterType::Nearest).save(path)?;
    Ok(())
}

fn paste(sheet: &mut RgbImage, picture: &Array3<u8>, top: usize, left: usize) {
    for row in 0..SIDE {
        for column in 0..SIDE {
            let pixel = Rgb([picture[[row, column, 0]], picture[[row, column, 1]], picture[[row, column, 2]]]);
            sheet.put_pixel((left + column) as u32, (top + row) as u32, pixel);
        }
    }
}
