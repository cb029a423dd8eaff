//! Where things are: the paths of the tree, and what of it exists.

use std::path::{Path, PathBuf};

use super::captions::Captions;
use super::design::Design;
use super::kind::BetaKind;
use super::roi::{Mask, Roi};
use super::stimuli::Stimuli;
use super::table::Behaviour;
use super::table::StimulusTable;
use crate::{Error, Result, fs, nifti};

/// A folder in the layout of NSD.
#[derive(Clone, Debug)]
pub struct NsdTree {
    root: PathBuf,
}

/// One subject of a tree.
#[derive(Clone, Debug)]
pub struct Subject {
    tree: NsdTree,
    number: usize,
    space: String,
}

impl NsdTree {
    /// The tree in `folder`, the one that holds `nsddata` and `nsddata_betas`.
    ///
    /// # Errors
    /// If the folder does not exist or holds neither.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        let root = folder.as_ref().to_owned();
        let entries = fs::list(&root)?;
        let known = ["nsddata", "nsddata_betas", "nsddata_stimuli"];
        if known.iter().any(|name| fs::is_dir(root.join(name))) {
            return Ok(Self { root });
        }
        let names: Vec<String> = entries
            .iter()
            .filter_map(|path| path.file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        let error = Error::missing("folder", "nsddata", names);
        let found = error.remedy().to_owned();
        let remedy = format!("name the folder that holds `nsddata` and `nsddata_betas`; {found}");
        Err(error.with_remedy(remedy).in_file(root))
    }

