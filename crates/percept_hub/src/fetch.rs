//! One file from the hub to the disk: cut connections go on where they ended, and only what hashes right gets its name.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use percept_core::Progress;
use percept_io::fs;

use crate::client::{Client, Trouble};
use crate::error::{HubError, Result, at};
use crate::identity::{Hasher, Identity};

const BLOCK_BYTES: usize = 1 << 18;
const MEGABYTE: u64 = 1_000_000;

/// A file that is wanted, known by its hash.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) identity: Identity,
}

/// Where a file goes.
pub(crate) struct Place {
    /// The file when it is whole.
    pub(crate) whole: PathBuf,
    /// What there is of it until then.
    pub(crate) part: PathBuf,
    /// Held while the part is written, by `huggingface_hub` too.
    pub(crate) lock: Option<PathBuf>,
}

/// Bytes of all files as steps of progress of a megabyte each; they never go back.
pub(crate) struct Meter<'a> {
    progress: &'a dyn Progress,
    before: u64,
    told: u64,
}

impl<'a> Meter<'a> {
    /// Begins the stage.
    pub(crate) fn begin(progress: &'a dyn Progress, stage: &str, total: u64) -> Self {
        progress.begin(&format!("{stage}, MB"), total.div_ceil(MEGABYTE));
        Self { progress, before: 0, told: 0 }
    }

    /// `bytes` of the present file are here from an earlier time.
    fn resume(&mut self, bytes: u64) {
        let steps = ((self.before + bytes) / MEGABYTE).saturating_sub(self.told);
        self.told += steps;
        self.progress.resume(steps);
    }

    /// `bytes` of the present file are here.
    fn at(&mut self, bytes: u64) {
        let steps = ((self.before + bytes) / MEGABYTE).saturating_sub(self.told);
        if steps > 0 {
            self.told += steps;
            self.progress.advance(steps);
        }
    }

    /// The present file of `bytes` is whole; `there` if it was before.
    fn finish(&mut self, bytes: u64, there: bool) {
        if there {
            self.resume(bytes);
        } else {
            self.at(bytes);
        }
        self.before += bytes;
    }
}

/// Brings one file to its place, unless it is there.
pub(crate) fn fetch(
    client: &Client<'_>,
    commit: &str,
    file: &Wanted,
    place: &Place,
    meter: &mut Meter<'_>,
) -> Result<()> {
    for path in [Some(&place.whole), Some(&place.part), place.lock.as_ref()].into_iter().flatten() {
        if let Some(folder) = path.parent() {
            fs::create_dir(folder)?;
        }
    }
    let _lock = place.lock.as_deref().map(hold).transpose()?;
    if is_there(&place.whole, file)? {
        meter.finish(file.size, true);
        return Ok(());
    }
    let mut part = Part::open(&place.part, file)?;
    meter.resume(part.have);
    // A part of an earlier time may be damaged; what came in one piece and does not hash right will not do so again.
    let mut had_part = part.have > 0;
    let mut tries = 0;
    loop {
        let before = part.have;
        let outcome = part.receive(client, commit, meter).and_then(|()| Ok(part.verify()?));
        match outcome {
            Ok(None) => break,
            Ok(Some(_)) if had_part => {
                had_part = false;
                part.restart()?;
            }
            Ok(Some(detail)) => {
                drop(part);
                fs::remove_file(&place.part)?;
                return Err(HubError::Damaged { file: file.name.clone(), detail });
            }
            Err(Trouble::Final(error)) => return Err(error),
            Err(Trouble::Passing(detail) | Trouble::NoConnection(detail)) => {
                tries = if part.have > before { 1 } else { tries + 1 };
                if tries >= client.settings.tries {
                    part.file.sync_all().map_err(at(&place.part))?;
                    let (file, size) = (file.name.clone(), file.size);
                    return Err(HubError::Cut { file, attempts: tries, detail, have: part.have, size });
                }
                client.wait(tries);
            }
        }
    }
    part.file.sync_all().map_err(at(&place.part))?;
    drop(part);
    std::fs::rename(&place.part, &place.whole).map_err(at(&place.whole))?;
    meter.finish(file.size, false);
    Ok(())
}

