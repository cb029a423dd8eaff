//! A listener on the disk, in BIDS as ds003720 has it, with the audio folder beside the subjects.
//!
//! Files appear whole or not at all, and each one's bytes follow from parameters and seed; a file that is there already is kept, so that
//! a run that was killed is finished by running it again. `phantom/sub-001.json` says what a folder holds; another listener is refused.

use std::path::Path;

use ndarray::{Array3, ArrayView2, Axis};
use percept_core::Progress;
use percept_io::sound::{SampleFormat, write_wav};
use percept_io::{fs, nifti};
use rayon::prelude::*;
use serde_json::json;

use super::Listener;
use super::auditory::Auditory;
use super::schedule::{Run, Session};
use crate::phantom::Error;
use crate::phantom::once::{self, keep, text};
use crate::tunes::RATE_HZ;

impl Listener {
    /// Writes the tree below `dir`; what is there already from an earlier, interrupted run or of another subject is kept.
    ///
    /// # Errors
    /// If the directory holds another listener, or the disk refuses.
    pub fn write(&self, dir: impl AsRef<Path>, progress: &dyn Progress) -> Result<(), Error> {
        let root = dir.as_ref();
        let _held = once::hold(root, progress)?;
        self.claim(root)?;
        descriptions(root)?;
        self.sounds(root, progress)?;
        self.atlas(root)?;
        progress.begin("runs", self.runs.len() as u64);
        for run in 0..self.runs.len() {
            self.run_on_disk(root, run)?;
            progress.advance(1);
        }
        progress.end(&format!("{} runs, {} voxels of cortex", self.runs.len(), self.scanner.voxels.len()));
        self.truth(root)
    }

    fn name(&self) -> String {
        format!("sub-{:03}", self.params.subject)
    }

    fn claim(&self, root: &Path) -> Result<(), Error> {
        let description = json!({
            "about": "a simulated subject made by percept; nobody was measured",
            "params": self.params,
            "seed": self.seed,
            "version": env!("CARGO_PKG_VERSION"),
        });
        once::claim(root, &self.name(), &description)
    }

    /// Every track, what it is called in words, and its tags.
    fn sounds(&self, root: &Path, progress: &dyn Progress) -> Result<(), Error> {
        let missing: Vec<_> = self
            .tracks
            .iter()
            .map(|track| (track, root.join(format!("genres/{}/{}.wav", track.tune.genre.name(), track.name()))))
            .filter(|(_, path)| !fs::is_file(path))
            .collect();
        progress.begin("tunes", missing.len() as u64);
        missing.into_par_iter().try_for_each(|(track, path)| {
            let sound = track.tune.play(self.params.track_secs);
            let one = ArrayView2::from_shape((1, sound.len()), &sound).expect("one channel");
            write_wav(path, one, RATE_HZ, SampleFormat::Int16)?;
            progress.advance(1);
            Ok::<_, Error>(())
        })?;
        progress.end(&format!("{} tracks of {} s", self.tracks.len(), self.params.track_secs));
        text(root.join("captions.csv"), || {
            let lines = self.tracks.iter().map(|track| {
                let [caption, ..] = track.tune.captions(self.seed.named("captions").named(&track.name()));
                format!("{},\"{caption}\"\n", track.name())
            });
            std::iter::once("ID,DescEN\n".to_owned()).chain(lines).collect()
        })?;
        text(root.join("tags.csv"), || {
            let lines = self.tracks.iter().map(|track| format!("{},{}\n", track.name(), track.tune.tags().join(",")));
            std::iter::once("ID,genre,instrument,tempo,mood\n".to_owned()).chain(lines).collect()
        })
    }

    fn run_on_disk(&self, root: &Path, number: usize) -> Result<(), Error> {
        let run = &self.runs[number];
        let task = match run.session {
            Session::Training => "Training",
            Session::Test => "Test",
        };
        let stem = format!("{}_task-{task}_run-{:02}", self.name(), run.number);
        let folder = root.join(self.name()).join("func");
        text(folder.join(format!("{stem}_bold.json")), || {
            format!("{:#}\n", json!({ "RepetitionTime": self.params.tr_secs, "TaskName": task }))
        })?;
        text(folder.join(format!("{stem}_events.tsv")), || self.events(run))?;
        keep(folder.join(format!("{stem}_bold.nii.gz")), |path| {
            let spec = nifti::Spec { tr_secs: Some(self.params.tr_secs), ..self.scanner.spec("tunes") };
            nifti::write(path, self.scanner.volumes(number).view(), &spec)
        })
    }

    /// The columns and quotes of ds003720.
    fn events(&self, run: &Run) -> String {
        let rows = run.excerpts.iter().enumerate().map(|(place, excerpt)| {
            let track = &self.tracks[excerpt.track];
            let (secs, start) = (self.params.clip_secs, excerpt.start_secs);
            let (onset, end) = (place as f64 * secs, (100.0 * (start + secs)).round() / 100.0);
            format!("{onset}\t{secs}\t'{}'\t{}\t{start}\t{end}\n", track.tune.genre.name(), track.number)
        });
        std::iter::once("onset\tduration\tgenre\ttrack\tstart\tend\n".to_owned()).chain(rows).collect()
    }

    /// Labels of parcels from 1 on, 0 outside cortex, with their names.
    fn atlas(&self, root: &Path) -> Result<(), Error> {
        let folder = root.join("derivatives/atlas").join(self.name());
        keep(folder.join(format!("{}_atlas.nii.gz", self.name())), |path| {
            let [nx, ny, nz] = self.scanner.cortex.shape;
            let mut labels = Array3::<i16>::zeros((nx, ny, nz));
            for (voxel, &parcel) in self.scanner.voxels.iter().zip(&self.parcel_of_voxel) {
                labels[voxel.planted.index] = parcel as i16 + 1;
            }
            nifti::write(path, labels.view().insert_axis(Axis(3)), &self.scanner.spec("parcels"))
        })?;
        text(folder.join(format!("{}_atlas.tsv", self.name())), || {
            let rows =
                self.parcels.iter().enumerate().map(|(number, parcel)| format!("{}\t{}\n", number + 1, parcel.name));
            std::iter::once("index\tname\n".to_owned()).chain(rows).collect()
        })
    }

    fn truth(&self, root: &Path) -> Result<(), Error> {
        let truth = json!({ "regions": Auditory::ALL.map(Auditory::name), "voxels": self.scanner.voxels });
        text(root.join(format!("phantom/{}_voxels.json", self.name())), || truth.to_string())
    }
}

fn descriptions(root: &Path) -> Result<(), Error> {
    let description = json!({
        "Name": "Simulated subjects listening to tunes",
        "BIDSVersion": "1.9.0",
        "DatasetType": "raw",
        "License": "CC0",
        "Authors": ["percept"],
        "GeneratedBy": [{ "Name": "percept", "Version": env!("CARGO_PKG_VERSION") }],
    });
    text(root.join("dataset_description.json"), || format!("{description:#}\n"))?;
    text(root.join("README"), || {
        "Simulated subjects listen to tunes that nobody wrote; nobody was measured. Made by percept.\n\n\
         sub-*/func: a volume per repetition, with sidecars and events in the columns of ds003720. genres: the tracks.\n\
         captions.csv, tags.csv: what each track is. derivatives/atlas: parcels of cortex. phantom: what drives each voxel.\n"
            .to_owned()
    })
}
