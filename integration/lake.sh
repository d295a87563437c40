# shellcheck shell=bash
# What the checks of warehouses share: one Python environment, and programs from Debian.
# Sourced after lib.sh, never run.

# Sets $python to the one of the environment, made when it is not there.
lake() {
    environment lake lake/requirements.txt
    python=$environment/bin/python
    # account.py is shared with the checks of orchestrators.
    export PYTHONPATH=$here/lake:$here/pyairbyte PYTHONDONTWRITEBYTECODE=1
}

# Makes the program named first available by installing the Debian packages named after it.
debian() {
    local program=$1
    shift
    if command -v "$program" >/dev/null; then
        return
    fi
    [[ $(id -u) -eq 0 ]] || fail "$program is missing; as root: apt-get install $*"
    {
        # One script at a time: the package manager does not wait.
        flock 8
        echo "installing $*"
        # A package list that is there already will mostly do.
        install_debian "$@" || { apt-get update -qq && install_debian "$@"; } || fail "installing $*"
    } 8<"${BASH_SOURCE[0]}"
}

install_debian() {
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends "$@" \
        >"$work/apt.log" 2>&1
}
