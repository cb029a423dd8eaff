//! Formats are told apart by their bytes.

use percept_io::fs::Source;
use percept_io::open::{Format, sniff, sniff_path};
use percept_testing::Hostile;

use crate::fixture;

#[test]
fn files_of_every_format_are_recognised_whatever_their_name() {
    for (name, format) in [
        ("nifti/series.nii.gz", Format::Nifti),
        ("nifti/pair.hdr", Format::Nifti),
        ("nifti/cases.bin", Format::Nifti),
        ("npy/cases.bin", Format::Npy),
        ("npy/stored.npz", Format::Zip),
        ("safetensors/all.safetensors", Format::SafeTensors),
        ("picture/rgb.png", Format::Png),
        ("picture/plain.jpg", Format::Jpeg),
        ("npy/README.md", Format::Text),
        ("npy/cases.json", Format::Text),
    ] {
        assert_eq!(sniff_path(fixture::path(name)).expect(name), format, "{name}");
    }
}

#[test]
fn hdf5_is_found_behind_a_user_block_and_mat_without_its_text() {
    let mut bytes = b"MATLAB 7.3 MAT-file, made by hand".to_vec();
    bytes.resize(512, b' ');
    bytes.extend(b"\x89HDF\r\n\x1a\n and more");
    assert_eq!(sniff(&Source::from_bytes(bytes)).expect("known"), Format::Hdf5);
    let mut bytes = vec![b' '; 124];
    bytes.extend([0, 1, b'I', b'M', 15, 0, 0, 0]);
    assert_eq!(sniff(&Source::from_bytes(bytes)).expect("known"), Format::Mat);
    let bytes = b"MATLAB 5.0 MAT-file, Platform: posix".to_vec();
    assert_eq!(sniff(&Source::from_bytes(bytes)).expect("known"), Format::Mat);
}

#[test]
fn an_unknown_file_is_named_with_what_is_known() {
    let words =
        sniff(&Source::from_bytes(b"\x00\x01\x02\xff\xfe\x00\x00\x00\x00".as_slice())).expect_err("noise").to_string();
    assert_eq!(
        words,
        "the start of the file is `\\x00\\x01\\x02\\xff\\xfe\\x00\\x00\\x00`, expected that of NIfTI, CIFTI-2, GIFTI, MGH, FreeSurfer geometry, FreeSurfer curv, npy, npz, MAT, HDF5, \
         safetensors, PNG, JPEG, Parquet, text, at byte 0 (convert the file to one of these formats)"
    );
    let words = sniff(&Source::from_bytes(Vec::new())).expect_err("empty").to_string();
    assert!(words.starts_with("the file is empty, expected not empty"), "{words}");
}

#[test]
fn sniffing_damaged_bytes_takes_little_memory() {
    for name in ["nifti/series.nii.gz", "safetensors/all.safetensors", "npy/deflated.npz"] {
        let bytes = fixture::bytes(name);
        Hostile::new(&bytes).prefixes_may_pass().check(|bytes| sniff(&Source::from_bytes(bytes)));
    }
}
