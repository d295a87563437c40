#!/usr/bin/env bash
# Feeds damaged pages, manifests, bundles and states to the readers, for a bounded time each. Not part
# of CI: the fuzzer's build takes minutes, and what it finds depends on its dice.
#
#   integration/fuzz.sh [--seconds N] [TARGET...]     60 seconds each, all targets
#
# What is found lies below fuzz/artifacts; --again FILE TARGET runs it once more.
set -euo pipefail
# Targets that have files write them into memory, where there is such a folder.
if [[ -w /dev/shm ]]; then export TMPDIR=/dev/shm; fi
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The fuzzer's driver. Without a sanitizer its instrumentation needs no other compiler than ours.
version=0.13.1

seconds=60 again='' targets=()
while [[ $# -gt 0 ]]; do
    case $1 in
        --seconds) seconds=${2:?a number of seconds}; shift 2 ;;
        --again) again=$(realpath "${2:?a file}"); shift 2 ;;
        *) targets+=("$1"); shift ;;
    esac
done
[[ ${#targets[@]} -gt 0 ]] || targets=(page manifest bundle state)

tools=$root/fuzz/target/tools
export PATH="$tools/bin:$PATH"
if [[ $(cargo fuzz --version 2>/dev/null) != "cargo-fuzz $version" ]]; then
    echo "installing cargo-fuzz $version"
    cargo install --quiet --locked --root "$tools" --version "$version" cargo-fuzz || fail "cargo-fuzz"
fi

"$root/fuzz/seeds.sh" "$root/fuzz/corpus"
export TMPDIR=$work
cd "$root"
for target in "${targets[@]}"; do
    echo "== $target, $seconds seconds"
    # Memory errors cannot be made without unsafe code; what is looked for are panics, endless work
    # and memory without bounds.
    if [[ -n $again ]]; then
        cargo fuzz run --sanitizer none "$target" "$again"
        continue
    fi
    cargo fuzz run --sanitizer none "$target" -- \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
        || fail "$target: the input lies in fuzz/artifacts/$target"
done
echo "every target ran for $seconds seconds"
