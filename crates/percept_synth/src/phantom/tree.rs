//! The NSD tree on the disk.
//!
//! Files appear whole or not at all, and each one's bytes follow from parameters and seed alone; so a file that is there
//! already is kept, and a run that was killed is finished by running it again. `phantom/phantom.json` says which phantom a
//! directory holds; another one is refused.

use std::path::{Path, PathBuf};

use ndarray::{Array1, Array2, Array3, Array4, ArrayD, Axis, IxDyn};
use percept_core::Progress;
use percept_io::{fs, hdf5, mat, nifti};
use rayon::prelude::*;
use serde::Serialize;
use serde_json::json;

use super::once::{self, keep, text};
use super::params::{BetaFormat, Error, N_REPEATS, N_RUNS};
use super::session::{Scanner, UNITS_PER_PERCENT};
use super::subject::Phantom;
use super::{behaviour, surfaces, tables};
use crate::drawing::Drawing;

/// The type of betas that the phantom writes: NSD's third preparation.
pub const BETA_TYPE: &str = "betas_fithrf_GLMdenoise_RR";
/// Slots for trials in a run of the design.
const SLOTS_PER_RUN: usize = 75;
/// From trial to trial.
const TRIAL_SECS: f64 = 4.0;

impl Phantom {
    /// Writes the tree below `dir`; what is there already from an earlier, interrupted run is kept.
    ///
    /// # Errors
    /// If the directory holds another phantom, or the disk refuses.
    pub fn write(&self, dir: impl AsRef<Path>, progress: &dyn Progress) -> Result<(), Error> {
        let root = dir.as_ref();
        let _held = once::hold(root, progress)?;
        let tree = Tree { phantom: self, root, progress };
        tree.claim()?;
        tree.experiment()?;
        tree.stimuli()?;
        tree.brain()?;
        surfaces::write(self, root)?;
        tree.betas()?;
        tree.truth()
    }
}

/// A square picture at another size, by linear interpolation.
fn enlarged(picture: &Array3<u8>, side: usize) -> Array3<u8> {
    let from = picture.dim().0;
    if from == side {
        return picture.clone();
    }
    let place = |at: usize| {
        let exact = ((at as f32 + 0.5) * from as f32 / side as f32 - 0.5).clamp(0.0, (from - 1) as f32);
        let low = exact as usize;
        (low, (low + 1).min(from - 1), exact - low as f32)
    };
    Array3::from_shape_fn((side, side, 3), |(y, x, channel)| {
        let ((top, bottom, down), (left, right, across)) = (place(y), place(x));
        let level = |y: usize, x: usize| f32::from(picture[[y, x, channel]]);
        let mix = |a: f32, b: f32, share: f32| a + (b - a) * share;
        let (upper, lower) =
            (mix(level(top, left), level(top, right), across), mix(level(bottom, left), level(bottom, right), across));
        mix(upper, lower, down).round() as u8
    })
}

struct Tree<'a> {
    phantom: &'a Phantom,
    root: &'a Path,
    progress: &'a dyn Progress,
}

