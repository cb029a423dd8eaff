"""Makes `mel.npz`: short sounds, and what librosa, torchaudio and transformers make of them.

    python make.py            # the versions it was last run with are in README.md
"""

from pathlib import Path

import librosa
import numpy as np
import torch

torch.version.cuda = None  # read by torchaudio's check of its CUDA version alone

import torchaudio
from transformers import ClapFeatureExtractor, SeamlessM4TFeatureExtractor

HERE = Path(__file__).resolve().parent


def sound(rate, seconds, seed):
    """A chord that glides, with noise, in f32."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(rate * seconds)) / rate
    tones = sum(a * np.sin(2 * np.pi * (f * t + 300 * t**2)) for f, a in [(220, 0.3), (1310, 0.2), (3970, 0.1)])
    return (tones + 0.05 * rng.standard_normal(len(t))).astype(np.float32)


def main():
    low, high = sound(16_000, 0.23, 1), sound(48_000, 0.06, 2)
    out = {"sound16": low, "sound48": high}
    out["librosa"] = librosa.feature.melspectrogram(y=low, sr=16_000).T
    out["librosa_db"] = librosa.power_to_db(librosa.feature.melspectrogram(y=low, sr=16_000), top_db=80.0).T
    out["librosa_magnitude"] = librosa.feature.melspectrogram(
        y=low, sr=16_000, n_fft=1024, hop_length=160, n_mels=64, fmin=0, fmax=8000, power=1.0
    ).T
    out["torchaudio"] = torchaudio.transforms.MelSpectrogram(16_000)(torch.tensor(low)).T.numpy()
    clap = ClapFeatureExtractor()
    out["clap_fusion"] = clap._np_extract_fbank_features(high, clap.mel_filters)
    out["clap_rand_trunc"] = clap._np_extract_fbank_features(high, clap.mel_filters_slaney)
    seamless = SeamlessM4TFeatureExtractor()
    out["seamless"] = seamless._extract_fbank_features(low)
    stacked = seamless(low, sampling_rate=16_000, return_tensors="np").input_features[0]
    out["seamless_stacked"] = stacked
    best = dict(lowpass_filter_width=64, rolloff=0.9475937167399596, resampling_method="sinc_interp_kaiser", beta=14.769656459379492)
    short = low[:900]
    out["sound_short"] = short
    x = torch.tensor(short).double()
    for name, a, b in [("up", 16_000, 22_050), ("down", 48_000, 16_000), ("odd", 44_100, 48_000)]:
        out[f"kaiser_{name}"] = torchaudio.functional.resample(x, a, b, **best).float().numpy()
        out[f"hann_{name}"] = torchaudio.functional.resample(x, a, b).float().numpy()
    np.savez_compressed(HERE / "mel.npz", **{k: np.ascontiguousarray(v, dtype=np.float32) for k, v in out.items()})


main()
