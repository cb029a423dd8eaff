"""Real recordings through `percept encode` and through himalaya, SciPy and statsmodels, number by number.

    python encode.py PERCEPT EXAMPLES DATA DIR [haxby] [stories] [miyawaki]

PERCEPT is the program, EXAMPLES the folder of examples of this repository, DATA the folder with `fmri_haxby2001_pymvpa`,
`fmri_stories_uts03` and `fmri_miyawaki28`, DIR a folder for what is made. Features, delays, drifts and folds are computed here from
the recordings themselves; of percept's run only the order of samples in its permutations and the hashed counts of words are
taken. Ridge is himalaya's, but of joint models and of the wide spaces of the stories, which are fitted from sums in NumPy. Prints one
table: the largest difference of r, R², p and q over all units and spaces; and of the unique parts of spaces that are fitted together by one
ridge (in a second run, where the example asks for banded ridge). Versions as in ridge.py, and statsmodels 0.15, nibabel 5, pyarrow 26.
"""

import json
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pyarrow.parquet as parquet
from himalaya.ridge import RidgeCV
from safetensors.numpy import load_file
from scipy.io import loadmat
from scipy.ndimage import median_filter
from scipy.stats import t as student
from sklearn.model_selection import PredefinedSplit
from statsmodels.stats.multitest import multipletests


def delayed(x, run, delays):
    """Copies of the columns at each delay; zeros where a delay leaves the run."""
    out = np.zeros((len(x), len(delays) * x.shape[1]))
    for position, delay in enumerate(delays):
        for number in np.unique(run):
            rows = np.flatnonzero(run == number)
            columns = slice(position * x.shape[1], (position + 1) * x.shape[1])
            out[rows[delay:], columns] = x[rows[: len(rows) - delay]]
    return out


def held_out(x, y, group, fold, alphas):
    """Predictions of each fold by a ridge with one penalty per unit, chosen by leaving out one group of the training side."""
    predicted = np.zeros(y.shape)
    for number in np.unique(fold):
        train, test = fold != number, fold == number
        scale = x[train].std(0)
        scale[scale == 0] = 1
        z = (x - x[train].mean(0)) / scale
        inner = np.unique(group[train], return_inverse=True)[1]
        model = RidgeCV(alphas=alphas, fit_intercept=True, cv=PredefinedSplit(inner))
        predicted[test] = model.fit(z[train], y[train]).predict(z[test])
    return predicted


def held_out_by_sums(x, y, group, fold, alphas):
    """The same from sums of each group and normal equations: himalaya would decompose every fold of many columns anew."""
    labels = np.unique(group)
    fold_of = np.array([fold[group == label][0] for label in labels])
    ones = np.ones(len(x))
    parts = {}
    for label in labels:
        own = np.column_stack([ones, x, y])[group == label]
        parts[label] = own.T @ own
    p = x.shape[1]

    def fits(wanted, scale):
        """Weights and levels of standardised features for every penalty, from the groups `wanted`."""
        sums = sum(parts[label] for label in wanted)
        n, mean = sums[0, 0], sums[0, 1:] / sums[0, 0]
        square = sums[1:, 1:] - n * np.outer(mean, mean)
        values, vectors = np.linalg.eigh(square[:p, :p] / np.outer(scale, scale))
        projected = vectors.T @ (square[:p, p:] / scale[:, None])
        for alpha in alphas:
            b = vectors @ (projected / (values + alpha)[:, None]) / scale[:, None]
            yield b, mean[p:] - mean[:p] @ b

    predicted = np.zeros(y.shape)
    for number in np.unique(fold):
        trained = labels[fold_of != number]
        scale = x[fold != number].std(0)
        scale[scale == 0] = 1
        error = np.zeros((len(alphas), y.shape[1]))
        for left_out in trained:
            inner = group == left_out
            for k, (b, level) in enumerate(fits(trained[trained != left_out], scale)):
                error[k] += ((y[inner] - x[inner] @ b - level) ** 2).mean(0) / len(trained)
        best = error.argmin(0)
        for k, (b, level) in enumerate(fits(trained, scale)):
            chosen = best == k
            predicted[np.ix_(fold == number, chosen)] = x[fold == number] @ b[:, chosen] + level[chosen]
    return predicted


