#!/usr/bin/env bash
# daft 0.7.26 with Python 3.11, seen on 2026-11-30.
#
# read_json of newline-delimited JSON gives a key one type. Where some lines hold a text, a number or a boolean and
# others an object or a list, the column is text; the scalars are kept in their JSON spelling, and every
# object and every list is null, without an error. Where some hold a list and others an object, it is a column
# of lists and the objects are null. Pipedrive's lead and note fields have such a key: `mandatory_flag` is a
# boolean, or an object that names stages.
#
# Output: true, an object, a list, a text: ['true', None, None, 'text']; an object, a list: [None, ['a']]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check daft==0.7.26
cat >fields.ndjson <<'RECORDS'
{"id":1,"mandatory_flag":true}
{"id":2,"mandatory_flag":{"stage_ids":[2]}}
{"id":3,"mandatory_flag":[2]}
{"id":4,"mandatory_flag":"text"}
RECORDS
cat >options.ndjson <<'RECORDS'
{"id":1,"options":{"label":"a"}}
{"id":2,"options":["a"]}
RECORDS
# The process leaves at once: threads of daft may still be there.
DAFT_PROGRESS_BAR=0 DO_NOT_TRACK=true venv/bin/python 2>errors.log - <<'PYTHON' || { cat errors.log >&2; exit 1; }
import os
import sys

import daft

flags = [row["mandatory_flag"] for row in daft.read_json("fields.ndjson").to_pylist()]
options = [row["options"] for row in daft.read_json("options.ndjson").to_pylist()]
print(f"true, an object, a list, a text: {flags}; an object, a list: {options}", flush=True)
if flags != ["true", None, None, "text"] or options != [None, ["a"]]:
    print("the behaviour has changed", file=sys.stderr, flush=True)
    os._exit(1)
os._exit(0)
PYTHON
