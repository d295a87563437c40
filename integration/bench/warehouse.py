"""Measures runs of `sync warehouse` over sandbox accounts; see warehouse.sh.

CPU is user + system seconds, memory the peak of the resident set, as in read.py. DuckDB is timed
inside its process, around the one statement, so that neither Python nor its start is counted.
"""

import argparse
import contextlib
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
# What a sandbox of 1,000,000 deals takes, and room for others.
SPARE_KB = 8_000_000

DUCKDB = """
import duckdb, json, sys, time
job = json.load(sys.stdin)
database = duckdb.connect()
database.execute("set threads = 1; set timezone = 'UTC'; set preserve_insertion_order = true")
columns = ", ".join(f"{json.dumps(name)}: '{kind}'" for name, kind in job["columns"].items())
begin = time.process_time()
database.execute(f'''copy (
    select {job["shown"]} from read_json({job["source"]!r}, format = 'newline_delimited', columns = {{{columns}}})
) to {job["target"]!r} (format parquet, codec zstd, compression_level 1)''')
print(time.process_time() - begin)
"""


class Runs:
    """Runs of the program, each into a folder of its own."""

    def __init__(self, program, account):
        self.program, self.account = program, account
        self.root, self.count = Path(tempfile.mkdtemp()), 0

    def command(self, form, *flags):
        self.count += 1
        self.place = self.root / str(self.count)
        config = self.account.file("config.json", self.account.config)
        return [
            self.program, "sync", "warehouse", "--config", config, "--dir", self.place,
            "--format", form, "--resources", "deals", "-o", "json", *flags,
        ]

    def spent(self, form, *flags):
        cpu = measured(self.command(form, *flags)).cpu
        size = sum(file.stat().st_size for file in self.place.glob("deals*/*.parquet"))
        return cpu, size

    def forget(self):
        shutil.rmtree(self.place, ignore_errors=True)

    @contextlib.contextmanager
    def lines(self):
        """The same records as NDJSON."""
        subprocess.run(
            self.command("ndjson"), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        yield self.place / "deals.ndjson"
        self.forget()


def kind(schema):
    """DuckDB's type for a JSON Schema."""
    options = schema.get("oneOf") or schema.get("anyOf")
    if options:
        return "JSON"
    types = schema.get("type", [])
    types = [one for one in ([types] if isinstance(types, str) else types) if one != "null"]
    match types:
        case ["boolean"]:
            return "BOOLEAN"
        case ["integer"]:
            return "BIGINT"
        case ["number"]:
            return "DOUBLE"
        case ["string"]:
            return {"date": "DATE", "date-time": "TIMESTAMPTZ"}.get(schema.get("format"), "VARCHAR")
        case ["array"] if schema.get("items"):
            return f"{kind(schema['items'])}[]"
        case ["object"] if schema.get("properties"):
            inside = (f'"{name}" {kind(one)}' for name, one in schema["properties"].items())
            return f"STRUCT({', '.join(inside)})"
        case _:
            return "JSON"


def columns(account):
    """The columns of deals with their types, from the account's own schema."""
    account.command({"deals"})
    [deals] = [stream for stream in account.discovered if stream["name"] == "deals"]
    return {name: kind(schema) for name, schema in deals["json_schema"]["properties"].items()}


def duckdb(kinds, source, target):
    """CPU seconds of the conversion by DuckDB, and the size of its file."""
    nested = kinds.get("custom_fields", "").startswith("STRUCT")
    shown = "* exclude (custom_fields), custom_fields.*" if nested else "*"
    job = {"columns": kinds, "shown": shown, "source": str(source), "target": str(target)}
    out = subprocess.run(
        [sys.executable, "-c", DUCKDB], check=True, input=json.dumps(job), stdout=subprocess.PIPE, text=True
    ).stdout
    return float(out), target.stat().st_size


def in_process(source):
    """CPU seconds per 100,000 records of the program's own conversion, out of its benchmark."""
    out = subprocess.run(
        ["cargo", "bench", "--quiet", "--bench", "parquet", "--", str(source)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )
    found = re.search(r"(\d[\d,]*) records/s", out.stdout)
    return found and 1e5 / float(found[1].replace(",", ""))


def speed(table, program, bare, account):
    runs, count = Runs(program, account), records(program, account)
    thousands = count / 1e5
    kinds = columns(account)
    custom = re.findall(r'"[0-9a-f]{40}"', kinds.get("custom_fields", ""))
    bare_gzip = [bare, account.origin, account.token, "gzip", *DEALS]
    whole, lines, floor = [], [], []
    for _ in range(ROUNDS):
        whole.append(runs.spent("parquet"))
        runs.forget()
        lines.append(runs.spent("ndjson")[0])
        runs.forget()
        floor.append(measured(bare_gzip).cpu)
    cpu, size = (statistics.median(one) for one in zip(*whole, strict=True))
    lines, floor = statistics.median(lines), statistics.median(floor)
    with runs.lines() as source:
        target = runs.root / "duckdb.parquet"
        mean = source.stat().st_size / count
        other, its_size = (
            statistics.median(one)
            for one in zip(*(duckdb(kinds, source, target) for _ in range(ROUNDS)), strict=True)
        )
        ours = in_process(source)
    what = f"{count:,} deals of {mean:,.0f} B, {len(custom)} custom fields"
    print(what, flush=True)
    table.row(
        "sandbox to Parquet, whole run: CPU of 100,000", f"{cpu / thousands:.3f} s", "", "<= 0.550 s",
        (cpu / thousands, 0.55),
    )
    table.row("DuckDB, NDJSON to Parquet, one thread", f"{other / thousands:.3f} s", "", "", None)
    if ours:
        table.row(
            "JSON to Parquet, in process", f"{ours:.3f} s", ratio(ours / (other / thousands)), "<= 0.80 x",
            (ours / (other / thousands), 0.8),
        )
    table.row("the whole run against DuckDB", "", ratio(cpu / other), "", None)
    table.row(
        "file size, against DuckDB's", mb(size), ratio(size / its_size), "<= 1.10 x", (size / its_size, 1.1)
    )
    table.row(
        "sandbox to NDJSON, whole run: CPU of 100,000", f"{lines / thousands:.3f} s", "", "", None
    )
    table.row(
        "  against the bare loop", f"{floor / thousands:.3f} s", ratio(lines / floor), "<= 2.20 x",
        (lines / floor, 2.2),
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
    parser.add_argument("--only", action="append", choices=["cpu", "memory", "large"])
    args = parser.parse_args()
    program, bare = os.path.abspath(args.program), os.path.abspath(args.bare)
    wanted = set(args.only or ["cpu", "memory", "large"])
    begin, table = time.monotonic(), Table()
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
