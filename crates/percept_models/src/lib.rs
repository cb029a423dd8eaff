//! Diffusion models, autoencoders and CLIP built from their configs, opened up for taps and training.
