# shellcheck shell=bash
# What the checks of this folder share: building, a sandbox, and leaving nothing behind.
# Sourced, never run. Everything lands in $work, which is removed at the end.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
work=$(mktemp -d)
children=()

finish() {
    local status=$? pid
    for pid in "${children[@]}"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    # KEEP=1 leaves the captured output behind for a look.
    if [[ -n ${KEEP:-} ]]; then echo "kept $work"; else rm -rf "$work"; fi
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# Sets $source_pipedrive to an absolute path: the binary SOURCE_PIPEDRIVE names, or a fresh build; and
# $tap_pipedrive to the same under its other name.
build() {
    if [[ -n ${SOURCE_PIPEDRIVE:-} ]]; then
        source_pipedrive=$(realpath "$SOURCE_PIPEDRIVE")
    else
        echo "building the release binary"
        (cd "$root" && cargo build --release --quiet) || fail "the build"
        source_pipedrive=${CARGO_TARGET_DIR:-$root/target}/release/source-pipedrive
    fi
    tap_pipedrive=$work/tap-pipedrive
    ln -sf "$source_pipedrive" "$tap_pipedrive"
    [[ -x $source_pipedrive ]] || fail "$source_pipedrive is not executable"
    "$source_pipedrive" --version
}

# Starts a sandbox on a port of the system's choosing; its configuration goes to the file named
# first, the other arguments to the sandbox.
sandbox() {
    local config=$1 log=$1.log tries
    shift
    : >"$config"
    "$source_pipedrive" sandbox "$@" >"$config" 2>"$log" &
    children+=("$!")
    # The configuration is one line, printed once the port is open.
    for ((tries = 0; tries < 100; tries++)); do
        if [[ $(wc -l <"$config") -gt 0 ]]; then
            return
        fi
        kill -0 "${children[-1]}" 2>/dev/null || break
        sleep 0.1
    done
    cat "$log" >&2
    fail "the sandbox did not start"
}

# Sets $environment to the Python environment of this name, with what the list names; made when it is
# not there yet, or the list has changed.
environment() {
    environment=$here/.venv-$1
    # shellcheck disable=SC2034 # read by once
    inputs=("$2")
    once "$environment/.stamp" install_environment "$1" "$2"
}

install_environment() {
    echo "installing the environment of $1"
    rm -rf "$environment"
    "${PYTHON:-python3.11}" -m venv "$environment" &&
        # The list is complete, so nothing is left to resolve.
        "$environment/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-compile \
            -r "$here/$2"
}

# Runs the rest of the arguments unless the stamp named first already holds the checksum of the
# files named in $inputs; a second run costs nothing. Of several scripts at once, one does it.
once() {
    local stamp=$1 sum
    shift
    sum=$(cd "$here" && sha256sum "${inputs[@]}")
    {
        flock 8
        if [[ -f $stamp && $(<"$stamp") == "$sum" ]]; then
            return
        fi
        rm -f "$stamp"
        "$@" || fail "$*"
        echo "$sum" >"$stamp"
    } 8<"${BASH_SOURCE[0]}"
}
