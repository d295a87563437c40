#!/usr/bin/env bash
# deltalake 1.6.6 (delta-rs) with pyarrow 26.0.1, DuckDB 2.0.1 and Python 3.11, seen on 2026-11-30.
#
# A table is written with two columns, and a third column comes with a later append
# (schema_mode="merge"), as happens when an account gets a new custom field. The older rows hold null
# in it. Read as a whole, the table shows them so; asked for the rows where the column is null, the
# pyarrow dataset that DeltaTable makes returns none of them, without an error. to_pandas(filters=...) and
# DuckDB over that dataset go the same way. The dataset is given, for each file, an expression
# made of the file's statistics; for a column that has no statistics in a file, the expression
# compares with null and never admits that a row may be null, and so the file is skipped.
#
# Output: rows where the column is null: 2 in the table, 0 with a filter, 0 in to_pandas, 0 in DuckDB
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check deltalake==1.6.6 pyarrow==26.0.1 duckdb==2.0.1 pandas==3.1.1
venv/bin/python - <<'PYTHON'
import duckdb
import pyarrow as pa
import pyarrow.dataset
from deltalake import DeltaTable, write_deltalake

write_deltalake("deals", pa.table({"id": [1, 2], "title": ["first", "second"]}))
later = pa.table({"id": [3], "title": ["third"], "region": ["North"]})
write_deltalake("deals", later, mode="append", schema_mode="merge")

table = DeltaTable("deals")
deals = table.to_pyarrow_dataset()
without_region = pa.dataset.field("region").is_null()
found = [
    deals.to_table().filter(without_region).num_rows,
    deals.to_table(filter=without_region).num_rows,
    len(table.to_pandas(filters=without_region)),
    duckdb.execute("select count(*) from deals where region is null").fetchone()[0],
]
print("rows where the column is null: {} in the table, {} with a filter, {} in to_pandas, {} in DuckDB".format(*found))
assert found == [2, 0, 0, 0], "the behaviour has changed"
PYTHON
