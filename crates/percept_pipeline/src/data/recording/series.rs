//! Responses in the order of time or of trials, and all that is known of what was presented.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;
use std::path::PathBuf;

use ndarray::Array2;
use percept_core::provenance::content_hash;

use super::timeline::Timeline;
use crate::data::listening::Clip;
use crate::data::units::{RegionUnits, UnitGroup};
use crate::data::{Dataset, Places, Stimuli, SurfaceFolder, hash_of_rows};
use crate::error::PipelineError;

/// How samples follow one another.
#[derive(Clone, Debug, PartialEq)]
pub enum Timing {
    /// Stimuli were shown one by one, perhaps several times; samples of different stimuli are independent.
    Trials,
    /// Samples of a group follow one another in time and resemble their neighbours.
    Series {
        /// Seconds from one to the next, where they are known.
        tr_secs: Option<f64>,
        /// What a group is: `run` or `title`.
        group: &'static str,
        /// What a sample is: `scan` or `text`.
        sample: &'static str,
    },
}

/// Texts of one level of description, and when they stand.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Annotations {
    /// The level, such as `story`.
    pub level: String,
    /// Different texts, in order of first appearance; none is empty.
    pub texts: Vec<String>,
    /// Which text stands in which scan of the [`Timeline`]. A scan may have several texts, of several annotators or in turn; silence
    /// has none.
    pub stands: Vec<[usize; 2]>,
    pub(super) number_of: BTreeMap<String, usize>,
}

impl Annotations {
    /// Adds a text that stands in some scans; an empty one is silence.
    pub fn push(&mut self, text: &str, scans: impl Iterator<Item = usize>) {
        if text.trim().is_empty() {
            return;
        }
        let next = self.texts.len();
        let number = *self.number_of.entry(text.to_owned()).or_insert(next);
        if number == next {
            self.texts.push(text.to_owned());
        }
        self.stands.extend(scans.map(|scan| [number, scan]));
    }
}

/// What was heard in a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// Different excerpts, each with the file of its track.
    pub clips: Vec<(Clip, PathBuf)>,
    /// Different moments: an excerpt, and how many seconds of it have passed; in the order of the excerpts.
    pub moments: Vec<(usize, f64)>,
    /// Which moment stands in which scan of the [`Timeline`]; silence has none.
    pub stands: Vec<[usize; 2]>,
}

impl Heard {
    /// A content hash of the tracks and of what of them stands where.
    fn content(&self) -> Result<String, PipelineError> {
        let mut words = format!("{:?} {:?} ", self.moments, self.stands);
        for (clip, path) in &self.clips {
            let _ = write!(words, "{clip:?} {} ", percept_io::fs::content_hash(path)?);
        }
        Ok(content_hash(words.as_bytes()))
    }
}

/// What was said of scans in words that are true or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    /// The labels.
    pub names: Vec<String>,
    /// n_scans of the [`Timeline`] × n_labels, 1 where a label holds.
    pub holds: Array2<f32>,
    /// Whether a scan has one of them at most: categories.
    pub exclusive: bool,
}

/// Responses and all that is known of what was presented.
pub struct Recording {
    /// Subject or data set.
    pub subject: String,
    /// Where the responses came from, in words.
    pub source: String,
    /// n_samples × n_units.
    pub responses: Array2<f32>,
    /// Where each unit lies.
    pub places: Places,
    /// Millimetres of voxels, where they are known: rows of the affine.
    pub affine: Option<[[f64; 4]; 4]>,
    /// The surfaces of the subject, where the data come with some.
    pub surfaces: Option<SurfaceFolder>,
    /// Named parts of the units.
    pub regions: Vec<UnitGroup>,
    /// How samples follow one another.
    pub timing: Timing,
    /// The stimulus, run or title of each sample.
    pub group_of_sample: Vec<usize>,
    /// Their names.
    pub groups: Vec<String>,
    /// The session of each trial; of a series the run or title in which neighbours in time stand.
    pub session_of_sample: Vec<usize>,
    /// Names of the sessions.
    pub sessions: Vec<String>,
    /// All scans, those among them that are no samples.
    pub timeline: Timeline,
    /// Which samples the data put on the test side.
    pub is_test: Vec<bool>,
    /// The pictures, one per group, of trials.
    pub stimuli: Option<Stimuli>,
    /// Captions of each stimulus.
    pub captions: Option<Vec<Vec<String>>>,
    /// Texts, by level of description.
    pub annotations: Vec<Annotations>,
    /// Sounds.
    pub heard: Option<Heard>,
    /// Labels of each scan.
    pub labels: Option<Labels>,
    /// What the user should know about the data.
    pub warnings: Vec<String>,
}

impl Recording {
    /// Number of samples.
    pub fn n_samples(&self) -> usize {
        self.responses.nrows()
    }

    /// Whether samples are trials.
    pub fn is_trials(&self) -> bool {
        self.timing == Timing::Trials
    }

    /// The samples of a run or title of a series, which follow one another.
    pub fn samples_of(&self, session: usize) -> Range<usize> {
        let before = |last: usize| self.session_of_sample.partition_point(|&of| of <= last);
        session.checked_sub(1).map_or(0, before)..before(session)
    }

    /// The run or session of each sample by name.
    pub fn session_name(&self, session: usize) -> &str {
        self.sessions.get(session).map_or("", String::as_str)
    }

