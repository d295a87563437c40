"""Measures runs of `sync warehouse` over sandbox accounts; see warehouse.sh.

CPU is user + system seconds, memory the peak of the resident set, as in read.py. DuckDB is timed
inside its process, around the one statement, so that neither Python nor its start is counted.
"""

import argparse
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
# A folder without a disk behind it.
MEMORY = Path("/dev/shm")
# What a sandbox of 1,000,000 deals takes, and room for others.
SPARE_KB = 8_000_000

DUCKDB = """
import duckdb, sys, time
database = duckdb.connect()
database.execute("set threads = 1; set timezone = 'UTC'")
begin = time.process_time()
database.execute(sys.stdin.read())
print(time.process_time() - begin)
"""


class Runs:
    """Runs of the program, each into a folder of its own."""

    def __init__(self, program, account, root=None):
        self.program, self.account = program, account
        self.root, self.count = Path(root or tempfile.mkdtemp()), 0

    def command(self, form, *flags):
        self.count += 1
        self.place = self.root / str(self.count)
        config = self.account.file("config.json", self.account.config)
        return [
            self.program, "sync", "warehouse", "--config", config, "--dir", self.place,
            "--format", form, "--resources", "deals", "-o", "json", *flags,
        ]

    def cpu(self, form):
        spent = measured(self.command(form)).cpu
        self.forget()
        return spent

    def forget(self):
        shutil.rmtree(self.place, ignore_errors=True)


def conversion(table, folder):
    """JSON to Parquet without a download: the program's own benchmark, and DuckDB on its records."""
    out = subprocess.run(
        ["cargo", "bench", "--quiet", "--bench", "parquet", "--", "--out", folder],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ).stdout
    # Readable names come first, with columns of labels that DuckDB does not make; then hashes.
    named, ours = map(float, re.findall(r"(\S+) CPU s per 100,000", out))
    what, count = re.search(r"((\d+) deals, \d+ bytes each)", out).groups()
    query = (folder / "deals.sql").read_text().replace("{folder}", str(folder))
    other = min(
        float(
            subprocess.run(
                [sys.executable, "-c", DUCKDB], check=True, input=query, stdout=subprocess.PIPE, text=True
            ).stdout
        )
        for _ in range(ROUNDS)
    ) * 1e5 / int(count)
    table.row(f"DuckDB, one thread: {what}", f"{other:.3f} s", "", "", None)
    table.row("JSON to Parquet: CPU of 100,000", f"{ours:.3f} s", ratio(ours / other), "<= 0.80 x", (ours / other, 0.8))
    table.row("  with readable names and labels", f"{named:.3f} s", ratio(named / other), "", None)
    size = sum(part.stat().st_size for part in folder.glob("deals-*.parquet"))
    its_size = (folder / "duckdb.parquet").stat().st_size
    table.row("  file size", mb(size), ratio(size / its_size), "<= 1.10 x", (size / its_size, 1.1))


def speed(table, program, bare, account):
    thousands = records(program, account) / 1e5
    bare_gzip = [bare, account.origin, account.token, "gzip", *DEALS]
    disk = Runs(program, account)
    # What the system takes to write to a disk differs much between machines, and is not ours.
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        memory = Runs(program, account, folder)
        memory.cpu("parquet")
        ways = {
            "parquet": lambda: memory.cpu("parquet"),
            "lines": lambda: memory.cpu("ndjson"),
            "lines on disk": lambda: disk.cpu("ndjson"),
            "floor": lambda: measured(bare_gzip).cpu,
        }
        spent = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, way in ways.items():
                spent[name].append(way())
    cpu = {name: statistics.median(one) / thousands for name, one in spent.items()}
    floor = cpu["floor"]
    table.row("bare loop, gzip: CPU of 100,000", f"{floor:.3f} s", "", "", None)
    table.row(
        "sandbox to Parquet, all of it", f"{cpu['parquet']:.3f} s", ratio(cpu["parquet"] / floor),
        "<= 0.550 s", (cpu["parquet"], 0.55),
    )
    table.row(
        "sandbox to NDJSON, into memory", f"{cpu['lines']:.3f} s", ratio(cpu["lines"] / floor),
        "<= 2.20 x", (cpu["lines"] / floor, 2.2),
    )
    table.row(
        "sandbox to NDJSON, onto this disk", f"{cpu['lines on disk']:.3f} s",
        ratio(cpu["lines on disk"] / floor), "", None,
    )


def memory(table, program, account, scale):
    runs = Runs(program, account)
    for form in ("parquet", "ndjson"):
        begin = time.monotonic()
        most = peak(runs.command(form))
        runs.forget()
        table.row(
            f"{form} of deals, scale {scale:g}: peak memory", mb(most), "", "< 256 MB", (most, 256e6)
        )
        print(f"took {time.monotonic() - begin:.0f} s", file=sys.stderr)


def spare():
    [kb] = re.findall(r"MemAvailable:\s+(\d+)", Path("/proc/meminfo").read_text())
    return int(kb)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("bare")
    parser.add_argument("--scale", type=float, default=100)
    parser.add_argument("--only", action="append", choices=["convert", "cpu", "memory", "large"])
    args = parser.parse_args()
    program, bare = os.path.abspath(args.program), os.path.abspath(args.bare)
    wanted = set(args.only or ["convert", "cpu", "memory", "large"])
    begin, table = time.monotonic(), Table()
    if "convert" in wanted:
        with tempfile.TemporaryDirectory() as folder:
            conversion(table, Path(folder))
    if wanted & {"cpu", "memory"}:
        with sandbox(program, "--scale", str(args.scale)) as account:
            if "cpu" in wanted:
                speed(table, program, bare, account)
            if "memory" in wanted:
                memory(table, program, account, args.scale)
    if "large" in wanted and spare() < SPARE_KB:
        print(f"scale {args.scale * 10:g} is left out: {spare() / 1e6:.1f} GB of memory are free")
    elif "large" in wanted:
        with sandbox(program, "--scale", str(args.scale * 10)) as account:
            memory(table, program, account, args.scale * 10)
    print(f"took {time.monotonic() - begin:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
