#!/usr/bin/env bash
# csvkit 2.2.0 with agate 1.14.2 and Python 3.11, seen on 2026-11-30.
#
# in2csv reads newline-delimited JSON, where numbers and texts are told apart, but guesses types from the
# spelling all the same. A column of times of day, "14:30", becomes a duration of minutes and seconds:
# 0:14:30, a sixtieth of it; with seconds in the text, "14:30:00", it is 14 hours. A column of numbers that are
# all 1 or null becomes True. csvjson, csvsort and csvsql do the same with CSV. The switch --no-inference of
# in2csv keeps the texts, and the numbers.
#
# Output: id,due_time,labels | 1,0:14:30,True | 2,0:09:05, | with --no-inference: 1,14:30,1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check csvkit==2.2.0 agate==1.14.2
cat >activities.ndjson <<'RECORDS'
{"id":1,"due_time":"14:30","labels":1}
{"id":2,"due_time":"09:05","labels":null}
RECORDS
mapfile -t guessed < <(venv/bin/in2csv -f ndjson activities.ndjson)
mapfile -t kept < <(venv/bin/in2csv -f ndjson --no-inference activities.ndjson)
echo "${guessed[0]} | ${guessed[1]} | ${guessed[2]} | with --no-inference: ${kept[1]}"
[[ ${guessed[1]} == 1,0:14:30,True && ${guessed[2]} == 2,0:09:05, && ${kept[1]} == 1,14:30,1 ]] ||
    { echo "the behaviour has changed" >&2; exit 1; }
