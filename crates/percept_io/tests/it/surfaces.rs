//! Surfaces, maps and labels against nibabel, round trips through our own writers, and damaged files.

use std::path::Path;

use ndarray::Array4;
use percept_core::provenance::content_hash;
use percept_core::{Mesh, Side};
use percept_io::fs::Source;
use percept_io::gifti::{self, DataArray, Gifti, Label};
use percept_io::mapper::{self, Mapper, Sparse};
use percept_io::mgh::{self, Mgh};
use percept_io::open::{Format, sniff_path};
use percept_io::{Error, cifti, freesurfer, nsd, pycortex};
use percept_testing::{Hostile, shared_data};
use serde_json::Value;

use crate::fixture;

const FOLDER: &str = "surfaces";

fn path(name: &str) -> std::path::PathBuf {
    fixture::path(FOLDER).join(name)
}

fn expected() -> Value {
    fixture::json("surfaces/expected.json")
}

fn floats(value: &Value) -> Vec<f32> {
    let one = |value: &Value| value.as_f64().map_or(f32::NAN, |value| value as f32);
    value.as_array().expect("a list").iter().map(one).collect()
}

/// Equal bit for bit; NaN equals NaN.
fn assert_equal(got: &[f32], expected: &Value, name: &str) {
    let expected = floats(expected);
    assert_eq!(got.len(), expected.len(), "{name}");
    for (i, (a, b)) in got.iter().zip(&expected).enumerate() {
        assert!(a == b || (a.is_nan() && b.is_nan()), "{name}: value {i} is {a}, nibabel reads {b}");
    }
}

