"""Makes the cases of the Brain-to-Context task: every loss term and its gradients, by PyTorch and diffusers.

    python make.py

The U-Net is the case `../parity/unet_2d_condition` (its config and its f16 weights); the encoder is written here with
PyTorch's own layers, its weights are random. Everything is computed in f64. Two runs give the same bytes.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import nn

HERE = Path(__file__).parent
UNET = HERE.parent / "parity" / "unet_2d_condition"
GROUPS = [("V1", 5, 2), ("other", 4, 3)]
HEADS, INNER, LAYERS = 2, 12, 2
ROWS, SIDE = 3, 8
STEPS = [20, 430, 940]
RANGE = 4.0
TEMPERATURE = 0.1


class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.to_q, self.to_k, self.to_v, self.to_out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x):
        split = lambda y: y.unflatten(-1, (HEADS, -1)).transpose(1, 2)
        y = F.scaled_dot_product_attention(split(self.to_q(x)), split(self.to_k(x)), split(self.to_v(x)))
        return self.to_out(y.transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1, self.attn, self.norm2 = nn.LayerNorm(width), Attention(width), nn.LayerNorm(width)
        self.ff = nn.Sequential(nn.Linear(width, INNER), nn.GELU(), nn.Linear(INNER, width))

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.ff(self.norm2(x))


class Entry(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.proj = nn.Linear(inputs, outputs)


class Encoder(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.groups = nn.ModuleList([Entry(inputs, tokens * width) for _, inputs, tokens in GROUPS])
        self.position = nn.Parameter(torch.empty(sum(tokens for _, _, tokens in GROUPS), width))
        self.blocks = nn.ModuleList([Block(width) for _ in range(LAYERS)])
        self.norm = nn.LayerNorm(width)
        self.width = width

    def forward(self, x):
        parts = x.split([inputs for _, inputs, _ in GROUPS], 1)
        tokens = [g.proj(p).unflatten(1, (-1, self.width)) for g, p in zip(self.groups, parts)]
        x = torch.cat(tokens, 1) + self.position
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


def normal(seed, *shape):
    # Rounded to f32, so that the stored numbers are the ones that were used.
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float32).double()


def ssim(a, b):
    size = min(11, (min(a.shape[-2:]) - 1) | 1)
    line = torch.exp(-((torch.arange(size).double() - (size - 1) / 2) / 1.5) ** 2 / 2)
    line = line / line.sum()
    window = torch.outer(line, line)[None, None]
    mean = lambda x: F.conv2d(x.flatten(0, 1)[:, None], window)
    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    c1, c2 = (0.01 * RANGE) ** 2, (0.03 * RANGE) ** 2
    map = (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
    return map.unflatten(0, a.shape[:2]).flatten(1).mean(1)


def terms(kind, gamma, encoder, unet, data):
    scheduler = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type=kind)
    share = scheduler.alphas_cumprod.double()[STEPS]
    signal, amount = share.sqrt()[:, None, None, None], (1 - share).sqrt()[:, None, None, None]
    snr = share / (1 - share)
    weigh = lambda of: torch.ones(ROWS).double() if gamma == 0 else snr.clamp(max=gamma) / of
    context = encoder(data["inputs"])
    target = data["contexts"]
    clean, noise = data["latents"], data["noise"]
    seen = torch.cat([context[:-1], data["empty"][None]])  # the last row is unconditional
    noisy = signal * clean + amount * noise
    output = unet(noisy, torch.tensor(STEPS), encoder_hidden_states=seen).sample
    if kind == "epsilon":
        epsilon, x0 = output, (noisy - amount * output) / signal
    else:
        epsilon, x0 = signal * output + amount * noisy, signal * noisy - amount * output
    velocity, true_velocity = signal * epsilon - amount * x0, scheduler.get_velocity(clean, noise, torch.tensor(STEPS))
    assert torch.allclose(true_velocity, signal * noise - amount * clean, atol=1e-5)
    per_row = lambda a, b: (a - b).square().flatten(1).mean(1)
    cosine = lambda a, b: F.cosine_similarity(a.flatten(1), b.flatten(1))
    flat = lambda x: F.normalize(x.flatten(1), dim=1)
    logits = flat(context) @ flat(target).T / TEMPERATURE
    labels = torch.arange(ROWS)
    return {
        "clip_mse": F.mse_loss(context, target),
        "clip_cosine": 1 - F.cosine_similarity(context, target, dim=2).mean(),
        "contrastive": (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2,
        "epsilon": (weigh(snr) * per_row(epsilon, noise)).mean(),
        "velocity": (weigh(snr + 1) * per_row(velocity, signal * noise - amount * clean)).mean(),
        "x0_mse": (share * per_row(x0, clean)).mean(),
        "x0_cosine": (share * (1 - cosine(x0, clean))).mean(),
        "x0_ssim": (share * (1 - ssim(x0, clean))).mean(),
    }


def main():
    config = json.loads((UNET / "config.json").read_text())
    unet = UNet2DConditionModel.from_config(config).double().eval()
    unet.load_state_dict({k: v.double() for k, v in load_file(UNET / "diffusion_pytorch_model.safetensors").items()})
    width = config["cross_attention_dim"]
    encoder = Encoder(width).double()
    for i, (name, parameter) in enumerate(sorted(encoder.named_parameters())):
        parameter.data = 0.4 * normal(1000 + i, *parameter.shape) + (1.0 if "norm" in name and "weight" in name else 0.0)
    n_tokens = sum(tokens for _, _, tokens in GROUPS)
    data = {
        "inputs": normal(1, ROWS, sum(inputs for _, inputs, _ in GROUPS)),
        "latents": normal(2, ROWS, config["in_channels"], SIDE, SIDE),
        "noise": normal(3, ROWS, config["in_channels"], SIDE, SIDE),
        "contexts": normal(4, ROWS, n_tokens, width),
        "empty": normal(5, n_tokens, width),
    }
    (HERE / "config.json").write_text(json.dumps({
        "groups": [{"name": name, "inputs": inputs, "tokens": tokens} for name, inputs, tokens in GROUPS],
        "hidden_size": width, "context_size": width, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
        "intermediate_size": INNER,
    }, indent=2) + "\n")
    trained = {f"encoder.{k}": p for k, p in encoder.named_parameters()}
    trained |= {f"unet.{k}": p for k, p in unet.named_parameters() if ".attn2.to_k." in k or ".attn2.to_v." in k}
    f32 = lambda x: x.detach().float().contiguous()
    save_file({k: f32(v) for k, v in data.items()} | {k: f32(p) for k, p in trained.items() if k.startswith("encoder")}, HERE / "io.safetensors")
    for kind, gamma in [("epsilon", 0), ("v_prediction", 5)]:
        values, stored = {}, {}
        for name, term in terms(kind, gamma, encoder, unet, data).items():
            gradients = torch.autograd.grad(term, list(trained.values()), retain_graph=True, allow_unused=True)
            values[name] = term.item()
            whole = torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for p, g in zip(trained.values(), gradients)])
            stored[name] = f32(whole)
        (HERE / f"{kind}.json").write_text(json.dumps({"min_snr": gamma, "terms": values, "order": list(trained)}, indent=1) + "\n")
        save_file(stored, HERE / f"{kind}.safetensors")


main()
