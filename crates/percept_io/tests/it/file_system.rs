//! Atomic writing, listing and hashing on a real directory.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use percept_io::{Error, Kind, fs};

#[test]
fn a_written_file_reads_back_and_leaves_nothing_beside_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("deep/er/scores.json");
    fs::write_bytes(&path, b"{}").expect("written");
    assert_eq!(fs::read_to_limit(&path, 10).expect("read"), b"{}");
    assert_eq!(fs::list(path.parent().expect("a parent")).expect("listed"), [path]);
}

#[test]
fn a_failed_write_keeps_the_old_file_and_removes_its_own() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("kept.bin");
    fs::write_bytes(&path, b"old").expect("written");
    let error = fs::write_atomic(&path, |sink| {
        fs::put(sink, b"half of the new")?;
        Err::<(), _>(Error::codec("the picture", "gave up"))
    })
    .expect_err("the closure fails");
    assert_eq!(error.path(), Some(path.as_path()));
    assert_eq!(fs::read_to_limit(&path, 10).expect("read"), b"old");
    assert_eq!(fs::list(folder.path()).expect("listed").len(), 1);
}

#[test]
fn while_a_file_is_written_its_name_does_not_exist() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("late.bin");
    fs::write_atomic(&path, |sink| {
        sink.write_all(b"x").map_err(|error| Error::io("write", error))?;
        assert!(!fs::is_file(&path));
        assert_eq!(fs::remove_abandoned(folder.path())?, 0, "a living writer keeps its file");
        Ok(())
    })
    .expect("written");
    assert!(fs::is_file(&path));
}

#[test]
fn what_a_killed_writer_left_is_removed_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in [".report.html.4711-0.tmp", "notes.tmp", ".hidden"] {
        std::fs::write(folder.path().join(name), b"x").expect("written");
    }
    assert_eq!(fs::remove_abandoned(folder.path()).expect("cleared"), 1);
    assert_eq!(fs::list(folder.path()).expect("listed").len(), 2);
}

/// Where the process that will be killed writes; set by the test that starts it.
const VICTIM: &str = "PERCEPT_IO_TEST_VICTIM";

/// The other side of the test below: writes half a file, says so, and waits to be killed. Nothing without its variable.
#[test]
fn victim() {
    let Some(path) = std::env::var_os(VICTIM) else { return };
    fs::write_atomic(path, |sink| {
        fs::put(&mut *sink, &vec![1; 3 << 20])?;
        sink.flush().map_err(|error| Error::io("write", error))?;
        // Not the macro, which the harness may capture.
        fs::put(std::io::stdout(), b"\nhalf\n")?;
        std::io::stdin().read_to_end(&mut Vec::new()).map_err(|error| Error::io("wait", error))?;
        Ok(())
    })
    .expect("never reached: the process is killed while it waits");
}

#[test]
fn a_killed_writer_leaves_the_old_file_and_an_abandoned_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("result.bin");
    fs::write_bytes(&path, b"old").expect("written");
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "file_system::victim", "--nocapture"])
        .env(VICTIM, &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    assert!(lines.any(|line| line.expect("text") == "half"), "the writer ended before it was half done");
    assert_eq!(fs::list(folder.path()).expect("listed").len(), 2);
    assert_eq!(fs::remove_abandoned(folder.path()).expect("cleared"), 0, "the writer still lives");
    child.kill().expect("killed");
    child.wait().expect("ended");
    assert_eq!(fs::read_to_limit(&path, 10).expect("read"), b"old");
    assert_eq!(fs::remove_abandoned(folder.path()).expect("cleared"), 1);
    assert_eq!(fs::list(folder.path()).expect("listed"), [path]);
}

#[test]
fn errors_name_the_path_once_and_a_remedy() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("absent.nii");
    let words = fs::open(&path).expect_err("absent").to_string();
    assert_eq!(words.matches("absent.nii").count(), 1, "{words}");
    assert!(words.contains("cannot open: "), "{words}");
    assert!(words.ends_with("(check the path)"), "{words}");

    let words = fs::open(folder.path()).expect_err("a directory").to_string();
    assert!(
        words.ends_with("the path is a directory, but a regular file was asked for (name a file inside it)"),
        "{words}"
    );

    std::fs::write(&path, [0; 64]).expect("written");
    let error = fs::read_to_limit(&path, 63).expect_err("one byte too long");
    assert!(matches!(error.kind(), Kind::TooLarge { claimed: 64, limit: 63, .. }), "{error}");
}

#[test]
fn the_streamed_hash_is_the_hash_of_the_bytes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("long.bin");
    let bytes: Vec<u8> = (0..3_000_001u32).map(|i| (i * 7 + i / 251) as u8).collect();
    fs::write_bytes(&path, &bytes).expect("written");
    assert_eq!(fs::content_hash(&path).expect("hashed"), percept_core::provenance::content_hash(&bytes));
    let source = fs::open(&path).expect("opened");
    let mut tail = [0; 5];
    source.read_at(2_999_996, &mut tail).expect("read");
    assert_eq!(tail, bytes[2_999_996..]);
}

#[test]
fn text_in_another_encoding_is_refused_with_the_position() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("latin1.tsv");
    std::fs::write(&path, b"caf\xe9\n").expect("written");
    let error = fs::read_text(&path, 100).expect_err("latin-1");
    assert_eq!(error.offset(), Some(3));
    assert!(error.to_string().ends_with("(save the file as UTF-8)"), "{error}");
    std::fs::write(&path, b"\xef\xbb\xbfa\tb\n").expect("written");
    assert_eq!(fs::read_text(&path, 100).expect("read"), "a\tb\n");
}
