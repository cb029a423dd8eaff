"""Peers of the numbers of voxelwise encoding, at the same sizes.

    python encoding_size.py ridge N_VOXELS N_SAMPLES  # himalaya's RidgeCV: 1,280 features, 25 penalties, 4 folds; a film has 22,262
    python encoding_size.py permutations N V B        # NumPy: correlation of every column under B orders of blocks

Versions as in ridge.py. Data are standard normal; the first voxels hold a feature each.
"""

import sys
import time

import numpy as np


def ridge(n_voxels, n):
    from himalaya.ridge import RidgeCV
    from sklearn.model_selection import PredefinedSplit

    rng = np.random.default_rng(1)
    p = 1_280
    x = rng.standard_normal((n, p), dtype=np.float32)
    y = rng.standard_normal((n, n_voxels), dtype=np.float32)
    shared = min(p, n_voxels)
    y[:, :shared] += 0.3 * x[:, :shared]
    title = np.arange(n) * 4 // n
    from himalaya.scoring import r2_score

    start, processor = time.time(), time.process_time()

    model = RidgeCV(
        alphas=10.0 ** np.arange(-12, 13),
        cv=PredefinedSplit(title),
        solver_params=dict(score_func=r2_score, n_targets_batch=1000, n_alphas_batch=5, warn=False),
    )
    model.fit(x, y)
    seconds, processor = time.time() - start, time.process_time() - processor
    print(f"{seconds:.1f} s, {processor:.1f} s of processors, mean score {np.mean(model.cv_scores_):.6f}")


def permutations(n, v, b):
    rng = np.random.default_rng(1)
    pred = rng.standard_normal((n, v), dtype=np.float32)
    truth = rng.standard_normal((n, v), dtype=np.float32)
    start, processor = time.time(), time.process_time()

    def unit(a):
        a = a - a.mean(0)
        return a / np.sqrt((a * a).sum(0))

    pred, truth = unit(pred), unit(truth)
    observed = (pred * truth).sum(0)
    extreme = np.zeros(v, int)
    largest = np.empty(b)
    blocks = np.array_split(np.arange(n), range(10, n, 10))
    for k in range(b):
        order = np.concatenate([blocks[i] for i in rng.permutation(len(blocks))])
        r = np.einsum("ij,ij->j", pred, truth[order])
        extreme += r >= observed
        largest[k] = r.max()
    p = (1 + extreme) / (1 + b)
    print(f"{time.time() - start:.2f} s, {time.process_time() - processor:.2f} s of processors, p <= 5 % in {100 * np.mean(p <= 0.05):.2f} %")


if __name__ == "__main__":
    {"ridge": ridge, "permutations": permutations}[sys.argv[1]](*map(int, sys.argv[2:]))
