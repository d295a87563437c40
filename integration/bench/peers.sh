#!/usr/bin/env bash
# Other connectors beside ours on one simulated account: integration/bench/peers.sh [--scale N]
#
# singer-io's tap-pipedrive as it is on PyPI, its host led to loopback without touching its code; the
# Airbyte CDK with a manifest of our own for deals; source-pipedrive and our tap. Prints the tables that
# docs/comparison.md shows. A ratio that is less than hoped for says `under` and is no failure; a row of
# ours that is missing is.
set -euo pipefail
# shellcheck source=../lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

build
environment pyairbyte pyairbyte/requirements.txt
cdk=$environment/bin/source-declarative-manifest
environment peer-tap bench/peers/tap.txt
"${PYTHON:-python3.11}" "$here/bench/peers.py" "$source_pipedrive" "$tap_pipedrive" \
    "$environment/bin/tap-pipedrive" "$cdk" "$@"
