//! `[generate]`: from features to pictures.

words! {
    /// What becomes of the predicted latent in the method `z`.
    pub enum LatentAlone {
        /// It is decoded.
        Decode = "decode",
        /// As in `z+c`, but without a caption: decoded, encoded again, noised, and denoised under the empty text.
        Denoise = "denoise",
    }
}

section! {
    /// From features to pictures.
    pub struct GenerateSettings {
        /// How `z` alone becomes a picture.
        z: LatentAlone = LatentAlone::Decode;
        /// Steps of the denoising schedule.
        steps: usize = 20, in 1..=10_000;
        /// Classifier-free guidance; 1 is none.
        guidance: f64 = 3.0, in 0.0..=100.0;
        /// How much of the schedule `z+c` (and `z`, where it is denoised) runs: 0 keeps the latent's picture, 1 starts from
        /// pure noise.
        strength: f64 = 0.8, in 0.0..=1.0;
        /// Keep what denoising starts from, as `starts/ARM-drawD-batchB.safetensors`: `latents` (items × latent, noised, as the first
        /// step sees them) and `contexts` (items × tokens · width). Another program can go on from there.
        keep_starts: bool = false;
        /// Pictures per stimulus and method.
        samples: usize = 1, in 1..=1000;
        /// Pictures made at a time.
        batch: usize = 20, in 1..=4096;
        /// The seed of the noise; all methods share it.
        seed: u64 = 1, in 0..=u64::MAX, or "the experiment's `seed`";
    }
}
