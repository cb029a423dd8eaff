//! Regions: volumes of labels, and expressions that choose voxels by name.
//!
//! In NSD's volumes −1 is "not cortex", 0 "cortex without a label" and 1, 2, … are labels; only positive values are ever
//! taken, so that the −1 that most voxels carry does not become a region.
//!
//! An expression is built from
//! - an atlas, all of its labels: `nsdgeneral`, `streams`, `lh.floc-faces`
//! - labels of an atlas, by name, number or common beginning: `streams.early`, `streams.5`, `prf-visualrois.V1v+V1d`,
//!   `prf-visualrois.V1` (both halves of V1)
//! - `|` union, `&` intersection, `!` what is not in the region that follows, and parentheses; `&` binds closer than `|`:
//!   `nsdgeneral & !streams.early | floc-faces`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ndarray::{Array3, ArrayView3};

use super::labels;
use crate::{Error, Result, nifti};

/// A volume of labels and their names.
#[derive(Clone, Debug, PartialEq)]
pub struct Roi {
    atlas: String,
    path: PathBuf,
    volume: Array3<i32>,
    names: BTreeMap<i32, String>,
}

/// A set of voxels of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    name: String,
    shape: [usize; 3],
    voxels: Vec<usize>,
}

/// One label of a [`Roi`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its value in the volume.
    pub value: i32,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// How many voxels carry it.
    pub n_voxels: usize,
}

impl Roi {
    /// Reads the volume at `path`; the first of `tables` that exists names its labels.
    ///
    /// # Errors
    /// If the volume is absent or damaged, or holds values that are no whole numbers.
    pub fn open(path: &Path, atlas: &str, tables: &[PathBuf]) -> Result<Self> {
        let file = nifti::open(path)?;
        let volume = file.read_volume::<i32>()?;
        let short = atlas.strip_prefix("lh.").or_else(|| atlas.strip_prefix("rh.")).unwrap_or(atlas);
        Ok(Self { atlas: atlas.to_owned(), path: path.to_owned(), volume, names: labels::of(short, tables)? })
    }

    /// The name of the atlas.
    pub fn atlas(&self) -> &str {
        &self.atlas
    }

    /// The values: (x, y, z).
    pub fn volume(&self) -> &Array3<i32> {
        &self.volume
    }

    /// The lengths of x, y and z.
    pub fn shape(&self) -> [usize; 3] {
        let (x, y, z) = self.volume.dim();
        [x, y, z]
    }

    /// All labels that occur or have a name, ascending.
    pub fn labels(&self) -> Vec<Label> {
        let mut counts: BTreeMap<i32, usize> = self.names.keys().map(|&value| (value, 0)).collect();
        for &value in self.volume.iter().filter(|&&value| value > 0) {
            *counts.entry(value).or_default() += 1;
        }
        counts
            .into_iter()
            .map(|(value, n_voxels)| Label { value, name: self.names.get(&value).cloned(), n_voxels })
            .collect()
    }

    /// The values that the word `label` means: a name, a number, or the common beginning of several names.
    ///
    /// # Errors
    /// [`crate::Kind::Missing`] with the labels that exist.
    pub fn values(&self, label: &str) -> Result<Vec<i32>> {
        if let Some((&value, _)) = self.names.iter().find(|(_, name)| name.as_str() == label) {
            return Ok(vec![value]);
        }
        if let Ok(value) = label.parse::<i32>()
            && self.labels().iter().any(|known| known.value == value)
        {
            return Ok(vec![value]);
        }
        // `V1` for `V1v` and `V1d`, `FFA` for `FFA-1` and `FFA-2`; `V` alone would be a slip of the pen.
        let halves = |name: &str| matches!(name.strip_prefix(label), Some("v" | "d" | "-1" | "-2"));
        let values: Vec<i32> = self.names.iter().filter(|(_, name)| halves(name)).map(|(&value, _)| value).collect();
        if !values.is_empty() {
            return Ok(values);
        }
        let names = self.labels().into_iter().map(|label| label.name.unwrap_or_else(|| label.value.to_string()));
        Err(Error::missing("label", label, names).in_object(&*self.atlas).in_file(&self.path))
    }

