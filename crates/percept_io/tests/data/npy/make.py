"""Makes the NumPy fixtures of this folder with NumPy 2.4.6.

    python make.py

`cases.bin` holds many `.npy` files one after the other; `cases.json` says where each begins, its shape, type and values
(as numbers, C order). `*.npz` are archives, stored and deflated.
"""

import io
import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
DTYPES = ["b1", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]


def values(dtype, shape, rng):
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if kind.kind == "f":
        return (rng.standard_normal(shape) * 100).astype(kind)
    # Within 2^53, so that JSON holds every value exactly.
    info = np.iinfo(kind)
    low, high = max(info.min, -(2**53)), min(info.max, 2**53)
    return rng.integers(low, high, shape, dtype=kind, endpoint=True)


def main():
    rng = np.random.default_rng(11)
    cases, odd, blob_all = [], {}, b""

    def blob_of(array, version=None):
        stream = io.BytesIO()
        np.lib.format.write_array(stream, array, version=version)
        return stream.getvalue()

    def add(name, array, version=None):
        nonlocal blob_all
        blob = blob_of(array, version)
        cases.append({
            "name": name,
            "offset": len(blob_all),
            "len": len(blob),
            "shape": list(array.shape),
            "dtype": array.dtype.newbyteorder("=").name,
            "values": array.astype("f8").ravel(order="C").tolist(),
        })
        blob_all += blob

    for dtype in DTYPES:
        for order in "<>":
            for memory in "CF":
                array = values(dtype, (3, 2, 4), rng).astype(np.dtype(dtype).newbyteorder(order), order=memory)
                add(f"{dtype} {order} {memory}", array)
    for version in [(1, 0), (2, 0), (3, 0)]:
        add(f"version {version[0]}", np.arange(6, dtype="<f4").reshape(2, 3), version)
    add("a scalar", np.array(2.5))
    add("one axis", np.arange(5, dtype="i4"))
    add("no rows", np.zeros((0, 7), dtype="f4"))
    add("one row", np.arange(4, dtype="f8").reshape(1, 4))
    for name, array in [
        ("text (`<U5`)", np.array(["apple", "pear"])),
        ("text (`|S3`)", np.array([b"abc"])),
        ("complex numbers (`<c16`)", np.array([1 + 2j])),
        ("dates (`<M8[D]`)", np.array(["2001-01-01"], dtype="M8[D]")),
        ("Python objects (`|O`)", np.array([None, {}], dtype=object)),
        ("records", np.zeros(2, dtype=[("a", "f4"), ("b", "i2")])),
    ]:
        stream = io.BytesIO()
        np.lib.format.write_array(stream, array)
        odd[name] = {"offset": len(blob_all), "len": stream.tell()}
        blob_all += stream.getvalue()

    (HERE / "cases.bin").write_bytes(blob_all)
    (HERE / "cases.json").write_text(json.dumps({"cases": cases, "unsupported": odd}) + "\n")
    arrays = {
        "responses": (np.arange(60, dtype="f4").reshape(10, 6) / 4),
        "labels": np.arange(10, dtype="i8") % 3,
        "mask": np.asfortranarray(np.arange(24).reshape(2, 3, 4) % 2 == 0),
        "folder/nested": np.array([1.5]),
    }
    np.savez(HERE / "stored.npz", **arrays)
    np.savez_compressed(HERE / "deflated.npz", **arrays)
    print(f"{len(cases)} cases")


main()
