#!/usr/bin/env bash
# What bundles cost, held against a short Python program that does the same: integration/bench/bundle.sh
#
# Builds the program, then measures; prints one table. A missed target says `over` and is no failure:
# machines are noisy. Rows that are missing or come twice are one, and so is more than --memory-max.
# Arguments go to bundle.py.
set -euo pipefail
# shellcheck source=../lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

build
cd "$root"
TMPDIR=$work "${PYTHON:-python3.11}" integration/bench/bundle.py "$source_pipedrive" "$@"
