"""Golden values of noise ceilings and of R² about zero: twenty random problems, by loops in NumPy and SciPy.

    python make_ceiling.py    # writes ceiling.json beside itself
"""

import json
import pathlib

import numpy as np
import scipy.stats

rng = np.random.default_rng(23)


def f32(a):
    return np.asarray(a, np.float32).astype(np.float64)


def problem():
    stimuli, units, sessions = int(rng.integers(8, 16)), int(rng.integers(1, 4)), 2
    # Every stimulus once to three times, the first two three times, in any order.
    repeats = np.concatenate([[3, 3], rng.integers(1, 4, stimuli - 2)])
    label = rng.permutation(np.repeat(np.arange(stimuli), repeats))
    session = np.sort(rng.integers(0, sessions, len(label)))
    session[:4], session[-4:] = 0, sessions - 1
    signal = rng.standard_normal((stimuli, units)) * rng.uniform(0.3, 2, units)
    y = signal[label] + rng.standard_normal((len(label), units)) + 3.0 * session[:, None]
    z = f32(np.concatenate([scipy.stats.zscore(y[session == s]) for s in range(sessions)]))
    thrice = [s for s in range(stimuli) if repeats[s] == 3]
    noise = np.mean([z[label == s].var(0, ddof=1) for s in thrice], axis=0)
    ratio = np.sqrt(np.maximum(1 - noise, 0)) / np.sqrt(noise)
    counts = [int((repeats == n).sum()) for n in (3, 2, 1)]
    spread = (counts[0] / 3 + counts[1] / 2 + counts[2]) / sum(counts)
    rho = ratio**2 / (1 + ratio**2)
    predicted = f32(0.5 * z + 0.7 * rng.standard_normal(z.shape) + 0.2)
    weights = rng.multinomial(stimuli, np.ones(stimuli) / stimuli, size=5)
    about_zero = [
        1 - (w[label][:, None] * (z - predicted) ** 2).sum(0) / (w[label][:, None] * z**2).sum(0)
        for w in (np.ones(stimuli, int), *weights)
    ]
    return {
        "units": units,
        "label": label.tolist(),
        "z": z.ravel().tolist(),
        "ncsnr": ratio.tolist(),
        "single": (rho).tolist(),
        "thrice": (3 * rho / (1 + 2 * rho)).tolist(),
        "repeats": repeats.tolist(),
        "mixed": (ratio**2 / (ratio**2 + spread)).tolist(),
        "predicted": predicted.ravel().tolist(),
        "weights": weights.ravel().tolist(),
        "r2": about_zero[0].tolist(),
        "interval": np.percentile(about_zero[1:], [2.5, 97.5], axis=0).tolist(),
    }


def short(value):
    if isinstance(value, dict):
        return {key: short(own) for key, own in value.items()}
    if isinstance(value, list):
        return [short(own) for own in value]
    return float(f"{value:.10g}") if isinstance(value, float) else value


path = pathlib.Path(__file__).with_name("ceiling.json")
path.write_text(json.dumps(short([problem() for _ in range(20)]), separators=(",", ":")))
