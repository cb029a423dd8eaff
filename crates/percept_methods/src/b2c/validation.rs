//! What one look at an encoder on validation images found: losses, identification, and pictures that fail.

use serde::{Deserialize, Serialize};

/// Pictures whose mean distance (root mean square over pixels, of 1) is below this are all alike.
const ALIKE: f64 = 0.02;

/// One validation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Steps taken before it.
    pub step: usize,
    /// The weighted sum of all terms.
    pub loss: f64,
    /// Each term, unweighted.
    pub terms: Vec<(String, f64)>,
    /// Mean cosine of predicted and true context.
    pub context_cosine: f64,
    /// Mean share of other images whose true context is less like the prediction.
    pub context_pairwise: f64,
    /// Pictures that were made.
    pub n_pictures: usize,
    /// Share of the pictures that are black.
    pub black: f64,
    /// Share of the pictures whose latents explode.
    pub exploding: f64,
    /// Mean distance between pictures under different contexts; near 0 they are all alike.
    pub spread: f64,
}

impl Validation {
    /// What is wrong with the pictures, in words; `None` when nothing is.
    pub fn failure(&self) -> Option<String> {
        let mut found = Vec::new();
        if self.black > 0.25 {
            found.push(format!("{:.0} % of the pictures are black", 100.0 * self.black));
        }
        if self.exploding > 0.0 {
            found.push(format!("{:.0} % of the latents explode", 100.0 * self.exploding));
        }
        if self.spread < ALIKE {
            found.push(format!(
                "pictures are all alike (mean distance {:.4} between contexts under one noise)",
                self.spread
            ));
        }
        (!found.is_empty()).then(|| format!("step {}: {}", self.step, found.join(", ")))
    }
}

/// The validation with the smallest loss, the first of several.
pub(super) fn best(all: &[Validation]) -> Option<&Validation> {
    all.iter().reduce(|best, next| if next.loss < best.loss { next } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_named_and_health_is_silent() {
        let well = Validation { step: 3, spread: 0.2, ..Validation::default() };
        assert_eq!(well.failure(), None);
        let black = Validation { black: 0.5, spread: 0.0, ..well.clone() };
        let words = black.failure().expect("two failures");
        assert!(words.starts_with("step 3: 50 % of the pictures are black, pictures are all alike"), "{words}");
        assert!(Validation { exploding: 0.1, ..well }.failure().expect("one").contains("explode"));
    }
}
