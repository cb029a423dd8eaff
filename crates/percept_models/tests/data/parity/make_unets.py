"""Makes the U-Nets with other conditioning, and `compvis/`, the names of single-file checkpoints.

    python make_unets.py
"""

import json

import torch
from make import HERE, SPATIAL, loss_of, normal, randomise, saved_config, sd1_unet_config, weights, write_case, write_json
from safetensors.torch import load_file

FILE = "diffusion_pytorch_model.safetensors"


def case(name, config, seed, **inputs):
    from diffusers import UNet2DConditionModel

    model = UNet2DConditionModel.from_config(config)
    config = saved_config(model)
    model = randomise(model, seed)
    inputs = {k: v.requires_grad_() for k, v in inputs.items()}
    sample = normal(seed + 1, 2, config["in_channels"], *SPATIAL).requires_grad_()
    step = torch.tensor([3, 981])
    with torch.enable_grad():
        arguments = {k: v for k, v in inputs.items()}
        arguments.setdefault("encoder_hidden_states", None)
        outputs = {"sample": model(sample, step, **arguments).sample}
        loss, parts = loss_of(outputs, seed + 3)
        loss.backward()
    write_case(name, config, weights(model), FILE, {"sample": sample, "timestep": step} | inputs, outputs, parts, model)


def models():
    case("unet_consistency", sd1_unet_config() | {"time_cond_proj_dim": 6, "block_out_channels": [4, 4], "cross_attention_dim": 6, "layers_per_block": 1},
         240, encoder_hidden_states=normal(242, 2, 5, 6), timestep_cond=normal(244, 2, 6))
    # MusicLDM: conditioned by one vector, the second attention looks at the latents.
    music = {
        "block_out_channels": [4, 8],
        "norm_num_groups": 2,
        "layers_per_block": 1,
        "attention_head_dim": [1, 2],
        "cross_attention_dim": [4, 8],
        "class_embed_type": "simple_projection",
        "class_embeddings_concat": True,
        "projection_class_embeddings_input_dim": 7,
        "in_channels": 3,
        "out_channels": 3,
        "sample_size": 8,
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
    }
    case("unet_music", music, 260, class_labels=normal(262, 2, 7))
    deep = {
        "block_out_channels": [4, 8],
        "norm_num_groups": 2,
        "layers_per_block": 1,
        "attention_head_dim": 2,
        "cross_attention_dim": 6,
        "class_embed_type": "projection",
        "projection_class_embeddings_input_dim": 5,
        "transformer_layers_per_block": [2, 1],
        "mid_block_type": "UNetMidBlock2D",
        "use_linear_projection": True,
        "sample_size": 8,
        "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    }
    case("unet_deep_class", deep, 280, encoder_hidden_states=normal(282, 2, 5, 6), class_labels=normal(284, 2, 5))


def both(*places):
    return [f"{place}.{kind}" for place in places for kind in ("weight", "bias")]


def ldm_unet_names(widths, layers, crossed):
    """The parameters of the original U-Net, as its constructor nests them."""

    def resnet(place, c_in, c_out):
        names = both(*(f"{place}.{m}" for m in ("in_layers.0", "in_layers.2", "emb_layers.1", "out_layers.0", "out_layers.3")))
        return names + (both(f"{place}.skip_connection") if c_in != c_out else [])

    def attention(place):
        block = f"{place}.transformer_blocks.0"
        names = both(f"{place}.norm", f"{place}.proj_in", f"{place}.proj_out", f"{block}.ff.net.0.proj", f"{block}.ff.net.2")
        names += both(*(f"{block}.norm{i}" for i in (1, 2, 3)))
        for attn in ("attn1", "attn2"):
            names += [f"{block}.{attn}.to_{p}.weight" for p in "qkv"] + both(f"{block}.{attn}.to_out.0")
        return names

    names = both("time_embed.0", "time_embed.2", "input_blocks.0.0", "out.0", "out.2")
    block, channels, skips = 1, widths[0], [widths[0]]
    for level, width in enumerate(widths):
        for _ in range(layers):
            names += resnet(f"input_blocks.{block}.0", channels, width)
            names += attention(f"input_blocks.{block}.1") if crossed[level] else []
            block, channels = block + 1, width
            skips.append(width)
        if level + 1 < len(widths):
            names += both(f"input_blocks.{block}.0.op")
            block += 1
            skips.append(width)
    names += resnet("middle_block.0", 1, 1) + attention("middle_block.1") + resnet("middle_block.2", 1, 1)
    block = 0
    for level in reversed(range(len(widths))):
        for i in range(layers + 1):
            names += resnet(f"output_blocks.{block}.0", channels + skips.pop(), widths[level])
            channels = widths[level]
            names += attention(f"output_blocks.{block}.1") if crossed[level] else []
            if level and i == layers:
                names += both(f"output_blocks.{block}.{2 if crossed[level] else 1}.conv")
            block += 1
    return names


def ldm_vae_names(widths, layers):
    def resnet(place, c_in, c_out):
        names = both(*(f"{place}.{m}" for m in ("norm1", "conv1", "norm2", "conv2")))
        return names + (both(f"{place}.nin_shortcut") if c_in != c_out else [])

    names = both("quant_conv", "post_quant_conv")
    for side in ("encoder", "decoder"):
        names += both(f"{side}.conv_in", f"{side}.norm_out", f"{side}.conv_out")
        names += resnet(f"{side}.mid.block_1", 1, 1) + resnet(f"{side}.mid.block_2", 1, 1)
        names += both(*(f"{side}.mid.attn_1.{m}" for m in ("norm", "q", "k", "v", "proj_out")))
    channels = widths[0]
    for level, width in enumerate(widths):
        for i in range(layers):
            names += resnet(f"encoder.down.{level}.block.{i}", channels, width)
            channels = width
        names += both(f"encoder.down.{level}.downsample.conv") if level + 1 < len(widths) else []
    for level in reversed(range(len(widths))):
        for i in range(layers + 1):
            names += resnet(f"decoder.up.{level}.block.{i}", channels, widths[level])
            channels = widths[level]
        names += both(f"decoder.up.{level}.upsample.conv") if level else []
    return names


def converted(names, convert, reference):
    """Original name → diffusers name, by diffusers' own conversion of marked tensors."""
    marked = {name: torch.full((2, 2, 1, 1), float(i)) for i, name in enumerate(names)}
    new = convert(dict(marked))
    assert set(new) == set(reference), set(new) ^ set(reference)
    return {names[int(tensor.flatten()[0])]: name for name, tensor in new.items()}


def compvis():
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint

    read = lambda name: json.loads((HERE / name / "config.json").read_text())
    table = {}
    config = read("unet_2d_condition")
    names = [f"model.diffusion_model.{n}" for n in ldm_unet_names(config["block_out_channels"], config["layers_per_block"], [True, False])]
    table["unet"] = converted(names, lambda c: convert_ldm_unet_checkpoint(c, config), load_file(HERE / "unet_2d_condition" / FILE))
    config = read("autoencoder_kl")
    names = [f"first_stage_model.{n}" for n in ldm_vae_names(config["block_out_channels"], config["layers_per_block"])]
    table["vae"] = converted(names, lambda c: convert_ldm_vae_checkpoint(c, config), load_file(HERE / "autoencoder_kl" / FILE))
    write_json(HERE / "compvis" / "names.json", table)


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    models()
    compvis()
