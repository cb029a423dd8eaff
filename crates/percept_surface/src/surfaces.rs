//! Opening the surfaces of a subject: FreeSurfer's folders, GIFTI files, an NSD tree, pycortex's store.
//!
//! What a file is follows from the words in its name (`lh.white`, `white_left.gii.gz`, `sub-01_hemi-L_inflated.surf.gii`); only what
//! is drawn is looked for. The folds are the curvature, or the depth of the furrows where there is none, brought to one scale. The medial
//! wall is what `lh.cortex.label` leaves out, or else what the flat patch does, but for its cuts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use percept_core::{Mesh, Side};
use percept_io::nsd::NsdTree;
use percept_io::{freesurfer, fs, gifti, mgh, pycortex};

use crate::colour::{Rgb, category};
use crate::{Error, Result};

/// A shape in which a hemisphere can be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// Cut and laid flat.
    Flat,
    /// Blown up until all folds are seen.
    Inflated,
    /// The border of white matter.
    White,
    /// The outer border of cortex.
    Pial,
}

impl Shape {
    /// All of them with their names.
    pub const ALL: [(&'static str, Self); 4] =
        [("flat", Self::Flat), ("inflated", Self::Inflated), ("white", Self::White), ("pial", Self::Pial)];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, shape)| *shape == self).map_or("", |(name, _)| name)
    }
}

/// One hemisphere.
#[derive(Clone, Debug)]
pub struct Hemisphere {
    /// Which half.
    pub side: Side,
    /// The shapes that are there; all have the same vertices.
    pub shapes: BTreeMap<Shape, Mesh>,
    /// The sphere, registered to fsaverage where possible.
    pub sphere: Option<Mesh>,
    /// Folds for each vertex: positive in furrows, of about 0.12 in size.
    pub folds: Option<Vec<f32>>,
    /// Thickness of cortex in millimetres for each vertex.
    pub thickness: Option<Vec<f32>>,
    /// Which vertices are cortex and not medial wall.
    pub cortex: Vec<bool>,
    /// From the surfaces' coordinates to those of the scanner.
    pub to_scanner: [f64; 3],
    /// Files of regions by name.
    labels: BTreeMap<String, PathBuf>,
}

/// Regions of a hemisphere.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Atlas {
    /// For each vertex the number of its region.
    pub region_of: Vec<Option<u32>>,
    /// Names and colours of the regions.
    pub regions: Vec<(String, Rgb)>,
}

impl Atlas {
    /// The name of the region of a vertex.
    pub fn name_of(&self, vertex: usize) -> Option<&str> {
        let region = (*self.region_of.get(vertex)?)?;
        self.regions.get(region as usize).map(|(name, _)| name.as_str())
    }
}

/// The surfaces of a subject.
#[derive(Clone, Debug)]
pub struct Surfaces {
    /// What it is called.
    pub name: String,
    /// One or two hemispheres, left first.
    pub hemispheres: Vec<Hemisphere>,
    /// The NSD tree and subject that they are from.
    pub nsd: Option<(NsdTree, usize)>,
    /// The transforms of a pycortex store.
    pub pycortex: Option<pycortex::Subject>,
}

impl Hemisphere {
    /// The number of vertices.
    pub fn n_vertices(&self) -> usize {
        self.cortex.len()
    }

    /// The shape, if it is there.
    pub fn mesh(&self, shape: Shape) -> Option<&Mesh> {
        self.shapes.get(&shape)
    }

    /// The best mesh for measuring areas and places: white, else any that is not flat.
    pub fn measured(&self) -> Option<&Mesh> {
        [Shape::White, Shape::Pial, Shape::Inflated].iter().find_map(|shape| self.mesh(*shape)).or(self.sphere.as_ref())
    }

    /// The names of its files of regions.
    pub fn atlases(&self) -> impl Iterator<Item = &str> {
        self.labels.keys().map(String::as_str)
    }

    /// The regions called `name`, such as `aparc` or `prf-visualrois`.
    ///
    /// # Errors
    /// If there are none of that name, or the file is damaged or of another surface.
    pub fn atlas(&self, name: &str) -> Result<Atlas> {
        let Some(path) = self.labels.get(name) else {
            let known: Vec<&str> = self.atlases().collect();
            let remedy = if known.is_empty() {
                "put `.annot`, `.label.gii` or NSD's `.mgz` files beside the surfaces".to_owned()
            } else {
                format!("there are {}", known.join(", "))
            };
            return Err(Error::missing(format!("atlas `{name}` of the {} hemisphere", self.side.word()), remedy));
        };
        let atlas = read_atlas(path)?;
        if atlas.region_of.len() == self.n_vertices() {
            return Ok(atlas);
        }
        let what = format!("the vertices in `{}`", path.display());
        Err(Error::mismatch(what, self.n_vertices(), atlas.region_of.len(), "use labels of this surface"))
    }
}

