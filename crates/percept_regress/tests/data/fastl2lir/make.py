"""Golden values of fastl2lir with feature selection and penalised intercept; see README.md. Run: python make.py"""
import numpy as np
from fastl2lir import FastL2LiR

# NumPy 2.4 no longer takes arrays of one element for numbers, which fastl2lir 0.11 relies on: its column solutions are flattened.
solve = np.linalg.solve
np.linalg.solve = lambda a, b: solve(a, b).ravel() if b.ndim == 2 and b.shape[1] == 1 else solve(a, b)

rng = np.random.default_rng(8)
x = rng.normal(size=(40, 12)) * rng.uniform(0.5, 2, 12) + rng.normal(size=12)
x[:, 5] = 0.25
y = x @ rng.normal(size=(12, 4)) + rng.normal(size=(40, 4)) + 3
np.savetxt("x.txt", x, fmt="%.17g")
np.savetxt("y.txt", y, fmt="%.17g")
for name, n_feat in [("selected", 4), ("all", 0)]:
    model = FastL2LiR()
    model.fit(x, y, alpha=5.0, n_feat=n_feat, dtype=np.float64)
    np.savetxt(f"{name}_weights.txt", model.W, fmt="%.17g")
    np.savetxt(f"{name}_intercept.txt", np.atleast_2d(model.b), fmt="%.17g")
