//! Safetensors against PyTorch, round trips, and damaged files.

use ndarray::{Array1, Array2, ArrayD, IxDyn};
use percept_io::fs::Source;
use percept_io::number::Number;
use percept_io::safetensors::{self, SafeTensors, Writer};
use percept_io::{Kind, Result};
use percept_testing::Hostile;
use serde_json::Value;

use crate::fixture;

#[test]
fn every_type_equals_pytorch() {
    let file = safetensors::open(fixture::path("safetensors/all.safetensors")).expect("opened");
    assert_eq!(file.metadata()["made"], "by PyTorch");
    let expected = fixture::json("safetensors/all.json");
    let expected = expected.as_object().expect("an object");
    // One more than is expected: the type that is not read.
    assert_eq!(file.names().count(), expected.len() + 1);
    for (name, tensor) in expected {
        let shape: Vec<usize> = tensor["shape"]
            .as_array()
            .expect("a shape")
            .iter()
            .map(|n| n.as_u64().expect("a length") as usize)
            .collect();
        let values: Vec<f64> = tensor["values"].as_array().expect("values").iter().filter_map(Value::as_f64).collect();
        assert_eq!(file.info(name).expect("there").shape, shape, "{name}");
        let expected = ArrayD::from_shape_vec(IxDyn(&shape), values).expect("the shape fits");
        assert_eq!(file.tensor::<f64>(name).expect("read"), expected, "{name}");
        assert_eq!(file.tensor::<f32>(name).expect("read"), expected.mapv(|v| v as f32), "{name}");
    }
}

#[test]
fn wrong_names_and_types_are_named() {
    let file = safetensors::open(fixture::path("safetensors/all.safetensors")).expect("opened");
    let error = file.tensor::<f32>("layer.0.weight").expect_err("no such tensor");
    assert!(matches!(error.kind(), Kind::Missing { available, .. } if available.len() == 13), "{error}");
    assert!(
        error.to_string().contains("there is no tensor `layer.0.weight` (there are `empty`, `fp8`, `layer.0.bf16`")
    );
    let words = file.tensor::<f32>("fp8").expect_err("eight-bit floats").to_string();
    assert!(
        words.ends_with("the tensor type `F8_E4M3` is not supported, in `fp8` (convert the tensor to F32 or F16)"),
        "{words}"
    );
    let error = file.tensor::<u8>("layer.0.f32").expect_err("fractions");
    assert_eq!(error.object(), Some("layer.0.f32"));
}

#[test]
fn what_is_written_reads_back_and_does_not_depend_on_the_order_of_adding() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (first, second) = (folder.path().join("first.safetensors"), folder.path().join("second.safetensors"));
    let weights = Array2::from_shape_fn((70, 300), |(row, column)| (row * column) as f32 / 7.0);
    let halves = weights.mapv(half::f16::from_f32);
    let ids = Array1::from_iter(-3..5i64);
    Writer::new()
        .add("weights", weights.view().into_dyn())
        .add("turned", weights.t().into_dyn())
        .add("halves", halves.view().into_dyn())
        .add("ids", ids.view().into_dyn())
        .add_text("kind", "test")
        .write(&first)
        .expect("written");
    Writer::new()
        .add_text("kind", "test")
        .add("ids", ids.view().into_dyn())
        .add("halves", halves.view().into_dyn())
        .add("turned", weights.t().into_dyn())
        .add("weights", weights.view().into_dyn())
        .write(&second)
        .expect("written");
    assert_eq!(std::fs::read(&first).expect("read"), std::fs::read(&second).expect("read"));
    let file = safetensors::open(&first).expect("opened");
    assert_eq!(file.names().collect::<Vec<_>>(), ["halves", "ids", "turned", "weights"]);
    assert_eq!(file.metadata()["kind"], "test");
    assert_eq!(file.tensor::<f32>("weights").expect("read"), weights.clone().into_dyn());
    assert_eq!(file.tensor::<f32>("turned").expect("read"), weights.t().into_dyn());
    assert_eq!(file.info("halves").expect("there").number, Some(Number::F16));
    assert_eq!(file.tensor::<half::f16>("halves").expect("read"), halves.into_dyn());
    assert_eq!(file.tensor::<i64>("ids").expect("read"), ids.into_dyn());
}

fn read_all(bytes: &[u8]) -> Result<()> {
    let file = SafeTensors::from_source(Source::from_bytes(bytes))?;
    for name in file.names().filter(|name| *name != "fp8") {
        file.tensor::<f64>(name)?;
    }
    Ok(())
}

#[test]
fn damaged_files_are_refused_in_little_memory() {
    let bytes = fixture::bytes("safetensors/all.safetensors");
    let outcome = Hostile::new(&bytes).check(read_all);
    assert!(outcome.n_refused > bytes.len(), "{outcome:?}");
}

fn with_header(header: &str, n_data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + n_data, 0);
    bytes
}

#[test]
fn false_claims_are_named() {
    for (header, n_data, words) in [
        (
            r#"{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,8]}}"#,
            8,
            "data_offsets is [0,8], expected 36 bytes for [9] of F32, in `a`",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
            7,
            "expected a range within the 7 bytes of data, in `a`",
        ),
        (
            r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#,
            3,
            "the start of a tensor is 114, expected 115, in `b`",
        ),
        (
            r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#,
            3,
            "the end of the last tensor is 63, expected 64",
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}"#,
            8,
            "the tensor of shape [4294967296, 4294967296] claims",
        ),
        (r#"{"a":{"dtype":"F32","shape":"x","data_offsets":[0,8]}}"#, 8, "shape is \"x\", expected a list of lengths"),
        ("[]", 0, "the header is no JSON"),
    ] {
        let bytes = with_header(header, n_data);
        let error = SafeTensors::from_source(Source::from_bytes(bytes)).expect_err(words);
        assert!(error.to_string().contains(words), "{error}");
    }
    let error = SafeTensors::from_source(Source::from_bytes(vec![0xff; 16])).expect_err("no such header");
    assert!(error.to_string().starts_with("the header claims 18446744073709551615 bytes"), "{error}");
}
