//! The check itself.

use std::collections::BTreeSet;

use percept_core::Progress;

use super::report::{Check, MissingFile, Outcome, RegionReport, Report, SubjectReport};
use super::{Depth, Recipe, SessionsNeeded, sizes, values};
use crate::nsd::betas::Betas;
use crate::nsd::captions;
use crate::nsd::kind::BetaFile;
use crate::nsd::roi::Mask;
use crate::nsd::table::Behaviour;
use crate::nsd::tree::{ANNOTATIONS, DESIGN, STIMULI, STIMULUS_TABLE, Subject, subject_name};
use crate::nsd::{Captions, Design, NsdTree, StimulusTable};
use crate::{Error, Result, fs};

const BUCKET: &str = "s3://natural-scenes-dataset";
const COCO: &str = "annotations_trainval2017.zip of COCO, https://cocodataset.org/#download";

/// Checks `tree` for `recipe`.
///
/// Nothing that is wrong with the data is an error of this function: it ends in the report.
pub fn examine(tree: &NsdTree, recipe: &Recipe, depth: Depth, progress: &dyn Progress) -> Report {
    let mut examiner = Examiner { tree, recipe, depth, progress, missing: Vec::new(), checks: Vec::new() };
    let design = examiner.design();
    let table = examiner.table(design.as_ref());
    if recipe.stimuli {
        examiner.stimuli(design.as_ref(), table.as_ref());
    }
    if recipe.captions {
        examiner.captions(table.as_ref());
    }
    let subjects = recipe.subjects.iter();
    let subjects: Vec<SubjectReport> =
        subjects.map(|&number| examiner.subject(number, design.as_ref(), table.as_ref())).collect();
    let Examiner { missing, checks, .. } = examiner;
    let has_failed = checks.iter().any(|check| check.outcome == Outcome::Failed);
    Report {
        folder: tree.root().display().to_string(),
        recipe: recipe.name.clone(),
        is_usable: missing.is_empty() && !has_failed,
        subjects,
        missing_bytes: missing.iter().filter_map(|file| file.bytes).sum(),
        n_unknown_sizes: missing.iter().filter(|file| file.bytes.is_none()).count(),
        missing,
        checks,
    }
}

struct Examiner<'a> {
    tree: &'a NsdTree,
    recipe: &'a Recipe,
    depth: Depth,
    progress: &'a dyn Progress,
    missing: Vec<MissingFile>,
    checks: Vec<Check>,
}

