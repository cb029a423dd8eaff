"""Golden values of scikit-learn's RidgeCV (leave-one-out) and Ridge, written as plain text tables.

Made with scikit-learn 1.9.1, NumPy 2.4.6, Python 3.11.7; see README.md. Run: python make.py
"""
import numpy as np
from sklearn.linear_model import Ridge, RidgeCV

ALPHAS = np.logspace(-2, 4, 7)


def save(name, array):
    np.savetxt(name, np.atleast_2d(array), fmt="%.17g")


rng = np.random.default_rng(20)
for name, n, p in [("tall", 60, 12), ("wide", 24, 40)]:
    x = rng.normal(size=(n, p)) * rng.uniform(0.5, 3, p) + rng.normal(size=p) * 4
    y = x @ rng.normal(size=(p, 5)) * np.array([1, 0.3, 0.1, 0.03, 0]) + rng.normal(size=(n, 5)) + 50
    save(f"{name}_x.txt", x)
    save(f"{name}_y.txt", y)
    for label, per_target in [("per_target", True), ("shared", False)]:
        cv = RidgeCV(alphas=ALPHAS, alpha_per_target=per_target).fit(x, y)
        save(f"{name}_{label}_alpha.txt", np.broadcast_to(cv.alpha_, 5))
        save(f"{name}_{label}_score.txt", np.broadcast_to(cv.best_score_, 5))
        save(f"{name}_{label}_coef.txt", cv.coef_.T)
        save(f"{name}_{label}_intercept.txt", cv.intercept_)
    save(f"{name}_fixed_coef.txt", Ridge(alpha=3.7).fit(x, y).coef_.T)
