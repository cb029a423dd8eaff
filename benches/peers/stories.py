"""Real recordings: encoding and decoding of stories, leave one story out, by percept, himalaya and scikit-learn.

    python stories.py PERCEPT STORIES DIR

PERCEPT is the program, STORIES the folder of stories (`train__*.npy`: n-grams × 200 components, `trainlab__*.npy`: 86 labels),
DIR a folder for what is made. Prints one table. Versions as in ridge.py.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from himalaya.ridge import RidgeCV
from himalaya.scoring import r2_score
from safetensors.numpy import load_file
from sklearn.linear_model import Ridge
from sklearn.model_selection import PredefinedSplit

ALPHAS = np.logspace(0, 5, 6)


def stories(folder):
    """Labels and number of words of each n-gram, components, story."""
    brain, label, story = [], [], []
    for number, path in enumerate(sorted(folder.glob("train__*.npy"))):
        brain.append(np.load(path))
        texts = json.loads(path.with_suffix("").with_suffix(".texts.json").read_text())
        words = np.array([[len(text.split()), len(text)] for text in texts])
        label.append(np.hstack([np.load(str(path).replace("train__", "trainlab__")), words]).astype(np.float32))
        story.append(np.full(len(brain[-1]), number))
    return np.vstack(label), np.vstack(brain), np.concatenate(story)


def sklearn(x, y, story):
    """One penalty per target by the mean R² over stories, then a fit on all."""
    scores = np.zeros((len(ALPHAS), y.shape[1]))
    for held_out in np.unique(story):
        train, test = story != held_out, story == held_out
        for row, alpha in enumerate(ALPHAS):
            p = Ridge(alpha=alpha).fit(x[train], y[train]).predict(x[test])
            scores[row] += 1 - ((y[test] - p) ** 2).sum(0) / ((y[test] - y[test].mean(0)) ** 2).sum(0)
    scores /= len(np.unique(story))
    alpha = ALPHAS[scores.argmax(0)]
    return alpha, scores.max(0), Ridge(alpha=alpha).fit(x, y).coef_.T


if __name__ == "__main__":
    percept, folder, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    out.mkdir(parents=True, exist_ok=True)
    label, brain, story = stories(folder)
    np.save(out / "story.npy", story)
    print("| | targets | alpha equal: himalaya, scikit-learn | mean R²: ours, himalaya, scikit-learn | largest difference of R², of coefficients (relative) |")
    print("|---|---|---|---|---|")
    # Labels that occur in every story: R² of a story is not defined where nothing varies.
    varies = np.all([label[story == s].std(0) > 0 for s in np.unique(story)], axis=0)
    for name, x, y in [("encoding", label, brain), ("decoding", brain, label[:, varies])]:
        np.save(out / "x.npy", x), np.save(out / "y.npy", y)
        command = f"{percept} fit --x {out}/x.npy --y {out}/y.npy --groups {out}/story.npy --alphas 1:1e5:6"
        command += f" --mean-over-folds --out {out}/{name}"
        subprocess.run(command.split(), check=True, capture_output=True)
        ours = load_file(out / name / "model.safetensors")
        solver = dict(score_func=r2_score)
        h = RidgeCV(alphas=ALPHAS, fit_intercept=True, cv=PredefinedSplit(story), solver_params=solver)
        h.fit(x.astype(np.float64), y.astype(np.float64))
        alpha, score, coef = sklearn(x.astype(np.float64), y.astype(np.float64), story)
        same = [np.isclose(ours["alpha"], other).mean() for other in (h.best_alphas_, alpha)]
        r2 = np.array([ours["cv_score"], h.cv_scores_.ravel(), score])
        error = max(np.abs(r2[0] - other).max() for other in r2[1:])
        weights = max(
            (np.linalg.norm(ours["weights"] - other, axis=0) / np.linalg.norm(other, axis=0)).max()
            for other in (h.coef_, coef)
        )
        print(f"| {name}, {x.shape[1]} features | {y.shape[1]} | {same[0]:.1%}, {same[1]:.1%} | "
              f"{r2[0].mean():.5f}, {r2[1].mean():.5f}, {r2[2].mean():.5f} | {error:.1e}, {weights:.1e} |", flush=True)
