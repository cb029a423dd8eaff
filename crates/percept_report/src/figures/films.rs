//! Films that play in step: a picture of each, one slider for all, and scores over time below it. All frames of a film lie in one
//! picture within the page, of which a script shows one at a time. Without scripts, the first frames are seen.

use std::fmt::Write;

use percept_core::figure::{Figure, Films, Section, Track};

use crate::error::{Pictures, ReportError, frames};
use crate::glossary::Glossary;
use crate::markup::{address, breakable, decimal, escape};

const SCRIPT: &str = include_str!("../assets/films.js");
const STYLE: &str = include_str!("../assets/films.css");
/// The drawing of scores over time, in its own units.
const TRACK: [f64; 2] = [1000.0, 60.0];

/// The colour of film number `number`; beyond eight they begin again.
fn colour(number: usize) -> String {
    format!("--s{}", number % 8)
}

/// Appends the films.
///
/// # Errors
/// [`ReportError`] when frames cannot be had or are of another format, or a track has another number of films.
pub(super) fn draw(
    out: &mut String,
    glossary: &Glossary<'_>,
    figure: &Films,
    pictures: &mut Pictures<'_>,
) -> Result<(), ReportError> {
    let bad = |expected: String, got: String| ReportError::Figure { title: figure.title.clone(), expected, got };
    if figure.n_frames == 0 || figure.size.contains(&0) || figure.rate.is_nan() || figure.rate <= 0.0 {
        let got = format!("{} of {:?} pixels, {} a second", figure.n_frames, figure.size, figure.rate);
        return Err(bad("frames, pixels and a rate above 0".to_owned(), got));
    }
    if let Some(track) = figure.tracks.iter().find(|track| track.values.len() != figure.films.len()) {
        let got = format!("{} in the track `{}`", track.values.len(), track.name);
        return Err(bad(format!("values of {} films", figure.films.len()), got));
    }
    let [width, height] = figure.size;
    let secs = figure.n_frames as f64 / figure.rate;
    let _ = write!(
        out,
        "<div class=\"films\" data-rate=\"{}\" data-frames=\"{}\" data-size=\"{width} {height}\" tabindex=\"0\" role=\"group\" aria-label=\"{}, {secs:.0} s; space plays, arrows step\"><div class=\"reels\">",
        figure.rate,
        figure.n_frames,
        escape(&figure.title)
    );
    for (number, film) in figure.films.iter().enumerate() {
        if film.across == 0 {
            return Err(bad("at least one frame in a row".to_owned(), format!("none in `{}`", film.name)));
        }
        let (kind, bytes) = frames(&film.sheet, pictures)?;
        let _ = write!(
            out,
            "<div class=\"reel\"><div class=\"screen\" style=\"aspect-ratio:{width}/{height}\"><img alt=\"frames of {}\" data-across=\"{}\" style=\"width:{}%\" src=\"{}\"></div><span class=\"name\"><i style=\"background:var({})\"></i>{}</span></div>",
            escape(&film.name),
            film.across,
            100 * film.across,
            address(kind, &bytes),
            colour(number),
            breakable(&film.name)
        );
    }
    let _ = write!(
        out,
        "</div><div class=\"transport\"><button type=\"button\" class=\"play\" aria-pressed=\"false\">Play</button><input type=\"range\" min=\"0\" max=\"{}\" value=\"0\" step=\"1\" aria-label=\"frame\"><output>0.0 s</output><label>Speed <select><option value=\"0.5\">half</option><option value=\"1\" selected>true</option><option value=\"2\">double</option></select></label></div>",
        figure.n_frames - 1
    );
    out.push_str("<p class=\"said\" aria-live=\"off\"></p>");
    for track in &figure.tracks {
        draw_track(out, glossary, figure, track, secs);
    }
    // Words and when they begin, for the script.
    out.push_str("<ol class=\"words\" hidden>");
    for (start, words) in &figure.words {
        let _ = write!(out, "<li data-at=\"{start}\">{}</li>", escape(words));
    }
    out.push_str("</ol></div>\n");
    Ok(())
}

/// One drawing of a score over time with a line for each film.
fn draw_track(out: &mut String, glossary: &Glossary<'_>, figure: &Films, track: &Track, secs: f64) {
    let all = track.values.iter().flatten().flatten().flatten().copied().filter(|value| value.is_finite());
    let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low > high {
        return;
    }
    let range = (high - low).max(1e-9);
    let name = glossary.label(&track.name);
    let _ = write!(
        out,
        "<div class=\"track\"><span class=\"what\">{}<small>{} to {}</small></span><svg viewBox=\"0 0 {} {}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{} over time\">",
        escape(name),
        decimal(low),
        decimal(high),
        TRACK[0],
        TRACK[1],
        escape(name)
    );
    for (number, values) in track.values.iter().enumerate() {
        let Some(values) = values else { continue };
        let _ = write!(out, "<path style=\"stroke:var({})\" d=\"", colour(number));
        let mut is_drawing = false;
        for (place, value) in values.iter().enumerate() {
            let Some(value) = value.filter(|value| value.is_finite()) else {
                is_drawing = false;
                continue;
            };
            let x = (place as f64 + 0.5) * track.step_secs / secs * TRACK[0];
            let y = TRACK[1] - 4.0 - (TRACK[1] - 8.0) * (value - low) / range;
            let _ = write!(out, "{}{x:.1} {y:.1}", if is_drawing { 'L' } else { 'M' });
            is_drawing = true;
        }
        let _ = write!(out, "\"><title>{}</title></path>", escape(&figure.films[number].name));
    }
    out.push_str("</svg><span class=\"now\"></span></div>");
}

/// The style and the script of films, where the sections have some.
pub(super) fn assets(sections: &[Section]) -> Option<(&'static str, &'static str)> {
    let has_one = sections.iter().flat_map(|section| &section.figures).any(|figure| matches!(figure, Figure::Films(_)));
    has_one.then_some((STYLE, SCRIPT))
}
