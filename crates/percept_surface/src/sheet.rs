//! Sheets: one or many maps, each in several views of both hemispheres, with colour bars, borders and names of regions.
//!
//! What is seen in a view is found once and coloured for each map, so contact sheets cost little more than one map.

use percept_core::{Mesh, Side};

use crate::canvas::{Anchor, Drawing, Thing};
use crate::colour::{ColourMap, Rgb, category, ordered};
use crate::geometry::normals;
use crate::outline::{self, Outline};
use crate::paint::{Key, Overlay, Scale, Theme, paint};
use crate::raster::{Frame, Hits, hits};
use crate::surfaces::{Hemisphere, Shape, Surfaces};
use crate::values::Map;
use crate::view::{Camera, View, extent};
use crate::{Error, Result};

/// Samples along each side of a pixel: edges are soft, bytes the same everywhere.
const DENSITY: f32 = 2.0;
/// Space around and between things.
const MARGIN: f32 = 12.0;
/// The height of capitals.
const LETTER: f32 = 9.0;

/// A map and how it is to be drawn.
#[derive(Clone, Debug)]
pub struct Layer {
    /// The values.
    pub map: Map,
    /// How they become colours.
    pub scale: Scale,
    /// What they are measured in, for the colour bar; empty for none.
    pub unit: String,
    /// Values whose size is below this are left out.
    pub threshold: Option<f32>,
    /// How firmly each vertex is drawn, one list for each hemisphere: the second map of two-map colours.
    pub opacity: Option<Vec<Vec<f32>>>,
}

/// What a sheet looks like.
#[derive(Clone, Debug)]
pub struct Style {
    /// Shapes and the views of each.
    pub panels: Vec<(Shape, Vec<View>)>,
    /// On white or on black.
    pub theme: Theme,
    /// The width of a view in pixels.
    pub panel_width: f32,
    /// Maps side by side; `None` chooses.
    pub columns: Option<usize>,
    /// Borders, one list for each hemisphere.
    pub outlines: Vec<Vec<Outline>>,
}

impl Default for Style {
    fn default() -> Self {
        Self { panels: Vec::new(), theme: Theme::Light, panel_width: 260.0, columns: None, outlines: Vec::new() }
    }
}

impl Style {
    /// The panels that `text` asks for: `flat,inflated:lateral+medial`. Without views, flat is seen from above and others from
    /// outside and from between.
    ///
    /// # Errors
    /// If a shape or view is not known, or the surfaces lack it.
    pub fn panels_of(text: &str, surfaces: &Surfaces) -> Result<Vec<(Shape, Vec<View>)>> {
        let mut panels = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, views) = part.split_once(':').unwrap_or((part, ""));
            let shape = Shape::ALL.iter().find(|(other, _)| *other == name).map(|&(_, shape)| shape);
            let there: Vec<&str> =
                Shape::ALL.iter().filter(|(_, shape)| surfaces.has(*shape)).map(|(name, _)| *name).collect();
            let Some(shape) = shape.filter(|shape| surfaces.has(*shape)) else {
                let remedy = format!("`{}` has {}", surfaces.name, there.join(", "));
                return Err(Error::missing(format!("surface `{name}` of all hemispheres"), remedy));
            };
            let views: Vec<View> = match (views, shape) {
                ("", _) => default_views(shape),
                (_, Shape::Flat) => {
                    return Err(Error::mismatch("a view of the flat surface", "none", views, "write `flat` alone"));
                }
                _ => views.split('+').map(str::parse).collect::<Result<_>>()?,
            };
            panels.push((shape, views));
        }
        if panels.is_empty() {
            return Err(Error::missing("view", "write `--views flat,inflated`"));
        }
        Ok(panels)
    }

    /// Flat and inflated where they are there, else what is.
    pub fn usual_panels(surfaces: &Surfaces) -> Vec<(Shape, Vec<View>)> {
        let of = |shape: Shape| (shape, default_views(shape));
        let mut panels: Vec<_> =
            [Shape::Flat, Shape::Inflated].into_iter().filter(|s| surfaces.has(*s)).map(of).collect();
        if panels.is_empty() {
            panels.extend([Shape::White, Shape::Pial].into_iter().find(|shape| surfaces.has(*shape)).map(of));
        }
        panels
    }
}

