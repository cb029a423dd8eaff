"""Golden values of himalaya's RidgeCV with one penalty per target over given folds; see README.md. Run: python make.py"""
import numpy as np
from himalaya.ridge import RidgeCV
from himalaya.scoring import l2_neg_loss
from sklearn.model_selection import PredefinedSplit

ALPHAS = np.logspace(-1, 4, 6)
rng = np.random.default_rng(21)
folds = np.repeat([0, 1, 2, 3], 12)[rng.permutation(48)]
for name, p in [("tall", 10), ("wide", 70)]:
    x = rng.normal(size=(48, p)) + 1
    y = x @ rng.normal(size=(p, 6)) * np.array([1, 0.5, 0.2, 0.1, 0.03, 0]) + rng.normal(size=(48, 6)) * 2 + 20
    model = RidgeCV(
        alphas=ALPHAS, fit_intercept=True, cv=PredefinedSplit(folds), solver_params=dict(score_func=l2_neg_loss)
    ).fit(x, y)
    for what, array in dict(
        x=x, y=y, alpha=model.best_alphas_, score=model.cv_scores_, coef=model.coef_, intercept=model.intercept_
    ).items():
        np.savetxt(f"{name}_{what}.txt", np.atleast_2d(array), fmt="%.17g")
np.savetxt("folds.txt", folds[None], fmt="%d")
