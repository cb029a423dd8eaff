//! The rule that the modules of a crate do not import each other in a circle, and that functions of the rooms stay short.
//!
//! A module is a file. Module A imports B when a path in A's code leads to something that B defines: paths that begin with
//! `crate::`, `super::`, `self::` or the name of a child module are followed, through re-exports (`pub use`) to where the
//! item is. A re-export itself is no import: it only gives a name. Code below `#[cfg(test)]` does not count.
//!
//! Source is read as text, so a path that a macro puts together is not seen.

use std::collections::{BTreeMap, BTreeSet};

use super::TreeFile;

/// Crates whose functions have at most [`MAX_FUNCTION_LINES`] lines.
const SHORT_FUNCTIONS: [&str; 3] = ["percept_pipeline", "percept_methods", "percept_report"];
const MAX_FUNCTION_LINES: usize = 80;

/// The path of a module, its file, and its text.
type File<'a> = (Vec<String>, &'a str, &'a str);

/// Complaints about circles of imports, and about long functions.
pub(super) fn check(files: &[TreeFile]) -> Vec<String> {
    let mut crates: BTreeMap<&str, Vec<File<'_>>> = BTreeMap::new();
    for file in files {
        let Some((name, inside)) = file.path.strip_prefix("crates/").and_then(|path| path.split_once("/src/")) else {
            continue;
        };
        if let (Some(module), Some(text)) = (module_of(inside), file.text()) {
            crates.entry(name).or_default().push((module, &file.path, text));
        }
    }
    let mut out = Vec::new();
    for (name, modules) in &crates {
        let parsed: BTreeMap<Vec<String>, Module> =
            modules.iter().map(|(module, _, text)| (module.clone(), Module::parse(text))).collect();
        out.extend(circles(name, &imports(&parsed)));
        if SHORT_FUNCTIONS.contains(name) {
            for (_, path, text) in modules {
                out.extend(long_functions(path, text));
            }
        }
    }
    out
}

/// The path of the module in the file `inside` of a crate's `src`; `None` for other files.
fn module_of(inside: &str) -> Option<Vec<String>> {
    let stem = inside.strip_suffix(".rs")?;
    let mut parts: Vec<String> = stem.split('/').map(str::to_owned).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        parts.pop();
    }
    Some(parts)
}

/// What one file says about paths.
#[derive(Default)]
struct Module {
    /// Paths in its code, as written, split at `::`.
    paths: Vec<Vec<String>>,
    /// Names that it hands on: name → path.
    re_exports: BTreeMap<String, Vec<String>>,
    /// Names that it brings in for itself: name → path.
    brought: BTreeMap<String, Vec<String>>,
}

impl Module {
    fn parse(text: &str) -> Self {
        let code = code_of(text);
        let mut module = Self::default();
        let mut remaining = code.as_str();
        let mut plain = String::new();
        while let Some(at) = find_use(remaining) {
            let (before, from) = remaining.split_at(at);
            plain.push_str(before);
            let end = from.find(';').map_or(from.len(), |end| end + 1);
            let is_public = before.trim_end().ends_with("pub") || before.trim_end().ends_with(')');
            for (name, path) in expand(from["use".len()..end].trim().trim_end_matches(';')) {
                if is_public {
                    module.re_exports.insert(name, path);
                } else {
                    module.brought.insert(name, path.clone());
                    module.paths.push(path);
                }
            }
            remaining = &from[end..];
        }
        plain.push_str(remaining);
        module.paths.extend(paths_in(&plain));
        module
    }
}

/// The code before the tests, without comments and text literals.
fn code_of(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        if line.starts_with("#[cfg(test)]") {
            break;
        }
        let line = line.split("//").next().unwrap_or_default();
        let mut inside = false;
        for part in line.split('"') {
            if !inside {
                out.push_str(part);
            }
            inside = !inside;
        }
        out.push('\n');
    }
    out
}

/// Where the next `use` statement begins.
fn find_use(text: &str) -> Option<usize> {
    text.match_indices("use ").map(|(at, _)| at).find(|&at| {
        text[..at].chars().next_back().is_none_or(char::is_whitespace) && !text[..at].trim_end().ends_with("::")
    })
}

