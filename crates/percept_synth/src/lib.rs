//! Ground truth made to measure: drawn scenes with captions, and phantom subjects in true on-disk formats.
