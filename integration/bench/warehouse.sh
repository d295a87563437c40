#!/usr/bin/env bash
# What a warehouse costs, held against DuckDB and a bare download: integration/bench/warehouse.sh
#
# Builds the program and the loop, installs DuckDB, then measures; prints one table. A missed target
# says `over` and is no failure: machines are noisy. Arguments go to warehouse.py.
set -euo pipefail
# shellcheck source=../lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=../lake.sh
source "$here/lake.sh"

build
lake
target=${CARGO_TARGET_DIR:-$root/target}
cd "$root"
cargo build --release --quiet --manifest-path integration/bench/bare/Cargo.toml --target-dir "$target/bare"
cargo bench --quiet --bench parquet --no-run
TMPDIR=$work "$python" integration/bench/warehouse.py "$source_pipedrive" "$target/bare/release/bare" "$@"
