#!/usr/bin/env bash
# PyAirbyte (airbyte) 0.71.3 with its DuckDB cache, DuckDB 1.4.3, Python 3.11, seen on 2026-11-30.
#
# A timestamp with an offset loses the offset and keeps its digits: 10:00+02:00, which is 08:00 UTC, is stored as
# 10:00, next to 10:00Z as 10:00. The schema says `timestamp_with_timezone`; the column is a TIMESTAMP without a
# zone. Two keys that differ in case alone, `Name` and `name`, share one column, and one of the values is
# gone. Neither is told.
#
# Output: 10:00+02:00 is 2026-05-04 10:00:00, 10:00Z is 2026-05-04 10:00:00; Name and name: ['second']
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check airbyte==0.71.3 duckdb==1.4.3
cat >source-labels <<'SOURCE'
#!/usr/bin/env python3
import json
import sys

time = {"type": ["null", "string"], "format": "date-time", "airbyte_type": "timestamp_with_timezone"}
text = {"type": ["null", "string"]}
schema = {"type": "object", "properties": {"id": {"type": "integer"}, "at": time, "Name": text, "name": text}}
stream = {
    "name": "labels",
    "json_schema": schema,
    "supported_sync_modes": ["full_refresh"],
    "source_defined_primary_key": [["id"]],
}
records = [
    {"id": 1, "at": "2026-05-04T10:00:00+02:00", "Name": "first", "name": "second"},
    {"id": 2, "at": "2026-05-04T10:00:00Z"},
]


def say(kind, key, value):
    print(json.dumps({"type": kind, key: value}), flush=True)


def status(value):
    change = {"stream_descriptor": {"name": "labels"}, "status": value}
    say("TRACE", "trace", {"type": "STREAM_STATUS", "emitted_at": 1.0, "stream_status": change})


command = sys.argv[1]
if command == "spec":
    say("SPEC", "spec", {"connectionSpecification": {"type": "object", "properties": {}}})
elif command == "check":
    say("CONNECTION_STATUS", "connectionStatus", {"status": "SUCCEEDED"})
elif command == "discover":
    say("CATALOG", "catalog", {"streams": [stream]})
else:
    status("STARTED")
    status("RUNNING")
    for record in records:
        say("RECORD", "record", {"stream": "labels", "emitted_at": 1793491200000, "data": record})
    status("COMPLETE")
SOURCE
chmod +x source-labels
DO_NOT_TRACK=1 AIRBYTE_OFFLINE_MODE=1 HOME=$folder TMPDIR=$folder venv/bin/python >read.log 2>&1 - <<'PYTHON' ||
import airbyte
from airbyte.caches import DuckDBCache

source = airbyte.get_source("source-labels", local_executable="./source-labels", config={})
source.select_all_streams()
source.read(cache=DuckDBCache(db_path="held.duckdb"), force_full_refresh=True)
PYTHON
    { cat read.log >&2; exit 1; }
venv/bin/python - <<'PYTHON'
import duckdb

rows = duckdb.connect("held.duckdb").execute("from main.labels order by id").fetch_df().to_dict("list")
times = [str(time) for time in rows["at"]]
values = [column[0] for name, column in rows.items() if name.lower().startswith("name")]
print(f"10:00+02:00 is {times[0]}, 10:00Z is {times[1]}; Name and name: {values}")
assert times == ["2026-05-04 10:00:00"] * 2 and values == ["second"], "the behaviour has changed"
PYTHON
