//! NIfTI against nibabel, round trips through our own writer, and damaged files.

use ndarray::{Array3, Array4, Axis, s};
use percept_io::fs::Source;
use percept_io::nifti::{self, Nifti, Spec};
use percept_io::number::{ByteOrder, Number};
use percept_io::{Kind, Result};
use percept_testing::{Hostile, shared_data};
use serde_json::Value;

use crate::fixture;

/// The affine from a quaternion goes through a square root, which nibabel takes in extended precision.
const AFFINE_TOLERANCE: f64 = 1e-12;

fn usize_of(value: &Value) -> usize {
    value.as_u64().expect("a count") as usize
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|value| value.as_f64().expect("a number")).collect()
}

fn assert_affine(nifti: &Nifti, expected: &Value, name: &str) {
    for (row, expected) in nifti.header().affine.iter().zip(expected.as_array().expect("rows")) {
        for (value, expected) in row.iter().zip(numbers(expected)) {
            let error = (value - expected).abs();
            assert!(error <= AFFINE_TOLERANCE * expected.abs().max(1.0), "{name}: {value} against {expected}");
        }
    }
}

/// All values in the order of the disk.
fn flat(data: &Array4<f64>) -> Vec<f64> {
    data.t().iter().copied().collect()
}

#[test]
fn every_type_order_scaling_and_affine_equals_nibabel() {
    let blob = fixture::bytes("nifti/cases.bin");
    let expected: Vec<f64> = fixture::bytes("nifti/expected.bin")
        .chunks_exact(8)
        .map(|chunk| f64::from_le_bytes(chunk.try_into().expect("eight bytes")))
        .collect();
    let index = fixture::json("nifti/cases.json");
    let mut n_done = 0;
    for case in index["cases"].as_array().expect("cases") {
        let name = case["name"].as_str().expect("a name");
        let offset = usize_of(&case["offset"]);
        let bytes = &blob[offset..offset + usize_of(&case["len"])];
        let nifti = Nifti::from_source(Source::from_bytes(bytes)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let header = nifti.header();
        let shape: Vec<usize> = case["shape"].as_array().expect("a shape").iter().map(usize_of).collect();
        assert_eq!(header.dims, shape, "{name}");
        assert_eq!(header.number.name(), case["dtype"], "{name}");
        assert_eq!(header.description, "made by nibabel".get(..header.description.len()).expect("ASCII"), "{name}");
        assert_affine(&nifti, &case["affine"], name);
        for (size, expected) in header.voxel_size_mm.iter().zip(numbers(&case["voxel_size_mm"])) {
            assert!((size - expected).abs() < 1e-9 * expected, "{name}: {size} mm against {expected}");
        }
        match (header.tr_secs, case["tr_secs"].as_f64()) {
            (None, None) => {}
            // Stored in single precision by NIfTI-1.
            (Some(tr), Some(expected)) => assert!((tr / expected - 1.0).abs() < 1e-7, "{name}: {tr}"),
            (ours, theirs) => panic!("{name}: repetition time {ours:?} against {theirs:?}"),
        }
        let count = usize_of(&case["n_values"]);
        let data = nifti.read::<f64>().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(flat(&data), expected[n_done..n_done + count], "{name}");
        n_done += count;
    }
    assert_eq!(n_done, expected.len());
}

#[test]
fn types_with_several_numbers_per_voxel_are_named() {
    let blob = fixture::bytes("nifti/cases.bin");
    let index = fixture::json("nifti/cases.json");
    for (name, place) in index["unsupported"].as_object().expect("an object") {
        let offset = usize_of(&place["offset"]);
        let bytes = &blob[offset..offset + usize_of(&place["len"])];
        let error = Nifti::from_source(Source::from_bytes(bytes)).expect_err(name);
        assert_eq!(
            error.to_string(),
            format!(
                "the data type `{name}` is not supported, at byte 70 \
                 (convert it to one integer or floating-point value per voxel)"
            )
        );
    }
}

#[test]
fn a_pair_opens_by_either_name() {
    for name in ["nifti/pair.hdr", "nifti/pair.img"] {
        let nifti = nifti::open(fixture::path(name)).expect("opened");
        assert!(nifti.header().is_pair);
        let data = nifti.read_volume::<i16>().expect("read");
        assert_eq!(data[[1, 2, 3]], 23);
        assert_eq!(data[[1, 0, 0]], 1);
    }
    let alone = Nifti::from_source(Source::from_bytes(fixture::bytes("nifti/pair.hdr"))).expect_err("no data");
    assert!(alone.to_string().ends_with("(name the `.hdr` file and keep the `.img` file beside it)"), "{alone}");
}

#[test]
fn frames_and_chosen_voxels_are_those_of_the_whole() {
    let compressed = fixture::bytes("nifti/series.nii.gz");
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(compressed.as_slice()), &mut plain).expect("inflated");
    for bytes in [compressed, plain] {
        let nifti = Nifti::from_source(Source::from_bytes(bytes)).expect("opened");
        assert_eq!((nifti.header().shape, nifti.header().n_frames), ([6, 5, 4], 12));
        let whole = nifti.read::<f32>().expect("read");
        let mut frames = nifti.frames().expect("frames");
        let mut n_frames = 0;
        while frames.advance().expect("read") {
            assert_eq!(frames.volume::<f32>().expect("read"), whole.index_axis(Axis(3), n_frames));
            n_frames += 1;
        }
        assert_eq!(n_frames, 12);
        assert!(!frames.advance().expect("still at the end"));

        let points = [[5, 4, 3], [0, 0, 0], [2, 3, 1]];
        let voxels = points.map(|[x, y, z]| x + 6 * (y + 5 * z));
        let chosen = nifti.select::<f32>(&voxels).expect("read");
        let later = nifti.select_frames::<f32>(&voxels, 7..11).expect("read");
        assert_eq!(later, chosen.slice(s![7..11, ..]));
        for (unit, [x, y, z]) in points.into_iter().enumerate() {
            assert_eq!(chosen.column(unit), whole.slice(s![x, y, z, ..]));
        }
    }
}

