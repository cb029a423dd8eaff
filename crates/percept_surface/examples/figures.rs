//! The usual pictures of fsaverage5, and how long each takes: curvature alone, a smooth map, categories, an outlined region.
//!
//! `cargo run --release -p percept_surface --example figures FOLDER_OF_fsaverage5 OUT_FOLDER`; `benches/peers/plot_surf.py` draws the
//! same by nilearn.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use percept_surface::Result;
use percept_surface::outline::Outline;
use percept_surface::paint::Theme;
use percept_surface::sheet::{self, Layer, Style};
use percept_surface::surfaces::{Hemisphere, Shape, Surfaces};
use percept_surface::values::Map;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, out] = arguments.as_slice() else {
        eprintln!("usage: figures FOLDER OUT_FOLDER");
        return ExitCode::FAILURE;
    };
    match make(folder, Path::new(out)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn make(folder: &str, out: &Path) -> Result<()> {
    let began = Instant::now();
    let surfaces = Surfaces::open(&[PathBuf::from(folder)], None)?;
    eprintln!("opened in {:.0} ms", 1e3 * began.elapsed().as_secs_f64());
    let nothing = layer(&surfaces, "curvature", |_| f32::NAN, None);
    let smooth = layer(&surfaces, "smooth", |[x, y, z]| (y / 30.0).sin() + (z / 25.0).cos() + 0.01 * x, None);
    let names = (0..6).map(|i| (i, format!("layer {i}"))).collect();
    let categories =
        layer(&surfaces, "best layer", |[_, y, _]| ((y + 110.0) / 32.0).floor().clamp(0.0, 5.0), Some(names));
    let mut faint = smooth.clone();
    "smooth, by reliability".clone_into(&mut faint.map.name);
    let reliable =
        |half: &Hemisphere| places(half).iter().map(|place| ((place[2] + 40.0) / 100.0).clamp(0.0, 1.0)).collect();
    faint.opacity = Some(surfaces.hemispheres.iter().map(reliable).collect());
    let region = |half: &Hemisphere| {
        let inside = places(half).iter().map(|[x, y, z]| (x.abs() - 20.0).hypot(y + 85.0).hypot(z - 5.0) < 22.0);
        vec![Outline { name: "calcarine".to_owned(), inside: inside.collect() }]
    };
    let outlines: Vec<Vec<Outline>> = surfaces.hemispheres.iter().map(region).collect();
    let style = |theme, outlines| Style { panels: Style::usual_panels(&surfaces), theme, outlines, ..Style::default() };
    for (name, layer, outlines) in [
        ("curvature", nothing, Vec::new()),
        ("smooth", smooth.clone(), Vec::new()),
        ("categories", categories, Vec::new()),
        ("outlined", smooth, outlines),
        ("faint", faint, Vec::new()),
    ] {
        for (word, theme) in [("light", Theme::Light), ("dark", Theme::Dark)] {
            let began = Instant::now();
            let drawing = sheet::draw(&surfaces, std::slice::from_ref(&layer), &style(theme, outlines.clone()))?;
            let png = drawing.png(1.0)?;
            eprintln!("{name}, {word}: {:.0} ms", 1e3 * began.elapsed().as_secs_f64());
            percept_io::fs::write_bytes(out.join(format!("{name}_{word}.png")), &png)?;
            percept_io::fs::write_bytes(out.join(format!("{name}_{word}.svg")), drawing.svg()?.as_bytes())?;
        }
    }
    Ok(())
}

fn places(half: &Hemisphere) -> &[[f32; 3]] {
    half.mesh(Shape::White).map(|mesh| mesh.vertices.as_slice()).unwrap_or_default()
}

fn layer(
    surfaces: &Surfaces,
    name: &str,
    value: impl Fn([f32; 3]) -> f32,
    keys: Option<BTreeMap<i32, String>>,
) -> Layer {
    let half = |half: &Hemisphere| -> Vec<f32> {
        let on = places(half).iter().zip(&half.cortex);
        on.map(|(&place, &cortex)| if cortex { value(place) } else { f32::NAN }).collect()
    };
    let map = Map { name: name.to_owned(), values: surfaces.hemispheres.iter().map(half).collect(), keys };
    let scale = sheet::usual_scale(&map, None, None);
    Layer { map, scale, unit: "a.u.".to_owned(), threshold: None, opacity: None }
}
