"""Measures reads of sandbox accounts; see read.sh. Python 3.11, nothing else.

CPU is user + system seconds of the child as the kernel counted them, memory the peak of its
resident set. The connector writes to /dev/null, so nothing but its own work is counted. Every
figure comes with a ratio, because seconds differ between machines and ratios little.
"""

import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

# The lists and queries of `deals`, as the connector asks for them: the sandbox keeps finished
# answers by their query, so both ways get them at the same price.
DEALS = [
    f"/api/v2/deals{archived}?status=open%2Cwon%2Clost%2Cdeleted"
    "&include_fields=first_won_time%2Csmart_bcc_email%2Csource_lead_id"
    "&limit=500&sort_by=id&sort_direction=asc"
    for archived in ("", "/archived")
]
ROUNDS = 5
# What the tap is held against: custom fields of all types, lists and objects.
SINGER = {"deals", "persons", "activities"}
PLAIN_ROUNDS = 3
PEAKS = 3
SPECS = 20
LATENCY_MS = 200
LATENCY_SCALE = 0.2
CONCURRENCY = 16
# How many of the slowest streams are read alone to find the longest.
ALONE = 4


@dataclass
class Spent:
    wall: float
    cpu: float


def measured(command, stdout=subprocess.DEVNULL):
    """Runs a command to its end."""
    begin = time.monotonic()
    child = subprocess.Popen(command, stdout=stdout, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.monotonic() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"exit code {child.returncode}: {' '.join(map(str, command))}")
    return Spent(wall, usage.ru_utime + usage.ru_stime)


def peaks(command):
    """The median over several runs of the largest resident set, bytes: threads race for memory."""
    return statistics.median(peak(command) for _ in range(PEAKS))


def peak(command):
    """The largest resident set of a command, bytes.

    Asked for while it runs: the kernel's figure at its end includes what this process held when
    it started the command.
    """
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    status, most = Path(f"/proc/{child.pid}/status"), 0
    while child.poll() is None:
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        most = max(most, int(found[1]) * 1024 if found else 0)
        time.sleep(0.01)
    if child.returncode != 0:
        raise SystemExit(f"exit code {child.returncode}: {' '.join(map(str, command))}")
    return most


class Account:
    """A sandbox of its own process, and files to read it with."""

    def __init__(self, program, folder, config):
        self.program, self.folder, self.config = program, folder, config
        self.discovered = None
        self.origin = config["base_url"]
        self.token = config["credentials"]["api_token"]

    def file(self, name, content):
        path = Path(self.folder) / name
        path.write_text(json.dumps(content))
        return path

    def command(self, names, **settings):
        config = self.file("config.json", self.config | settings)
        if self.discovered is None:
            out = subprocess.run(
                [self.program, "discover", "--config", config], check=True, stdout=subprocess.PIPE
            ).stdout
            catalogs = (json.loads(line).get("catalog") for line in out.splitlines())
            self.discovered = next(filter(None, catalogs))["streams"]
        streams = [
            {"stream": stream, "sync_mode": "incremental", "destination_sync_mode": "append"}
            for stream in self.discovered
            if stream["name"] in names
        ]
        catalog = self.file("catalog.json", {"streams": streams})
        return [self.program, "read", "--config", config, "--catalog", catalog]

    def read(self, names, **settings):
        return measured(self.command(names, **settings))

    def timed(self, names, **settings):
        """A read, and the seconds each stream took in it."""
        command = self.command(names, **settings)
        begin = time.monotonic()
        begun, took = {}, {}
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
            for line in child.stdout:
                if not line.startswith(b'{"type":"TRACE"') and b'"STREAM_STATUS"' not in line:
                    continue
                status = json.loads(line).get("trace", {}).get("stream_status")
                if status:
                    name = status["stream_descriptor"]["name"]
                    begun.setdefault(name, time.monotonic())
                    took[name] = time.monotonic() - begun[name]
        if child.returncode != 0:
            raise SystemExit(f"exit code {child.returncode}: {' '.join(map(str, command))}")
        return time.monotonic() - begin, took


