//! The names of labels, where no `.ctab` file is at hand.
//!
//! The floc and prf regions were drawn for each subject, so their tables are not among those of `fsaverage`, and a partial
//! download usually has none at all.

use std::collections::BTreeMap;
use std::path::Path;

use crate::{Error, Result, fs};

const MAX_TABLE_BYTES: u64 = 1 << 20;

/// The names of the labels 1, 2, 3, … of a known atlas.
pub(super) fn built_in(atlas: &str) -> Option<&'static [&'static str]> {
    Some(match atlas {
        "nsdgeneral" => &["nsdgeneral"],
        "streams" => &["early", "midventral", "midlateral", "midparietal", "ventral", "lateral", "parietal"],
        "prf-visualrois" => &["V1v", "V1d", "V2v", "V2d", "V3v", "V3d", "hV4"],
        "prf-eccrois" => &["ecc0pt5", "ecc1", "ecc2", "ecc4", "ecc4+"],
        "floc-faces" => &["OFA", "FFA-1", "FFA-2", "mTL-faces", "aTL-faces"],
        "floc-places" => &["OPA", "PPA", "RSC"],
        "floc-bodies" => &["EBA", "FBA-1", "FBA-2", "mTL-bodies"],
        "floc-words" => &["OWFA", "VWFA-1", "VWFA-2", "mfs-words", "mTL-words"],
        _ => return None,
    })
}

/// The labels of `atlas` by value: the first of `tables` that exists, else the built-in names, else none.
///
/// # Errors
/// If a table cannot be read.
pub fn of(atlas: &str, tables: &[impl AsRef<Path>]) -> Result<BTreeMap<i32, String>> {
    if let Some(table) = tables.iter().find(|table| fs::is_file(table)) {
        let text = fs::read_text(table, MAX_TABLE_BYTES)?;
        return parse(&text).map_err(|error| error.in_file(table));
    }
    let names = built_in(atlas).unwrap_or_default();
    Ok(names.iter().enumerate().map(|(index, &name)| (index as i32 + 1, name.to_owned())).collect())
}

/// Lines of `<value> <name>`; the value 0 says "no label" and is left out.
fn parse(text: &str) -> Result<BTreeMap<i32, String>> {
    let mut labels = BTreeMap::new();
    for (line, content) in text.lines().enumerate().filter(|(_, content)| !content.trim().is_empty()) {
        let mut words = content.split_whitespace();
        let value = words.next().and_then(|word| word.parse::<i32>().ok());
        let (Some(value), Some(name)) = (value, words.next()) else {
            let what = format!("line {} of the label table", line + 1);
            return Err(Error::malformed(what, "a number and a name", format!("`{content}`")));
        };
        if value > 0 {
            labels.insert(value, name.to_owned());
        }
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_numbers_and_names() {
        let labels = parse("0 Unknown\n1 early 255 0 0 0\n\n2 midventral\n").expect("valid");
        assert_eq!(labels.into_iter().collect::<Vec<_>>(), [(1, "early".to_owned()), (2, "midventral".to_owned())]);
        assert!(parse("early 1\n").is_err());
    }

    #[test]
    fn streams_have_midparietal_as_the_fourth() {
        assert_eq!(built_in("streams").map(|names| (names.len(), names[3])), Some((7, "midparietal")));
    }
}