/// The names that a `use` tree brings in, each with its whole path.
fn expand(tree: &str) -> Vec<(String, Vec<String>)> {
    let tree = tree.trim();
    if let Some(open) = tree.find('{') {
        let prefix = &tree[..open];
        let inner = tree[open + 1..].trim_end().trim_end_matches('}');
        return split_top(inner).into_iter().flat_map(|part| expand(&format!("{prefix}{}", part.trim()))).collect();
    }
    let (path, name) = match tree.split_once(" as ") {
        Some((path, name)) => (path.trim(), Some(name.trim().to_owned())),
        None => (tree, None),
    };
    let mut parts: Vec<String> = path.split("::").map(|part| part.trim().to_owned()).collect();
    if parts.last().is_some_and(|last| last == "self") {
        parts.pop();
    }
    match parts.last().cloned() {
        Some(last) if !last.is_empty() => vec![(name.unwrap_or(last), parts)],
        _ => Vec::new(),
    }
}

/// Parts of `text` at commas outside of braces.
fn split_top(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0usize, 0);
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// All paths with `::` in plain code.
fn paths_in(code: &str) -> Vec<Vec<String>> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    code.split(|c: char| !is_word(c))
        .filter(|word| word.contains("::"))
        .map(|word| word.split("::").map(str::to_owned).collect())
        .collect()
}

/// Who imports whom.
fn imports(modules: &BTreeMap<Vec<String>, Module>) -> BTreeMap<Vec<String>, BTreeSet<Vec<String>>> {
    let mut edges: BTreeMap<Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
    for (at, module) in modules {
        let own = edges.entry(at.clone()).or_default();
        for path in &module.paths {
            if let Some(to) = resolve(modules, at, path, 0)
                && to != *at
            {
                own.insert(to);
            }
        }
    }
    edges
}

/// The module in which `path`, written in the module `at`, ends.
fn resolve(
    modules: &BTreeMap<Vec<String>, Module>,
    at: &[String],
    path: &[String],
    depth: usize,
) -> Option<Vec<String>> {
    // A chain of re-exports this long is a circle of its own.
    if depth > 8 {
        return None;
    }
    let (first, rest) = path.split_first()?;
    let mut here: Vec<String> = match first.as_str() {
        "crate" => Vec::new(),
        "self" => at.to_vec(),
        "super" => at[..at.len().checked_sub(1)?].to_vec(),
        name => {
            let child = [at, &[name.to_owned()]].concat();
            if modules.contains_key(&child) {
                child
            } else {
                // A name that was brought in, such as a module: follow where it came from.
                let brought = modules.get(at)?.brought.get(name).filter(|brought| brought[..] != *path)?;
                return resolve(modules, at, &[&brought[..], rest].concat(), depth + 1);
            }
        }
    };
    for (i, part) in rest.iter().enumerate() {
        if part == "super" {
            here.pop()?;
            continue;
        }
        let child = [&here[..], std::slice::from_ref(part)].concat();
        if modules.contains_key(&child) {
            here = child;
            continue;
        }
        return match modules.get(&here).and_then(|module| module.re_exports.get(part)) {
            Some(onward) => resolve(modules, &here, &[&onward[..], &rest[i + 1..]].concat(), depth + 1).or(Some(here)),
            None => Some(here),
        };
    }
    modules.contains_key(&here).then_some(here)
}

/// One complaint per knot of modules that all reach each other.
fn circles(name: &str, edges: &BTreeMap<Vec<String>, BTreeSet<Vec<String>>>) -> Vec<String> {
    let reach = |from: &Vec<String>| -> BTreeSet<Vec<String>> {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&Vec<String>> = edges.get(from).into_iter().flatten().collect();
        while let Some(next) = open.pop() {
            if seen.insert(next.clone()) {
                open.extend(edges.get(next).into_iter().flatten());
            }
        }
        seen
    };
    let reached: BTreeMap<&Vec<String>, BTreeSet<Vec<String>>> = edges.keys().map(|from| (from, reach(from))).collect();
    let mut told: BTreeSet<&Vec<String>> = BTreeSet::new();
    let mut out = Vec::new();
    for (from, all) in &reached {
        if told.contains(from) || !all.contains(*from) {
            continue;
        }
        let knot: Vec<&Vec<String>> =
            reached.keys().copied().filter(|other| all.contains(*other) && reached[*other].contains(*from)).collect();
        told.extend(knot.iter().copied());
        let named = |module: &Vec<String>| format!("{name}::{}", module.join("::"));
        let shortest: Vec<String> = round(edges, from).iter().map(named).collect();
        let n = knot.len();
        out.push(format!(
            "{n} modules import each other in a circle: {} (move what they share below)",
            shortest.join(" → ")
        ));
    }
    out
}

