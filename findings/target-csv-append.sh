#!/usr/bin/env bash
# meltanolabs-target-csv 0.5.0 with singer-sdk 0.54.9 and Python 3.11, seen on 2026-11-29.
#
# Its setting `overwrite_behavior` is documented with the values append_records, "append records at the
# insertion point", and replace_file. With append_records a second load replaces the file all the same,
# and says nothing: the file holds the records of the last load only. A tap that sends what changed
# leaves a file of what changed.
#
# Output: lines after the first load: 3, after the second: 2
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check meltanolabs-target-csv==0.5.0 singer-sdk==0.54.9
mkdir out
echo '{"output_path": "out", "overwrite_behavior": "append_records"}' >config.json
load() {
    {
        echo '{"type":"SCHEMA","stream":"labels","schema":{"type":"object","properties":{"id":{"type":"integer"},"name":{"type":["null","string"]}}},"key_properties":["id"]}'
        printf '{"type":"RECORD","stream":"labels","record":%s}\n' "$@"
        echo '{"type":"STATE","value":{}}'
    } | venv/bin/target-csv --config config.json >load.out 2>load.log
    wc -l <out/labels.csv
}
first=$(load '{"id":1,"name":"first"}' '{"id":2,"name":"second"}')
second=$(load '{"id":3,"name":"third"}')
echo "lines after the first load: $first, after the second: $second"
[[ $first -eq 3 && $second -eq 2 ]] || { echo "the behaviour has changed" >&2; exit 1; }
