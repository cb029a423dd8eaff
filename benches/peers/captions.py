"""Captions of given picture features by a full-size BLIP (random weights) side by side with transformers: captions a second
and peak memory.

    cargo build --release -p percept_models --example captions
    python benches/peers/captions.py target/release/examples/captions DIR [base large] [--n 16] [--rounds 2] [--threads 2]

DIR gets models of the released configurations with random weights (`full_size.py` of the parity fixtures has them). Both sides
get 577 tokens for each picture, search as the paper does (prompt `a picture of `, 3 beams, at least 5 and at most 20 tokens,
repetition penalty 1.5), in batches of 8, f32. Rounds alternate, each in a process of its own; loading is not counted in the
time, but it is in the peak. The figure is the median. Needs torch, transformers, safetensors.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "crates/percept_models/tests/data/parity"))
BATCH = 8


def model(folder, name):
    import full_size
    from safetensors.torch import save_file

    config = {"base": full_size.BLIP, "large": full_size.BLIP_LARGE}[name]
    net = full_size.full_blip(config)
    folder.mkdir(parents=True, exist_ok=True)
    words = [f"w{i}" for i in range(30522)]
    for i, word in {0: "[PAD]", 100: "[UNK]", 102: "[SEP]", 1037: "a", 3861: "picture", 1997: "of"}.items():
        words[i] = word
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    (folder / "config.json").write_text(json.dumps(config))
    state = {k: v.contiguous() for k, v in net.state_dict().items() if ".decoder." not in k}
    save_file(state, str(folder / "model.safetensors"), metadata={"format": "pt"})


def peer(folder, n, threads):
    import torch
    from transformers import BlipForConditionalGeneration

    torch.set_num_threads(threads)
    net = BlipForConditionalGeneration.from_pretrained(folder).eval()
    text, width = net.config.text_config, net.config.vision_config.hidden_size
    features = torch.randn(n, 577, width, generator=torch.Generator().manual_seed(1))
    begin, tokens = time.perf_counter(), 0
    with torch.no_grad():
        for first in range(0, n, BATCH):
            part = features[first : first + BATCH]
            ids = torch.tensor([[text.bos_token_id, 1037, 3861, 1997]]).repeat(len(part), 1)
            out = net.text_decoder.generate(
                input_ids=ids, eos_token_id=102, pad_token_id=0, encoder_hidden_states=part, do_sample=False, num_beams=3,
                encoder_attention_mask=torch.ones(part.shape[:2], dtype=torch.long), min_length=5, max_length=20,
                repetition_penalty=1.5,
            )
            tokens += (out.shape[1] - 4) * len(part)
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": [seconds], "peak_bytes": peak, "tokens": tokens}))


def run(command, threads):
    limit = {"RAYON_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    out = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | limit).stdout
    return json.loads(out.splitlines()[-1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=["base"])
    parser.add_argument("--n", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peer", action="store_true")
    given = parser.parse_args()
    if given.peer:
        peer(given.folder, given.n, given.threads)
        sys.exit()
    print("| BLIP | percept, captions a second | transformers | ratio of times | percept, peak GB | transformers, peak GB |")
    print("|---|---|---|---|---|---|")
    for name in given.names:
        folder = given.folder / name
        if not (folder / "vocab.txt").exists():
            model(folder, name)
        ours, theirs = [], []
        for _ in range(given.rounds):
            ours.append(run([given.program, str(folder), str(given.n), "1"], given.threads))
            command = [sys.executable, __file__, "--peer", given.program, str(folder)]
            theirs.append(run(command + ["--n", str(given.n), "--threads", str(given.threads)], given.threads))
        a, b = (statistics.median(r["seconds"][0] for r in side) for side in (ours, theirs))
        peaks = [max(r["peak_bytes"] for r in side) / 1e9 for side in (ours, theirs)]
        print(f"| {name} | {given.n / a:.2f} | {given.n / b:.2f} | {a / b:.2f} | {peaks[0]:.1f} | {peaks[1]:.1f} |", flush=True)
        print(f"{name}: tokens {ours[0]['tokens']} and {theirs[0]['tokens']}", file=sys.stderr)
