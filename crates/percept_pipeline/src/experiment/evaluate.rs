//! `[evaluate]`: how the pictures are scored.

section! {
    /// How the pictures are scored.
    pub struct EvaluateSettings {
        /// What is measured, see [metrics](#metrics).
        metrics: Vec<String> = Vec::new(), or "see [metrics](#metrics)";
        /// Bootstrap draws of the intervals.
        draws: usize = 2000, in 100..=1_000_000;
    }
}
