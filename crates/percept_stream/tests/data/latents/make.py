"""The published formula in NumPy, on numbers that the test makes for itself: every eighth value of three latents.

With a recording as argument (channels x samples, .npy) and a file of latents that the example `dump_latents` wrote, compares
all of them instead and prints the largest difference.
"""
import pathlib
import sys

import numpy as np
import scipy.signal


def latent(window):
    z = window.astype(np.float64).ravel()
    z = (z - z.mean()) / z.std()
    np.random.seed(34)
    np.random.shuffle(z)
    return z


def paper(window):
    return scipy.signal.resample_poly(window, 512, len(window), axis=0, padtype="line")


if len(sys.argv) > 1:
    lfp = np.load(sys.argv[1]).astype(np.float64).T * float(sys.argv[4])
    ours = np.load(sys.argv[2])
    rate, preset = 250, sys.argv[3]
    worst = 0.0
    for k in range(0, len(ours), max(1, len(ours) // 200)):
        n = 250 if preset == "paper" else 512
        end = n + int(np.floor(k * rate / 30))
        window = lfp[end - n : end]
        worst = max(worst, np.abs(latent(paper(window) if preset == "paper" else window) - ours[k]).max())
    print(f"{preset}: {len(ours)} latents, largest difference {worst:.2e}")
    sys.exit()

i, j = np.mgrid[0:600, 0:32]
x = (i * 7919 + j * 104729 + (i * j) % 97 * 31) % 2003 / 7.0 + j * 3.0
rows = [latent(x[:512]), latent(paper(x[:250])), latent(paper(x[8 : 8 + 250]))]
np.save(pathlib.Path(__file__).with_name("golden.npy"), np.stack(rows)[:, ::8])
print(np.__version__, scipy.__version__)
