"""Golden values of the fit in Takagi and Nishimoto's released code; see README.md. Run: python make.py

Their code makes a scikit-learn pipeline of `StandardScaler()` and himalaya's `RidgeCV(alphas)` with every other setting left at
its default: five folds of consecutive samples, no intercept, targets as they are.
"""
import numpy as np
from himalaya.ridge import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ALPHAS = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0]
rng = np.random.default_rng(41)
n, t = 52, 7
signal = np.array([30, 3, 1, 0.3, 0.1, 0.03, 0])
for name, p, offset, noise in [("tall", 12, 4, 0.3), ("collinear", 12, 0, 0.3), ("wide", 60, 0.2, 0.3)]:
    x = rng.normal(size=(n, p)) * rng.uniform(0.5, 3, p) + rng.normal(size=p) * 5
    if name == "collinear":  # directions of little variance, so that small penalties decide
        x = x[:, :4] @ rng.normal(size=(4, p)) + x * 0.02
    x, x_new = x[:-4], x[-4:]
    standard = (x - x.mean(0)) / x.std(0)
    y = standard @ rng.normal(size=(p, t)) * signal + rng.normal(size=(n - 4, t)) * noise + offset
    pipeline = make_pipeline(StandardScaler(with_mean=True, with_std=True), RidgeCV(alphas=ALPHAS))
    pipeline.fit(x, y)
    ridge = pipeline[-1]
    for what, array in dict(
        x=x, y=y, x_new=x_new, alpha=ridge.best_alphas_, score=ridge.cv_scores_, coef=ridge.coef_, predicted=pipeline.predict(x_new)
    ).items():
        np.savetxt(f"{name}_{what}.txt", np.atleast_2d(array), fmt="%.17g")
    print(name, ridge.best_alphas_)
