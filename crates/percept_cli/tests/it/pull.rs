//! `percept model pull` as a user meets it: against a hub on this machine, killed in the middle, and without a network.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use percept_testing::hub::{COMMIT, Hub};

use crate::program::{percept, text};

const WEIGHTS: &str = "diffusion_pytorch_model.safetensors";
const N_BYTES: usize = 700_000;

fn files() -> Vec<(&'static str, Vec<u8>)> {
    let weights = (0..N_BYTES).map(|i| ((i * 7) >> 4) as u8).collect();
    vec![("config.json", b"{\"_class_name\": \"AutoencoderTiny\"}".to_vec()), (WEIGHTS, weights)]
}

/// The program with a cache in `folder`, and no other knowledge of hubs than `endpoint`.
fn command(folder: &Path, endpoint: &str, arguments: &[&str]) -> Command {
    let mut command = percept(folder, arguments);
    for name in [
        "HF_HUB_CACHE",
        "HUGGINGFACE_HUB_CACHE",
        "HF_TOKEN",
        "HUGGING_FACE_HUB_TOKEN",
        "HF_HUB_OFFLINE",
        "SSL_CERT_FILE",
    ] {
        command.env_remove(name);
    }
    command.env("HF_HOME", folder.join("hf")).env("HF_ENDPOINT", endpoint);
    command
}

/// What it says on both streams, and whether it succeeded.
fn said(command: &mut Command) -> (bool, String) {
    let output = command.output().expect("the program starts");
    (output.status.success(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn a_killed_pull_leaves_nothing_whole_and_goes_on() {
    let hub = Hub::start(&files());
    let folder = tempfile::tempdir().expect("a folder");
    let go = |arguments: &[&str]| said(&mut command(folder.path(), &hub.endpoint(), arguments));
    let repository = folder.path().join("hf/hub/models--lab--model");

    hub.behaviour().stalls.insert(WEIGHTS.into(), 300_000);
    let mut child =
        command(folder.path(), &hub.endpoint(), &["model", "pull", "lab/model"]).spawn().expect("it starts");
    let part_bytes = || {
        let blobs = std::fs::read_dir(repository.join("blobs")).into_iter().flatten().flatten();
        let parts = blobs.filter(|entry| entry.file_name().to_string_lossy().ends_with(".incomplete"));
        parts.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum::<u64>()
    };
    for _ in 0..6000 {
        if part_bytes() == 300_000 {
            break;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    assert_eq!(part_bytes(), 300_000);
    assert!(!repository.join("refs").exists() && !repository.join("snapshots").exists());
    let (_, words) = go(&["model", "list"]);
    assert!(words.contains("hf:lab/model") && words.contains("not whole: pull it again"), "{words}");
    let (succeeded, words) = go(&["model", "verify", "hf:lab/model"]);
    assert!(!succeeded && words.contains("percept model pull lab/model"), "{words}");

    hub.behaviour().stalls.clear();
    hub.asked();
    let (succeeded, words) = go(&["model", "pull", "lab/model"]);
    assert!(succeeded && words.contains("`hf:lab/model` is its name in every command"), "{words}");
    let at_store = hub.asked().into_iter().filter(|asked| asked.at_store);
    let ranges: Vec<_> = at_store.filter_map(|asked| asked.headers.get("range").cloned()).collect();
    assert_eq!(ranges, ["bytes=300000-"]);
    let whole = std::fs::read(repository.join("snapshots").join(COMMIT).join(WEIGHTS)).expect("it is there");
    assert!(whole == files()[1].1);
    let (succeeded, words) = go(&["model", "pull", "lab/model", "--offline"]);
    assert!(succeeded && words.contains("all of `lab/model` is in"), "{words}");

    let blob = std::fs::canonicalize(repository.join("snapshots").join(COMMIT).join(WEIGHTS)).expect("it is there");
    std::fs::write(&blob, vec![0; N_BYTES]).expect("writable");
    let (succeeded, words) = go(&["model", "verify", "hf:lab/model"]);
    assert!(!succeeded && words.contains(WEIGHTS) && words.contains("SHA-256"), "{words}");
}

#[test]
fn a_pulled_pack_is_named_in_an_experiment_and_one_that_is_not_says_how() {
    let folder = tempfile::tempdir().expect("a folder");
    let override_ = ["demo", "--set", "model.pack=hf:lab/model"];
    let (succeeded, words) = said(&mut command(folder.path(), "http://127.0.0.1:9", &override_));
    assert!(!succeeded && words.contains("model.pack") && words.contains("percept model pull lab/model"), "{words}");
    let features = ["features", "hf:lab/model", "--space", "sd.z", "--images", "."];
    let (succeeded, words) = said(&mut command(folder.path(), "http://127.0.0.1:9", &features));
    assert!(!succeeded && words.contains("percept model pull lab/model"), "{words}");
}

#[test]
fn without_a_network_the_files_and_their_places_are_listed() {
    let folder = tempfile::tempdir().expect("a folder");
    let endpoint = Hub::start(&[]).endpoint();
    let go = |arguments: &[&str]| said(&mut command(folder.path(), &endpoint, arguments));
    let (succeeded, words) = go(&["model", "pull", "lab/sd"]);
    assert!(!succeeded && words.contains(&endpoint) && words.contains("--offline"), "{words}");

    let (succeeded, words) = go(&["model", "pull", "lab/sd", "--offline"]);
    let file = "unet/diffusion_pytorch_model.safetensors";
    let line = format!("missing   {file}  {endpoint}/lab/sd/resolve/main/{file}");
    assert!(
        !succeeded && words.contains(&line) && words.contains("optional  tokenizer/tokenizer_config.json"),
        "{words}"
    );
    assert!(words.contains("models/lab/sd") && words.contains("models--lab--sd"), "{words}");

    let pack = folder.path().join("packs/sd");
    std::fs::create_dir_all(&pack).expect("a folder");
    std::fs::write(pack.join("config.json"), "{\"model_type\": \"gpt2\"}").expect("writable");
    let (succeeded, words) = go(&["model", "pull", "lab/sd", "--offline", "--to", "packs/sd"]);
    assert!(
        !succeeded && words.contains("here      config.json") && words.contains("missing   tokenizer.json"),
        "{words}"
    );
    for name in ["model.safetensors", "tokenizer.json"] {
        std::fs::write(pack.join(name), "").expect("writable");
    }
    let (succeeded, words) = go(&["model", "pull", "lab/sd", "--offline", "--to", "packs/sd", "--json"]);
    assert!(succeeded && words.contains("\"layout\": \"model\""), "{words}");
    let mut forbidden = command(folder.path(), &endpoint, &["model", "pull", "lab/sd", "--to", "packs/sd"]);
    assert!(said(forbidden.env("HF_HUB_OFFLINE", "1")).0, "nobody is asked");
}

#[test]
fn names_that_are_none_and_endpoints_that_are_none_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (succeeded, words) = said(&mut command(folder.path(), "http://127.0.0.1:9", &["model", "pull", "../x"]));
    assert!(!succeeded && words.contains("ORG/NAME"), "{words}");
    let (succeeded, words) = said(&mut command(folder.path(), "hub.lab", &["model", "pull", "a/b"]));
    assert!(!succeeded && words.contains("`HF_ENDPOINT` = `hub.lab` is no address"), "{words}");
}