fn default_views(shape: Shape) -> Vec<View> {
    if shape == Shape::Flat { vec![View::Flat] } else { vec![View::Lateral, View::Medial] }
}

/// The scale that a map has unless another is asked for: categories by their keys, values of both signs around 0, others from their
/// least or from 0 up to their 99th percentile.
pub fn usual_scale(map: &Map, range: Option<[f32; 2]>, colours: Option<ColourMap>) -> Scale {
    if let Some(keys) = &map.keys {
        let is_ordered = keys.keys().enumerate().all(|(i, &key)| key == i as i32 || key == i as i32 + 1);
        let n = keys.len();
        let key = |(i, (&value, name)): (usize, (&i32, &String))| Key {
            value: value as f32,
            name: name.clone(),
            colour: if is_ordered && n > 8 { ordered(i, n) } else { category(i) },
        };
        return Scale::Keys(keys.iter().enumerate().map(key).collect());
    }
    let mut values: Vec<f32> = map.values.iter().flatten().copied().filter(|value| value.is_finite()).collect();
    values.sort_by(f32::total_cmp);
    let at = |share: f64| values.get(((values.len().max(1) - 1) as f64 * share) as usize).copied().unwrap_or(0.0);
    let (low, high) = (at(0.01), at(0.99));
    let has_signs = low < 0.0 && high > 0.0 && -low > 0.2 * high;
    let [low, high] = range.unwrap_or_else(|| {
        let most = low.abs().max(high.abs()).max(f32::MIN_POSITIVE);
        if has_signs {
            [-most, most]
        } else if low >= 0.0 && low > 0.5 * high {
            [low, high]
        } else if low < 0.0 && high <= 0.0 {
            [low, 0.0]
        } else {
            [0.0, high.max(f32::MIN_POSITIVE)]
        }
    });
    let usual = if low < 0.0 && high > 0.0 { ColourMap::BlueOrange } else { ColourMap::Ember };
    Scale::Numbers { low, high, map: colours.unwrap_or(usual) }
}

/// One view of one hemisphere, ready to be coloured.
struct Panel<'a> {
    hemisphere_idx: usize,
    hemisphere: &'a Hemisphere,
    mesh: &'a Mesh,
    hits: Hits,
    /// Left and upper edge inside a map's cell.
    at: [f32; 2],
    alt: String,
    borders: Vec<(String, outline::Drawn)>,
}

/// The sheet of these layers.
///
/// # Errors
/// If there are no layers, or values do not fit the surfaces.
pub fn draw(surfaces: &Surfaces, layers: &[Layer], style: &Style) -> Result<Drawing> {
    if layers.is_empty() {
        return Err(Error::missing("map to draw", "give at least one"));
    }
    for layer in layers {
        for (values, hemisphere) in layer.map.values.iter().zip(&surfaces.hemispheres) {
            if values.len() != hemisphere.n_vertices() {
                let remedy = "bring the map onto these surfaces first";
                let what = format!("the values of `{}`", layer.map.name);
                return Err(Error::mismatch(what, hemisphere.n_vertices(), values.len(), remedy));
            }
        }
    }
    let (panels, [cell_width, views_height]) = panels(surfaces, style);
    let ink = style.theme.ink();
    let cell_height = LETTER * 2.2 + views_height + bar_height(layers, cell_width);
    let n_columns =
        style.columns.unwrap_or_else(|| columns_for(layers.len(), cell_width, cell_height)).clamp(1, layers.len());
    let mut things = Vec::new();
    for (i, layer) in layers.iter().enumerate() {
        let left = MARGIN + (i % n_columns) as f32 * (cell_width + 2.0 * MARGIN);
        let top = MARGIN + (i / n_columns) as f32 * (cell_height + 2.0 * MARGIN);
        things.push(Thing::Text {
            x: left,
            y: top,
            height: LETTER,
            anchor: Anchor::Start,
            colour: ink,
            halo: None,
            text: layer.map.name.clone(),
        });
        for panel in &panels {
            put_panel(&mut things, panel, layer, style, [left, top + LETTER * 2.2]);
        }
        put_bar(&mut things, layer, style, [left, top + LETTER * 2.2 + views_height + LETTER], cell_width);
    }
    let n_rows = layers.len().div_ceil(n_columns);
    let names: Vec<&str> = layers.iter().map(|layer| layer.map.name.as_str()).collect();
    Ok(Drawing {
        width: (n_columns as f32 * (cell_width + 2.0 * MARGIN)).ceil() as usize,
        height: (n_rows as f32 * (cell_height + 2.0 * MARGIN)).ceil() as usize,
        ground: style.theme.ground(),
        title: format!("{} on the cortex of {}", names.join(", "), surfaces.name),
        things,
    })
}