@contextlib.contextmanager
def sandbox(program, *flags):
    server = subprocess.Popen(
        [program, "sandbox", *flags], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield Account(program, folder, json.loads(server.stdout.readline()))
    finally:
        server.terminate()
        server.wait()


class Table:
    def __init__(self):
        print(f"{'what':<46} {'figure':>22} {'ratio':>8}  {'target':<12}")

    def row(self, what, figure, ratio, target, held):
        """`held` is (value, most); None when there is nothing to hold it against."""
        verdict = "" if held is None else "ok" if held[0] <= held[1] else "over"
        print(f"{what:<46} {figure:>22} {ratio:>8}  {target:<12} {verdict}", flush=True)


def ratio(value):
    return f"{value:.2f} x"


def mb(size):
    return f"{size / 1e6:.1f} MB"


def records(program, account):
    """How many deals a read brings."""
    out = subprocess.run(
        account.command({"deals"}), check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ).stdout
    return out.count(b'{"type":"RECORD"')


def defaults(program):
    """The streams that are read when none are chosen."""
    out = subprocess.run(
        [program, "read", "--sandbox"], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ).stdout
    started = re.findall(rb'"name":"(\w+)"},"status":"STARTED"', out)
    started += re.findall(rb'"status":"STARTED","stream_descriptor":{"name":"(\w+)"', out)
    return {name.decode() for name in started}


def cpu(table, bare, account, count):
    thousands = count / 1e5
    bare_gzip = [bare, account.origin, account.token, "gzip", *DEALS]
    bare_plain = [bare, account.origin, account.token, "plain", *DEALS]
    account.read({"deals"})
    read, floor = [], []
    for _ in range(ROUNDS):
        read.append(account.read({"deals"}).cpu)
        floor.append(measured(bare_gzip).cpu)
    read, floor = statistics.median(read), statistics.median(floor)
    table.row("read deals, gzip: CPU of 100,000", f"{read / thousands:.3f} s", "", "", None)
    table.row(
        "  against the bare loop", f"{floor / thousands:.3f} s", ratio(read / floor), "<= 2.00 x",
        (read / floor, 2.0),
    )
    account.read({"deals"}, gzip=False)
    read, floor = [], []
    for _ in range(PLAIN_ROUNDS):
        read.append(account.read({"deals"}, gzip=False).cpu)
        floor.append(measured(bare_plain).cpu)
    read, floor = statistics.median(read), statistics.median(floor)
    table.row(
        "read deals, plain: CPU of 100,000", f"{read / thousands:.3f} s", "", "<= 0.350 s",
        (read / thousands, 0.35),
    )
    table.row(
        "  against the bare loop", f"{floor / thousands:.3f} s", ratio(read / floor), "", None
    )


def singer(table, account, program):
    """The tap beside the Airbyte output: the same streams, nothing deselected, nothing to mend."""
    config = account.file("tap.json", account.config)
    found = subprocess.run(
        [program, "tap", "--config", config, "--discover"],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ).stdout
    catalog = json.loads(found)
    for stream in catalog["streams"]:
        stream["selected"] = stream["tap_stream_id"] in SINGER
    for stream in catalog["streams"]:
        root = next(entry for entry in stream["metadata"] if not entry["breadcrumb"])
        root["metadata"]["selected"] = stream["selected"]
    command = [program, "tap", "--config", config, "--catalog", account.file("selected.json", catalog)]
    account.read(SINGER)
    pairs = [(measured(command).cpu, account.read(SINGER).cpu) for _ in range(ROUNDS)]
    ours, airbyte = (statistics.median(side) for side in zip(*pairs))
    table.row("tap-pipedrive: CPU against `read`, same streams", f"{ours:.3f} s", ratio(ours / airbyte),
              "<= 1.30 x", (ours / airbyte, 1.3))


def memory(table, account, names, scale, small):
    large = peaks(account.command(names))
    table.row(
        f"read {len(names)} streams: peak memory, scale {scale:g}", mb(large), "", "< 64 MB",
        (large, 64e6),
    )
    table.row(
        f"  against scale {scale / 10:g}", mb(small), ratio(large / small), "<= 1.25 x",
        (large / small, 1.25),
    )


def startup(table, program):
    walls = [measured([program, "spec"]).wall for _ in range(SPECS)]
    wall = statistics.median(walls) * 1e3
    table.row("spec: wall, median of 20", f"{wall:.1f} ms", "", "< 20 ms", (wall, 20))


def waits(table, program, names):
    flags = ["--scale", str(LATENCY_SCALE), "--latency-ms", str(LATENCY_MS)]
    with sandbox(program, *flags) as account:
        together, took = account.timed(names, concurrency=CONCURRENCY)
        slowest = sorted(took, key=took.get)[-ALONE:]
        alone = {name: account.read({name}).wall for name in slowest}
        longest = max(alone, key=alone.get)
    what = f"read {len(names)} streams, {CONCURRENCY} at a time, {LATENCY_MS} ms away"
    table.row(what, f"{together:.2f} s", "", "", None)
    table.row(
        f"  against {longest} alone", f"{alone[longest]:.2f} s",
        ratio(together / alone[longest]), "<= 1.30 x", (together / alone[longest], 1.3),
    )


def splice(table):
    out = subprocess.run(
        ["cargo", "bench", "--quiet", "--bench", "splice"],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ).stdout
    rates = [int(rate) for rate in re.findall(r"(\d+) records/s", out)]
    ours, raw, tree = rates
    table.row(
        "page to lines, one core", f"{ours:,} rec/s", "", ">= 600,000", (600_000, ours)
    )
    table.row("  against RawValue rows", f"{raw:,} rec/s", ratio(raw / ours), "<= 1.35 x", (raw / ours, 1.35))
    table.row("  against a Value tree", f"{tree:,} rec/s", ratio(tree / ours), "", None)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("bare")
    parser.add_argument("--scale", type=float, default=100)
    parser.add_argument(
        "--only", action="append", choices=["cpu", "memory", "spec", "latency", "splice"]
    )
    args = parser.parse_args()
    program, bare = os.path.abspath(args.program), os.path.abspath(args.bare)
    wanted = set(args.only or ["cpu", "memory", "spec", "latency", "splice"])
    begin = time.monotonic()
    names = defaults(program) if wanted & {"memory", "latency"} else {"deals"}
    table = Table()
    if "memory" in wanted:
        with sandbox(program, "--scale", str(args.scale / 10)) as account:
            small = peaks(account.command(names))
    if wanted & {"cpu", "memory"}:
        with sandbox(program, "--scale", str(args.scale)) as account:
            if "cpu" in wanted:
                cpu(table, bare, account, records(program, account))
                singer(table, account, program)
            if "memory" in wanted:
                memory(table, account, names, args.scale, small)
    if "spec" in wanted:
        startup(table, program)
    if "latency" in wanted:
        waits(table, program, names)
    if "splice" in wanted:
        splice(table)
    print(f"took {time.monotonic() - begin:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
