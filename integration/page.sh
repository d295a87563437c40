#!/usr/bin/env bash
# The page of `backup diff -o html` in Debian's chromium, headless: filters, sorting, 50,000 changes, and
# markup in the data that stays text.
#
# SOURCE_PIPEDRIVE names the binary; without it the release binary is built. SHOTS names a folder for
# screenshots.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=lake.sh
source "$here/lake.sh"

install() {
    echo "installing the browser's remote control"
    (cd "$here/page" && npm ci --silent)
}

command -v node >/dev/null || fail "node is not installed"
build
debian chromium chromium
inputs=(page/package.json page/package-lock.json)
once "$here/page/node_modules/.stamp" install
node "$here/page/check.js" "$source_pipedrive" "$work" "${SHOTS:-$work}"