def unique_parts(features, predict, score):
    """Scores of all spaces less those without one: R² and r."""
    whole = score(predict(np.hstack(list(features.values()))))
    for name in features:
        others = [x for other, x in features.items() if other != name]
        without = score(predict(np.hstack(others)))
        yield name, {f"unique_{quantity}": whole[quantity] - without[quantity] for quantity in ("r2", "r")}


def centred(values, fold):
    out = values.astype(float).copy()
    for number in np.unique(fold):
        out[fold == number] -= out[fold == number].mean(0)
    return out


def correlation(p, y):
    p, y = p - p.mean(0), y - y.mean(0)
    return (p * y).sum(0) / np.sqrt((p**2).sum(0) * (y**2).sum(0))


def scores(predicted, y, fold, level, orders=None):
    """r, R², p and q of every unit; `level` is the mean of what each item's fold was fitted on."""
    p_c, y_c = centred(predicted, fold), centred(y, fold)
    r = correlation(p_c, y_c)
    r2 = 1 - ((y - predicted) ** 2).sum(0) / ((y - level) ** 2).sum(0)
    if orders is None:
        n = len(y) + 1 - len(np.unique(fold))
        p = student.sf(r * np.sqrt((n - 2) / (1 - r**2)), n - 2)
    else:
        extreme = sum(correlation(p_c, y_c[order]) >= r for order in orders)
        p = (1 + extreme) / (1 + len(orders))
    return {"r": r, "r2": r2, "p": p, "q": multipletests(p, 0.05, "fdr_bh")[1]}


def haxby(data, run):
    image = nibabel.load(data / "fmri_haxby2001_pymvpa/bold.nii.gz")
    bold = image.get_fdata().reshape(-1, image.shape[-1], order="F").T
    bold = bold[:, bold.std(0) > 0]
    rows = [line.split() for line in (data / "fmri_haxby2001_pymvpa/attributes_literal.txt").read_text().splitlines()]
    label, chunk = np.array([row[0] for row in rows]), np.array([int(row[1]) for row in rows])
    y = np.zeros(bold.shape, np.float32)
    for number in np.unique(chunk):
        part = bold[chunk == number]
        # percept keeps what each step gives in f32.
        part = (part - median_filter(part, (48, 1), mode="reflect")).astype(np.float32).astype(float)
        y[chunk == number] = (part - part.mean(0)) / part.std(0)
    y = y.astype(float)
    names = sorted(set(label) - {"rest"})
    x = np.stack([label == name for name in names], 1).astype(float)
    orders = np.load(run / "permutations.npy")
    alphas = 10.0 ** np.arange(8)
    spaces = {"category": x, "faces": x[:, [names.index("face")]], "houses": x[:, [names.index("house")]]}
    for name, features in spaces.items():
        predicted = held_out(delayed(features, chunk, [1, 2, 3, 4]), y, chunk, chunk, alphas)
        yield name, scores(predicted, y, chunk, 0, orders)
    together = {name: delayed(spaces[name], chunk, [1, 2, 3, 4]) for name in ("faces", "houses")}
    yield from unique_parts(
        together, lambda x: held_out_by_sums(x, y, chunk, chunk, alphas), lambda p: scores(p, y, chunk, 0, orders)
    )


def stories(data, run):
    folder = data / "fmri_stories_uts03"
    brain, answers, texts, title = [], [], [], []
    for prefix, own in [("train__", "trainlab__"), ("test__", "testlab__")]:
        for path in sorted(folder.glob(f"{prefix}*.npy")):
            brain.append(np.load(path)[:, :100].astype(float))
            answers.append(np.load(folder / path.name.replace(prefix, own)).astype(float))
            texts += json.loads(path.with_suffix("").with_suffix(".texts.json").read_text())
            title.append(np.full(len(brain[-1]), len(title)))
    y = np.concatenate([((b - b.mean(0)) / b.std(0)).astype(np.float32) for b in brain]).astype(float)
    title = np.concatenate(title)
    words = ["".join(c if c.isalnum() or c == "'" else " " for c in text).split() for text in texts]
    rate = np.array([[len(own), sum(c.isalnum() for c in text)] for own, text in zip(words, texts)], float)
    counts = load_file(run / "features/words.0000.safetensors")["values"].astype(float)
    orders = np.load(run / "permutations.npy")
    spaces = {"rate": rate, "words": counts, "questions": np.concatenate(answers)}
    spaces = {name: delayed(features, title, [1, 2, 3, 4]) for name, features in spaces.items()}
    alphas = 10.0 ** np.arange(1, 7)
    for name, x in spaces.items():
        fit = held_out if name == "rate" else held_out_by_sums
        yield name, scores(fit(x, y, title, title, alphas), y, title, 0, orders)
    yield from unique_parts(
        spaces, lambda x: held_out_by_sums(x, y, title, title, alphas), lambda p: scores(p, y, title, 0, orders)
    )


