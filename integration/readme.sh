#!/usr/bin/env bash
# README and guides as their readers use them: installed by cargo, every command run, every link followed;
# and the packaging files, compared with the programs.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=lake.sh
source "$here/lake.sh"

debian jq jq
debian curl curl
lake
# `duckdb` is a command of the environment.
PATH=$environment/bin:$PATH
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
"$python" "$here/readme.py" "$root" "$work/config.json" "$work/reader"

echo; echo "== packaging"
"$python" "$root/packaging/check.py" "$source_pipedrive" "$tap_pipedrive"
