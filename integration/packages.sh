#!/usr/bin/env bash
# What is installed without cargo and without Python: the static program for Linux, and a Debian package of
# it, which lintian accepts. And the sources are type-checked for Windows.
#
# PROFILE is cargo's profile of the static program; a release has `release`.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=lake.sh
source "$here/lake.sh"

profile=${PROFILE:-dev}
static=x86_64-unknown-linux-musl
windows=x86_64-pc-windows-gnu
cargo_deb=3.8.0
target=${CARGO_TARGET_DIR:-$root/target}
package=$target/debian/source-pipedrive.deb
passed=0

held() {
    "${@:2}" || fail "$1"
    echo "ok  $1"
    passed=$((passed + 1))
}

# Runs a command that talks a lot; what it said is shown if it fails.
quietly() { "$@" >"$work/said.txt" 2>&1 || { tail -n 40 "$work/said.txt" >&2; return 1; }; }

needs_nothing() { ! readelf --dynamic "$1" | grep -q NEEDED; }

debian musl-gcc musl-tools
debian lintian lintian
debian x86_64-w64-mingw32-gcc gcc-mingw-w64-x86-64-win32
cd "$root"
held 'the standard libraries of both targets' quietly rustup target add "$static" "$windows"
if [[ $("$target/tools/bin/cargo-deb" --version 2>/dev/null) != "$cargo_deb" ]]; then
    held 'cargo-deb' quietly env CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off \
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
        cargo install cargo-deb --version "$cargo_deb" --locked --root "$target/tools"
fi

echo; echo "== Windows"
held 'the program type-checks for Windows' quietly env RUSTFLAGS="-D warnings" cargo check --locked --bins --target "$windows"

echo; echo "== static"
held 'the program is built for musl' quietly cargo build --locked --profile "$profile" --target "$static"
folder=$profile
[[ $profile == dev ]] && folder=debug
program=$target/$static/$folder/source-pipedrive
held 'it needs no library' needs_nothing "$program"
held 'it reads the simulated account' quietly "$program" sync warehouse --sandbox --format parquet \
    --dir "$work/warehouse"

echo; echo "== Debian"
mkdir -p "$target/completions"
for shell in bash zsh fish; do
    "$program" completions "$shell" >"$target/completions/source-pipedrive.$shell"
done
held 'cargo deb makes the package' quietly "$target/tools/bin/cargo-deb" deb --no-build --locked \
    --profile "$profile" --target "$static" --output "$package"
lintian --fail-on error,warning "$package" || fail 'lintian'
held 'lintian finds neither errors nor warnings' true
dpkg-deb --extract "$package" "$work/installed"
held 'it holds the program' quietly "$work/installed/usr/bin/source-pipedrive" --version
held 'and its other name' quietly "$work/installed/usr/bin/tap-pipedrive" --about
held 'and the pages of man' test -s "$work/installed/usr/share/man/man1/source-pipedrive-backup.1.gz"
held 'and the units' test -s "$work/installed/usr/lib/systemd/system/pipedrive-backup.timer"
ls -l "$package" "$program" | awk '{print $5, $9}'
echo "$passed passed, 0 failed"
