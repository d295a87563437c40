#!/usr/bin/env bash
# What odd pages of 1, 2 and 4 MB cost, and a page of 20,000 unknown keys: integration/bench/odd.sh
#
# Prints one table. Ends with 1 where twice the page costs more than 2.5 times as much CPU time.
set -euo pipefail
cd "$(dirname "$0")/../.."

cargo bench --bench odd
