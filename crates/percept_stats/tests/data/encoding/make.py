"""Golden values of the statistics of encoding: twenty random problems each, by loops in NumPy, SciPy and statsmodels.

    python make.py    # writes permutation.json and partition.json beside itself
"""

import itertools
import json
import pathlib

import numpy as np
import scipy.stats
from statsmodels.stats.multitest import multipletests

rng = np.random.default_rng(19)
HERE = pathlib.Path(__file__).parent


def two_digits(a):
    """Numbers that f32 and f64 read alike."""
    return np.round(a, 2).astype(np.float32).astype(np.float64)


def short(value):
    if isinstance(value, dict):
        return {k: short(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [short(v) for v in value]
    if isinstance(value, np.ndarray):
        return short(value.tolist())
    if isinstance(value, (float, np.floating)):
        return float(f"{float(value):.10g}")
    return int(value) if isinstance(value, (int, np.integer)) else value


def plain(a):
    return [round(float(v), 2) for v in np.asarray(a).ravel()]


def correlation(a, b):
    return np.corrcoef(a, b)[0, 1]


def permutation_problem():
    runs = [int(v) for v in rng.integers(6, 12, 2)]
    n, units, length = sum(runs), int(rng.integers(2, 5)), int(rng.integers(2, 4))
    pred = two_digits(rng.standard_normal((n, units)).cumsum(0))
    truth = two_digits(0.5 * pred + rng.standard_normal((n, units)).cumsum(0))
    orders = []
    for _ in range(25):
        order, start = [], 0
        for size in runs:
            blocks = [list(range(start + b, min(start + b + length, start + size))) for b in range(0, size, length)]
            order += list(itertools.chain(*[blocks[k] for k in rng.permutation(len(blocks))]))
            start += size
        orders.append(order)
    out = {"n_units": units, "pred": plain(pred), "truth": plain(truth), "orders": orders}
    for side, statistic in (("greater", lambda r: r), ("two_sided", abs)):
        observed = np.array([statistic(correlation(pred[:, v], truth[:, v])) for v in range(units)])
        null = np.array([[statistic(correlation(pred[:, v], truth[o][:, v])) for v in range(units)] for o in orders])
        # The order as it was may be among the drawn ones; equal values must not differ by rounding.
        as_large = null >= observed - 1e-12
        p = (1 + as_large.sum(0)) / (1 + len(orders))
        largest = null.max(1)
        p_max = (1 + (largest[:, None] >= observed[None] - 1e-12).sum(0)) / (1 + len(orders))
        rejected, adjusted, _, _ = multipletests(p, 0.3, method="fdr_bh")
        r = np.array([correlation(pred[:, v], truth[:, v]) for v in range(units)])
        t = scipy.stats.pearsonr(pred, truth, axis=0, alternative="greater" if side == "greater" else "two-sided")
        out[side] = {
            "p": p,
            "p_max": p_max,
            "max": largest,
            "chance": np.percentile(null, 95, axis=0),
            "rejected": [int(v) for v in rejected],
            "adjusted": adjusted,
            "student": t.pvalue,
        }
        out["r"] = r
    values = two_digits(rng.standard_normal(int(rng.integers(3, 9))) + 0.5)
    test = scipy.stats.ttest_1samp(values, 0)
    interval = test.confidence_interval(0.95)
    out["subjects"] = {"values": plain(values), "found": [values.mean(), interval.low, interval.high, test.pvalue]}
    return out


def r2(y, p, w):
    mean = (w * y).sum() / w.sum()
    return 1 - (w * (y - p) ** 2).sum() / (w * (y - mean) ** 2).sum()


def r(y, p, w):
    y, p = y - (w * y).sum() / w.sum(), p - (w * p).sum() / w.sum()
    return (w * y * p).sum() / np.sqrt((w * y * y).sum() * (w * p * p).sum())


def share(y, parts, k, w):
    y = y - (w * y).sum() / w.sum()
    parts = [part - (w * part).sum() / w.sum() for part in parts]
    return (w * parts[k] * (2 * y - sum(parts))).sum() / (w * y * y).sum()


def estimate(function, counts, block):
    """Value, interval and p of a function of sample weights; draws repeat samples."""
    value = function(np.ones(len(block)))
    draws = np.array([function(c[block].astype(float)) for c in counts])
    low, high = np.percentile(draws, [2.5, 97.5])
    return [value, low, high, (1 + (draws <= 0).sum()) / (1 + len(draws))]


def partition_problem(spaces):
    n, units = int(rng.integers(14, 20)), 2
    block = np.sort(rng.integers(0, 6, n))
    block = np.unique(block, return_inverse=True)[1]
    n_blocks = block.max() + 1
    counts = np.zeros((19, n_blocks), int)
    for row in counts:
        # At least two blocks, so that every score is defined.
        while (row > 0).sum() < 3:
            row[:] = np.bincount(rng.integers(0, n_blocks, n_blocks), minlength=n_blocks)
    parts = [two_digits(rng.standard_normal((n, units))) for _ in range(spaces)]
    truth = two_digits(sum(parts) * 0.6 + rng.standard_normal((n, units)))
    sets = range(1, 1 << spaces)
    models = [
        two_digits(sum(0.6 * parts[k] for k in range(spaces) if s >> k & 1) + 0.2 * rng.standard_normal((n, units)) + 0.1)
        for s in sets
    ]
    whole = (1 << spaces) - 1
    score = lambda f, s, v, w: 0.0 if s == 0 else f(truth[:, v], models[s - 1][:, v], w)
    unique = []
    for f in (r2, r):
        for k in range(spaces):
            unique.append(
                [
                    estimate(lambda w: score(f, whole, v, w) - score(f, whole & ~(1 << k), v, w), counts, block)
                    for v in range(units)
                ]
            )
    commonality = []
    for s in sets:
        # What the spaces of s have in common: by the table of all unions, solved as linear equations.
        def common(w, v):
            rows = [[1.0 if t & u else 0.0 for u in sets] for t in sets]
            return np.linalg.solve(np.array(rows), [score(r2, t, v, w) for t in sets])[s - 1]

        commonality.append([estimate(lambda w: common(w, v), counts, block) for v in range(units)])
    product = [
        [estimate(lambda w: share(truth[:, v], [0.5 * p[:, v] for p in parts], k, w), counts, block) for v in range(units)]
        for k in range(spaces)
    ]
    # The best of all models.
    best = []
    for v in range(units):
        wins = np.zeros(len(models), int)
        for c in counts:
            wins[int(np.argmax([r(truth[:, v], m[:, v], c[block].astype(float)) for m in models]))] += 1
        best.append(wins / len(counts))
    region = [
        estimate(
            lambda w: np.mean([score(r2, whole, v, w) - score(r2, whole & ~1, v, w) for v in range(units)]), counts, block
        )
    ]
    repeats = [two_digits(truth + rng.standard_normal(truth.shape)) for _ in range(int(rng.integers(2, 4)))]
    z = scipy.stats.zscore(np.array(repeats), axis=1)
    ev = z.mean(0).var(0, ddof=1) / z.var(1, ddof=1).mean(0)
    ev = ev - (1 - ev) / (len(repeats) - 1)
    return {
        "n_spaces": spaces,
        "block": block,
        "counts": counts.ravel(),
        "truth": plain(truth),
        "parts": [plain(p) for p in parts],
        "models": [plain(m) for m in models],
        "unique": unique,
        "commonality": commonality,
        "product": product,
        "best": best,
        "region": region,
        "repeats": [plain(m) for m in repeats],
        "explainable": ev,
    }


permutation = [permutation_problem() for _ in range(20)]
partition = [partition_problem([2, 3, 2, 3, 4][k % 5]) for k in range(20)]
for name, problems in (("permutation", permutation), ("partition", partition)):
    (HERE / f"{name}.json").write_text(json.dumps(short(problems), separators=(",", ":")))
