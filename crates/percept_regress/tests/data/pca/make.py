"""Golden values of principal components; see README.md. Run: python make.py"""
import numpy as np
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

rng = np.random.default_rng(5)
for name, n, p in [("tall", 30, 8), ("wide", 12, 25)]:
    x = rng.normal(size=(n + 3, p)) * np.logspace(0.5, -1, p) + rng.normal(size=p) * 4
    x, x_new = x[:n], x[n:]
    pca = PCA(n_components=4, svd_solver="full").fit(x)
    scaler = StandardScaler().fit(x)
    standard = PCA(n_components=3, svd_solver="full").fit(scaler.transform(x))
    for what, table in dict(
        x=x,
        x_new=x_new,
        components=pca.components_,
        variance=pca.explained_variance_,
        share=pca.explained_variance_ratio_,
        transformed=pca.transform(x_new),
        standardized=standard.transform(scaler.transform(x_new)),
    ).items():
        np.savetxt(f"{name}_{what}.txt", np.atleast_2d(table), fmt="%.17g")
