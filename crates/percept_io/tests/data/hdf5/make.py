"""Writes the HDF5 fixtures and `expected.json`.

Made with h5py 3.16.0 (HDF5 2.0.0) and NumPy 2.4.6:  python make.py
"""

import json
import pathlib

import h5py
import numpy as np

HERE = pathlib.Path(__file__).parent
rng = np.random.default_rng(0)
expected = {}


def note(file, name, array):
    array = np.asarray(array)
    entry = {"shape": list(array.shape), "dtype": array.dtype.newbyteorder("=").name}
    entry["values"] = [float(v) for v in array.ravel().astype("f8")]
    expected.setdefault(file, {})[name] = entry


def draw(dtype, shape):
    if np.dtype(dtype).kind == "u":
        return rng.integers(0, 200, shape).astype(dtype)
    return np.round(rng.standard_normal(shape) * 50, 3).astype(dtype)


for file, libver in [("v0", ("earliest", "v108")), ("v110", ("v110", "v110")), ("v200", ("latest", "latest"))]:
    with h5py.File(HERE / f"{file}.h5", "w", libver=libver) as f:
        for dtype in ["<i2", ">i2", "u1", "<f4", ">f8", "<f2", "<i8"]:
            group = {"<": "le_", ">": "be_"}.get(dtype[0], "") + dtype.lstrip("<>")
            array = draw(dtype, (5, 3, 2))
            for layout, options in {
                "contiguous": {},
                "chunked": {"chunks": (2, 2, 2)},
                "filtered": {"chunks": (2, 2, 2), "compression": 4, "shuffle": True, "fletcher32": True},
            }.items():
                f.create_dataset(f"{group}/{layout}", data=array, **options)
                note(file, f"{group}/{layout}", array)
        array = draw("<i2", (4, 3, 2, 2))
        for name, options in {
            "betas": {"chunks": (4, 1, 1, 1)},
            "one_unlimited": {"chunks": (2, 2, 2, 2), "maxshape": (None, 3, 2, 2)},
            "two_unlimited": {"chunks": (2, 2, 2, 2), "maxshape": (None, None, 2, 2)},
            "single_chunk": {"chunks": array.shape},
            "deflated_columns": {"chunks": (3, 2, 1, 2), "compression": 1},
        }.items():
            f.create_dataset(name, data=array, **options)
            note(file, name, array)
        sparse = f.create_dataset("sparse", shape=(4, 4), chunks=(2, 1), dtype="f4", fillvalue=7.0)
        sparse[1, 2] = 1
        note(file, "sparse", sparse[...])
        compact = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        compact.set_layout(h5py.h5d.COMPACT)
        array = draw("<f4", (2, 3))
        space = h5py.h5s.create_simple(array.shape)
        h5py.h5d.create(f.id, b"compact", h5py.h5t.IEEE_F32LE, space, dcpl=compact).write(
            h5py.h5s.ALL, h5py.h5s.ALL, array
        )
        note(file, "compact", array)
        f["scalar"] = 3.5
        note(file, "scalar", 3.5)
        f["flags"] = np.array([True, False, True])
        note(file, "flags", np.array([True, False, True]))
        f["empty"] = np.zeros((0, 3), "f4")
        note(file, "empty", np.zeros((0, 3), "f4"))
        f["words"] = np.array(["first", "zweites", "dritte Straße"], dtype=h5py.string_dtype())
        f["fixed_words"] = np.array([b"ab", b"cde"])
        f["betas"].attrs["unit"] = "percent"
        f["betas"].attrs["scale"] = np.array([300.0, 1.0])
        f["alias"] = h5py.SoftLink("/betas")
        note(file, "alias", f["betas"][...])
        f["le_i2/back"] = f["/"]  # a group inside itself

# What MATLAB's `h5create('betas', [X Y Z T], 'Datatype', 'int16', 'ChunkSize', [1 1 1 T])` writes, and a v7.3 MAT file.
create = h5py.h5p.create(h5py.h5p.FILE_CREATE)
create.set_userblock(512)
with h5py.File(h5py.h5f.create(str(HERE / "matlab73.mat").encode(), h5py.h5f.ACC_TRUNC, fcpl=create)) as f:
    array = draw("<f8", (3, 4))
    # MATLAB stores columns first: its 4 x 3 matrix has the shape (3, 4) here.
    f.create_dataset("responses", data=array, chunks=(1, 4), compression=3)
    f["responses"].attrs["MATLAB_class"] = np.bytes_("double")
    note("matlab73", "responses", array)
    f.create_dataset("betas", data=draw("<i2", (6, 2, 3, 4)), chunks=(6, 1, 1, 1))
    note("matlab73", "betas", f["betas"][...])
with open(HERE / "matlab73.mat", "r+b") as f:
    f.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Thu Jan  1 00:00:00 1970".ljust(124) + b"\x00\x02IM")

# Small files whose every byte counts, for the trials with damage.
for file, libver in [("damage_v0", ("earliest", "v108")), ("damage_v110", ("v110", "v110"))]:
    with h5py.File(HERE / f"{file}.h5", "w", libver=libver) as f:
        f.create_dataset("betas", data=np.arange(24, dtype="<i2").reshape(4, 3, 2), chunks=(4, 1, 1))
        f.create_dataset("g/z", data=np.arange(30, dtype="f4"), chunks=(7,), compression=4, shuffle=True, fletcher32=True)
        f["words"] = ["a", "b"]
        f.attrs["t"] = "x"

json.dump(expected, open(HERE / "expected.json", "w"), separators=(",", ":"))
