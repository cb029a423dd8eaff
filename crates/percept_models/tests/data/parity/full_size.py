"""Writes real-size models with random weights and reference outputs, for the example `parity`.

    python full_size.py DIR [sd1_unet] [sd1_autoencoder] [clip_l_text] [clip_l_vision]

Without names, all of them: about 2.7 GB on disk and 6 GB of memory, a few minutes on two cores. The configurations are
those of Stable Diffusion 1.4 and of CLIP ViT-L/14. Weights are stored in f16, the reference runs in f32
(make.py's in f64): its own rounding error is part of what is compared.
"""

import gc
import json
import resource
import sys
import time
from pathlib import Path

import torch
from make import normal, randomise
from safetensors.torch import save_file

UNET = {
    "_class_name": "UNet2DConditionModel",
    "_diffusers_version": "0.2.2",
    "act_fn": "silu",
    "attention_head_dim": 8,
    "block_out_channels": [320, 640, 1280, 1280],
    "center_input_sample": False,
    "cross_attention_dim": 768,
    "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    "downsample_padding": 1,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "in_channels": 4,
    "layers_per_block": 2,
    "mid_block_scale_factor": 1,
    "norm_eps": 1e-05,
    "norm_num_groups": 32,
    "out_channels": 4,
    "sample_size": 64,
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
}
AUTOENCODER = {
    "_class_name": "AutoencoderKL",
    "_diffusers_version": "0.2.2",
    "act_fn": "silu",
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "in_channels": 3,
    "latent_channels": 4,
    "layers_per_block": 2,
    "out_channels": 3,
    "sample_size": 512,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}
TEXT = {
    "architectures": ["CLIPTextModel"],
    "attention_dropout": 0.0,
    "bos_token_id": 0,
    "dropout": 0.0,
    "eos_token_id": 2,
    "hidden_act": "quick_gelu",
    "hidden_size": 768,
    "initializer_factor": 1.0,
    "initializer_range": 0.02,
    "intermediate_size": 3072,
    "layer_norm_eps": 1e-05,
    "max_position_embeddings": 77,
    "model_type": "clip_text_model",
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "pad_token_id": 1,
    "vocab_size": 49408,
}
VISION = {
    "architectures": ["CLIPVisionModelWithProjection"],
    "attention_dropout": 0.0,
    "hidden_act": "quick_gelu",
    "hidden_size": 1024,
    "image_size": 224,
    "initializer_factor": 1.0,
    "initializer_range": 0.02,
    "intermediate_size": 4096,
    "layer_norm_eps": 1e-05,
    "model_type": "clip_vision_model",
    "num_attention_heads": 16,
    "num_channels": 3,
    "num_hidden_layers": 24,
    "patch_size": 14,
    "projection_dim": 768,
}


def write(folder, config, model, weight_file, inputs, run, prefix=""):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    randomise(model, 1, torch.float32)
    save_file({prefix + k: v.half().contiguous() for k, v in model.state_dict().items()}, str(folder / weight_file))
    begin = time.perf_counter()
    with torch.no_grad():
        outputs = run(model)
    seconds = time.perf_counter() - begin
    io = {f"input.{k}": v for k, v in inputs.items()} | {f"output.{k}": v for k, v in outputs.items()}
    io["seconds"] = torch.tensor([seconds])
    save_file({k: v.contiguous() for k, v in io.items()}, str(folder / "io.safetensors"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{folder.name}: reference took {seconds:.2f} s, peak memory so far {peak:.1f} GB", flush=True)


def sd1_unet(folder):
    from diffusers import UNet2DConditionModel

    model = UNet2DConditionModel.from_config(UNET)
    inputs = {
        "sample": normal(2, 1, 4, 64, 64).float(),
        "encoder_hidden_states": normal(3, 1, 77, 768).float(),
        "timestep": torch.tensor([481]),
    }
    run = lambda m: {"sample": m(inputs["sample"], inputs["timestep"], inputs["encoder_hidden_states"]).sample}
    write(folder, UNET, model, "diffusion_pytorch_model.safetensors", inputs, run)


def sd1_autoencoder(folder):
    from diffusers import AutoencoderKL

    model = AutoencoderKL.from_config(AUTOENCODER)
    inputs = {"image": normal(2, 1, 3, 512, 512).float() * 0.5, "latent": normal(3, 1, 4, 64, 64).float()}

    def run(m):
        posterior = m.encode(inputs["image"]).latent_dist
        return {"mean": posterior.mean, "logvar": posterior.logvar, "image": m.decode(inputs["latent"]).sample}

    write(folder, AUTOENCODER, model, "diffusion_pytorch_model.safetensors", inputs, run)


def clip_l_text(folder):
    from transformers import CLIPTextConfig, CLIPTextModel

    model = CLIPTextModel(CLIPTextConfig(**TEXT))
    ids = torch.full((2, 77), 49407)
    ids[:, 0] = 49406
    ids[0, 1:9] = torch.arange(320, 328)
    ids[1, 1:76] = torch.arange(1000, 1075)

    def run(m):
        out = m(ids)
        return {"last_hidden_state": out.last_hidden_state, "pooled": out.pooler_output}

    write(folder, TEXT, model, "model.safetensors", {"input_ids": ids}, run, "text_model.")


def clip_l_vision(folder):
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    model = CLIPVisionModelWithProjection(CLIPVisionConfig(**VISION))
    pixels = normal(2, 2, 3, 224, 224).float()

    def run(m):
        out = m(pixels)
        return {"last_hidden_state": out.last_hidden_state, "image_embeds": out.image_embeds}

    write(folder, VISION, model, "model.safetensors", {"pixel_values": pixels}, run)


CASES = {f.__name__: f for f in (sd1_unet, sd1_autoencoder, clip_l_text, clip_l_vision)}

if __name__ == "__main__":
    if len(sys.argv) < 2 or any(name not in CASES for name in sys.argv[2:]):
        sys.exit(__doc__)
    for name in sys.argv[2:] or CASES:
        CASES[name](Path(sys.argv[1]) / name)
        gc.collect()
