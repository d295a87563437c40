#!/usr/bin/env bash
# The connector as Airbyte's own tools see it: every line against the official message models and
# the rules of the standard tests, then two PyAirbyte syncs into DuckDB against the account itself.
#
# SOURCE_PIPEDRIVE names the binary; without it the release binary is built. SCALE is the size of
# the account in thousands of deals. KEEP=1 keeps what the runs wrote.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

scale=${SCALE:-0.5}
environment=$here/.venv-pyairbyte

install() {
    echo "installing PyAirbyte"
    rm -rf "$environment"
    "${PYTHON:-python3.11}" -m venv "$environment" &&
        # The list is complete, so nothing is left to resolve.
        "$environment/bin/pip" install --quiet --disable-pip-version-check --no-deps \
            -r "$here/pyairbyte/requirements.txt"
}

build
inputs=(pyairbyte/requirements.txt)
once "$environment/.stamp" install
python=$environment/bin/python

# Without it PyAirbyte asks its registry, even for a local executable.
export AIRBYTE_OFFLINE_MODE=1 DO_NOT_TRACK=1 NO_LIVE_PROGRESS=1 TMPDIR=$work

echo; echo "== lines"
mkdir "$work/lines"
sandbox "$work/lines.json" --seed 11 --scale "$scale"
# The same seed has the same custom fields, so one catalog serves all three.
sandbox "$work/rough.json" --seed 11 --scale 0.1 --fault 429@20x2 --fault 500@60x2 \
    --fault truncate@90 --fault reset@110 --fault 503@130
sandbox "$work/broken.json" --seed 11 --scale 0.1 --fault '500@v1/filesx*'
"$python" "$here/pyairbyte/lines.py" "$source_pipedrive" "$work/lines.json" "$work/rough.json" \
    "$work/broken.json" "$work/lines"

echo; echo "== PyAirbyte"
sandbox "$work/sync.json" --seed 7 --scale "$scale"
log=$work/pyairbyte.log
# In its own directory: PyAirbyte leaves a cache where it stands.
if ! (cd "$work" && "$python" "$here/pyairbyte/run.py" "$source_pipedrive" "$work/sync.json" \
    "$work/cache.duckdb" 3>&1 >"$log" 2>&1); then
    tail -n 40 "$log" >&2
    fail "PyAirbyte"
fi
