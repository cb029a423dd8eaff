//! The sections of counts and settings: data, decoders, the experiment, where it all came from, and how to read it.

use std::collections::BTreeSet;
use std::fmt::Write;

use percept_core::Provenance;
use percept_core::outcome::{DataSummary, DecoderSummary, Outcome, RegionSummary};

use crate::glossary::Glossary;
use crate::markup::{count, decimal, escape, percent, sentence, strength, table};

/// Appends what was measured.
pub fn data(out: &mut String, facts: &DataSummary) {
    out.push_str("<dl class=\"facts\">\n");
    let mut fact = |name: &str, text: String| {
        if !text.is_empty() {
            let _ = writeln!(out, "<div><dt>{name}</dt><dd>{text}</dd></div>");
        }
    };
    fact("Subject", escape(&facts.subject));
    fact("Responses", escape(&facts.source));
    fact("Split", escape(&facts.split));
    // Whoever counts something else than trials says it in words with the split.
    let side = |trials, stimuli| match trials {
        0 => String::new(),
        _ => format!("{} trials of {} stimuli", count(trials), count(stimuli)),
    };
    fact("Training", side(facts.n_train_samples, facts.n_train_stimuli));
    fact("Test", side(facts.n_test_samples, facts.n_test_stimuli));
    out.push_str("</dl>\n");
    if !facts.regions.is_empty() {
        let caption = "Regions: how many voxels, and how much of their variance any model could explain";
        regions(out, "Region", caption, &facts.regions);
    }
    if !facts.groups.is_empty() {
        out.push_str("<h3>Groups of voxels that trained encoders treat apart</h3>\n");
        regions(
            out,
            "Group",
            "Groups of voxels that trained encoders treat apart; no voxel belongs to two",
            &facts.groups,
        );
    }
}

/// Regions or groups with their voxels and noise.
fn regions(out: &mut String, head: &str, caption: &str, rois: &[RegionSummary]) {
    let known = |value: Option<f64>, form: fn(f64) -> String| value.map_or_else(|| "not known".to_owned(), form);
    let rows: Vec<Vec<String>> = rois
        .iter()
        .map(|roi| {
            vec![
                escape(&roi.name),
                if roi.selector.is_empty() {
                    "all".to_owned()
                } else {
                    format!("<code>{}</code>", escape(&roi.selector))
                },
                count(roi.n_units),
                count(roi.n_dropped),
                known(roi.ncsnr_median, decimal),
                known(roi.ceiling_median, percent),
            ]
        })
        .collect();
    let heads = [head, "Selected by", "Voxels", "Left out", "Median ncsnr", "Median noise ceiling"];
    table(out, "numbers", caption, &heads, &rows);
}

/// Appends the fitted decoders.
pub fn decoders(out: &mut String, decoders: &[DecoderSummary]) {
    let rows: Vec<Vec<String>> = decoders
        .iter()
        .map(|decoder| {
            let (below, above) = at_edges(decoder);
            let share = |n: usize| n as f64 / decoder.n_targets.max(1) as f64;
            let edges = if decoder.alphas.len() < 2 {
                "one strength only".to_owned()
            } else {
                format!("{} low, {} high", percent(share(below)), percent(share(above)))
            };
            vec![
                escape(&decoder.feature),
                escape(&decoder.region),
                format!(
                    "{} × {}{}",
                    count(decoder.n_samples),
                    count(decoder.n_units),
                    if decoder.n_folds > 1 { format!(", {} fits", count(decoder.n_folds)) } else { String::new() }
                ),
                count(decoder.n_targets),
                histogram(decoder),
                edges,
                format!("R² {}", decimal(decoder.cv_r2)),
                format!("r {}", decimal(decoder.test_correlation)),
                percent(decoder.kept_variance) + &stretched(decoder.rescale_median),
            ]
        })
        .collect();
    table(
        out,
        "numbers decoders",
        "One ridge regression per feature space, its strength chosen per target by cross-validation",
        &[
            "Feature space",
            "Regions",
            "Samples × voxels",
            "Targets",
            "Chosen strength",
            "At the grid’s edge",
            "Cross-validated",
            "On the test set",
            "Variance kept",
        ],
        &rows,
    );
}

/// How far predictions were stretched against shrinkage; nothing when they were not.
fn stretched(factor: f64) -> String {
    if factor == 1.0 { String::new() } else { format!(", stretched × {}", decimal(factor)) }
}

/// Number of targets whose choice lies on the lower and on the upper edge of the grid.
fn at_edges(decoder: &DecoderSummary) -> (usize, usize) {
    match decoder.n_targets_of_alpha.as_slice() {
        [first, .., last] => (*first, *last),
        _ => (0, 0),
    }
}

