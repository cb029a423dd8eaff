"""Makes the NIfTI fixtures of this folder with nibabel 5.4.2, NumPy 2.4.6 and blake3 1.0.11.

    python make.py [SHARED_DATA]

`cases.bin` holds many small files one after the other; `cases.json` says where each begins and what nibabel reads from
it; `expected.bin` holds the values (`get_fdata()`, float64, Fortran order) one case after the other. `pair.*` and
`series.nii.gz` are files of their own because they are opened by name. With SHARED_DATA, the folder of real recordings,
`haxby.json` is made too: what nibabel reads from them, in numbers.
"""

import io
import json
import sys
from pathlib import Path

import blake3
import nibabel as nib
import numpy as np

HERE = Path(__file__).parent
DTYPES = ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]
SHAPE = (3, 4, 2, 3)
AFFINE = np.array([[-1.8, 0.1, 0, 70.5], [0.05, 1.8, 0.2, -90.25], [0, -0.2, 1.75, -40], [0, 0, 0, 1]])


def values(dtype, rng):
    kind = np.dtype(dtype)
    if kind.kind == "f":
        data = rng.standard_normal(SHAPE) * 1e3
        data[0, 0, 0, 0] = np.inf
        return data.astype(kind)
    info = np.iinfo(kind)
    data = rng.integers(info.min, info.max, SHAPE, dtype=kind.newbyteorder("="), endpoint=True)
    data[0, 0, 0, 0], data[1, 0, 0, 0] = info.min, info.max
    return data


def file_bytes(cls, data, affine, order, slope=None, inter=None, edit=None):
    """A single file with `data` stored as it is; `slope` and `inter` only tell readers what to do with it."""
    header = cls.header_class(endianness=order)
    header.set_data_dtype(np.dtype(data.dtype).newbyteorder(order))
    image = cls(data, affine, header)
    image.header.set_xyzt_units("mm", "sec")
    if data.ndim > 3:
        image.header["pixdim"][4] = 1.3333
    image.header["descrip"] = b"made by nibabel"
    if edit:
        edit(image.header)
    stream = io.BytesIO()
    head = image.header.copy()
    head["vox_offset"] = head.single_vox_offset
    head["magic"] = head.single_magic
    head["scl_slope"] = np.nan if slope is None else slope
    head["scl_inter"] = np.nan if inter is None else inter
    stream.write(head.binaryblock)
    stream.write(b"\0" * (int(head["vox_offset"]) - stream.tell()))
    stream.write(data.astype(np.dtype(data.dtype).newbyteorder(order)).tobytes(order="F"))
    return stream.getvalue()


def read(cls, blob):
    image = cls.from_bytes(blob)
    data = np.asarray(image.get_fdata(dtype=np.float64))
    return image, data