impl Examiner<'_> {
    fn note(&mut self, name: impl Into<String>, outcome: Outcome, detail: impl Into<String>) {
        self.checks.push(Check { name: name.into(), outcome, detail: detail.into() });
    }

    /// Notes a comparison: passed with `good`, or failed with what `outcome` says.
    fn verdict(&mut self, name: impl Into<String>, outcome: std::result::Result<String, String>) {
        match outcome {
            Ok(detail) => self.note(name, Outcome::Passed, detail),
            Err(detail) => self.note(name, Outcome::Failed, detail),
        }
    }

    /// Whether the file at `path` is here; notes it as missing otherwise.
    fn need(&mut self, path: &str, purpose: &str, size: Option<(u64, bool)>) -> bool {
        if fs::is_file(self.tree.path(path)) {
            return true;
        }
        let source = if path.starts_with(ANNOTATIONS) { COCO.to_owned() } else { format!("{BUCKET}/{path}") };
        self.missing.push(MissingFile {
            path: path.to_owned(),
            purpose: purpose.to_owned(),
            bytes: size.map(|size| size.0),
            is_estimate: size.is_some_and(|size| size.1),
            source,
        });
        false
    }

    /// The value of a file that opens; a failed check otherwise.
    fn opened<T>(&mut self, name: &str, result: Result<T>, detail: impl FnOnce(&T) -> String) -> Option<T> {
        match result {
            Ok(value) => {
                self.note(name, Outcome::Passed, detail(&value));
                Some(value)
            }
            Err(error) => {
                self.note(name, Outcome::Failed, error.to_string());
                None
            }
        }
    }

    fn design(&mut self) -> Option<Design> {
        if !self.need(DESIGN, "which image was shown in which trial", None) {
            return None;
        }
        self.opened("the design opens and counts from 1", self.tree.design(), |design| {
            let (trials, images, shared) = (design.n_trials(), design.n_images(), design.shared_images().len());
            format!("{trials} trials of {images} images, {shared} of them shared by {} subjects", design.n_subjects())
        })
    }

    fn table(&mut self, design: Option<&Design>) -> Option<StimulusTable> {
        if !self.need(STIMULUS_TABLE, "the COCO origin of the pictures", None) {
            return None;
        }
        let count = |table: &StimulusTable| format!("{} pictures", table.rows().len());
        let table = self.opened("the stimulus table opens", self.tree.stimulus_table(), count)?;
        let design = design?;
        let in_design: BTreeSet<usize> = design.shared_images().iter().copied().collect();
        let in_table: BTreeSet<usize> = table.shared_images().into_iter().collect();
        let outcome = match in_design.symmetric_difference(&in_table).next() {
            None => Ok(format!("{} images", in_design.len())),
            Some(image) => Err(format!(
                "{} images differ, first picture {image} (the two files come from different downloads: get both again)",
                in_design.symmetric_difference(&in_table).count()
            )),
        };
        self.verdict("`sharedix` of the design equals `shared1000` of the table", outcome);
        Some(table)
    }

    fn stimuli(&mut self, design: Option<&Design>, table: Option<&StimulusTable>) {
        if !self.need(STIMULI, "the pictures", Some((sizes::STIMULI_BYTES, true))) {
            return;
        }
        let describe = |stimuli: &crate::nsd::Stimuli| {
            let (height, width) = stimuli.size();
            format!("{} pictures of {height} × {width}", stimuli.n_images())
        };
        let Some(stimuli) = self.opened("the pictures open", self.tree.stimuli(), describe) else { return };
        if let Some(table) = table {
            let (pictures, rows) = (stimuli.n_images(), table.rows().len());
            let same = pictures == rows;
            let wrong = format!("{pictures} pictures but {rows} rows (download the shorter one again)");
            self.verdict(
                "pictures and stimulus table are equally long",
                if same { Ok(format!("{rows}")) } else { Err(wrong) },
            );
        }
        let last = design.map(|design| (1..=design.n_subjects()).filter_map(|s| design.images_of_subject(s).ok()));
        if let Some(last) = last.and_then(|subjects| subjects.flatten().max()) {
            let wrong = format!("picture {last} is shown but there are {} (download them again)", stimuli.n_images());
            let outcome = if last < stimuli.n_images() { Ok(format!("up to picture {last}")) } else { Err(wrong) };
            self.verdict("every image of the design is among the pictures", outcome);
        }
        if self.depth == Depth::Values && stimuli.n_images() > 0 {
            let last = stimuli.n_images() - 1;
            let outcome = stimuli.read(&[0, last]).map(|_| "first and last picture".to_owned());
            self.verdict("the pictures can be read", outcome.map_err(|error| error.to_string()));
        }
    }

    fn captions(&mut self, table: Option<&StimulusTable>) {
        let splits: BTreeSet<String> = match table {
            Some(table) => table.rows().iter().map(|row| row.coco_split.clone()).collect(),
            None => sizes::CAPTION_BYTES.iter().map(|(split, _)| (*split).to_owned()).collect(),
        };
        let mut is_complete = true;
        for split in splits {
            let name = captions::path_of(std::path::Path::new(""), &split);
            let size = sizes::CAPTION_BYTES.iter().find(|known| known.0 == split).map(|known| (known.1, true));
            is_complete &= self.need(&format!("{ANNOTATIONS}/{}", name.display()), "the captions", size);
        }
        let Some(table) = table.filter(|_| is_complete) else { return };
        self.opened("every picture has captions", self.tree.captions(table), |captions: &Captions| {
            let least = (0..captions.n_images()).map(|image| captions.of(image).len()).min().unwrap_or(0);
            format!("at least {least} each")
        });
    }

    fn subject(&mut self, number: usize, design: Option<&Design>, table: Option<&StimulusTable>) -> SubjectReport {
        let name = subject_name(number);
        let mut report = SubjectReport {
            name: name.clone(),
            n_sessions_completed: None,
            sessions_needed: Vec::new(),
            sessions_present: Vec::new(),
            shape: None,
            regions: Vec::new(),
            sessions: Vec::new(),
        };
        // A subject of whom nothing is here still has a list of missing files.
        let subject = Subject::new(self.tree, number);
        let behaviour = self.behaviour(&subject, design, table);
        let brain = self.brain(&subject);
        report.shape = brain.as_ref().map(Mask::shape);
        let regions = self.regions(&subject, brain.as_ref(), &mut report);
        self.sessions(&subject, behaviour.as_ref(), design, brain.or(regions).as_ref(), &mut report);
        report
    }

    fn behaviour(
        &mut self,
        subject: &Subject,
        design: Option<&Design>,
        table: Option<&StimulusTable>,
    ) -> Option<Behaviour> {
        let name = subject.name();
        if !self.need(&subject.responses_file(), "the order of trials, and what the subject answered", None) {
            return None;
        }
        let count = |behaviour: &Behaviour| format!("{} trials", behaviour.n_trials());
        let behaviour = self.opened(&format!("{name}: `responses.tsv` opens"), subject.behaviour(), count)?;
        let Some(design) = design else { return Some(behaviour) };
        let outcome = match design.image_of_trial(subject.number()) {
            Err(error) => Err(error.to_string()),
            Ok(images) => compare_trials(&behaviour, design, &images),
        };
        self.verdict(format!("{name}: each `73KID` equals `subjectim[masterordering]`"), outcome);
        if let Some(table) = table.filter(|table| subject.number() <= table.n_subjects()) {
            let outcome = compare_table(subject.number(), design, table);
            self.verdict(format!("{name}: the trials of the stimulus table are those of the design"), outcome);
        }
        Some(behaviour)
    }

    fn brain(&mut self, subject: &Subject) -> Option<Mask> {
        if !self.need(&subject.functional("brainmask.nii.gz"), "which voxels are brain", None) {
            return None;
        }
        let name = format!("{}: the brain mask opens", subject.name());
        self.opened(&name, subject.brain(), |mask| format!("{} voxels of {:?}", mask.n_voxels(), mask.shape()))
    }

    /// Checks the regions, fills the report, and returns the voxels of the first one.
    fn regions(&mut self, subject: &Subject, brain: Option<&Mask>, report: &mut SubjectReport) -> Option<Mask> {
        let mut first = None;
        for atlas in &self.recipe.atlases {
            if !self.need(&subject.functional(&format!("roi/{atlas}.nii.gz")), "the voxels to decode from", None) {
                continue;
            }
            let name = format!("{}: the region `{atlas}`", subject.name());
            let outcome = subject.roi(atlas).and_then(|roi| {
                let mask = subject.mask(atlas)?;
                if let Some(brain) = brain {
                    brain.check_shape(mask.shape())?;
                }
                Ok((roi, mask))
            });
            let describe = |(_, mask): &(_, Mask)| format!("{} voxels", mask.n_voxels());
            let Some((roi, mask)) = self.opened(&name, outcome, describe) else { continue };
            let labels = roi.labels().into_iter();
            report.regions.push(RegionReport {
                atlas: atlas.clone(),
                n_voxels: mask.n_voxels(),
                labels: labels.map(|l| (l.name.unwrap_or_else(|| l.value.to_string()), l.n_voxels)).collect(),
            });
            let is_real = sizes::known_shape(subject.number()) == Some(mask.shape());
            if let Some(known) = sizes::known_nsdgeneral(subject.number()).filter(|_| is_real && atlas == "nsdgeneral")
            {
                let wrong = format!("{} instead of {known} (download the volume again)", mask.n_voxels());
                let outcome = if known == mask.n_voxels() { Ok(known.to_string()) } else { Err(wrong) };
                self.verdict(format!("{}: `nsdgeneral` has its known number of voxels", subject.name()), outcome);
            }
            first.get_or_insert(mask);
        }
        first
    }

    fn sessions(
        &mut self,
        subject: &Subject,
        behaviour: Option<&Behaviour>,
        design: Option<&Design>,
        mask: Option<&Mask>,
        report: &mut SubjectReport,
    ) {
        let Recipe { betas: kind, file, .. } = *self.recipe;
        let betas = subject.betas_in(kind, file).ok();
        let present = betas.as_ref().map(Betas::sessions).unwrap_or_default();
        let told = behaviour.and_then(|behaviour| behaviour.session.iter().max().map(|last| last + 1));
        let is_phantom = report.shape.is_some_and(|shape| sizes::known_shape(subject.number()) != Some(shape));
        let known = sizes::known_sessions(subject.number()).filter(|_| !is_phantom);
        report.n_sessions_completed = told.or(known);
        let completed = report.n_sessions_completed.or(present.last().copied()).unwrap_or(0);
        let n_needed = match self.recipe.sessions {
            SessionsNeeded::First(n) => n.min(completed),
            SessionsNeeded::All => completed,
        };
        report.sessions_needed = (1..=n_needed).collect();
        let size = sizes::session_bytes(subject, kind, file, report.shape);
        let ending = if file == BetaFile::Nifti { "nii.gz" } else { "hdf5" };
        for session in 1..=n_needed {
            if present.contains(&session) {
                report.sessions_present.push(session);
            } else {
                let path = subject.beta_file(kind, &format!("betas_session{session:02}.{ending}"));
                self.need(&path, "the responses", size);
            }
        }
        let Some(betas) = betas else { return };
        let shapes = self.shapes(subject, &betas, report, mask);
        let per_session = shapes.first().copied();
        if let (Some(design), Some(n_trials)) = (design, per_session) {
            let (needed, known) = (n_needed * n_trials, design.n_trials());
            let wrong = format!("{needed} trials of betas, {known} in the design (they do not belong together)");
            let outcome = if needed <= known { Ok(format!("{needed} of {known}")) } else { Err(wrong) };
            self.verdict(format!("{}: the design covers the trials", subject.name()), outcome);
        }
        if self.depth == Depth::Values
            && let Some(mask) = mask
        {
            self.values(subject, &betas, mask, report);
        }
    }

    /// Checks trials and shape of each session; returns the numbers of trials.
    fn shapes(
        &mut self,
        subject: &Subject,
        betas: &Betas,
        report: &mut SubjectReport,
        mask: Option<&Mask>,
    ) -> Vec<usize> {
        let mut trials = Vec::new();
        let mut faults = Vec::new();
        for &session in &report.sessions_present {
            let checked = betas.shape(session).and_then(|(n_trials, shape)| {
                if let Some(mask) = mask {
                    mask.check_shape(shape).map_err(|error| match betas.file(session) {
                        Ok(path) => error.in_file(path),
                        Err(_) => error,
                    })?;
                }
                Ok((n_trials, shape))
            });
            match checked {
                Err(error) => faults.push(error.to_string()),
                Ok((n_trials, shape)) => {
                    report.shape.get_or_insert(shape);
                    if trials.first().is_some_and(|&first| first != n_trials) {
                        faults.push(format!(
                            "session {session} has {n_trials} trials, others {} (download it again)",
                            trials[0]
                        ));
                    }
                    trials.push(n_trials);
                }
            }
        }
        let name = format!("{}: the sessions open, with the shape of the brain mask", subject.name());
        let good = format!("{} sessions of {} trials", trials.len(), trials.first().unwrap_or(&0));
        self.verdict(name, if faults.is_empty() { Ok(good) } else { Err(faults.join("; ")) });
        trials
    }

    fn values(&mut self, subject: &Subject, betas: &Betas, mask: &Mask, report: &mut SubjectReport) {
        let sessions = report.sessions_present.clone();
        self.progress.begin(&format!("reading {}", subject.name()), sessions.len() as u64);
        let mut faults = Vec::new();
        for session in sessions {
            let path = betas.file(session).ok().and_then(|path| path.strip_prefix(self.tree.root()).ok());
            let path = path.map(|path| path.to_string_lossy().replace('\\', "/")).unwrap_or_default();
            match values::read(betas, session, mask, path) {
                Ok(session) => report.sessions.push(session),
                Err(error) => faults.push(error.to_string()),
            }
            self.progress.advance(1);
        }
        self.progress.end("");
        let name = format!("{}: every value can be read", subject.name());
        let good = format!("{} sessions, {} voxels", report.sessions.len(), mask.n_voxels());
        self.verdict(name, if faults.is_empty() { Ok(good) } else { Err(faults.join("; ")) });
        let unmeasured: usize = report.sessions.iter().map(|session| session.n_unmeasured_voxels).sum();
        let saturated: u64 = report.sessions.iter().map(|session| session.n_saturated_values).sum();
        let outcome = if unmeasured == 0 { Outcome::Passed } else { Outcome::Warning };
        let detail = format!("{unmeasured} voxel-sessions are 0 in every trial (a z-score must leave them out)");
        self.note(format!("{}: voxels that were not measured", subject.name()), outcome, detail);
        let outcome = if saturated == 0 { Outcome::Passed } else { Outcome::Warning };
        let detail = format!("{saturated} values are at the end of the 16-bit range (mostly at the edge of the brain)");
        self.note(format!("{}: saturated values", subject.name()), outcome, detail);
    }
}

