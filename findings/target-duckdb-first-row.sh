#!/usr/bin/env bash
# target-duckdb 0.8.0 with duckdb 2.0.1 and Python 3.11, seen on 2026-11-29.
#
# Three records of a table whose columns are all text are sent, the log says "Loading 3 rows", the
# state comes back and the exit code is 0; the table holds two rows. The first record is missing.
# The target hands its rows to DuckDB in a CSV file without a heading and leaves it to DuckDB to find
# out whether there is one: a first line that looks like the others is taken for a heading.
#
# Output: rows held: [('b', 'second'), ('c', 'third')]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check target-duckdb==0.8.0 duckdb==2.0.1
echo '{"filepath": "held.duckdb", "default_target_schema": "main"}' >config.json
cat >records.jsonl <<'RECORDS'
{"type":"SCHEMA","stream":"labels","schema":{"type":"object","properties":{"id":{"type":"string"},"name":{"type":["null","string"]}}},"key_properties":["id"]}
{"type":"RECORD","stream":"labels","record":{"id":"a","name":"first"}}
{"type":"RECORD","stream":"labels","record":{"id":"b","name":"second"}}
{"type":"RECORD","stream":"labels","record":{"id":"c","name":"third"}}
{"type":"STATE","value":{}}
RECORDS
venv/bin/target-duckdb --config config.json <records.jsonl
venv/bin/python - <<'PYTHON'
import duckdb

rows = duckdb.connect("held.duckdb").sql("select id, name from main.labels order by id").fetchall()
print("rows held:", rows)
assert rows == [("b", "second"), ("c", "third")], "the behaviour has changed"
PYTHON
