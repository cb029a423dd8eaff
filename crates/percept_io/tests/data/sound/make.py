"""Makes the sound files of this folder by libsndfile (soundfile), and `values.npz`: what it reads back from them.

    python make.py            # the versions it was last run with are in README.md
"""

from pathlib import Path

import numpy as np
import soundfile

HERE = Path(__file__).resolve().parent
SECONDS = 0.08


def sound(rate, channels, seed):
    rng = np.random.default_rng(seed)
    t = np.arange(int(rate * SECONDS)) / rate
    tones = [0.4 * np.sin(2 * np.pi * f * t) for f in [440, 663][:channels]]
    return np.stack(tones, axis=1) + 0.002 * rng.standard_normal((len(t), channels))


def main():
    cases = [
        ("stereo_16.wav", 8000, 2, "WAV", "PCM_16"),
        ("mono_24.wav", 8000, 1, "WAV", "PCM_24"),
        ("mono_8.wav", 8000, 1, "WAV", "PCM_U8"),
        ("stereo_float.wav", 8000, 2, "WAV", "FLOAT"),
        ("extensible_32.wav", 8000, 1, "WAVEX", "PCM_32"),
        ("stereo_16.flac", 16000, 2, "FLAC", "PCM_16"),
        ("mono_24.flac", 8000, 1, "FLAC", "PCM_24"),
        ("stereo.mp3", 44100, 2, "MP3", "MPEG_LAYER_III"),
        ("mono_8k.mp3", 8000, 1, "MP3", "MPEG_LAYER_III"),
        ("stereo.ogg", 22050, 2, "OGG", "VORBIS"),
    ]
    values = {}
    for i, (name, rate, channels, kind, coding) in enumerate(cases):
        soundfile.write(HERE / name, sound(rate, channels, i), rate, format=kind, subtype=coding)
        read, back = soundfile.read(HERE / name, dtype="float32", always_2d=True)
        assert back == rate
        values[name] = read.T
    np.savez_compressed(HERE / "values.npz", **values)


main()
