//! What systems work at: the data, the plan and the model of one comparison, and the features and decoders that they share.
//!
//! Features of a space are made once, whoever asks first. A decoder is fitted by whoever needs it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use ndarray::{Array2, Axis};
use percept_core::arm::ArmName;
use percept_core::outcome::{DecoderSummary, Role};
use percept_core::{Progress, Provenance};
use percept_pipeline::data::Columns;
use percept_pipeline::decoding::normalise::normalised;
use percept_pipeline::decoding::summary::{self, Fitted};
use percept_pipeline::decoding::{Predictions, ridge};
use percept_pipeline::experiment::{Experiment, Normalise, Region};
use percept_pipeline::spaces::{Materials, Space};
use percept_pipeline::{Arm, Dataset, FeatureTable, Generator, Inputs, PictureModel, PipelineError, Plan, RunFolder};

/// One comparison, before and while its arms are made.
pub struct Bench<'a> {
    /// What was asked for.
    pub experiment: &'a Experiment,
    /// What was measured and what was seen.
    pub data: &'a Dataset,
    /// What is fitted on what, and what is tested.
    pub plan: &'a Plan,
    /// The model.
    pub model: Arc<dyn PictureModel>,
    /// Where artefacts are kept.
    pub run: &'a RunFolder,
    /// The record of the run: hashes of all inputs.
    pub record: &'a Provenance,
    /// Who is told.
    pub progress: &'a dyn Progress,
    tables: RefCell<BTreeMap<String, Rc<FeatureTable>>>,
    warnings: RefCell<Vec<String>>,
    decoders: RefCell<Vec<DecoderSummary>>,
}

/// The parts of a [`Bench`] that do not change.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// What was asked for.
    pub experiment: &'a Experiment,
    /// What was measured and what was seen.
    pub data: &'a Dataset,
    /// What is fitted on what, and what is tested.
    pub plan: &'a Plan,
    /// Where artefacts are kept.
    pub run: &'a RunFolder,
    /// The record of the run: hashes of all inputs.
    pub record: &'a Provenance,
    /// Who is told.
    pub progress: &'a dyn Progress,
}

impl<'a> Bench<'a> {
    /// A bench on which nothing lies yet.
    pub fn new(setting: Setting<'a>, model: Arc<dyn PictureModel>) -> Self {
        let Setting { experiment, data, plan, run, record, progress } = setting;
        let (tables, warnings, decoders) = (RefCell::default(), RefCell::default(), RefCell::default());
        Self { experiment, data, plan, model, run, record, progress, tables, warnings, decoders }
    }

