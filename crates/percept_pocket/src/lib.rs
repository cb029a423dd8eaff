//! The pocket pack: a tiny embedded Stable-Diffusion-shaped model pack.
