#!/usr/bin/env bash
# Meltano 4.4.1 with Python 3.11, seen on 2026-11-30.
#
# After `meltano run --full-refresh` the state that is stored is no state that the tap wrote. The tap is given none, as
# it should be; what it writes is laid over the old state key by key, down into the bookmark of each stream. A key that
# the tap left out on purpose, here the place where a walk was broken, comes back from the run before, next to the new
# time. The next run is given that mixture. A run without the option stores the state as the tap wrote it.
#
# Output: stored after a run: {'since': '2026-02-01'}, after a full refresh: {'since': '2026-03-01', 'walk': {'cursor': 'abc'}}
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check meltano==4.4.1
cat >tap.py <<'TAP'
#!/usr/bin/env python3
import json
import pathlib
import sys

schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
stream = {"tap_stream_id": "deals", "stream": "deals", "schema": schema, "key_properties": ["id"]}
if "--discover" in sys.argv:
    print(json.dumps({"streams": [stream | {"metadata": []}]}))
else:
    bookmark = json.loads(pathlib.Path("bookmark.json").read_text())
    print(json.dumps({"type": "SCHEMA", "stream": "deals", "schema": schema, "key_properties": ["id"]}))
    print(json.dumps({"type": "RECORD", "stream": "deals", "record": {"id": 1}}))
    print(json.dumps({"type": "STATE", "value": {"bookmarks": {"deals": bookmark}}}))
TAP
cat >target.py <<'TARGET'
#!/usr/bin/env python3
import json
import sys

for message in map(json.loads, sys.stdin):
    if message["type"] == "STATE":
        print(json.dumps(message["value"]), flush=True)
TARGET
chmod +x tap.py target.py
cat >meltano.yml <<'PROJECT'
version: 1
project_id: state
send_anonymous_usage_stats: false
default_environment: dev
environments: [{name: dev}]
plugins:
  extractors: [{name: tap-deals, namespace: tap_deals, executable: ./tap.py, capabilities: [catalog, discover, state]}]
  loaders: [{name: target-state, namespace: target_state, executable: ./target.py}]
PROJECT
run() {
    echo "$1" >bookmark.json
    shift
    venv/bin/meltano run "$@" tap-deals target-state >run.log 2>&1 || { cat run.log >&2; exit 1; }
    venv/bin/meltano state get dev:tap-deals-to-target-state 2>>run.log |
        venv/bin/python -c 'import json, sys; print(json.load(sys.stdin)["singer_state"]["bookmarks"]["deals"])'
}
run '{"since": "2026-01-01", "walk": {"cursor": "xyz"}}' >/dev/null
plain=$(run '{"since": "2026-02-01"}')
run '{"since": "2026-02-01", "walk": {"cursor": "abc"}}' >/dev/null
refreshed=$(run '{"since": "2026-03-01"}' --full-refresh)
echo "stored after a run: $plain, after a full refresh: $refreshed"
[[ $plain == "{'since': '2026-02-01'}" && $refreshed == "{'since': '2026-03-01', 'walk': {'cursor': 'abc'}}" ]] ||
    { echo "the behaviour has changed" >&2; exit 1; }