/// Each row of the responses against the design.
fn compare_trials(behaviour: &Behaviour, design: &Design, images: &[usize]) -> std::result::Result<String, String> {
    if behaviour.n_trials() > images.len() {
        return Err(format!("{} rows but {} trials in the design", behaviour.n_trials(), images.len()));
    }
    let mut wrong = Vec::new();
    for (trial, (&stimulus, &position)) in behaviour.stimulus.iter().zip(&behaviour.position).enumerate() {
        if stimulus != images[trial] || position != design.positions()[trial] {
            wrong.push(trial);
        }
    }
    match wrong.first() {
        None => Ok(format!("{} trials", behaviour.n_trials())),
        Some(first) => {
            let (found, expected) = (behaviour.stimulus[*first] + 1, images[*first] + 1);
            Err(format!(
                "{} of {} rows differ, first in line {}: 73KID {found}, expected {expected} (the files come from different \
                 downloads, or rows were lost: get both again)",
                wrong.len(),
                behaviour.n_trials(),
                first + 2
            ))
        }
    }
}

/// `subjectX_repY` of the table against the design.
fn compare_table(number: usize, design: &Design, table: &StimulusTable) -> std::result::Result<String, String> {
    let images = design.image_of_trial(number).map_err(|error: Error| error.to_string())?;
    let mut trials = vec![Vec::new(); table.rows().len()];
    for (trial, &image) in images.iter().enumerate() {
        match trials.get_mut(image) {
            Some(trials) => trials.push(trial),
            None => return Err(format!("picture {image} of the design is not in the table")),
        }
    }
    for (image, expected) in trials.iter().enumerate() {
        let listed = table.trials(number, image).map_err(|error| error.to_string())?;
        let listed: Vec<usize> = listed.into_iter().flatten().collect();
        if &listed != expected {
            return Err(format!(
                "picture {image} is listed in trials {listed:?} but shown in {expected:?} (counted from 0)"
            ));
        }
    }
    Ok(format!("{} trials", images.len()))
}
