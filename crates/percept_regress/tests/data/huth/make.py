"""Golden values of the ridge of Huth and colleagues, from its formulae in NumPy; see README.md. Run: python make.py

Their package is not on PyPI. For training rows with the singular value decomposition X = U diag(s) Vᵀ and a number a of the grid the
weights are V diag(s / (s² + a²)) Uᵀ Y: the penalty is a². Nothing is centred or scaled here. Each draw holds out a share of the
chunks of consecutive samples, chosen at random; the score is the mean over draws of the correlation between held-out responses and
predictions; every voxel takes its best a and is fitted again on all samples.
"""
import numpy as np

A = np.logspace(0, 3, 7)
N, P, T, CHUNK, HELD, DRAWS = 63, 9, 6, 5, 3, 8


def weights(x, y, a):
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    return vt.T @ np.diag(s / (s**2 + a**2)) @ (u.T @ y)


def zscore(v):
    return (v - v.mean(0)) / v.std(0)


rng = np.random.default_rng(17)
for name, p in [("tall", P), ("wide", 80)]:
    x = rng.normal(size=(N, p)) * np.logspace(-1, 0.7, p) + 0.5
    y = x @ rng.normal(size=(p, T)) * np.array([3, 1, 0.5, 0.2, 0.1, 0]) + rng.normal(size=(N, T)) * 3 + 2
    chunks = [np.arange(start, start + CHUNK) for start in range(0, N - CHUNK + 1, CHUNK)]
    held = np.array([np.sort(np.concatenate([chunks[i] for i in rng.permutation(len(chunks))[:HELD]])) for _ in range(DRAWS)])
    score = np.zeros((len(A), T))
    for test in held:
        train = np.setdiff1d(np.arange(N), test)
        for i, a in enumerate(A):
            predicted = x[test] @ weights(x[train], y[train], a)
            score[i] += (zscore(y[test]) * zscore(predicted)).mean(0) / DRAWS
    best = score.argmax(0)
    coef = np.stack([weights(x, y[:, target], A[best[target]]) for target in range(T)], axis=1)
    tables = dict(x=x, y=y, held=held, a=A[best], score=score.max(0), coef=coef)
    for what, table in tables.items():
        np.savetxt(f"{name}_{what}.txt", np.atleast_2d(table), fmt="%d" if what == "held" else "%.17g")
    print(name, A[best])
