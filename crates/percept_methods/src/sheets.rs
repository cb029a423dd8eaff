//! Values of voxels on their subject's surfaces: the data of the view that a report holds, and a picture of some of the maps.

use percept_pipeline::data::SurfaceFolder;
use percept_surface::Result;
use percept_surface::bundle::{self, Extra};
use percept_surface::colour::{ColourMap, category};
use percept_surface::paint::{Key, Scale};
use percept_surface::sheet::{self, Layer, Style};
use percept_surface::surfaces::{Atlas, Surfaces};
use percept_surface::values::{self, Map, Options};
use percept_surface::volume::{Grid, Sampling};
use percept_surface::weights::Weights;

/// One number for each voxel.
pub(crate) struct Column {
    /// What the map is called.
    pub(crate) name: String,
    /// By voxel; NaN where there is none.
    pub(crate) values: Vec<f32>,
    /// What whole numbers stand for; without it values are correlations.
    pub(crate) keys: Option<Vec<String>>,
    /// Values below this are left plain.
    pub(crate) threshold: Option<f32>,
}

/// A subject's surfaces, and which voxels reach which vertices.
pub(crate) struct Sheets {
    surfaces: Surfaces,
    coordinates: Vec<[usize; 3]>,
    grid: Grid,
    weights: Vec<Weights>,
}

impl Sheets {
    /// Opens the surfaces of a subject whose voxels lie at `coordinates` of a volume of `shape`.
    ///
    /// # Errors
    /// Surfaces that are missing, damaged, or have no way to the volume.
    pub(crate) fn open(folder: &SurfaceFolder, shape: [usize; 3], coordinates: &[[usize; 3]]) -> Result<Self> {
        let surfaces = Surfaces::open(std::slice::from_ref(&folder.root), Some(folder.subject.as_str()))?;
        // Where the volume lies is only asked for subjects without NSD's transforms; then its mask says so.
        let mask = folder.root.join(format!("nsddata/ppdata/{}/func1pt8mm/brainmask.nii.gz", folder.subject));
        let grid = Grid { shape, affine: percept_io::nifti::open(mask)?.header().affine };
        let weights = values::weights_of(&grid, &surfaces, &Options::default(), Sampling::Linear)?;
        Ok(Self { surfaces, coordinates: coordinates.to_vec(), grid, weights })
    }

    /// How many values a map has.
    pub(crate) fn n_vertices(&self) -> usize {
        self.surfaces.n_vertices()
    }

    /// One map.
    pub(crate) fn layer(&self, column: &Column) -> Result<Layer> {
        let [nx, ny, _] = self.grid.shape;
        let mut volume = vec![f32::NAN; self.grid.n_voxels()];
        for ([x, y, z], &value) in self.coordinates.iter().zip(&column.values) {
            volume[x + nx * (y + ny * z)] = value;
        }
        let one = |weights: &Weights| match column.keys {
            // Between two categories there is none.
            Some(_) => weights.apply_most_frequent(&volume),
            None => weights.apply(&volume),
        };
        let values = self.weights.iter().map(one).collect::<Result<_>>()?;
        Ok(layer(&column.name, values, column.keys.as_deref(), column.threshold))
    }

    /// The data of the view.
    pub(crate) fn bundle(&self, layers: &[Layer], extra: Extra) -> Result<Vec<u8>> {
        let halves = self.surfaces.hemispheres.iter();
        let atlas: Option<Vec<Atlas>> =
            halves.map(|half| half.atlas("prf-visualrois").or_else(|_| half.atlas("streams")).ok()).collect();
        bundle::encode(&self.surfaces, layers, &Extra { atlas, ..extra })
    }

    /// A picture of maps.
    pub(crate) fn still(&self, layers: &[Layer]) -> Result<Vec<u8>> {
        let panels = Style::usual_panels(&self.surfaces);
        let style = Style { panels, panel_width: 170.0, columns: Some(2), ..Style::default() };
        sheet::draw(&self.surfaces, layers, &style)?.png(1.0)
    }
}

/// A map of correlations, or of categories where `keys` name them.
pub(crate) fn layer(name: &str, values: Vec<Vec<f32>>, keys: Option<&[String]>, threshold: Option<f32>) -> Layer {
    let named = keys.map(|keys| keys.iter().enumerate().map(|(i, name)| (i as i32, name.clone())).collect());
    let key = |(i, name): (usize, &String)| Key { value: i as f32, name: name.clone(), colour: category(i) };
    let scale = match keys {
        Some(keys) => Scale::Keys(keys.iter().enumerate().map(key).collect()),
        None => Scale::Numbers { low: 0.0, high: 1.0, map: ColourMap::Ember },
    };
    let unit = if keys.is_some() { String::new() } else { "r".to_owned() };
    Layer { map: Map { name: name.to_owned(), values, keys: named }, scale, unit, threshold, opacity: None }
}

#[cfg(test)]
mod tests {
    use percept_core::{Seed, Silent};
    use percept_synth::phantom::{Phantom, PhantomParams};

    use super::*;

    #[test]
    fn categories_are_not_averaged_between_voxels() {
        let folder = tempfile::tempdir().expect("a folder");
        let params = PhantomParams { n_sessions: 1, trials_per_session: 36, n_shared: 4, ..PhantomParams::default() };
        let phantom = Phantom::new(params, Seed::new(5)).expect("a phantom");
        phantom.write(folder.path(), &Silent).expect("written");
        let cortex = phantom.cortex();
        let coordinates: Vec<[usize; 3]> = cortex.voxels.iter().map(|voxel| voxel.index).collect();
        let of = SurfaceFolder { root: folder.path().to_owned(), subject: "subj01".to_owned() };
        let sheets = Sheets::open(&of, cortex.shape, &coordinates).expect("surfaces");
        let values = coordinates.iter().map(|[x, y, z]| 4.0 * ((x + y + z) % 2) as f32).collect();
        let keys = Some(["a", "b", "c", "d", "e"].map(str::to_owned).to_vec());
        let column = Column { name: "best".to_owned(), values, keys, threshold: None };
        let found = sheets.layer(&column).expect("fits").map.values.concat();
        let count = |key: f32| found.iter().filter(|value| **value == key).count();
        assert!(count(0.0) > 500 && count(4.0) > 500, "{} {}", count(0.0), count(4.0));
        assert!(found.iter().all(|value| value.is_nan() || *value == 0.0 || *value == 4.0));
    }
}
