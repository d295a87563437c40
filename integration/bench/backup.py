"""Measures backups of a sandbox account, their verification and their diff; see backup.sh.

CPU is user + system seconds, memory the peak of the resident set, as in read.py. Files that are
compared or verified lie in memory, so that no disk is measured.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from read import DEALS, Table, measured, mb, peak, ratio, records, sandbox

ROUNDS = 5
# jq takes its time.
JQ_ROUNDS = 2
# A folder without a disk behind it.
MEMORY = Path("/dev/shm")
# Of a thousand rows, so many differ between two snapshots.
CHANGED_OF_1000 = 10
# Rows of the large snapshots.
LARGE_ROWS = 1_000_000
LARGE_ROW_BYTES = 400


def median(ways, rounds=ROUNDS):
    """The median CPU of each of several commands, measured in turns."""
    spent = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            spent[name].append(way())
    return {name: statistics.median(one) for name, one in spent.items()}


class Backups:
    def __init__(self, program, account, folder):
        self.program, self.account, self.folder = program, account, Path(folder)
        self.config = account.file("config.json", account.config)

    def command(self, name="backup", *flags):
        place = self.folder / name
        shutil.rmtree(place, ignore_errors=True)
        return [
            self.program, "backup", "--config", self.config, "--dir", place, "--resources", "deals",
            "-o", "json", *flags,
        ]


def backup(table, backups, bare, thousands):
    account = backups.account
    loop = [bare, account.origin, account.token, "gzip", *DEALS]
    measured(backups.command())
    cpu = median({
        "backup": lambda: measured(backups.command()).cpu,
        "bare": lambda: measured(loop).cpu,
    })
    table.row("bare loop, gzip: CPU of 100,000 deals", f"{cpu['bare'] / thousands:.3f} s", "", "", None)
    times = cpu["backup"] / cpu["bare"]
    table.row("backup: CPU of 100,000 deals", f"{cpu['backup'] / thousands:.3f} s", ratio(times), "<= 2.50 x", (times, 2.5))
    most = peak(backups.command())
    table.row("backup: peak memory", mb(most), "", "< 64 MB", (most, 64e6))


def verify(table, program, place):
    files = sorted(place.glob("*.json"))
    size = sum(file.stat().st_size for file in files)
    wall = {name: [] for name in ("sha256sum", "0%", "10%", "100%")}
    for _ in range(ROUNDS):
        wall["sha256sum"].append(measured(["sha256sum", *files]).wall)
        for sample in ("0%", "10%", "100%"):
            wall[sample].append(measured([program, "backup", "verify", place, "--sample", sample, "-o", "json"]).wall)
    speed = {name: size / statistics.median(one) for name, one in wall.items()}
    table.row(f"sha256sum of {mb(size)}", f"{speed['sha256sum'] / 1e6:.0f} MB/s", "", "", None)
    share = speed["0%"] / speed["sha256sum"]
    table.row("verify --sample 0%", f"{speed['0%'] / 1e6:.0f} MB/s", ratio(share), ">= 0.50 x", (-share, -0.5))
    for sample in ("10%", "100%"):
        share = speed[sample] / speed["sha256sum"]
        table.row(f"verify --sample {sample}", f"{speed[sample] / 1e6:.0f} MB/s", ratio(share), "", None)


def changed(old, new):
    """A copy of a backup in which one row of a hundred has another title."""
    shutil.copytree(old, new)
    path = new / "deals.json"
    rows = path.read_text().split("\n")
    for number, row in enumerate(rows):
        if number % (1000 // CHANGED_OF_1000) == 1:
            rows[number] = re.sub(r'"title":"', '"title":"renamed ', row, count=1)
    path.write_text("\n".join(rows))


def diff(table, program, old, new):
    files = [old / "deals.json", new / "deals.json"]
    cpu = median({
        "diff": lambda: measured([program, "backup", "diff", old, new, "-o", "json"]).cpu,
        "jq": lambda: measured(["jq", "-S", ".", *files]).cpu,
    }, JQ_ROUNDS)
    size = sum(file.stat().st_size for file in files)
    times = cpu["diff"] / cpu["jq"]
    table.row(f"jq -S . of both files, {mb(size)}: CPU", f"{cpu['jq']:.2f} s", "", "", None)
    table.row("diff of both, 1 % changed: CPU", f"{cpu['diff']:.2f} s", ratio(times), "<= 0.10 x", (times, 0.1))


def large(table, program, folder):
    """Two snapshots of a million rows in pdcli's form, 1 % of them changed."""
    for name, title in (("large-old", "deal"), ("large-new", "renamed")):
        place = folder / name
        place.mkdir()
        with open(place / "deals.json", "w") as file:
            file.write("[\n")
            for number in range(1, LARGE_ROWS + 1):
                what = title if number % 100 == 0 else "deal"
                pad = "x" * (LARGE_ROW_BYTES - 60)
                file.write(f'{{"id":{number},"title":"{what} {number}","note":"{pad}"}}')
                file.write(",\n" if number < LARGE_ROWS else "\n]")
        manifest = {"completed": ["deals"], "counts": {"deals": LARGE_ROWS}}
        (place / "manifest.json").write_text(json.dumps(manifest))
    command = [program, "backup", "diff", folder / "large-old", folder / "large-new", "-o", "json"]
    most = peak(command)
    table.row(f"diff of {LARGE_ROWS:,} rows a side: peak memory", mb(most), "", "< 300 MB", (most, 300e6))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("bare")
    parser.add_argument("--scale", type=float, default=100)
    parser.add_argument("--only", action="append", choices=["backup", "verify", "diff", "large"])
    args = parser.parse_args()
    program, bare = os.path.abspath(args.program), os.path.abspath(args.bare)
    wanted = set(args.only or ["backup", "verify", "diff", "large"])
    begin, table = time.monotonic(), Table()
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        folder = Path(folder)
        with sandbox(program, "--scale", str(args.scale)) as account:
            backups = Backups(program, account, folder)
            if "backup" in wanted:
                backup(table, backups, bare, records(program, account) / 1e5)
            subprocess.run(backups.command("old"), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        old, new = folder / "old", folder / "new"
        if "verify" in wanted:
            verify(table, program, old)
        if "diff" in wanted:
            changed(old, new)
            diff(table, program, old, new)
        if "large" in wanted:
            large(table, program, folder)
    print(f"took {time.monotonic() - begin:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
