//! A page as large as they come: fsaverage5 subdivided twice (2 × 163,842 vertices) with 40 maps.
//!
//! `cargo run --release -p percept_surface --example large_page FOLDER_OF_fsaverage5 OUT.html [SUBDIVISIONS] [MAPS]`

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use percept_surface::bundle::{self, Extra, Group};
use percept_surface::geometry::subdivide;
use percept_surface::sheet::{self, Layer, Style};
use percept_surface::surfaces::{Hemisphere, Shape, Surfaces};
use percept_surface::values::Map;
use percept_surface::{Result, page};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, out, rest @ ..] = arguments.as_slice() else {
        eprintln!("usage: large_page FOLDER OUT.html [SUBDIVISIONS] [MAPS]");
        return ExitCode::FAILURE;
    };
    let number = |i: usize, default: usize| rest.get(i).and_then(|text| text.parse().ok()).unwrap_or(default);
    match make(folder, out, number(0, 2), number(1, 40)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn make(folder: &str, out: &str, n_subdivisions: usize, n_maps: usize) -> Result<()> {
    let mut surfaces = Surfaces::open(&[PathBuf::from(folder)], None)?;
    for _ in 0..n_subdivisions {
        surfaces.hemispheres.iter_mut().for_each(finer);
    }
    let layers: Vec<Layer> = (0..n_maps).map(|i| layer(&surfaces, i)).collect();
    let group = Group {
        name: "layers".to_owned(),
        maps: (0..n_maps).collect(),
        labels: (0..n_maps).map(|i| format!("layer {i}")).collect(),
    };
    let extra = Extra { groups: vec![group], ..Extra::default() };
    let began = Instant::now();
    let data = bundle::encode(&surfaces, &layers, &extra)?;
    eprintln!(
        "{} vertices, {n_maps} maps: bundle of {} bytes in {:?}",
        surfaces.n_vertices(),
        data.len(),
        began.elapsed()
    );
    let style = Style { panels: Style::usual_panels(&surfaces), ..Style::default() };
    let still = sheet::draw(&surfaces, &layers[..1], &style)?;
    let fragment = page::fragment("cortex", &data, &[(still.png(1.0)?, still.title.clone())]);
    let html = page::document("Layers", "Forty maps on fsaverage.", &fragment);
    eprintln!("page of {} bytes", html.len());
    Ok(percept_io::fs::write_bytes(out, html.as_bytes())?)
}

/// The hemisphere with each triangle cut into four.
fn finer(half: &mut Hemisphere) {
    let whole = half.mesh(Shape::White).cloned().unwrap_or_default();
    let (_, parents) = subdivide(&whole);
    let mean = |values: &[f32]| -> Vec<f32> {
        let new = parents.iter().map(|&[a, b]| 0.5 * (values[a as usize] + values[b as usize]));
        values.iter().copied().chain(new).collect()
    };
    let flat = half.mesh(Shape::Flat).cloned();
    for (shape, mesh) in &mut half.shapes {
        if *shape == Shape::Flat {
            continue;
        }
        *mesh = subdivide(mesh).0;
    }
    if let Some(flat) = flat {
        // The new vertices of the whole surface, placed between their parents.
        let used = flat.used();
        let mut vertices = flat.vertices.clone();
        let both = |a: u32, b: u32| used[a as usize] && used[b as usize];
        vertices.extend(parents.iter().map(|&[a, b]| {
            let (p, q) = (flat.vertices[a as usize], flat.vertices[b as usize]);
            if both(a, b) { [0, 1, 2].map(|axis| 0.5 * (p[axis] + q[axis])) } else { [f32::NAN; 3] }
        }));
        // Four finer triangles stand in the place of each; those of a triangle that was cut away go with it.
        let sorted = |corners: &[u32; 3]| {
            let mut corners = *corners;
            corners.sort_unstable();
            corners
        };
        let kept: BTreeSet<[u32; 3]> = flat.triangles.iter().map(sorted).collect();
        let finer = half.shapes[&Shape::White].triangles.chunks_exact(4).zip(&whole.triangles);
        let triangles =
            finer.filter(|(_, of)| kept.contains(&sorted(of))).flat_map(|(four, _)| four.to_vec()).collect();
        half.shapes.insert(Shape::Flat, percept_core::Mesh { vertices, triangles });
    }
    half.folds = half.folds.as_deref().map(mean);
    half.thickness = None;
    half.sphere = None;
    half.cortex = half
        .cortex
        .iter()
        .copied()
        .chain(parents.iter().map(|&[a, b]| half.cortex[a as usize] && half.cortex[b as usize]))
        .collect();
}

fn layer(surfaces: &Surfaces, i: usize) -> Layer {
    let half = |half: &Hemisphere| -> Vec<f32> {
        let white = half.mesh(Shape::White).map(|mesh| mesh.vertices.as_slice()).unwrap_or_default();
        let one = |(vertex, (place, cortex)): (usize, (&[f32; 3], &bool))| {
            // Noise as measured maps have it, on a wave that moves from layer to layer.
            let noise = ((vertex as u32 + 7919 * i as u32).wrapping_mul(2_654_435_761) >> 8) as f32 / 16_777_216.0;
            let wave = (place[1] / 30.0 + 0.2 * i as f32).sin() * (place[2] / 25.0).cos();
            if *cortex { 0.4 + 0.3 * wave + 0.05 * noise } else { f32::NAN }
        };
        white.iter().zip(&half.cortex).enumerate().map(one).collect()
    };
    let map = Map { name: format!("layer {i}"), values: surfaces.hemispheres.iter().map(half).collect(), keys: None };
    let scale = sheet::usual_scale(&map, None, None);
    Layer { map, scale, unit: "r".to_owned(), threshold: Some(0.2), opacity: None }
}