    /// The texts of the level `name`; those of the only level where it is empty.
    ///
    /// # Errors
    /// When the data have no such level, or none at all.
    pub fn texts_of(&self, name: &str) -> Result<&Annotations, PipelineError> {
        let found =
            self.annotations.iter().find(|of| of.level == name || name.is_empty() && self.annotations.len() == 1);
        found.ok_or_else(|| {
            let known: Vec<String> = self.annotations.iter().map(|of| format!("`{}`", of.level)).collect();
            let known =
                if known.is_empty() { "no texts".to_owned() } else { format!("the levels {}", known.join(", ")) };
            PipelineError::data(
                format!("a space reads the level `{name}` of the texts, but the data have {known}"),
                "set its `level`",
            )
        })
    }

    /// What is held out together, in words: `stimulus`, `run`, `title`.
    pub fn group_word(&self) -> &'static str {
        match self.timing {
            Timing::Trials => "stimulus",
            Timing::Series { group, .. } => group,
        }
    }

    /// Content hashes of everything that was read, by what it is.
    ///
    /// # Errors
    /// When the file of a stimulus cannot be read.
    pub fn inputs(&self) -> Result<BTreeMap<String, String>, PipelineError> {
        let mut design = Vec::new();
        for sample in 0..self.n_samples() {
            design.extend_from_slice(&(self.group_of_sample[sample] as u64).to_le_bytes());
            design.extend_from_slice(&(self.session_of_sample[sample] as u64).to_le_bytes());
            design.push(u8::from(self.is_test[sample]));
            design.extend_from_slice(&(self.timeline.of_sample[sample] as u64).to_le_bytes());
        }
        for region in &self.regions {
            design.extend_from_slice(region.name.as_bytes());
            design.push(0);
            for &unit in &region.units {
                design.extend_from_slice(&(unit as u64).to_le_bytes());
            }
        }
        let mut inputs = BTreeMap::from([
            ("responses".to_owned(), hash_of_rows(&self.responses)),
            ("design".to_owned(), content_hash(&design)),
        ]);
        if let Some(stimuli) = &self.stimuli {
            inputs.insert("stimuli".to_owned(), stimuli.content()?);
        }
        if let Some(captions) = &self.captions {
            inputs.insert("captions".to_owned(), content_hash(format!("{captions:?}").as_bytes()));
        }
        if !self.annotations.is_empty() {
            let all: Vec<_> = self.annotations.iter().map(|of| (&of.level, &of.texts, &of.stands)).collect();
            inputs.insert("texts".to_owned(), content_hash(format!("{all:?}").as_bytes()));
        }
        if let Some(heard) = &self.heard {
            inputs.insert("sounds".to_owned(), heard.content()?);
        }
        if let Some(labels) = &self.labels {
            inputs.insert("labels".to_owned(), hash_of_rows(&labels.holds) + &labels.names.join(","));
        }
        Ok(inputs)
    }

    /// Pictures with their captions, each presented once to nobody: a recording without units.
    pub(crate) fn of_pictures(stimuli: Stimuli, captions: Vec<Vec<String>>) -> Self {
        let n = stimuli.len();
        Self {
            subject: String::new(),
            source: "pictures".to_owned(),
            responses: Array2::zeros((n, 0)),
            places: Places::Columns(Vec::new()),
            affine: None,
            surfaces: None,
            regions: Vec::new(),
            timing: Timing::Trials,
            group_of_sample: (0..n).collect(),
            groups: (0..n).map(|stimulus| stimuli.id(stimulus).to_owned()).collect(),
            session_of_sample: vec![0; n],
            timeline: Timeline::whole(&vec![0; n]),
            sessions: Vec::new(),
            is_test: vec![false; n],
            stimuli: Some(stimuli),
            captions: Some(captions),
            annotations: Vec::new(),
            heard: None,
            labels: None,
            warnings: Vec::new(),
        }
    }

    /// Trials of pictures in the form of all recordings.
    pub(super) fn of_trials(data: Dataset) -> Self {
        let n = data.responses.n_units();
        let whole = |region: &&RegionUnits| region.units.len() < n;
        let mut regions: Vec<UnitGroup> = data
            .regions
            .iter()
            .filter(whole)
            .map(|region| UnitGroup {
                name: region.region.name().to_owned(),
                selector: region.selector.clone(),
                units: region.units.clone(),
                n_dropped: region.n_dropped,
            })
            .collect();
        regions.extend(data.groups);
        let groups = (0..data.stimuli.len()).map(|stimulus| data.stimuli.id(stimulus).to_owned()).collect();
        Self {
            subject: data.subject,
            source: data.source,
            responses: data.responses.data,
            places: data.places,
            affine: None,
            surfaces: data.surfaces,
            regions,
            timing: Timing::Trials,
            group_of_sample: data.responses.stimulus_of_sample,
            groups,
            sessions: Vec::new(),
            timeline: Timeline::whole(&data.responses.session_of_sample),
            session_of_sample: data.responses.session_of_sample,
            is_test: data.is_test,
            stimuli: Some(data.stimuli),
            captions: data.captions,
            annotations: Vec::new(),
            heard: None,
            labels: None,
            warnings: data.warnings,
        }
    }
}

/// Refuses a label that comes back after another: a run is one stretch of samples.
pub(super) fn expect_stretches(labels: &[String], what: &str) -> Result<(Vec<usize>, Vec<String>), PipelineError> {
    let mut names: Vec<String> = Vec::new();
    let mut group = Vec::with_capacity(labels.len());
    for (sample, label) in labels.iter().enumerate() {
        match names.iter().position(|name| name == label) {
            Some(known) if known + 1 == names.len() => {}
            Some(_) => {
                return Err(PipelineError::data(
                    format!("{what} `{label}` comes back at row {} after `{}`", sample + 1, names[names.len() - 1]),
                    format!("sort the rows so that each {what} is one stretch in the order of time"),
                ));
            }
            None => names.push(label.clone()),
        }
        group.push(names.len() - 1);
    }
    Ok((group, names))
}
