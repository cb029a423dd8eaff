//! The pocket pack's configurations: Stable Diffusion 1.4's classes with small numbers.
//!
//! The autoencoder reduces by 8 as Stable Diffusion's does, but keeps 16 channels, so that a 64×64 drawing becomes
//! 8×8 cells: the U-Net then works on 64 positions, where it trains several times faster than on 256.

/// Tokens of every context.
pub(super) const TOKENS: usize = 77;

pub(super) const VAE: &str = r#"{
  "_class_name": "AutoencoderKL",
  "act_fn": "silu",
  "block_out_channels": [16, 24, 48, 64],
  "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
  "in_channels": 3,
  "latent_channels": 16,
  "layers_per_block": 1,
  "norm_num_groups": 8,
  "out_channels": 3,
  "sample_size": 64,
  "scaling_factor": 1.0,
  "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]
}
"#;

pub(super) const UNET: &str = r#"{
  "_class_name": "UNet2DConditionModel",
  "act_fn": "silu",
  "attention_head_dim": 4,
  "block_out_channels": [96, 128],
  "center_input_sample": false,
  "cross_attention_dim": 128,
  "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
  "downsample_padding": 1,
  "flip_sin_to_cos": true,
  "freq_shift": 0,
  "in_channels": 16,
  "layers_per_block": 1,
  "mid_block_scale_factor": 1,
  "norm_eps": 1e-05,
  "norm_num_groups": 16,
  "out_channels": 16,
  "sample_size": 8,
  "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]
}
"#;

pub(super) const SCHEDULER: &str = r#"{
  "_class_name": "DDIMScheduler",
  "beta_end": 0.012,
  "beta_schedule": "scaled_linear",
  "beta_start": 0.00085,
  "clip_sample": false,
  "num_train_timesteps": 1000,
  "prediction_type": "v_prediction",
  "rescale_betas_zero_snr": true,
  "set_alpha_to_one": true,
  "steps_offset": 0,
  "timestep_spacing": "trailing"
}
"#;

pub(super) const VISION: &str = r#"{
  "architectures": ["CLIPVisionModelWithProjection"],
  "dtype": "float32",
  "hidden_act": "quick_gelu",
  "hidden_size": 128,
  "image_size": 64,
  "intermediate_size": 512,
  "layer_norm_eps": 1e-05,
  "model_type": "clip_vision_model",
  "num_attention_heads": 4,
  "num_hidden_layers": 4,
  "patch_size": 8,
  "projection_dim": 128
}
"#;

pub(super) const PREPROCESSOR: &str = r#"{
  "do_center_crop": false,
  "do_normalize": true,
  "do_rescale": true,
  "do_resize": true,
  "feature_extractor_type": "CLIPFeatureExtractor",
  "image_mean": [0.5, 0.5, 0.5],
  "image_std": [0.5, 0.5, 0.5],
  "resample": 3,
  "size": 64
}
"#;

pub(super) const MODEL_INDEX: &str = r#"{
  "_class_name": "StableDiffusionPipeline",
  "feature_extractor": ["transformers", "CLIPImageProcessor"],
  "image_encoder": ["transformers", "CLIPVisionModelWithProjection"],
  "scheduler": ["diffusers", "DDIMScheduler"],
  "text_encoder": ["transformers", "CLIPTextModel"],
  "tokenizer": ["transformers", "CLIPTokenizer"],
  "unet": ["diffusers", "UNet2DConditionModel"],
  "vae": ["diffusers", "AutoencoderKL"]
}
"#;

pub(super) fn text(n_tokens: usize) -> String {
    let (start, end) = (n_tokens - 2, n_tokens - 1);
    format!(
        r#"{{
  "architectures": ["CLIPTextModelWithProjection"],
  "bos_token_id": {start},
  "dtype": "float32",
  "eos_token_id": {end},
  "hidden_act": "quick_gelu",
  "hidden_size": 128,
  "intermediate_size": 512,
  "layer_norm_eps": 1e-05,
  "max_position_embeddings": {TOKENS},
  "model_type": "clip_text_model",
  "num_attention_heads": 4,
  "num_hidden_layers": 3,
  "pad_token_id": {end},
  "projection_dim": 128,
  "vocab_size": {n_tokens}
}}
"#
    )
}

pub(super) const CAPTION_PREPROCESSOR: &str = r#"{
  "do_normalize": true,
  "do_rescale": true,
  "do_resize": true,
  "image_mean": [0.5, 0.5, 0.5],
  "image_processor_type": "BlipImageProcessor",
  "image_std": [0.5, 0.5, 0.5],
  "resample": 3,
  "size": {"height": 64, "width": 64}
}
"#;

pub(super) fn captioner(n_tokens: usize) -> String {
    let begin = n_tokens - 1;
    format!(
        r#"{{
  "architectures": ["BlipForConditionalGeneration"],
  "dtype": "float32",
  "model_type": "blip",
  "text_config": {{
    "bos_token_id": {begin},
    "encoder_hidden_size": 128,
    "hidden_act": "gelu",
    "hidden_size": 128,
    "intermediate_size": 192,
    "is_decoder": true,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 32,
    "model_type": "blip_text_model",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "pad_token_id": 0,
    "sep_token_id": 3,
    "vocab_size": {n_tokens}
  }},
  "tie_word_embeddings": true,
  "vision_config": {{
    "hidden_act": "quick_gelu",
    "hidden_size": 128,
    "image_size": 64,
    "intermediate_size": 512,
    "layer_norm_eps": 1e-05,
    "model_type": "blip_vision_model",
    "num_attention_heads": 4,
    "num_hidden_layers": 4,
    "patch_size": 8
  }}
}}
"#
    )
}