impl Tree<'_> {
    fn subject(&self) -> String {
        format!("subj{:02}", self.phantom.params.subject)
    }

    fn functional(&self) -> PathBuf {
        self.root.join("nsddata/ppdata").join(self.subject()).join("func1pt8mm")
    }

    fn beta_dir(&self) -> PathBuf {
        self.root.join("nsddata_betas/ppdata").join(self.subject()).join("func1pt8mm").join(BETA_TYPE)
    }

    /// Makes sure that the directory is empty or holds this phantom.
    fn claim(&self) -> Result<(), Error> {
        let mut description = json!({
            "about": "a simulated subject made by percept; nobody was measured",
            "params": self.phantom.params,
            "seed": self.phantom.seed,
            "version": env!("CARGO_PKG_VERSION"),
        });
        if let Some(planted) = &self.phantom.planted {
            description["planted"] = json!({ "regions": planted.regions, "features": planted.features });
        }
        once::claim(self.root, &self.subject(), &description)
    }

    fn experiment(&self) -> Result<(), Error> {
        let phantom = self.phantom;
        let folder = self.root.join("nsddata/experiments/nsd");
        keep(folder.join("nsd_expdesign.mat"), |path| self.design(path))?;
        let origins = tables::origins(phantom.params.n_stimuli(), phantom.seed.named("origins"));
        text(folder.join("nsd_stim_info_merged.csv"), || tables::stimulus_table(phantom, &origins))?;
        let annotations = self.root.join("nsddata_stimuli/stimuli/nsd/annotations");
        for split in ["train2017", "val2017"] {
            let path = annotations.join(format!("captions_{split}.json"));
            text(path, || tables::captions(phantom, &origins, split).to_string())?;
        }
        let seed = phantom.subject_seed().named("behaviour");
        let path = self.root.join("nsddata/ppdata").join(self.subject()).join("behav/responses.tsv");
        text(path, || behaviour::table(phantom.schedule(), phantom.params.subject, seed))
    }

    /// `nsd_expdesign.mat`: all numbers count from 1.
    fn design(&self, path: &Path) -> Result<(), percept_io::Error> {
        let schedule = self.phantom.schedule();
        // Whole numbers, as in NSD: programs index with them.
        let one_based = |value: &usize| *value as i32 + 1;
        let row = |values: &[usize]| Array2::from_shape_fn((1, values.len()), |(_, at)| one_based(&values[at]));
        let n_images = schedule.stimulus_of_image[0].len();
        let subjects = Array2::from_shape_fn((schedule.stimulus_of_image.len(), n_images), |(subject, image)| {
            one_based(&schedule.stimulus_of_image[subject][image])
        });
        let runs = schedule.trials_of_runs();
        let pattern = ArrayD::from_shape_fn(IxDyn(&[schedule.n_sessions(), N_RUNS, SLOTS_PER_RUN]), |at| {
            u8::from(is_stimulus(at[2], runs[at[1]]))
        });
        let mut shown = vec![0; n_images];
        let mut counts = Array2::<u16>::zeros((N_REPEATS, schedule.n_sessions()));
        for (trial, &image) in schedule.image_of_trial.iter().enumerate() {
            counts[[shown[image], trial / schedule.trials_per_session]] += 1;
            shown[image] += 1;
        }
        counts.accumulate_axis_inplace(Axis(1), |before, count| *count += before);
        mat::Writer::new()
            .array("masterordering", &row(&schedule.image_of_trial).into_dyn().view())?
            .array("subjectim", &subjects.into_dyn().view())?
            .array("sharedix", &row(&schedule.stimulus_of_image[0][..schedule.n_shared]).into_dyn().view())?
            .array("stimpattern", &pattern.view())?
            .array("basiccnt", &counts.into_dyn().view())?
            .write(path)
    }

    fn stimuli(&self) -> Result<(), Error> {
        let path = self.root.join("nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5");
        keep(path, |path| {
            let n_stimuli = self.phantom.params.n_stimuli();
            let side = self.phantom.params.stimulus_side;
            let mut brick = Array4::<u8>::zeros((n_stimuli, side, side, 3));
            let rows = brick.axis_iter_mut(Axis(0)).into_par_iter();
            rows.enumerate()
                .for_each(|(stimulus, mut row)| row.assign(&enlarged(&self.phantom.picture(stimulus), side)));
            let spec = hdf5::DatasetSpec::chunked(&[1, side, side, 3]).deflated(4);
            hdf5::Writer::new().dataset("imgBrick", &brick.into_dyn().view(), &spec)?.write(path)
        })
    }

    fn spec(&self, description: &str) -> nifti::Spec {
        nifti::Spec {
            affine: self.phantom.cortex.affine(),
            description: description.to_owned(),
            ..nifti::Spec::default()
        }
    }

    fn volume<T: nifti::Voxel>(&self, path: PathBuf, about: &str, volume: &Array3<T>) -> Result<(), Error> {
        let volume = volume.view().insert_axis(Axis(3));
        keep(path, |path| nifti::write(path, volume, &self.spec(about)))
    }

    /// Masks, regions and their names.
    fn brain(&self) -> Result<(), Error> {
        let (cortex, functional) = (&self.phantom.cortex, self.functional());
        let [nx, ny, nz] = cortex.shape;
        let mask = self.scatter(&Array1::ones(cortex.brain.len())).mapv(|value| value as i16);
        self.volume(functional.join("brainmask.nii.gz"), "brain", &mask)?;
        // A mean functional volume with the contrast of T2*: grey matter brighter than white.
        let mut mean = Array1::from_elem(cortex.brain.len(), 900.0);
        cortex.in_brain.iter().for_each(|&position| mean[position] = 1_200.0);
        self.volume(functional.join("mean.nii.gz"), "mean signal", &self.scatter(&mean))?;

        type Label = fn(super::Area) -> i16;
        let atlases: [(&str, Label, &[&str]); 3] = [
            ("nsdgeneral", super::Area::nsdgeneral, &tables::NSDGENERAL),
            ("streams", super::Area::stream, &tables::STREAMS),
            ("prf-visualrois", super::Area::visual_roi, &tables::VISUAL_ROIS),
        ];
        for (name, label, names) in atlases {
            for (prefix, hemisphere) in [
                ("", None),
                ("lh.", Some(super::cortex::Hemisphere::Left)),
                ("rh.", Some(super::cortex::Hemisphere::Right)),
            ] {
                // −1 where there is no cortex (of that hemisphere), 0 where cortex has no label.
                let mut volume = Array3::<i16>::from_elem((nx, ny, nz), -1);
                for voxel in &cortex.voxels {
                    if hemisphere.is_none_or(|hemisphere| hemisphere == voxel.hemisphere) {
                        volume[voxel.index] = label(voxel.area);
                    }
                }
                self.volume(functional.join(format!("roi/{prefix}{name}.nii.gz")), name, &volume)?;
            }
            for owner in ["fsaverage".to_owned(), self.subject()] {
                let path = self.root.join(format!("nsddata/freesurfer/{owner}/label/{name}.mgz.ctab"));
                text(path, || tables::labels(names))?;
            }
        }
        Ok(())
    }

    fn betas(&self) -> Result<(), Error> {
        let (phantom, folder) = (self.phantom, self.beta_dir());
        let scanner = Scanner::new(phantom);
        let summaries = ["ncsnr.nii.gz", "meanbeta.nii.gz"].map(|name| folder.join(name));
        let summarised = summaries.iter().all(fs::is_file);
        let n_sessions = phantom.params.n_sessions;
        self.progress.begin("phantom sessions", n_sessions as u64);
        let sessions = (0..n_sessions)
            .into_par_iter()
            .map(|session| -> Result<Option<Array2<i16>>, Error> {
                let paths = self.session_paths(session);
                let betas = if summarised && paths.iter().all(fs::is_file) {
                    None
                } else {
                    let betas = scanner.betas(phantom, session);
                    for path in paths {
                        keep(path, |path| self.session(path, &betas))?;
                    }
                    (!summarised).then_some(betas)
                };
                self.progress.advance(1);
                Ok(betas)
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let sessions: Vec<Array2<i16>> = sessions.into_iter().flatten().collect();
        if !summarised {
            let images: Vec<usize> = phantom.schedule.image_of_trial.clone();
            let (ncsnr, mean) = summarise(&sessions, &images);
            for (path, (about, values)) in summaries.into_iter().zip([("ncsnr", ncsnr), ("mean beta", mean)]) {
                self.volume(path, about, &self.scatter(&values))?;
            }
        }
        self.progress.end(&format!("{n_sessions} sessions"));
        Ok(())
    }

    fn scatter(&self, values: &Array1<f32>) -> Array3<f32> {
        let cortex = &self.phantom.cortex;
        let [nx, ny, nz] = cortex.shape;
        let mut volume = Array3::zeros((nx, ny, nz));
        for (&offset, &value) in cortex.brain.iter().zip(values) {
            volume[[offset % nx, offset / nx % ny, offset / nx / ny]] = value;
        }
        volume
    }

    fn session_paths(&self, session: usize) -> Vec<PathBuf> {
        let endings: &[&str] = match self.phantom.params.betas {
            BetaFormat::Hdf5 => &["hdf5"],
            BetaFormat::Nifti => &["nii.gz"],
            BetaFormat::Both => &["hdf5", "nii.gz"],
        };
        let name = |ending| self.beta_dir().join(format!("betas_session{:02}.{ending}", session + 1));
        endings.iter().map(name).collect()
    }

    /// One session: HDF5 (t, z, y, x) with a chunk per voxel, or NIfTI (x, y, z, t).
    fn session(&self, path: &Path, betas: &Array2<i16>) -> Result<(), percept_io::Error> {
        let cortex = &self.phantom.cortex;
        let [nx, ny, nz] = cortex.shape;
        let n_trials = betas.nrows();
        let mut volume = Array4::<i16>::zeros((n_trials, nz, ny, nx));
        for (mut frame, row) in volume.axis_iter_mut(Axis(0)).zip(betas.rows()) {
            let frame = frame.as_slice_mut().expect("frames of a new array are contiguous");
            cortex.brain.iter().zip(row).for_each(|(&offset, &value)| frame[offset] = value);
        }
        if path.extension().is_some_and(|ending| ending == "hdf5") {
            let spec = hdf5::DatasetSpec::chunked(&[n_trials, 1, 1, 1]);
            hdf5::Writer::new().dataset("betas", &volume.into_dyn().view(), &spec)?.write(path)
        } else {
            let spec = nifti::Spec { tr_secs: Some(TRIAL_SECS), ..self.spec("betas, 300 per percent signal change") };
            nifti::write(path, volume.view().reversed_axes(), &spec)
        }
    }

    /// What only a simulation knows: what each stimulus shows and what each voxel prefers.
    fn truth(&self) -> Result<(), Error> {
        let phantom = self.phantom;
        let stimuli: Vec<&Drawing> = phantom.drawings.iter().collect();
        json_line(self.root.join("phantom/stimuli.json"), &stimuli)?;
        let voxels = self.root.join(format!("phantom/{}_voxels.json", self.subject()));
        json_line(voxels, &phantom.tuning)?;
        match &phantom.planted {
            Some(planted) => {
                json_line(self.root.join(format!("phantom/{}_planted.json", self.subject())), &planted.voxels)
            }
            None => Ok(()),
        }
    }
}

/// `value` as JSON in one line, numbers as short as they can be read back exactly.
fn json_line(path: PathBuf, value: &impl Serialize) -> Result<(), Error> {
    keep(path, |path| {
        let line = serde_json::to_string(value).map_err(|error| percept_io::Error::codec("the truth", error))?;
        fs::write_bytes(path, line.as_bytes())
    })
}

/// Whether slot `slot` of a run with `n_trials` trials holds one: blanks are spread evenly, the first and last three slots
/// have none.
fn is_stimulus(slot: usize, n_trials: usize) -> bool {
    slot < SLOTS_PER_RUN && (slot + 1) * n_trials / SLOTS_PER_RUN > slot * n_trials / SLOTS_PER_RUN
}

/// Ratio of signal to noise as NSD defines it, and the mean in percent signal change, per voxel.
///
/// Betas are standardised within each session; noise is the mean over images of the variance of an image's three trials.
///
/// # Shapes
/// Sessions of trials × voxels; `images` names the image of each trial over all sessions.
fn summarise(sessions: &[Array2<i16>], images: &[usize]) -> (Array1<f32>, Array1<f32>) {
    let n_images = images.len() / N_REPEATS;
    let n_voxels = sessions.first().map_or(0, Array2::ncols);
    let per_voxel: Vec<[f32; 2]> = (0..n_voxels)
        .into_par_iter()
        .map(|voxel| {
            let mut sums = vec![[0.0f64; 2]; n_images];
            let (mut total, mut trial) = (0.0, 0);
            for session in sessions {
                let values: Vec<f64> = session.column(voxel).iter().map(|&value| f64::from(value)).collect();
                let n = values.len() as f64;
                let sum: f64 = values.iter().sum();
                let deviation = (values.iter().map(|value| (value - sum / n).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
                total += sum;
                for value in values {
                    let standard = if deviation > 0.0 { (value - sum / n) / deviation } else { 0.0 };
                    let sums = &mut sums[images[trial]];
                    sums[0] += standard;
                    sums[1] += standard * standard;
                    trial += 1;
                }
            }
            let repeats = N_REPEATS as f64;
            let variance = |[sum, squares]: &[f64; 2]| (squares - sum * sum / repeats) / (repeats - 1.0);
            let noise = sums.iter().map(variance).sum::<f64>() / n_images as f64;
            let ratio = if noise > 0.0 { ((1.0 - noise).max(0.0) / noise).sqrt() } else { 0.0 };
            [ratio as f32, (total / trial as f64) as f32 / UNITS_PER_PERCENT]
        })
        .collect();
    (per_voxel.iter().map(|values| values[0]).collect(), per_voxel.iter().map(|values| values[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_as_many_filled_slots_as_trials() {
        for n_trials in [2, 62, 63, 75] {
            assert_eq!((0..SLOTS_PER_RUN).filter(|&slot| is_stimulus(slot, n_trials)).count(), n_trials);
        }
    }

    #[test]
    fn the_ratio_of_pure_signal_is_large_and_of_pure_noise_small() {
        let images: Vec<usize> = (0..600).map(|trial| trial % 200).collect();
        let noise = percept_core::Seed::new(1).normal(600);
        let betas = Array2::from_shape_fn((600, 2), |(trial, voxel)| {
            let value = if voxel == 0 { (images[trial] as f32 * 0.7).sin() } else { noise[trial] };
            (300.0 * value) as i16
        });
        let (ncsnr, mean) = summarise(&[betas], &images);
        assert!(ncsnr[0] > 10.0 && ncsnr[1] < 0.2, "{ncsnr}");
        assert!(mean[0].abs() < 0.1);
    }
}