def main():
    rng = np.random.default_rng(7)
    cases, blob_all, expected = [], b"", b""

    def add(name, cls, blob, tr=1.3333, affine_scale=1.0):
        nonlocal blob_all, expected
        image, data = read(cls, blob)
        cases.append({
            "name": name,
            "offset": len(blob_all),
            "len": len(blob),
            "shape": list(data.shape),
            "dtype": image.get_data_dtype().newbyteorder("=").name,
            "affine": (np.diag([affine_scale] * 3 + [1]) @ image.affine).tolist(),
            "voxel_size_mm": [float(z) * affine_scale for z in image.header.get_zooms()[:3]],
            "tr_secs": tr,
            "n_values": data.size,
        })
        blob_all += blob
        expected += data.astype("<f8").tobytes(order="F")

    for cls, version in [(nib.Nifti1Image, 1), (nib.Nifti2Image, 2)]:
        for number, dtype in enumerate(DTYPES):
            for order in "<>":
                scalings = [(None, None), (0.0125, -3.5)]
                if version == 2:
                    scalings = [scalings[(number + (order == ">")) % 2]]
                for slope, inter in scalings:
                    blob = file_bytes(cls, values(dtype, rng), AFFINE, order, slope, inter)
                    add(f"v{version} {dtype} {order} slope {slope}", cls, blob)

    def small():
        return rng.integers(-100, 100, SHAPE, dtype="i2")

    one = nib.Nifti1Image
    add("slope 0 means none", one, file_bytes(one, small(), AFFINE, "<", 0.0, 5.0))
    rotation = nib.eulerangles.euler2mat(0.3, -0.2, 1.1)

    def qform_only(qfac):
        def edit(header):
            matrix = np.eye(4)
            matrix[:3, :3] = rotation @ np.diag([2.0, 2.5, 3.0 * qfac])
            matrix[:3, 3] = [10, -20, 30.5]
            header.set_qform(matrix, code=1)
            header.set_sform(None, code=0)
        return edit

    for qfac in (1, -1):
        for cls in (nib.Nifti1Image, nib.Nifti2Image):
            name = f"qform alone, qfac {qfac}, {cls.__name__}"
            add(name, cls, file_bytes(cls, small(), AFFINE, "<", edit=qform_only(qfac)))

    def no_form(header):
        header.set_qform(None, code=0)
        header.set_sform(None, code=0)
        header["pixdim"][1:4] = [2, 3, 4]

    add("neither form", one, file_bytes(one, small(), AFFINE, ">", edit=no_form))

    def units(space, time):
        return lambda header: header.set_xyzt_units(space, time)

    add("milliseconds", one, file_bytes(one, small(), AFFINE, "<", edit=units("mm", "msec")), tr=1.3333e-3)
    add("metres", one, file_bytes(one, small(), AFFINE, "<", edit=units("meter", "sec")), affine_scale=1e3)
    add("hertz", one, file_bytes(one, small(), AFFINE, "<", edit=units("mm", "hz")), tr=None)
    add("three dimensions", one, file_bytes(one, small()[..., 0], AFFINE, "<"), tr=None)

    image = one(small(), AFFINE)
    image.header.set_xyzt_units("mm", "sec")
    image.header["pixdim"][4] = 2.5
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"an extension before the data"))
    add("an extension", one, image.to_bytes(), tr=2.5)

    odd = {}
    for dtype, name in [("c8", "complex64"), ("c16", "complex128")]:
        blob = file_bytes(one, small().astype(dtype), AFFINE, "<")
        odd[name] = {"offset": len(blob_all), "len": len(blob)}
        blob_all += blob
    rgb = np.zeros((2, 2, 2), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    blob = one(rgb, np.eye(4)).to_bytes()
    odd["RGB24"] = {"offset": len(blob_all), "len": len(blob)}
    blob_all += blob

    (HERE / "cases.bin").write_bytes(blob_all)
    (HERE / "expected.bin").write_bytes(expected)
    (HERE / "cases.json").write_text(json.dumps({"cases": cases, "unsupported": odd}, indent=1) + "\n")

    data = np.arange(24, dtype="i2").reshape(2, 3, 4, order="F")
    nib.Nifti1Pair(data, AFFINE).to_filename(HERE / "pair.img")
    series = rng.integers(-1000, 1000, (6, 5, 4, 12), dtype="i2")
    image = one(series, AFFINE)
    image.header["pixdim"][4] = 2
    image.header.set_xyzt_units("mm", "sec")
    image.to_filename(HERE / "series.nii.gz")
    print(f"{len(cases)} cases")
    if len(sys.argv) > 1:
        haxby(Path(sys.argv[1]) / "fmri_haxby2001_pymvpa")


def haxby(folder):
    rows = []
    for path in sorted(folder.rglob("*.nii.gz")):
        image = nib.load(path)
        data = image.get_fdata(dtype=np.float64)
        flat = data.ravel(order="F")
        probes = [int(i) for i in np.linspace(0, flat.size - 1, 7)]
        rows.append({
            "path": path.relative_to(folder).as_posix(),
            "shape": list(data.shape),
            "dtype": image.get_data_dtype().name,
            "affine": image.affine.tolist(),
            "sum": float(sum(float(v) for v in flat)),
            "probes": [[i, float(flat[i])] for i in probes],
            "blake3": blake3.blake3(flat.astype("<f8").tobytes()).hexdigest(),
        })
    lines = ",\n".join(json.dumps(row) for row in rows)
    (HERE / "haxby.json").write_text(f"[\n{lines}\n]\n")
    print(f"{len(rows)} recordings")


main()
