//! Rows of sounds: each with its mel spectrogram, its waveform and a player of the browser, the sound within the page. One plays
//! at a time, a line runs along with it, and a click on a picture goes there.

use std::fmt::Write;

use percept_core::figure::{Clip, Figure, Section, Sounds};
use percept_surface::colour::ColourMap;

use super::table::Table;
use crate::error::{Pictures, ReportError, png, wav};
use crate::markup::{data_address, escape, sound_address};

const SCRIPT: &str = include_str!("../assets/sounds.js");
const STYLE: &str = include_str!("../assets/sounds.css");

/// Appends the sounds as a table.
///
/// # Errors
/// [`ReportError`] when a sound or picture cannot be had or is of another format, or a row has another number of cells than
/// there are columns.
pub(super) fn draw(out: &mut String, figure: &Sounds, pictures: &mut Pictures<'_>) -> Result<(), ReportError> {
    let table =
        Table { title: &figure.title, attributes: "class=\"sounds\"", columns: &figure.columns, cells: "sounds" };
    table.begin(out, figure.rows.iter().map(|row| (&row.label, row.cells.len())))?;
    for row in &figure.rows {
        let _ = write!(out, "<tr><th scope=\"row\">{}</th>", escape(&row.label));
        for (column, cell) in figure.columns.iter().zip(&row.cells) {
            match cell {
                Some(clip) => draw_clip(out, clip, &format!("{}, {column}", row.label), pictures)?,
                None => out.push_str("<td><span class=\"none\">none</span></td>"),
            }
        }
        out.push_str("</tr>\n");
    }
    let _ = writeln!(
        out,
        "</tbody></table></div>\n<p class=\"ends\">Pictures: time to the right, frequency upwards from 0 to {:.1} kHz, even in mel; the brighter the louder. Below: the waveform.</p>",
        figure.high_hz / 1000.0
    );
    Ok(())
}

fn draw_clip(out: &mut String, clip: &Clip, name: &str, pictures: &mut Pictures<'_>) -> Result<(), ReportError> {
    let mel = coloured(&clip.mels, pictures)?;
    let sound = wav(&clip.sound, pictures)?;
    let name = escape(name);
    let _ = write!(
        out,
        "<td><div class=\"clip\"><div class=\"seen\"><img alt=\"mel spectrogram of {name}, {:.1} s\" src=\"{}\">",
        clip.seconds,
        data_address(&mel)
    );
    waveform(out, &clip.waveform, &name);
    let _ = write!(
        out,
        "<span class=\"now\" hidden></span></div><audio controls preload=\"metadata\" aria-label=\"{name}\" src=\"{}\"></audio>",
        sound_address(&sound)
    );
    if !clip.note.is_empty() {
        let _ = write!(out, "<span class=\"note\">{}</span>", escape(&clip.note));
    }
    out.push_str("</div></td>");
    Ok(())
}

/// A gray picture in colours whose steps are even for the eye.
fn coloured(path: &str, pictures: &mut Pictures<'_>) -> Result<Vec<u8>, ReportError> {
    let mut picture = percept_io::picture::decode(&png(path, pictures)?)?;
    let table = ColourMap::Ember.table();
    for mut pixel in picture.rows_mut() {
        let colour = table[usize::from(pixel[0])];
        pixel.iter_mut().zip(colour).for_each(|(to, value)| *to = value);
    }
    Ok(percept_io::picture::encode_png(picture.view())?)
}

/// One area from the least to the largest sample of each stretch.
fn waveform(out: &mut String, stretches: &[[f32; 2]], name: &str) {
    let n = stretches.len();
    let _ = write!(
        out,
        "<svg viewBox=\"0 0 {} 100\" role=\"img\" aria-label=\"waveform of {name}\" preserveAspectRatio=\"none\"><path d=\"",
        n.max(1)
    );
    let height = |value: f32| 50.0 - 49.0 * value.clamp(-1.0, 1.0);
    let upper = stretches.iter().enumerate().map(|(i, ends)| (i, height(ends[1]) - 0.5));
    let lower = stretches.iter().enumerate().rev().map(|(i, ends)| (i, height(ends[0]) + 0.5));
    for (step, (i, y)) in upper.chain(lower).enumerate() {
        let _ = write!(out, "{}{i} {y:.1}", if step == 0 { 'M' } else { 'L' });
    }
    out.push_str("Z\"/></svg>");
}

/// The style and the script of the players, where the sections have one.
pub(super) fn assets(sections: &[Section]) -> Option<(&'static str, &'static str)> {
    let has_one =
        sections.iter().flat_map(|section| &section.figures).any(|figure| matches!(figure, Figure::Sounds(_)));
    has_one.then_some((STYLE, SCRIPT))
}
