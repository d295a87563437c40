#!/usr/bin/env bash
# What backups cost, held against a bare download, sha256sum and jq: integration/bench/backup.sh
#
# Builds the program and the loop, installs jq, then measures; prints one table. A missed target
# says `over` and is no failure: machines are noisy. Arguments go to backup.py.
set -euo pipefail
# shellcheck source=../lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=../lake.sh
source "$here/lake.sh"

build
debian jq jq
target=${CARGO_TARGET_DIR:-$root/target}
cd "$root"
cargo build --release --quiet --manifest-path integration/bench/bare/Cargo.toml --target-dir "$target/bare"
TMPDIR=$work "${PYTHON:-python3.11}" integration/bench/backup.py "$source_pipedrive" "$target/bare/release/bare" "$@"
