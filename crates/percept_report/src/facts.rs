//! The sections of counts and settings: data, decoders, the experiment, where it all came from, and how to read it.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::markup::{count, decimal, escape, percent, sentence, strength, table};
use crate::model::{DataFacts, DecoderFacts, ReportModel, RoiFacts};
use crate::words;

/// Appends what was measured.
pub fn data(out: &mut String, facts: &DataFacts) {
    out.push_str("<dl class=\"facts\">\n");
    let mut fact = |name: &str, text: String| {
        if !text.is_empty() {
            let _ = writeln!(out, "<div><dt>{name}</dt><dd>{text}</dd></div>");
        }
    };
    fact("Subject", escape(&facts.subject));
    fact("Responses", escape(&facts.source));
    fact("Split", escape(&facts.split));
    let side = |trials, stimuli| format!("{} trials of {} stimuli", count(trials), count(stimuli));
    fact("Training", side(facts.n_train_trials, facts.n_train_stimuli));
    fact("Test", side(facts.n_test_trials, facts.n_test_stimuli));
    out.push_str("</dl>\n");
    if !facts.rois.is_empty() {
        let caption = "Regions: how many voxels, and how much of their variance any model could explain";
        regions(out, "Region", caption, &facts.rois);
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
fn regions(out: &mut String, head: &str, caption: &str, rois: &[RoiFacts]) {
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
pub fn decoders(out: &mut String, decoders: &[DecoderFacts]) {
    let rows: Vec<Vec<String>> = decoders
        .iter()
        .map(|decoder| {
            let (below, above) = decoder.at_edges();
            let share = |n: usize| n as f64 / decoder.n_targets.max(1) as f64;
            let edges = if decoder.alphas.len() < 2 {
                "one strength only".to_owned()
            } else {
                format!("{} low, {} high", percent(share(below)), percent(share(above)))
            };
            vec![
                escape(&decoder.feature),
                escape(&decoder.rois.join(", ")),
                format!(
                    "{} × {}{}",
                    count(decoder.n_samples),
                    count(decoder.n_units),
                    if decoder.n_folds > 1 { format!(", {} fits", count(decoder.n_folds)) } else { String::new() }
                ),
                count(decoder.n_targets),
                histogram(decoder),
                edges,
                decoder.cv_score.map_or_else(
                    || "not known".to_owned(),
                    |score| format!("{} {}", escape(&decoder.cv_metric), decimal(score)),
                ),
                decoder.test_correlation.map_or_else(|| "not known".to_owned(), |r| format!("r {}", decimal(r))),
                decoder.kept_variance.map_or_else(|| "not known".to_owned(), percent)
                    + &decoder.rescale.map_or_else(String::new, |factor| format!(", stretched × {}", decimal(factor))),
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

/// The chosen strengths as bars, lowest strength on the left.
fn histogram(decoder: &DecoderFacts) -> String {
    let (Some(first), Some(last)) = (decoder.alphas.first(), decoder.alphas.last()) else {
        return "not known".to_owned();
    };
    if decoder.alphas.len() == 1 {
        return strength(first.alpha);
    }
    const BAR: usize = 8;
    const GAP: usize = 2;
    let most = decoder.alphas.iter().map(|a| a.n_targets).max().unwrap_or(1).max(1) as f64;
    let width = decoder.alphas.len() * (BAR + GAP) - GAP;
    let words: Vec<String> =
        decoder.alphas.iter().map(|a| format!("{}: {}", strength(a.alpha), count(a.n_targets))).collect();
    let mut out = format!(
        "<svg class=\"bars\" width=\"{width}\" height=\"28\" viewBox=\"0 0 {width} 28\" role=\"img\" aria-label=\"targets by strength: {}\">",
        words.join(", ")
    );
    for (i, alpha) in decoder.alphas.iter().enumerate() {
        let height = (alpha.n_targets as f64 / most * 27.0).max(1.0);
        let _ = write!(
            out,
            "<rect x=\"{}\" y=\"{:.1}\" width=\"{BAR}\" height=\"{height:.1}\"><title>{}</title></rect>",
            i * (BAR + GAP),
            28.0 - height,
            words[i]
        );
    }
    let _ = write!(out, "</svg><span class=\"ends\">{} to {}</span>", strength(first.alpha), strength(last.alpha));
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
pub fn provenance(out: &mut String, model: &ReportModel) {
    let provenance = &model.provenance;
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

/// Appends one sentence for every method and metric that occurs, and what intervals and chance mean.
pub fn notes(out: &mut String, model: &ReportModel) {
    let columns = model.galleries.iter().flat_map(|gallery| &gallery.columns);
    let mut seen = BTreeSet::new();
    out.push_str("<h3>The columns</h3>\n<dl class=\"notes\">\n");
    for name in columns.chain(model.scores.iter().map(|row| &row.method)) {
        // What the run says of itself is truer than what is usually meant by the name.
        let own = model.methods.iter().find(|method| method.name == *name).map(|method| method.description.as_str());
        let long = own.filter(|text| !text.is_empty()).unwrap_or(words::method(name).long);
        if !long.is_empty() && seen.insert(name) {
            let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", escape(name), sentence(long));
        }
    }
    out.push_str("</dl>\n<h3>The scores</h3>\n<dl class=\"notes\">\n");
    seen.clear();
    for name in model.scores.iter().map(|row| &row.metric) {
        let words = words::metric(name);
        if let Some(label) = words.label
            && seen.insert(name)
        {
            let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", escape(label), escape(words.long));
        }
    }
    out.push_str(
        "<dt>Interval</dt><dd>95 % bootstrap interval over stimuli: how much the average would move with other stimuli, not with other subjects.</dd>\n\
         <dt>Chance</dt><dd>What guessing would score; drawn as a dashed line. A method whose interval reaches it has shown nothing.</dd>\n\
         </dl>\n",
    );
}
