"""Writes a tiny tree in the layout of the Natural Scenes Dataset, and `expected.json`.

Everything is drawn from a random generator; nothing comes from a recording. Made with h5py 3.16.0, nibabel 5.4.2,
SciPy 1.17.1, pandas 3.1.1 and NumPy 2.4.6:  python make.py
"""

import gzip
import json
import pathlib
import shutil

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
from scipy.io import savemat

HERE = pathlib.Path(__file__).parent
TREE = HERE / "tree"
shutil.rmtree(TREE, ignore_errors=True)
rng = np.random.default_rng(0)
X, Y, Z, T = 5, 4, 3, 12
N_SESSIONS, N_IMAGES, N_SHARED, N_STIMULI, N_SUBJECTS = 3, 12, 4, 20, 2
KIND = "betas_fithrf_GLMdenoise_RR"


def place(path):
    path = TREE / path
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def nifti(path, volume, slope=None):
    image = nib.Nifti1Image(volume, np.diag([1.8, 1.8, 1.8, 1.0]))
    raw = bytearray(image.to_bytes())
    if slope is not None:
        raw[112:116] = np.float32(slope).tobytes()
        raw[116:120] = np.float32(0).tobytes()
    place(path).write_bytes(gzip.compress(bytes(raw), mtime=0))


# The experiment. In memory everything counts from 0; on the disk most of it from 1.
shared = np.sort(rng.choice(N_STIMULI, N_SHARED, replace=False))
rest = np.setdiff1d(np.arange(N_STIMULI), shared)
subjectim = np.stack([np.r_[shared, np.sort(rng.choice(rest, N_IMAGES - N_SHARED, replace=False))] for _ in range(N_SUBJECTS)])
master = rng.permutation(np.repeat(np.arange(N_IMAGES), 3))
savemat(
    place("nsddata/experiments/nsd/nsd_expdesign.mat"),
    {
        "masterordering": (master + 1)[None].astype("f8"),
        "subjectim": (subjectim + 1).astype("f8"),
        "sharedix": (shared + 1)[None].astype("f8"),
        "basiccnt": np.zeros((3, N_SESSIONS)),
    },
    do_compression=True,
)

coco = rng.choice(580000, N_STIMULI, replace=False)
split = np.where(rng.random(N_STIMULI) < 0.8, "train2017", "val2017")
table = pd.DataFrame({"cocoId": coco, "cocoSplit": split})
table["cropBox"] = [(0, 0, 0.125 * (i % 3), 0.125 * (i % 3)) if i % 2 else (0.0625, 0.0625, 0, 0) for i in range(N_STIMULI)]
table["loss"] = np.round(rng.random(N_STIMULI), 4)
table["nsdId"] = np.arange(N_STIMULI)
table["flagged"] = False
table["BOLD5000"] = rng.random(N_STIMULI) < 0.3
table["shared1000"] = np.isin(np.arange(N_STIMULI), shared)
trials = {}
for s in range(N_SUBJECTS):
    table[f"subject{s + 1}"] = np.isin(np.arange(N_STIMULI), subjectim[s]).astype(int)
for s in range(N_SUBJECTS):
    shown = subjectim[s][master]
    for i in range(N_STIMULI):
        trials[s, i] = np.flatnonzero(shown == i)
    for rep in range(3):
        table[f"subject{s + 1}_rep{rep}"] = [int(t[rep]) + 1 if len(t := trials[s, i]) else 0 for i in range(N_STIMULI)]
table.to_csv(place("nsddata/experiments/nsd/nsd_stim_info_merged.csv"))

for name in ["train2017", "val2017"]:
    annotations = []
    for i in np.flatnonzero(split == name)[::-1]:
        for k in range(5):
            text = f"Caption {k} of picture {i}. " if k else f"\n„Bild“ {i}"
            annotations.append({"image_id": int(coco[i]), "id": int(i * 10 + k), "caption": text})
    annotations.append({"image_id": 999999, "id": 1, "caption": "of another photograph"})
    path = place(f"nsddata_stimuli/stimuli/nsd/annotations/captions_{name}.json")
    path.write_text(json.dumps({"info": {"year": 2017}, "images": [], "annotations": annotations}), encoding="utf-8")

bricks = rng.integers(0, 256, (N_STIMULI, 6, 6, 3), dtype="u1")
with h5py.File(place("nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5"), "w") as f:
    f.create_dataset("imgBrick", data=bricks)

# The brain: a shell of zeros around it, so that the mask is not everything.
brain = np.zeros((X, Y, Z), "i2")
brain[:4, :, :] = 1
nifti("nsddata/ppdata/subj01/func1pt8mm/brainmask.nii.gz", brain, slope=0)
volumes = {}
general = np.full((X, Y, Z), -1.0)
general[brain > 0] = rng.integers(0, 2, int(brain.sum()))
volumes["nsdgeneral"] = general
volumes["streams"] = np.where(brain > 0, rng.integers(0, 8, (X, Y, Z)), -1).astype("i2")
volumes["prf-visualrois"] = np.where(brain > 0, rng.integers(0, 8, (X, Y, Z)), -1).astype("i2")
volumes["floc-faces"] = np.where(brain > 0, rng.integers(0, 3, (X, Y, Z)), -1).astype("i2")
volumes["MTL"] = np.where(brain > 0, 0, -1).astype("i2")  # no voxel in this subject
for name, volume in volumes.items():
    nifti(f"nsddata/ppdata/subj01/func1pt8mm/roi/{name}.nii.gz", volume, slope=0 if name == "streams" else None)