    fn select(&self, labels: Option<&str>) -> Result<Voxels> {
        let Some(labels) = labels else { return Ok(Voxels::of(&self.volume.view(), |&value| value > 0)) };
        // A name may itself hold a plus sign (`ecc4+`), so the whole is tried first.
        let mut values = Vec::new();
        if let Ok(whole) = self.values(labels) {
            values = whole;
        } else {
            for label in labels.split('+') {
                values.extend(self.values(label)?);
            }
        }
        Ok(Voxels::of(&self.volume.view(), |value| values.contains(value)))
    }
}

impl Mask {
    /// The voxels of `volume` (x, y, z) for which `keep` is true.
    ///
    /// # Errors
    /// If there is none.
    pub fn from_volume<T>(name: &str, volume: &ArrayView3<T>, keep: impl Fn(&T) -> bool) -> Result<Self> {
        Voxels::of(volume, keep).into_mask(name)
    }

    /// The expression it was made from.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The lengths of x, y and z of the volume.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The voxel indices `x + X·(y + Y·z)`, ascending: unit j of extracted responses is voxel `voxels()[j]`.
    pub fn voxels(&self) -> &[usize] {
        &self.voxels
    }

    /// The number of voxels, never 0.
    pub fn n_voxels(&self) -> usize {
        self.voxels.len()
    }

    /// The coordinates (x, y, z) of each voxel.
    pub fn coordinates(&self) -> Vec<[usize; 3]> {
        let [x, y, _] = self.shape;
        self.voxels.iter().map(|&voxel| [voxel % x, voxel / x % y, voxel / (x * y)]).collect()
    }

    /// The units in the order of Brain-Diffuser and MindEye (z fastest): their unit k is our unit `z_fastest()[k]`.
    pub fn z_fastest(&self) -> Vec<usize> {
        let coordinates = self.coordinates();
        let mut order: Vec<usize> = (0..self.voxels.len()).collect();
        order.sort_by_key(|&unit| coordinates[unit]);
        order
    }

    /// Which of this mask's units are also in `other`, a part of it: positions in [`Mask::voxels`], ascending.
    ///
    /// # Errors
    /// If the volumes differ in shape, or the two have no voxel in common.
    pub fn units_in(&self, other: &Self) -> Result<Vec<usize>> {
        self.check_shape(other.shape)?;
        let units: Vec<usize> =
            (0..self.voxels.len()).filter(|&unit| other.voxels.binary_search(&self.voxels[unit]).is_ok()).collect();
        if units.is_empty() {
            let remedy = "choose a region inside the extracted one";
            let what = format!("the intersection of `{}` and `{}`", self.name, other.name);
            return Err(Error::mismatch(what, "at least one voxel", "empty", remedy));
        }
        Ok(units)
    }

    /// Refuses data whose volumes have another shape.
    ///
    /// # Errors
    /// [`crate::Kind::Mismatch`] with both shapes.
    pub fn check_shape(&self, shape: [usize; 3]) -> Result<()> {
        if shape == self.shape {
            return Ok(());
        }
        let expected = format!("{:?} as in the region `{}`", self.shape, self.name);
        let remedy = "take regions and data of the same subject and space";
        Err(Error::mismatch("the volume shape (x, y, z)", expected, format!("{shape:?}"), remedy))
    }
}

/// Voxels of a volume, perhaps none.
struct Voxels {
    shape: [usize; 3],
    is_in: Vec<bool>,
}

impl Voxels {
    fn of<T>(volume: &ArrayView3<T>, keep: impl Fn(&T) -> bool) -> Self {
        let (x, y, z) = volume.dim();
        // The C order of the transposed volume (z, y, x) is x fastest.
        Self { shape: [x, y, z], is_in: volume.t().iter().map(keep).collect() }
    }

    fn combine(mut self, other: &Self, join: impl Fn(bool, bool) -> bool) -> Result<Self> {
        if self.shape != other.shape {
            let remedy = "take regions of the same subject and space";
            let (expected, got) = (format!("{:?}", self.shape), format!("{:?}", other.shape));
            return Err(Error::mismatch("the shape of a region", expected, got, remedy));
        }
        for (mine, &theirs) in self.is_in.iter_mut().zip(&other.is_in) {
            *mine = join(*mine, theirs);
        }
        Ok(self)
    }

