//! Real surfaces: fsaverage5 is found by its names, drawn, and gives the same bytes on any number of threads.

use percept_surface::bundle::{self, Extra};
use percept_surface::outline::Outline;
use percept_surface::paint::Theme;
use percept_surface::sheet::{self, Layer, Style};
use percept_surface::surfaces::{Shape, Surfaces};
use percept_surface::values::Map;
use percept_testing::shared_data;

fn layer(surfaces: &Surfaces, name: &str, value: impl Fn([f32; 3]) -> f32) -> Layer {
    let half = |half: &percept_surface::surfaces::Hemisphere| {
        let white = half.mesh(Shape::White).expect("there");
        let on = white.vertices.iter().zip(&half.cortex);
        on.map(|(&place, &cortex)| if cortex { value(place) } else { f32::NAN }).collect()
    };
    let map = Map { name: name.to_owned(), values: surfaces.hemispheres.iter().map(half).collect(), keys: None };
    let scale = sheet::usual_scale(&map, None, None);
    Layer { map, scale, unit: "r".to_owned(), threshold: None, opacity: None }
}

#[test]
fn fsaverage5_is_found_and_drawn_alike_on_one_and_two_threads() {
    let Some(folder) = shared_data("surf_fsaverage5") else { return };
    let surfaces = Surfaces::open(&[folder], None).expect("readable");
    assert_eq!(surfaces.n_vertices(), 2 * 10_242);
    let left = &surfaces.hemispheres[0];
    assert!(left.folds.is_some() && left.thickness.is_some() && left.sphere.is_some());
    // The flat map leaves out 777 vertices: 36 of them lie on its cuts.
    assert_eq!(left.cortex.iter().filter(|cortex| !**cortex).count(), 741, "the medial wall is not in the flat map");
    let smooth = layer(&surfaces, "smooth", |[x, y, z]| (y / 30.0).sin() + (z / 25.0).cos() + 0.01 * x);
    let outlines = surfaces.hemispheres.iter().map(|half| {
        let white = half.mesh(Shape::White).expect("there");
        let inside = white.vertices.iter().map(|place| place[1] < -60.0).collect();
        vec![Outline { name: "behind".to_owned(), inside }]
    });
    let style = Style {
        panels: Style::panels_of("flat,inflated", &surfaces).expect("there"),
        outlines: outlines.collect(),
        theme: Theme::Dark,
        panel_width: 120.0,
        ..Style::default()
    };
    let layers = [smooth.clone(), layer(&surfaces, "other", |[_, y, _]| y)];
    let draw = |n| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().expect("threads");
        pool.install(|| {
            let drawing = sheet::draw(&surfaces, &layers, &style).expect("drawn");
            (drawing.png(1.0).expect("a PNG"), drawing.svg().expect("an SVG"))
        })
    };
    let (one, two) = (draw(1), draw(2));
    assert!(one == two, "the same bytes");
    assert!(one.1.contains(">behind</text>") && one.1.matches("<image").count() == 12);
    let small = bundle::encode(&surfaces, &layers, &Extra::default()).expect("encoded");
    assert!(small.len() < 1_200_000, "{} bytes", small.len());
    let mut wrong = smooth;
    wrong.map.values[0].pop();
    assert!(sheet::draw(&surfaces, &[wrong], &style).is_err());
}
