"""Makes the files of this directory: short trainings and loss weights of the Python references.

    python make.py            # the versions it was last run with are in README.md

`keys_and_values` trains the cross-attention's keys and values of the U-Net in `../parity/unet_2d_condition` together with
a table that stands for the context, everything else frozen. `adamw` moves a few tensors by torch.optim.AdamW with one
parameter group per kind of decay and rate. `min_snr` holds loss weights made from diffusers' own signal-to-noise ratio.
Everything is computed in f64 from values that are exact in f32.
"""

from pathlib import Path

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from diffusers.training_utils import compute_snr
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent
STEPS = 4


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def save(name, tensors):
    (HERE / name).mkdir(exist_ok=True)
    save_file({k: v.detach().float().contiguous() for k, v in tensors.items()}, str(HERE / name / "io.safetensors"))


def keys_and_values():
    folder = HERE.parent / "parity/unet_2d_condition"
    model = UNet2DConditionModel.from_pretrained(folder, torch_dtype=torch.float64).eval()
    model.requires_grad_(False)
    trained = {n: p for n, p in model.named_parameters() if ".attn2.to_k." in n or ".attn2.to_v." in n}
    for parameter in trained.values():
        parameter.requires_grad_(True)
    table = normal(10, 2, 5, 12).requires_grad_()
    io = {f"before.{n}": p.clone() for n, p in (trained | {"table": table}).items()}
    groups = [
        {"params": list(trained.values()), "weight_decay": 0.1, "lr": 2e-3},
        {"params": [table], "weight_decay": 0.0, "lr": 1e-2},
    ]
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.99), eps=1e-6)
    losses = []
    for step in range(STEPS):
        sample, target = normal(20 + step, 2, 4, 8, 12), normal(40 + step, 2, 4, 8, 12)
        times = torch.tensor([3 + 100 * step, 981 - 70 * step])
        optimiser.zero_grad()
        loss = torch.nn.functional.mse_loss(model(sample, times, table).sample, target)
        loss.backward()
        if step == 0:
            io |= {f"gradient.{n}": p.grad.clone() for n, p in (trained | {"table": table}).items()}
        optimiser.step()
        losses.append(loss.detach())
        io |= {f"sample.{step}": sample, f"target.{step}": target, f"times.{step}": times}
    io |= {f"after.{n}": p for n, p in (trained | {"table": table}).items()}
    save("keys_and_values", io | {"losses": torch.stack(losses)})


def adamw():
    shapes = {
        "blocks.0.linear.weight": (3, 4),
        "blocks.0.linear.bias": (3,),
        "blocks.0.norm.weight": (4,),
        "positions": (5, 4),
        "attn2.to_k.weight": (2, 4),
        "gain": (4,),
    }
    tensors = {n: normal(100 + i, *s).requires_grad_() for i, (n, s) in enumerate(shapes.items())}
    pick = lambda *names: [tensors[n] for n in names]
    groups = [
        {"params": pick("blocks.0.linear.weight"), "weight_decay": 0.2, "lr": 1e-2},
        {"params": pick("blocks.0.linear.bias", "blocks.0.norm.weight", "positions"), "weight_decay": 0.0, "lr": 1e-2},
        {"params": pick("attn2.to_k.weight"), "weight_decay": 0.2, "lr": 1e-3},
        {"params": pick("gain"), "weight_decay": 0.5, "lr": 1e-2},
    ]
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.99), eps=1e-8)
    io = {f"before.{n}": t.clone() for n, t in tensors.items()}
    norms = []
    for step in range(6):
        optimiser.zero_grad()
        loss = 0.0
        for i, (name, tensor) in enumerate(tensors.items()):
            goal = normal(1000 + 10 * step + i, *tensor.shape)
            io[f"goal.{step}.{name}"] = goal
            loss = loss + (tensor - goal).square().sum()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(list(tensors.values()), 5.0))
        optimiser.step()
    assert min(norms) > 5.0
    save("adamw", io | {f"after.{n}": t for n, t in tensors.items()})


def min_snr():
    gamma = 5.0
    steps = torch.tensor([0, 1, 20, 150, 400, 700, 998, 999])
    io = {"steps": steps, "gamma": torch.tensor([gamma])}
    for name, extra in [("sd1", {}), ("zero_snr", {"rescale_betas_zero_snr": True})]:
        scheduler = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", **extra)
        scheduler.alphas_cumprod = scheduler.alphas_cumprod.double()
        snr = compute_snr(scheduler, steps)
        least = torch.minimum(snr, torch.full_like(snr, gamma))
        # At a ratio of zero the first is 0/0; its limit is one.
        io[f"{name}.epsilon"] = torch.where(snr > 0, least / snr, torch.ones_like(snr))
        io[f"{name}.v_prediction"] = least / (snr + 1)
        io[f"{name}.sample"] = least
    save("min_snr", io)


if __name__ == "__main__":
    torch.set_num_threads(1)
    keys_and_values()
    adamw()
    min_snr()
