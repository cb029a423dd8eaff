//! What the program says: help names every command and argument, errors name what, where and the remedy.

use crate::program::{run, text};

/// Runs the program and checks its exit code and that each of `words` occurs in what it says.
fn says(arguments: &[&str], exit: i32, words: &[&str]) {
    let output = run(arguments);
    let heard = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "percept {}: {heard}", arguments.join(" "));
    for word in words {
        assert!(heard.contains(word), "percept {} does not say `{word}`:\n{heard}", arguments.join(" "));
    }
}

#[test]
fn help_names_every_command() {
    says(
        &["--help"],
        0,
        &[
            "Recorded brain activity in, what was seen out",
            "demo ",
            "reconstruct ",
            "fit ",
            "predict ",
            "doctor ",
            "features ",
            "phantom ",
            "train ",
            "model ",
            "report ",
            "--threads <N>",
            "--device <DEVICE>",
            "--version",
        ],
    );
    says(&["--version"], 0, &[concat!("percept ", env!("CARGO_PKG_VERSION"))]);
}

#[test]
fn help_of_a_command_names_its_arguments() {
    says(&["demo", "--help"], 0, &["--out <DIR>", "--set <KEY=VALUE>", "--json", "--threads <N>"]);
    says(&["reconstruct", "--help"], 0, &["<EXPERIMENT.toml>", "--out <DIR>", "--set <KEY=VALUE>", "--json"]);
    says(&["doctor", "cc2017", "--help"], 0, &["<DIR>", "--subject <ID>", "--films <DIR>", "--frames-per-sec <RATE>"]);
    says(&["doctor", "nsd", "--help"], 0, &["<DIR>", "--recipe <NAME>", "--subject <N>", "--values", "takagi2023"]);
    says(&["phantom", "--help"], 0, &["<DIR>", "--sessions <N>", "--betas <FORMAT>", "hdf5, nifti, both"]);
    says(&["train", "pocket", "--help"], 0, &["--out <DIR>", "--part <PART>", "--steps <N>", "autoencoder"]);
    says(
        &["model", "pull", "--help"],
        0,
        &["<ORG/NAME>", "--revision <REVISION>", "--to <DIR>", "--offline", "--include"],
    );
    says(&["model", "info", "--help"], 0, &["<PACK>", "hf:ORG/NAME", "--motion <DIR>", "--json"]);
    says(&["model", "run", "--help"], 0, &["<PACK>", "--part <PART>", "--input <IN.safetensors>", "--tap <NAME>"]);
    says(&["model", "bench", "--help"], 0, &["--passes <N>", "--json"]);
    says(&["model", "verify", "--help"], 0, &["<PACK>", "--json"]);
    says(&["model", "list", "--help"], 0, &["[DIR]", "Hugging Face cache"]);
    says(&["features", "--help"], 0, &["--space <NAME>", "--images <SOURCE>", "--texts <FILE>", "--pool <HOW>"]);
    says(&["fit", "--help"], 0, &["--x <FILE>", "--groups <FILE>", "--folds <K>", "--memory <BYTES>", "--shard <I/N>"]);
    says(
        &["fit", "--help"],
        0,
        &["--preset <NAME>", "takagi2023", "--regions <FILE>", "--average <FILE>", "--components <K>"],
    );
    says(&["predict", "--help"], 0, &["--model <MODEL>", "--x <FILE>", "--out <FILE.npy>", "--json"]);
    says(&["report", "--help"], 0, &["<RUNDIR>"]);
}

#[test]
fn a_missing_file_is_named_with_a_remedy() {
    says(&["reconstruct", "absent.toml"], 1, &["error: ", "absent.toml", "cannot open", "(check the path)"]);
    says(&["fit", "--out", "m"], 1, &["error: ", "`--x` and `--y` are needed"]);
    says(&["fit", "--x", "a.npy", "--y", "b.npy", "--out", "m"], 1, &["a.npy", "cannot open", "(check the path)"]);
    says(
        &["fit", "--x", "a.npy", "--y", "b.npy", "--out", "m", "--alphas", "1:2"],
        1,
        &["`--alphas 1:2` has 2 parts (write `FROM:TO:COUNT`"],
    );
    says(&["predict", "--model", "m", "--x", "a.npy", "--out", "p.npy"], 1, &["`m` is no finished model"]);
    says(&["report", "absent"], 1, &["outcome.json", "cannot open", "(check the path)"]);
    says(&["model", "info", "absent"], 1, &["there is no folder `absent` (name a model pack, `hf:ORG/NAME`"]);
    says(&["features", "absent", "--space", "sd.z", "--images", "."], 1, &["there is no `absent`"]);
    says(&["model", "verify", "absent"], 1, &["there is no folder `absent`"]);
    says(&["model", "bench", "pocket", "--part", "head"], 1, &["unet, vae.encode", "`head`"]);
    says(&["doctor", "nsd", "absent"], 1, &["error: ", "absent"]);
    says(&["doctor", "cc2017", "absent"], 1, &["error: ", "absent"]);
}

#[test]
fn a_file_that_is_no_experiment_is_refused_before_anything_is_written() {
    says(&["reconstruct", "absent"], 1, &["`absent` is no experiment file (expected a name that ends in `.toml`)"]);
}

#[test]
fn a_wrong_override_is_named_with_a_remedy() {
    says(&["demo", "--set", "generate.steps"], 1, &["`generate.steps` is not an override (write `key=value`"]);
    says(&["demo", "--set", "generate.step=5"], 1, &["unknown key `generate.step`", "`generate.steps`"]);
    says(&["demo", "--set", "generate.steps=many"], 1, &["`generate.steps` is", "expected"]);
}

#[test]
fn wrong_arguments_are_named() {
    says(&["--threads", "0", "demo"], 1, &["`--threads 0` leaves nobody to work (use 1 or more)"]);
    says(&["--device", "gpu", "demo"], 1, &["device: expected cpu, cuda, cuda:1", "got `gpu`"]);
    if !cfg!(feature = "metal") {
        says(
            &["--device", "metal", "demo"],
            1,
            &["device `metal:0`: this program was built without it", "--features metal"],
        );
    }
    says(&["reconstrct", "x.toml"], 1, &["unrecognized subcommand 'reconstrct'", "reconstruct"]);
    says(&["doctor", "nsd", ".", "--recipe", "takagi"], 1, &["there is no recipe `takagi`", "`takagi2023`, `b2c`"]);
}
