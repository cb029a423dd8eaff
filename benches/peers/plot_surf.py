"""The smooth map of `crates/percept_surface/examples/figures.rs` by nilearn 0.14.1 and matplotlib: six views, one PNG.

    python plot_surf.py FOLDER_OF_fsaverage5 OUT.png

Prints the milliseconds of drawing and saving, without imports and without reading the files."""

import gzip
import sys
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np
from nilearn import plotting
from nilearn.surface import InMemoryMesh

data = Path(sys.argv[1])


def load(name):
    return [a.data for a in nib.gifti.GiftiImage.from_bytes(gzip.decompress((data / f"{name}.gii.gz").read_bytes())).darrays]


meshes, maps, folds = {}, {}, {}
for side in ["left", "right"]:
    x = load(f"white_{side}")[0]
    maps[side] = np.sin(x[:, 1] / 30) + np.cos(x[:, 2] / 25) + 0.01 * x[:, 0]
    folds[side] = load(f"curv_{side}")[0]
    for shape in ["flat", "infl"]:
        meshes[shape, side] = InMemoryMesh(*load(f"{shape}_{side}"))
times = []
for _ in range(3):
    began = time.perf_counter()
    figure, axes = plt.subplots(2, 4, subplot_kw={"projection": "3d"}, figsize=(11, 6))
    places = [("flat", "left", (90, -90)), ("flat", "right", (90, -90)), None, None]
    places += [("infl", s, v) for s, v in [("left", "lateral"), ("left", "medial"), ("right", "medial"), ("right", "lateral")]]
    for axis, place in zip(axes.ravel(), places):
        if place is None:
            axis.remove()
            continue
        shape, side, view = place
        plotting.plot_surf(meshes[shape, side], maps[side], hemi=side, view=view, bg_map=folds[side], axes=axis, figure=figure, cmap="inferno", colorbar=False)
    figure.savefig(sys.argv[2], dpi=100)
    plt.close(figure)
    times.append(1e3 * (time.perf_counter() - began))
print("nilearn plot_surf, six views:", " ".join(f"{t:.0f}" for t in times), "ms")
