#!/usr/bin/env bash
# A random campaign over the embedded sandbox: warehouses, backups, Airbyte reads and the Singer tap are
# interrupted, given wrong responses, and edited meanwhile. Then the account stands still, one whole run
# follows, and what it leaves behind must be the account. A round is its seed, printed before it; the same seed is the same
# round, but for what happens side by side inside of a run.
#
# integration/campaign.sh [--rounds N] [--seed S]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

rounds=500
seed=1
while (($# > 0)); do
    case $1 in
    --rounds) rounds=${2:?a number of rounds} ;;
    --seed) seed=${2:?the seed of the first round} ;;
    *)
        echo "usage: integration/campaign.sh [--rounds N] [--seed S]" >&2
        exit 64
        ;;
    esac
    shift 2
done
CAMPAIGN_ROUNDS=$rounds CAMPAIGN_SEED=$seed exec cargo test --locked --quiet --test it -- \
    --exact campaign::a_random_campaign_ends_equal_to_the_account --nocapture