impl Surfaces {
    /// Opens what is at `paths`: one folder, or files of meshes. `subject` picks one of an NSD tree (`subj01`, `fsaverage`).
    ///
    /// # Errors
    /// If nothing is found there, or files do not fit together.
    pub fn open(paths: &[PathBuf], subject: Option<&str>) -> Result<Self> {
        if let [folder] = paths
            && fs::is_dir(folder)
        {
            return Self::open_folder(folder, subject);
        }
        Self::of_files(paths, "surfaces")
    }

    fn open_folder(folder: &Path, subject: Option<&str>) -> Result<Self> {
        if fs::is_dir(folder.join("nsddata")) {
            return Self::of_nsd(folder, subject);
        }
        let name = folder.file_name().map_or_else(|| "surfaces".to_owned(), |name| name.to_string_lossy().into_owned());
        if pycortex::Subject::is_one(folder) {
            return Self::of_pycortex(folder, &name);
        }
        let mut files = Vec::new();
        for part in [folder.to_owned(), folder.join("surf"), folder.join("label")] {
            if fs::is_dir(&part) {
                files.extend(fs::list(part)?);
            }
        }
        Self::of_files(&files, &name)
    }

    fn of_nsd(folder: &Path, subject: Option<&str>) -> Result<Self> {
        let tree = NsdTree::open(folder)?;
        let root = tree.path("nsddata/freesurfer");
        let has = |name: &str| percept_io::nsd::surface::has_surfaces(&tree, name);
        let known: Vec<String> = (1..=8)
            .map(|number| format!("subj{number:02}"))
            .chain(["fsaverage".to_owned()])
            .filter(|name| has(name))
            .collect();
        let name = subject.map(str::to_owned).or_else(|| known.first().cloned());
        let Some(name) = name.filter(|name| has(name)) else {
            let what = format!("surface of `{}` in `{}`", subject.unwrap_or("any subject"), root.display());
            let remedy = if known.is_empty() {
                "download `nsddata/freesurfer`".to_owned()
            } else {
                format!("use `--subject` with {}", known.join(", "))
            };
            return Err(Error::missing(what, remedy));
        };
        let mut out = Self::open_folder(&root.join(&name), None)?;
        out.nsd = name.strip_prefix("subj").and_then(|number| number.parse().ok()).map(|number| (tree, number));
        Ok(out)
    }

    fn of_pycortex(folder: &Path, name: &str) -> Result<Self> {
        let subject = pycortex::Subject::open(folder)?;
        let known = subject.surfaces()?;
        let mut hemispheres = Vec::new();
        for side in Side::BOTH {
            let mut parts = Parts::default();
            for (shape, names) in [
                (Shape::Flat, &["flat"][..]),
                (Shape::Inflated, &["inflated", "superinflated"]),
                (Shape::White, &["wm", "fiducial"]),
                (Shape::Pial, &["pia"]),
            ] {
                if let Some(name) = names.iter().find(|name| known.iter().any(|other| other == *name)) {
                    parts.shapes.insert(shape, subject.surface(name, side)?);
                }
            }
            hemispheres.extend(parts.build(side)?);
        }
        Self::checked(name, hemispheres).map(|surfaces| Self { pycortex: Some(subject), ..surfaces })
    }

    fn of_files(files: &[PathBuf], name: &str) -> Result<Self> {
        let mut hemispheres = Vec::new();
        for side in Side::BOTH {
            let mut parts = Parts::default();
            let mut found: Vec<(Role, &PathBuf)> =
                files.iter().filter_map(|file| Some((role(file, side)?, file))).collect();
            found.sort();
            for (role, file) in found {
                parts.add(&role, file)?;
            }
            hemispheres.extend(parts.build(side)?);
        }
        Self::checked(name, hemispheres)
    }

    fn checked(name: &str, hemispheres: Vec<Hemisphere>) -> Result<Self> {
        if hemispheres.is_empty() {
            let remedy =
                "name a folder with files such as `lh.inflated`, `lh.white` or `inflated_left.gii`, or an NSD tree";
            return Err(Error::missing(format!("surface in `{name}`"), remedy));
        }
        Ok(Self { name: name.to_owned(), hemispheres, nsd: None, pycortex: None })
    }

    /// The number of vertices of all hemispheres.
    pub fn n_vertices(&self) -> usize {
        self.hemispheres.iter().map(Hemisphere::n_vertices).sum()
    }

