//! The fits of a run: every set of features alone, some spaces together, and which set is best.

use percept_core::{Progress, Provenance, Seed};
use percept_pipeline::data::Recording;
use percept_pipeline::encoding::features::Point;
use percept_pipeline::encoding::fit::{BandRows, FitFacts, Fits};
use percept_pipeline::encoding::predictions::{Predictions, PredictionsFile};
use percept_pipeline::encoding::score::{BestSets, Judge, ModelScores, Parts};
use percept_pipeline::encoding::{Axes, EncodingPlan};
use percept_pipeline::experiment::encoding::EncodingExperiment;
use percept_pipeline::run::StageName;
use percept_pipeline::{PipelineError, RunFolder};
use serde::{Deserialize, Serialize};

/// Of predictions, of scores; see [`percept_pipeline::run`].
const REVISION: u32 = 3;
/// A share of units with the penalty at an end of the grid that is worth a warning.
const MANY_AT_EDGE: f64 = 0.2;

/// What the fits of a run share.
pub(super) struct Bench<'a> {
    pub(super) experiment: &'a EncodingExperiment,
    pub(super) data: &'a Recording,
    pub(super) plan: &'a EncodingPlan,
    pub(super) judge: &'a Judge<'a>,
    pub(super) run: &'a RunFolder,
    pub(super) record: &'a Provenance,
    pub(super) seed: Seed,
    pub(super) progress: &'a dyn Progress,
}

/// One set of features and what it predicts.
pub(super) struct Model {
    pub(super) point: Point,
    pub(super) scores: ModelScores,
    pub(super) facts: FitFacts,
}

/// Spaces together, at one point of the axes of the one that has several.
pub(super) struct Joint {
    pub(super) names: Vec<String>,
    pub(super) axes: Axes,
    /// The models of [`Judge::sets`], by the keys of their predictions.
    pub(super) keys: Vec<String>,
    /// Of the model with all of them.
    pub(super) scores: ModelScores,
    pub(super) parts: Parts,
}

/// The best of the sets of a space.
pub(super) struct BestOfSpace {
    /// The space's number.
    pub(super) space: usize,
    pub(super) sets: BestSets,
}

/// All that was found.
pub(super) struct Found {
    /// The sets of every space.
    pub(super) spaces: Vec<Vec<Point>>,
    /// Of every space, in the order of its sets.
    pub(super) models: Vec<Vec<Model>>,
    pub(super) joint: Vec<Joint>,
    pub(super) best: Vec<BestOfSpace>,
    pub(super) decoded: Option<Decoded>,
}

impl Found {
    /// Fits whose penalty was often at an end of the grid: the most common wrong result of the field.
    pub(super) fn edge_warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for model in self.models.iter().flatten() {
            let [low, _] = model.facts.at_edge;
            if low > MANY_AT_EDGE {
                warnings.push(format!(
                    "{:.0} % of the units take the smallest penalty for `{}`: a smaller one may predict better (extend `encode.alphas`)",
                    100.0 * low,
                    model.point.words()
                ));
            }
        }
        warnings
    }
}

