"""Makes every file below this directory from the Python reference implementations.

    python make.py            # rewrites all cases; the versions it was last run with are in README.md

Each model case is a small random model in the layout diffusers/transformers write, plus `io.safetensors` with
inputs, outputs and gradients. Weights are rounded to f16 before anything is computed; the reference runs in f64, so
that whatever differs from it is the error of the implementation under test.
"""

import json
import math
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

HERE = Path(__file__).resolve().parent
SPATIAL = (8, 12)  # never square, so that exchanged axes show


def randomise(model, seed, dtype=torch.float64):
    """Gives every parameter values that matter (no zero biases, no unit norms), exact in f16; leaves the model in `dtype`."""
    gen = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            noise = torch.randn(p.shape, generator=gen)
            if "norm" in name or "layrnorm" in name:
                value = 0.3 * noise + (1.0 if name.endswith("weight") else 0.0)
            elif p.ndim <= 1:
                value = 0.3 * noise
            elif "embedding" in name and "time" not in name and "patch" not in name:
                value = 0.5 * noise
            else:
                value = noise / math.sqrt(p[0].numel())
            p.copy_(value.half().float())
    return model.to(dtype).eval()


def normal(seed, *shape):
    """Standard normal f64 values that are exact in f32."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def save(path, tensors):
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.detach().contiguous() for k, v in tensors.items()}, str(path))


def f32(tensors):
    return {k: (v.detach().float() if v.is_floating_point() else v.detach()) for k, v in tensors.items()}


def packed_gradients(named):
    """All gradients, in order of name, as 16-bit integers of each tensor's largest magnitude (error ≤ 1.6e-5 of it)."""
    flat, scales = [], []
    for _, p in sorted(named):
        assert p.grad is not None
        scale = p.grad.abs().max().item()
        scales.append(scale)
        flat.append(torch.round(p.grad.flatten() * (32767.0 / scale if scale > 0 else 0.0)).to(torch.int16))
    return {"gradients": torch.cat(flat), "gradient_scales": torch.tensor(scales, dtype=torch.float32)}


def weights(model):
    """The state a hub file holds, in f16."""
    return {k: (v.half() if v.is_floating_point() else v) for k, v in model.state_dict().items()}


def saved_config(model):
    """The configuration as the library saves it: every key, defaults spelt out."""
    return {k: v for k, v in json.loads(model.to_json_string()).items() if k != "_name_or_path"}


def loss_of(outputs, seed):
    """Σ mean(output · r) with fixed normal r; `r` is stored as `loss.<output>`."""
    loss, stored = 0.0, {}
    for idx, (name, out) in enumerate(outputs.items()):
        r = normal(seed + idx, *out.shape)
        loss = loss + (out * r).mean()
        stored[f"loss.{name}"] = r
    return loss, stored


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_case(name, config, state, weight_file, inputs, outputs, loss_parts, model, renamed=None):
    """`inputs` that require gradients get `gradient.<input>`; parameter gradients are packed into grads.safetensors."""
    folder = HERE / name
    write_json(folder / "config.json", config)
    save(folder / weight_file, state)
    named = [((renamed or (lambda n: n))(n), p) for n, p in model.named_parameters()]
    save(folder / "grads.safetensors", packed_gradients(named))
    io = {f"input.{k}": v for k, v in inputs.items()}
    io |= {f"output.{k}": v for k, v in outputs.items()}
    io |= {f"gradient.{k}": v.grad for k, v in inputs.items() if v.is_floating_point() and v.grad is not None}
    save(folder / "io.safetensors", f32(io | loss_parts))


# ---------------------------------------------------------------------------------------------------- autoencoder


def sd1_autoencoder_config(**changes):
    """Only the keys that the first Stable Diffusion autoencoders carry: the rest are the library's defaults."""
    config = {
        "_class_name": "AutoencoderKL",
        "_diffusers_version": "0.2.2",
        "act_fn": "silu",
        "block_out_channels": [8, 12],
        "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"],
        "in_channels": 3,
        "latent_channels": 4,
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "out_channels": 3,
        "sample_size": 16,
        "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"],
    }
    return config | changes


