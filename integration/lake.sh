# shellcheck shell=bash
# What the checks of warehouses share: one Python environment, and programs from Debian.
# Sourced after lib.sh, never run.

# Sets $python to the one of the environment, made when it is not there.
lake() {
    local environment=$here/.venv-lake
    # shellcheck disable=SC2034 # read by once
    inputs=(lake/requirements.txt)
    once "$environment/.stamp" install_lake "$environment"
    python=$environment/bin/python
    # account.py is shared with PyAirbyte's checks.
    export PYTHONPATH=$here/lake:$here/pyairbyte PYTHONDONTWRITEBYTECODE=1
}

install_lake() {
    echo "installing S3 server and engines"
    rm -rf "$1"
    "${PYTHON:-python3.11}" -m venv "$1" &&
        # The list is complete, so nothing is left to resolve.
        "$1/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-compile \
            -r "$here/lake/requirements.txt"
}

# Makes the program named first available by installing the Debian packages named after it.
debian() {
    local program=$1
    shift
    if command -v "$program" >/dev/null; then
        return
    fi
    [[ $(id -u) -eq 0 ]] || fail "$program is missing; as root: apt-get install $*"
    echo "installing $*"
    # A package list that is there already will mostly do.
    install_debian "$@" || { apt-get update -qq && install_debian "$@"; } || fail "installing $*"
}

install_debian() {
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends "$@" \
        >"$work/apt.log" 2>&1
}