/// A shortest way from `from` back to itself.
fn round(edges: &BTreeMap<Vec<String>, BTreeSet<Vec<String>>>, from: &Vec<String>) -> Vec<Vec<String>> {
    let mut came: BTreeMap<&Vec<String>, &Vec<String>> = BTreeMap::new();
    let mut open = std::collections::VecDeque::from([from]);
    while let Some(at) = open.pop_front() {
        for next in edges.get(at).into_iter().flatten() {
            if next == from {
                let mut way = vec![from.clone(), at.clone()];
                let mut back = at;
                while back != from {
                    back = came[back];
                    way.push(back.clone());
                }
                way.reverse();
                return way;
            }
            if !came.contains_key(next) {
                came.insert(next, at);
                open.push_back(next);
            }
        }
    }
    Vec::new()
}

/// Functions of more than [`MAX_FUNCTION_LINES`] lines, tests included.
fn long_functions(path: &str, text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    for (i, line) in lines.iter().enumerate() {
        let body = line.trim_start();
        let Some(name) = function_name(body) else { continue };
        let close = format!("{}}}", &line[..line.len() - body.len()]);
        if line.trim_end().ends_with('}') || line.trim_end().ends_with(';') {
            continue;
        }
        let end = lines[i..].iter().position(|line| *line == close || line.trim_end().ends_with(&format!("{close};")));
        if let Some(n) = end
            && n + 1 > MAX_FUNCTION_LINES
        {
            out.push(format!(
                "{path}:{}: `{name}` has {} lines, at most {MAX_FUNCTION_LINES} (split it)",
                i + 1,
                n + 1
            ));
        }
    }
    out
}

/// The name of the function that this line begins.
fn function_name(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    loop {
        match words.next()? {
            "fn" => break,
            word if word.starts_with("pub") || ["const", "async", "unsafe", "super)", "crate)"].contains(&word) => {}
            _ => return None,
        }
    }
    words.next().map(|rest| rest.split(['(', '<']).next().unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knots(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<TreeFile> = files.iter().map(|(path, text)| TreeFile::new(path, text)).collect();
        check(&files)
    }

    #[test]
    fn a_planted_circle_is_found_through_a_re_export() {
        let found = knots(&[
            ("crates/x/src/lib.rs", "pub mod a;\npub mod b;\n"),
            ("crates/x/src/a/mod.rs", "mod inner;\npub use inner::Thing;\n"),
            ("crates/x/src/a/inner.rs", "use crate::b::{other, Else};\npub struct Thing;\n"),
            ("crates/x/src/b.rs", "use crate::{a::Thing};\npub fn other(_: Thing) {}\n"),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("x::a::inner → x::b → x::a::inner"), "{found:?}");
    }

    #[test]
    fn a_parent_and_a_child_that_use_each_other_are_a_circle() {
        let found = knots(&[
            ("crates/x/src/a/mod.rs", "mod inner;\npub struct Shared;\npub fn run() { inner::go(&Shared) }\n"),
            ("crates/x/src/a/inner.rs", "pub(super) fn go(_: &super::Shared) {}\n"),
        ]);
        assert!(found[0].contains("x::a → x::a::inner → x::a"), "{found:?}");
    }

    #[test]
    fn one_way_and_re_exports_and_tests_are_no_circle() {
        let found = knots(&[
            ("crates/x/src/lib.rs", "pub mod a;\npub mod b;\npub use a::Thing;\n"),
            ("crates/x/src/a.rs", "pub struct Thing;\n#[cfg(test)]\nmod tests {\n    use crate::b::other;\n}\n"),
            ("crates/x/src/b.rs", "use crate::Thing;\npub fn other(_: Thing) {} // crate::b::x\n"),
        ]);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn a_long_function_of_a_room_is_named() {
        let body = "    let x = 1;\n".repeat(MAX_FUNCTION_LINES);
        let text = format!("//! A file of one function.\npub fn long() {{\n{body}}}\n");
        assert!(knots(&[("crates/percept_methods/src/a.rs", &text)])[0].contains("`long` has 82 lines"));
        assert!(knots(&[("crates/percept_io/src/a.rs", &text)]).is_empty());
    }
}
