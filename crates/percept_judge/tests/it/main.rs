//! Raters at work: nothing is lost, nobody from elsewhere gets in, and the answers say what they should.

mod page;
mod raters;

use std::fmt::Write as _;
use std::path::Path;

use ndarray::Array3;
use percept_core::Seed;
use percept_judge::candidates::{self, Pair};
use percept_judge::session::{Session, SessionSettings};

/// A folder with captions of `n` items by the methods `c` and `caption`, and a picture for all.
pub(crate) fn folder(n: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    percept_io::picture::write_png(folder.path().join("shown.png"), Array3::<u8>::zeros((8, 8, 3)).view())
        .expect("written");
    let mut table = String::from("id,method,caption,stimulus\n");
    for item in 0..n {
        for method in ["c", "caption"] {
            let _ = writeln!(table, "item {item},{method},\"a thing, number {item}, by {}\",shown.png", method.len());
        }
    }
    std::fs::write(folder.path().join("captions.csv"), table).expect("written");
    folder
}

pub(crate) fn pair(folder: &Path) -> Pair {
    candidates::pair(folder, None, None, None).expect("two methods")
}

pub(crate) fn open(folder: &Path, n: Option<usize>) -> Session {
    Session::open(folder, pair(folder), SessionSettings { n, seed: Seed::new(1), ties: true }).expect("a session")
}
