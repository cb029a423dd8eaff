//! A spectator on the disk, in the layout of cc2017.
//!
//! Files appear whole or not at all, and each one's bytes follow from parameters, films, features and seed; a file that is there already is
//! kept, so that a run that was killed is finished by running it again. `phantom/subject1.json` says what a folder holds; another spectator
//! is refused. Of the films it holds their lengths: whoever passes other frames gives another seed.

use std::path::Path;

use percept_core::Progress;
use percept_io::film::avi::write_avi;
use percept_io::table::csv_line;
use percept_io::{fs, nifti};
use rayon::prelude::*;
use serde_json::json;

use super::{Frame, Spectator};
use crate::phantom::Error;
use crate::phantom::once::{self, keep, text};

impl Spectator {
    /// Writes the tree below `dir`, films by `frame`; what is there already from an earlier, interrupted run or of another subject is kept.
    ///
    /// # Errors
    /// If the directory holds another spectator, or the disk refuses.
    pub fn write(&self, dir: impl AsRef<Path>, frame: Frame<'_>, progress: &dyn Progress) -> Result<(), Error> {
        let root = dir.as_ref();
        let _held = once::hold(root, progress)?;
        self.claim(root)?;
        descriptions(root)?;
        self.films(root, frame, progress)?;
        self.captions(root)?;
        self.scanner.write_regions(root, &self.name(), &self.regions, 0)?;
        let n_recordings = (0..self.segments.len()).map(|segment| self.n_showings(segment)).sum::<usize>();
        progress.begin("recordings", n_recordings as u64);
        for segment in 0..self.segments.len() {
            for showing in 0..self.n_showings(segment) {
                self.recording(root, segment, showing)?;
                progress.advance(1);
            }
        }
        progress.end(&format!("{n_recordings} recordings, {} voxels of cortex", self.scanner.voxels.len()));
        self.scanner.write_truth(root, &self.name())
    }

    fn name(&self) -> String {
        format!("subject{}", self.params.subject)
    }

    fn claim(&self, root: &Path) -> Result<(), Error> {
        let segments: Vec<_> = self.segments.iter().map(|own| json!([own.name, own.stretch])).collect();
        let description = json!({
            "about": "a simulated subject made by percept; nobody was measured",
            "params": self.params,
            "segments": segments,
            "regions": self.regions,
            "features": self.drives_hash,
            "seed": self.seed,
            "version": env!("CARGO_PKG_VERSION"),
        });
        once::claim(root, &self.name(), &description)
    }

    fn films(&self, root: &Path, frame: Frame<'_>, progress: &dyn Progress) -> Result<(), Error> {
        let path = |segment: usize| root.join(format!("stimuli/{}.avi", self.segments[segment].name));
        let missing: Vec<usize> = (0..self.segments.len()).filter(|&segment| !fs::is_file(path(segment))).collect();
        progress.begin("films", missing.len() as u64);
        let rate = self.params.frames_per_sec;
        missing.into_par_iter().try_for_each(|segment| {
            let n_frames = (self.segments[segment].stretch.secs * rate).round().max(1.0) as usize;
            // The middle of the time for which a frame is shown.
            let at = |frame_idx: usize| (frame_idx as f64 + 0.5) / rate;
            write_avi(path(segment), n_frames, rate, self.params.jpeg_quality, |idx| Ok(frame(segment, at(idx))))?;
            progress.advance(1);
            Ok::<_, Error>(())
        })?;
        let secs: f64 = self.segments.iter().map(|segment| segment.stretch.secs).sum();
        progress.end(&format!("{} films, {secs} s in all", self.segments.len()));
        Ok(())
    }

    /// What was said about the films, unless nothing was.
    fn captions(&self, root: &Path) -> Result<(), Error> {
        if self.segments.iter().all(|segment| segment.stretch.words.is_empty()) {
            return Ok(());
        }
        text(root.join("captions.csv"), || {
            let mut lines = csv_line(&["segment", "start_secs", "end_secs", "caption"]);
            for segment in &self.segments {
                for words in &segment.stretch.words {
                    let times = [words.start_secs, words.end_secs].map(|secs| format!("{secs:.3}"));
                    lines += &csv_line(&[&segment.name, &times[0], &times[1], &words.text]);
                }
            }
            lines
        })
    }

    fn recording(&self, root: &Path, segment: usize, showing: usize) -> Result<(), Error> {
        let name = &self.segments[segment].name;
        let folder = root.join(self.name()).join("fmri").join(name).join("mni");
        keep(folder.join(format!("{name}_{}_mni.nii.gz", showing + 1)), |path| {
            let spec = nifti::Spec { tr_secs: Some(self.params.tr_secs), ..self.scanner.spec("a film") };
            nifti::write(path, self.scanner.in_space(self.bold(segment, showing)).view(), &spec)
        })
    }
}

fn descriptions(root: &Path) -> Result<(), Error> {
    text(root.join("README"), || {
        "Simulated subjects watch films that nobody shot; nobody was measured. Made by percept.\n\n\
         stimuli: the films. subject*/fmri/SEGMENT/mni: a volume per repetition for each showing, in the layout of Wen et al. 2018;\n\
         recording begins 2 s after the film (test2 and later: with it) and ends 12 s after it. derivatives/regions: labels of\n\
         voxels. captions.csv: what is to be seen. phantom: what drives each voxel.\n"
            .to_owned()
    })
}
