//! `[baselines]`: simpler ways to the same goal.

section! {
    /// Simpler ways to the same goal.
    pub struct BaselineSettings {
        /// Ridge from the units of `z` straight to pixels.
        pixel_ridge: bool = false;
        /// Edge length to which pictures are averaged down for it, at most.
        pixel_size: usize = 32, in 2..=1024;
    }
}