/// As many columns as make the sheet about as wide as high.
fn columns_for(n: usize, width: f32, height: f32) -> usize {
    let shape = |columns: usize| {
        let rows = n.div_ceil(columns) as f32;
        ((columns as f32 * width) / (rows * height)).ln().abs() + 0.05 * (rows * columns as f32 - n as f32)
    };
    (1..=n).min_by(|&a, &b| shape(a).total_cmp(&shape(b))).unwrap_or(1)
}

/// All views with their places, and the width and height that they take.
fn panels<'a>(surfaces: &'a Surfaces, style: &Style) -> (Vec<Panel<'a>>, [f32; 2]) {
    let mut panels: Vec<Panel<'a>> = Vec::new();
    let (mut width, mut top) = (0.0f32, 0.0f32);
    for (shape, views) in &style.panels {
        let mut left = 0.0;
        let order = order_of(surfaces, *shape, views);
        let looks: Vec<_> = order
            .iter()
            .filter_map(|&(h, view)| {
                let mesh = surfaces.hemispheres[h].mesh(*shape)?;
                let camera = Camera::new(view, surfaces.hemispheres[h].side);
                Some((h, view, mesh, camera, extent(mesh, &camera)))
            })
            .collect();
        // One scale for all views of a shape, so that sizes can be compared.
        let widest = looks.iter().map(|(.., [low, high])| high[0] - low[0]).fold(f32::MIN_POSITIVE, f32::max);
        let scale = style.panel_width / widest * if *shape == Shape::Flat { 1.3 } else { 1.0 };
        let highest = looks.iter().map(|(.., [low, high])| (high[1] - low[1]) * scale).fold(0.0, f32::max);
        for (h, view, mesh, camera, [low, high]) in looks {
            let (w, height) = ((high[0] - low[0]) * scale + 4.0, highest + 4.0);
            let frame = Frame {
                centre: [0, 1].map(|axis| 0.5 * (low[axis] + high[axis])),
                scale: scale * DENSITY,
                width: (w * DENSITY).ceil() as usize,
                height: (height * DENSITY).ceil() as usize,
            };
            let hemisphere = &surfaces.hemispheres[h];
            let lit = (*shape != Shape::Flat).then(|| normals(mesh));
            let hits = hits(mesh, &camera, frame, lit.as_deref());
            let borders = style.outlines.get(h).into_iter().flatten();
            let borders =
                borders.map(|border| (border.name.clone(), outline::draw(mesh, &camera, &hits, border))).collect();
            let seen = if *shape == Shape::Flat { String::new() } else { format!(", {view} view") };
            let alt = format!("{} hemisphere, {}{seen}", hemisphere.side.word(), shape.name());
            panels.push(Panel { hemisphere_idx: h, hemisphere, mesh, hits, at: [left, top], alt, borders });
            left += w + MARGIN;
        }
        width = width.max(left - MARGIN);
        top += highest + 4.0 + MARGIN;
    }
    (panels, [width, (top - MARGIN).max(0.0)])
}

