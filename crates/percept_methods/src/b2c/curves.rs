//! The curves of trainings: losses and scores on validation images over steps.

use percept_core::figure::{Curve, Lines, Panel};
use percept_core::{Figure, figure};

use super::folder::VariantFacts;
use super::validation::Validation;

/// The curves of trainings: losses and scores on validation images over steps.
pub(super) fn curves(variants: &[VariantFacts]) -> Figure {
    let panel = |title: &str, label: &str, of: &dyn Fn(&Validation) -> f64| Panel {
        title: title.to_owned(),
        y: figure::Axis::plain(label),
        series: variants
            .iter()
            .map(|variant| Curve {
                name: variant.name.clone(),
                points: variant.validations.iter().map(|found| [found.step as f64, of(found)]).collect(),
            })
            .collect(),
    };
    Figure::Lines(Lines {
        title: "Training, seen on validation images".to_owned(),
        caption: "The weighted loss, how well contexts match and identify the captions', and how far pictures under \
                  different contexts lie apart (near 0 they are all alike). The weights of the smallest loss are kept."
            .to_owned(),
        x: figure::Axis::plain("step"),
        panels: vec![
            panel("loss", "loss", &|found| found.loss),
            panel("cosine", "context_cosine", &|found| found.context_cosine),
            panel("identification", "context_pairwise", &|found| found.context_pairwise),
            panel("distance between pictures", "distance", &|found| found.spread),
        ],
    })
}
