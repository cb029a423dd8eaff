//! The configurations of the pocket pack of music: MusicLDM's classes with small numbers.
//!
//! Sounds of 16 kHz become 64 mels every 16 ms. CLAP hears four seconds. The autoencoder reduces by 8, so that four seconds are 32 × 8
//! cells of 16 channels; the U-Net attends at its coarse level and knows the music by its class vector alone.

use percept_signal::{MelConfig, mel};

/// Samples in a second.
pub(super) const RATE_HZ: u32 = 16_000;
/// Samples from frame to frame of every spectrogram.
pub(super) const HOP: usize = 256;
/// Frames of a piece.
pub(super) const FRAMES: usize = 256;
/// Mels of a frame.
pub(super) const MELS: usize = 64;
/// Width of CLAP's space.
pub(super) const WIDTH: usize = 128;
/// Channels, frames and mels of a piece's latent.
pub(super) const LATENT: [usize; 3] = [16, FRAMES / 8, MELS / 8];
/// What CLAP is given, in seconds: as many samples as become [`FRAMES`] centred frames.
pub(super) const CLAP_SECS: f64 = 4.08;

/// The spectrograms that autoencoder and vocoder work on.
pub(super) fn mel() -> MelConfig {
    MelConfig {
        frame: 1024,
        n_fft: 1024,
        hop: HOP,
        n_mels: MELS,
        high_hz: 8_000.0,
        padding: mel::Padding::Mirrored,
        power: false,
        floor: 1e-4,
        log: mel::Scale::Ln,
        ..MelConfig::librosa(RATE_HZ)
    }
}

pub(super) const MODEL_INDEX: &str = r#"{
  "_class_name": "MusicLDMPipeline",
  "feature_extractor": ["transformers", "ClapFeatureExtractor"],
  "scheduler": ["diffusers", "DDIMScheduler"],
  "text_encoder": ["transformers", "ClapModel"],
  "tokenizer": ["transformers", "RobertaTokenizerFast"],
  "unet": ["diffusers", "UNet2DConditionModel"],
  "vae": ["diffusers", "AutoencoderKL"],
  "vocoder": ["transformers", "SpeechT5HifiGan"]
}
"#;

pub(super) const VAE: &str = r#"{
  "_class_name": "AutoencoderKL",
  "act_fn": "silu",
  "block_out_channels": [16, 24, 32, 48],
  "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
  "in_channels": 1,
  "latent_channels": 16,
  "layers_per_block": 1,
  "norm_num_groups": 8,
  "out_channels": 1,
  "sample_size": 256,
  "scaling_factor": 1.0,
  "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]
}
"#;

pub(super) const UNET: &str = r#"{
  "_class_name": "UNet2DConditionModel",
  "act_fn": "silu",
  "attention_head_dim": 4,
  "block_out_channels": [48, 72],
  "center_input_sample": false,
  "class_embed_type": "simple_projection",
  "class_embeddings_concat": true,
  "cross_attention_dim": [48, 72],
  "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
  "downsample_padding": 1,
  "flip_sin_to_cos": true,
  "freq_shift": 0,
  "in_channels": 16,
  "layers_per_block": 1,
  "mid_block_scale_factor": 1,
  "norm_eps": 1e-05,
  "norm_num_groups": 8,
  "out_channels": 16,
  "projection_class_embeddings_input_dim": 128,
  "sample_size": 32,
  "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"]
}
"#;

pub(super) const SCHEDULER: &str = super::super::configs::SCHEDULER;

pub(super) const VOCODER: &str = r#"{
  "architectures": ["SpeechT5HifiGan"],
  "leaky_relu_slope": 0.1,
  "model_in_dim": 64,
  "model_type": "hifigan",
  "normalize_before": true,
  "resblock_dilation_sizes": [[1, 3], [1, 3]],
  "resblock_kernel_sizes": [3, 7],
  "sampling_rate": 16000,
  "upsample_initial_channel": 96,
  "upsample_kernel_sizes": [16, 16, 8],
  "upsample_rates": [8, 8, 4]
}
"#;

pub(super) const HEARING: &str = r#"{
  "feature_extractor_type": "ClapFeatureExtractor",
  "feature_size": 64,
  "fft_window_size": 1024,
  "frequency_max": 8000,
  "frequency_min": 0,
  "hop_length": 256,
  "max_length_s": 4.08,
  "padding": "repeatpad",
  "padding_value": 0.0,
  "return_attention_mask": false,
  "sampling_rate": 16000,
  "truncation": "rand_trunc"
}
"#;

