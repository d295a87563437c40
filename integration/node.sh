#!/usr/bin/env bash
# Reads a sandbox with Pipedrive's own client for Node and compares with plain requests.
#
# SOURCE_PIPEDRIVE names the binary; without it the release binary is built.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install() {
    echo "installing the client"
    (cd "$here/node" && npm ci --silent)
}

command -v node >/dev/null || fail "node is not installed"
build
inputs=(node/package.json node/package-lock.json)
once "$here/node/node_modules/.stamp" install
sandbox "$work/config.json" --seed 7 --scale 1
node "$here/node/read.js" "$work/config.json"