impl Bench<'_> {
    /// Every set of features alone.
    pub(super) fn models(&self, spaces: &[Vec<Point>]) -> Result<Vec<Vec<Model>>, PipelineError> {
        let n = spaces.iter().map(Vec::len).sum::<usize>();
        self.progress.begin("models", n as u64);
        let mut all = Vec::with_capacity(spaces.len());
        for points in spaces {
            let mut models = Vec::with_capacity(points.len());
            for point in points {
                let (record, facts) = self.predict(&point.key(), &[point])?;
                let scores = self.scored(&point.key(), record)?;
                models.push(Model { point: point.clone(), scores, facts });
                self.progress.advance(1);
            }
            all.push(models);
        }
        self.progress.end("");
        Ok(all)
    }

    /// Makes the predictions of a model of `points` unless they are there; the record of what depends on them.
    fn predict(&self, key: &str, points: &[&Point]) -> Result<(Provenance, FitFacts), PipelineError> {
        let mut record = self
            .record
            .only(&["responses", "design"])
            .setting("encode", &self.experiment.encode)
            .setting("folds", &self.plan.words);
        for point in points {
            record = record.input(&format!("features {}", point.space), point.content.clone());
        }
        let path = predictions_path(key);
        let facts = format!("predictions/{key}.json");
        let stage = self.run.stage(
            StageName { name: &format!("predictions.{key}"), revision: REVISION },
            record.clone(),
            || {
                let rows =
                    points.iter().map(|point| point.of_scans(self.run, self.data)).collect::<Result<Vec<_>, _>>()?;
                let bands: Vec<BandRows<'_>> = points
                    .iter()
                    .zip(&rows)
                    .map(|(point, rows)| BandRows { name: &point.space, rows: rows.view() })
                    .collect();
                let seed = self.seed.named("bands").named(key);
                let n_units = self.data.responses.ncols();
                let out = PredictionsFile::create(self.run, &path, self.plan.n_items(), n_units)?;
                let fits = Fits { data: self.data, plan: self.plan, settings: &self.experiment.encode };
                let found: FitFacts = fits.held_out(key, &bands, seed, &out)?;
                out.finish()?;
                self.run.write_json(&facts, &found)?;
                Ok(vec![path.clone(), facts.clone()])
            },
        )?;
        let facts = self.run.read_json(&facts, "facts of a fit")?;
        Ok((record.input("predictions", stage.content()), facts))
    }

    /// Held-out predictions that were made before.
    pub(super) fn predictions(&self, key: &str) -> Result<Predictions, PipelineError> {
        Predictions::open(self.run, &predictions_path(key), self.plan.n_items())
    }

    /// The same of several models.
    pub(super) fn all_predictions(&self, keys: &[String]) -> Result<Vec<Predictions>, PipelineError> {
        keys.iter().map(|key| self.predictions(key)).collect()
    }

    fn scored(&self, key: &str, record: Provenance) -> Result<ModelScores, PipelineError> {
        self.kept("scores", key, record, |bench| bench.judge.scores(&bench.predictions(key)?))
    }

    /// The result of `make`, kept as the stage `kind.key`.
    pub(super) fn kept<T: Serialize + for<'de> Deserialize<'de>>(
        &self,
        kind: &str,
        key: &str,
        record: Provenance,
        make: impl FnOnce(&Self) -> Result<T, PipelineError>,
    ) -> Result<T, PipelineError> {
        let path = format!("{kind}/{key}.json");
        let record = record.setting("statistics", &self.experiment.statistics).setting("seed", &self.seed);
        self.run.stage(StageName { name: &format!("{kind}.{key}"), revision: REVISION }, record, || {
            self.run.write_json(&path, &make(self)?)?;
            Ok(vec![path.clone()])
        })?;
        self.run.read_json(&path, "scores")
    }

    /// The spaces of `encode.together`, at every point of the one that has several.
    pub(super) fn joint(&self, spaces: &[Vec<Point>]) -> Result<Vec<Joint>, PipelineError> {
        let names = &self.experiment.encode.together;
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let chosen: Vec<&Vec<Point>> = names
            .iter()
            .filter_map(|name| spaces.iter().find(|points| points.first().is_some_and(|point| point.space == *name)))
            .collect();
        let several: Vec<usize> = (0..chosen.len()).filter(|&place| chosen[place].len() > 1).collect();
        if several.len() > 1 {
            let words: Vec<String> = several.iter().map(|&place| format!("`{}`", names[place])).collect();
            return Err(PipelineError::data(
                format!(
                    "`encode.together` names {}, which all have several layers, steps or blocks",
                    words.join(" and ")
                ),
                "give all but one of them a single place",
            ));
        }
        let n = several.first().map_or(1, |&place| chosen[place].len());
        self.progress.begin("spaces together", n as u64);
        let mut all = Vec::with_capacity(n);
        for position in 0..n {
            let points: Vec<&Point> = chosen.iter().map(|points| &points[position.min(points.len() - 1)]).collect();
            let axes = several.first().map_or_else(Axes::none, |&place| points[place].axes.clone());
            all.push(self.together(position, &points, axes)?);
            self.progress.advance(1);
        }
        self.progress.end("");
        Ok(all)
    }

    fn together(&self, position: usize, points: &[&Point], axes: Axes) -> Result<Joint, PipelineError> {
        let names: Vec<&str> = points.iter().map(|point| point.space.as_str()).collect();
        let sets = Judge::sets(points.len());
        let mut keys = Vec::with_capacity(sets.len());
        let mut parts_record = self.record.only(&["responses", "design"]);
        let mut whole = None;
        for set in sets {
            let members: Vec<&Point> =
                points.iter().enumerate().filter(|(space, _)| set >> space & 1 == 1).map(|(_, point)| *point).collect();
            // A space by itself was fitted already, on the same samples and with the same penalties.
            let key = match members.as_slice() {
                [alone] => alone.key(),
                several => several.iter().map(|point| point.key()).collect::<Vec<_>>().join("+"),
            };
            let (record, _) = self.predict(&key, &members)?;
            parts_record = parts_record.input(&key, record.fingerprint());
            if members.len() == points.len() {
                whole = Some((key.clone(), record));
            }
            keys.push(key);
        }
        let (key, record) =
            whole.ok_or_else(|| PipelineError::data("no model holds all spaces", "please report this"))?;
        let scores = self.scored(&key, record)?;
        let parts = self.kept("parts", &format!("{position:04}"), parts_record.setting("names", &names), |bench| {
            bench.judge.shares(&names, &bench.all_predictions(&keys)?)
        })?;
        Ok(Joint { names: names.into_iter().map(str::to_owned).collect(), axes, keys, scores, parts })
    }

    /// The best set of every space that has several.
    pub(super) fn best(&self, spaces: &[Vec<Point>]) -> Result<Vec<BestOfSpace>, PipelineError> {
        let mut all = Vec::new();
        for (space, points) in spaces.iter().enumerate().filter(|(_, points)| points.len() > 1) {
            let mut record =
                self.record.only(&["responses", "design", "stimuli"]).setting("encode", &self.experiment.encode);
            for point in points {
                record = record.input(&point.key(), point.content.clone());
            }
            let sets = self.kept("best", &points[0].space, record, |bench| {
                let keys: Vec<String> = points.iter().map(Point::key).collect();
                bench.judge.best(&bench.all_predictions(&keys)?)
            })?;
            all.push(BestOfSpace { space, sets });
        }
        Ok(all)
    }
}

fn predictions_path(key: &str) -> String {
    format!("predictions/{key}.safetensors")
}

/// How well categories are decoded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Decoded {
    /// The categories.
    pub(super) names: Vec<String>,
    /// Share of scans with the right answer, with its interval over runs.
    pub(super) accuracy: [f64; 3],
    /// Row: what was shown; column: the share of answers.
    pub(super) confusion: Vec<Vec<f64>>,
    /// Delay in samples.
    pub(super) delay: usize,
    /// Decoded samples.
    pub(super) n: usize,
    /// The share of right answers in the largest category: what a guesser who knows the counts reaches.
    pub(super) chance: f64,
}
