//! The U-Net of the pocket pack, in a crate of its own: with it `percept_pocket` would be larger than a registry takes (10 MB).
//!
//! How it was trained and what it does is in the README of `percept_pocket`, which is the pack.

/// Its configuration, as diffusers writes it.
pub const CONFIG: &[u8] = include_bytes!("../pack/unet/config.json");

/// Its weights, in half precision.
pub const WEIGHTS: &[u8] = include_bytes!("../pack/unet/diffusion_pytorch_model.safetensors");
