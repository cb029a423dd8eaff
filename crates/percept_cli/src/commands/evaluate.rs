//! `percept evaluate captions`: scores of anybody's captions.

use std::path::Path;

use anyhow::bail;
use percept::pipeline::evaluation::{CaptionFiles, CaptionImages, score_caption_files};
use percept::pipeline::experiment::Pack;

use crate::arguments::EvaluateCaptions;
use crate::output::{json, say};
use crate::progress::Bars;
use crate::settings::pack;

/// What published CLIPScores put before each caption.
const PREFIX: &str = "A photo depicts ";

/// Scores captions.
pub(crate) fn captions(arguments: &EvaluateCaptions) -> anyhow::Result<()> {
    let images = match &arguments.images {
        None => None,
        Some(folder) => {
            let name = arguments.model.as_deref().unwrap_or(Path::new("pocket"));
            let Some(pack) = pack(name)? else {
                bail!("there is no model pack `{}` (name a folder, `hf:ORG/NAME` or `pocket`)", name.display());
            };
            let usual = if pack == Pack::Pocket { "" } else { PREFIX };
            let prefix = arguments.prefix.clone().unwrap_or_else(|| usual.to_owned());
            Some(CaptionImages { folder: folder.clone(), pack, prefix })
        }
    };
    let files = CaptionFiles {
        predicted: arguments.predicted.clone(),
        reference: arguments.reference.clone(),
        method: arguments.method.clone(),
        common: arguments.common,
        images,
        n_draws: arguments.draws as usize,
        n_shuffles: arguments.shuffles as usize,
        seed: arguments.seed,
    };
    let scores = score_caption_files(&files, &Bars::new())?;
    for (what, ids) in [
        ("predicted captions without a reference", &scores.without_reference),
        ("references without a predicted caption", &scores.without_prediction),
    ] {
        if !ids.is_empty() {
            say(format!("left out {} {what}: {}", ids.len(), ids.join(", ")));
        }
    }
    if arguments.json {
        return json(&scores.rows);
    }
    say(format!("{:16}{:>8}   {:17} chance   99.9 % of shuffles", "", "score", "95 % interval"));
    for row in &scores.rows {
        let interval = format!("{:.3} to {:.3}", row.low, row.high);
        let chance = row.chance.zip(row.chance_99_9);
        let chance = chance.map_or_else(String::new, |(mean, high)| format!("{mean:.3}    {high:.3}"));
        say(format!("{:16}{:8.3}   {interval:17} {chance}", row.metric, row.value));
    }
    say(format!("{} items", scores.rows.first().map_or(0, |row| row.n)));
    Ok(())
}
