"""Values of SciPy's and MNE's filters, resampling and spectra: writes golden.json beside it."""
import json
import pathlib

import mne
import numpy as np
import scipy
import scipy.signal as s
import scipy.stats

mne.set_log_level("ERROR")
rng = np.random.default_rng(7)
rate = 250.0
x = np.round(rng.standard_normal((80, 2)).cumsum(0) + [50, -3] + rng.standard_normal((80, 2)), 4)

designs = {
    "low4": (4, "lowpass", [40.0]),
    "low5": (5, "lowpass", [7.5]),
    "high3": (3, "highpass", [1.0]),
    "high2": (2, "highpass", [0.5]),
    "pass4": (4, "bandpass", [6.0, 10.0]),
    "pass3": (3, "bandpass", [1.0, 100.0]),
    "stop2": (2, "bandstop", [48.0, 52.0]),
}


def table(a):
    return [float(f"{v:.11g}") for v in np.asarray(a, float).ravel()]


filters = {}
for name, (order, kind, edges) in designs.items():
    sos = s.butter(order, edges if len(edges) > 1 else edges[0], kind, fs=rate, output="sos")
    filters[name] = {
        "order": order,
        "kind": kind,
        "edges": edges,
        "forward": table(s.sosfilt(sos, x, axis=0)),
        "steady": table(np.stack([s.sosfilt(sos, c, zi=s.sosfilt_zi(sos) * c[0])[0] for c in x.T], 1)),
        "both": table(s.sosfiltfilt(sos, x, axis=0)),
    }
b, a = s.iirnotch(50.0, 25.0, fs=rate)
params = dict(order=4, ftype="butter", output="sos")
mne_forward = mne.filter.filter_data(x.T, rate, 6.0, 10.0, method="iir", iir_params=params, phase="forward").T
whitened = np.linalg.solve(
    np.linalg.cholesky(np.cov(x.T, bias=True) + 0.1 * np.trace(np.cov(x.T, bias=True)) / 2 * np.eye(2)),
    (x - x.mean(0)).T,
).T
ties = np.round(x[:50, 0])
f, p = s.welch(x[:, 0], rate, nperseg=32)
golden = {
    "rate": rate,
    "x": table(x),
    "filters": filters,
    "notch": table(s.lfilter(b, a, x, axis=0)),
    "mne_forward": table(mne_forward),
    "resampled": {
        f"{up}/{down}": table(s.resample_poly(x, up, down, axis=0, padtype="line"))
        for up, down in [(256, 125), (16, 125), (1, 4), (3, 2)]
    },
    "welch": table(p),
    "whitened": table(whitened),
    "ranks": table(scipy.stats.norm.ppf((scipy.stats.rankdata(ties) - 0.5) / len(ties))),
    "quantiles": table(scipy.special.ndtri([1e-9, 1e-5, 0.01, 0.07, 0.2, 0.5, 0.9, 0.999, 1 - 1e-7])),
}
pathlib.Path(__file__).with_name("golden.json").write_text(json.dumps(golden))
print(scipy.__version__, mne.__version__, np.__version__)
