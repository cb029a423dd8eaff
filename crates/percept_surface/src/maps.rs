//! From files to a picture in one call: what `percept map` does.
//!
//! [`Job`] says what is to be drawn and how; [`make`] opens surfaces and values, leaves out what is not significant or below the threshold,
//! draws, writes, and says what stands out. The ending of the output decides: `.png`, `.svg` or `.html`.

use std::path::{Path, PathBuf};

use percept_io::{fs, nifti};
use serde::Serialize;

use crate::bundle::{self, Extra};
use crate::canvas::Drawing;
use crate::clusters::{Cluster, clusters};
use crate::colour::ColourMap;
use crate::geometry::Neighbours;
use crate::outline::Outline;
use crate::paint::Theme;
use crate::sheet::{self, Layer, Style};
use crate::surfaces::{Atlas, Surfaces};
use crate::values::{self, Map, Options};
use crate::{Error, Result, mosaic, page, smooth};

/// What is to be drawn.
#[derive(Clone, Debug)]
pub struct Job {
    /// Values, each `FILE` or `FILE:NAME`.
    pub values: Vec<String>,
    /// A folder of surfaces, or their files; none draws slices.
    pub surfaces: Vec<PathBuf>,
    /// The subject of an NSD tree, such as `subj01`.
    pub subject: Option<String>,
    /// How volumes come onto the surface.
    pub options: Options,
    /// What is left out: values of p or q, and the level that they must be below.
    pub significance: Option<(String, f32)>,
    /// How firmly each place is drawn, 0 to 1.
    pub reliability: Option<String>,
    /// Values whose size is below this are left out.
    pub threshold: Option<f32>,
    /// Smoothing along the surface, full width at half maximum in millimetres.
    pub smooth_mm: Option<f32>,
    /// The ends of the colour bar.
    pub range: Option<[f32; 2]>,
    /// The colours.
    pub colours: Option<ColourMap>,
    /// What values are measured in.
    pub unit: String,
    /// Shapes and views, such as `flat,inflated:lateral+medial`.
    pub views: Option<String>,
    /// Regions to be outlined and named.
    pub atlas: Option<String>,
    /// Only these of the atlas.
    pub regions: Vec<String>,
    /// On white or black.
    pub theme: Theme,
    /// Width of a view in pixels.
    pub panel_width: f32,
    /// Pixels for each unit of a picture.
    pub density: f32,
    /// Maps side by side.
    pub columns: Option<usize>,
    /// What lies below slices.
    pub anatomy: Option<PathBuf>,
    /// The picture or page to be written.
    pub out: PathBuf,
}

/// What was made.
#[derive(Clone, Debug, Serialize)]
pub struct Made {
    /// The file.
    pub out: PathBuf,
    /// What was drawn.
    pub maps: Vec<Summary>,
}

/// A map in numbers.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Its name.
    pub name: String,
    /// The least value that is drawn; none where nothing is.
    pub min: Option<f32>,
    /// The greatest value that is drawn.
    pub max: Option<f32>,
    /// Vertices (or voxels of slices) with a value that is drawn.
    pub n_drawn: usize,
    /// Connected patches above the threshold (or above 0), the largest first, at most twenty for each hemisphere.
    pub clusters: Vec<HalfClusters>,
}

/// The clusters of one hemisphere.
#[derive(Clone, Debug, Serialize)]
pub struct HalfClusters {
    /// `left` or `right`.
    pub hemisphere: &'static str,
    /// The largest ones.
    pub clusters: Vec<Cluster>,
}

/// How a picture is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Png,
    Svg,
    Html,
}

impl Form {
    fn of(path: &Path) -> Result<Self> {
        match path.extension().map(std::ffi::OsStr::to_ascii_lowercase).as_deref().and_then(|ending| ending.to_str()) {
            Some("png") => Ok(Self::Png),
            Some("svg") => Ok(Self::Svg),
            Some("html" | "htm") => Ok(Self::Html),
            _ => {
                let got = format!("`{}`", path.display());
                Err(Error::mismatch("the output", "a name that ends in .png, .svg or .html", got, "change `--out`"))
            }
        }
    }
}

