"""Projections of fsaverage5 by nilearn and SciPy: `python make.py FOLDER_OF_fsaverage5`.

The volume is a formula, so that only the results are stored, at every 47th vertex."""

import gzip
import json
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
from nilearn.surface import InMemoryMesh, PolyMesh, vol_to_surf
from scipy.spatial import cKDTree

HERE, DATA = Path(__file__).parent, Path(sys.argv[1])


def load(name):
    image = nib.gifti.GiftiImage.from_bytes(gzip.decompress((DATA / f"{name}.gii.gz").read_bytes()))
    return image.darrays[0].data.astype(np.float64), image.darrays[1].data


shape = (46, 56, 46)
affine = np.array([[-4.0, 0, 0, 90], [0, 4.0, 0.2, -126], [0, 0, 4.0, -72], [0, 0, 0, 1]])
i, j, k = np.meshgrid(*map(np.arange, shape), indexing="ij")
volume = (np.sin(0.3 * i) + np.cos(0.2 * j) * np.sin(0.25 * k)).astype(np.float32)
image = nib.Nifti1Image(volume, affine)
out = {"shape": shape, "affine": affine.tolist(), "step": 47}
depths = [0.1, 0.35, 0.5, 0.9]
for side in ["left", "right"]:
    white, faces = load(f"white_{side}")
    pial, _ = load(f"pial_{side}")
    outer, inner = InMemoryMesh(pial, faces), InMemoryMesh(white, faces)
    for kind in ["linear", "nearest_most_frequent"]:
        # nilearn counts depths from the outer surface.
        values = vol_to_surf(image, outer, inner_mesh=inner, interpolation=kind, depth=[1 - d for d in depths])
        out[f"{kind}_{side}"] = np.asarray(values).ravel()[::47].astype(float).tolist()
out["depths"] = depths

# From the left to the right sphere.
left, left_faces = load("sphere_left")
right, _ = load("sphere_right")
unit = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)
turn = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]
left, right = unit(left), unit(right @ turn.T)
values = load("white_left")[0]
out["turn"] = turn.tolist()
chosen = right[::47]
out["nearest"] = cKDTree(left).query(chosen)[1].tolist()
mixed = []
for p in chosen:
    a, b, c = left[left_faces[:, 0]], left[left_faces[:, 1]], left[left_faces[:, 2]]
    w = np.stack([np.cross(b, c) @ p, np.cross(c, a) @ p, np.cross(a, b) @ p], 1)
    w = w / w.sum(1, keepdims=True)
    front = (a @ p) > 0
    best = np.argmax(np.where(front, w.min(1), -np.inf))
    mixed.append((w[best] @ values[left_faces[best]]).tolist())
out["triangle"] = mixed
(HERE / "expected.json").write_text(json.dumps(out) + "\n")
