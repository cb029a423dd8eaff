"""Golden values of banded ridge by himalaya: scores of given scales over folds, and fits with fixed scales and penalties.

    python make.py    # writes golden.json beside itself
"""

import json
import pathlib

import himalaya
import numpy as np
from himalaya.kernel_ridge import KernelRidgeCV, solve_multiple_kernel_ridge_random_search
from himalaya.ridge import GroupRidgeCV, RidgeCV
from sklearn.model_selection import KFold

rng = np.random.default_rng(5)
ALPHAS = np.array([0.1, 1.0, 10.0, 100.0])
GAMMAS = np.array([[0.2, 0.3, 0.5], [0.7, 0.25, 0.05], [1 / 3, 1 / 3, 1 / 3]])


def digits(a):
    return np.round(a, 3)


def problem(n, widths, targets):
    xs = [digits(rng.standard_normal((n, w)) * (1 + k)) for k, w in enumerate(widths)]
    w = [rng.standard_normal((x.shape[1], targets)) / x.shape[1] for x in xs]
    y = digits(xs[0] @ w[0] + xs[2] @ w[2] * 0.5 + 0.3 * rng.standard_normal((n, targets)))
    kernels = np.stack([x @ x.T for x in xs])
    cv = KFold(4)
    scores = []
    for gamma in GAMMAS:
        row = []
        for alpha in ALPHAS:
            # One candidate and one penalty at a time: the whole table.
            _, _, table = solve_multiple_kernel_ridge_random_search(
                kernels, y, n_iter=gamma[None], alphas=np.array([alpha]), cv=cv, progress_bar=False
            )
            row.append(np.asarray(table)[0])
        scores.append(row)
    deltas, dual, _ = solve_multiple_kernel_ridge_random_search(
        kernels, y, n_iter=GAMMAS, alphas=ALPHAS, cv=cv, return_weights="dual", progress_bar=False
    )
    deltas, dual = np.asarray(deltas), np.asarray(dual)
    weights = np.concatenate([np.exp(deltas[k])[None] * (x.T @ dual) for k, x in enumerate(xs)])
    # exp(delta) is gamma over alpha; the scales sum to 1.
    total = np.exp(deltas).sum(0)
    group = GroupRidgeCV(
        groups=[k for k, w in enumerate(widths) for _ in range(w)],
        cv=cv,
        solver_params=dict(n_iter=GAMMAS, alphas=ALPHAS, progress_bar=False),
    ).fit(np.hstack(xs), y)
    x = np.hstack(xs)
    ridge = RidgeCV(alphas=ALPHAS, cv=cv).fit(x, y)
    kernel = KernelRidgeCV(alphas=ALPHAS, kernel="linear", cv=cv).fit(x, y)
    return {
        "widths": widths,
        "n_targets": targets,
        "x": x.ravel().tolist(),
        "y": y.ravel().tolist(),
        "scores": np.array(scores).ravel().tolist(),
        "scales": (np.exp(deltas) / total).ravel().tolist(),
        "alpha": (1 / total).tolist(),
        "weights": weights.ravel().tolist(),
        "group_weights": np.asarray(group.coef_).ravel().tolist(),
        "ridge_weights": np.asarray(ridge.coef_).ravel().tolist(),
        "ridge_alpha": np.asarray(ridge.best_alphas_).tolist(),
        "kernel_predictions": np.asarray(kernel.predict(x)).ravel().tolist(),
    }


out = {
    "himalaya": himalaya.__version__,
    "tall": problem(60, [4, 3, 5], 3),
    "wide": problem(24, [10, 14, 12], 3),
}


def short(v):
    if isinstance(v, dict):
        return {k: short(x) for k, x in v.items()}
    if isinstance(v, list):
        return [short(x) for x in v]
    return float(f"{v:.12g}") if isinstance(v, float) else v


pathlib.Path(__file__).with_name("golden.json").write_text(json.dumps(short(out), separators=(",", ":")))