/// Does the job.
///
/// # Errors
/// If something cannot be opened, does not fit together, or cannot be written.
pub fn make(job: &Job) -> Result<Made> {
    let form = Form::of(&job.out)?;
    if job.surfaces.is_empty() {
        return slices(job, form);
    }
    let surfaces = Surfaces::open(&job.surfaces, job.subject.as_deref())?;
    let layers = layers(job, &surfaces)?;
    let atlas = job.atlas.as_ref().map(|name| surfaces.hemispheres.iter().map(|half| half.atlas(name)).collect());
    let atlas: Option<Vec<Atlas>> = atlas.transpose()?;
    let style = Style {
        panels: match &job.views {
            Some(views) => Style::panels_of(views, &surfaces)?,
            None => Style::usual_panels(&surfaces),
        },
        theme: job.theme,
        panel_width: job.panel_width,
        columns: job.columns,
        outlines: atlas.as_ref().map(|atlas| outlines(atlas, &job.regions)).transpose()?.unwrap_or_default(),
    };
    match form {
        Form::Png | Form::Svg => write(&sheet::draw(&surfaces, &layers, &style)?, form, job)?,
        Form::Html => {
            // Without WebGL the first maps are seen; all of them would make the file large.
            let few = &layers[..layers.len().min(8)];
            let still = sheet::draw(&surfaces, few, &style)?;
            let extra = Extra { atlas: atlas.clone(), groups: groups(&layers), ..Extra::default() };
            let data = bundle::encode(&surfaces, &layers, &extra)?;
            let fragment = page::fragment("cortex", &data, &[(still.png(1.0)?, still.title.clone())]);
            let names: Vec<&str> = layers.iter().map(|layer| layer.map.name.as_str()).collect();
            let title = if names.len() > 3 { format!("{} maps", names.len()) } else { names.join(", ") };
            let lead = format!(
                "On the cortex of {}. Drag to turn, use the wheel to zoom, click to read a place.",
                surfaces.name
            );
            fs::write_bytes(&job.out, page::document(&title, &lead, &fragment).as_bytes())?;
        }
    }
    let maps = layers.iter().map(|layer| summary(layer, &surfaces, atlas.as_deref())).collect();
    Ok(Made { out: job.out.clone(), maps })
}

fn write(drawing: &Drawing, form: Form, job: &Job) -> Result<()> {
    match form {
        Form::Svg => Ok(fs::write_bytes(&job.out, drawing.svg()?.as_bytes())?),
        _ => Ok(fs::write_bytes(&job.out, &drawing.png(job.density)?)?),
    }
}

/// The maps with their scales, and without what is not to be seen.
fn layers(job: &Job, surfaces: &Surfaces) -> Result<Vec<Layer>> {
    let mut maps: Vec<Map> = Vec::new();
    for reference in &job.values {
        maps.extend(values::open(reference, surfaces, &job.options)?);
    }
    if let Some(fwhm) = job.smooth_mm {
        smoothed(&mut maps, surfaces, fwhm)?;
    }
    if let Some((reference, level)) = &job.significance {
        let p = single(reference, surfaces, &job.options)?;
        for map in &mut maps {
            for (values, p) in map.values.iter_mut().zip(&p.values) {
                // A p that is missing is not below the level.
                for (value, _) in values.iter_mut().zip(p).filter(|(_, p)| p.is_nan() || **p >= *level) {
                    *value = f32::NAN;
                }
            }
        }
    }
    let opacity = job.reliability.as_ref().map(|reference| single(reference, surfaces, &job.options)).transpose()?;
    for (map, hemisphere) in maps.iter_mut().flat_map(|map| map.values.iter_mut().zip(&surfaces.hemispheres)) {
        map.iter_mut().zip(&hemisphere.cortex).filter(|(_, cortex)| !**cortex).for_each(|(value, _)| *value = f32::NAN);
    }
    Ok(maps
        .into_iter()
        .map(|map| Layer {
            scale: sheet::usual_scale(&map, job.range, job.colours),
            threshold: job.threshold.filter(|_| map.keys.is_none()),
            unit: job.unit.clone(),
            opacity: opacity.as_ref().map(|map| map.values.clone()),
            map,
        })
        .collect())
}

fn single(reference: &str, surfaces: &Surfaces, options: &Options) -> Result<Map> {
    let mut maps = values::open(reference, surfaces, options)?;
    if maps.len() == 1 {
        return Ok(maps.swap_remove(0));
    }
    let names: Vec<&str> = maps.iter().map(|map| map.name.as_str()).collect();
    let remedy = format!("write `FILE:NAME` with one of {}", names.join(", "));
    Err(Error::mismatch(format!("the number of maps in `{reference}`"), 1, maps.len(), remedy))
}

fn smoothed(maps: &mut [Map], surfaces: &Surfaces, fwhm: f32) -> Result<()> {
    for (h, hemisphere) in surfaces.hemispheres.iter().enumerate() {
        let mesh = hemisphere.measured().ok_or_else(|| {
            Error::missing("surface to smooth along", "give white, pial or inflated surfaces beside the flat ones")
        })?;
        let (neighbours, rounds) = (Neighbours::new(mesh), smooth::rounds(mesh, fwhm));
        for map in maps.iter_mut().filter(|map| map.keys.is_none()) {
            map.values[h] = smooth::smooth(&neighbours, &map.values[h], rounds);
        }
    }
    Ok(())
}

/// Borders of the regions `only`, or of all.
fn outlines(atlas: &[Atlas], only: &[String]) -> Result<Vec<Vec<Outline>>> {
    let known: Vec<&str> = atlas.iter().flat_map(|half| half.regions.iter().map(|(name, _)| name.as_str())).collect();
    if let Some(name) = only.iter().find(|name| !known.contains(&name.as_str())) {
        let mut known = known;
        known.sort_unstable();
        known.dedup();
        return Err(Error::missing(format!("region `{name}`"), format!("there are {}", known.join(", "))));
    }
    let half = |half: &Atlas| -> Vec<Outline> {
        let chosen = half.regions.iter().enumerate().filter(|(_, (name, _))| only.is_empty() || only.contains(name));
        let one = |(number, (name, _)): (usize, &(String, _))| Outline {
            name: name.clone(),
            inside: half.region_of.iter().map(|region| *region == Some(number as u32)).collect(),
        };
        // Regions without a vertex of their own have no border.
        chosen.map(one).filter(|outline| outline.inside.contains(&true)).collect()
    };
    Ok(atlas.iter().map(half).collect())
}

