//! From what a reconstruction run leaves behind to what its report says.

use percept_methods::decoding::{ArmSummary, DataSummary, DecoderSummary, Outcome, RegionSummary};

use crate::model::{AlphaCount, DataFacts, DecoderFacts, Gallery, GalleryRow, MethodFacts, ReportModel, RoiFacts};

/// The report of a reconstruction run.
impl From<&Outcome> for ReportModel {
    fn from(outcome: &Outcome) -> Self {
        Self {
            title: outcome.name.clone(),
            lead: lead(outcome),
            warnings: outcome.warnings.clone(),
            galleries: if outcome.arms.is_empty() { Vec::new() } else { vec![gallery(outcome)] },
            methods: outcome
                .arms
                .iter()
                .map(|arm| MethodFacts { name: arm.name.clone(), description: arm.description.clone() })
                .collect(),
            scores: outcome.scores.clone(),
            differences: outcome.differences.clone(),
            sections: outcome.sections.clone(),
            data: data(&outcome.data),
            decoders: outcome.decoders.iter().map(decoder).collect(),
            experiment: outcome.experiment.clone(),
            provenance: outcome.provenance.clone(),
        }
    }
}

fn lead(outcome: &Outcome) -> String {
    let names: Vec<String> = outcome.arms.iter().map(|arm| format!("`{}`", arm.name)).collect();
    let arms = match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    };
    let n = outcome.data.n_test_stimuli;
    if outcome.arms.is_empty() {
        let subject = &outcome.data.subject;
        return format!("Encoders trained on the responses of {subject}, tested on {n} other pictures.");
    }
    format!(
        "Pictures reconstructed from the responses of {} to {n} {}: {arms} side by side, with the same seed and noise.",
        outcome.data.subject,
        if n == 1 { "stimulus" } else { "stimuli" },
    )
}

fn gallery(outcome: &Outcome) -> Gallery {
    let columns = std::iter::once("stimulus").chain(outcome.arms.iter().map(|arm| arm.name.as_str()));
    let (arm_idx, metrics) = sorted_by(outcome);
    // Where less is better, the reader's "best first" needs the other sign.
    let ranked = |arm: &percept_methods::decoding::ItemArm| -> Vec<f64> {
        let sign = |metric: &str| if crate::words::metric(metric).lower_is_better { -1.0 } else { 1.0 };
        arm.scores.iter().zip(&metrics).map(|(score, metric)| sign(metric) * score).collect()
    };
    let rows = outcome
        .items
        .iter()
        .map(|item| GalleryRow {
            id: item.id.clone(),
            caption: item.caption.clone(),
            pictures: std::iter::once(Some(item.stimulus.clone()))
                .chain(item.arms.iter().map(|arm| arm.pictures.first().cloned()))
                .collect(),
            scores: item.arms.get(arm_idx).map_or_else(|| vec![0.0; metrics.len()], ranked),
        })
        .collect();
    let arm = outcome.arms.get(arm_idx).map_or("", |arm: &ArmSummary| arm.name.as_str());
    Gallery {
        title: "Test stimuli".to_owned(),
        columns: columns.map(str::to_owned).collect(),
        sort_keys: metrics.iter().map(|metric| format!("{} of {arm}", crate::words::label(metric))).collect(),
        rows,
    }
}

/// The arm by whose scores the reader may sort (the trained encoder with regions and captions, `z+c`, or the first), and its
/// metrics in order.
fn sorted_by(outcome: &Outcome) -> (usize, Vec<&str>) {
    let place = |name: &&str| outcome.arms.iter().position(|arm| arm.name == *name);
    let arm_idx = ["b2c+patch+clip", "z+c"].iter().find_map(place).unwrap_or(0);
    let name = outcome.arms.get(arm_idx).map_or("", |arm| arm.name.as_str());
    let metrics = outcome.scores.iter().filter(|row| row.method == name).map(|row| row.metric.as_str()).collect();
    (arm_idx, metrics)
}

fn data(summary: &DataSummary) -> DataFacts {
    DataFacts {
        subject: summary.subject.clone(),
        source: summary.source.clone(),
        split: summary.split.clone(),
        n_train_trials: summary.n_train_samples,
        n_train_stimuli: summary.n_train_stimuli,
        n_test_trials: summary.n_test_samples,
        n_test_stimuli: summary.n_test_stimuli,
        rois: summary.regions.iter().map(roi).collect(),
        groups: summary.groups.iter().map(roi).collect(),
    }
}

fn roi(region: &RegionSummary) -> RoiFacts {
    RoiFacts {
        name: region.name.clone(),
        selector: region.selector.clone(),
        n_units: region.n_units,
        n_dropped: region.n_dropped,
        ncsnr_median: region.ncsnr_median,
        ceiling_median: region.ceiling_median,
    }
}

fn decoder(summary: &DecoderSummary) -> DecoderFacts {
    DecoderFacts {
        feature: summary.feature.clone(),
        rois: vec![summary.region.clone()],
        n_units: summary.n_units,
        n_targets: summary.n_targets,
        n_samples: summary.n_samples,
        n_folds: summary.n_folds,
        alphas: summary
            .alphas
            .iter()
            .zip(&summary.n_targets_of_alpha)
            .map(|(&alpha, &n_targets)| AlphaCount { alpha, n_targets })
            .collect(),
        cv_score: Some(summary.cv_r2),
        cv_metric: "R²".to_owned(),
        test_correlation: Some(summary.test_correlation),
        kept_variance: Some(summary.kept_variance),
        rescale: (summary.rescale_median != 1.0).then_some(summary.rescale_median),
    }
}
