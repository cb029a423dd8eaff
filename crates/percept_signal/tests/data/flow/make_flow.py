"""The flow between two pictures of a textured disc that moves over a moving texture, by scikit-image and OpenCV.

Writes `golden.json`: for each program the mean and the median length of its errors within a margin of 8 pixels, and its mean flow (to the
right, downwards) well within the disc and well outside, there. The test draws the same pictures from the same formulas.

    python make_flow.py
"""

import json

import cv2
import numpy as np
import skimage
from skimage.registration import optical_flow_ilk

SIDE = 64
DISC, BACK = (2.0, -1.0), (-1.0, 0.5)
y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float64)


def ground(right, down):
    u, v = x - right, y - down
    return 0.45 + 0.12 * np.sin(0.5 * u + 0.3 * v) + 0.12 * np.cos(0.6 * v - 0.2 * u)


def disc(right, down):
    u, v = x - right, y - down
    inside = 1 / (1 + np.exp((np.hypot(u - 30, v - 34) - 14) * 1.5))
    return inside, 0.55 + 0.2 * np.sin(0.7 * u) * np.cos(0.6 * v) + 0.1 * np.cos(0.9 * u + 0.5 * v)


def picture(t):
    share, texture = disc(DISC[0] * t, DISC[1] * t)
    return ground(BACK[0] * t, BACK[1] * t) * (1 - share) + texture * share


a, b = picture(0).astype(np.float32), picture(1).astype(np.float32)
share = disc(0, 0)[0] > 0.5
truth = np.stack([np.where(share, DISC[i], BACK[i]) for i in range(2)]).astype(np.float32)
# scikit-image gives rows first, and where pixels of the first picture are in the second.
down, right = optical_flow_ilk(a, b, radius=5)
far = cv2.calcOpticalFlowFarneback(
    (a * 255).astype(np.uint8), (b * 255).astype(np.uint8), None, 0.5, 3, 11, 5, 5, 1.1, 0)
inner = np.s_[:, 8:56, 8:56]
away = np.hypot(x - 30, y - 34)[inner[1:]]
golden = {}
for name, flow in [("scikit-image", np.stack([right, down])), ("OpenCV", np.moveaxis(far, 2, 0))]:
    error = np.sqrt(((flow - truth)[inner] ** 2).sum(0))
    golden[name] = {
        "mean": round(float(error.mean()), 4),
        "median": round(float(np.median(error)), 4),
        "disc": [round(float(part[away < 8].mean()), 4) for part in flow[inner]],
        "ground": [round(float(part[away > 20].mean()), 4) for part in flow[inner]],
    }
with open("golden.json", "w") as file:
    json.dump(golden, file, separators=(",", ":"))
    file.write("\n")
print("numpy", np.__version__, "scikit-image", skimage.__version__, "OpenCV", cv2.__version__)