    /// Whether all hemispheres have the shape.
    pub fn has(&self, shape: Shape) -> bool {
        self.hemispheres.iter().all(|hemisphere| hemisphere.shapes.contains_key(&shape))
    }
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Mesh(Shape),
    /// The number puts the registered sphere before the other one.
    Sphere(u8),
    /// The number puts curvature before the depth of furrows.
    Folds(u8),
    Thickness,
    /// After the meshes, whose triangles it needs.
    Patch,
    Cortex,
    Labels(String),
}

/// The words of a file's name.
fn words(file: &Path) -> Vec<String> {
    let name = file.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    name.split(['.', '_', '-']).map(str::to_owned).collect()
}

/// The half of the brain that a file's name speaks of.
pub fn side_of(file: &Path) -> Option<Side> {
    words(file).iter().find_map(|word| match word.as_str() {
        "lh" | "left" | "l" => Some(Side::Left),
        "rh" | "right" | "r" => Some(Side::Right),
        _ => None,
    })
}

/// The same file of the other half, if it exists.
pub fn twin_of(file: &Path) -> Option<PathBuf> {
    let name = file.file_name()?.to_str()?;
    let pairs = [("lh", "rh"), ("left", "right"), ("Left", "Right"), ("L", "R"), ("l", "r")];
    let is_edge = |byte: Option<u8>| byte.is_none_or(|byte| matches!(byte, b'.' | b'_' | b'-'));
    for (a, b) in pairs.iter().flat_map(|&(a, b)| [(a, b), (b, a)]) {
        for (at, _) in name.match_indices(a) {
            let before = at.checked_sub(1).map(|i| name.as_bytes()[i]);
            if is_edge(before) && is_edge(name.as_bytes().get(at + a.len()).copied()) {
                let twin = file.with_file_name(format!("{}{b}{}", &name[..at], &name[at + a.len()..]));
                return Some(twin).filter(|twin| fs::is_file(twin));
            }
        }
    }
    None
}

fn role(file: &Path, side: Side) -> Option<Role> {
    if side_of(file) != Some(side) {
        return None;
    }
    let words = words(file);
    let has = |any: &[&str]| words.iter().any(|word| any.contains(&word.as_str()));
    let is_gifti = has(&["gii"]);
    // FreeSurfer's names are exact: `lh.white`, but not `lh.white.H`.
    let rest = words.get(1..).unwrap_or_default().join(".");
    if has(&["annot"])
        || (is_gifti && has(&["label"]))
        || (words.last().is_some_and(|word| word == "mgz") && words.len() > 2)
    {
        let name = file.file_name()?.to_str()?;
        let name = name.split_once('.').map_or(name, |(_, name)| name);
        let name = [".annot", ".label.gii", ".mgz"].iter().fold(name, |name, ending| name.trim_end_matches(ending));
        return Some(Role::Labels(name.to_owned()));
    }
    if rest == "cortex.label" {
        return Some(Role::Cortex);
    }
    if rest.ends_with("flat.patch.3d") {
        return Some(Role::Patch);
    }
    let exact = |name: &str| !is_gifti && rest == name;
    let shape = [
        (Shape::Flat, &["flat"][..], "flat"),
        (Shape::Inflated, &["infl", "inflated"], "inflated"),
        (Shape::White, &["white", "wm"], "white"),
        (Shape::Pial, &["pial", "pia"], "pial"),
    ];
    if let Some((shape, ..)) = shape.iter().find(|(_, any, name)| (is_gifti && has(any)) || exact(name)) {
        return (!(is_gifti && has(&["area", "sulc", "curv", "thick", "thickness"]))).then_some(Role::Mesh(*shape));
    }
    match () {
        () if exact("sphere.reg") || (is_gifti && has(&["sphere"]) && has(&["reg"])) => Some(Role::Sphere(0)),
        () if exact("sphere") || (is_gifti && has(&["sphere"])) => Some(Role::Sphere(1)),
        () if exact("curv") || (is_gifti && has(&["curv", "curvature"])) => Some(Role::Folds(0)),
        () if exact("sulc") || (is_gifti && has(&["sulc"])) => Some(Role::Folds(1)),
        () if exact("thickness") || (is_gifti && has(&["thick", "thickness"])) => Some(Role::Thickness),
        () => None,
    }
}

/// What was found of a hemisphere.
#[derive(Default)]
struct Parts {
    shapes: BTreeMap<Shape, Mesh>,
    sphere: Option<Mesh>,
    folds: Option<Vec<f32>>,
    thickness: Option<Vec<f32>>,
    patch: Option<freesurfer::patch::Patch>,
    cortex: Option<Vec<u32>>,
    labels: BTreeMap<String, PathBuf>,
    to_scanner: [f64; 3],
}

