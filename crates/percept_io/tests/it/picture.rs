//! Pictures against Pillow, round trips, and damaged files.

use ndarray::Array3;
use percept_io::picture;
use percept_testing::{Hostile, shared_data};

use crate::fixture;

/// JPEG leaves the rounding of its transform to the decoder; with full colour resolution two decoders differ by this much.
const JPEG_TOLERANCE: u8 = 3;

fn expected(name: &str) -> Array3<u8> {
    Array3::from_shape_vec((24, 37, 3), fixture::bytes(&format!("picture/{name}.rgb"))).expect("the shape fits")
}

#[test]
fn png_of_every_sort_equals_pillow() {
    for name in ["rgb.png", "grey.png", "palette.png", "alpha.png", "bits.png", "deep.png"] {
        assert_eq!(picture::read(fixture::path(&format!("picture/{name}"))).expect(name), expected(name), "{name}");
    }
}

#[test]
fn jpeg_of_every_sort_is_close_to_pillow() {
    for name in ["plain.jpg", "progressive.jpg", "grey.jpg", "restarts.jpg", "halved.jpg"] {
        let ours = picture::read(fixture::path(&format!("picture/{name}"))).expect(name);
        let theirs = expected(name);
        assert_eq!(ours.dim(), theirs.dim(), "{name}");
        let worst = ours.iter().zip(&theirs).map(|(a, b)| a.abs_diff(*b)).max().expect("pixels");
        assert!(worst <= JPEG_TOLERANCE, "{name} differs by {worst}");
    }
}

#[test]
fn what_is_written_reads_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("x.png");
    let pixels = expected("rgb.png");
    picture::write_png(&path, pixels.view()).expect("written");
    assert_eq!(picture::read(&path).expect("read"), pixels);
    // A view that is not contiguous.
    let turned = pixels.view().permuted_axes([1, 0, 2]);
    assert_eq!(picture::decode(&picture::encode_png(turned).expect("encoded")).expect("decoded"), turned);
    assert_eq!(picture::encode_png(pixels.view()).expect("encoded"), std::fs::read(&path).expect("read"));
    let close = picture::decode(&picture::encode_jpeg(pixels.view(), 95).expect("encoded")).expect("decoded");
    let sum: f64 = close.iter().zip(&pixels).map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
    assert!(sum / (pixels.len() as f64) < 4.0, "mean difference {}", sum / pixels.len() as f64);
}

#[test]
fn what_is_no_picture_is_named() {
    let error = picture::decode(b"GIF89a\x01\x00").expect_err("a GIF");
    assert_eq!(
        error.to_string(),
        "the start of the picture is `GIF89a\\x01\\x00`, expected that of a PNG or JPEG file, at byte 0 \
         (convert the picture to PNG)"
    );
    let words = picture::encode_png(Array3::zeros((4, 5, 1)).view()).expect_err("grey").to_string();
    assert!(words.starts_with("the shape is (4, 5, 1), but (height, width, 3) was asked for"), "{words}");
    let words = picture::read(fixture::path("picture/absent.png")).expect_err("absent").to_string();
    assert_eq!(words.matches("absent.png").count(), 1, "{words}");
}

#[test]
fn damaged_pictures_are_refused_in_little_memory() {
    for name in ["rgb.png", "palette.png", "deep.png", "plain.jpg", "progressive.jpg", "halved.jpg", "restarts.jpg"] {
        let bytes = fixture::bytes(&format!("picture/{name}"));
        let outcome = Hostile::new(&bytes).check(picture::decode);
        assert!(outcome.n_refused > bytes.len(), "{name}: {outcome:?}");
    }
}

#[test]
fn a_picture_that_claims_more_than_its_bytes_can_hold_is_refused() {
    let mut bytes = fixture::bytes("picture/rgb.png");
    // Width and height of 65 536 each, with the checksum that belongs to them.
    bytes[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
    let mut crc = flate2::Crc::new();
    crc.update(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    let words = picture::decode(&bytes).expect_err("4 gigapixels").to_string();
    assert!(words.starts_with("the picture of 65536 × 65536 pixels claims 12884901888 bytes, but at most "), "{words}");
}

#[test]
fn real_photographs_equal_pillow() {
    let Some(folder) = shared_data("images_gb82") else { return };
    let photos = fixture::json("picture/photos.json");
    for photo in photos.as_array().expect("a list") {
        let name = photo["name"].as_str().expect("a name");
        let pixels = picture::read(folder.join(name)).expect(name);
        assert_eq!(serde_json::json!(pixels.shape()), photo["shape"], "{name}");
        let bytes = pixels.as_slice().expect("contiguous");
        assert_eq!(photo["blake3"], percept_core::provenance::content_hash(bytes), "{name}");
    }
    assert_eq!(photos.as_array().map(Vec::len), Some(25));
}
