"""Golden values of himalaya's RidgeCV by other scores over folds of unequal size; see README.md. Run: python make_scores.py"""
import numpy as np
from himalaya.ridge import RidgeCV
from himalaya.scoring import correlation_score, r2_score
from sklearn.model_selection import PredefinedSplit

ALPHAS = np.logspace(-1, 4, 6)
x, y = np.loadtxt("tall_x.txt"), np.loadtxt("tall_y.txt")
folds = np.repeat([0, 1, 2], [10, 15, 23])
for name, score in [("r2", r2_score), ("r", correlation_score)]:
    for intercept in [True, False]:
        model = RidgeCV(
            alphas=ALPHAS, fit_intercept=intercept, cv=PredefinedSplit(folds), solver_params=dict(score_func=score)
        ).fit(x, y)
        label = f"unequal_{name}_{'intercept' if intercept else 'plain'}"
        np.savetxt(f"{label}_alpha.txt", model.best_alphas_[None], fmt="%.17g")
        np.savetxt(f"{label}_score.txt", model.cv_scores_[None], fmt="%.17g")
