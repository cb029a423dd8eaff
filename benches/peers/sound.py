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
    """The reference's pass over a case's inputs."""
    config = json.loads((folder / "config.json").read_text())
    io = load_file(str(folder / "io.safetensors"))
    kind = config.get("model_type", config.get("_class_name"))
    if kind == "clap":
        from transformers import ClapConfig, ClapModel

        model = ClapModel(ClapConfig(**config)).eval()
        ids = io["input.ids"]
        return lambda: (
            model.audio_projection(model.audio_model(io["input.mels"]).pooler_output),
            model.text_projection(model.text_model(ids, attention_mask=torch.ones_like(ids)).pooler_output),
        )
    if kind == "encodec":
        from transformers import EncodecConfig, EncodecModel

        model = EncodecModel(EncodecConfig(**config)).eval()
        return lambda: (model.encoder(io["input.sound"]), model.decoder(io["input.latents"]))
    if kind == "wav2vec2-bert":
        from transformers import Wav2Vec2BertConfig, Wav2Vec2BertModel

        model = Wav2Vec2BertModel(Wav2Vec2BertConfig(**config)).eval()
        return lambda: model(io["input.tokens"], output_hidden_states=True)
    if kind == "UNet2DConditionModel":
        from diffusers import UNet2DConditionModel

        model = UNet2DConditionModel.from_config(config).eval()
        given = (io["input.sample"], io["input.timestep"], None)
        return lambda: model(*given, class_labels=io["input.class_labels"])
    if kind == "AutoencoderKL":
        from diffusers import AutoencoderKL

        model = AutoencoderKL.from_config(config).eval()
        return lambda: (model.encode(io["input.image"]), model.decode(io["input.latent"]))
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    model = SpeechT5HifiGan(SpeechT5HifiGanConfig(**config)).eval()
    return lambda: model(io["input.mels"])


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
        run = passes(arguments.folder / name)
        ours, theirs = [], []
        for _ in range(arguments.rounds):
            with torch.no_grad():
                run()
                begin = time.perf_counter()
                run()
                theirs.append(time.perf_counter() - begin)
            command = [arguments.program, arguments.folder, name]
            said = subprocess.run(command, env=threads, capture_output=True, text=True, check=True).stdout
            ours.append(float(re.search(r"ran in ([\d.]+) s", said)[1]))
        a, b = statistics.median(ours), statistics.median(theirs)
        print(f"{name}: percept {a:.3f} s, PyTorch {b:.3f} s, ratio {a / b:.2f}", flush=True)


main()
