//! Streams: answers on stdout, words on stderr, a closed pipe is success.

use std::process::Stdio;

use crate::program::{percept, run, text};

#[test]
fn help_and_version_are_answers() {
    for arguments in [&["--help"][..], &["--version"], &["reconstruct", "--help"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_complaint_goes_to_stderr_and_says_whose_turn_it_is() {
    for arguments in
        [&["reconstruct", "absent.toml"][..], &["reconstruct"], &["frobnicate"], &["--threads", "0", "demo"]]
    {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(text(&output.stderr).starts_with("error: "), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_reader_that_leaves_early_has_what_it_wants() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = percept(folder.path(), &["model", "info", "pocket", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // The pipe is closed before the program writes: loading the pack takes longer than this drop.
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
}
