//! `percept predict`: predictions of a model that `percept fit` made, streamed.

use percept::linear::{Missing, PredictJob, predict};

use crate::arguments::Predict;
use crate::output::{bytes, json, say};
use crate::progress::Bars;
use crate::settings::parse_bytes;

/// Predicts.
pub(crate) fn run(arguments: &Predict) -> anyhow::Result<()> {
    let mut x = arguments.x.iter().map(|text| text.parse()).collect::<Result<Vec<_>, _>>()?;
    let bands = x.split_off(1);
    let job = PredictJob {
        model: arguments.model.clone(),
        x: x.remove(0),
        bands,
        missing: if arguments.mask_missing { Missing::Mask } else { Missing::Refuse },
        memory: arguments.memory.as_deref().map(parse_bytes).transpose()?,
        out: arguments.out.clone(),
    };
    let predicted = predict(&job, &Bars::new())?;
    if arguments.json {
        return json(&predicted);
    }
    let peak = predicted.peak_bytes.map_or_else(String::new, |peak| format!(", peak memory {}", bytes(peak)));
    say(format!(
        "{} samples × {} targets in {:.1} s{peak}",
        predicted.n_samples, predicted.n_targets, predicted.seconds
    ));
    say(format!("predictions: {}", predicted.out.display()));
    Ok(())
}
