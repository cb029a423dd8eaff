"""Golden values of both normalisations; see README.md. Run: python make.py > golden.json"""
import json

import numpy as np
from scipy import stats

rng = np.random.default_rng(3)
n, units = 36, 5
session = np.repeat([0, 1, 2], 12)
stimulus = rng.permutation(np.arange(n) % 14)
x = (rng.normal(size=(n, units)) * [1, 2, 0.5, 3, 1] + rng.normal(size=(3, units))[session] * 4 + 2).round(2)
x[session == 1, 2] = 0  # an invalid voxel-session
x[:, 4] = 0  # a voxel that was never recorded
x32 = x.astype("f4").astype("f8")


def zscore(ddof):
    out = np.concatenate([stats.zscore(x32[session == s], ddof=ddof) for s in range(3)])
    return np.nan_to_num(out, nan=0.0)


# The author's recipe, step by step in plain NumPy.
z = np.full_like(x32, np.nan)
level = np.full((3, units), np.nan)
for s in range(3):
    part = x32[session == s]
    mean, std = part.mean(0), part.std(0, ddof=1)
    ok = std > 0
    z[np.ix_(session == s, ok)] = (part[:, ok] - mean[ok]) / std[ok]
    level[s, ok] = mean[ok] / std[ok]
with np.errstate(all="ignore"):
    import warnings

    warnings.simplefilter("ignore")
    z = z + np.nanmean(level, 0)
    order = list(dict.fromkeys(stimulus.tolist()))
    images = np.nan_to_num(np.array([np.nanmean(z[stimulus == s], 0) for s in order]), nan=0.0)
    std = images.std(0, ddof=1)
    images = np.where(std > 0, images / np.where(std > 0, std, 1), 0)
print(
    json.dumps(
        dict(
            units=units,
            x=x.ravel().tolist(),
            session=session.tolist(),
            stimulus=stimulus.tolist(),
            population=zscore(0).ravel().tolist(),
            sample=zscore(1).ravel().tolist(),
            order=order,
            author=images.ravel().tolist(),
        )
    )
)
