#!/usr/bin/env bash
# The connector as orchestrators use it. Airbyte: every line against the official message models and
# the rules of the standard tests, and PyAirbyte into DuckDB. Singer: Meltano into target-jsonl,
# target-csv and target-postgres with a PostgreSQL of its own, every line against its schema and
# singer-check-tap. Whatever they hold afterwards must be what the account holds, also for an account that
# lacks every feature that can be missing. Prints one table.
#
# SOURCE_PIPEDRIVE names the binary, and the tap beside it; without it the release binaries are built.
# SCALE is the size of the account in thousands of deals. KEEP=1 keeps what the runs wrote.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=lake.sh
source "$here/lake.sh"
# shellcheck source=meltano/postgres.sh
source "$here/meltano/postgres.sh"

scale=${SCALE:-0.25}
results=$work/results.jsonl
build

environment pyairbyte pyairbyte/requirements.txt
pyairbyte=$environment/bin/python
# Without it PyAirbyte asks its registry, even for a local executable.
export AIRBYTE_OFFLINE_MODE=1 DO_NOT_TRACK=1 NO_LIVE_PROGRESS=1 TMPDIR=$work PYTHONDONTWRITEBYTECODE=1

echo; echo "== Airbyte, line by line"
mkdir "$work/lines"
sandbox "$work/lines.json" --seed 11 --scale "$scale" --everything
# The same seed has the same custom fields, so one catalog serves all three.
sandbox "$work/rough.json" --seed 11 --scale 0.1 --everything --fault 429@20x2 --fault 500@60x2 \
    --fault truncate@90 --fault reset@110 --fault 503@130
sandbox "$work/broken.json" --seed 11 --scale 0.1 --everything --fault '500@v1/filesx*'
"$pyairbyte" "$here/pyairbyte/lines.py" "$source_pipedrive" "$work/lines.json" "$work/rough.json" \
    "$work/broken.json" "$work/lines"

echo; echo "== PyAirbyte"
# The usual account has no add-ons; the barest lacks all that can be missing.
lacks=projects,installments,teams,marketing,permission-assignments,field-details,goals
sandbox "$work/usual.json" --seed 7 --scale "$scale"
sandbox "$work/barest.json" --seed 7 --scale 0.1 --lacks "$lacks"
for account in usual barest; do
    log=$work/pyairbyte-$account.log
    mkdir "$work/pyairbyte-$account"
    # In its own directory: PyAirbyte leaves a cache where it stands.
    if ! (cd "$work/pyairbyte-$account" && RESULTS=$results "$pyairbyte" "$here/pyairbyte/run.py" \
        "$source_pipedrive" "$work/$account.json" "$work/$account.duckdb" 3>&1 >"$log" 2>&1); then
        tail -n 40 "$log" >&2
        fail "PyAirbyte, $account account"
    fi
done

echo; echo "== Meltano"
environment singer-tools meltano/singer-tools.txt
export CHECK_TAP=$environment/bin/singer-check-tap
for target in jsonl csv postgres; do
    environment "target-$target" "meltano/target-$target.txt"
    declare -x "TARGET_${target^^}=$environment/bin/target-$target"
done
environment meltano meltano/meltano.txt
export MELTANO=$environment/bin/meltano
postgres
export PGHOST=127.0.0.1 PGPORT=$postgres_port PGUSER=postgres PSQL=$postgres_bin/psql
sandbox "$work/meltano-usual.json" --seed 7 --scale "$scale"
sandbox "$work/meltano-barest.json" --seed 7 --scale 0.1 --lacks "$lacks"
for account in usual barest; do
    once=()
    [[ $account == usual ]] || once=(once)
    PYTHONPATH=$here/pyairbyte:$here/meltano "$environment/bin/python" "$here/meltano/run.py" \
        "$tap_pipedrive" "$work/meltano-$account.json" "$work/meltano-$account" "$results" "${once[@]}"
done

echo; echo "== what was synced, held against the account"
"${PYTHON:-python3.11}" - "$results" <<'PYTHON'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
print(f"{'orchestrator':<18}{'into':<32}{'run':<14}{'streams':>8}{'sent':>8}{'rows':>8}  as the account")
for row in rows:
    print(f"{row['tool']:<18}{row['into']:<32}{row['run']:<14}{row['streams']:>8}{row['sent']:>8}"
          f"{row['rows']:>8}  {'yes' if row['right'] else 'NO'}")
PYTHON
