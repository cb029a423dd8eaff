"""Makes the U-Nets with motion modules: one of its own, and an adapter beside `unet_2d_condition`.

    python make_motion.py
"""

import json

import torch
from make import HERE, SPATIAL, f32, loss_of, normal, randomise, save, saved_config, weights, write_case, write_json
from safetensors.torch import load_file

FILE = "diffusion_pytorch_model.safetensors"
FRAMES = 3


def rounded(model):
    """Tables of positions as the file holds them."""
    for buffer in model.buffers():
        buffer.copy_(buffer.half())
    return model


def spread(rows):
    """One row for each frame, as diffusers' pipeline repeats them."""
    return rows.repeat_interleave(FRAMES, dim=0)


def whole():
    from diffusers import UNetMotionModel

    config = {
        "block_out_channels": [4, 8],
        "norm_num_groups": 2,
        "layers_per_block": 1,
        "cross_attention_dim": 6,
        "num_attention_heads": [1, 2],
        "transformer_layers_per_block": [1, 1],
        "use_linear_projection": True,
        "time_cond_proj_dim": 6,
        "sample_size": 8,
        "down_block_types": ["CrossAttnDownBlockMotion", "DownBlockMotion"],
        "up_block_types": ["UpBlockMotion", "CrossAttnUpBlockMotion"],
        "motion_max_seq_length": 5,
        "motion_num_attention_heads": [2, 4],
        "temporal_transformer_layers_per_block": [2, 1],
        "reverse_temporal_transformer_layers_per_block": [1, 1],
        "temporal_transformer_layers_per_mid_block": 2,
    }
    model = UNetMotionModel.from_config(config)
    config = saved_config(model)
    model = randomise(rounded(model), 300)
    sample = normal(301, 2, 4, FRAMES, *SPATIAL).requires_grad_()
    context = normal(302, 2, 5, 6).requires_grad_()
    guidance = normal(303, 2, 6)
    step = torch.tensor([3, 981])
    with torch.enable_grad():
        outputs = {"sample": model(sample, step, spread(context), timestep_cond=guidance).sample}
        loss, parts = loss_of(outputs, 304)
        loss.backward()
    inputs = {"sample": sample, "timestep": step, "encoder_hidden_states": context, "timestep_cond": guidance}
    write_case("unet_motion", config, weights(model), FILE, inputs, outputs, parts, model)


def adapter():
    from diffusers import MotionAdapter, UNet2DConditionModel, UNetMotionModel

    unet = UNet2DConditionModel.from_config(json.loads((HERE / "unet_2d_condition" / "config.json").read_text()))
    unet.load_state_dict(load_file(HERE / "unet_2d_condition" / FILE))
    config = {
        "block_out_channels": [4, 8],
        "motion_layers_per_block": 2,
        "motion_num_attention_heads": 2,
        "motion_norm_num_groups": 2,
        "motion_max_seq_length": 4,
        "use_motion_mid_block": False,
    }
    motion = MotionAdapter.from_config(config)
    config = saved_config(motion)
    motion = randomise(rounded(motion), 320, torch.float32)
    model = UNetMotionModel.from_unet2d(unet, motion).double().eval()
    sample, context = normal(321, 2, 4, FRAMES, *SPATIAL), normal(322, 2, 5, 12)
    step = torch.tensor([3, 981])
    with torch.no_grad():
        out = model(sample, step, spread(context)).sample
    folder = HERE / "motion_adapter"
    write_json(folder / "config.json", config)
    save(folder / FILE, weights(motion))
    io = {"input.sample": sample, "input.timestep": step, "input.encoder_hidden_states": context, "output.sample": out}
    save(folder / "io.safetensors", f32(io))


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    whole()
    adapter()
