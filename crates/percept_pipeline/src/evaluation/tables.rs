//! Score tables on disk: `scores.json`, `scores_per_image.json`, and the same as Parquet.

use percept_core::ScoreRow;
use percept_io::parquet::{self, Column};

use serde::{Deserialize, Serialize};

use crate::error::PipelineError;
use crate::run::RunFolder;

pub(super) const SCORES: &str = "scores.json";
pub(super) const ITEMS: &str = "scores_per_image.json";
const SCORES_TABLE: &str = "scores.parquet";
const ITEMS_TABLE: &str = "scores_per_image.parquet";

/// `scores_per_image.json`.
#[derive(Serialize, Deserialize)]
pub(super) struct PerItem {
    /// Names of the last axis of `scores`.
    pub(super) metrics: Vec<String>,
    /// Names of the first axis.
    pub(super) methods: Vec<String>,
    /// Names of the middle axis.
    pub(super) images: Vec<String>,
    /// Method, image, metric; null where a method lacks what the metric compares, or the metric is not defined.
    pub(super) scores: Vec<Vec<Vec<Option<f64>>>>,
    /// What a reader of the scores must know.
    #[serde(default)]
    pub(super) warnings: Vec<String>,
}

/// What was computed, before it is written.
pub(super) struct Computed {
    pub(super) rows: Vec<ScoreRow>,
    pub(super) per_item: PerItem,
}

/// Writes all four and returns their names.
pub(super) fn write(run: &RunFolder, computed: &Computed) -> Result<Vec<String>, PipelineError> {
    let Computed { rows, per_item } = computed;
    run.write_json(SCORES, rows)?;
    let text = |of: fn(&ScoreRow) -> &str| Column::Text(rows.iter().map(|row| of(row).to_owned()).collect());
    let number = |of: fn(&ScoreRow) -> f64| Column::Float(rows.iter().map(of).collect());
    parquet::write(
        run.file(SCORES_TABLE),
        &[
            ("method", text(|row| &row.method)),
            ("split", text(|row| &row.split)),
            ("metric", text(|row| &row.metric)),
            ("value", number(|row| row.value)),
            ("low", number(|row| row.low)),
            ("high", number(|row| row.high)),
            ("chance", Column::OptionalFloat(rows.iter().map(|row| row.chance).collect())),
            ("n", Column::Integer(rows.iter().map(|row| row.n as i64).collect())),
            ("n_undefined", Column::Integer(rows.iter().map(|row| row.n_undefined as i64).collect())),
        ],
    )?;
    let (methods, images) = (&per_item.methods, &per_item.images);
    let mut columns = vec![
        ("method", Column::Text(methods.iter().flat_map(|method| images.iter().map(|_| method.clone())).collect())),
        ("image", Column::Text(methods.iter().flat_map(|_| images.iter().cloned()).collect())),
    ];
    for (metric_idx, metric) in per_item.metrics.iter().enumerate() {
        let values: Vec<Option<f64>> = per_item.scores.iter().flatten().map(|item| item[metric_idx]).collect();
        let column = match values.iter().copied().collect::<Option<Vec<f64>>>() {
            Some(values) => Column::Float(values),
            None => Column::OptionalFloat(values),
        };
        columns.push((metric, column));
    }
    parquet::write(run.file(ITEMS_TABLE), &columns)?;
    run.write_json(ITEMS, per_item)?;
    Ok([SCORES, SCORES_TABLE, ITEMS, ITEMS_TABLE].map(str::to_owned).to_vec())
}
