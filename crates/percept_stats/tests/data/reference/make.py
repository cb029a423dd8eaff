"""Golden values of image metrics and statistics; see README.md. Run: python make.py > golden.json"""
import json

import numpy as np
from scipy import stats
from skimage.color import rgb2gray
from skimage.metrics import structural_similarity
from sklearn.metrics import r2_score

rng = np.random.default_rng(8)
truth = rng.random((3, 20, 24, 3)).round(3)
truth[1] = (truth[1].cumsum(0).cumsum(1) / 300).clip(0, 1).round(3)
pred = (truth * 0.6 + rng.random(truth.shape) * [[[[0.4]]], [[[0.1]]], [[[0.8]]]] * 0.4).round(3).clip(0, 1)
# The values as Rust will see them.
a, b = pred.astype("f4").astype("f8"), truth.astype("f4").astype("f8")
settings = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0)


def pairs(function):
    return [float(function(p, t)) for p, t in zip(a, b)]


x = rng.normal(size=(6, 9)).round(3).astype("f4").astype("f8")
y = (x + rng.normal(size=x.shape) * 0.9).round(3).astype("f4").astype("f8")
r = np.corrcoef(x, y)[:6, 6:]
p_values = np.concatenate([rng.random(12), rng.random(6) * 0.01]).round(5)
cases = [(r_, n) for r_ in (-0.4, 0.0, 0.05, 0.2, 0.7, 0.99) for n in (3, 4, 12, 119, 982, 10000)]
golden = dict(
    pred=pred.ravel().tolist(),
    truth=truth.ravel().tolist(),
    pixcorr=pairs(lambda p, t: np.corrcoef(p.ravel(), t.ravel())[0, 1]),
    ssim=pairs(lambda p, t: structural_similarity(rgb2gray(p), rgb2gray(t), **settings)),
    ssim_columns=pairs(lambda p, t: structural_similarity(rgb2gray(p), rgb2gray(t), channel_axis=-1, **settings)),
    x=x.ravel().tolist(),
    y=y.ravel().tolist(),
    rows=[float(np.corrcoef(i, j)[0, 1]) for i, j in zip(x, y)],
    columns=[float(np.corrcoef(i, j)[0, 1]) for i, j in zip(x.T, y.T)],
    r2_columns=r2_score(y, x, multioutput="raw_values").tolist(),
    # Row j: prediction j against every truth.
    among_truths=[float(np.mean([r[j, i] < r[j, j] for i in range(6) if i != j])) for j in range(6)],
    among_predictions=[float(np.mean([r[i, j] < r[j, j] for i in range(6) if i != j])) for j in range(6)],
    p_values=p_values.tolist(),
    adjusted=stats.false_discovery_control(p_values).tolist(),
    correlation_p=[[r_, n, float(stats.t.sf(r_ * np.sqrt((n - 2) / (1 - r_**2)), n - 2))] for r_, n in cases],
    correlation_threshold=[
        [n, p, float((q := stats.t.isf(p, n - 2)) / np.sqrt(n - 2 + q * q))] for n in (5, 119, 982) for p in (0.05, 0.001)
    ],
)
values = rng.normal(size=40).round(3)
interval = stats.bootstrap((values,), np.mean, n_resamples=200_000, method="percentile", rng=rng).confidence_interval
golden |= dict(values=values.tolist(), interval=[float(interval.low), float(interval.high)])
# What follows came later; the numbers above keep their places in the random stream.
from sklearn.metrics.pairwise import cosine_similarity  # noqa: E402

# A common part, as text contexts have, so that cosine and correlation rank differently.
common = rng.normal(size=9) * 2
c = np.round(x * 0.3 + rng.normal(size=x.shape) + common, 3).astype("f4").astype("f8")
d = np.round(y + common, 3).astype("f4").astype("f8")
cosines = cosine_similarity(c, d)
golden |= dict(
    c=c.ravel().tolist(),
    d=d.ravel().tolist(),
    cosine_rows=np.diag(cosines).tolist(),
    mse_rows=((c - d) ** 2).mean(1).tolist(),
    cosine_two_way=[float(np.mean([cosines[j, i] < cosines[j, j] for i in range(6) if i != j])) for j in range(6)],
    image_mse=((a - b) ** 2).reshape(3, -1).mean(1).tolist(),
)
first = (rng.normal(size=30) + 0.3).round(3)
second = (first * 0.5 + rng.normal(size=30) * 0.6).round(3)
# Three items per label, labels not in order. Whole labels are drawn: the difference of each is a statistic of its own.
labels = rng.permutation(np.repeat(np.arange(10), 3))
sums = np.array([(first - second)[labels == label].sum() for label in range(10)])
paired = stats.bootstrap(
    (sums,), lambda v, axis: v.mean(axis) / 3, n_resamples=200_000, method="percentile", rng=rng
).confidence_interval
flips = stats.permutation_test(
    (sums,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
).pvalue
golden |= dict(
    first=first.tolist(),
    second=second.tolist(),
    labels=labels.tolist(),
    paired_mean=float((first - second).mean()),
    paired_interval=[float(paired.low), float(paired.high)],
    paired_p=float(flips),
)
print(json.dumps(golden))
