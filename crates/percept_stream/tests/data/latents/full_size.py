"""A Stable Diffusion 1.5 of full size with random weights, and three frames by diffusers' DDIM, to compare with percept's.

    python full_size.py make DIR BPE_FILE LATENTS.npy       # the pack in DIR/pack, three starts, the reference
    draw_latents DIR/pack DIR/starts.npy 5 DIR/ours         # the example of percept_stream
    python full_size.py compare DIR

BPE_FILE is CLIP's bpe_simple_vocab_16e6.txt.gz; LATENTS.npy is what the example `dump_latents` writes for 16,384 numbers. Five steps,
an empty prompt, no guidance, float32 on the CPU. About 5 GB of disk and 8 GB of memory.
"""

import gzip
import json
import pathlib
import sys

import numpy as np
import torch


def vocabulary(folder, bpe_file):
    """The tokenizer's files, as CLIP's own code makes them."""
    lines = gzip.open(bpe_file).read().decode().split("\n")
    merges = [line for line in lines[1 : 49152 - 256 - 2 + 1]]
    bytes_ = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    letters = [chr(b) for b in bytes_]
    for b in range(256):
        if b not in bytes_:
            letters.append(chr(256 + len(letters) - 188))
    words = letters + [c + "</w>" for c in letters] + ["".join(m.split()) for m in merges]
    words += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({w: i for i, w in enumerate(words)}, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>", "model_max_length": 77, "do_lower_case": True, "tokenizer_class": "CLIPTokenizer",
    }))


def make(folder, bpe_file, latents_file):
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    pack = folder / "pack"
    kinds = ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"], ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3
    unet = UNet2DConditionModel(
        sample_size=64, block_out_channels=(320, 640, 1280, 1280), cross_attention_dim=768, attention_head_dim=8,
        down_block_types=tuple(kinds[0]), up_block_types=tuple(kinds[1]),
    )
    vae = AutoencoderKL(
        block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4, sample_size=512,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    )
    text = CLIPTextModel(CLIPTextConfig(
        vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
        hidden_act="quick_gelu", bos_token_id=0, eos_token_id=2, pad_token_id=1,
    ))
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False,
        steps_offset=1,
    )
    for name, model in [("unet", unet), ("vae", vae), ("text_encoder", text)]:
        model.half().save_pretrained(pack / name)
        model.float()
        model.eval()
    scheduler.save_pretrained(pack / "scheduler")
    vocabulary(pack / "tokenizer", bpe_file)
    (pack / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}))

    starts = np.load(latents_file)[[0, 1, 200]].astype(np.float32)
    np.save(folder / "starts.npy", starts)
    ids = torch.tensor([[49406] + [49407] * 76])
    context = text(ids).last_hidden_state
    scheduler.set_timesteps(5)
    print("steps", scheduler.timesteps.tolist())
    latents, pictures = [], []
    for start in starts:
        x = torch.from_numpy(start).reshape(1, 4, 64, 64)
        for step in scheduler.timesteps:
            x = scheduler.step(unet(x, step, context).sample, step, x, eta=0.0).prev_sample
        latents.append(x.reshape(-1).numpy())
        picture = vae.decode(x / vae.config.scaling_factor).sample
        pictures.append((picture / 2 + 0.5).clamp(0, 1)[0].permute(1, 2, 0).numpy())
    np.save(folder / "latents.npy", np.stack(latents))
    np.save(folder / "pictures.npy", np.stack(pictures))


def compare(folder):
    for name in ["latents", "pictures"]:
        ours, theirs = np.load(folder / "ours" / f"{name}.npy"), np.load(folder / f"{name}.npy")
        print(f"{name}: {theirs.shape}, largest difference {np.abs(ours - theirs).max():.2e}, deviation {theirs.std():.2e}")


if sys.argv[1] == "make":
    make(pathlib.Path(sys.argv[2]), sys.argv[3], sys.argv[4])
else:
    compare(pathlib.Path(sys.argv[2]))
