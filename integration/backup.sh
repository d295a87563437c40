#!/usr/bin/env bash
# The recipes of docs/guide/backup.md for every night, twice over an account that is edited in between: the
# backup is always today's, verifies, and a diff of two days names what was edited and nothing else.
#
# SOURCE_PIPEDRIVE names the binary; without it the release binary is built.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

build
sandbox "$work/account.json" --seed 7 --scale 0.2
PIPEDRIVE_BASE_URL=$(sed -E 's/.*"base_url":"([^"]+)".*/\1/' "$work/account.json")
PIPEDRIVE_API_TOKEN=$(sed -E 's/.*"api_token":"([^"]+)".*/\1/' "$work/account.json")
export PIPEDRIVE_BASE_URL PIPEDRIVE_API_TOKEN
passed=0

held() {
    "${@:2}" || fail "$1"
    echo "ok  $1"
    passed=$((passed + 1))
}

edit() {
    "${PYTHON:-python3}" - "$PIPEDRIVE_BASE_URL$1" "$2" <<'END'
import os, sys, urllib.request
request = urllib.request.Request(
    sys.argv[1], sys.argv[2].encode(), method="PATCH",
    headers={"x-api-token": os.environ["PIPEDRIVE_API_TOKEN"], "content-type": "application/json"},
)
urllib.request.urlopen(request).read()
END
}

# The guide's line for cron, for other places, and as cron runs it: without variables, by sh.
recipe=$(grep -m1 '^0 2 \* \* \* ' "$root/docs/guide/backup.md" | cut -d' ' -f6-)
for part in /usr/local/bin/source-pipedrive '--config /etc/pipedrive.json' '--dir /backups/pipedrive -q'; do
    [[ $recipe == *"$part"* ]] || fail "the guide's recipe: $recipe"
done
recipe=${recipe//\/usr\/local\/bin\/source-pipedrive/\"$source_pipedrive\"}
recipe=${recipe//\/etc\/pipedrive.json/\"$work/account.json\"}
recipe=${recipe//\/backups\/pipedrive/\"$work/nightly\"}
nightly() { (cd / && env -i PATH=/usr/bin:/bin HOME="$work" /bin/sh -c "$recipe"); }

held 'the first night' nightly
cp -r "$work/nightly" "$work/monday"
held 'a deal is renamed' edit /api/v2/deals/3 '{"title": "Renamed at night"}'
held 'the second night is not stale' nightly
held 'it holds the new title' grep -q '"title":"Renamed at night"' "$work/nightly/deals.json"

changes=$("$source_pipedrive" backup diff "$work/monday" "$work/nightly" -o ndjson | grep -c '"change":"modified"')
held 'the diff names one field' test "$changes" = 1
code=0
"$source_pipedrive" backup diff "$work/monday" "$work/nightly" --exit-code -o json >"$work/diff.json" || code=$?
held 'the diff ends with 1 if asked to' test "$code" = 1

# A folder a day.
for day in one two; do
    held "day $day" "$source_pipedrive" backup -q -o table --dir "$work/pipedrive-$day"
    held "day $day verifies" "$source_pipedrive" backup verify "$work/pipedrive-$day" -o table
done
held 'two quiet days do not differ' "$source_pipedrive" backup diff "$work/pipedrive-one" "$work/pipedrive-two" --exit-code -o table
echo "$passed passed, 0 failed"