/// The order from left to right: lateral, medial of the left, then medial, lateral of the right hemisphere. A flat map shows the left
/// one first; views from above and the like stand together.
fn order_of(surfaces: &Surfaces, shape: Shape, views: &[View]) -> Vec<(usize, View)> {
    let mut order = Vec::new();
    for (h, hemisphere) in surfaces.hemispheres.iter().enumerate() {
        let mut own: Vec<(usize, View)> = views.iter().map(|&view| (h, view)).collect();
        if hemisphere.side == Side::Right && shape != Shape::Flat {
            own.reverse();
        }
        order.extend(own);
    }
    order
}

fn put_panel(things: &mut Vec<Thing>, panel: &Panel<'_>, layer: &Layer, style: &Style, at: [f32; 2]) {
    let h = panel.hemisphere_idx;
    let overlay = layer.map.values.get(h).map(|values| Overlay {
        values,
        scale: &layer.scale,
        threshold: layer.threshold,
        opacity: layer.opacity.as_ref().and_then(|opacity| opacity.get(h)).map(Vec::as_slice),
    });
    let pixels = paint(panel.mesh, &panel.hits, panel.hemisphere.folds.as_deref(), style.theme, overlay.as_ref());
    let [x, y] = [at[0] + panel.at[0], at[1] + panel.at[1]];
    things.push(Thing::Picture { x, y, density: DENSITY, alt: format!("{}: {}", layer.map.name, panel.alt), pixels });
    let (ink, ground) = (style.theme.ink(), style.theme.ground());
    for (_, drawn) in &panel.borders {
        let place = |stroke: &Vec<[f32; 2]>| stroke.iter().map(|[a, b]| [x + a / DENSITY, y + b / DENSITY]).collect();
        things.push(Thing::Lines { strokes: drawn.strokes.iter().map(place).collect(), width: 1.3, colour: ink });
    }
    for (name, drawn) in panel.borders.iter().filter(|(name, _)| !name.is_empty()) {
        let Some([a, b]) = drawn.label_at else { continue };
        things.push(Thing::Text {
            x: x + a / DENSITY,
            y: y + b / DENSITY - LETTER * 0.4,
            height: LETTER * 0.8,
            anchor: Anchor::Middle,
            colour: ink,
            halo: Some(ground),
            text: name.clone(),
        });
    }
}

/// The places (left, row) of the names of keys in a legend of this width, and the number of rows.
fn legend(keys: &[Key], width: f32) -> (Vec<(f32, usize)>, usize) {
    let (mut left, mut row) = (0.0, 0);
    let mut places = Vec::new();
    for key in keys {
        let own = LETTER * 2.6 + crate::font::width(&key.name, LETTER * 0.9);
        if left > 0.0 && left + own > width {
            left = 0.0;
            row += 1;
        }
        places.push((left, row));
        left += own;
    }
    (places, row + 1)
}

fn bar_height(layers: &[Layer], width: f32) -> f32 {
    let one = |layer: &Layer| match &layer.scale {
        Scale::Numbers { .. } => LETTER * 4.2,
        Scale::Keys(keys) => LETTER * 2.0 * legend(keys, width).1 as f32 + LETTER,
    };
    layers.iter().map(one).fold(0.0, f32::max)
}

