#!/usr/bin/env bash
# What a read costs, held against a bare download loop: integration/bench/read.sh
#
# Builds the program and the loop, then measures; prints one table. A missed target says `over`
# and is no failure: machines are noisy.
set -euo pipefail
cd "$(dirname "$0")/../.."

cargo build --release
release="${CARGO_TARGET_DIR:-target}/release"
bare="${CARGO_TARGET_DIR:-target}/bare"
cargo build --release --manifest-path integration/bench/bare/Cargo.toml --target-dir "$bare"
cargo bench --bench splice --no-run
python3 integration/bench/read.py "$release/source-pipedrive" "$bare/release/bare" "$@"
