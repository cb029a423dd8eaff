"""Golden values of series: detrending, events to volumes, delays, haemodynamic responses.

    python make.py    # writes golden.json beside itself
"""

import json
import pathlib

import numpy as np
import scipy.ndimage
import scipy.signal
import scipy.stats

rng = np.random.default_rng(7)
RUNS = [37, 24, 45]
run = np.repeat([2, 0, 5], RUNS)
x = rng.standard_normal((len(run), 3)).cumsum(axis=0) + 5 * rng.standard_normal(3)
x = x.astype(np.float32).astype(np.float64)
training = np.ones(len(run), bool)
training[70:85] = False  # within the last run


def per_run(function):
    return np.concatenate([function(x[run == r], training[run == r]) for r in (2, 0, 5)])


def median(width):
    return per_run(lambda y, _: y - scipy.ndimage.median_filter(y, size=(width, 1), mode="reflect"))


def savgol(width, order):
    return per_run(lambda y, _: y - scipy.signal.savgol_filter(y, width, order, axis=0))


def least_squares(design, y, rows):
    b = np.linalg.lstsq(design[rows], y[rows], rcond=None)[0]
    return y - design @ b


def polynomial(order, masked):
    def one(y, rows):
        t = np.linspace(-1, 1, len(y))
        return least_squares(np.vander(t, order + 1), y, rows if masked else np.ones(len(y), bool))

    return per_run(one)


def cosine(period, tr):
    def one(y, _):
        n = len(y)
        k = np.arange(int(np.floor(2 * n * tr / period)) + 1)
        design = np.cos(np.pi * k[None] * (np.arange(n)[:, None] + 0.5) / n)
        return least_squares(design, y, np.ones(n, bool))

    return per_run(one)


def flat(a):
    return [float(v) for v in np.asarray(a).ravel()]


def f32(a):
    return np.asarray(a, np.float32).astype(np.float64)


out = {
    "run": [int(r) for r in run],
    "training": [bool(t) for t in training],
    "x": flat(x),
    "median_9": flat(median(9)),
    "median_12": flat(median(12)),
    "median_80": flat(median(80)),
    "savgol_11_3": flat(savgol(11, 3)),
    "savgol_21_2": flat(savgol(21, 2)),
    "polynomial_2": flat(polynomial(2, False)),
    "polynomial_2_training": flat(polynomial(2, True)),
    "linear_scipy": flat(per_run(lambda y, _: scipy.signal.detrend(y, axis=0))),
    "cosine_30": flat(cosine(30.0, 1.5)),
}

# Twenty random problems of events to volumes and of delays.
problems = []
for _ in range(20):
    n, f, volumes = int(rng.integers(5, 20)), 2, int(rng.integers(4, 9))
    tr, first = float(rng.choice([0.8, 1.0, 1.5, 2.0])), float(rng.choice([0.0, 1.25]))
    features = f32(rng.standard_normal((n, f)))
    onset = np.sort(rng.uniform(-2, volumes * tr + 3, n))
    end = onset + rng.uniform(0, 3, n)
    starts = first + tr * np.arange(volumes)
    inside = (onset[None] >= starts[:, None]) & (onset[None] < starts[:, None] + tr)
    count = inside.sum(1)
    mean = np.where(count[:, None] > 0, inside @ features / np.maximum(count, 1)[:, None], 0)
    shared = np.clip(np.minimum(end[None], starts[:, None] + tr) - np.maximum(onset[None], starts[:, None]), 0, None)
    seconds = shared.sum(1)
    spans = np.where(seconds[:, None] > 0, shared @ features / np.where(seconds > 0, seconds, 1)[:, None], 0)
    middles = starts + tr / 2
    lobes, cutoff = int(rng.integers(2, 4)), float(rng.choice([0.7, 1.0]))
    t = (middles[:, None] - onset[None]) * cutoff / np.mean(np.diff(middles))
    kernel = np.where(np.abs(t) <= lobes, np.sinc(t) * np.sinc(t / lobes), 0)
    label = np.repeat([1, 0], [n // 2, n - n // 2])
    delays = [int(d) for d in rng.choice(np.arange(-3, 8), 3, replace=False)]

    def delayed(d):
        z = np.zeros_like(features)
        for r in (0, 1):
            rows = np.flatnonzero(label == r)
            for row in rows:
                if row - d in rows:
                    z[row] = features[row - d]
        return z

    columns = [delayed(d) for d in delays]
    problems.append(
        {
            "features": flat(features),
            "onset": flat(onset),
            "end": flat(end),
            "n_volumes": volumes,
            "tr": tr,
            "first": first,
            "mean": flat(mean),
            "spans": flat(spans),
            "lobes": lobes,
            "cutoff": cutoff,
            "lanczos": flat(kernel @ features),
            "label": [int(v) for v in label],
            "delays": delays,
            "columns": flat(np.hstack(columns)),
            "averaged": flat(np.mean(columns, 0)),
        }
    )
out["problems"] = problems

t = np.arange(0, 32, 1.5)


def hrf(delay, undershoot, dispersion, undershoot_dispersion, ratio):
    peak = scipy.stats.gamma.pdf(t, delay / dispersion, scale=dispersion)
    low = scipy.stats.gamma.pdf(t, undershoot / undershoot_dispersion, scale=undershoot_dispersion)
    return (peak - ratio * low) / (peak - ratio * low).sum()


out["spm"] = flat(hrf(6, 16, 1, 1, 0.167))
out["glover"] = flat(hrf(6, 12, 0.9, 0.9, 0.48))
kernel = hrf(6, 16, 1, 1, 0.167)
out["convolved"] = flat(per_run(lambda y, _: np.stack([np.convolve(c, kernel)[: len(c)] for c in y.T], 1)))

path = pathlib.Path(__file__).with_name("golden.json")


def short(value):
    if isinstance(value, dict):
        return {k: short(v) for k, v in value.items()}
    if isinstance(value, list):
        return [short(v) for v in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value


path.write_text(json.dumps(short(out)))