def autoencoder(name, config, seed, spatial=SPATIAL):
    from diffusers import AutoencoderKL

    model = randomise(AutoencoderKL.from_config(config), seed)
    factor = 2 ** (len(config["block_out_channels"]) - 1)
    image = (normal(seed + 1, 2, 3, spatial[0] * factor, spatial[1] * factor) * 0.5).requires_grad_()
    latent = normal(seed + 2, 2, 4, *spatial).requires_grad_()
    with torch.enable_grad():
        posterior = model.encode(image).latent_dist
        outputs = {"mean": posterior.mean, "logvar": posterior.logvar, "image": model.decode(latent).sample}
        loss, parts = loss_of(outputs, seed + 3)
        loss.backward()
    state = weights(model)
    write_case(name, config, state, "diffusion_pytorch_model.safetensors", {"image": image, "latent": latent}, outputs, parts, model)
    return model, state


def autoencoders():
    from diffusers import AutoencoderKL

    config = sd1_autoencoder_config()
    model, state = autoencoder("autoencoder_kl", config, 100)
    # The first hub files name the attention otherwise (query, key, value, proj_attn); the reference reads both alike.
    old = {}
    for key, value in state.items():
        for new_name, old_name in [("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")]:
            key = key.replace(f"attentions.0.{new_name}.", f"attentions.0.{old_name}.")
        old[key] = value
    assert set(old) != set(state)
    folder = HERE / "old_names.tmp"
    write_json(folder / "config.json", config)
    save(folder / "diffusion_pytorch_model.safetensors", old)
    again = AutoencoderKL.from_pretrained(folder, torch_dtype=torch.float64)
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values()))
    shutil.rmtree(folder)

    plain = AutoencoderKL(
        block_out_channels=(4, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=2,
        latent_channels=4,
        norm_num_groups=2,
        sample_size=32,
        scaling_factor=0.7,
        use_quant_conv=False,
        use_post_quant_conv=False,
        mid_block_add_attention=False,
    )
    autoencoder("autoencoder_kl_plain", saved_config(plain), 120, (4, 6))


# ----------------------------------------------------------------------------------------------------------- U-Net


def sd1_unet_config():
    """Only the keys of the Stable Diffusion 1.x configuration."""
    return {
        "_class_name": "UNet2DConditionModel",
        "_diffusers_version": "0.2.2",
        "act_fn": "silu",
        "attention_head_dim": 2,  # in truth the number of heads
        "block_out_channels": [4, 8],
        "center_input_sample": False,
        "cross_attention_dim": 12,
        "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
        "downsample_padding": 1,
        "flip_sin_to_cos": True,
        "freq_shift": 0,
        "in_channels": 4,
        "layers_per_block": 2,
        "mid_block_scale_factor": 1,
        "norm_eps": 1e-05,
        "norm_num_groups": 2,
        "out_channels": 4,
        "sample_size": 8,
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    }


def unet(name, config, seed):
    from diffusers import UNet2DConditionModel

    model = randomise(UNet2DConditionModel.from_config(config), seed)
    sample = normal(seed + 1, 2, 4, *SPATIAL).requires_grad_()
    context = normal(seed + 2, 2, 5, 12).requires_grad_()
    step = torch.tensor([3, 981])
    with torch.enable_grad():
        outputs = {"sample": model(sample, step, context).sample}
        loss, parts = loss_of(outputs, seed + 3)
        loss.backward()
    inputs = {"sample": sample, "encoder_hidden_states": context, "timestep": step}
    write_case(name, config, weights(model), "diffusion_pytorch_model.safetensors", inputs, outputs, parts, model)


def unets():
    from diffusers import UNet2DConditionModel

    unet("unet_2d_condition", sd1_unet_config(), 200)
    second = UNet2DConditionModel(
        block_out_channels=(8, 12),
        norm_num_groups=4,
        layers_per_block=1,
        attention_head_dim=(2, 3),
        use_linear_projection=True,
        cross_attention_dim=12,
        sample_size=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )
    unet("unet_2d_condition_linear", saved_config(second), 220)


# ------------------------------------------------------------------------------------------------------------ CLIP


def clip_text_config(vocab_size, **changes):
    """The keys of the text encoder of Stable Diffusion 1.x; `eos_token_id` 2 is wrong there and means "largest id"."""
    config = {
        "architectures": ["CLIPTextModel"],
        "attention_dropout": 0.0,
        "bos_token_id": 0,
        "dropout": 0.0,
        "eos_token_id": 2,
        "hidden_act": "quick_gelu",
        "hidden_size": 12,
        "initializer_factor": 1.0,
        "initializer_range": 0.02,
        "intermediate_size": 48,
        "layer_norm_eps": 1e-05,
        "max_position_embeddings": 77,
        "model_type": "clip_text_model",
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
        "pad_token_id": 1,
        "torch_dtype": "float32",
        "transformers_version": "4.19.0",
        "vocab_size": vocab_size,
    }
    return config | changes


def clip_text(vocab_size):
    from transformers import CLIPTextConfig, CLIPTextModel

    config = clip_text_config(vocab_size)
    model = randomise(CLIPTextModel(CLIPTextConfig(**config)), 300)
    eos = vocab_size - 1
    ids = torch.full((2, 77), eos)
    gen = torch.Generator().manual_seed(301)
    for row, length in enumerate((9, 77)):
        ids[row, 1 : length - 1] = torch.randint(0, vocab_size - 2, (length - 2,), generator=gen)
        ids[row, 0] = vocab_size - 2
    with torch.enable_grad():
        out = model(ids)
        outputs = {"last_hidden_state": out.last_hidden_state, "pooled": out.pooler_output}
        loss, parts = loss_of(outputs, 302)
        loss.backward()
    # The hub's files carry this prefix and, from older versions, the position ids; version 5 leaves out both.
    prefix = lambda n: n if n.startswith("text_model.") else f"text_model.{n}"
    state = {prefix(k): v for k, v in weights(model).items()}
    state["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    write_case("clip_text", config, state, "model.safetensors", {"input_ids": ids}, outputs, parts, model, prefix)


def clip_text_projection():
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    config = clip_text_config(
        100,
        architectures=["CLIPTextModelWithProjection"],
        hidden_act="gelu",
        eos_token_id=40,
        max_position_embeddings=16,
        projection_dim=6,
        intermediate_size=40,
        num_attention_heads=3,
    )
    model = randomise(CLIPTextModelWithProjection(CLIPTextConfig(**config)), 320)
    gen = torch.Generator().manual_seed(321)
    ids = torch.randint(41, 100, (3, 16), generator=gen)
    ids[0, 5:] = 40  # padded with the end token: the first one counts
    ids[1, 15] = 40
    ids[2, 7] = 40  # followed by larger ids: not the largest id, the first end token
    with torch.enable_grad():
        out = model(ids)
        outputs = {"last_hidden_state": out.last_hidden_state, "text_embeds": out.text_embeds}
        loss, parts = loss_of(outputs, 322)
        loss.backward()
    write_case("clip_text_projection", config, weights(model), "model.safetensors", {"input_ids": ids}, outputs, parts, model)


def clip_vision():
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    config = {
        "architectures": ["CLIPVisionModelWithProjection"],
        "attention_dropout": 0.0,
        "hidden_act": "quick_gelu",
        "hidden_size": 12,
        "image_size": 12,
        "initializer_factor": 1.0,
        "initializer_range": 0.02,
        "intermediate_size": 48,
        "layer_norm_eps": 1e-05,
        "model_type": "clip_vision_model",
        "num_attention_heads": 2,
        "num_channels": 3,
        "num_hidden_layers": 2,
        "patch_size": 4,
        "projection_dim": 6,
    }
    model = randomise(CLIPVisionModelWithProjection(CLIPVisionConfig(**config)), 340)
    pixels = normal(341, 2, 3, 12, 12).requires_grad_()
    with torch.enable_grad():
        out = model(pixels)
        outputs = {"last_hidden_state": out.last_hidden_state, "image_embeds": out.image_embeds}
        loss, parts = loss_of(outputs, 342)
        loss.backward()
    write_case("clip_vision", config, weights(model), "model.safetensors", {"pixel_values": pixels}, outputs, parts, model)


def pattern(h, w):
    """A picture of waves, as bytes."""
    y, x, c = np.meshgrid(np.arange(h), np.arange(w), np.arange(3), indexing="ij")
    picture = 127.5 + 127.5 * np.sin(0.31 * (c + 1) * x + 0.23 * y * (3 - c)) * np.cos(0.11 * x * y + c)
    return torch.from_numpy(np.clip(np.round(picture), 0, 255).astype(np.uint8))


def clip_pixels(picture, config):
    """Pillow's bicubic on bytes, centre crop, normalisation: what CLIPImageProcessor does with Pillow behind it."""
    from PIL import Image

    h, w, _ = picture.shape
    edge = config["size"]["shortest_edge"]
    size = (edge, edge * h // w) if w <= h else (edge * w // h, edge)
    small = np.asarray(Image.fromarray(picture.numpy()).resize(size, Image.Resampling.BICUBIC))
    top, left = (small.shape[0] - edge) // 2, (small.shape[1] - edge) // 2
    crop = small[top : top + edge, left : left + edge].astype(np.float64) / 255
    pixels = (crop - config["image_mean"]) / config["image_std"]
    return torch.from_numpy(pixels.transpose(2, 0, 1)).float()


def clip_preprocess():
    """What a picture goes through before the vision model."""
    config = {
        "crop_size": {"height": 12, "width": 12},
        "do_center_crop": True,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "feature_extractor_type": "CLIPFeatureExtractor",
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_processor_type": "CLIPImageProcessor",
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"shortest_edge": 12},
    }
    write_json(HERE / "clip_preprocess" / "preprocessor_config.json", config)
    tensors = {}
    for name, (h, w) in {"smaller": (27, 40), "square": (64, 64), "larger": (8, 8)}.items():
        tensors[f"input.{name}"] = picture = pattern(h, w)
        tensors[f"output.{name}"] = clip_pixels(picture, config)
    save(HERE / "clip_preprocess" / "io.safetensors", tensors)
    return config


# ------------------------------------------------------------------------------------------------------- scheduler

SCHEDULERS = {
    # Stable Diffusion 1.x as its repository has it: another sampler's configuration, read by DDIM.
    "sd1": {
        "_class_name": "PNDMScheduler",
        "_diffusers_version": "0.7.0.dev0",
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "clip_sample": False,
        "num_train_timesteps": 1000,
        "set_alpha_to_one": False,
        "skip_prk_steps": True,
        "steps_offset": 1,
        "trained_betas": None,
    },
    "v_trailing_zero_snr": {
        "_class_name": "DDIMScheduler",
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "clip_sample": False,
        "num_train_timesteps": 1000,
        "prediction_type": "v_prediction",
        "rescale_betas_zero_snr": True,
        "set_alpha_to_one": True,
        "steps_offset": 1,
        "timestep_spacing": "trailing",
    },
    "linspace_clipped": {
        "_class_name": "DDIMScheduler",
        "beta_end": 0.02,
        "beta_schedule": "linear",
        "beta_start": 0.0001,
        "clip_sample": True,
        "clip_sample_range": 1.5,
        "num_train_timesteps": 1000,
        "prediction_type": "epsilon",
        "set_alpha_to_one": True,
        "timestep_spacing": "linspace",
    },
    "cosine_sample": {
        "_class_name": "DDIMScheduler",
        "beta_schedule": "squaredcos_cap_v2",
        "clip_sample": False,
        "num_train_timesteps": 500,
        "prediction_type": "sample",
        "timestep_spacing": "leading",
    },
}


def schedulers():
    from diffusers import DDIMScheduler

    for name, config in SCHEDULERS.items():
        folder = HERE / "ddim" / name
        write_json(folder / "scheduler_config.json", config)
        scheduler = DDIMScheduler.from_config(config)
        # In f32 the table's 1 − ᾱ is what is left of a difference of 1e-4 at the last steps of the cosine schedule.
        scheduler.alphas_cumprod = torch.cumprod(1.0 - scheduler.betas.double(), 0)
        scheduler.final_alpha_cumprod = scheduler.alphas_cumprod[0] if not scheduler.config.set_alpha_to_one else torch.tensor(1.0)
        tensors = {"alphas_cumprod": scheduler.alphas_cumprod[::25]}
        start, noise = normal(400, 2, 4, 2, 3), normal(401, 2, 4, 2, 3)
        tensors |= {"start": start, "noise": noise, "noised_at": torch.tensor([1, 450])}
        tensors["noised"] = scheduler.add_noise(start, noise, tensors["noised_at"])
        for n_steps in (1, 7, 20, 50, 333):
            scheduler.set_timesteps(n_steps)
            tensors[f"timesteps.{n_steps}"] = scheduler.timesteps
        for n_steps in (7, 20):
            scheduler.set_timesteps(n_steps)
            sample, states = start, [start]
            for t in scheduler.timesteps:
                prediction = fake_model(sample, int(t))
                sample = scheduler.step(prediction, t, sample, eta=0.0).prev_sample
                states.append(sample)
            tensors[f"trajectory.{n_steps}"] = torch.stack(states)
        save(folder / "io.safetensors", tensors)


def fake_model(sample, t):
    """Stands for a network: depends on the sample and the step and is the same in every language."""
    return 0.1 * sample * math.cos(t) + 0.3 * math.sin(0.01 * t)


# ------------------------------------------------------------------------------------------------------- tokenizer

SENTENCES = """a photo of a red house left of a tree at night
a small blue boat on the water below a yellow sun
the dog doesn't see the cat and the cat isn't looking
two white crosses on a black background, a ring and a checkerboard
we've drawn a green car; they'll paint it, she'd say it's large
letters and digits in many handwritings: a, b, c, 1, 2, 3
a grating that is tilted to the left with high contrast
a bright morning over the mountains, the sea and the fields""".splitlines()

TEXTS = [
    "",
    " ",
    "a photo of a red house",
    "A PHOTO OF A Red HoUsE",
    "  two   white\tcrosses\n\non  a\r\nbackground  ",
    "I'm sure they'll say it's fine; we've SHE'D don't y'all'd've",
    "rock'n'roll 'tis ''s ' s",
    "the year 2024, 3.14 and 1,000,000 — 50% off!",
    "hello!!!...world???(a)[b]{c}<d>#e@f$g^h&i*j_k+l=m|n~o`p",
    "snake_case camelCase kebab-case a/b\\c",
    "caf\u00e9 cafe\u0301 na\u00efve \u00c9COLE stra\u00dfe STRASSE \u0130stanbul \u03a3\u0391\u03a3",
    "\u6f22\u5b57\u3068\u3072\u3089\u304c\u306a \u4e2d\u6587\u6d4b\u8bd5\u3002 \ud55c\uad6d\uc5b4 \u1112\u1161\u11ab",
    "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22 \u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u05e2\u05d1\u05e8\u05d9\u05ea \u0939\u093f\u0928\u094d\u0926\u0940 \u0420\u0443\u0441\u0441\u043a\u0438\u0439",
    "a \U0001f431 and a \U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f44d\U0001f3fd \U0001f1e9\U0001f1ea \u2764\ufe0f",
    "no\u00a0break\u3000ideographic\u2003em\u200bzero\ufeffbom",
    "\u00bd \u00b2 \u2167 \u2460 \u0663 \uff11 \uff21\uff22",
    "\ufffd \u0000 \u0007 \u001b[31m \U0010ffff",
    "quotes \u201cdouble\u201d \u2018single\u2019 it\u2019s \u00abfr\u00bb",
    "&amp; &lt;b&gt; <b>bold</b> http://a.b/c?d=e&f=g",
    "<|startoftext|> inside <|endoftext|> text",
    "<|endoftext|>",
    "<|not a token|> </w> a</w>",
    "unbelievablyantidisestablishmentarianismlongwordwithoutspaces",
    "a red house " * 40,
    "x" * 200,
    "\U0001f600" * 60,
    " ".join(["tree"] * 75),
    " ".join(["tree"] * 76),
]


def byte_letters():
    """The 256 printable letters that stand for bytes: printable Latin-1 for itself, the rest from U+0100 on."""
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table, spare = {}, 256
    for b in own:
        table[b] = chr(b)
    for b in range(256):
        if b not in table:
            table[b] = chr(spare)
            spare += 1
    return table


def learn_merges(sentences, n_merges):
    """Byte-pair merges by count, ties by the smaller pair."""
    letters, words = byte_letters(), {}
    for sentence in sentences:
        for word in sentence.split():
            word = "".join(letters[b] for b in word.encode())
            key = (*word[:-1], word[-1] + "</w>")
            words[key] = words.get(key, 0) + 1
    merges = []
    while len(merges) < n_merges:
        counts = {}
        for word, n in words.items():
            for pair in zip(word, word[1:]):
                counts[pair] = counts.get(pair, 0) + n
        if not counts:
            break
        best = min(counts, key=lambda p: (-counts[p], p))
        merges.append(best)
        merged = {}
        for word, n in words.items():
            out, idx = [], 0
            while idx < len(word):
                if word[idx : idx + 2] == best:
                    out.append(word[idx] + word[idx + 1])
                    idx += 2
                else:
                    out.append(word[idx])
                    idx += 1
            merged[tuple(out)] = merged.get(tuple(out), 0) + n
        words = merged
    return merges


def write_vocabulary(folder, merges):
    letters = list(byte_letters().values())
    tokens = letters + [x + "</w>" for x in letters] + ["".join(m) for m in merges] + ["<|startoftext|>", "<|endoftext|>"]
    assert len(set(tokens)) == len(tokens)
    folder.mkdir(parents=True, exist_ok=True)
    table = {token: idx for idx, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(table, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(m) for m in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(tokens)


def token_config(pad):
    token = lambda text: {"__type": "AddedToken", "content": text, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
    return {
        "add_prefix_space": False,
        "bos_token": token("<|startoftext|>"),
        "do_lower_case": True,
        "eos_token": token("<|endoftext|>"),
        "errors": "replace",
        "model_max_length": 77,
        "pad_token": pad,
        "tokenizer_class": "CLIPTokenizer",
        "unk_token": token("<|endoftext|>"),
    }


def token_ids(folder):
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(folder)
    rows = tokenizer(TEXTS, padding="max_length", max_length=77, truncation=True).input_ids
    assert all(len(row) == 77 for row in rows)
    trimmed = []
    for row in rows:
        n = 77
        while n > 0 and row[n - 1] == tokenizer.pad_token_id:
            n -= 1
        trimmed.append(row[:n])
    return {
        "pad": tokenizer.pad_token_id,
        "length": 77,
        "cases": [{"text": text, "ids_without_padding": ids} for text, ids in zip(TEXTS, trimmed)],
    }


def write_ids(path, ids):
    """One case a line."""
    rows = ",\n".join("    " + json.dumps(case) for case in ids["cases"])
    path.write_text(f'{{\n  "pad": {ids["pad"]},\n  "length": {ids["length"]},\n  "cases": [\n{rows}\n  ]\n}}\n', encoding="utf-8")


def tokenizers():
    folder = HERE / "tokenizer"
    vocab_size = write_vocabulary(folder, learn_merges(SENTENCES, 200))
    for name, pad in [("pad_end", "<|endoftext|>"), ("pad_exclamation", "!")]:
        write_json(folder / "tokenizer_config.json", token_config(pad))
        write_ids(folder / f"ids_{name}.json", token_ids(folder))
    write_json(folder / "tokenizer_config.json", token_config("<|endoftext|>"))
    real_tokenizer(folder)
    return vocab_size


def real_tokenizer(folder):
    """Ids under the vocabulary of the released CLIP models, when its merge list lies beside the repository."""
    import gzip

    source = HERE.parents[5] / "shared" / "data" / "clip_bpe" / "bpe_simple_vocab_16e6.txt.gz"
    if not source.exists():
        print(f"skipped: {source} is absent, ids_released.json stays as it is", file=sys.stderr)
        return
    lines = gzip.open(source, "rt", encoding="utf-8").read().split("\n")
    merges = [tuple(line.split()) for line in lines[1 : 49152 - 256 - 2 + 1]]
    temporary = HERE / "released.tmp"
    assert write_vocabulary(temporary, merges) == 49408
    write_json(temporary / "tokenizer_config.json", token_config("<|endoftext|>"))
    write_ids(folder / "ids_released.json", token_ids(temporary))
    shutil.rmtree(temporary)


# -------------------------------------------------------------------------------------------------------- pipeline


def pipeline(preprocess):
    """Text to image through all parts together, from given noise, with guidance: the cases above as one pack."""
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer, CLIPVisionModelWithProjection

    unet_model = UNet2DConditionModel.from_pretrained(HERE / "unet_2d_condition", torch_dtype=torch.float64)
    vae = AutoencoderKL.from_pretrained(HERE / "autoencoder_kl", torch_dtype=torch.float64)
    text = CLIPTextModel.from_pretrained(HERE / "clip_text", dtype=torch.float64)
    stored = load_file(HERE / "clip_text" / "io.safetensors")
    assert torch.allclose(text(stored["input.input_ids"]).last_hidden_state.float(), stored["output.last_hidden_state"])
    tokenizer = CLIPTokenizer.from_pretrained(HERE / "tokenizer")
    scheduler = DDIMScheduler.from_config(SCHEDULERS["sd1"])
    pipe = StableDiffusionPipeline(
        vae=vae, text_encoder=text, tokenizer=tokenizer, unet=unet_model, scheduler=scheduler,
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    prompts = ["a red house left of a tree", "Two white crosses, at night!"]
    noise = normal(500, 2, 4, 8, 8)
    kwargs = dict(prompt=prompts, latents=noise.clone(), num_inference_steps=5, guidance_scale=3.0, height=16, width=16)
    latents = pipe(**kwargs, output_type="latent").images
    images = pipe(**kwargs, output_type="pt").images
    tokens = tokenizer(prompts, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
    context = text(tokens).last_hidden_state
    empty = text(tokenizer([""], padding="max_length", max_length=77, return_tensors="pt").input_ids).last_hidden_state
    tensors = {"noise": noise, "context": context, "context.empty": empty, "latents": latents, "images": images}
    pictures = torch.stack([pattern(32, 16)[:16], pattern(16, 32)[:, 16:]])
    scaled = pictures.permute(0, 3, 1, 2).double() / 127.5 - 1
    tensors |= {"pictures": pictures, "encoded": vae.encode(scaled).latent_dist.mean * vae.config.scaling_factor}
    vision = CLIPVisionModelWithProjection.from_pretrained(HERE / "clip_vision", dtype=torch.float64)
    pixels = torch.stack([clip_pixels(picture, preprocess) for picture in pictures]).double()
    tensors["clip_image"] = vision(pixels).image_embeds
    save(HERE / "pipeline" / "io.safetensors", f32(tensors))
    write_json(HERE / "pipeline" / "prompts.json", {"prompts": prompts, "steps": 5, "guidance": 3.0})


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    vocab_size = tokenizers()
    autoencoders()
    unets()
    clip_text(vocab_size)
    clip_text_projection()
    clip_vision()
    preprocess = clip_preprocess()
    schedulers()
    pipeline(preprocess)
    files = sorted(p for p in HERE.rglob("*") if p.is_file())
    for p in files:
        print(f"{p.stat().st_size:8d}  {p.relative_to(HERE)}")
    print(f"{sum(p.stat().st_size for p in files):8d}  in all")