    fn into_mask(self, name: &str) -> Result<Mask> {
        let voxels: Vec<usize> = (0..self.is_in.len()).filter(|&voxel| self.is_in[voxel]).collect();
        if voxels.is_empty() {
            let remedy = "check the labels; only values above 0 are voxels of a region";
            return Err(Error::mismatch(format!("the region `{name}`"), "at least one voxel", "empty", remedy));
        }
        Ok(Mask { name: name.to_owned(), shape: self.shape, voxels })
    }
}

/// The voxels that `expression` names; `load` gives the volume of an atlas.
///
/// # Errors
/// If the expression cannot be read, `load` fails, a label does not exist, shapes differ, or no voxel is left.
pub fn select(expression: &str, load: &dyn Fn(&str) -> Result<Roi>) -> Result<Mask> {
    let mut parser = Parser { text: expression, position: 0, load };
    let voxels = parser.union()?;
    parser.skip_spaces();
    if parser.position != expression.len() {
        return Err(parser.wrong());
    }
    voxels.into_mask(expression.trim())
}

/// An atlas and, after its first dot, its labels. A leading `lh.` or `rh.` belongs to the atlas.
fn divide(word: &str) -> (&str, Option<&str>) {
    let start = if word.starts_with("lh.") || word.starts_with("rh.") { 3 } else { 0 };
    match word[start..].find('.') {
        Some(dot) => (&word[..start + dot], Some(&word[start + dot + 1..])),
        None => (word, None),
    }
}

struct Parser<'a> {
    text: &'a str,
    position: usize,
    load: &'a dyn Fn(&str) -> Result<Roi>,
}

impl Parser<'_> {
    fn wrong(&self) -> Error {
        let remedy =
            "write regions such as `nsdgeneral`, `streams.early | streams.ventral` or `nsdgeneral & !floc-faces`";
        let rest = &self.text[self.position..];
        let got = if rest.is_empty() { "its end".to_owned() } else { format!("`{rest}`") };
        let what = format!("the region `{}`, character {},", self.text, self.position + 1);
        Error::mismatch(what, "a region or an operator", got, remedy)
    }

    fn skip_spaces(&mut self) {
        let rest = &self.text[self.position..];
        self.position += rest.len() - rest.trim_start().len();
    }

    fn take(&mut self, symbol: char) -> bool {
        self.skip_spaces();
        let found = self.text[self.position..].starts_with(symbol);
        self.position += if found { symbol.len_utf8() } else { 0 };
        found
    }

    fn union(&mut self) -> Result<Voxels> {
        let mut voxels = self.intersection()?;
        while self.take('|') {
            voxels = voxels.combine(&self.intersection()?, |a, b| a || b)?;
        }
        Ok(voxels)
    }

    fn intersection(&mut self) -> Result<Voxels> {
        let mut voxels = self.factor()?;
        while self.take('&') {
            voxels = voxels.combine(&self.factor()?, |a, b| a && b)?;
        }
        Ok(voxels)
    }

    fn factor(&mut self) -> Result<Voxels> {
        // Each `!` and `(` recurses; a text of nothing else must not exhaust the stack.
        if self.text.len() > 4096 {
            return Err(Error::mismatch("the region", "at most 4096 characters", self.text.len(), "shorten it"));
        }
        if self.take('!') {
            let mut voxels = self.factor()?;
            voxels.is_in.iter_mut().for_each(|is_in| *is_in = !*is_in);
            return Ok(voxels);
        }
        if self.take('(') {
            let voxels = self.union()?;
            return if self.take(')') { Ok(voxels) } else { Err(self.wrong()) };
        }
        self.skip_spaces();
        let rest = &self.text[self.position..];
        let len = rest.find(|c: char| "|&!()".contains(c) || c.is_whitespace()).unwrap_or(rest.len());
        let word = &rest[..len];
        if word.is_empty() {
            return Err(self.wrong());
        }
        let (atlas, labels) = divide(word);
        let voxels = (self.load)(atlas)?.select(labels)?;
        self.position += len;
        Ok(voxels)
    }
}
