"""Writes real-size models with random weights and reference outputs, for the example `parity`.

    python full_size.py DIR [CASE]...

Without names, all of them: about 12 GB on disk and 11 GB of memory (Llama). Every case is a released configuration (Llama
3.1 8B with two of its layers, Llama 3.2 1B whole). Weights are stored in f16, the reference runs in f32 on one thread
(make.py's in f64): its own rounding error is part of what is compared.
"""

import copy
import gc
import json
import resource
import sys
import time
from pathlib import Path

import torch
from make import normal, randomise
from make_blip import PAPER, blip, original, rows, searched
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


# Stable Diffusion 2.1; SD-Turbo has the same.
UNET_2 = UNET | {
    "attention_head_dim": [5, 10, 20, 20],
    "cross_attention_dim": 1024,
    "dual_cross_attention": False,
    "num_class_embeds": None,
    "only_cross_attention": False,
    "sample_size": 96,
    "upcast_attention": True,
    "use_linear_projection": True,
}
TEXT_H = TEXT | {
    "hidden_act": "gelu",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_attention_heads": 16,
    "num_hidden_layers": 23,
    "projection_dim": 512,
}
TEXT_B = TEXT | {
    "architectures": ["CLIPTextModelWithProjection"],
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_attention_heads": 8,
    "projection_dim": 512,
}
VISION_B = VISION | {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "patch_size": 32,
    "projection_dim": 512,
}
BERT = {
    "architectures": ["BertForMaskedLM"],
    "attention_probs_dropout_prob": 0.1,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 768,
    "initializer_range": 0.02,
    "intermediate_size": 3072,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512,
    "model_type": "bert",
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "pad_token_id": 0,
    "type_vocab_size": 2,
    "vocab_size": 30522,
}
GPT2 = {
    "activation_function": "gelu_new",
    "architectures": ["GPT2LMHeadModel"],
    "bos_token_id": 50256,
    "eos_token_id": 50256,
    "layer_norm_epsilon": 1e-05,
    "model_type": "gpt2",
    "n_ctx": 1024,
    "n_embd": 768,
    "n_head": 12,
    "n_layer": 12,
    "n_positions": 1024,
    "vocab_size": 50257,
}
# Llama 3.1 8B but for its depth, 32.
LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": False,
    "bos_token_id": 128000,
    "eos_token_id": 128001,
    "hidden_act": "silu",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "max_position_embeddings": 131072,
    "mlp_bias": False,
    "model_type": "llama",
    "num_attention_heads": 32,
    "num_hidden_layers": 2,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-05,
    "rope_scaling": {
        "factor": 8.0,
        "high_freq_factor": 4.0,
        "low_freq_factor": 1.0,
        "original_max_position_embeddings": 8192,
        "rope_type": "llama3",
    },
    "rope_theta": 500000.0,
    "vocab_size": 128256,
}

# Llama 3.2 1B, whole.
LLAMA_1B = LLAMA | {
    "head_dim": 64,
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 16,
    "rope_scaling": LLAMA["rope_scaling"] | {"factor": 32.0},
    "tie_word_embeddings": True,
}


BLIP = {
    "architectures": ["BlipForConditionalGeneration"],
    "image_text_hidden_size": 256,
    "initializer_factor": 1.0,
    "logit_scale_init_value": 2.6592,
    "model_type": "blip",
    "projection_dim": 512,
    "text_config": {
        "attention_probs_dropout_prob": 0.0, "bos_token_id": 30522, "encoder_hidden_size": 768, "eos_token_id": 2,
        "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "hidden_size": 768, "initializer_factor": 1.0,
        "initializer_range": 0.02, "intermediate_size": 3072, "is_decoder": True, "layer_norm_eps": 1e-12,
        "max_position_embeddings": 512, "model_type": "blip_text_model", "num_attention_heads": 12,
        "num_hidden_layers": 12, "pad_token_id": 0, "projection_dim": 768, "sep_token_id": 102,
        "tie_word_embeddings": True, "use_cache": True, "vocab_size": 30524,
    },
    "vision_config": {
        "attention_dropout": 0.0, "dropout": 0.0, "hidden_act": "gelu", "hidden_size": 768, "image_size": 384,
        "initializer_factor": 1.0, "initializer_range": 0.02, "intermediate_size": 3072, "layer_norm_eps": 1e-05,
        "model_type": "blip_vision_model", "num_attention_heads": 12, "num_channels": 3, "num_hidden_layers": 12,
        "patch_size": 16, "projection_dim": 512,
    },
}
BLIP_LARGE = BLIP | {
    "text_config": BLIP["text_config"] | {"encoder_hidden_size": 1024},
    "vision_config": BLIP["vision_config"] | {
        "hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 24,
    },
}


