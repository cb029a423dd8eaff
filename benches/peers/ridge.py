"""himalaya and scikit-learn on the ridge problem that `percept fit` is measured on; see docs/benchmarks.md.

    python ridge.py data DIR [n p t]        make X.npy, Y.npy, folds.npy, runs.npy, samples.npy
    python ridge.py himalaya-numpy DIR      fit, write himalaya-numpy.npz (alpha, coef, intercept), print seconds
    python ridge.py himalaya-torch DIR      (both leave out what `folds` labels; LABELS=runs: the ten runs)
    python ridge.py sklearn DIR             leave-one-out, one penalty per target
    python ridge.py compare DIR MODEL PEER  agreement of a percept model folder with a peer's npz

Versions: himalaya 0.4.11, scikit-learn 1.9.1, NumPy 2.4.6 (OpenBLAS 0.3.31), PyTorch 2.15.0, safetensors, Python 3.11.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np

ALPHAS = np.logspace(1, 6, 10)
N_FOLDS = 5
N_RUNS = 10


def data(folder, n=6000, p=4000, t=4000):
    """Features with a falling spectrum, targets of very different signal."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, p), dtype=np.float32)
    common = rng.standard_normal((n, 64), dtype=np.float32)
    x += common @ rng.standard_normal((64, p), dtype=np.float32) * np.float32(0.3)
    weights = rng.standard_normal((p, t), dtype=np.float32) / np.float32(np.sqrt(p))
    signal = np.logspace(-1.5, 0.5, t).astype(np.float32)
    y = x @ weights * signal + rng.standard_normal((n, t), dtype=np.float32) + 3
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "X.npy", x)
    np.save(folder / "Y.npy", y)
    np.save(folder / "folds.npy", np.arange(n) * N_FOLDS // n)
    np.save(folder / "runs.npy", np.arange(n) * N_RUNS // n)
    np.save(folder / "samples.npy", np.arange(n))


def himalaya(x, y, folds, backend):
    from himalaya.backend import set_backend
    from himalaya.ridge import RidgeCV
    from himalaya.scoring import l2_neg_loss
    from sklearn.model_selection import PredefinedSplit

    backend = set_backend(backend)
    model = RidgeCV(
        alphas=ALPHAS,
        fit_intercept=True,
        cv=PredefinedSplit(folds),
        solver_params=dict(score_func=l2_neg_loss, local_alpha=True),
    )
    model.fit(backend.asarray(x), backend.asarray(y))
    arrays = model.best_alphas_, model.coef_, model.intercept_
    return [backend.to_numpy(array) for array in arrays]


def sklearn(x, y):
    from sklearn.linear_model import RidgeCV

    model = RidgeCV(alphas=ALPHAS, alpha_per_target=True).fit(x, y)
    return model.alpha_, model.coef_.T, model.intercept_


def compare(folder, model, peer):
    from safetensors.numpy import load_file

    ours, theirs = load_file(Path(model) / "model.safetensors"), np.load(folder / f"{peer}.npz")
    same = np.isclose(ours["alpha"], theirs["alpha"], rtol=1e-5)
    relative = lambda a, b: np.linalg.norm(a - b, axis=0) / np.linalg.norm(b, axis=0)
    error = relative(ours["weights"][:, same], theirs["coef"][:, same])
    print(f"alpha equal on {100 * same.mean():.3f} % of {same.size} targets")
    print(f"coefficients: largest relative difference {error.max():.2e}, median {np.median(error):.2e}")


if __name__ == "__main__":
    what, folder = sys.argv[1], Path(sys.argv[2])
    if what == "data":
        data(folder, *map(int, sys.argv[3:]))
    elif what == "compare":
        compare(folder, *sys.argv[3:])
    else:
        x, y, folds = (np.load(folder / f"{name}.npy") for name in ("X", "Y", os.environ.get("LABELS", "folds")))
        wall, cpu = time.perf_counter(), os.times()
        if what == "sklearn":
            alpha, coef, intercept = sklearn(x, y)
        else:
            alpha, coef, intercept = himalaya(x, y, folds, what.removeprefix("himalaya-"))
        wall, done = time.perf_counter() - wall, os.times()
        cpu = done.user + done.system - cpu.user - cpu.system
        print(f"{what}: {wall:.1f} s wall, {cpu:.1f} s CPU", flush=True)
        np.savez(folder / f"{what}.npz", alpha=alpha, coef=coef, intercept=intercept)
