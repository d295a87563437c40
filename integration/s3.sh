#!/usr/bin/env bash
# Warehouses on S3: moto's server from PyPI and Ceph's gateway from Debian, both installed and
# started here. First and later runs, kills at every step (on one of the two), races, outages, wrong keys.
#
# SOURCE_PIPEDRIVE names the binary; without it the release binary is built. KEEP=1 keeps what the
# servers said. EVERY is the number of steps between kills on each of the two; 1 kills at all of them on
# both.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=lake.sh
source "$here/lake.sh"

build
lake
for program in radosgw ceph-mon ceph-osd ceph; do
    debian "$program" radosgw ceph-mon ceph-osd ceph-common
done

# Large enough that every edit finds its row, small enough to be read some hundred times.
sandbox "$work/account.json" --seed 5 --scale "${SCALE:-0.03}"
sandbox "$work/slow.json" --seed 6 --scale 1 --latency-ms 150
"$python" "$here/lake/s3.py" "$source_pipedrive" "$work/account.json" "$work/slow.json" "$work" \
    --every "${EVERY:-2}"
