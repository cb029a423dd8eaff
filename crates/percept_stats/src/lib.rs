//! Correlations, identification, noise ceilings, bootstrap intervals and image metrics.
