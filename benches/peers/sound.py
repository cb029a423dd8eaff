"""The models of sound side by side with PyTorch: CLAP's audio encoder, EnCodec both ways, the vocoder and the U-Net of MusicLDM.

    python crates/percept_models/tests/data/parity/full_size_sound.py DIR
    cargo build --release -p percept_models --example parity
    python benches/peers/sound.py target/release/examples/parity DIR [--rounds 2] [--threads 2] [CASE]...

Rounds alternate: ours is a process of its own that runs every pass twice and tells the time of the second, PyTorch's passes run here,
after one that is not counted. The figure is the median, and the ratio ours / PyTorch. Needs torch, transformers, diffusers.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import time
from pathlib import Path

import torch

torch.version.cuda = None  # read by torchaudio's check of its CUDA version alone

from safetensors.torch import load_file


def passes(folder):
    """The reference's passes over a case's inputs, by name where there are several."""
    config = json.loads((folder / "config.json").read_text())
    io = load_file(str(folder / "io.safetensors"))
    kind = config.get("model_type", config.get("_class_name"))
    if kind == "clap":
        from transformers import ClapConfig, ClapModel

        model = ClapModel(ClapConfig(**config)).eval()
        ids = io["input.ids"]
        return {
            "audio": lambda: model.audio_projection(model.audio_model(io["input.mels"]).pooler_output),
            "text": lambda: model.text_projection(model.text_model(ids, attention_mask=torch.ones_like(ids)).pooler_output),
        }
    if kind == "encodec":
        from transformers import EncodecConfig, EncodecModel

        model = EncodecModel(EncodecConfig(**config)).eval()
        return {"encoder": lambda: model.encoder(io["input.sound"]), "decoder": lambda: model.decoder(io["input.latents"])}
    if kind == "wav2vec2-bert":
        from transformers import Wav2Vec2BertConfig, Wav2Vec2BertModel

        model = Wav2Vec2BertModel(Wav2Vec2BertConfig(**config)).eval()
        return {"": lambda: model(io["input.tokens"], output_hidden_states=True)}
    if kind == "UNet2DConditionModel":
        from diffusers import UNet2DConditionModel

        model = UNet2DConditionModel.from_config(config).eval()
        given = (io["input.sample"], io["input.timestep"], None)
        return {"": lambda: model(*given, class_labels=io["input.class_labels"])}
    if kind == "AutoencoderKL":
        from diffusers import AutoencoderKL

        model = AutoencoderKL.from_config(config).eval()
        return {"": lambda: (model.encode(io["input.image"]), model.decode(io["input.latent"]))}
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    model = SpeechT5HifiGan(SpeechT5HifiGanConfig(**config)).eval()
    return {"": lambda: model(io["input.mels"])}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    threads = os.environ | {"RAYON_NUM_THREADS": str(arguments.threads)}
    for name in arguments.cases or sorted(path.name for path in arguments.folder.iterdir()):
        runs = passes(arguments.folder / name)
        ours, theirs = {part: [] for part in runs}, {part: [] for part in runs}
        for _ in range(arguments.rounds):
            with torch.no_grad():
                for part, run in runs.items():
                    run()
                    begin = time.perf_counter()
                    run()
                    theirs[part].append(time.perf_counter() - begin)
            command = [arguments.program, arguments.folder, name]
            said = subprocess.run(command, env=threads, capture_output=True, text=True, check=True).stdout
            for part in runs:
                ours[part].append(float(re.search(rf"{part or 'ran in'} ([\d.]+) s", said)[1]))
        for part in runs:
            a, b = statistics.median(ours[part]), statistics.median(theirs[part])
            print(f"{name} {part}: percept {a:.3f} s, PyTorch {b:.3f} s, ratio {a / b:.2f}", flush=True)


main()