impl Parts {
    fn add(&mut self, role: &Role, file: &Path) -> Result<()> {
        match role {
            Role::Mesh(shape) if !self.shapes.contains_key(shape) => {
                let mesh = self.mesh(file)?;
                self.shapes.insert(*shape, mesh);
            }
            Role::Sphere(_) if self.sphere.is_none() => self.sphere = Some(self.mesh(file)?),
            Role::Folds(_) if self.folds.is_none() => self.folds = Some(per_vertex(file)?),
            Role::Thickness if self.thickness.is_none() => self.thickness = Some(per_vertex(file)?),
            Role::Patch if self.patch.is_none() => self.patch = Some(freesurfer::patch::read(file)?),
            Role::Cortex => {
                self.cortex = Some(freesurfer::label::read(file)?.iter().map(|entry| entry.vertex).collect());
            }
            Role::Labels(name) => {
                self.labels.insert(name.clone(), file.to_owned());
            }
            _ => {}
        }
        Ok(())
    }

    fn mesh(&mut self, file: &Path) -> Result<Mesh> {
        if file.to_string_lossy().contains(".gii") {
            return Ok(gifti::open(file)?.mesh().map_err(|error| error.in_file(file))?);
        }
        let geometry = freesurfer::geometry::read(file)?;
        if let Some(volume) = geometry.volume.filter(|volume| volume.valid) {
            self.to_scanner = volume.c_ras;
        }
        Ok(geometry.mesh)
    }

    fn build(mut self, side: Side) -> Result<Option<Hemisphere>> {
        let Some(first) = self.shapes.values().next().or(self.sphere.as_ref()) else { return Ok(None) };
        let n = first.n_vertices();
        if let Some(patch) = &self.patch
            && !self.shapes.contains_key(&Shape::Flat)
        {
            let flat = patch.mesh(first)?;
            self.shapes.insert(Shape::Flat, flat);
        }
        let check = |what: &str, got: usize| {
            if got == n {
                return Ok(());
            }
            let remedy = "keep the files of one subject and one resolution together";
            Err(Error::mismatch(format!("the vertices of {what} of the {} hemisphere", side.word()), n, got, remedy))
        };
        for (shape, mesh) in &self.shapes {
            check(&format!("the {} surface", shape.name()), mesh.n_vertices())?;
        }
        for (what, values) in [("the folds", &self.folds), ("the thickness", &self.thickness)] {
            if let Some(values) = values {
                check(what, values.len())?;
            }
        }
        if let Some(sphere) = &self.sphere {
            check("the sphere", sphere.n_vertices())?;
        }
        let cortex = match (&self.cortex, self.shapes.get(&Shape::Flat)) {
            (Some(listed), _) => {
                let mut cortex = vec![false; n];
                for &vertex in listed.iter().filter(|&&vertex| (vertex as usize) < n) {
                    cortex[vertex as usize] = true;
                }
                cortex
            }
            (None, Some(flat)) => {
                let folded = self.shapes.iter().find(|(shape, _)| **shape != Shape::Flat).map(|(_, mesh)| mesh);
                folded.or(self.sphere.as_ref()).map_or_else(|| flat.used(), |folded| without_wall(folded, flat))
            }
            (None, None) => vec![true; n],
        };
        let folds = self.folds.map(scaled);
        let Self { shapes, sphere, thickness, labels, to_scanner, .. } = self;
        Ok(Some(Hemisphere { side, shapes, sphere, folds, thickness, cortex, to_scanner, labels }))
    }
}

/// Curvature and depth brought to one scale: a root mean square of 0.12.
fn scaled(folds: Vec<f32>) -> Vec<f32> {
    let finite = folds.iter().filter(|value| value.is_finite());
    let square = finite.clone().map(|&value| f64::from(value).powi(2)).sum::<f64>() / finite.count().max(1) as f64;
    let scale = if square > 0.0 { (0.12 / square.sqrt()) as f32 } else { 0.0 };
    folds.into_iter().map(|value| value * scale).collect()
}

/// One value for each vertex, from GIFTI, MGH or FreeSurfer's own form.
pub(crate) fn per_vertex(file: &Path) -> Result<Vec<f32>> {
    use percept_io::open::{Format, sniff_path};
    Ok(match sniff_path(file)? {
        Format::Gifti => {
            let gifti = gifti::open(file)?;
            let array = gifti.arrays.first();
            let array =
                array.ok_or_else(|| Error::missing(format!("array in `{}`", file.display()), "give another file"))?;
            array.values().map_err(|error| error.in_file(file))?
        }
        Format::Mgh => mgh::open(file)?.frames()?.swap_remove(0),
        _ => freesurfer::curv::read(file)?,
    })
}