#[test]
fn a_mask_of_another_shape_or_frames_past_the_end_are_named() {
    let nifti = nifti::open(fixture::path("nifti/series.nii.gz")).expect("opened");
    let words = nifti.select::<f32>(&[0, 120]).expect_err("120 voxels").to_string();
    assert!(
        words.ends_with(
            "the volume is 120 voxels, [6, 5, 4], but voxel 120 was asked for (use a mask of the same shape as the data)"
        ),
        "{words}"
    );
    assert_eq!(words.matches("series.nii.gz").count(), 1, "{words}");
    assert!(nifti.select::<f32>(&[usize::MAX]).is_err());
    let words = nifti.select_frames::<f32>(&[0], 3..13).expect_err("12 frames").to_string();
    assert!(words.contains("the number of frames is 12, but frames 3 to 13 was asked for"), "{words}");
    let words = nifti.read_volume::<f32>().expect_err("12 frames").to_string();
    assert!(words.contains("the number of volumes is 12, but 1 was asked for"), "{words}");
}

#[test]
fn an_integer_type_that_is_too_narrow_is_an_error_not_a_wrong_number() {
    let nifti = nifti::open(fixture::path("nifti/series.nii.gz")).expect("opened");
    let error = nifti.read::<u8>().expect_err("values below 0");
    assert!(matches!(error.kind(), Kind::Mismatch { .. }), "{error}");
    assert_eq!(error.object(), Some("frame 1"));
}

fn ramp(n_frames: usize) -> Array4<f64> {
    Array4::from_shape_fn((4, 3, 2, n_frames), |(x, y, z, t)| {
        x as f64 + 10.0 * y as f64 - 3.0 * z as f64 + 7.0 * t as f64
    })
}

#[test]
fn what_is_written_reads_back_the_same_compressed_or_not() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let spec = Spec {
        affine: [[-1.75, 0.0, 0.25, 12.5], [0.0, 2.0, 0.0, -8.0], [0.5, 0.0, 3.0, 1.0], [0.0, 0.0, 0.0, 1.0]],
        tr_secs: Some(1.25),
        slope: 0.5,
        intercept: -2.0,
        description: "ramp".to_owned(),
    };
    for name in ["a.nii", "b.nii.gz"] {
        let path = folder.path().join(name);
        nifti::write(&path, ramp(5).mapv(|v| v as i16).view(), &spec).expect("written");
        let nifti = nifti::open(&path).expect("opened");
        let header = nifti.header();
        assert_eq!((header.number, header.order), (Number::I16, ByteOrder::Little));
        assert_eq!((header.affine, header.tr_secs), (spec.affine, spec.tr_secs));
        assert_eq!((header.description.as_str(), header.n_frames), ("ramp", 5));
        assert_eq!(nifti.read::<f64>().expect("read"), ramp(5) * 0.5 - 2.0);
    }
    let plain = Spec::default();
    macro_rules! round_trip {
        ($($type:ty),*) => {$(
            let path = folder.path().join(concat!(stringify!($type), ".nii.gz"));
            let data = ramp(1).mapv(|v| v.abs() as $type);
            nifti::write(&path, data.view(), &plain).expect("written");
            assert_eq!(nifti::open(&path).expect("opened").header().dims, [4, 3, 2]);
            assert_eq!(nifti::open(&path).expect("opened").read::<$type>().expect("read"), data);
        )*};
    }
    round_trip!(u8, i8, u16, i16, u32, i32, u64, i64, f32, f64);
}

