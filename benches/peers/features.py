"""`percept features` side by side with transformers: image embeddings of a folder of pictures, pictures a second and agreement.

    cargo build --release
    python benches/peers/features.py target/release/percept DIR [--n 1000] [--rounds 2] [--threads 2] [pocket b32 l14]

`DIR` gets the pictures (PNG, 256 × 256, coloured noise of several scales) and models of a released CLIP's configuration with
random weights. Both sides read the files, resize and normalise as the pack's `preprocessor_config.json` says, and embed; on
the other side in batches of 16 that a thread pool decodes. Rounds alternate, each in a process of its own, loading included;
the figure is the median. Needs torch, transformers, safetensors, pillow.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
BATCH = 16


def pictures(folder, n):
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        rng = np.random.default_rng(i)
        scales = [rng.integers(0, 256, (side, side, 3), dtype=np.uint8) for side in (4, 16, 64)]
        parts = [np.asarray(Image.fromarray(s).resize((256, 256), Image.Resampling.BICUBIC), float) for s in scales]
        Image.fromarray((sum(parts) / len(parts)).astype(np.uint8)).save(folder / f"{i:05}.png")


def model(folder, name):
    """A diffusers-like folder with an image encoder only; the pocket pack is the project's own."""
    if name == "pocket":
        for crate in ["percept_pocket", "percept_pocket_unet"]:
            shutil.copytree(REPOSITORY / "crates" / crate / "pack", folder, dirs_exist_ok=True)
        return
    sys.path.insert(0, str(REPOSITORY / "crates/percept_models/tests/data/parity"))
    import full_size
    import torch
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    config = {"b32": full_size.VISION_B, "l14": full_size.VISION}[name]
    torch.manual_seed(0)
    net = CLIPVisionModelWithProjection(CLIPVisionConfig(**config))
    net.save_pretrained(folder / "image_encoder", safe_serialization=True)
    size = config["image_size"]
    (folder / "feature_extractor").mkdir(parents=True, exist_ok=True)
    settings = {
        "crop_size": {"height": size, "width": size},
        "do_center_crop": True,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_processor_type": "CLIPImageProcessor",
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"shortest_edge": size},
    }
    (folder / "feature_extractor/preprocessor_config.json").write_text(json.dumps(settings))
    (folder / "model_index.json").write_text(
        json.dumps({
            "_class_name": "StableDiffusionPipeline",
            "feature_extractor": ["transformers", "CLIPImageProcessor"],
            "image_encoder": ["transformers", "CLIPVisionModelWithProjection"],
        })
    )


def peer(pack, images, out, threads):
    import torch
    from PIL import Image
    from transformers import AutoImageProcessor, CLIPVisionModelWithProjection

    torch.set_num_threads(threads)
    processor = AutoImageProcessor.from_pretrained(pack / "feature_extractor", use_fast=False)
    net = CLIPVisionModelWithProjection.from_pretrained(pack / "image_encoder", dtype=torch.float32).eval()
    files = sorted(images.iterdir())

    def read(batch):
        return processor([Image.open(file).convert("RGB") for file in batch], return_tensors="pt")["pixel_values"]

    rows = []
    with ThreadPoolExecutor(threads) as pool, torch.inference_mode():
        batches = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]
        for pixels in pool.map(read, batches):
            rows.append(net(pixels).image_embeds.numpy())
    np.save(out, np.concatenate(rows))


def ours(program, pack, images, out, threads):
    shutil.rmtree(out, ignore_errors=True)
    command = [program, "features", pack, "--images", images, "--space", "clip.image", "--out", out]
    subprocess.run([*map(str, command), "--threads", str(threads)], check=True, stderr=subprocess.DEVNULL)


def stored(folder):
    """All rows of a feature store of one space."""
    from safetensors.numpy import load_file

    files = sorted(folder.rglob("*.npy"))
    if files:
        return np.concatenate([np.load(file) for file in files])
    return np.concatenate([next(iter(load_file(file).values())) for file in sorted(folder.rglob("*.safetensors"))])


if __name__ == "__main__":
    if sys.argv[1] == "--peer":
        peer(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
        sys.exit()
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("models", nargs="*", default=["pocket", "b32"])
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_intermixed_args()
    images = arguments.folder / f"pictures{arguments.n}"
    if not images.exists():
        pictures(images, arguments.n)
    print("| model | percept, pictures a second | transformers | ratio of times | largest relative difference |")
    print("|---|---|---|---|---|")
    for name in arguments.models:
        pack = arguments.folder / name
        if not pack.exists():
            model(pack, name)
        seconds = {"ours": [], "peer": []}
        for _ in range(arguments.rounds):
            start = time.perf_counter()
            ours(arguments.program, pack, images, arguments.folder / f"{name}-ours", arguments.threads)
            seconds["ours"].append(time.perf_counter() - start)
            start = time.perf_counter()
            theirs = arguments.folder / f"{name}-peer.npy"
            words = [sys.executable, __file__, "--peer", pack, images, theirs, arguments.threads]
            subprocess.run(list(map(str, words)), check=True, stderr=subprocess.DEVNULL)
            seconds["peer"].append(time.perf_counter() - start)
        a, b = stored(arguments.folder / f"{name}-ours"), np.load(theirs)
        difference = np.abs(a.reshape(b.shape) - b).max() / np.abs(b).max()
        ours_s, peer_s = (statistics.median(seconds[side]) for side in ("ours", "peer"))
        n = arguments.n
        print(f"| {name} | {n / ours_s:.1f} | {n / peer_s:.1f} | {ours_s / peer_s:.2f} | {difference:.1e} |", flush=True)
