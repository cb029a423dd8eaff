//! Rules about single files: an opening `//!`, a length one can read, a name that says something, no ignored tests, and
//! nothing that is true on one machine only.

use super::TreeFile;

const MAX_LINES: usize = 600;
const FORBIDDEN_NAMES: &[&str] = &["utils", "util", "common", "helpers", "helper", "misc", "base"];

/// Starts of absolute paths that exist on somebody's machine; written in two parts so that this file passes.
const MACHINE_PATHS: &[&str] = &[
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("/wo", "rk/"),
    concat!("/tm", "p/"),
    concat!("C:", "\\Users"),
];

/// Complaints about single files.
pub(super) fn check(files: &[TreeFile]) -> Vec<String> {
    let mut out = Vec::new();
    for file in files {
        let path = &file.path;
        for part in path.split('/') {
            let stem = part.split('.').next().unwrap_or(part);
            if FORBIDDEN_NAMES.contains(&stem) {
                out.push(format!("{path}: the name `{stem}` says nothing (name what it holds)"));
            }
        }
        let Some(text) = file.text() else { continue };
        for (i, line) in text.lines().enumerate() {
            if let Some(found) = machine_path(line) {
                out.push(format!("{path}:{}: `{found}` is a path of one machine", i + 1));
            }
        }
        if std::path::Path::new(path).extension().is_some_and(|extension| extension == "rs") {
            rust(path, text, &mut out);
        }
    }
    out
}

fn rust(path: &str, text: &str, out: &mut Vec<String>) {
    let opening = text.lines().next().unwrap_or_default();
    match opening.strip_prefix("//! ") {
        Some(words) if words.split_whitespace().count() >= 3 => {}
        _ => out.push(format!("{path}:1: the file does not open with a `//!` line that says what it is")),
    }
    let n_lines = text.lines().count();
    if n_lines > MAX_LINES {
        out.push(format!("{path}: {n_lines} lines, at most {MAX_LINES} (split it by subject)"));
    }
    for (i, line) in text.lines().enumerate() {
        if line.trim_start().starts_with(concat!("#[", "ignore")) {
            out.push(format!("{path}:{}: an ignored test tests nothing", i + 1));
        }
    }
}

/// The first machine path in a line. A path that continues a word or an address (`https://x.org/home/`) is not one.
fn machine_path(line: &str) -> Option<&'static str> {
    MACHINE_PATHS.iter().copied().find(|path| {
        line.match_indices(path).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            before.is_none_or(|c| !(c.is_alphanumeric() || "._-~})>".contains(c)))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(path: &str, content: &str) -> Vec<String> {
        check(&[TreeFile::new(path, content)])
    }

    #[test]
    fn an_ordinary_file_passes() {
        assert_eq!(one("crates/x/src/ridge.rs", "//! Ridge regression by groups.\n"), Vec::<String>::new());
    }

    #[test]
    fn a_file_without_an_opening_line_is_named() {
        assert!(one("a.rs", "use std::fmt;\n")[0].contains("does not open with"));
        assert!(one("a.rs", "//! Todo.\n")[0].contains("does not open with"));
        assert!(one("a.rs", "")[0].contains("does not open with"));
    }

    #[test]
    fn a_long_file_is_named() {
        let content = "//! Too long a file.\n".repeat(MAX_LINES + 1);
        assert!(one("a.rs", &content)[0].contains("601 lines"));
    }

    #[test]
    fn empty_names_are_forbidden_for_files_and_folders() {
        assert!(one("crates/x/src/utils.rs", "//! What it is here.\n")[0].contains("`utils`"));
        assert!(one("crates/x/src/common/a.rs", "//! What it is here.\n")[0].contains("`common`"));
        assert!(one("scripts/helpers.py", "")[0].contains("`helpers`"));
    }

    #[test]
    fn a_path_of_one_machine_is_found_but_not_inside_an_address() {
        let path = format!("see {}data", MACHINE_PATHS[0]);
        assert!(one("README.md", &path)[0].starts_with("README.md:1:"));
        let address = format!("https://example.org{}page", MACHINE_PATHS[1]);
        assert_eq!(one("README.md", &address), Vec::<String>::new());
    }

    #[test]
    fn an_ignored_test_is_found() {
        let content = format!("//! What it is here.\n    {}]\n", concat!("#[", "ignore"));
        assert!(one("a.rs", &content)[0].contains("tests nothing"));
    }

    #[test]
    fn binary_files_are_only_judged_by_name() {
        let file = TreeFile { path: "a.bin".to_owned(), bytes: vec![0, 159, 146, 150] };
        assert!(check(&[file]).is_empty());
    }
}
