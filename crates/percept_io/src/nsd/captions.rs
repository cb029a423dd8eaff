//! Captions: COCO's `captions_train2017.json` and `captions_val2017.json`, by picture.
//!
//! A picture's split decides which file it is in; most of NSD's are in the training file. Order and number of captions (at
//! least five) are COCO's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::table::StimulusTable;
use crate::{Error, Result, fs};

/// The larger of COCO's two files has 92 MB.
const MAX_BYTES: u64 = 1 << 30;

/// The captions of every picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captions {
    of_image: Vec<Vec<String>>,
}

#[derive(Deserialize)]
struct CocoFile {
    annotations: Vec<CocoCaption>,
}

#[derive(Deserialize)]
struct CocoCaption {
    image_id: u64,
    caption: String,
}

impl Captions {
    /// Reads the captions of all pictures of `table` from the COCO files in `folder`.
    ///
    /// # Errors
    /// If a file that is needed is absent or damaged, or has no caption for a picture.
    pub fn open(folder: &Path, table: &StimulusTable) -> Result<Self> {
        let splits: BTreeSet<&str> = table.rows().iter().map(|row| row.coco_split.as_str()).collect();
        let mut of_image = vec![Vec::new(); table.rows().len()];
        for split in splits {
            let path = path_of(folder, split);
            let wanted: BTreeSet<u64> =
                table.rows().iter().filter(|row| row.coco_split == split).map(|row| row.coco_id).collect();
            let found = read(&path, &wanted)?;
            for (image, row) in table.rows().iter().enumerate() {
                if row.coco_split != split {
                    continue;
                }
                // Two pictures may be crops of one photograph, so captions are copied, not taken.
                let captions = found.get(&row.coco_id).cloned();
                of_image[image] = captions.ok_or_else(|| {
                    let what = format!("caption of COCO image {} (picture {image})", row.coco_id);
                    let error = Error::malformed(what, "at least one", "absent");
                    error.with_remedy("download the file again").in_file(&path)
                })?;
            }
        }
        Ok(Self { of_image })
    }

    /// The captions of `image`, an index into the stimuli.
    pub fn of(&self, image: usize) -> &[String] {
        self.of_image.get(image).map_or(&[], Vec::as_slice)
    }

    /// The number of pictures.
    pub fn n_images(&self) -> usize {
        self.of_image.len()
    }
}

/// The file of a COCO split.
pub(super) fn path_of(folder: &Path, split: &str) -> PathBuf {
    folder.join(format!("captions_{split}.json"))
}

fn read(path: &Path, wanted: &BTreeSet<u64>) -> Result<BTreeMap<u64, Vec<String>>> {
    let bytes = fs::read_to_limit(path, MAX_BYTES)?;
    let file: CocoFile = serde_json::from_slice(&bytes).map_err(|error| {
        let what = format!("the captions (line {}, column {})", error.line(), error.column());
        Error::codec(what, error).in_file(path)
    })?;
    let mut captions: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for annotation in file.annotations {
        if wanted.contains(&annotation.image_id) {
            captions.entry(annotation.image_id).or_default().push(annotation.caption.trim().to_owned());
        }
    }
    Ok(captions)
}
