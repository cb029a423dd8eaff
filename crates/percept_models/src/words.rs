//! Tables of word vectors: GloVe's text (a word and its numbers per line), word2vec's text (the same below a line with
//! both sizes), word2vec's binary form.
//!
//! A word is looked up as it is written, then in lower case; words that the table lacks have no vector.

use std::{collections::BTreeMap, path::Path};

use crate::error::{ModelError, Result};

/// The most numbers of a vector that is believed.
const WIDEST: usize = 1 << 16;

/// Words with their vectors.
pub struct WordTable {
    words: BTreeMap<String, usize>,
    width: usize,
    values: Vec<f32>,
}

impl WordTable {
    /// Reads a table; which of the three forms it has is told by its beginning.
    ///
    /// # Errors
    /// [`ModelError::File`], or [`ModelError::Corrupt`] naming the line or entry.
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|source| ModelError::File { path: path.into(), source })?;
        Self::read(&bytes).map_err(|detail| ModelError::Corrupt { path: path.into(), format: "word vector", detail })
    }

    fn read(bytes: &[u8]) -> std::result::Result<Self, String> {
        let end = bytes.iter().position(|&b| b == b'\n').ok_or("it has no line")?;
        let first = std::str::from_utf8(&bytes[..end]).map_err(|_| "its first line is not text".to_owned())?;
        let sizes: Vec<usize> = first.split_whitespace().map_while(|field| field.parse().ok()).collect();
        match (sizes.as_slice(), first.split_whitespace().count()) {
            (&[n, width], 2) => {
                if width == 0 || width > WIDEST {
                    return Err(format!("vectors of {width} numbers"));
                }
                let rest = &bytes[end + 1..];
                let line = rest.split(|&b| b == b'\n').next().unwrap_or_default();
                let is_text = std::str::from_utf8(line).is_ok_and(|line| line.split_whitespace().count() == width + 1);
                if is_text { Self::text(rest, Some((n, width)), 2) } else { Self::binary(rest, n, width) }
            }
            _ => Self::text(bytes, None, 1),
        }
    }

    fn text(bytes: &[u8], sizes: Option<(usize, usize)>, first: usize) -> std::result::Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|error| format!("it is not UTF-8: {error}"))?;
        let mut table = Self { words: BTreeMap::new(), width: sizes.map_or(0, |(_, width)| width), values: vec![] };
        for (i, line) in text.lines().enumerate() {
            let at = i + first;
            // Some words of GloVe hold spaces: the numbers are the last fields.
            let fields: Vec<&str> = line.trim_end().split(' ').collect();
            if table.width == 0 {
                table.width = fields.len().saturating_sub(1);
            }
            if fields.len() <= table.width || table.width == 0 {
                let found = fields.len().saturating_sub(1);
                return Err(format!("line {at} has {found} numbers, expected {}", table.width));
            }
            let (word, numbers) = fields.split_at(fields.len() - table.width);
            for number in numbers {
                let value = number.parse().map_err(|_| format!("line {at}: `{number}` is not a number"))?;
                table.values.push(value);
            }
            table.words.entry(word.join(" ")).or_insert(i);
        }
        table.whole(sizes.map(|(n, _)| n))
    }

    fn binary(bytes: &[u8], n: usize, width: usize) -> std::result::Result<Self, String> {
        let mut table = Self { words: BTreeMap::new(), width, values: vec![] };
        let mut rest = bytes;
        for i in 0..n {
            let ended = || format!("it ends in entry {i} of {n}");
            let space = rest.iter().position(|&b| b == b' ').ok_or_else(ended)?;
            let start = rest[..space].iter().take_while(|b| b.is_ascii_whitespace()).count();
            let word = String::from_utf8_lossy(&rest[start..space]).into_owned();
            let numbers = rest.get(space + 1..space + 1 + 4 * width).ok_or_else(ended)?;
            table.values.extend(numbers.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
            table.words.entry(word).or_insert(i);
            rest = &rest[space + 1 + 4 * width..];
        }
        if rest.iter().any(|b| !b.is_ascii_whitespace()) {
            return Err(format!("{} bytes follow the last of {n} entries", rest.len()));
        }
        table.whole(Some(n))
    }

    fn whole(self, n: Option<usize>) -> std::result::Result<Self, String> {
        let found = self.values.len() / self.width.max(1);
        match n {
            Some(n) if n != found => Err(format!("it has {found} words, its first line says {n}")),
            _ if found == 0 => Err("it has no words".to_owned()),
            _ if self.values.iter().any(|v| !v.is_finite()) => Err("a number is not finite".to_owned()),
            _ => Ok(self),
        }
    }

    /// Numbers in a vector.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many words there are.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The vector of a word.
    pub fn vector(&self, word: &str) -> Option<&[f32]> {
        let row = self.words.get(word).or_else(|| self.words.get(&word.to_lowercase()))?;
        self.values.get(row * self.width..(row + 1) * self.width)
    }

    /// The mean vector of the words of a text that the table has, and how many they are; words are runs of letters,
    /// digits and apostrophes.
    pub fn mean(&self, text: &str) -> (Vec<f32>, usize) {
        let mut sum = vec![0.0; self.width];
        let mut n = 0;
        let is_part = |c: char| c.is_alphanumeric() || c == '\'' || c == '’';
        for word in text.split(|c: char| !is_part(c)).filter(|word| !word.is_empty()) {
            if let Some(vector) = self.vector(word) {
                sum.iter_mut().zip(vector).for_each(|(sum, v)| *sum += v);
                n += 1;
            }
        }
        if n > 0 {
            for value in &mut sum {
                *value /= n as f32;
            }
        }
        (sum, n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GLOVE: &str = "the 0.5 -1 2\n. . . 1 1 1\nnew york 3 2 1\ntree 0 0 4.5\n";

    fn binary() -> Vec<u8> {
        let mut bytes = b"2 3\n".to_vec();
        for (word, vector) in [("the", [0.5f32, -1.0, 2.0]), ("Tree", [0.0, 0.0, 4.5])] {
            bytes.extend(word.bytes().chain([b' ']));
            bytes.extend(vector.iter().flat_map(|v| v.to_le_bytes()));
            bytes.push(b'\n');
        }
        bytes
    }

    #[test]
    fn all_forms_are_read() {
        let text = format!("4 3\n{GLOVE}");
        for (bytes, n) in [(GLOVE.as_bytes(), 4), (text.as_bytes(), 4), (binary().as_slice(), 2)] {
            let table = WordTable::read(bytes).expect("a table");
            assert_eq!((table.len(), table.width()), (n, 3));
            assert_eq!(table.vector("THE"), Some(&[0.5, -1.0, 2.0][..]));
            assert_eq!(table.vector("absent"), None);
        }
        let table = WordTable::read(GLOVE.as_bytes()).expect("a table");
        assert_eq!(table.vector("new york"), Some(&[3.0, 2.0, 1.0][..]));
        assert_eq!(table.vector(". . ."), Some(&[1.0, 1.0, 1.0][..]));
        assert_eq!(table.mean("The absent tree!"), (vec![0.25, -0.5, 3.25], 2));
        assert_eq!(table.mean("nothing").1, 0);
    }

    #[test]
    fn damage_is_named_with_its_place() {
        for (text, words) in [
            ("the 1 2 3\ntree 1 2\n", "line 2 has 2 numbers, expected 3"),
            ("the 1 2 3\ntree 1 x 3\n", "`x` is not a number"),
            ("3 3\nthe 1 2 3\ntree 1 2 3\n", "it has 2 words, its first line says 3"),
            ("the 1 nan 3\n", "not finite"),
            ("", "no line"),
        ] {
            let error = WordTable::read(text.as_bytes()).err().expect(words);
            assert!(error.contains(words), "{text:?}: {error}");
        }
        let whole = binary();
        let outcome = percept_testing::Hostile::new(&whole[..whole.len() - 1]).mutations(500).check(WordTable::read);
        assert!(outcome.n_refused > 10, "{outcome:?}");
    }
}
