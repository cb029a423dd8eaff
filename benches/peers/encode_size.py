"""Time and memory of `percept encode` as a whole, at the size of a brain.

    cargo build --release
    python benches/peers/encode_size.py target/release/percept DIR [--units 60000] [--scans 22262] [--features 1280] [--layers 2]

DIR gets random responses (scans × units, 4 bytes each) of which the first tenth of the units follow the first layer, and the features of
every layer. Scans stand in eight runs; four folds, the grid of 25 penalties, all scans held out once, 1,000 permutations and 1,000
draws. Prints seconds, the largest memory of the process, and how many units were found in each tenth.
Needs numpy, pyarrow.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

EXPERIMENT = """
[data]
kind = "scans"
responses = "responses.npy"
attributes = "attributes.txt"
tr_secs = 2.0

[spaces.model]
kind = "array"
array = "layer{%s}.npy"

[encode]
folds = 4
delays = [0]
alphas = [%s]

[statistics]
permutations = 1000
draws = 1000
"""


def write(arguments):
    rng = np.random.default_rng(19)
    layers = []
    for layer in range(arguments.layers):
        layers.append(rng.standard_normal((arguments.scans, arguments.features), dtype=np.float32))
        np.save(arguments.folder / f"layer{layer}.npy", layers[-1])
    shape = (arguments.scans, arguments.units)
    responses = np.lib.format.open_memmap(arguments.folder / "responses.npy", "w+", np.float32, shape)
    n_followers = arguments.units // 10
    weights = rng.standard_normal((arguments.features, n_followers), dtype=np.float32) / np.sqrt(arguments.features)
    for start in range(0, arguments.scans, 1000):
        rows = slice(start, min(start + 1000, arguments.scans))
        responses[rows] = rng.standard_normal((rows.stop - rows.start, arguments.units), dtype=np.float32)
        responses[rows, :n_followers] += 0.5 * layers[0][rows] @ weights
    responses.flush()
    runs = np.arange(arguments.scans) * 8 // arguments.scans
    (arguments.folder / "attributes.txt").write_text("".join(f"{'ab'[scan // 7 % 2]} {run}\n" for scan, run in enumerate(runs)))
    alphas = ", ".join(f"{10**power:.6g}" for power in np.linspace(-2, 7, 25))
    numbers = ",".join(map(str, range(arguments.layers)))
    (arguments.folder / "experiment.toml").write_text(EXPERIMENT % (numbers, alphas))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--units", type=int, default=60000)
    parser.add_argument("--scans", type=int, default=22262)
    parser.add_argument("--features", type=int, default=1280)
    parser.add_argument("--layers", type=int, default=2)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    write(arguments)
    out = arguments.folder / "out"
    words = [arguments.program, "encode", arguments.folder / "experiment.toml", "--out", out]
    start = time.perf_counter()
    subprocess.run(list(map(str, words)), check=True, stdout=subprocess.DEVNULL, stderr=sys.stderr)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    print(f"{seconds:.0f} s, {peak:.1f} GB")
    import pyarrow.parquet as parquet

    table = parquet.read_table(out / "units.parquet")
    for name in [name for name in table.column_names if name.startswith("q:")]:
        found = np.array(table[name].to_pylist(), dtype=float) <= 0.05
        print(name, [int(tenth.sum()) for tenth in np.array_split(found, 10)])
