"""Measures bundles of a sandbox account; see bundle.sh.

CPU is user + system seconds, memory the peak of the resident set, both of the program alone, as in
read.py. The other CRM is served by the sandbox; what it takes is not counted.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from read import Table, mb, ratio, sandbox

KEY = "adcrm_test_first"
BACKED_UP = (
    "users,pipelines,stages,organization_fields,person_fields,deal_fields,lead_labels,activity_types,"
    "organizations,persons,deals,leads,activities"
)
# The Python program holds everything in memory: it is compared where that is little.
PLAIN_SCALE = 10
PUSH_MEMORY_MAX = 256e6
# What is remembered of a row when it is checked, with room to grow.
VALIDATE_ROW_BYTES = 24 * 1.25
# And when it is made: 25 bytes in a table that is at least 7/16 full, beside the one of half its size while
# it grows.
EXPORT_ROW_BYTES = 25 * 16 / 7 * 1.5
# Below so many rows more, growth is that of buffers.
GROWTH_ROWS_MIN = 100_000


@dataclass
class Run:
    wall: float
    cpu: float
    peak: int
    said: dict


def run(*command):
    """Runs a command to its end and reads what it printed."""
    with tempfile.TemporaryFile() as out:
        begin, most = time.monotonic(), 0
        child = subprocess.Popen(list(map(str, command)), stdout=out, stderr=subprocess.DEVNULL)
        status = Path(f"/proc/{child.pid}/status")
        while True:
            found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
            most = max(most, int(found[1]) * 1024 if found else 0)
            pid, ended, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            time.sleep(0.005)
        wall = time.monotonic() - begin
        child.returncode = os.waitstatus_to_exitcode(ended)
        if child.returncode != 0:
            raise SystemExit(f"exit code {child.returncode}: {' '.join(map(str, command))}")
        out.seek(0)
        return Run(wall, usage.ru_utime + usage.ru_stime, most, json.loads(out.read()))


class Bundles:
    def __init__(self, program, account, folder):
        self.program, self.account, self.folder = program, account, Path(folder)
        self.config = account.file("config.json", account.config)
        os.environ["DRIPPULSE_BASE_URL"], os.environ["DRIPPULSE_API_KEY"] = account.origin, KEY

    def __call__(self, what, *arguments):
        return run(self.program, "bundle", what, *arguments, "-o", "json")

    def export(self, name):
        return self("export", "--config", self.config, "--out", self.folder / name)

    def backup(self, place):
        """A backup of what a bundle is made of, and its export."""
        run(self.program, "backup", "--config", self.config, "--dir", place, "--resources", BACKED_UP, "-o", "json")
        return self("export", "--from", place, "--out", self.folder / "backup.json")


def held(what, found, expected):
    if found != expected:
        raise SystemExit(f"{what}: {found}, expected {expected}")


def same(what, bundles, old, new, *flags):
    """Two bundles must be equal; what it took to see that."""
    diff = bundles("diff", old, new, *flags)
    summary = diff.said["summary"]
    held(f"differences, {what}", [summary[key] for key in ("added", "removed", "modified")], [0, 0, 0])
    return diff


def whole(table, bundles, small, memory_max):
    """Every command over the account, and its memory against that of an account of a tenth: what took
    more memory than it may."""
    bundle, there, place = (bundles.folder / name for name in ("a.json", "there.json", "backup"))
    export = bundles.export("a.json")
    rows, over = export.said["rows"], []

    def row(what, of, limit=None):
        speed = f"{rows / of.wall:,.0f} rows/s"
        table.row(f"{what}: {rows:,} rows", speed, "", "", None)
        table.row(f"{what}: CPU of 100,000 rows", f"{of.cpu / rows * 1e5:.2f} s", "", "", None)
        growth = ratio(of.peak / small[what].peak) if what in small else ""
        target = "" if limit is None else f"< {limit / 1e6:.0f} MB"
        table.row(f"{what}: peak memory", mb(of.peak), growth, target, limit and (of.peak, limit))

    def bounded(what, of, row_bytes):
        row(what, of, memory_max)
        if of.peak > memory_max:
            over.append(f"{what} took {mb(of.peak)}")
        more = rows - small["export"].said["rows"]
        if more >= GROWTH_ROWS_MIN:
            each = (of.peak - small[what].peak) / more
            table.row("  more for each row more", f"{each:.0f} B", "", f"<= {row_bytes:.0f} B", (each, row_bytes))

    bounded("export", export, EXPORT_ROW_BYTES)
    backup = bundles.backup(place)
    held("rows of the backup", backup.said["rows"], rows)
    same("account and backup", bundles, bundle, bundles.folder / "backup.json")
    bounded("export of a backup", backup, EXPORT_ROW_BYTES)
    validate = bundles("validate", bundle)
    held("findings", validate.said["total"], 0)
    bounded("validate", validate, VALIDATE_ROW_BYTES)
    push = bundles("push", "--yes", bundle)
    held("pushed, verified", (push.said["pushed"], push.said["verified"]), (rows, rows))
    held("change events", push.said["change_events"]["imported"], rows)
    row("push", push, PUSH_MEMORY_MAX)
    again = bundles("push", "--yes", bundle)
    held("pushed again, verified", (again.said["pushed"], again.said["verified"]), (0, rows))
    row("push, nothing to do", again)
    row("pull", bundles("pull", "--out", there))
    row("diff", same("sent and fetched", bundles, bundle, there, "--ignore", "pipeline_id,pipeline_stage_id"))
    return over


def plain(table, program, scale):
    """The same push by a short Python program, on an account of its own."""
    ways = {}
    for way in ("ours", "plain"):
        with account(program, scale) as bundles:
            bundles.export("a.json")
            if way == "ours":
                ways[way] = bundles("push", "--yes", bundles.folder / "a.json")
            else:
                script = Path(__file__).parent / "plain.py"
                ways[way] = run(sys.executable, script, bundles.folder / "a.json", bundles.account.origin, KEY)
    held("verified by both", ways["plain"].said["verified"], ways["ours"].said["verified"])
    rows = ways["ours"].said["verified"]
    cpu = {way: of.cpu / rows * 1e5 for way, of in ways.items()}
    table.row(f"plain.py, push of {rows:,} rows: CPU of 100,000", f"{cpu['plain']:.2f} s", "", "", None)
    times = cpu["plain"] / cpu["ours"]
    table.row("push: CPU of 100,000 rows, against plain.py", f"{cpu['ours']:.2f} s", f"1/{times:.1f}", "<= 1/1.5", (-times, -1.5))
    less = ways["plain"].peak / ways["ours"].peak
    table.row("push: peak memory, against plain.py", mb(ways["ours"].peak), f"1/{less:.1f}", "<= 1/5", (-less, -5))


@contextmanager
def account(program, scale):
    with tempfile.TemporaryDirectory() as folder, sandbox(program, "--scale", str(scale)) as served:
        yield Bundles(program, served, folder)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--scale", type=float, default=100)
    parser.add_argument("--memory-max", type=float, default=256, help="MiB that export and validate may take")
    args = parser.parse_args()
    program = os.path.abspath(args.program)
    begin, table = time.monotonic(), Table()
    with account(program, args.scale / 10) as bundles:
        bundle = bundles.folder / "a.json"
        small = {"export": bundles.export("a.json"), "export of a backup": bundles.backup(bundles.folder / "backup")}
        small["validate"] = bundles("validate", bundle)
        small["push"] = bundles("push", "--yes", bundle)
    with account(program, args.scale) as bundles:
        over = whole(table, bundles, small, args.memory_max * (1 << 20))
    plain(table, program, min(PLAIN_SCALE, args.scale))
    print(f"took {time.monotonic() - begin:.0f} s", file=sys.stderr)
    if over:
        raise SystemExit(f"more than --memory-max {args.memory_max:g} MiB: {', '.join(over)}")


if __name__ == "__main__":
    main()
