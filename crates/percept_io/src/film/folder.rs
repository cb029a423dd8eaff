//! A folder of numbered pictures: `0001.png`, `frame-12.jpg`. The number at the end of a name says when a picture is shown; a number
//! that is missing shows the picture before it, and that is said.

use std::path::{Path, PathBuf};

use ndarray::Array3;

use crate::{Error, Result, fs, picture};

const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];
/// Numbers that may be missing for each that is there; more is a folder of something else.
const MOST_MISSING: u64 = 1000;

/// The pictures of a folder.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    /// The file of each frame.
    frames: Vec<PathBuf>,
    pub(crate) notes: Vec<String>,
}

impl Folder {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Self::numbered(path).map_err(|error| error.in_file(path))
    }

    fn numbered(path: &Path) -> Result<Self> {
        let mut found: Vec<(u64, PathBuf)> =
            fs::list(path)?.into_iter().filter_map(|file| Some((number_of(&file)?, file))).collect();
        found.sort();
        let (Some((first, _)), Some((last, _))) = (found.first(), found.last()) else {
            let error = Error::malformed("the folder", "numbered pictures such as `0001.png`", "without any");
            return Err(error.with_remedy("name a folder of PNG or JPEG files whose names end in numbers"));
        };
        if let Some(pair) = found.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let names = pair.iter().map(|(_, file)| file.file_name().unwrap_or_default().display().to_string());
            let got = names.collect::<Vec<_>>().join("` and `");
            let error = Error::malformed("a number", "one picture", format!("that of `{got}`"));
            return Err(error.with_remedy("keep one film in a folder"));
        }
        let n = last - first + 1;
        let n_missing = n - found.len() as u64;
        if n_missing > MOST_MISSING * found.len() as u64 {
            let error = Error::malformed("the numbers of frames", "one after the other", format!("{first} to {last}"));
            return Err(error.with_remedy("number the pictures in the order in which they are shown"));
        }
        let mut notes = Vec::new();
        if n_missing > 0 {
            let at = found.windows(2).find(|pair| pair[1].0 > pair[0].0 + 1).map_or(0, |pair| pair[0].0 + 1);
            notes.push(format!("{n_missing} of the frames {first} to {last} are missing, the first is {at}"));
        }
        let mut frames: Vec<PathBuf> = Vec::with_capacity(n as usize);
        for (number, file) in found.iter().cloned() {
            while let Some(before) = frames.last().filter(|_| (frames.len() as u64) < number - first) {
                frames.push(before.clone());
            }
            frames.push(file);
        }
        Ok(Self { frames, notes })
    }

    pub(crate) fn n_frames(&self) -> usize {
        self.frames.len()
    }

    pub(crate) fn frame(&self, frame_idx: usize) -> Result<Array3<u8>> {
        picture::read(&self.frames[frame_idx])
    }
}

/// The number at the end of the name of a picture.
fn number_of(file: &Path) -> Option<u64> {
    let ending = file.extension()?.to_string_lossy().to_ascii_lowercase();
    let stem = file.file_stem()?.to_string_lossy();
    let is_hidden = stem.starts_with('.');
    let digits = stem.len() - stem.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    (ENDINGS.contains(&ending.as_str()) && !is_hidden).then(|| stem[stem.len() - digits..].parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_stands_at_the_end_of_a_name() {
        let number = |name: &str| number_of(Path::new(name));
        assert_eq!(number("a/frame-0012.PNG"), Some(12));
        assert_eq!(number("7.jpeg"), Some(7));
        assert_eq!(number("shot3_0004.jpg"), Some(4));
        for none in ["cover.png", "0001.txt", ".0001.png", "99999999999999999999999.png"] {
            assert_eq!(number(none), None, "{none}");
        }
    }
}
