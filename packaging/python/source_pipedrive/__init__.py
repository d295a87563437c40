"""Where the program lies, and how PyAirbyte runs it."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

__all__ = ["get_source", "main", "program", "tap"]

_NAME = "source-pipedrive" + (".exe" if os.name == "nt" else "")


def program():
    """The path of `source-pipedrive`, which the wheel has put beside the interpreter."""
    schemes = [sysconfig.get_path("scripts")]
    if hasattr(sysconfig, "get_preferred_scheme"):
        schemes.append(sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user")))
    # What `pip install --target DIR` makes of scripts.
    schemes.append(str(Path(__file__).parent.parent / "bin"))
    for folder in schemes:
        path = Path(folder) / _NAME
        if path.is_file():
            return path
    raise FileNotFoundError(f"{_NAME} lies in none of {', '.join(schemes)}; install the wheel again")


def get_source(config=None, **options):
    """PyAirbyte's source over this program: `airbyte.get_source` with its name and place filled in.

    Needs the package `airbyte`. `options` are those of `airbyte.get_source`, `streams` for one.
    """
    # Without it PyAirbyte looks the connector up in its registry, although it is here.
    os.environ.setdefault("AIRBYTE_OFFLINE_MODE", "1")
    import airbyte

    return airbyte.get_source(
        "source-pipedrive", config=config, local_executable=str(program()), **options
    )


def main():
    """Becomes `source-pipedrive`, with the arguments of this process."""
    _become([])


def tap():
    """Becomes `tap-pipedrive`, the Singer tap."""
    _become(["tap"])


def _become(command):
    arguments = [str(program()), *command, *sys.argv[1:]]
    sys.stdout.flush()
    if os.name == "nt":
        # There, a process cannot become another one.
        sys.exit(subprocess.run(arguments).returncode)
    os.execv(arguments[0], arguments)
