"""Writes the MAT fixtures and `expected.json`.

Made with SciPy 1.17.1, NumPy 2.4.6 and (for `real.json`) blake3 1.0.11:  python make.py [folder with real recordings]

With a folder (the one whose README lists `fmri_miyawaki28`), also writes `real.json`: for each numeric variable of the real
files its shape, three numbers and the BLAKE3 of its values (C order, f64, little-endian); nothing of the data themselves.
"""

import json
import pathlib
import struct
import sys

import numpy as np
from scipy.io import loadmat, savemat

HERE = pathlib.Path(__file__).parent
rng = np.random.default_rng(0)
expected = {}

numbers = {}
for dtype in ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]:
    if dtype[0] == "f":
        numbers[dtype] = np.round(rng.standard_normal((3, 4)) * 50, 2).astype(dtype)
    else:
        numbers[dtype] = rng.integers(0, 100, (3, 4)).astype(dtype)
numbers["cube"] = np.arange(24.0).reshape(2, 3, 4)
numbers["scalar"] = np.array([[2.5]])
numbers["small_i2"] = np.array([[7, -8]], "i2")  # fits into a small element
numbers["nothing"] = np.zeros((0, 3))
numbers["with_nan"] = np.array([[1.0, np.nan, np.inf]])
numbers["flag"] = np.array([[True, False]])

runs = np.empty((1, 3), object)
runs[0, :] = [np.array([[1, 2]], "u1"), "second", np.array([[3.5]])]
nested = {
    "words": "Straße",
    "latin": "plain",
    "rows": np.array(["ab ", "cde"]),
    "runs": runs,
    "design": {"subject": np.array([[3]], "u1"), "inner": {"deep": np.arange(3.0)}, "name": "nsd"},
    "people": np.array([[(1.0, "a"), (2.0, "bc")]], dtype=[("num", object), ("tag", object)]),
}
for file, compressed in [("plain", False), ("packed", True)]:
    savemat(HERE / f"{file}.mat", {**numbers, **nested}, do_compression=compressed, oned_as="row")
for name, array in numbers.items():
    values = [None if np.isnan(v) else ("inf" if np.isinf(v) else float(v)) for v in array.ravel().astype("f8")]
    expected[name] = {"shape": list(array.shape), "values": values}

# What MATLAB does and SciPy does not: doubles stored in the smallest integer type; both byte orders; odd kinds.


def element(order, kind, data):
    return struct.pack(order + "II", kind, len(data)) + data + b"\0" * (-len(data) % 8)


def small(order, kind, data):
    return struct.pack(order + "I", len(data) << 16 | kind) + data.ljust(4, b"\0")


def matrix(order, flags, dims, name, *content):
    body = element(order, 6, struct.pack(order + "II", flags, 0))
    body += element(order, 5, struct.pack(f"{order}{len(dims)}i", *dims))
    body += small(order, 1, name) if len(name) <= 4 else element(order, 1, name)
    return element(order, 14, body + b"".join(content))


def written_by_matlab(order):
    mark = b"\x00\x01IM" if order == "<" else b"\x01\x00MI"
    out = b"MATLAB 5.0 MAT-file, Platform: PCWIN64".ljust(116) + b"\0" * 8 + mark
    out += matrix(order, 6, [2, 3], b"tiny", element(order, 2, bytes([1, 2, 3, 4, 5, 6])))
    out += matrix(order, 6, [1, 2], b"shorts", small(order, 3, struct.pack(order + "2h", -5, 300)))
    out += matrix(order, 6 | 0x800, [1, 1], b"cplx", small(order, 1, b"\1"), small(order, 1, b"\2"))
    out += matrix(order, 5, [2, 2], b"sparse", element(order, 5, struct.pack(order + "i", 0)))
    out += matrix(order, 4, [1, 3], b"text", element(order, 17, "aßc".encode("utf-16-" + ("le" if order == "<" else "be"))))
    out += element(order, 14, b"")  # an unnamed, empty array
    return out


def without_empty(raw):
    return raw[:-8]


(HERE / "matlab_little.mat").write_bytes(without_empty(written_by_matlab("<")))
(HERE / "matlab_big.mat").write_bytes(without_empty(written_by_matlab(">")))
for file in ["matlab_little", "matlab_big"]:
    read = loadmat(HERE / f"{file}.mat", variable_names=["tiny", "shorts", "text"])
    assert (read["tiny"] == [[1, 3, 5], [2, 4, 6]]).all() and (read["shorts"] == [[-5, 300]]).all(), read

# A small file whose every byte counts, for the trials with damage.
savemat(HERE / "damage_plain.mat", {"x": np.arange(6.0).reshape(2, 3), "s": {"a": "t", "b": runs}})
savemat(HERE / "damage_packed.mat", {"x": np.arange(60.0).reshape(2, 30), "s": {"a": "t", "b": runs}}, do_compression=True)
json.dump(expected, open(HERE / "expected.json", "w"), separators=(",", ":"))

if len(sys.argv) > 1:
    from blake3 import blake3

    real = {}
    root = pathlib.Path(sys.argv[1])
    paths = sorted([*root.glob("fmri_miyawaki28/*.mat"), root / "lfp_rat_barrel_laminar23/test_data.mat"])
    for path in paths:
        variables = {}
        for name, array in loadmat(path).items():
            if name.startswith("__") or array.dtype.kind not in "fiub":
                continue
            a = np.ascontiguousarray(array.astype("<f8"))
            variables[name] = {
                "shape": list(a.shape),
                "sum": float(np.nansum(a)),
                "first": float(a.flat[0]),
                "last": float(a.flat[-1]),
                "blake3": blake3(a.tobytes()).hexdigest(),
            }
        real[f"{path.parent.name}/{path.name}"] = variables
    json.dump(real, open(HERE / "real.json", "w"), indent=1)