def lively(model):
    """Puts the gains of norms that `randomise` does not know by their names around 1: around 0 every layer loses most of what words
    differ in."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.LayerNorm) and module.weight.mean() < 0.5:
                module.weight.copy_((module.weight + 1.0).half())
    return model


def write(folder, config, model, weight_file, inputs, run, prefix=""):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    lively(randomise(model, 1, torch.float32))
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


def unet(folder, config, side):
    from diffusers import UNet2DConditionModel

    model = UNet2DConditionModel.from_config(config)
    inputs = {
        "sample": normal(2, 1, 4, side, side).float(),
        "encoder_hidden_states": normal(3, 1, 77, config["cross_attention_dim"]).float(),
        "timestep": torch.tensor([481]),
    }
    run = lambda m: {"sample": m(inputs["sample"], inputs["timestep"], inputs["encoder_hidden_states"]).sample}
    write(folder, config, model, "diffusion_pytorch_model.safetensors", inputs, run)


def sd1_unet(folder):
    unet(folder, UNET, 64)


def sd2_unet(folder):
    unet(folder, UNET_2, 96)


def sd1_autoencoder(folder):
    from diffusers import AutoencoderKL

    model = AutoencoderKL.from_config(AUTOENCODER)
    inputs = {"image": normal(2, 1, 3, 512, 512).float() * 0.5, "latent": normal(3, 1, 4, 64, 64).float()}

    def run(m):
        posterior = m.encode(inputs["image"]).latent_dist
        return {"mean": posterior.mean, "logvar": posterior.logvar, "image": m.decode(inputs["latent"]).sample}

    write(folder, AUTOENCODER, model, "diffusion_pytorch_model.safetensors", inputs, run)


def clip_text(folder, config, pad):
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    projects = config["architectures"] == ["CLIPTextModelWithProjection"]
    model = (CLIPTextModelWithProjection if projects else CLIPTextModel)(CLIPTextConfig(**config))
    ids = torch.full((2, 77), pad)
    ids[:, 0] = 49406
    ids[0, 1:9] = torch.arange(320, 328)
    ids[1, 1:76] = torch.arange(1000, 1075)
    ids[0, 9] = ids[1, 76] = 49407

    def run(m):
        out = m(ids)
        pooled = {"text_embeds": out.text_embeds} if projects else {"pooled": out.pooler_output}
        return {"last_hidden_state": out.last_hidden_state} | pooled

    write(folder, config, model, "model.safetensors", {"input_ids": ids}, run, "" if projects else "text_model.")


def clip_l_text(folder):
    clip_text(folder, TEXT, 49407)


def clip_h_text(folder):
    clip_text(folder, TEXT_H, 0)


def clip_b32_text(folder):
    clip_text(folder, TEXT_B, 49407)


def clip_vision(folder, config):
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    model = CLIPVisionModelWithProjection(CLIPVisionConfig(**config))
    pixels = normal(2, 2, 3, 224, 224).float()

    def run(m):
        out = m(pixels)
        return {"last_hidden_state": out.last_hidden_state, "image_embeds": out.image_embeds}

    write(folder, config, model, "model.safetensors", {"pixel_values": pixels}, run)


def clip_l_vision(folder):
    clip_vision(folder, VISION)


def clip_b32_vision(folder):
    clip_vision(folder, VISION_B)


VIT = {
    "architectures": ["ViTForImageClassification"],
    "attention_probs_dropout_prob": 0.0,
    "encoder_stride": 16,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.0,
    "hidden_size": 768,
    "id2label": {str(i): f"LABEL_{i}" for i in range(1000)},
    "image_size": 224,
    "initializer_range": 0.02,
    "intermediate_size": 3072,
    "label2id": {f"LABEL_{i}": i for i in range(1000)},
    "layer_norm_eps": 1e-12,
    "model_type": "vit",
    "num_attention_heads": 12,
    "num_channels": 3,
    "num_hidden_layers": 12,
    "patch_size": 16,
    "qkv_bias": True,
}
VIDEO_MAE = {key: value for key, value in VIT.items() if key != "encoder_stride"} | {
    "architectures": ["VideoMAEForVideoClassification"],
    "decoder_hidden_size": 384,
    "decoder_intermediate_size": 1536,
    "decoder_num_attention_heads": 6,
    "decoder_num_hidden_layers": 4,
    "id2label": {str(i): f"LABEL_{i}" for i in range(400)},
    "label2id": {f"LABEL_{i}": i for i in range(400)},
    "model_type": "videomae",
    "norm_pix_loss": False,
    "num_frames": 16,
    "tubelet_size": 2,
    "use_mean_pooling": True,
}


def classes(folder, config, model, pixels):
    def run(m):
        out = m(pixels, output_hidden_states=True)
        return {"last_hidden_state": out.hidden_states[-1], "layer06": out.hidden_states[6], "logits": out.logits}

    write(folder, config, model, "model.safetensors", {"pixel_values": pixels}, run)


def vit_base(folder):
    from transformers import ViTConfig, ViTForImageClassification

    classes(folder, VIT, ViTForImageClassification(ViTConfig(**VIT)), normal(2, 2, 3, 224, 224).float())


def video_mae_base(folder):
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification

    model = VideoMAEForVideoClassification(VideoMAEConfig(**VIDEO_MAE))
    classes(folder, VIDEO_MAE, model, normal(2, 1, 16, 3, 224, 224).float())


def language(folder, config, length):
    from transformers import AutoConfig, AutoModel

    model = AutoModel.from_config(AutoConfig.for_model(**copy.deepcopy(config)))
    ids = torch.randint(0, config["vocab_size"], (2, length), generator=torch.Generator().manual_seed(5))

    def run(m):
        out = m(ids, attention_mask=torch.ones_like(ids), output_hidden_states=True)
        middle = len(out.hidden_states) // 2
        return {"last_hidden_state": out.last_hidden_state, f"layer{middle:02}": out.hidden_states[middle]}

    prefix = {"bert": "bert.", "gpt2": "", "llama": "model."}[config["model_type"]]
    write(folder, config, model, "model.safetensors", {"input_ids": ids}, run, prefix)


def bert_base(folder):
    language(folder, BERT, 128)


def gpt2(folder):
    language(folder, GPT2, 128)


def llama3_two_layers(folder):
    language(folder, LLAMA, 128)


def llama32_1b(folder):
    language(folder, LLAMA_1B, 128)


END_BIAS = 6.0  # so that some captions end before their greatest length


def full_blip(config):
    """A random captioner whose words depend on the words before and on the picture, and which does not amplify rounding."""
    model = lively(blip(config, 1, torch.float32))
    with torch.no_grad():  # with norms of gain 1, glances as sharp as those of the small model make f32 differ from f64 by 3e-4
        for layer in model.text_decoder.bert.encoder.layer:
            layer.crossattention.self.query.weight /= 4.0
            layer.crossattention.output.dense.weight /= 4.0
    return model


def captioner(folder, config, n=200):
    """Pictures at 384 and 240 pixels, logits, and captions of `n` random pictures as their 226 tokens at 240 pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    model = full_blip(config)
    width = config["vision_config"]["hidden_size"]
    features = normal(5, n, 226, width).half().float()
    ids = torch.randint(1000, 30000, (8, 12), generator=torch.Generator().manual_seed(6))
    with torch.no_grad():  # no word is favoured by chance, or all captions would repeat it
        bias = model.text_decoder.cls.predictions.bias
        bias -= model.text_decoder(ids, encoder_hidden_states=features[:8]).logits.mean((0, 1))
        bias[102] += END_BIAS
        bias[0] = -20.0
        bias.copy_(bias.half())
    ids = ids[:2]
    words = [f"w{i}" for i in range(30522)]
    known = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]", 1037: "a", 3861: "picture", 1997: "of"}
    for i, word in known.items():
        words[i] = word
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    state = {k: v.half().contiguous() for k, v in model.state_dict().items() if ".decoder." not in k}
    save_file(state, str(folder / "model.safetensors"))
    torch.save({"model": original(state)}, folder / "original.pth")
    io = {"input.pixel_values": normal(2, 1, 3, 384, 384).float(), "input.pixel_values_240": normal(3, 1, 3, 240, 240).float()}
    io |= {"input.input_ids": ids, "features": features.half()}
    prompt = [1037, 3861, 1997]
    begin = time.perf_counter()
    with torch.no_grad():
        for name in ("", "_240"):
            out = model.vision_model(io[f"input.pixel_values{name}"], interpolate_pos_encoding=True)
            io[f"output.image_embeds{name}"] = out.last_hidden_state
        io["output.logits"] = model.text_decoder(ids, encoder_hidden_states=features[:2]).logits
        found = {}
        for name, settings in [("greedy", PAPER | {"num_beams": 1}), ("beam", PAPER)]:
            found[name] = []
            for first in range(0, n, 8):
                beams = settings["num_beams"]
                out = searched(model, features[first : first + 8], prompt, settings, num_return_sequences=beams)
                found[name] += rows(out, model, beams)
    io["seconds"] = torch.tensor([time.perf_counter() - begin])
    (folder / "captions.json").write_text(json.dumps(found))
    save_file({k: v.contiguous() for k, v in io.items()}, str(folder / "io.safetensors"))
    ended = sum(row[0]["tokens"][-1] == 102 for row in found["beam"])
    distinct = len({tuple(row[0]["tokens"]) for row in found["beam"]})
    print(f"{folder.name}: reference took {io['seconds'].item():.0f} s, {ended} of {n} captions end, {distinct} differ", flush=True)


def blip_base(folder):
    captioner(folder, BLIP)


def blip_large(folder):
    captioner(folder, BLIP_LARGE)


CASES = {
    f.__name__: f
    for f in (
        sd1_unet, sd1_autoencoder, sd2_unet, clip_l_text, clip_l_vision, clip_b32_text, clip_b32_vision, clip_h_text,
        bert_base, gpt2, llama3_two_layers, llama32_1b, blip_base, blip_large,
        vit_base, video_mae_base,
    )
}

if __name__ == "__main__":
    if len(sys.argv) < 2 or any(name not in CASES for name in sys.argv[2:]):
        sys.exit(__doc__)
    torch.set_num_threads(1)
    for name in sys.argv[2:] or CASES:
        CASES[name](Path(sys.argv[1]) / name)
        gc.collect()