#[test]
fn equal_data_give_equal_bytes_whole_or_frame_by_frame() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = ramp(6).mapv(|v| v as f32);
    let (whole, framed) = (folder.path().join("whole.nii.gz"), folder.path().join("framed.nii.gz"));
    nifti::write(&whole, data.view(), &Spec::default()).expect("written");
    let frame = |index: usize| -> Result<Array3<f32>> { Ok(data.index_axis(Axis(3), index).to_owned()) };
    nifti::write_frames(&framed, [4, 3, 2], 6, &Spec::default(), frame).expect("written");
    let bytes = std::fs::read(whole).expect("read");
    assert_eq!(bytes, std::fs::read(&framed).expect("read"));
    // Flags and time of the gzip header: no name, no clock.
    assert_eq!(bytes[3..8], [0; 5]);

    let other = |_| -> Result<Array3<f32>> { Ok(Array3::zeros((4, 3, 1))) };
    let error = nifti::write_frames(&framed, [4, 3, 2], 6, &Spec::default(), other).expect_err("another shape");
    assert!(error.to_string().contains("the shape of frame 0 is [4, 3, 1], but [4, 3, 2] was asked for"), "{error}");
    assert_eq!(bytes, std::fs::read(&framed).expect("the old file is still there"));
    let error = nifti::write(&framed, Array4::<u8>::zeros((40_000, 1, 1, 1)).view(), &Spec::default());
    assert!(error.expect_err("too long").to_string().contains("dimension 1 is 40000, but 1 to 32767 was asked for"));
}

fn read_all(bytes: &[u8]) -> Result<()> {
    let nifti = Nifti::from_source(Source::from_bytes(bytes))?;
    nifti.select::<f32>(&[0, 3])?;
    nifti.read::<f64>()?;
    Ok(())
}

#[test]
fn damaged_files_are_refused_in_little_memory() {
    let blob = fixture::bytes("nifti/cases.bin");
    let index = fixture::json("nifti/cases.json");
    for number in [0, 17, 45, 52] {
        let case = &index["cases"][number];
        let offset = usize_of(&case["offset"]);
        let outcome = Hostile::new(&blob[offset..offset + usize_of(&case["len"])]).check(read_all);
        assert!(outcome.n_refused > 400, "{outcome:?}");
    }
    let outcome = Hostile::new(&fixture::bytes("nifti/series.nii.gz")).check(read_all);
    // Nearly every flipped bit in a compressed file breaks its code or its checksum.
    assert!(outcome.n_refused * 100 > outcome.n_tried * 97, "{outcome:?}");
}

#[test]
fn a_cut_file_is_named_with_position_and_remedy() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("cut.nii");
    nifti::write(&path, ramp(5).view(), &Spec::default()).expect("written");
    let bytes = std::fs::read(&path).expect("read");
    std::fs::write(&path, &bytes[..bytes.len() - 1]).expect("written");
    let words = nifti::open(&path).expect_err("a byte is missing").to_string();
    assert_eq!(
        words,
        format!(
            "`{}`: the file ends inside the data, [4, 3, 2, 5] of float64: 960 bytes needed, 959 left, at byte 352 \
             (the file is damaged or cut short: copy or download it again)",
            path.display()
        )
    );
    let path = folder.path().join("cut.nii.gz");
    nifti::write(&path, ramp(50).view(), &Spec::default()).expect("written");
    let bytes = std::fs::read(&path).expect("read");
    std::fs::write(&path, &bytes[..bytes.len() - 3]).expect("written");
    let words = nifti::open(&path).expect("the header is whole").read::<f32>().expect_err("cut").to_string();
    assert!(words.contains("cut.nii.gz`: the gzip stream cannot be decoded: "), "{words}");
    std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("written");
    let words = nifti::open(&path).expect("the header is whole").read::<f32>().expect_err("cut").to_string();
    assert!(words.contains("of 50 cannot be decoded: "), "{words}");
}

#[test]
fn real_recordings_equal_nibabel() {
    let Some(folder) = shared_data("fmri_haxby2001_pymvpa") else { return };
    let recordings = fixture::json("nifti/haxby.json");
    for recording in recordings.as_array().expect("a list") {
        let name = recording["path"].as_str().expect("a path");
        let nifti = nifti::open(folder.join(name)).expect(name);
        let shape: Vec<usize> = recording["shape"].as_array().expect("a shape").iter().map(usize_of).collect();
        assert_eq!(nifti.header().dims, shape, "{name}");
        assert_eq!(nifti.header().number.name(), recording["dtype"], "{name}");
        assert_affine(&nifti, &recording["affine"], name);
        let values = flat(&nifti.read::<f64>().expect(name));
        assert_eq!(Some(values.iter().sum::<f64>()), recording["sum"].as_f64(), "{name}");
        let probes = recording["probes"].as_array().expect("probes");
        for probe in probes {
            assert_eq!(Some(values[usize_of(&probe[0])]), probe[1].as_f64(), "{name}");
        }
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(recording["blake3"], percept_core::provenance::content_hash(&bytes), "{name}");
        // The same by frames, for chosen voxels.
        let n_voxels = nifti.header().n_voxels();
        let voxel = usize_of(&probes[3][0]) % n_voxels;
        let column = nifti.select::<f64>(&[voxel]).expect(name);
        let expected: Vec<f64> = values.iter().skip(voxel).step_by(n_voxels).copied().collect();
        assert_eq!(column.column(0).to_vec(), expected, "{name}");
    }
    assert_eq!(recordings.as_array().map(Vec::len), Some(33));
}
