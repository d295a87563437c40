#!/usr/bin/env bash
# The wheel, as its users install it: built here, then by pip, uv, pipx and Meltano's pip_url, into
# environments that have no cargo; run under both names, as a module, by PyAirbyte and by Meltano.
#
# PROFILE is the profile of cargo it is built in.
set -euo pipefail
# shellcheck source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

environment wheel wheel/requirements.txt
tools=$environment/bin
environment meltano meltano/meltano.txt
meltano=$environment/bin/meltano
environment pyairbyte pyairbyte/requirements.txt
pyairbyte=$environment
export AIRBYTE_OFFLINE_MODE=1 DO_NOT_TRACK=1 NO_LIVE_PROGRESS=1 PYTHONDONTWRITEBYTECODE=1
passed=0

held() {
    "${@:2}" || fail "$1"
    echo "ok  $1"
    passed=$((passed + 1))
}

# Runs a command that talks a lot; what it said is shown if it fails.
quietly() { "$@" >"$work/said.txt" 2>&1 || { tail -n 40 "$work/said.txt" >&2; return 1; }; }

# Whether a command answers with the version.
is_version() { [[ $("$@" --version) == *" $version" ]]; }

cd "$root"
version=$(sed -nE 's/^version = "(.*)"/\1/p' Cargo.toml | head -1)
"$tools/maturin" build --profile "${PROFILE:-release}" --locked --out "$work/wheels" \
    --compatibility linux >"$work/built.txt" 2>&1 || { cat "$work/built.txt" >&2; fail 'the build'; }
wheel=$(echo "$work"/wheels/*.whl)
echo "$(basename "$wheel"), $(stat -c %s "$wheel") bytes"
held 'the wheel is of this version, for any Python 3' test "${wheel#*source_pipedrive-"$version"-py3-none-}" != "$wheel"

# PyAirbyte leaves a cache where it stands.
cd "$work"
# From here on there is no cargo: folders that hold one leave the path.
PYTHON=$(command -v "${PYTHON:-python3.11}")
export PYTHON
without=
while read -rd: folder; do
    [[ -x $folder/cargo ]] || without+=:$folder
done <<<"$PATH:"
PATH=${without#:}
export UV_CACHE_DIR=$work/cache PIPX_HOME=$work/pipx PIPX_BIN_DIR=$work/pipx-bin
held 'cargo is not on the path' test -z "$(command -v cargo)"

echo; echo "== installed"
"$PYTHON" -m venv "$work/pip"
"$work/pip/bin/pip" install --quiet --disable-pip-version-check "$wheel"
held 'pip: source-pipedrive' is_version "$work/pip/bin/source-pipedrive"
held 'pip: tap-pipedrive' is_version "$work/pip/bin/tap-pipedrive"
held 'pip: python -m source_pipedrive' is_version "$work/pip/bin/python" -m source_pipedrive
"$tools/uv" venv --quiet --python "$PYTHON" "$work/uv"
VIRTUAL_ENV=$work/uv "$tools/uv" pip install --quiet "$wheel"
held 'uv: source-pipedrive' is_version "$work/uv/bin/source-pipedrive"
held 'uv: tap-pipedrive' is_version "$work/uv/bin/tap-pipedrive"
"$tools/pipx" install --quiet --python "$PYTHON" "$wheel" >"$work/pipx.txt" 2>&1 ||
    { cat "$work/pipx.txt" >&2; fail 'pipx'; }
held 'pipx: source-pipedrive' is_version "$work/pipx-bin/source-pipedrive"
held 'pipx: tap-pipedrive' is_version "$work/pipx-bin/tap-pipedrive"
"$PYTHON" -m pip install --quiet --disable-pip-version-check --target "$work/target" "$wheel"
held 'pip --target: the module finds the program' \
    env PYTHONPATH="$work/target" "$PYTHON" -c \
    'import source_pipedrive, subprocess; subprocess.run([source_pipedrive.program(), "--version"], check=True)'

echo; echo "== a run"
source_pipedrive=$work/pip/bin/source-pipedrive
"$source_pipedrive" sync warehouse --sandbox --dir "$work/warehouse" -o json >"$work/sync.json"
held 'the main job, without cargo' test -s "$work/warehouse/manifest.json"
sandbox "$work/config.json" --seed 7 --scale 0.05

# PyAirbyte's environment has what PyAirbyte needs; ours is beside it.
held 'PyAirbyte, as docs/guide/airbyte.md has it' quietly \
    env PYTHONPATH="$work/pip/lib/python3.11/site-packages" \
    PATH="$work/pip/bin:$PATH" "$pyairbyte/bin/python" - "$root/docs/guide/airbyte.md" "$work/pip/bin" <<'END'
import re, sys, sysconfig
from pathlib import Path
# As if the wheel were in this environment, whose list is pinned.
sysconfig.get_path = (lambda known: lambda name, *more: sys.argv[2] if name == "scripts" else known(name, *more))(sysconfig.get_path)
[recipe] = re.findall(r"```python\n(import .*?)```", Path(sys.argv[1]).read_text(), re.DOTALL)
names = {}
exec(recipe, names)
frame = names["deals"]
assert len(frame) > 40 and "title" in frame, frame
print(len(frame), "deals in a data frame")
END

mkdir "$work/project"
"$PYTHON" - "$root" "$work" "$wheel" <<'END'
import json, sys
from pathlib import Path

root, work, wheel = map(Path, sys.argv[1:])
plugin = (root / "packaging/meltano/tap-pipedrive.yml").read_text()
at = "      executable: tap-pipedrive\n"
assert plugin.count(at) == 1
(work / "project/tap-pipedrive.yml").write_text(plugin.replace(at, f"      pip_url: {wheel}\n{at}"))
(work / "project/meltano.yml").write_text((root / "packaging/meltano/meltano.yml").read_text())
config = json.loads((work / "config.json").read_text())
(work / "project/.env").write_text(
    f"TAP_PIPEDRIVE_API_TOKEN={config['credentials']['api_token']}\n"
    f"TAP_PIPEDRIVE_BASE_URL={config['base_url']}\n"
)
END
cd "$work/project"
mkdir output
export MELTANO_SEND_ANONYMOUS_USAGE_STATS=false MELTANO_CLI_LOG_LEVEL=warning
held 'Meltano installs it by pip_url' quietly "$meltano" install
held 'and runs it into a target' quietly "$meltano" run tap-pipedrive target-jsonl
held 'which has the deals' test "$(wc -l <"$(echo output/deals*.jsonl)")" -gt 40
held 'with their phones' grep -q '"phones"' "$(echo output/persons*.jsonl)"
echo "$passed passed, 0 failed"
