"""Surfaces, maps and labels as nibabel, SciPy and h5py write them, and what nibabel reads from them.

    python make.py [FOLDER OF fsaverage5 IN GIFTI]

A patch and a mapper have no writer elsewhere: they are written here from their definitions (FreeSurfer's `MRISwritePatch`;
the Gallant laboratory's `load_hdf5_sparse_array`)."""

import gzip
import json
import struct
import sys
from pathlib import Path

import blake3
import h5py
import nibabel as nib
import numpy as np
import scipy.sparse
from nibabel.cifti2 import cifti2_axes as axes
from nibabel.freesurfer import io as fsio
from nibabel.gifti import GiftiDataArray, GiftiImage, GiftiLabel, GiftiLabelTable, GiftiMetaData

HERE = Path(__file__).parent
rng = np.random.default_rng(20)
expected = {}


def octahedron(n):
    points = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], float)
    faces = [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    for _ in range(n):
        middle, new = {}, []
        points = list(points)

        def between(a, b):
            key = (min(a, b), max(a, b))
            if key not in middle:
                p = np.asarray(points[a]) + np.asarray(points[b])
                points.append(p / np.linalg.norm(p))
                middle[key] = len(points) - 1
            return middle[key]

        for a, b, c in faces:
            ab, bc, ca = between(a, b), between(b, c), between(c, a)
            new += [[a, ab, ca], [b, bc, ab], [c, ca, bc], [ab, bc, ca]]
        faces = new
    return np.asarray(points, np.float32) * 50, np.asarray(faces, np.int32)


points, faces = octahedron(1)  # 18 vertices, 32 triangles
n = len(points)


def listed(array):
    return np.asarray(array, np.float64).ravel().tolist()


# --- GIFTI -------------------------------------------------------------------------------------------------------------
def gifti(name, arrays, labels=None):
    image = GiftiImage(darrays=arrays, meta=GiftiMetaData({"Who": "nibabel & co <1>"}))
    if labels is not None:
        table = GiftiLabelTable()
        for key, (text, colour) in labels.items():
            label = GiftiLabel(key, *colour)
            label.label = text
            table.labels.append(label)
        image.labeltable = table
    nib.save(image, HERE / name)
    back = nib.load(HERE / name)
    expected[name] = [
        {"intent": nib.nifti1.intent_codes.niistring[a.intent], "dims": list(a.data.shape), "dtype": str(a.data.dtype), "values": listed(a.data)}
        for a in back.darrays
    ]


def surface(encoding, order="RowMajorOrder"):
    kind = dict(encoding=encoding, ordering=order)
    space = nib.gifti.GiftiCoordSystem("NIFTI_XFORM_UNKNOWN", "NIFTI_XFORM_TALAIRACH", np.diag([1.0, 2.0, 3.0, 1.0]))
    return [
        GiftiDataArray(points, "NIFTI_INTENT_POINTSET", "NIFTI_TYPE_FLOAT32", coordsys=space, meta={"Name": "points"}, **kind),
        GiftiDataArray(faces, "NIFTI_INTENT_TRIANGLE", "NIFTI_TYPE_INT32", **kind),
    ]


gifti("ascii.surf.gii", surface("ASCII"))
gifti("base64.surf.gii", surface("B64BIN"))
gifti("zlib.surf.gii", surface("B64GZ"))
gifti("column.surf.gii", surface("B64BIN", "ColumnMajorOrder"))
maps = [
    GiftiDataArray(rng.normal(size=n).astype("f4"), "NIFTI_INTENT_SHAPE", "NIFTI_TYPE_FLOAT32", meta={"Name": "first"}),
    GiftiDataArray(rng.integers(0, 255, n).astype("u1"), "NIFTI_INTENT_NONE", "NIFTI_TYPE_UINT8", meta={"Name": "second"}),
    GiftiDataArray(np.where(np.arange(n) % 3 == 0, np.nan, 1.5).astype("f4"), "NIFTI_INTENT_NONE", "NIFTI_TYPE_FLOAT32"),
]
gifti("maps.func.gii", maps)
keys = rng.integers(0, 3, n).astype("i4")
gifti(
    "regions.label.gii",
    [GiftiDataArray(keys, "NIFTI_INTENT_LABEL", "NIFTI_TYPE_INT32")],
    {0: ("???", (0, 0, 0, 0)), 1: ("V1 & more", (1, 0.5, 0, 1)), 2: ("hV4", (0, 0, 1, 1))},
)

# Big-endian and external data: nibabel reads both but writes neither, so they are edited in.
text = (HERE / "base64.surf.gii").read_text()
import base64
import re

swapped = re.sub(r"<Data>(.*?)</Data>", lambda m: "<Data>" + base64.b64encode(np.frombuffer(base64.b64decode(m[1]), "<u4").astype(">u4").tobytes()).decode() + "</Data>", text)
(HERE / "big.surf.gii").write_text(swapped.replace('Endian="LittleEndian"', 'Endian="BigEndian"'))
data = re.findall(r"<Data>(.*?)</Data>", text)
(HERE / "external.dat").write_bytes(b"head" + b"".join(base64.b64decode(d) for d in data))
places = iter([4, 4 + n * 12])
external = re.sub(r"<Data>.*?</Data>", "<Data></Data>", text).replace('Encoding="Base64Binary"', 'Encoding="ExternalFileBinary"')
external = re.sub(r'ExternalFileName="" ExternalFileOffset="\d*"', lambda m: f'ExternalFileName="external.dat" ExternalFileOffset="{next(places)}"', external)
(HERE / "external.surf.gii").write_text(external)
for name in ["big.surf.gii", "external.surf.gii"]:
    back = nib.load(HERE / name)
    np.testing.assert_array_equal(back.darrays[0].data, points)
    np.testing.assert_array_equal(back.darrays[1].data, faces)
    expected[name] = expected["base64.surf.gii"]

# --- FreeSurfer --------------------------------------------------------------------------------------------------------
footer = {
    "head": np.array([2, 0, 20], np.int32),
    "valid": "1  # volume info valid",
    "filename": "orig.mgz",
    "volume": np.array([256, 256, 256]),
    "voxelsize": np.ones(3),
    "xras": np.array([-1.0, 0, 0]),
    "yras": np.array([0, 0, -1.0]),
    "zras": np.array([0, 1.0, 0]),
    "cras": np.array([1.5, -2.25, 3.0]),
}
fsio.write_geometry(HERE / "lh.white", points, faces, create_stamp="created by nibabel", volume_info=footer)
fsio.write_geometry(HERE / "lh.plain", points, faces, create_stamp="no footer")
fsio.write_morph_data(HERE / "lh.curv", rng.normal(size=n).astype("f4"), fnum=len(faces))
old = np.array([0, 125, -250, 32767, -32768], ">i2")
(HERE / "lh.old.curv").write_bytes(struct.pack(">I", 5)[1:] + struct.pack(">I", 6)[1:] + old.tobytes())
table = np.array([[25, 5, 25, 0], [0, 118, 14, 0], [220, 20, 20, 0]], np.int32)
regions = np.array([0, 1, 2] * 6, np.int32)
regions[4] = -1
fsio.write_annot(HERE / "lh.atlas.annot", regions, table, ["unknown", "V1", "MT"], fill_ctab=True)
fsio.write_annot(HERE / "lh.filled.annot", regions.clip(0), np.c_[table, [0, 0, 0]], ["unknown", "V1", "MT"], fill_ctab=True)
(HERE / "lh.V1.label").write_text("#!ascii label  , from subject x vox2ras=TkReg\n2\n3  0.000  -50.000  0.000 0.2500000000\n7  1.500  2.250  -3.125 1.0000000000\n")
x, f, info, stamp = fsio.read_geometry(HERE / "lh.white", read_metadata=True, read_stamp=True)
labels, colours, names = fsio.read_annot(HERE / "lh.atlas.annot")
expected["freesurfer"] = {
    "points": listed(x),
    "faces": listed(f),
    "stamp": stamp,
    "cras": listed(info["cras"]),
    "xras": listed(info["xras"]),
    "curv": listed(fsio.read_morph_data(HERE / "lh.curv")),
    "old": listed(fsio.read_morph_data(HERE / "lh.old.curv")),
    "regions": labels.tolist(),
    "names": [name.decode() for name in names],
    "colours": colours[:, :4].tolist(),
    "label": fsio.read_label(HERE / "lh.V1.label").tolist(),
    "label_values": fsio.read_label(HERE / "lh.V1.label", read_scalars=True)[1].tolist(),
}

# A patch: the octahedron's upper half, border vertices negative, numbers from 1 on.
upper = np.flatnonzero(points[:, 2] >= 0)
border = set(np.flatnonzero(points[:, 2] == 0).tolist())
patch = struct.pack(">ii", -1, len(upper))
for v in upper:
    patch += struct.pack(">ifff", -(v + 1) if v in border else v + 1, points[v, 0], points[v, 1], 0)
(HERE / "lh.flat.patch.3d").write_bytes(patch)
inside = np.isin(faces, upper).all(1)
expected["patch"] = {"vertices": upper.tolist(), "border": sorted(border), "faces": listed(faces[inside])}

# --- MGH ---------------------------------------------------------------------------------------------------------------
affine = np.array([[-1.8, 0.1, 0, 3], [0, 0.2, 1.8, -4], [0, -1.8, 0, 5], [0, 0, 0, 1]])
expected["mgh"] = {}
for kind in ["u1", "i2", "i4", "f4"]:
    values = (rng.normal(size=(3, 2, 4, 2)) * 40 + 100).astype(kind)
    for ending in ["mgh", "mgz"]:
        name = f"volume_{kind}.{ending}"
        nib.save(nib.MGHImage(values, affine), HERE / name)
        back = nib.load(HERE / name)
        expected["mgh"][name] = {"values": listed(np.asarray(back.dataobj).ravel("F")), "affine": listed(back.affine), "dims": list(back.shape)}
nib.save(nib.MGHImage(rng.normal(size=(n, 1, 1)).astype("f4"), None), HERE / "lh.map.mgz")
back = nib.load(HERE / "lh.map.mgz")
expected["mgh"]["lh.map.mgz"] = {"values": listed(back.dataobj), "affine": listed(back.affine), "dims": [n, 1, 1, 1]}

# --- CIFTI-2 -----------------------------------------------------------------------------------------------------------
mask = np.arange(n) % 4 != 1
brain = axes.BrainModelAxis.from_mask(mask, "CortexLeft") + axes.BrainModelAxis.from_mask(~mask, "CortexRight")
voxels = np.zeros((3, 4, 2), bool)
voxels[1, 2, 0] = voxels[2, 3, 1] = True
brain = brain + axes.BrainModelAxis.from_mask(voxels, "ThalamusLeft", affine=affine)
kinds = {
    "maps.dscalar.nii": (axes.ScalarAxis(["r & p", "ceiling"]), rng.normal(size=(2, len(brain)))),
    "regions.dlabel.nii": (axes.LabelAxis(["areas"], {0: ("none", (0, 0, 0, 0)), 5: ("V1", (1, 0, 0, 1))}), rng.choice([0, 5], (1, len(brain)))),
    "run.dtseries.nii": (axes.SeriesAxis(0.5, 1.25, 3), rng.normal(size=(3, len(brain)))),
}
expected["cifti"] = {}
for name, (rows, values) in kinds.items():
    image = nib.Cifti2Image(values.astype("f4"), header=(rows, brain))
    image.update_headers()
    nib.save(image, HERE / name)
    back = nib.load(HERE / name)
    data = np.asarray(back.dataobj)
    on = {}
    for structure, where, model in back.header.get_axis(1).iter_structures():
        if model.surface_mask.all():
            whole = np.full((len(data), model.nvertices[structure]), np.nan)
            whole[:, model.vertex] = data[:, where]
            on[structure.removeprefix("CIFTI_STRUCTURE_")] = [[None if np.isnan(v) else float(v) for v in row] for row in whole]
    expected["cifti"][name] = {"data": listed(data), "on": on}

# --- mapper ------------------------------------------------------------------------------------------------------------
matrix = scipy.sparse.random(6, 5, 0.4, "csr", np.float64, rng)
with h5py.File(HERE / "mapper.hdf", "w") as file:
    for part in ["data", "indices", "indptr", "shape"]:
        file[f"voxel_to_flatmap_{part}"] = getattr(matrix, part)
    file["flatmap_mask"] = np.array([[True, False, True], [True, True, True]])
    file["flatmap_curvature"] = np.arange(6.0).reshape(2, 3)
expected["mapper"] = {"dense": listed(matrix.toarray().astype("f4")), "shape": list(matrix.shape)}

# --- the real ones -----------------------------------------------------------------------------------------------------
if len(sys.argv) > 1:
    real = {}
    for path in sorted(Path(sys.argv[1]).glob("*.gii.gz")):
        image = GiftiImage.from_bytes(gzip.decompress(path.read_bytes()))
        real[path.name] = [
            {"dims": list(a.data.shape), "dtype": str(a.data.dtype), "blake3": blake3.blake3(np.ascontiguousarray(a.data).tobytes()).hexdigest()}
            for a in image.darrays
        ]
    (HERE / "fsaverage5.json").write_text(json.dumps(real, indent=0) + "\n")

(HERE / "expected.json").write_text(json.dumps(expected, default=lambda value: value.item()).replace("NaN", "null") + "\n")