#[test]
fn every_encoding_of_gifti_equals_nibabel() {
    let all = expected();
    let names = ["ascii", "base64", "zlib", "column", "big", "external"].map(|name| format!("{name}.surf.gii"));
    for name in names.into_iter().chain(["maps.func.gii".to_owned(), "regions.label.gii".to_owned()]) {
        assert_eq!(sniff_path(path(&name)).expect("readable"), Format::Gifti, "{name}");
        let file = gifti::open(path(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let arrays = all[&name].as_array().expect("arrays");
        assert_eq!(file.arrays.len(), arrays.len(), "{name}");
        for (array, expected) in file.arrays.iter().zip(arrays) {
            assert_eq!(array.intent, expected["intent"], "{name}");
            assert_eq!(array.number.name(), expected["dtype"], "{name}");
            assert_eq!(serde_json::json!(array.dims), expected["dims"], "{name}");
            assert_equal(&array.values::<f32>().expect("floats"), &expected["values"], &name);
        }
    }
}

#[test]
fn names_labels_and_spaces_of_gifti_are_read() {
    let file = gifti::open(path("regions.label.gii")).expect("readable");
    assert_eq!(file.metadata, [("Who".to_owned(), "nibabel & co <1>".to_owned())]);
    let label = Label { key: 1, name: "V1 & more".to_owned(), colour: Some([1.0, 0.5, 0.0, 1.0]) };
    assert_eq!(file.labels[1], label);
    let surface = gifti::open(path("zlib.surf.gii")).expect("readable");
    assert_eq!(surface.arrays[0].transforms[0].transformed_space, "NIFTI_XFORM_TALAIRACH");
    assert_eq!(surface.arrays[0].transforms[0].matrix[2][2], 3.0);
    assert_eq!(gifti::open(path("maps.func.gii")).expect("readable").arrays[1].name(), Some("second"));
}

#[test]
fn the_surfaces_of_fsaverage5_equal_nibabel() {
    let Some(folder) = shared_data("surf_fsaverage5") else { return };
    let all = fixture::json("surfaces/fsaverage5.json");
    for (name, arrays) in all.as_object().expect("files") {
        let file = gifti::open(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(file.arrays.len(), arrays.as_array().expect("arrays").len(), "{name}");
        for (array, expected) in file.arrays.iter().zip(arrays.as_array().expect("arrays")) {
            assert_eq!(serde_json::json!(array.dims), expected["dims"], "{name}");
            let mut bytes = Vec::new();
            match expected["dtype"].as_str() {
                Some("float32") => {
                    array.values::<f32>().expect("floats").iter().for_each(|v| bytes.extend(v.to_le_bytes()));
                }
                Some("int32") => {
                    array.values::<i32>().expect("integers").iter().for_each(|v| bytes.extend(v.to_le_bytes()));
                }
                other => panic!("{name}: {other:?}"),
            }
            assert_eq!(content_hash(&bytes), expected["blake3"].as_str().expect("a hash"), "{name}");
        }
    }
    let flat = gifti::open(folder.join("flat_left.gii.gz")).expect("readable").mesh().expect("a surface");
    assert_eq!(flat.used().iter().filter(|used| !**used).count(), 777, "points in no triangle");
}

#[test]
fn freesurfers_files_equal_nibabel() {
    let all = expected();
    let all = &all["freesurfer"];
    let white = freesurfer::geometry::read(path("lh.white")).expect("readable");
    assert_equal(white.mesh.vertices.as_flattened(), &all["points"], "points");
    let corners: Vec<f32> = white.mesh.triangles.iter().flatten().map(|&corner| corner as f32).collect();
    assert_equal(&corners, &all["faces"], "faces");
    assert_eq!(white.stamp, all["stamp"].as_str().expect("text"));
    let volume = white.volume.expect("a footer");
    assert_eq!((volume.valid, volume.volume, volume.filename.as_str()), (true, [256; 3], "orig.mgz"));
    assert_eq!(volume.c_ras, [1.5, -2.25, 3.0]);
    let plain = freesurfer::geometry::read(path("lh.plain")).expect("readable");
    assert!(plain.volume.is_none() && plain.mesh == white.mesh);
    assert_equal(&freesurfer::curv::read(path("lh.curv")).expect("readable"), &all["curv"], "curv");
    assert_equal(&freesurfer::curv::read(path("lh.old.curv")).expect("readable"), &all["old"], "old curv");
    let annotation = freesurfer::annot::read(path("lh.atlas.annot")).expect("readable");
    let regions: Vec<f32> =
        annotation.regions_of.iter().map(|region| region.map_or(-1.0, |region| region as f32)).collect();
    assert_equal(&regions, &all["regions"], "regions");
    let names: Vec<&str> = annotation.regions.iter().map(|region| region.name.as_str()).collect();
    assert_eq!(serde_json::json!(names), all["names"]);
    let label = freesurfer::label::read(path("lh.V1.label")).expect("readable");
    assert_eq!(label.iter().map(|entry| entry.vertex).collect::<Vec<_>>(), [3, 7]);
    assert_eq!(label[1].place, [1.5, 2.25, -3.125]);
    assert_equal(&label.iter().map(|entry| entry.value).collect::<Vec<_>>(), &all["label_values"], "label");
}

#[test]
fn a_patch_takes_the_triangles_of_its_surface_that_lie_inside() {
    let all = expected();
    let patch = freesurfer::patch::read(path("lh.flat.patch.3d")).expect("readable");
    let vertices: Vec<f32> = patch.points.iter().map(|point| point.vertex as f32).collect();
    assert_equal(&vertices, &all["patch"]["vertices"], "vertices");
    let border: Vec<f32> =
        patch.points.iter().filter(|point| point.is_border).map(|point| point.vertex as f32).collect();
    assert_equal(&border, &all["patch"]["border"], "border");
    let surface = freesurfer::geometry::read(path("lh.white")).expect("readable").mesh;
    let mesh = patch.mesh(&surface).expect("of this surface");
    let corners: Vec<f32> = mesh.triangles.iter().flatten().map(|&corner| corner as f32).collect();
    assert_equal(&corners, &all["patch"]["faces"], "triangles");
    assert!(mesh.vertices.iter().zip(mesh.used()).all(|(place, used)| used != place[0].is_nan()));
    let other = Mesh { vertices: surface.vertices[..4].to_vec(), triangles: Vec::new() };
    assert!(patch.mesh(&other).is_err(), "a surface with fewer vertices");
}

#[test]
fn every_type_of_mgh_equals_nibabel() {
    let all = expected();
    for (name, expected) in all["mgh"].as_object().expect("files") {
        assert_eq!(sniff_path(path(name)).expect("readable"), Format::Mgh, "{name}");
        let file = mgh::open(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let values: Vec<f32> = file.read::<f32>().expect("floats").t().iter().copied().collect();
        assert_equal(&values, &expected["values"], name);
        for (got, expected) in file.affine.iter().flatten().zip(floats(&expected["affine"])) {
            assert!((got - f64::from(expected)).abs() < 1e-5, "{name}: {got} against {expected}");
        }
    }
}

#[test]
fn cifti_equals_nibabel_and_knows_its_surfaces() {
    let all = expected();
    for (name, expected) in all["cifti"].as_object().expect("files") {
        assert_eq!(sniff_path(path(name)).expect("readable"), Format::Cifti, "{name}");
        let file = cifti::open(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_equal(&file.data.iter().copied().collect::<Vec<_>>(), &expected["data"], name);
        assert_eq!(file.surfaces(), ["CORTEX_LEFT", "CORTEX_RIGHT"]);
        for (structure, maps) in expected["on"].as_object().expect("structures") {
            for (map, values) in maps.as_array().expect("maps").iter().enumerate() {
                assert_equal(&file.on_surface(structure, map).expect("a surface"), values, structure);
            }
        }
    }
    let scalars = cifti::open(path("maps.dscalar.nii")).expect("readable");
    assert_eq!(scalars.maps.name(0), "r & p");
    assert!(
        matches!(&scalars.models[2], cifti::BrainModel::Voxels { voxels, .. } if voxels == &[[1, 2, 0], [2, 3, 1]])
    );
    let labels = cifti::open(path("regions.dlabel.nii")).expect("readable");
    let cifti::Maps::Labels(maps) = &labels.maps else { panic!("labels") };
    assert_eq!((maps[0].labels[1].key, maps[0].labels[1].name.as_str()), (5, "V1"));
    assert_eq!(cifti::open(path("run.dtseries.nii")).expect("readable").maps.name(2), "3 second");
    assert!(scalars.on_surface("CEREBELLUM", 0).expect_err("none").to_string().contains("`CORTEX_LEFT`"));
}

#[test]
fn a_series_on_surfaces_comes_back_the_same() {
    let labels = cifti::open(path("regions.dlabel.nii")).expect("readable");
    let is_surface = |model: &&cifti::BrainModel| matches!(model, cifti::BrainModel::Surface { .. });
    let models: Vec<_> = labels.models.iter().filter(is_surface).cloned().collect();
    let n_places = models.iter().map(|model| model.range().len()).sum();
    let data = ndarray::Array2::from_shape_fn((4, n_places), |(point, place)| (10 * place + point) as f32 - 0.5);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("x.dtseries.nii");
    cifti::write_series(&file, data.view(), &models, 2.0).expect("written");
    assert_eq!(sniff_path(&file).expect("readable"), Format::Cifti);
    let back = cifti::open(&file).expect("readable");
    assert_eq!((&back.data, &back.models), (&data, &models));
    let series = cifti::Maps::Series { n: 4, start: 0.0, step: 2.0, unit: "SECOND".to_owned() };
    assert_eq!(back.maps, series);
    let words = cifti::write_series(&file, data.slice(ndarray::s![.., 1..]), &models, 2.0).expect_err("a column less");
    assert!(words.to_string().contains("the data is 4 × "), "{words}");
    let scalars = cifti::open(path("maps.dscalar.nii")).expect("readable");
    let words = cifti::write_series(&file, scalars.data.view(), &scalars.models, 2.0).expect_err("voxels").to_string();
    assert!(words.contains("writing voxels of"), "{words}");
}

#[test]
fn a_mapper_gives_scipys_matrix_and_comes_back_the_same() {
    let all = expected();
    let file = mapper::open(path("mapper.hdf")).expect("readable");
    assert_eq!(file.matrices().expect("listed"), ["voxel_to_flatmap"]);
    let matrix = file.matrix("voxel_to_flatmap").expect("a matrix");
    let mut dense = vec![0.0; 30];
    for row in 0..matrix.shape[0] {
        matrix.row(row).for_each(|(column, value)| dense[row * 5 + column] = value);
    }
    assert_equal(&dense, &all["mapper"]["dense"], "dense");
    assert_eq!(file.image("flatmap_curvature").expect("a picture")[(1, 2)], 5.0);
    assert_eq!(file.image("flatmap_mask").expect("a picture")[(0, 1)], 0.0);
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("m.hdf");
    let curvature = file.image("flatmap_curvature").expect("a picture");
    mapper::write(&copy, &[("voxel_to_flatmap", &matrix)], &[("flatmap_curvature", &curvature)]).expect("written");
    assert_eq!(mapper::open(&copy).expect("readable").matrix("voxel_to_flatmap").expect("a matrix"), matrix);
    let broken = Sparse { starts: vec![0, 9], ..matrix };
    assert!(mapper::write(&copy, &[("x", &broken)], &[]).is_err());
}

#[test]
fn what_is_written_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let white = freesurfer::geometry::read(path("lh.white")).expect("readable");
    freesurfer::geometry::write(at("lh.white"), &white).expect("written");
    assert_eq!(freesurfer::geometry::read(at("lh.white")).expect("readable"), white);
    let curv = freesurfer::curv::read(path("lh.curv")).expect("readable");
    freesurfer::curv::write(at("lh.curv"), &curv, white.mesh.triangles.len()).expect("written");
    assert_eq!(fixture::bytes("surfaces/lh.curv"), std::fs::read(at("lh.curv")).expect("readable"));
    let annotation = freesurfer::annot::read(path("lh.atlas.annot")).expect("readable");
    freesurfer::annot::write(at("a.annot"), &annotation).expect("written");
    assert_eq!(freesurfer::annot::read(at("a.annot")).expect("readable"), annotation);
    let label = freesurfer::label::read(path("lh.V1.label")).expect("readable");
    freesurfer::label::write(at("l.label"), &label).expect("written");
    assert_eq!(freesurfer::label::read(at("l.label")).expect("readable"), label);
    let patch = freesurfer::patch::read(path("lh.flat.patch.3d")).expect("readable");
    freesurfer::patch::write(at("p.3d"), &patch).expect("written");
    assert_eq!(fixture::bytes("surfaces/lh.flat.patch.3d"), std::fs::read(at("p.3d")).expect("readable"));
    let mut file = Gifti::of_mesh(&white.mesh);
    file.arrays.push(DataArray::new(gifti::SHAPE, &[18], &curv).named("curv < 0"));
    file.labels.push(Label { key: -3, name: "a & b".to_owned(), colour: None });
    file.write(at("s.gii")).expect("written");
    assert_eq!(gifti::open(at("s.gii")).expect("readable"), file);
    assert_eq!(file.mesh().expect("a surface"), white.mesh);
    let affine = [[-1.8, 0.0, 0.0, 3.0], [0.0, 0.0, 1.8, -4.0], [0.0, -1.8, 0.0, 5.0], [0.0, 0.0, 0.0, 1.0]];
    let data = Array4::from_shape_fn((3, 2, 4, 2), |(x, y, z, t)| (x + 10 * y + 100 * z + 1000 * t) as i16);
    for name in ["v.mgh", "v.mgz"] {
        mgh::write(at(name), data.view(), &affine).expect("written");
        let back = mgh::open(at(name)).expect("readable");
        assert_eq!(back.read::<i16>().expect("integers"), data);
        assert!(back.affine.iter().flatten().zip(affine.iter().flatten()).all(|(a, b)| (a - b).abs() < 1e-5));
    }
}

#[test]
fn nsds_transforms_count_from_one_and_9999_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let places = [Some([0.0, 1.5, 2.0]), None, Some([9998.5, 3.0, 4.0])];
    nsd::surface::write_voxel_of_vertex(at("p.mgz"), &places).expect("written");
    assert_eq!(nsd::surface::voxel_of_vertex(at("p.mgz")).expect("readable"), places);
    let stored: Vec<f32> = mgh::open(at("p.mgz")).expect("readable").frames().expect("floats").concat();
    assert_eq!(stored[..4], [1.0, 9999.0, 9999.5, 2.5], "columns one after the other");
    nsd::surface::write_vertex_of_vertex(at("v.mgz"), &[Some(7), None]).expect("written");
    assert_eq!(nsd::surface::vertex_of_vertex(at("v.mgz")).expect("readable"), [Some(7), None]);
    assert!(nsd::surface::vertex_of_vertex(at("p.mgz")).is_err());
    mgh::write(at("z.mgz"), Array4::<f32>::zeros((3, 1, 1, 1)).view(), &[[0.0; 4]; 4]).expect("written");
    assert!(nsd::surface::vertex_of_vertex(at("z.mgz")).is_err(), "0 counts from 0");
}

#[test]
fn a_pycortex_subject_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join("S1").join(name);
    std::fs::create_dir_all(at("surfaces")).expect("made");
    std::fs::create_dir_all(at("transforms/retest")).expect("made");
    for name in ["flat_lh.gii", "flat_rh.gii", "wm_lh.gii"] {
        std::fs::copy(path("zlib.surf.gii"), at("surfaces").join(name)).expect("copied");
    }
    let text = r#"{"coord": [[-0.5, 0, 0, 1], [0, 0.5, 0, 2], [0, 0, 0.5, 3], [0, 0, 0, 1]], "magnet": null}"#;
    std::fs::write(at("transforms/retest/matrices.xfm"), text).expect("written");
    let subject = pycortex::Subject::open(at("")).expect("a subject");
    assert_eq!(subject.surfaces().expect("listed"), ["flat"]);
    assert_eq!(subject.surface("flat", Side::Right).expect("a surface").n_vertices(), 18);
    assert!(subject.surface("wm", Side::Right).expect_err("left only").to_string().contains("`flat`"));
    assert_eq!(subject.transforms().expect("listed"), ["retest"]);
    assert_eq!(subject.transform("retest").expect("a transform").to_voxel[2], [0.0, 0.0, 0.5, 3.0]);
    assert!(pycortex::Subject::open(folder.path()).is_err());
}

fn survive<T>(name: &str, may_pass: bool, read: impl Fn(&Source) -> Result<T, Error>) {
    let bytes = fixture::bytes(&format!("{FOLDER}/{name}"));
    let mut trial = Hostile::new(&bytes).prefixes(700).mutations(1500);
    if may_pass {
        trial = trial.prefixes_may_pass();
    }
    let outcome = trial.check(|bytes| read(&Source::from_bytes(bytes)));
    assert!(outcome.n_refused > 50, "{name}: {outcome:?}");
}

#[test]
fn damaged_files_are_refused_without_panic_in_little_memory() {
    // A volume without its footer is whole. A document that is cut after `</GIFTI>` is whole, and so is a surface without its footer.
    for name in
        ["ascii.surf.gii", "base64.surf.gii", "zlib.surf.gii", "column.surf.gii", "maps.func.gii", "regions.label.gii"]
    {
        survive(name, true, |source| {
            let file = Gifti::from_source(source)?;
            file.arrays.iter().try_for_each(|array| array.values::<f32>().map(drop))?;
            if name.contains("surf") { file.mesh().map(drop) } else { Ok(()) }
        });
    }
    survive("lh.white", true, freesurfer::geometry::parse);
    survive("lh.curv", false, freesurfer::curv::parse);
    survive("lh.old.curv", false, freesurfer::curv::parse);
    survive("lh.atlas.annot", false, freesurfer::annot::parse);
    survive("lh.V1.label", false, freesurfer::label::parse);
    survive("lh.flat.patch.3d", false, freesurfer::patch::parse);
    survive("volume_i2.mgh", true, |source| Mgh::from_source(source)?.read::<f32>());
    survive("volume_f4.mgz", false, |source| Mgh::from_source(source)?.read::<f32>());
    for name in ["maps.dscalar.nii", "regions.dlabel.nii", "run.dtseries.nii"] {
        survive(name, false, |source| {
            let file = cifti::Cifti::from_source(source)?;
            for structure in file.surfaces() {
                file.on_surface(&structure, 0)?;
            }
            Ok::<_, Error>(())
        });
    }
    survive("mapper.hdf", true, |source| Mapper::from_source(source.clone())?.matrix("voxel_to_flatmap"));
}

#[test]
fn external_data_outside_the_folder_are_not_followed() {
    let text = String::from_utf8(fixture::bytes("surfaces/external.surf.gii")).expect("text");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("x.gii");
    for name in ["../external.dat", "a/external.dat", Path::new("/etc/hostname").to_str().expect("text")] {
        std::fs::write(&file, text.replace("external.dat", name)).expect("written");
        assert!(gifti::open(&file).expect_err("refused").to_string().contains("put the data beside"), "{name}");
    }
}
