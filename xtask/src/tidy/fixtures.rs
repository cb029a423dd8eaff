//! Rules about weight: every folder of test data says where it came from, and the repository stays small.

use std::collections::{BTreeMap, BTreeSet};

use super::TreeFile;

const MAX_FIXTURE_BYTES: usize = 100 * 1024;
const MAX_FIXTURES_BYTES: usize = 6 * 1024 * 1024;
const MAX_REPOSITORY_BYTES: usize = 60 * 1024 * 1024;

/// Complaints about test data and sizes.
pub(super) fn check(files: &[TreeFile]) -> Vec<String> {
    let sizes: BTreeMap<&str, usize> = files.iter().map(|file| (file.path.as_str(), file.bytes.len())).collect();
    let mut out = Vec::new();
    let mut topics = BTreeSet::new();
    let mut fixtures = 0;
    for (path, &size) in &sizes {
        let Some((home, inside)) = path.split_once("tests/data/") else { continue };
        fixtures += size;
        if size > MAX_FIXTURE_BYTES {
            out.push(format!("{path}: {size} bytes of test data, at most {MAX_FIXTURE_BYTES} (make it smaller)"));
        }
        match inside.split_once('/') {
            Some((topic, _)) => {
                topics.insert(format!("{home}tests/data/{topic}"));
            }
            None => out.push(format!("{path}: test data lies in a folder by topic, `tests/data/<topic>/`")),
        }
    }
    for topic in topics {
        if !sizes.contains_key(format!("{topic}/README.md").as_str()) {
            out.push(format!("{topic}: no README.md (say what made these files, with versions)"));
        }
    }
    if fixtures > MAX_FIXTURES_BYTES {
        out.push(format!("{fixtures} bytes of test data in all, at most {MAX_FIXTURES_BYTES}"));
    }
    let total: usize = sizes.values().sum();
    if total > MAX_REPOSITORY_BYTES {
        out.push(format!("{total} bytes in the tree, at most {MAX_REPOSITORY_BYTES}"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sized(path: &str, size: usize) -> TreeFile {
        TreeFile { path: path.to_owned(), bytes: vec![0; size] }
    }

    #[test]
    fn a_described_fixture_passes() {
        let files = [sized("crates/a/tests/data/npy/README.md", 10), sized("crates/a/tests/data/npy/x.npy", 10)];
        assert_eq!(check(&files), Vec::<String>::new());
    }

    #[test]
    fn a_fixture_without_origin_is_named() {
        assert!(
            check(&[sized("crates/a/tests/data/npy/x.npy", 10)])[0].contains("crates/a/tests/data/npy: no README.md")
        );
        assert!(check(&[sized("crates/a/tests/data/x.npy", 10)])[0].contains("by topic"));
    }

    #[test]
    fn a_heavy_fixture_is_named() {
        let readme = || sized("tests/data/a/README.md", 1);
        assert!(check(&[readme(), sized("tests/data/a/x", MAX_FIXTURE_BYTES + 1)])[0].contains("make it smaller"));
        let mut many: Vec<TreeFile> = (0..62).map(|i| sized(&format!("tests/data/a/{i}"), MAX_FIXTURE_BYTES)).collect();
        many.push(readme());
        assert!(check(&many)[0].contains("in all"));
    }

    #[test]
    fn a_heavy_repository_is_a_complaint() {
        assert!(check(&[sized("weights.bin", MAX_REPOSITORY_BYTES + 1)])[0].contains("in the tree"));
    }
}
