#!/usr/bin/env bash
# Query engines on a Parquet warehouse as it stands: DuckDB, Polars, PySpark and pyarrow on disk,
# DuckDB and Polars on S3, each held against the account itself, before and after edits.
#
# SOURCE_PIPEDRIVE names the binary; without it the release binary is built. SCALE is the size of
# the account in thousands of deals. KEEP=1 keeps the warehouse.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=lake.sh
source "$here/lake.sh"

build
lake
debian java openjdk-17-jre-headless

sandbox "$work/account.json" --seed 9 --scale "${SCALE:-0.3}"
"$python" "$here/lake/engines.py" "$source_pipedrive" "$work/account.json" "$work"
