//! What a comparison with trained encoders adds to the report: their curves, and which part of the brain says what.

use percept_core::Section;
use percept_pipeline::PipelineError;

use super::attention;
use super::curves::curves;
use super::folder::VariantFacts;
use super::insight::Insight;

/// The sections, and the maps they show as PNGs in the run's folder.
pub(super) fn sections(insight: &Insight<'_>) -> Result<Vec<Section>, PipelineError> {
    let variants: Vec<VariantFacts> = insight.trained.iter().map(|variant| variant.facts.clone()).collect();
    let mut sections = vec![Section {
        title: "Training of the encoders".to_owned(),
        text: format!(
            "Encoders in `{}`, trained on {} images through the U-Net of `{}`. {}",
            insight.facts.name,
            insight.facts.training_images.len(),
            insight.facts.pack,
            sizes(&variants)
        ),
        figures: vec![curves(&variants)],
    }];
    let mut figures = vec![insight.silenced()?];
    if let Some(patched) = insight.trained.iter().rev().find(|variant| variant.facts.tokens.len() > 1) {
        figures.push(insight.tokens(patched));
        figures.extend(attention::figure(insight, patched)?);
    }
    sections.push(Section {
        title: "Which part of the brain says what".to_owned(),
        text: "Each group of units is silenced in turn: what the context loses was said by that group alone. Tokens \
                   belong to groups in patched encoders, so the U-Net's attention to them shows where a group draws."
            .to_owned(),
        figures,
    });
    Ok(sections)
}

/// One line on the size of each encoder.
fn sizes(variants: &[VariantFacts]) -> String {
    let one = |variant: &VariantFacts| {
        format!(
            "`{}`: {:.1} M weights, {} of {} steps kept",
            variant.name,
            variant.n_parameters as f64 / 1e6,
            variant.best.step,
            variant.n_steps
        )
    };
    format!("{}.", variants.iter().map(one).collect::<Vec<_>>().join("; "))
}
