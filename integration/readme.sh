#!/usr/bin/env bash
# The README as its reader uses it: installed by cargo, every command run, every link followed; and what
# is packaged for installers, held against the programs.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=lake.sh
source "$here/lake.sh"

debian jq jq
lake
if [[ -z ${SOURCE_PIPEDRIVE:-} ]]; then
    echo "installing with cargo"
    cargo install --path "$root" --locked --quiet --root "$work/installed" \
        --target-dir "${CARGO_TARGET_DIR:-$root/target}" || fail "cargo install"
    export SOURCE_PIPEDRIVE=$work/installed/bin/source-pipedrive
fi
build
PATH=$(dirname "$source_pipedrive"):$PATH
ls -l "$source_pipedrive" "$tap_pipedrive" | awk '{print $5, $9}'

echo; echo "== commands and links"
sandbox "$work/config.json" --seed 7 --scale 0.1
mkdir "$work/reader"
cp "$work/config.json" "$work/reader/config.json"
# What the README takes for given: two backups with a day between them.
"$source_pipedrive" backup -q --config "$work/config.json" --dir "$work/reader/monday" >"$work/monday.json"
"$source_pipedrive" backup -q --config "$work/config.json" --dir "$work/reader/tuesday" >"$work/tuesday.json"
"$python" "$here/readme.py" "$root/README.md" "$work/config.json" "$work/reader"

echo; echo "== packaging"
"$python" "$root/packaging/check.py" "$source_pipedrive" "$tap_pipedrive"
