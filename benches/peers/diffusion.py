"""Stable Diffusion 1.4's parts side by side with PyTorch and diffusers: seconds and peak memory, same sizes and threads.

    cargo build --release -p percept_models --example speed
    python benches/peers/diffusion.py target/release/examples/speed [--threads 2] [--rounds 3] [--avx2] [CASE ...]

Both sides have random weights. Rounds alternate between the two, each in a process of its own that warms up once; the
figure is the median. The floor is the time that the operations PyTorch counts would take at the rate of a plain matrix
product of ours in the same run (Winograd's convolutions need fewer). `--avx2` keeps PyTorch from AVX-512; build percept's
side with `--no-default-features` for it. Needs torch, diffusers and transformers.
"""

import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "crates/percept_models/tests/data/parity"))

CASES = ["unet", "unet-kv", "unet-motion", "vae-decode", "clip-text", "vit", "video-mae"]
# AnimateDiff's adapter for Stable Diffusion 1.5, and the frames it was made for.
ADAPTER = {
    "_class_name": "MotionAdapter",
    "block_out_channels": [320, 640, 1280, 1280],
    "motion_layers_per_block": 2,
    "motion_max_seq_length": 32,
    "motion_mid_block_layers_per_block": 1,
    "motion_norm_num_groups": 32,
    "motion_num_attention_heads": 8,
    "use_motion_mid_block": True,
}
FRAMES = 16


def config_of(case):
    import full_size

    return {
        "unet": full_size.UNET,
        "unet-kv": full_size.UNET,
        "unet-motion": {"unet": full_size.UNET, "adapter": ADAPTER},
        "vae-decode": full_size.AUTOENCODER,
        "clip-text": full_size.TEXT,
        "vit": full_size.VIT,
        "video-mae": full_size.VIDEO_MAE,
    }[case]


def peer(case, rounds, threads):
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    config = config_of(case)
    if case == "unet-motion":
        from diffusers import UNetMotionModel

        # What `from_unet2d` makes of the two, without holding all weights twice.
        unet = {k: v for k, v in config["unet"].items() if k != "_class_name"} | {"num_attention_heads": 8}
        for side in ("down", "up"):
            unet[f"{side}_block_types"] = [kind.replace("Block2D", "BlockMotion") for kind in unet[f"{side}_block_types"]]
        motion = {key: config["adapter"][key] for key in ("motion_max_seq_length", "motion_num_attention_heads")}
        model = UNetMotionModel.from_config(unet | motion).eval()
        sample, context = torch.randn(1, 4, FRAMES, 64, 64), torch.randn(1, 77, 768).repeat_interleave(FRAMES, 0)

        def run():
            with torch.no_grad():
                model(sample, 500, context)

    elif case in ("vit", "video-mae"):
        from transformers import ViTConfig, ViTForImageClassification, VideoMAEConfig, VideoMAEForVideoClassification

        if case == "vit":
            model, pixels = ViTForImageClassification(ViTConfig(**config)).eval(), torch.randn(2, 3, 224, 224)
        else:
            model, pixels = VideoMAEForVideoClassification(VideoMAEConfig(**config)).eval(), torch.randn(1, 16, 3, 224, 224)

        def run():
            with torch.no_grad():
                model(pixels)

    elif case.startswith("unet"):
        model = UNet2DConditionModel.from_config(config).eval()
        sample, context = torch.randn(1, 4, 64, 64), torch.randn(1, 77, 768)
        names = ("attn2.to_k", "attn2.to_v")
        trained = [p for n, p in model.named_parameters() if case == "unet-kv" and any(k in n for k in names)]
        model.requires_grad_(False)
        for parameter in trained:
            parameter.requires_grad_(True)

        def run():
            with torch.set_grad_enabled(bool(trained)):
                out = model(sample, 500, context).sample
                if trained:
                    torch.autograd.grad(out.square().mean(), trained)

    elif case == "vae-decode":
        model = AutoencoderKL.from_config(config).eval()
        latents = torch.randn(1, 4, 64, 64)

        def run():
            with torch.no_grad():
                model.decode(latents)

    else:
        model = CLIPTextModel(CLIPTextConfig(**config)).eval()
        ids = torch.arange(77)[None] * 640 + 1

        def run():
            with torch.no_grad():
                model(ids)

    with FlopCounterMode(display=False) as counter:
        run()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "peak_bytes": peak, "flops": counter.get_total_flops()}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("speed", help="the built example `speed`")
    parser.add_argument("cases", nargs="*", default=CASES)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=2, help="processes of each side")
    parser.add_argument("--avx2", action="store_true", help="PyTorch without AVX-512")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    arguments = parser.parse_intermixed_args()
    if arguments.peer:
        peer(arguments.peer, arguments.rounds, arguments.threads)
        return
    environment = dict(os.environ, RAYON_NUM_THREADS=str(arguments.threads))
    if arguments.avx2:
        environment.update(ATEN_CPU_CAPABILITY="avx2", ONEDNN_MAX_CPU_ISA="AVX2", MKL_ENABLE_INSTRUCTIONS="AVX2")
    print("| case | percept | PyTorch | ratio | over the floor | percept, peak GB | PyTorch, peak GB |\n" + 7 * "|---" + "|")
    for case in arguments.cases or CASES:
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder) / "config.json"
            config.write_text(json.dumps(config_of(case)))
            times, peaks, flops, rate = ([], []), ([], []), 0, 0
            for _ in range(arguments.repeats):
                ours = [arguments.speed, str(config), case, str(arguments.rounds)]
                theirs = [sys.executable, __file__, arguments.speed, "--peer", case]
                theirs += ["--rounds", str(arguments.rounds), "--threads", str(arguments.threads)]
                for side, command in enumerate([ours, theirs]):
                    out = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
                    result = json.loads(out.splitlines()[-1])
                    times[side].extend(result["seconds"])
                    peaks[side].append(result["peak_bytes"] / 1e9)
                    flops = max(flops, result.get("flops", 0))
                    rate = max(rate, result.get("flops_per_second", 0))
        a, b = (statistics.median(t) for t in times)
        floor = flops / rate
        row = [case, f"{a:.2f} s", f"{b:.2f} s", f"{a / b:.2f}", f"{a / floor:.2f}", *(f"{max(p):.1f}" for p in peaks)]
        print("| " + " | ".join(row) + f" | {flops / 1e9:.0f} GFLOP at {rate / 1e9:.0f} GFLOP/s", flush=True)


if __name__ == "__main__":
    main()
