"""Makes the films of this folder and what other programs read of them. Run in this folder; needs ffmpeg, numpy, Pillow."""

import io
import json
import subprocess
from pathlib import Path

import numpy as np
from PIL import Image

W, H = 24, 18
values = {}


def scene(number, mode):
    """A square that wanders over a ramp."""
    y, x = np.mgrid[0:H, 0:W]
    rgba = np.stack([10 * x, 13 * y, 255 - 9 * x, np.full_like(x, 255)], -1).astype(np.uint8)
    if mode == "RGBA":
        # What Pillow shows of half opacity over a film is not what the specification says, so here it is all or nothing.
        rgba[(x < 4 * number) | (x > 4 * number + 8)] = 0
    rgba[3 + number : 8 + number, 2 + 3 * number : 7 + 3 * number] = [250, 30 * number, 20, 255]
    return Image.fromarray(rgba, "RGBA").convert(mode)


def shown(name):
    """What Pillow shows, on black, and for how long."""
    frames, delays = [], []
    with Image.open(name) as film:
        first = 1 if film.default_image else 0
        for number in range(first, film.n_frames):
            film.seek(number)
            rgba = np.asarray(film.convert("RGBA")).astype(np.int64)
            frames.append(((rgba[..., :3] * rgba[..., 3:] + 127) // 255).astype(np.uint8))
            delays.append(film.info["duration"] / 1000)
    return np.stack(frames), delays


expected = {}


def animated(name, mode, **options):
    pictures = [scene(number, mode) for number in range(5)]
    pictures[0].save(name, save_all=True, append_images=pictures[1:], **options)
    values[name], expected[name] = shown(name)


animated("plain.png", "RGB", duration=125, loop=0)
animated("grey.png", "L", duration=[100, 200, 50, 100, 250])
animated("palette.png", "P", duration=40)
animated("layers.png", "RGBA", duration=80, disposal=[0, 1, 2, 0, 1], blend=[0, 1, 1, 0, 1])
animated("cover.png", "RGBA", duration=80, default_image=True, disposal=2, blend=1)


def run(*arguments):
    return subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments], check=True, capture_output=True).stdout


# Half opacity over an opaque frame, as ffmpeg shows it.
pictures = [scene(number, "RGBA") for number in range(5)]
pictures[0] = scene(0, "RGB").convert("RGBA")
for number in range(1, 5):
    pictures[number].putalpha(Image.fromarray((40 * ((np.mgrid[0:H, 0:W].sum(0) + number) % 7)).astype(np.uint8)))
pictures[0].save("mixed.png", save_all=True, append_images=pictures[1:], duration=80, blend=[0, 1, 1, 1, 1])
# Pillow lets the first frame lie over a cover that is no part of the film; the specification does not.
expected["mixed.png"] = [0.08] * 5
for name in ["mixed.png", "cover.png"]:
    raw = run("-f", "apng", "-i", name, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgba", "-")
    rgba = np.frombuffer(raw, np.uint8).reshape(-1, H, W, 4).astype(np.int64)
    values[name] = ((rgba[..., :3] * rgba[..., 3:] + 127) // 255).astype(np.uint8)

TEST = ["-f", "lavfi", "-i", "testsrc=size=48x32:rate=10:duration=1"]
TONE = ["-f", "lavfi", "-i", "sine=frequency=440:duration=1:sample_rate=8000"]
EXACT = ["-fflags", "+bitexact", "-flags:v", "+bitexact", "-map_metadata", "-1"]

# AVI of JPEG files with sound between the frames.
run(*TEST, *TONE, "-c:v", "mjpeg", "-huffman", "default", "-q:v", "3", "-c:a", "pcm_u8", *EXACT, "sound.avi")
jpegs = run("-i", "sound.avi", "-c:v", "copy", "-f", "image2pipe", "-")
parts = [b"\xff\xd8" + part for part in jpegs.split(b"\xff\xd8")[1:]]
values["sound.avi"] = np.stack([np.asarray(Image.open(io.BytesIO(part)).convert("RGB")) for part in parts])

# H.264 with frames that are not stored in the order in which they are shown, and not equally long.
run(*TEST, "-vf", "select='not(eq(mod(n,4),3))'", "-fps_mode", "vfr", "-c:v", "libx264", "-bf", "3", "-crf", "12",
    "-pix_fmt", "yuv444p", *EXACT, "vary.mp4")
raw = run("-i", "vary.mp4", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
values["vary.mp4"] = np.frombuffer(raw, np.uint8).reshape(-1, 32, 48, 3)
answer = subprocess.run(
    ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "frame=best_effort_timestamp_time", "-of",
     "csv=p=0", "vary.mp4"], check=True, capture_output=True, text=True).stdout
expected["vary.mp4"] = [float(line.strip(",")) for line in answer.split()]

# The same as MPEG-4 in AVI: not JPEG, so not for the own parser.
run(*TEST, "-c:v", "mpeg4", "-q:v", "2", *EXACT, "other.avi")

np.savez_compressed("values.npz", **values)
Path("expected.json").write_text(json.dumps(expected) + "\n")
