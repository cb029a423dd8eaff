"""Makes the pictures of this folder with Pillow 13.0.0 and NumPy 2.4.6 (blake3 1.0.11 for the hashes).

    python make.py [SHARED_DATA]

`*.rgb` are the pixels that Pillow decodes, rows of RGB. With SHARED_DATA, the folder of real photographs, `photos.json` is
made too: the sizes and hashes of the pixels that Pillow decodes from them.
"""

import json
import sys
from pathlib import Path

import blake3
import numpy as np
from PIL import Image

HERE = Path(__file__).parent
HEIGHT, WIDTH = 24, 37


def main():
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    smooth = np.stack([x * 255 / (WIDTH - 1), y * 255 / (HEIGHT - 1), 128 + 100 * np.sin(x / 5) * np.cos(y / 4)], -1)
    rgb = Image.fromarray(np.clip(smooth + rng.normal(0, 3, smooth.shape), 0, 255).astype("u1"))
    alpha = rgb.copy()
    alpha.putalpha(Image.fromarray((x * 6).astype("u1")))
    deep = Image.fromarray((x * 1000 + y * 700).astype("u2"))
    pictures = {
        "rgb.png": (rgb, {}),
        "grey.png": (rgb.convert("L"), {}),
        "palette.png": (rgb.quantize(16), {}),
        "alpha.png": (alpha, {}),
        "bits.png": (rgb.convert("1"), {}),
        "deep.png": (deep, {}),
        "plain.jpg": (rgb, {"quality": 90, "subsampling": 0}),
        "halved.jpg": (rgb, {"quality": 90, "subsampling": 2}),
        "progressive.jpg": (rgb, {"quality": 90, "subsampling": 0, "progressive": True}),
        "grey.jpg": (rgb.convert("L"), {"quality": 90}),
        "restarts.jpg": (rgb, {"quality": 90, "subsampling": 0, "restart_marker_rows": 1}),
    }
    for name, (picture, options) in pictures.items():
        picture.save(HERE / name, **options)
        pixels = Image.open(HERE / name)
        if name == "deep.png":
            # The upper byte, rounded as ours is: 65535 → 255.
            wide = np.asarray(pixels).astype("u4")
            pixels = np.repeat(((wide + 128) // 257).astype("u1")[..., None], 3, axis=2)
        else:
            pixels = np.asarray(pixels.convert("RGB"))
        (HERE / name).with_suffix((HERE / name).suffix + ".rgb").write_bytes(pixels.tobytes())
    if len(sys.argv) > 1:
        rows = []
        for path in sorted((Path(sys.argv[1]) / "images_gb82").glob("*.png")):
            pixels = np.asarray(Image.open(path).convert("RGB"))
            rows.append({"name": path.name, "shape": pixels.shape, "blake3": blake3.blake3(pixels.tobytes()).hexdigest()})
        lines = ",\n".join(json.dumps(row) for row in rows)
        (HERE / "photos.json").write_text(f"[\n{lines}\n]\n")
        print(f"{len(rows)} photographs")


main()