    /// Features of all stimuli in `space`.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn features(&self, space: &dyn Space) -> Result<Rc<FeatureTable>, PipelineError> {
        if let Some(table) = self.tables.borrow().get(space.name()) {
            return Ok(table.clone());
        }
        let table = Rc::new(space.features(&self.materials())?);
        self.tables.borrow_mut().insert(space.name().to_owned(), table.clone());
        Ok(table)
    }

    /// The feature spaces that were made so far, by name.
    pub fn tables(&self) -> Vec<(String, Rc<FeatureTable>)> {
        self.tables.borrow().iter().map(|(name, table)| (name.clone(), table.clone())).collect()
    }

    /// True features of the items' stimuli in `space`, one row per item.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn true_rows(&self, space: &dyn Space) -> Result<Array2<f32>, PipelineError> {
        Ok(self.features(space)?.values.select(Axis(0), &self.plan.stimuli()))
    }

    /// True features of the items' stimuli in all spaces that were made so far.
    pub fn truth(&self) -> Inputs {
        let stimuli = self.plan.stimuli();
        let tables = self.tables.borrow();
        tables
            .iter()
            .fold(Inputs::none(), |inputs, (name, table)| inputs.with(name, table.values.select(Axis(0), &stimuli)))
    }

    /// Predictions of `space` for all items, by ridge regression from the units of `region`.
    ///
    /// # Errors
    /// When the data have no such region, or the regression is refused.
    pub fn decode(&self, space: &dyn Space, region: Region) -> Result<Predictions, PipelineError> {
        let features = self.features(space)?;
        self.decode_columns(space.name(), &features.values.view(), &features.content, region)
    }

    /// The same for the space `feature` of features that may lie on disk; `content` is their hash.
    ///
    /// # Errors
    /// As [`Bench::decode`].
    pub fn decode_columns(
        &self,
        feature: &str,
        targets: &dyn Columns,
        content: &str,
        region: Region,
    ) -> Result<Predictions, PipelineError> {
        let units = self.data.units_of(region)?;
        let responses = self.data.responses.select_units(&units);
        let settings = &self.experiment.decode;
        if settings.normalise == Normalise::Session {
            let (_, without) = normalised(&responses, &self.plan.train[0], settings.normalise);
            if !without.is_empty() {
                self.warn(format!(
                    "{} sessions hold fewer than two training samples and were normalised by all training samples",
                    without.len()
                ));
            }
        }
        let record = self
            .record
            .only(&["responses", "design"])
            .input("features", content)
            .setting("feature", feature)
            .setting("region", &region)
            .setting("alphas", &settings.alphas)
            .setting("extend", &settings.extend)
            .setting("normalise", &settings.normalise)
            .setting("average_repeats", &settings.average_repeats)
            .setting("split", &self.experiment.split);
        let regression = ridge::Regression {
            feature,
            targets,
            n_units: units.len(),
            responses: &|fold| normalised(&responses, &self.plan.train[fold], settings.normalise).0,
            stimulus_of_sample: &self.data.responses.stimulus_of_sample,
            settings,
            provenance: record,
        };
        ridge::fit(self.run, self.plan, &regression, self.progress)
    }

    /// Has the report say how well `space` was decoded; `factor` is what predictions were stretched by.
    ///
    /// # Errors
    /// When predictions are not finite.
    pub fn report_decoder(
        &self,
        space: &dyn Space,
        region: Region,
        predictions: &Predictions,
        factor: f64,
    ) -> Result<(), PipelineError> {
        self.report_rows(space.name(), region, predictions, &self.true_rows(space)?, factor)
    }

    /// The same for the space `feature` with the true features of the items.
    ///
    /// # Errors
    /// As [`Bench::report_decoder`].
    pub fn report_rows(
        &self,
        feature: &str,
        region: Region,
        predictions: &Predictions,
        truth: &Array2<f32>,
        factor: f64,
    ) -> Result<(), PipelineError> {
        let n_units = self.data.units_of(region)?.len();
        let fitted = Fitted { feature, region, n_units, predictions, truth, factor };
        let found = summary::decoder(&fitted, self.plan)?;
        self.decoders.borrow_mut().push(found);
        Ok(())
    }

    /// What spaces are made from.
    pub fn materials(&self) -> Materials<'_> {
        let Self { run, data, record, progress, .. } = *self;
        Materials { run, data, model: &*self.model, record, progress }
    }

    /// Has the report and the log say `message`, once.
    pub fn warn(&self, message: String) {
        let mut warnings = self.warnings.borrow_mut();
        if !warnings.contains(&message) {
            warnings.push(message);
        }
    }

    /// What was said by [`Bench::warn`] and [`Bench::report_decoder`].
    pub fn into_findings(self) -> (Vec<String>, Vec<DecoderSummary>) {
        (self.warnings.into_inner(), self.decoders.into_inner())
    }

    /// An arm of this comparison, with as many draws as the experiment asks for where its generator has noise.
    ///
    /// # Errors
    /// When the name is refused.
    pub fn arm(
        &self,
        name: &str,
        role: Role,
        [short, description]: [&str; 2],
        inputs: Inputs,
        generator: Arc<dyn Generator>,
    ) -> Result<Arm, PipelineError> {
        Ok(Arm {
            name: ArmName::new(name)?,
            role,
            short: short.to_owned(),
            description: description.to_owned(),
            n_draws: if generator.is_random() { self.experiment.generate.samples } else { 1 },
            inputs,
            generator,
            is_reference: false,
            family: None,
            said: None,
        })
    }
}
