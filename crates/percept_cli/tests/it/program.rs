//! Running the built program.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The program with `arguments`, to be run in `folder`.
pub(crate) fn percept(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_percept"));
    // Words must not depend on who runs the test, nor on how wide the terminal is.
    command.args(arguments).current_dir(folder).env_remove("COLUMNS").env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// Runs it to its end in an empty folder.
pub(crate) fn run(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    percept(folder.path(), arguments).output().expect("the program starts")
}

/// What was written on a stream.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("words are UTF-8")
}
