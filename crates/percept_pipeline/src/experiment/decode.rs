//! `[decode]`: from responses to features.

use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer};

/// Default regularisation strengths: half decades over what standardised responses of a few thousand units need.
const ALPHAS: [f64; 9] = [1e2, 3e2, 1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6];

words! {
    /// Which units a decoder reads.
    pub enum Region {
        /// Early visual cortex.
        Early = "early",
        /// Ventral (higher) visual cortex.
        Ventral = "ventral",
        /// Both.
        All = "all",
    }
}

words! {
    /// How responses are normalised before regression.
    pub enum Normalise {
        /// z-score of each unit within each session, by the session's training trials.
        Session = "session",
        /// As they are.
        None = "none",
    }
}

words! {
    /// What to do about predictions of `c` that shrink towards the mean.
    pub enum Rescale {
        /// Leave them.
        None = "none",
        /// One factor for the whole space.
        Global = "global",
        /// One factor per target dimension.
        Target = "target",
    }
}

section! {
    /// From responses to features.
    pub struct DecodeSettings {
        /// Regularisation strengths among which every target dimension chooses its own; above 0 and ascending.
        #[serde(deserialize_with = "ascending")]
        alphas: Vec<f64> = ALPHAS.to_vec(), in 0.0..=1e12;
        /// By how many steps the strengths may grow beyond either end, one at a time, for dimensions whose best one stands there.
        extend: usize = 4, in 0..=50;
        /// Units that predict `z`.
        z_region: Region = Region::Early;
        /// Units that predict `c`.
        c_region: Region = Region::Ventral;
        /// Normalisation of the responses.
        normalise: Normalise = Normalise::Session, or "`none` for arrays without `sessions`, else `session`";
        /// Test on the mean over the repeats of an image (otherwise on every trial).
        average_repeats: bool = true;
        /// Against shrinkage of predicted contexts.
        rescale: Rescale = Rescale::None;
    }
}

fn ascending<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let alphas = Vec::<f64>::deserialize(deserializer)?;
    let refused = |expected: &str| Err(D::Error::invalid_value(Unexpected::Other(&format!("{alphas:?}")), &expected));
    if alphas.is_empty() || alphas.iter().any(|&alpha| alpha <= 0.0) {
        return refused("one or more numbers above 0");
    }
    if alphas.windows(2).any(|pair| pair[0] >= pair[1]) {
        return refused("ascending numbers");
    }
    Ok(alphas)
}
