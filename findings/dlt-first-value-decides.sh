#!/usr/bin/env bash
# dlt 1.31.0 with DuckDB 2.0.1 and Python 3.11, seen on 2026-11-30.
#
# A value that does not fit the type of its column is documented to go to a column beside it, `…__v_double`. That holds
# for true in a column of numbers. A number in a column that began with true is turned into true, and 5 is gone; the
# text "no" becomes false. A column of texts whose first one looks like a timestamp is one of timestamps, and the text
# "12" in it becomes twelve seconds after midnight of 1970-01-01. None of it is told, and the other order keeps all.
#
# Output: true, 5: [True, True]; 5, true: [5, None], beside it [None, True]; a timestamp, "12": 1970-01-01 00:00:12
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'dlt[duckdb]==1.31.0' duckdb==2.0.1
HOME=$folder RUNTIME__DLTHUB_TELEMETRY=false venv/bin/python 2>load.log - <<'PYTHON' || { cat load.log >&2; exit 1; }
import dlt

pipeline = dlt.pipeline("fields", destination=dlt.destinations.duckdb("held.duckdb"), dataset_name="crm", pipelines_dir=".")
rows = [
    {"id": 1, "flag": True, "number": 5, "text": "2026-05-04T10:00:00Z"},
    {"id": 2, "flag": 5, "number": True, "text": "12"},
    {"id": 3, "flag": "no"},
]
pipeline.run(rows, table_name="fields").raise_on_failed_jobs()
with pipeline.sql_client() as client:
    columns = client.execute_sql("select column_name from information_schema.columns where table_name = 'fields'")
    held = client.execute_sql("select flag, number, number__v_bool, text from fields order by id")
beside = sorted(name for name, in columns if "__v_" in name)
flags, numbers, booleans, texts = ([row[index] for row in held] for index in range(4))
second = texts[1].strftime("%Y-%m-%d %H:%M:%S") if hasattr(texts[1], "strftime") else texts[1]
print(f'true, 5: {flags[:2]}; 5, true: {numbers[:2]}, beside it {booleans[:2]}; a timestamp, "12": {second}')
assert flags == [True, True, False] and beside == ["number__v_bool"], "the behaviour has changed"
assert numbers[:2] == [5, None] and booleans[:2] == [None, True], "the behaviour has changed"
assert second == "1970-01-01 00:00:12", "the behaviour has changed"
PYTHON
