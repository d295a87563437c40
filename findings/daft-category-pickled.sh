#!/usr/bin/env bash
# daft 0.7.26 with pandas 3.1.1, Polars 2.1.0, DuckDB 2.0.1, pyarrow 25.0.1 and Python 3.11, seen on 2026-11-30.
#
# A text column that pandas or Polars holds as a category, or DuckDB as an enum, is an Arrow column with a
# dictionary. daft takes such a column as objects of Python, says nothing, and writes a Parquet file in
# which each text is a binary value: the bytes of a Python pickle. Other readers get those bytes in
# place of the text. A column of plain text next to it is written as text.
#
# Output: written by daft, "Won" of pandas is a pickle, of Polars is a pickle, of DuckDB is a pickle
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check daft==0.7.26 pandas==3.1.1 polars==2.1.0 duckdb==2.0.1 pyarrow==25.0.1
# The process of daft leaves at once when its files are written: threads of it may still be there.
DAFT_PROGRESS_BAR=0 DO_NOT_TRACK=true venv/bin/python 2>errors.log - <<'PYTHON' || { cat errors.log >&2; exit 1; }
import os

import daft
import duckdb
import pandas
import polars

rows = pandas.DataFrame({"title": ["Deal"], "stage": ["Won"]})
category = rows.astype({"stage": "category"})
categorical = polars.DataFrame({"title": ["Deal"], "stage": ["Won"]}).with_columns(
    polars.col("stage").cast(polars.Categorical)
)
enum = duckdb.sql("select 'Deal' as title, 'Won'::enum ('Lost', 'Won') as stage").to_arrow_table()

daft.from_pandas(rows).write_parquet("plain")
daft.from_pandas(category).write_parquet("pandas")
daft.from_arrow(categorical.to_arrow()).write_parquet("polars")
daft.from_arrow(enum).write_parquet("duckdb")
os._exit(0)
PYTHON
venv/bin/python - <<'PYTHON'
import glob
import pickletools

import pyarrow.parquet


def stage(name):
    (path,) = glob.glob(f"{name}/*.parquet")
    (row,) = pyarrow.parquet.read_table(path).to_pylist()
    assert row["title"] == "Deal", row
    if row["stage"] == "Won":
        return "text"
    texts = [value for _, value, _ in pickletools.genops(row["stage"]) if isinstance(value, str)]
    return "a pickle" if texts == ["Won"] else repr(row["stage"])


assert stage("plain") == "text"
found = [stage(name) for name in ("pandas", "polars", "duckdb")]
print('written by daft, "Won" of pandas is {}, of Polars is {}, of DuckDB is {}'.format(*found))
assert found == ["a pickle"] * 3, "the behaviour has changed"
PYTHON
