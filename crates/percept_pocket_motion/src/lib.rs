//! The motion modules of the pocket pack: AnimateDiff's class with small numbers, part of the program.
//!
//! Trained by `percept train pocket --motion` on moving drawings, beside the frozen U-Net of `percept_pocket`; the large matrices are stored
//! in eight bits. How they were trained is in `pack/README.md`.

use percept_models::weights::PackFiles;

/// Every file of the adapter by its name in the diffusers layout.
pub const FILES: &[(&str, &[u8])] = &[
    ("config.json", include_bytes!("../pack/config.json")),
    ("diffusion_pytorch_model.safetensors", include_bytes!("../pack/diffusion_pytorch_model.safetensors")),
];

/// Where the files are, for whoever opens packs.
pub fn files() -> PackFiles {
    PackFiles::Embedded(FILES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_adapter_is_small_and_finite() {
        let bytes = FILES.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
        assert!(bytes <= 2_000_000, "{bytes}");
        let tensors = files().tensors("").expect("weights");
        assert!(tensors.keys().all(|name| name.contains(".motion_modules.")), "{:?}", tensors.keys().next());
        assert!(tensors.len() > 100, "{}", tensors.len());
    }
}
