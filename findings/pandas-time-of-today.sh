#!/usr/bin/env bash
# pandas 3.1.1 with Python 3.11, seen on 2026-11-30.
#
# read_json turns columns whose names end in `_time` into timestamps. Pipedrive's activities have a `due_time`
# that is a time of day, "14:30". Such a text becomes a timestamp on the day of the reading: the same file
# holds another value tomorrow, and all activities, of whatever day, stand on one date. The
# column `duration` with texts of the same form stays text.
#
# Output: due_time on the day of the reading: True; duration: 01:30
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pandas==3.1.1
cat >activities.ndjson <<'RECORDS'
{"id":1,"due_date":"2025-02-03","due_time":"14:30","duration":"01:30"}
{"id":2,"due_date":"2024-05-06","due_time":"09:05","duration":"00:15"}
RECORDS
TZ=UTC venv/bin/python 2>errors.log - <<'PYTHON' || { cat errors.log >&2; exit 1; }
import datetime

import pandas

days = [datetime.date.today()]
rows = pandas.read_json("activities.ndjson", lines=True)
days.append(datetime.date.today())
today = all(time.date() in days for time in rows["due_time"])
print(f"due_time on the day of the reading: {today}; duration: {rows['duration'][0]}")
assert today and [str(time.time()) for time in rows["due_time"]] == ["14:30:00", "09:05:00"], "the behaviour has changed"
assert list(rows["duration"]) == ["01:30", "00:15"], "the behaviour has changed"
PYTHON