/// The chosen strengths as bars, lowest strength on the left.
fn histogram(decoder: &DecoderSummary) -> String {
    let (Some(&first), Some(&last)) = (decoder.alphas.first(), decoder.alphas.last()) else {
        return "not known".to_owned();
    };
    if decoder.alphas.len() == 1 {
        return strength(first);
    }
    const BAR: usize = 8;
    const GAP: usize = 2;
    let most = decoder.n_targets_of_alpha.iter().copied().max().unwrap_or(1).max(1) as f64;
    let width = decoder.alphas.len() * (BAR + GAP) - GAP;
    let bars: Vec<(usize, String)> = decoder
        .alphas
        .iter()
        .zip(&decoder.n_targets_of_alpha)
        .map(|(&alpha, &n)| (n, format!("{}: {}", strength(alpha), count(n))))
        .collect();
    let said: Vec<&str> = bars.iter().map(|(_, said)| said.as_str()).collect();
    let mut out = format!(
        "<svg class=\"bars\" width=\"{width}\" height=\"28\" viewBox=\"0 0 {width} 28\" role=\"img\" aria-label=\"targets by strength: {}\">",
        said.join(", ")
    );
    for (i, (n, said)) in bars.iter().enumerate() {
        let height = (*n as f64 / most * 27.0).max(1.0);
        let _ = write!(
            out,
            "<rect x=\"{}\" y=\"{:.1}\" width=\"{BAR}\" height=\"{height:.1}\"><title>{said}</title></rect>",
            i * (BAR + GAP),
            28.0 - height,
        );
    }
    let _ = write!(out, "</svg><span class=\"ends\">{} to {}</span>", strength(first), strength(last));
    out
}

/// Appends the resolved experiment.
pub fn experiment(out: &mut String, toml: &str) {
    let _ = write!(
        out,
        "<p>The experiment as it was resolved. Saved as a file it gives the same result again.</p>\n\
         <details><summary>{} lines of TOML</summary><pre tabindex=\"0\"><code>{}</code></pre></details>\n",
        toml.lines().count(),
        escape(toml)
    );
}

/// Appends program, seed, fingerprint, input hashes and settings.
pub fn provenance(out: &mut String, provenance: &Provenance) {
    let _ = writeln!(
        out,
        "<dl class=\"facts\"><div><dt>Program</dt><dd>{}</dd></div><div><dt>Seed</dt><dd>{}</dd></div>\
         <div class=\"wide\"><dt>Fingerprint</dt><dd><code>{}</code></dd></div></dl>",
        escape(&provenance.program),
        provenance.seed,
        provenance.fingerprint()
    );
    let cells = |(name, value): (&String, &String)| vec![escape(name), format!("<code>{}</code>", escape(value))];
    for (title, caption, entries) in [
        ("inputs and their hashes", "Content hashes (BLAKE3) of everything that was read", &provenance.inputs),
        ("settings in effect", "Settings in effect", &provenance.settings),
    ] {
        if !entries.is_empty() {
            let rows: Vec<Vec<String>> = entries.iter().map(cells).collect();
            let _ = writeln!(out, "<details><summary>{} {title}</summary>", entries.len());
            table(out, "entries", caption, &["Name", "Value"], &rows);
            out.push_str("</details>\n");
        }
    }
}

/// Appends one sentence for every arm and metric, and what intervals and chance mean.
pub fn notes(out: &mut String, glossary: &Glossary<'_>, outcome: &Outcome) {
    out.push_str("<h3>The columns</h3>\n<dl class=\"notes\">\n<dt>stimulus</dt><dd>What was presented.</dd>\n");
    for arm in outcome.arms.iter().filter(|arm| !arm.description.is_empty()) {
        let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", escape(&arm.name), sentence(&arm.description));
    }
    if outcome.items.iter().any(|item| item.arms.iter().any(|arm| !arm.said.is_empty())) {
        out.push_str(
            "<dt>Captions</dt><dd>What was decoded on the way. Green words stand in people's captions of the stimulus, too; words \
             that are struck out do not; words such as <i>the</i> say nothing by themselves and are left as they are.</dd>\n",
        );
    }
    out.push_str("</dl>\n<h3>The scores</h3>\n<dl class=\"notes\">\n");
    let mut seen = BTreeSet::new();
    for facts in outcome.scores.iter().filter_map(|row| glossary.metric(&row.metric)) {
        if seen.insert(&facts.name) {
            let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", escape(&facts.label), sentence(&facts.description));
        }
    }
    out.push_str(
        "<dt>Interval</dt><dd>95 % bootstrap interval over stimuli: how much the average would move with other stimuli, not with other subjects.</dd>\n\
         <dt>Chance</dt><dd>What guessing would score; drawn as a dashed line. It is 50 % for identification; for other scores it is measured: what the same pictures score against the stimuli of other items. A method whose interval reaches it has shown nothing.</dd>\n\
         </dl>\n",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_strength_has_no_edges() {
        let mut decoder = DecoderSummary { n_targets_of_alpha: vec![24, 900, 100], ..DecoderSummary::default() };
        assert_eq!(at_edges(&decoder), (24, 100));
        decoder.n_targets_of_alpha.truncate(1);
        assert_eq!(at_edges(&decoder), (0, 0));
        assert_eq!(stretched(1.0), "", "a factor of 1 is no rescaling");
    }
}
