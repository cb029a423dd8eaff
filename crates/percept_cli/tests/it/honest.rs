//! No lost file and no false "done": damaged models, folders of others, inputs in the way, two processes at once.

use std::path::Path;

use ndarray::Array2;
use percept::core::Seed;
use percept::io::{npy, npz, safetensors};

use crate::program::{percept as program, text};

/// A folder with samples `x.npy` and targets `y.npy`.
fn data() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let normal = |name: &str, rows: usize, columns: usize| -> Array2<f32> {
        Array2::from_shape_vec((rows, columns), Seed::new(3).named(name).normal(rows * columns)).expect("fits")
    };
    let x = normal("x", 60, 7);
    let y = x.dot(&normal("w", 7, 4)) + normal("noise", 60, 4);
    for (name, values) in [("x.npy", &x), ("y.npy", &y)] {
        npy::write(folder.path().join(name), values.view().into_dyn()).expect("writes");
    }
    folder
}

/// Runs the program and gives its exit code and what it said.
fn run(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = program(folder, arguments).output().expect("the program starts");
    (output.status.code().unwrap_or(-1), text(&output.stderr))
}

fn fit(folder: &Path, out: &str, more: &[&str]) -> (i32, String) {
    run(folder, &[&["fit", "--x", "x.npy", "--y", "y.npy", "--out", out][..], more].concat())
}

#[test]
fn a_damaged_model_predicts_nothing_and_is_made_again() {
    let folder = data();
    assert_eq!(fit(folder.path(), "model", &[]).0, 0);
    let path = folder.path().join("model/model.safetensors");
    let whole = std::fs::read(&path).expect("a model");
    for damaged in [
        whole.iter().enumerate().map(|(i, byte)| if i + 40 == whole.len() { byte ^ 0x40 } else { *byte }).collect(),
        whole[..whole.len() / 2].to_vec(),
    ] {
        std::fs::write(&path, damaged).expect("writes");
        let (code, words) = run(folder.path(), &["predict", "--model", "model", "--x", "x.npy", "--out", "p.npy"]);
        assert!(code == 1 && words.contains("not what the fit wrote"), "{code} {words}");
        assert!(!folder.path().join("p.npy").exists());
        let (code, words) = fit(folder.path(), "model", &[]);
        assert!(code == 0 && !words.contains("nothing to do"), "{code} {words}");
        assert!(std::fs::read(&path).expect("a model") == whole, "the same bytes");
    }
    std::fs::remove_file(folder.path().join("model/targets.parquet")).expect("removed");
    assert_eq!(fit(folder.path(), "model", &[]).0, 0);
    assert!(folder.path().join("model/targets.parquet").exists());
}

#[test]
fn what_is_read_and_what_others_wrote_is_never_overwritten() {
    let folder = data();
    assert_eq!(fit(folder.path(), "model", &[]).0, 0);
    let before = std::fs::read(folder.path().join("x.npy")).expect("samples");
    let (code, words) = run(folder.path(), &["predict", "--model", "model", "--x", "x.npy", "--out", "x.npy"]);
    assert!(code == 1 && words.contains("cannot be written"), "{words}");
    assert!(std::fs::read(folder.path().join("x.npy")).expect("samples") == before);
    let (code, words) = fit(folder.path(), "model", &["--no-intercept"]);
    assert!(code == 1 && words.contains("the model of another fit"), "{words}");
    // Somebody's network has a file of the same name.
    std::fs::create_dir(folder.path().join("network")).expect("a folder");
    let values = Array2::<f32>::ones((3, 3));
    let mut weights = safetensors::Writer::new();
    weights.add("w", values.view().into_dyn()).write(folder.path().join("network/model.safetensors")).expect("writes");
    let (code, words) = fit(folder.path(), "network", &[]);
    assert!(code == 1 && words.contains("no fit wrote"), "{words}");
    // A folder of the user's own.
    std::fs::write(folder.path().join("experiment.toml"), "[data]\nkind = \"phantom\"\n").expect("writes");
    let (code, words) = run(folder.path(), &["reconstruct", "experiment.toml", "--out", "."]);
    assert!(code == 1 && words.contains("files that are not of a run"), "{words}");
    let text = std::fs::read_to_string(folder.path().join("experiment.toml")).expect("still there");
    assert_eq!(text, "[data]\nkind = \"phantom\"\n");
}