def miyawaki(data, run):
    mat = loadmat(data / "fmri_miyawaki28/miyawaki_structured_28x28.mat")
    y = np.concatenate([mat["fmriTrn"], mat["fmriTest"]]).astype(np.float32).astype(float)
    shown = np.concatenate([mat["stimTrn"], mat["stimTest"]])
    shown = shown.reshape(-1, 28, 28).transpose(0, 2, 1).reshape(-1, 784)
    levels = np.round(shown * 255)
    _, first, stimulus = np.unique(levels, axis=0, return_index=True, return_inverse=True)
    # Stimuli are numbered in the order in which they first appear.
    stimulus = np.argsort(np.argsort(first))[stimulus.ravel()]
    fold = stimulus * 5 // 20
    gabor = load_file(run / "features/gabor.0000.safetensors")["values"].astype(float)[stimulus]
    spaces = {"gabor": gabor, "pixels": levels / 255}
    alphas = np.array([1, 10, 100, 1000, 1e4, 1e5, 1e6])
    mean = lambda values: np.array([values[stimulus == s].mean(0) for s in range(20)])
    folds = np.arange(20) * 5 // 20
    level = np.array([y[fold != f].mean(0) for f in folds])
    score = lambda predicted: scores(mean(predicted), mean(y), folds, level)
    for name, x in spaces.items():
        yield name, score(held_out(x, y, stimulus, fold, alphas))
    yield from unique_parts(spaces, lambda x: held_out_by_sums(x, y, stimulus, fold, alphas), score)


if __name__ == "__main__":
    percept, examples, data, out = sys.argv[1], *map(Path, sys.argv[2:5])
    wanted = sys.argv[5:] or ["haxby", "stories", "miyawaki"]
    print("| recording | space | units | mean | largest difference |\n|---|---|---|---|---|")
    checks = {"haxby": (haxby, "haxby"), "stories": (stories, "stories"), "miyawaki": (miyawaki, "miyawaki_encoding")}
    for name in wanted:
        check, example = checks[name]
        more = [] if name == "miyawaki" else ["--set", "statistics.permutations=99"]
        where = {
            "haxby": ["responses=fmri_haxby2001_pymvpa/bold.nii.gz", "attributes=fmri_haxby2001_pymvpa/attributes_literal.txt"],
            "stories": ["root=fmri_stories_uts03", "label_names=fmri_stories_uts03/label_questions.json"],
            "miyawaki": [
                f"{key}=fmri_miyawaki28/miyawaki_structured_28x28.mat:{variable}"
                for key, variable in [("responses", "fmriTrn"), ("stimuli", "stimTrn"), ("test_responses", "fmriTest"), ("test_stimuli", "stimTest")]
            ],
        }[name]
        for assignment in where:
            key, path = assignment.split("=", 1)
            more += ["--set", f"data.{key}={data.resolve()}/{path}"]
        run, ridge = out / name, out / (name if name == "stories" else f"{name}_ridge")
        subprocess.run([percept, "encode", examples / f"{example}.toml", "--out", run, *more], check=True)
        if ridge != run:
            more += ["--set", "encode.model=ridge"]
            subprocess.run([percept, "encode", examples / f"{example}.toml", "--out", ridge, *more], check=True)
        alone, together = [parquet.read_table(folder / "units.parquet") for folder in (run, ridge)]
        for space, found in check(data, run):
            for quantity, values in found.items():
                table = together if quantity.startswith("unique") else alone
                ours = table[f"{quantity}:{space}"].to_numpy()
                worst = np.nanmax(np.abs(ours - values))
                print(f"| {name} | {quantity}:{space} | {len(values)} | {np.mean(values):.4f} | {worst:.1e} |", flush=True)