fn put_bar(things: &mut Vec<Thing>, layer: &Layer, style: &Style, [x, y]: [f32; 2], width: f32) {
    let ink = style.theme.ink();
    let text = |x: f32, y: f32, anchor: Anchor, text: String| Thing::Text {
        x,
        y,
        height: LETTER * 0.9,
        anchor,
        colour: ink,
        halo: None,
        text,
    };
    match &layer.scale {
        Scale::Numbers { low, high, .. } => {
            let bar = (width * 0.5).clamp(120.0, 260.0);
            let shown = |i: usize| low + (high - low) * (i as f32 + 0.5) / 256.0;
            let folded: Rgb = if style.theme == Theme::Light { [182; 3] } else { [96; 3] };
            let colour = |i: usize| match layer.threshold {
                Some(threshold) if shown(i).abs() < threshold => folded,
                _ => layer.scale.colour(shown(i)).unwrap_or(folded),
            };
            things.push(Thing::Bar { frame: [x, y, bar, LETTER], colours: (0..256).map(colour).collect() });
            let below = y + LETTER * 1.7;
            things.push(text(x, below, Anchor::Start, number(*low)));
            things.push(text(x + bar, below, Anchor::End, number(*high)));
            if let Some(threshold) = layer.threshold.filter(|threshold| *threshold > *low && *threshold < *high) {
                let at = x + bar * (threshold - low) / (high - low);
                things.push(Thing::Filled { frame: [at - 0.5, y, 1.0, LETTER * 1.3], colour: ink });
                if at - x > 50.0 && x + bar - at > 50.0 {
                    things.push(text(at, below, Anchor::Middle, number(threshold)));
                }
            }
            let words = match (&*layer.unit, &layer.opacity) {
                (unit, None) => unit.to_owned(),
                ("", Some(_)) => "paler where less reliable".to_owned(),
                (unit, Some(_)) => format!("{unit}, paler where less reliable"),
            };
            if !words.is_empty() {
                things.push(text(x + bar + LETTER, y + 1.0, Anchor::Start, words));
            }
        }
        Scale::Keys(keys) => {
            for (key, (left, row)) in keys.iter().zip(legend(keys, width).0) {
                let top = y + row as f32 * LETTER * 2.0;
                things.push(Thing::Filled { frame: [x + left, top, LETTER, LETTER], colour: key.colour });
                things.push(text(x + left + LETTER * 1.5, top, Anchor::Start, key.name.clone()));
            }
        }
    }
}

/// A number with three digits that count and a true minus sign.
pub(crate) fn number(value: f32) -> String {
    let size = value.abs();
    let text = match size {
        0.0 => "0".to_owned(),
        s if !(1e-3..1e5).contains(&s) => format!("{value:.1e}"),
        s => {
            let decimals = (2 - s.log10().floor() as i32).clamp(0, 5) as usize;
            let text = format!("{value:.decimals$}");
            if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
        }
    };
    text.replace('-', "\u{2212}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_true() {
        assert_eq!([0.0, 0.25, -1.5, 123.4, 1e6, 0.000_2].map(number), ["0", "0.25", "−1.5", "123", "1.0e6", "2.0e−4"]);
    }

    #[test]
    fn scales_follow_the_values() {
        let map = |values: Vec<f32>| Map { name: "m".to_owned(), values: vec![values], keys: None };
        let range = |values: Vec<f32>| match usual_scale(&map(values), None, None) {
            Scale::Numbers { low, high, map } => (low, high, map),
            Scale::Keys(_) => panic!("numbers"),
        };
        assert_eq!(range(vec![0.0, 0.5, 0.5, f32::NAN]), (0.0, 0.5, ColourMap::Ember));
        assert_eq!(range(vec![-2.0, -2.0, 1.0, 1.0, 1.0]), (-2.0, 2.0, ColourMap::BlueOrange));
        assert_eq!(range(vec![9.0, 10.0, 10.0, 10.0]), (9.0, 10.0, ColourMap::Ember));
        assert!(matches!(range(Vec::new()), (0.0, high, _) if high > 0.0));
    }

    #[test]
    fn a_sheet_is_about_as_wide_as_high() {
        assert_eq!(columns_for(1, 500.0, 300.0), 1);
        assert_eq!(columns_for(12, 100.0, 100.0), 3.max(columns_for(12, 100.0, 100.0)));
        assert!((3..=4).contains(&columns_for(12, 100.0, 100.0)));
    }
}
