#!/usr/bin/env bash
# fastparquet 2026.9.0 with pandas 3.1.1, files written by DuckDB 2.0.1, Polars 2.1.0 and pyarrow 26.0.1,
# Python 3.11, seen on 2026-11-30.
#
# A column of lists of texts is read as null in every row, without an error, where the writer stored the texts
# as they are, which DuckDB and Polars choose when texts hardly repeat. From a file with a
# dictionary, which pyarrow writes unless it is told not to, the same lists are read right. Plain columns of
# text and lists of numbers are read right either way.
#
# Output: lists read: of pyarrow 2, of pyarrow without a dictionary 0, of Polars 0, of DuckDB 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check fastparquet==2026.9.0 pandas==3.1.1 \
    duckdb==2.0.1 polars==2.1.0 pyarrow==26.0.1
venv/bin/python - <<'PYTHON'
import duckdb
import fastparquet
import polars
import pyarrow as pa
import pyarrow.parquet

leads = pa.table({"title": ["first", "second"], "labels": [["hot", "new"], ["cold"]], "ids": [[1, 2], [3]]})
pa.parquet.write_table(leads, "pyarrow.parquet")
pa.parquet.write_table(leads, "plain.parquet", use_dictionary=False)
polars.from_arrow(leads).write_parquet("polars.parquet")
duckdb.sql("copy leads to 'duckdb.parquet'")


def lists(name):
    assert pa.parquet.read_table(name)["labels"].to_pylist() == leads["labels"].to_pylist()
    rows = fastparquet.ParquetFile(name).to_pandas()
    assert list(rows["title"]) == ["first", "second"]
    assert [list(ids) for ids in rows["ids"]] == [[1, 2], [3]]
    return sum(labels is not None for labels in rows["labels"])


found = [lists(f"{name}.parquet") for name in ("pyarrow", "plain", "polars", "duckdb")]
print(
    "lists read: of pyarrow {}, of pyarrow without a dictionary {}, of Polars {}, of DuckDB {}".format(*found)
)
assert found == [2, 0, 0, 0], "the behaviour has changed"
PYTHON