/// What a flat patch leaves out as a surface is the medial wall; the lines that it leaves out are cuts through cortex.
fn without_wall(folded: &Mesh, flat: &Mesh) -> Vec<bool> {
    let used = flat.used();
    let mut cortex = vec![true; used.len()];
    for corners in &folded.triangles {
        if corners.iter().all(|&corner| !used[corner as usize]) {
            for &corner in corners {
                cortex[corner as usize] = false;
            }
        }
    }
    cortex
}

fn read_atlas(path: &Path) -> Result<Atlas> {
    let text = path.to_string_lossy();
    if text.ends_with(".annot") {
        let annotation = freesurfer::annot::read(path)?;
        let is_none = |name: &str| matches!(name, "" | "unknown" | "Unknown" | "???" | "Medial_wall" | "medial_wall");
        let regions: Vec<(String, Rgb)> = annotation
            .regions
            .iter()
            .map(|region| (region.name.clone(), [region.colour[0], region.colour[1], region.colour[2]]))
            .collect();
        let named = |region: u32| !is_none(&regions[region as usize].0);
        let region_of = annotation.regions_of.iter().map(|region| region.filter(|&region| named(region))).collect();
        return Ok(Atlas { region_of, regions });
    }
    if text.contains(".gii") {
        let file = gifti::open(path)?;
        let keys: Vec<i32> = match file.arrays.first() {
            Some(array) => array.values().map_err(|error| error.in_file(path))?,
            None => Vec::new(),
        };
        let names = file.labels.iter().map(|label| {
            let colour = label.colour.map(|[r, g, b, _]| [r, g, b].map(|channel| (channel * 255.0).round() as u8));
            (label.key, (label.name.clone(), colour))
        });
        return Ok(of_keys(&keys, &names.collect()));
    }
    let keys = mgh::open(path)?.frames()?.swap_remove(0).into_iter().map(|value| value as i32).collect::<Vec<i32>>();
    let atlas = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let atlas = atlas.split_once('.').map_or(atlas.as_str(), |(_, name)| name).trim_end_matches(".mgz").to_owned();
    let table = path.with_file_name(format!("{atlas}.mgz.ctab"));
    let names = percept_io::nsd::label_names(&atlas, &[table])?;
    Ok(of_keys(&keys, &names.into_iter().map(|(key, name)| (key, (name, None))).collect()))
}

/// Regions of keys; 0 and below mean none, as NSD and most label files have it.
fn of_keys(keys: &[i32], names: &BTreeMap<i32, (String, Option<Rgb>)>) -> Atlas {
    let mut present: Vec<i32> = keys.iter().copied().filter(|&key| key > 0).collect();
    present.sort_unstable();
    present.dedup();
    let number: BTreeMap<i32, u32> = present.iter().enumerate().map(|(i, &key)| (key, i as u32)).collect();
    let region = |(i, key): (usize, &i32)| match names.get(key) {
        Some((name, colour)) => (name.clone(), colour.unwrap_or_else(|| category(i))),
        None => (key.to_string(), category(i)),
    };
    Atlas {
        region_of: keys.iter().map(|key| number.get(key).copied()).collect(),
        regions: present.iter().enumerate().map(region).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_files_are() {
        let of = |name: &str| role(Path::new(name), Side::Left);
        assert_eq!(of("lh.white"), Some(Role::Mesh(Shape::White)));
        assert_eq!(of("lh.white.H"), None);
        assert_eq!(of("lh.sphere.reg"), Some(Role::Sphere(0)));
        assert_eq!(of("lh.full.flat.patch.3d"), Some(Role::Patch));
        assert_eq!(of("lh.aparc.a2009s.annot"), Some(Role::Labels("aparc.a2009s".to_owned())));
        assert_eq!(of("lh.prf-visualrois.mgz"), Some(Role::Labels("prf-visualrois".to_owned())));
        assert_eq!(of("infl_left.gii.gz"), Some(Role::Mesh(Shape::Inflated)));
        assert_eq!(of("sub-01_hemi-L_inflated.surf.gii"), Some(Role::Mesh(Shape::Inflated)));
        assert_eq!(of("thick_left.gii.gz"), Some(Role::Thickness));
        assert_eq!(of("white_right.gii.gz"), None);
        assert_eq!(of("area_left.gii.gz"), None);
    }
}
