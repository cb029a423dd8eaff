//! Snapshots of help and errors: a change of words is a change to be seen. To accept new words, run the tests with
//! `ACCEPT_WORDS=1` and read the difference.

use std::path::Path;

use crate::program::{run, text};

/// Compares what the program says with `tests/data/words/<name>.txt`.
fn says(name: &str, arguments: &[&str]) {
    let output = run(arguments);
    let heard = format!(
        "$ percept {}\n[exit {}]\n{}{}",
        arguments.join(" "),
        output.status.code().expect("the program was not killed"),
        text(&output.stdout),
        text(&output.stderr)
    );
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/words").join(format!("{name}.txt"));
    if std::env::var_os("ACCEPT_WORDS").is_some() {
        std::fs::write(&path, &heard).expect("the snapshot is written");
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(heard == known, "other words than in {}:\n{heard}", path.display());
}

#[test]
fn help_of_every_command() {
    says("help", &["--help"]);
    says("help_demo", &["demo", "--help"]);
    says("help_reconstruct", &["reconstruct", "--help"]);
    says("help_doctor_nsd", &["doctor", "nsd", "--help"]);
    says("help_phantom", &["phantom", "--help"]);
    says("help_train_pocket", &["train", "pocket", "--help"]);
    says("help_model_info", &["model", "info", "--help"]);
    says("help_report", &["report", "--help"]);
}

#[test]
fn errors_name_what_where_and_the_remedy() {
    says("error_no_file", &["reconstruct", "absent.toml"]);
    says("error_no_toml", &["reconstruct", "absent"]);
    says("error_override", &["demo", "--set", "generate.steps"]);
    says("error_override_key", &["demo", "--set", "generate.step=5"]);
    says("error_override_value", &["demo", "--set", "generate.steps=many"]);
    says("error_threads", &["--threads", "0", "demo"]);
    says("error_verb", &["reconstrct", "x.toml"]);
    says("error_doctor_nothing_there", &["doctor", "nsd", "absent"]);
    says("error_report_nothing_there", &["report", "absent"]);
}
