//! A best-layer map that was planted in the voxels of a phantom comes back from the page's own data.

use std::io::Read;

use percept_core::{Seed, Silent};
use percept_io::parquet::{self, Column};
use percept_surface::bundle::{self, Extra, Group};
use percept_surface::page;
use percept_surface::sheet::{self, Layer};
use percept_surface::surfaces::{Shape, Surfaces};
use percept_surface::values::{self, Options};
use percept_synth::phantom::cortex::Hemisphere;
use percept_synth::phantom::sheet::Sheet;
use percept_synth::phantom::{Phantom, PhantomParams};
use serde_json::Value;

const N_LAYERS: usize = 6;

/// What the page holds: its head, and words of 16 bits of a section.
struct Page {
    head: Value,
    data: Vec<u8>,
}

impl Page {
    fn read(bundle: &[u8]) -> Self {
        let mut all = Vec::new();
        flate2::read::ZlibDecoder::new(bundle).read_to_end(&mut all).expect("a zlib stream");
        let length = u32::from_le_bytes(all[..4].try_into().expect("four bytes")) as usize;
        let head = serde_json::from_slice(&all[4..4 + length]).expect("JSON");
        Self { head, data: all[4 + length..].to_vec() }
    }

    fn values(&self, map: usize, half: usize) -> Vec<f32> {
        let facts = &self.head["maps"][map];
        let number = |value: &Value| value.as_f64().expect("a number");
        let (at, n) = (number(&facts["sections"][half]["at"]) as usize, number(&facts["sections"][half]["n"]) as usize);
        let (min, max, levels) = (number(&facts["min"]), number(&facts["max"]), number(&facts["levels"]));
        (0..n)
            .map(|i| match u16::from_be_bytes([self.data[at + i], self.data[at + n + i]]) {
                0 => f32::NAN,
                word => (min + f64::from(word - 1) / (levels - 1.0) * (max - min)) as f32,
            })
            .collect()
    }
}

#[test]
fn a_planted_best_layer_is_read_back_from_the_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let params = PhantomParams { n_sessions: 1, trials_per_session: 36, n_shared: 4, ..PhantomParams::default() };
    let phantom = Phantom::new(params, Seed::new(5)).expect("a phantom");
    phantom.write(folder.path(), &Silent).expect("written");
    let surfaces = Surfaces::open(&[folder.path().to_owned()], None).expect("in NSD's places");
    assert_eq!(surfaces.name, "subj01");
    for half in &surfaces.hemispheres {
        assert!(
            [Shape::Flat, Shape::Inflated, Shape::White, Shape::Pial].iter().all(|shape| half.mesh(*shape).is_some())
        );
        assert!(half.atlas("prf-visualrois").expect("labels").region_of.iter().flatten().count() > 500);
        assert!(half.cortex.contains(&false) && half.folds.is_some() && half.thickness.is_some());
    }
    // One row per voxel, one column per layer: the planted layer predicts best, under noise.
    let cortex = phantom.cortex();
    let n = cortex.voxels.len();
    let layer_of = |area: percept_synth::phantom::Area| area as usize % N_LAYERS;
    let index = cortex.voxels.iter().map(|voxel| cortex.offset(voxel.index) as i64).collect();
    let noise = Seed::new(9).normal(n * N_LAYERS);
    let names: Vec<String> = (0..N_LAYERS).map(|layer| format!("layer {layer}")).collect();
    let mut columns = vec![("index", Column::Integer(index))];
    for (layer, name) in names.iter().enumerate() {
        let value = |(i, voxel): (usize, &percept_synth::phantom::cortex::Voxel)| {
            let planted = if layer_of(voxel.area) == layer { 0.25 } else { 0.0 };
            0.3 + planted + 0.04 * f64::from(noise[layer * n + i])
        };
        columns.push((name, Column::Float(cortex.voxels.iter().enumerate().map(value).collect())));
    }
    let table = folder.path().join("layers.parquet");
    parquet::write(&table, &columns).expect("written");
    let maps = values::open(&table.to_string_lossy(), &surfaces, &Options::default()).expect("readable");
    assert_eq!(maps.iter().map(|map| map.name.clone()).collect::<Vec<_>>(), names);
    let one = values::open(&format!("{}:layer 3", table.display()), &surfaces, &Options::default()).expect("readable");
    assert_eq!(one[0].name, "layer 3");
    let layers: Vec<Layer> = maps
        .into_iter()
        .map(|map| Layer {
            scale: sheet::usual_scale(&map, None, None),
            map,
            unit: "r".to_owned(),
            threshold: None,
            opacity: None,
        })
        .collect();
    let group = Group { name: "layers".to_owned(), maps: (0..N_LAYERS).collect(), labels: names };
    let extra = Extra { groups: vec![group], ..Extra::default() };
    let bundle = bundle::encode(&surfaces, &layers, &extra).expect("encoded");
    let html = page::document("planted", "a phantom", &page::fragment("cortex", &bundle, &[]));
    assert!(
        html.len() < 1_500_000
            && !html.replace("http://www.w3.org/2000/svg", "").contains("http://")
            && !html.contains("https://"),
        "{}",
        html.len()
    );
    let page = Page::read(&bundle);
    let (mut right, mut all) = (0, 0);
    for (half, hemisphere) in [Hemisphere::Left, Hemisphere::Right].into_iter().enumerate() {
        let values: Vec<Vec<f32>> = (0..N_LAYERS).map(|map| page.values(map, half)).collect();
        let areas = Sheet::new(cortex, hemisphere).area;
        for (vertex, area) in areas.iter().enumerate() {
            let Some(area) = area else {
                assert!(values[0][vertex].is_nan(), "the medial wall stays empty");
                continue;
            };
            let best = (0..N_LAYERS).max_by(|&a, &b| values[a][vertex].total_cmp(&values[b][vertex])).expect("layers");
            right += usize::from(best == layer_of(*area));
            all += 1;
        }
    }
    let share = right as f64 / f64::from(all);
    eprintln!("best layer: {right} of {all} vertices as planted ({:.1} %)", 100.0 * share);
    assert!(share >= 0.9, "{share}");
}
