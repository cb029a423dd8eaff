"""Opens scores.parquet with pyarrow and pandas and compares it with what the Rust test wrote. Run by hand, see README.md."""

import pathlib

import pandas
import pyarrow.parquet

path = pathlib.Path(__file__).with_name("scores.parquet")
table = pyarrow.parquet.read_table(path)
assert [str(field.type) for field in table.schema] == ["string", "double", "double", "int64"], table.schema
assert [field.nullable for field in table.schema] == [False, False, True, False], table.schema
assert table.to_pydict() == {
    "method": ["z", "z+c", "vérité"],
    "value": [0.125, -1.5, 1e300],
    "chance": [0.5, None, 0.0],
    "n": [100, 0, 2**63 - 1],
}, table.to_pydict()
assert pandas.read_parquet(path).shape == (3, 4)
print("ok: pyarrow", pyarrow.__version__, "pandas", pandas.__version__)