    /// The tree in `folder`, whatever it holds: for those who ask what is missing.
    ///
    /// # Errors
    /// If the folder does not exist.
    pub fn to_be(folder: impl AsRef<Path>) -> Result<Self> {
        fs::list(&folder)?;
        Ok(Self { root: folder.as_ref().to_owned() })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The file at `path` below the folder, with forward slashes.
    pub fn path(&self, path: &str) -> PathBuf {
        path.split('/').fold(self.root.clone(), |folder, part| folder.join(part))
    }

    /// The numbers of the subjects of whom there is anything, ascending: 1 for `subj01`.
    pub fn subjects(&self) -> Vec<usize> {
        let mut numbers = Vec::new();
        for folder in ["nsddata/ppdata", "nsddata_betas/ppdata"] {
            let Ok(entries) = fs::list(self.path(folder)) else { continue };
            let names = entries.iter().filter_map(|path| path.file_name()).map(|name| name.to_string_lossy());
            numbers.extend(names.filter_map(|name| name.strip_prefix("subj")?.parse::<usize>().ok()));
        }
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// Subject `number` (1 for `subj01`) in the 1.8 mm functional space.
    ///
    /// # Errors
    /// If there is nothing of that subject; the error lists those that are here.
    pub fn subject(&self, number: usize) -> Result<Subject> {
        let present = self.subjects();
        if !present.contains(&number) {
            let names = present.iter().map(|&number| subject_name(number));
            return Err(Error::missing("subject", subject_name(number), names).in_file(&self.root));
        }
        Ok(Subject::new(self, number))
    }

    /// Which image was shown in which trial.
    ///
    /// # Errors
    /// If `nsd_expdesign.mat` is absent, damaged, or contradicts itself.
    pub fn design(&self) -> Result<Design> {
        Design::open(self.path(DESIGN))
    }

    /// The pictures.
    ///
    /// # Errors
    /// If `nsd_stimuli.hdf5` is absent or damaged.
    pub fn stimuli(&self) -> Result<Stimuli> {
        Stimuli::open(self.path(STIMULI))
    }

    /// Where the pictures come from, and in which trials they were shown.
    ///
    /// # Errors
    /// If `nsd_stim_info_merged.csv` is absent or damaged.
    pub fn stimulus_table(&self) -> Result<StimulusTable> {
        StimulusTable::open(self.path(STIMULUS_TABLE))
    }

    /// What people wrote about the pictures, from the COCO files beside the stimuli.
    ///
    /// # Errors
    /// If a file that is needed is absent or damaged.
    pub fn captions(&self, table: &StimulusTable) -> Result<Captions> {
        Captions::open(&self.path(ANNOTATIONS), table)
    }
}

pub(super) const DESIGN: &str = "nsddata/experiments/nsd/nsd_expdesign.mat";
pub(super) const STIMULUS_TABLE: &str = "nsddata/experiments/nsd/nsd_stim_info_merged.csv";
pub(super) const STIMULI: &str = "nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5";
pub(super) const ANNOTATIONS: &str = "nsddata_stimuli/stimuli/nsd/annotations";

/// `subj01` for 1.
pub(super) fn subject_name(number: usize) -> String {
    format!("subj{number:02}")
}

impl Subject {
    /// Subject `number`, of whom nothing need be here.
    pub(super) fn new(tree: &NsdTree, number: usize) -> Self {
        Self { tree: tree.clone(), number, space: "func1pt8mm".to_owned() }
    }

    /// The same subject in another volume space, such as `func1mm`.
    pub fn in_space(mut self, space: &str) -> Self {
        space.clone_into(&mut self.space);
        self
    }

    /// The number: 1 for `subj01`.
    pub fn number(&self) -> usize {
        self.number
    }

    /// `subj01`.
    pub fn name(&self) -> String {
        subject_name(self.number)
    }

    /// The tree this subject belongs to.
    pub fn tree(&self) -> &NsdTree {
        &self.tree
    }

    /// Path of a file in the subject's functional folder, relative to the tree: `roi/nsdgeneral.nii.gz`.
    pub(super) fn functional(&self, file: &str) -> String {
        format!("nsddata/ppdata/{}/{}/{file}", self.name(), self.space)
    }

    /// Path of a file in the folder of the betas `kind`, relative to the tree.
    pub(super) fn beta_file(&self, kind: BetaKind, file: &str) -> String {
        format!("nsddata_betas/ppdata/{}/{}/{}/{file}", self.name(), self.space, kind.folder())
    }

    /// Path of the subject's responses, relative to the tree.
    pub(super) fn responses_file(&self) -> String {
        format!("nsddata/ppdata/{}/behav/responses.tsv", self.name())
    }

    /// The atlases of which there is a volume: `nsdgeneral`, `streams`, `lh.streams`, ….
    pub fn atlases(&self) -> Vec<String> {
        let Ok(entries) = fs::list(self.tree.path(&self.functional("roi"))) else { return Vec::new() };
        let names = entries.iter().filter_map(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
        names.filter_map(|name| name.strip_suffix(".nii.gz").map(str::to_owned)).collect()
    }

    /// The volume of the atlas `atlas` with the names of its labels.
    ///
    /// # Errors
    /// If there is none (the error lists those that are here), or it is damaged.
    pub fn roi(&self, atlas: &str) -> Result<Roi> {
        let path = self.tree.path(&self.functional(&format!("roi/{atlas}.nii.gz")));
        if !fs::is_file(&path) {
            return Err(Error::missing("atlas", atlas, self.atlases()).in_file(path));
        }
        let short = atlas.strip_prefix("lh.").or_else(|| atlas.strip_prefix("rh.")).unwrap_or(atlas);
        let tables: Vec<PathBuf> = [self.name(), "fsaverage".to_owned()]
            .iter()
            .map(|whose| self.tree.path(&format!("nsddata/freesurfer/{whose}/label/{short}.mgz.ctab")))
            .collect();
        Roi::open(&path, atlas, &tables)
    }

    /// The voxels that `expression` names; see [`super::roi`].
    ///
    /// # Errors
    /// If the expression cannot be read, an atlas or label does not exist, the volumes differ in shape, or no voxel is left.
    pub fn mask(&self, expression: &str) -> Result<Mask> {
        super::roi::select(expression, &|atlas| self.roi(atlas))
    }

    /// The voxels inside the brain.
    ///
    /// # Errors
    /// If `brainmask.nii.gz` is absent or damaged.
    pub fn brain(&self) -> Result<Mask> {
        let path = self.tree.path(&self.functional("brainmask.nii.gz"));
        let file = nifti::open(&path)?;
        let volume = file.read_volume::<f32>()?;
        let mask = Mask::from_volume("brainmask", &volume.view(), |&value| value > 0.0);
        mask.map_err(|error| error.in_file(path))
    }

    /// The noise-ceiling signal-to-noise ratio of the voxels of `mask`, from `ncsnr.nii.gz` beside the betas.
    ///
    /// # Errors
    /// If the file is absent, damaged, or of another shape.
    pub fn ncsnr(&self, kind: BetaKind, mask: &Mask) -> Result<Vec<f32>> {
        let path = self.tree.path(&self.beta_file(kind, "ncsnr.nii.gz"));
        let file = nifti::open(&path)?;
        mask.check_shape(file.header().shape).map_err(|error| error.in_file(&path))?;
        Ok(file.select::<f32>(mask.voxels())?.row(0).to_vec())
    }

    /// What the subject did in each trial.
    ///
    /// # Errors
    /// If `responses.tsv` is absent or damaged.
    pub fn behaviour(&self) -> Result<Behaviour> {
        Behaviour::open(self.tree.path(&self.responses_file()))
    }
}