/// Whether the file at `path` is `file`. In the cache a blob's name is its hash; elsewhere the bytes must tell.
fn is_there(path: &Path, file: &Wanted) -> Result<bool> {
    let Ok(meta) = std::fs::metadata(path) else { return Ok(false) };
    if meta.len() != file.size {
        return Ok(false);
    }
    Ok(path.file_name().is_some_and(|name| name == file.identity.text())
        || hash_of(path, &file.identity)? == file.identity)
}

/// The hash of the file at `path`, of the kind of `identity`.
pub(crate) fn hash_of(path: &Path, identity: &Identity) -> Result<Identity> {
    let mut file = File::open(path).map_err(at(path))?;
    let mut hasher = identity.hasher(file.metadata().map_err(at(path))?.len());
    feed(&mut file, &mut hasher).map_err(at(path))?;
    Ok(hasher.finish())
}

fn feed(file: &mut File, hasher: &mut Hasher) -> std::io::Result<u64> {
    let mut block = vec![0; BLOCK_BYTES];
    let mut total = 0;
    loop {
        match file.read(&mut block) {
            Ok(0) => return Ok(total),
            Ok(n) => {
                hasher.update(&block[..n]);
                total += n as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Takes the lock of a file. File systems without locks are not refused: two writers there end in a wrong hash.
fn hold(path: &Path) -> Result<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(at(path))?;
    match file.lock() {
        Err(error) if error.kind() != ErrorKind::Unsupported => Err(at(path)(error)),
        _ => Ok(file),
    }
}

/// What there is of a file.
struct Part<'a> {
    wanted: &'a Wanted,
    path: &'a Path,
    file: File,
    have: u64,
}

impl<'a> Part<'a> {
    fn open(path: &'a Path, wanted: &'a Wanted) -> Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).read(true).write(true).open(path).map_err(at(path))?;
        let have = file.metadata().map_err(at(path))?.len();
        let mut part = Self { wanted, path, file, have };
        if have > wanted.size {
            part.restart()?;
        }
        part.file.seek(SeekFrom::End(0)).map_err(at(path))?;
        Ok(part)
    }

    /// Throws away what there is.
    fn restart(&mut self) -> Result<()> {
        self.file.set_len(0).map_err(at(self.path))?;
        self.file.rewind().map_err(at(self.path))?;
        self.have = 0;
        Ok(())
    }

    /// Receives what is left, until all is there or the connection ends.
    fn receive(
        &mut self,
        client: &Client<'_>,
        commit: &str,
        meter: &mut Meter<'_>,
    ) -> std::result::Result<(), Trouble> {
        let size = self.wanted.size;
        if self.have == size {
            return Ok(());
        }
        let mut response = client.get(&client.file_url(commit, &self.wanted.name), self.have)?;
        if response.status() != 206 || !starts_at(&response, self.have) {
            // The server does not give parts, or not this one.
            self.restart()?;
            if response.status() != 200 {
                return Err(Trouble::Passing(format!("the server answers {}", response.status())));
            }
        }
        let mut body = response.body_mut().as_reader();
        let mut block = vec![0; BLOCK_BYTES];
        while self.have < size {
            let most = block.len().min((size - self.have) as usize);
            match body.read(&mut block[..most]) {
                Ok(0) => return Err(Trouble::Passing("it ended early".into())),
                Ok(n) => {
                    self.file.write_all(&block[..n]).map_err(at(self.path))?;
                    self.have += n as u64;
                    meter.at(self.have);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Trouble::Passing(error.to_string())),
            }
        }
        Ok(())
    }

    /// What is wrong with the whole file, if anything.
    fn verify(&mut self) -> Result<Option<String>> {
        // From the disk, so that what another process or a failing disk did to it counts too.
        self.file.rewind().map_err(at(self.path))?;
        let expected = &self.wanted.identity;
        let mut hasher = expected.hasher(self.wanted.size);
        let size = feed(&mut self.file, &mut hasher).map_err(at(self.path))?;
        if size != self.wanted.size {
            return Ok(Some(format!("{size} bytes, expected {}", self.wanted.size)));
        }
        let got = hasher.finish();
        Ok((got != *expected).then(|| format!("{got}, expected {}", expected.text())))
    }
}

/// Whether a partial answer begins at byte `from`.
fn starts_at(response: &ureq::http::Response<ureq::Body>, from: u64) -> bool {
    let range = response.headers().get("content-range").and_then(|value| value.to_str().ok());
    range.is_some_and(|range| range.starts_with(&format!("bytes {from}-")))
}
