//! The arguments of `percept map`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct Map {
    /// Values: `FILE`, or `FILE:NAME` for one array, map or column; docs/maps.md says what is accepted
    #[arg(value_name = "VALUES", required = true)]
    pub(crate) values: Vec<String>,
    /// A folder of surfaces, an NSD tree, a subject of a pycortex store, or files of surfaces; without it one volume is drawn in slices
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub(crate) surface: Vec<PathBuf>,
    /// Subject of an NSD tree, such as `subj01` or `fsaverage` [default: the first that has surfaces]
    #[arg(long, value_name = "NAME")]
    pub(crate) subject: Option<String>,
    /// Shapes and views, such as `flat,inflated:lateral+medial+ventral` [default: flat and inflated]
    #[arg(long, value_name = "LIST")]
    pub(crate) views: Option<String>,
    /// Leave out values whose size is below this
    #[arg(long, value_name = "X")]
    pub(crate) threshold: Option<f32>,
    /// Leave out places where these values (p or q) are not below `--level`
    #[arg(long, value_name = "VALUES")]
    pub(crate) significance: Option<String>,
    /// The level of significance
    #[arg(long, value_name = "P", default_value_t = 0.05, requires = "significance")]
    pub(crate) level: f32,
    /// Draw places paler where these values (0 to 1) are smaller
    #[arg(long, value_name = "VALUES")]
    pub(crate) reliability: Option<String>,
    /// Smooth along the surface by a full width at half maximum in millimetres
    #[arg(long, value_name = "MM")]
    pub(crate) smooth: Option<f32>,
    /// Ends of the colour bar [default: from the values]
    #[arg(long, value_name = "LOW,HIGH", value_delimiter = ',', num_args = 2, allow_hyphen_values = true)]
    pub(crate) range: Option<Vec<f32>>,
    /// Colours of numbers [default: by whether values lie on both sides of 0]
    #[arg(long, value_name = "NAME")]
    pub(crate) colours: Option<Colours>,
    /// What the values are measured in, for the colour bar
    #[arg(long, value_name = "TEXT")]
    pub(crate) unit: Option<String>,
    /// Values are keys of categories, such as the number of the best layer
    #[arg(long)]
    pub(crate) categories: bool,
    /// Outline and name the regions of this atlas, such as `aparc` or `prf-visualrois`
    #[arg(long, value_name = "NAME")]
    pub(crate) atlas: Option<String>,
    /// Only these regions of the atlas
    #[arg(long, value_name = "LIST", value_delimiter = ',', requires = "atlas")]
    pub(crate) regions: Vec<String>,
    /// Depths at which volumes are sampled, 0 at white matter to 1 at the pia
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "0.1,0.3,0.5,0.7,0.9")]
    pub(crate) depths: Vec<f32>,
    /// Sample volumes at the nearest voxel instead of between voxels
    #[arg(long)]
    pub(crate) nearest: bool,
    /// The volume that the voxels of a table are from [default: the brain mask of the NSD subject]
    #[arg(long, value_name = "FILE")]
    pub(crate) volume: Option<PathBuf>,
    /// Transform of a pycortex store [default: the first]
    #[arg(long, value_name = "NAME")]
    pub(crate) transform: Option<String>,
    /// What lies below slices, without `--surface`
    #[arg(long, value_name = "FILE", conflicts_with = "surface")]
    pub(crate) anatomy: Option<PathBuf>,
    /// On black instead of white
    #[arg(long)]
    pub(crate) dark: bool,
    /// Width of one view in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 260)]
    pub(crate) width: u16,
    /// Maps side by side [default: about as wide as high]
    #[arg(long, value_name = "N")]
    pub(crate) columns: Option<usize>,
    /// What to write: .png, .svg or .html
    #[arg(long, value_name = "FILE", default_value = "map.png")]
    pub(crate) out: PathBuf,
    /// Print what stands out (ranges, clusters, peaks) on stdout as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colours {
    /// Violet through red to yellow
    Ember,
    /// Blue through green to yellow, for ordered things
    Lagoon,
    /// Blue below and orange above a light middle
    BlueOrange,
}