/// All maps of numbers as one ordered group where there are several, so that the best of them can be shown.
fn groups(layers: &[Layer]) -> Vec<bundle::Group> {
    let maps: Vec<usize> = (0..layers.len()).filter(|&i| layers[i].map.keys.is_none()).collect();
    if maps.len() < 2 {
        return Vec::new();
    }
    let labels = maps.iter().map(|&i| layers[i].map.name.clone()).collect();
    vec![bundle::Group { name: "all maps".to_owned(), maps, labels }]
}

fn summary(layer: &Layer, surfaces: &Surfaces, atlas: Option<&[Atlas]>) -> Summary {
    const SHOWN: usize = 20;
    let least = layer.threshold.unwrap_or(0.0);
    let drawn: Vec<f32> = layer
        .map
        .values
        .iter()
        .flatten()
        .copied()
        .filter(|value| value.is_finite() && layer.threshold.is_none_or(|threshold| value.abs() >= threshold))
        .collect();
    let mut halves = Vec::new();
    for (h, hemisphere) in surfaces.hemispheres.iter().enumerate().filter(|_| layer.map.keys.is_none()) {
        let Some(mesh) = hemisphere.measured() else { continue };
        let region = |vertex: usize| atlas.and_then(|atlas| atlas[h].name_of(vertex)).map(str::to_owned);
        let mut found = clusters(mesh, &layer.map.values[h], least.max(f32::MIN_POSITIVE), &region);
        found.truncate(SHOWN);
        halves.push(HalfClusters { hemisphere: hemisphere.side.word(), clusters: found });
    }
    Summary {
        name: layer.map.name.clone(),
        min: drawn.iter().copied().reduce(f32::min),
        max: drawn.iter().copied().reduce(f32::max),
        n_drawn: drawn.len(),
        clusters: halves,
    }
}

/// Slices of one volume over an anatomy, for those without surfaces.
fn slices(job: &Job, form: Form) -> Result<Made> {
    if form == Form::Html {
        let remedy = "give `--surface`, or write a .png or .svg";
        return Err(Error::mismatch("a page without surfaces", "surfaces", "none", remedy));
    }
    let useless = [
        ("--subject", job.subject.is_some()),
        ("--views", job.views.is_some()),
        ("--significance", job.significance.is_some()),
        ("--reliability", job.reliability.is_some()),
        ("--smooth", job.smooth_mm.is_some()),
        ("--atlas", job.atlas.is_some()),
        ("--columns", job.columns.is_some()),
        ("--volume", job.options.reference.is_some()),
        ("--transform", job.options.transform.is_some()),
        ("--categories", job.options.categories),
    ];
    if let Some((name, _)) = useless.iter().find(|(_, is_set)| *is_set) {
        let remedy = "give `--surface`, or leave the option out";
        return Err(Error::mismatch(format!("`{name}` without surfaces"), "surfaces", "none", remedy));
    }
    let [reference] = job.values.as_slice() else {
        let remedy = "give `--surface`, or draw one volume at a time";
        return Err(Error::mismatch("the number of volumes without surfaces", 1, job.values.len(), remedy));
    };
    let read = |path: &Path| -> Result<_> {
        let file = nifti::open(path)?;
        let mut values = file.read_volume::<f32>()?;
        // Zeros are outside of the brain in files that cannot hold NaN.
        values.iter_mut().filter(|value| **value == 0.0).for_each(|value| *value = f32::NAN);
        Ok((values, file.header().voxel_size_mm))
    };
    let (values, voxel_mm) = read(Path::new(reference))?;
    let anatomy = job.anatomy.as_deref().map(read).transpose()?;
    let name = Path::new(reference).file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let flat: Vec<f32> = values.iter().copied().collect();
    let map = Map { name: name.clone(), values: vec![flat], keys: None };
    let scale = sheet::usual_scale(&map, job.range, job.colours);
    let volume = mosaic::Volume {
        name: name.clone(),
        values: values.view(),
        anatomy: anatomy.as_ref().map(|(values, _)| values.view()),
        voxel_mm,
    };
    write(&mosaic::draw(&volume, &scale, job.threshold, 20, job.theme)?, form, job)?;
    let drawn = || {
        let is_drawn =
            |value: &f32| value.is_finite() && job.threshold.is_none_or(|threshold| value.abs() >= threshold);
        values.iter().copied().filter(is_drawn)
    };
    let summary = Summary {
        name,
        min: drawn().reduce(f32::min),
        max: drawn().reduce(f32::max),
        n_drawn: drawn().count(),
        clusters: Vec::new(),
    };
    Ok(Made { out: job.out.clone(), maps: vec![summary] })
}