left = np.where(np.arange(X)[:, None, None] < 2, volumes["streams"], -1).astype("i2")
nifti("nsddata/ppdata/subj01/func1pt8mm/roi/lh.streams.nii.gz", left)
names = ["Unknown", "early", "midventral", "midlateral", "midparietal", "ventral", "lateral", "parietal"]
place("nsddata/freesurfer/fsaverage/label/streams.mgz.ctab").write_text("".join(f"{i} {n}\n" for i, n in enumerate(names)))

betas = rng.integers(-3000, 3000, (N_SESSIONS, T, X, Y, Z)).astype("i2")
betas[:, :, brain == 0] = 0
inside = np.argwhere(general > 0)
betas[1][:, *inside[3]] = 0  # not measured in the second session
betas[0][2, *inside[0]] = 32767
betas[0][5, *inside[1]] = -32768
for s in range(N_SESSIONS):
    folder = f"nsddata_betas/ppdata/subj01/func1pt8mm/{KIND}"
    with h5py.File(place(f"{folder}/betas_session{s + 1:02}.hdf5"), "w") as f:
        f.create_dataset("betas", data=betas[s].transpose(0, 3, 2, 1), chunks=(T, 1, 1, 1))
    nifti(f"{folder}/betas_session{s + 1:02}.nii.gz", betas[s].transpose(1, 2, 3, 0), slope=0)
ncsnr = rng.random((X, Y, Z)).astype("f4")
nifti(f"nsddata_betas/ppdata/subj01/func1pt8mm/{KIND}/ncsnr.nii.gz", ncsnr)

columns = """SUBJECT SESSION RUN TRIAL 73KID 10KID TIME ISOLD ISCORRECT RT CHANGEMIND MEMORYRECENT MEMORYFIRST ISOLDCURRENT
ISCORRECTCURRENT TOTAL1 TOTAL2 BUTTON MISSINGDATA""".split()
seen = set()
lines = ["\t".join(columns)]
for t, position in enumerate(master):
    old = int(position in seen)
    seen.add(position)
    answered = t % 7 != 3
    answer = [str(int(t % 5 != 0)), "701.25", "0"] if answered else ["NaN", "NaN", "NaN"]
    recent = ["1", "2"] if old else ["NaN", "NaN"]
    row = [1, t // T + 1, t % T // 4 + 1, t % 4 + 1, subjectim[0][position] + 1, position + 1, 735000.123456789012, old]
    row = [*map(str, row), *answer, *recent, str(old), answer[0], "1", "0", "2" if answered else "NaN", str(int(not answered))]
    lines.append("\t".join(row))
place("nsddata/ppdata/subj01/behav/responses.tsv").write_text("\n".join(lines) + "\n")

# What others get: Takagi & Nishimoto index the HDF5 array, Brain-Diffuser and MindEye the NIfTI array.
everything = betas.reshape(N_SESSIONS * T, X, Y, Z)
mask = general == 1
zyx = everything.transpose(0, 3, 2, 1).reshape(N_SESSIONS * T, -1)[:, mask.T.ravel()].astype("f4") / np.float32(300)
xyz = everything[:, mask].astype("f4") / np.float32(300)
expected = {
    "images_of_trials": subjectim[0][master].tolist(),
    "shared": shared.tolist(),
    "test_trials": np.flatnonzero(master < N_SHARED).tolist(),
    "first_shown": list(dict.fromkeys(subjectim[0][master].tolist())),
    "nsdgeneral": {"voxels": np.flatnonzero(mask.T.ravel()).tolist(), "responses": zyx.tolist(), "z_fastest": xyz[0].tolist()},
    "unmeasured": [1, int(np.flatnonzero((zyx[T : 2 * T] == 0).all(0))[0])],
    "counts": {name: [int((v == i).sum()) for i in range(1, 8)] for name, v in volumes.items()},
    "ncsnr": ncsnr.T.ravel()[mask.T.ravel()].tolist(),
    "coco": coco.tolist(),
    "split": split.tolist(),
    "crop": [list(map(float, c)) for c in table["cropBox"]],
    "trials_of_image": [[int(t) for t in trials[0, i]] for i in range(N_STIMULI)],
    "picture_sums": bricks.reshape(N_STIMULI, -1).astype(int).sum(1).tolist(),
    "picture_corner": bricks[7, 1, 2].tolist(),
    "n_missing_answers": int(sum(t % 7 == 3 for t in range(len(master)))),
    "brain_zero_session2": int(((betas[1] == 0).all(0) & (brain > 0)).sum()),
}
json.dump(expected, open(HERE / "expected.json", "w"), separators=(",", ":"))