/// CLAP, with so many tokens.
pub(super) fn clap(n_tokens: usize) -> String {
    format!(
        r#"{{
  "architectures": ["ClapModel"],
  "audio_config": {{
    "depths": [2, 2],
    "enable_fusion": false,
    "hidden_act": "gelu",
    "hidden_size": 128,
    "mlp_ratio": 4.0,
    "model_type": "clap_audio_model",
    "num_attention_heads": [4, 8],
    "num_hidden_layers": 2,
    "num_mel_bins": 64,
    "patch_embeds_hidden_size": 64,
    "patch_size": 8,
    "patch_stride": [8, 8],
    "projection_dim": {WIDTH},
    "spec_size": 128,
    "window_size": 8
  }},
  "dtype": "float32",
  "hidden_size": 64,
  "model_type": "clap",
  "projection_dim": {WIDTH},
  "projection_hidden_act": "relu",
  "text_config": {{
    "hidden_act": "gelu",
    "hidden_size": 64,
    "intermediate_size": 128,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 34,
    "model_type": "clap_text_model",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "pad_token_id": 1,
    "projection_dim": {WIDTH},
    "type_vocab_size": 1,
    "vocab_size": {n_tokens}
  }}
}}
"#
    )
}

/// RoBERTa's special tokens in their places.
const SPECIAL: [&str; 4] = ["<s>", "<pad>", "</s>", "<unk>"];

/// How many tokens there are with these words.
pub(super) fn n_tokens(words: &[String]) -> usize {
    SPECIAL.len() + words.len()
}

/// A `tokenizer.json` with one token for each word.
pub(super) fn tokenizer(words: &[String]) -> String {
    let all = SPECIAL.iter().map(|&word| word.to_owned()).chain(words.iter().cloned());
    let vocabulary: serde_json::Map<String, serde_json::Value> =
        all.enumerate().map(|(id, word)| (word, id.into())).collect();
    let special = |id: usize| {
        serde_json::json!({
            "id": id, "content": SPECIAL[id], "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true
        })
    };
    let part = |id: &str| serde_json::json!({ "SpecialToken": { "id": id, "type_id": 0 } });
    let text = |id: &str| serde_json::json!({ "Sequence": { "id": id, "type_id": 0 } });
    let own = |id: usize| serde_json::json!({ "id": SPECIAL[id], "ids": [id], "tokens": [SPECIAL[id]] });
    let value = serde_json::json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [special(0), special(1), special(2), special(3)],
        "normalizer": { "type": "Lowercase" },
        "pre_tokenizer": { "type": "Whitespace" },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [part("<s>"), text("A"), part("</s>")],
            "pair": [part("<s>"), text("A"), part("</s>"), text("B"), part("</s>")],
            "special_tokens": { "<s>": own(0), "</s>": own(2) }
        },
        "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>" }
    });
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use percept_models::{
        autoencoder::AutoencoderConfig,
        sound::{hearing::ClapHearing, hifigan::HifiGanConfig},
        tokenizer::TextTokenizer,
        unet::UnetConfig,
    };
    use percept_synth::tunes::tune_vocabulary;

    use super::*;

    #[test]
    fn the_configs_are_models_that_fit_each_other() {
        let hearing = ClapHearing::parse(HEARING).expect("a hearing");
        assert_eq!((hearing.rate_hz(), hearing.window() / HOP + 1), (RATE_HZ, FRAMES));
        assert_eq!(UnetConfig::parse(UNET).expect("a U-Net").class_width(), Some(WIDTH));
        assert_eq!(HifiGanConfig::parse(VOCODER).expect("a vocoder").hop(), HOP);
        AutoencoderConfig::parse(VAE).expect("an autoencoder");
    }

    #[test]
    fn every_word_is_one_token() {
        let words = tune_vocabulary();
        let tokenizer = TextTokenizer::new(&tokenizer(&words), 32).expect("a tokenizer");
        for (place, word) in words.iter().enumerate() {
            assert_eq!(tokenizer.encode(word).expect("a word"), [0, place as u32 + 4, 2], "{word}");
        }
        assert_eq!(tokenizer.encode("").expect("nothing"), [0, 2]);
        assert_eq!(tokenizer.encode("A Slow xylophone,").expect("known and unknown").len(), 6);
    }
}