#[test]
fn two_fits_of_one_folder_take_turns() {
    let folder = data();
    let arguments = ["fit", "--x", "x.npy", "--y", "y.npy", "--out", "model", "--targets-per-tile", "1"];
    let all: Vec<_> = (0..4)
        .map(|_| program(folder.path(), &arguments).stderr(std::process::Stdio::null()).spawn().expect("starts"))
        .collect();
    for child in all {
        assert!(child.wait_with_output().expect("ends").status.success());
    }
    let first = std::fs::read(folder.path().join("model/model.safetensors")).expect("a model");
    assert_eq!(fit(folder.path(), "alone", &["--targets-per-tile", "1"]).0, 0);
    assert!(std::fs::read(folder.path().join("alone/model.safetensors")).expect("a model") == first);
    let left: Vec<String> = std::fs::read_dir(folder.path().join("model"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with('.') || name.ends_with(".partial"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_archive_that_unpacks_to_gigabytes_is_refused_before_it_does() {
    let folder = data();
    let zeros = Array2::<f64>::zeros((60, 1 << 19));
    npz::write(folder.path().join("bomb.npz"), |archive| archive.add("x", zeros.view().into_dyn())).expect("writes");
    drop(zeros);
    let (code, words) =
        run(folder.path(), &["fit", "--x", "bomb.npz", "--y", "y.npy", "--memory", "100MB", "--out", "model"]);
    assert!(code == 1 && words.contains("bytes of memory are needed for the unpacked inputs"), "{words}");
}

#[test]
fn a_pack_that_lacks_or_breaks_a_part_is_not_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let pack = folder.path().join("pack");
    let unpack = || {
        for (name, bytes) in percept::pocket::FILES {
            let path = pack.join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, bytes).expect("writes");
        }
    };
    unpack();
    let verify = || run(folder.path(), &["model", "verify", "pack"]);
    assert_eq!(verify().0, 0, "{}", verify().1);
    for name in ["unet/config.json", "tokenizer/vocab.json", "scheduler/scheduler_config.json", "vae/config.json"] {
        std::fs::remove_file(pack.join(name)).expect("removed");
        let (code, words) = verify();
        assert!(code == 1 && words.contains(name), "{name}: {words}");
        unpack();
    }
    let vae = std::fs::read_to_string(pack.join("vae/config.json")).expect("a config");
    let field = |name: &str, value: &str| -> String {
        let mut config: serde_json::Value = serde_json::from_str(&vae).expect("JSON");
        config[name] = serde_json::from_str(value).expect("a value");
        config.to_string()
    };
    for (name, value) in [("scaling_factor", "0"), ("layers_per_block", "1000000000")] {
        std::fs::write(pack.join("vae/config.json"), field(name, value)).expect("writes");
        let (code, words) = verify();
        assert!(code == 1 && words.contains(name), "{name}: {words}");
        unpack();
    }
    // The last numbers of the file are weights; in half precision these bytes are NaN.
    let path = pack.join("vae/diffusion_pytorch_model.safetensors");
    let mut bytes = std::fs::read(&path).expect("weights");
    let n = bytes.len();
    bytes[n - 4..].copy_from_slice(&[0xff; 4]);
    std::fs::write(&path, bytes).expect("writes");
    let (code, words) = verify();
    assert!(code == 1 && words.contains("not finite"), "{words}");
}

#[test]
fn a_doctor_of_an_empty_folder_lists_what_to_download_in_a_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let (code, words) = run(folder.path(), &["doctor", "nsd", "."]);
    assert!(code == 1 && words.contains("nsd_expdesign.mat") && words.contains("37 files"), "{words}");
    assert!(words.lines().count() < 60, "{} lines", words.lines().count());
    let (code, all) = run(folder.path(), &["doctor", "nsd", ".", "--all"]);
    assert!(code == 1 && all.lines().count() > 150, "{} lines", all.lines().count());
    for subject in ["0", "9"] {
        let (code, words) = run(folder.path(), &["doctor", "nsd", ".", "--subject", subject]);
        assert!(code == 1 && words.contains("1..=8"), "{words}");
    }
}
