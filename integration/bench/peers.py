"""Other connectors beside ours, on the same simulated account; see peers.sh. Python 3.11, nothing else.

All four read live deals, from no state, into a file; all but the CDK, whose manifest has deals only, then
the five largest lists of a tenth of the account. CPU is user + system seconds of the process as the kernel
counted them, memory the peak of its resident set, requests and tokens what the sandbox counted. Then each
meets one fault on its second page, since on the first there is nothing to lose yet, and rows that were
saved in its bookmark's own second.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROUNDS = 3
# Ours take a tenth of a second, so whatever else runs shows; and every ratio rests on them.
OWN_TIMES = 5
SECONDS_MAX = 300
FAULT_SECONDS_MAX = 120
START = "2000-01-01T00:00:00Z"
# What is asked of a peer in CPU per record.
RATIO_MIN = 20
FIVE = ("deals", "persons", "organizations", "activities", "products")
FAULTS = [
    ("one 500", "500@v2/deals#2"),
    ("one 429", "429@v2/deals#2"),
    ("a cut body", "truncate@v2/deals#2"),
    ("JSON that ends early", "cutjson@v2/deals#2"),
    ("`null` for a page", "null@v2/deals#2"),
    ("a reset connection", "reset@v2/deals#2"),
]


class Account:
    """A sandbox in a process of its own, and what it was asked."""

    def __init__(self, server, config, folder):
        self.server, self.config, self.folder = server, config, folder
        self.origin, self.token = config["base_url"], config["credentials"]["api_token"]
        self.counted = None

    def ask(self, method, path, body=None):
        request = urllib.request.Request(
            self.origin + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"x-api-token": self.token, "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def listed(self, *streams):
        """Live rows by stream and id, deleted deals included."""
        return {(stream, row["id"]): row for stream in streams for row in self.rows(stream)}

    def rows(self, stream):
        cursor, found = "", []
        status = "status=open,won,lost,deleted&" if stream == "deals" else ""
        while cursor is not None:
            answer = self.ask("GET", f"/api/v2/{stream}?{status}limit=500{cursor}")
            found += answer["data"] or []
            following = (answer.get("additional_data") or {}).get("next_cursor")
            cursor = f"&cursor={following}" if following else None
        return found


@contextlib.contextmanager
def sandbox(program, *flags):
    server = subprocess.Popen(
        [program, "sandbox", *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        with tempfile.TemporaryDirectory() as folder:
            account = Account(server, json.loads(server.stdout.readline()), Path(folder))
            yield account
            server.terminate()
            account.counted = server.stderr.read().splitlines()[-1]
    finally:
        server.kill()
        server.wait()


class Program:
    """A connector: how it is started, and what its lines say."""

    def __init__(self, name, binary):
        self.name, self.binary = name, binary
        self.streams = ("deals",)

    def write(self, account, name, content):
        path = account.folder / f"{type(self).__name__}-{name}"
        path.write_text(json.dumps(content))
        return str(path)

    def environment(self, _account):
        return dict(os.environ)

    def run(self, account, state=None, seconds=SECONDS_MAX):
        command = self.command(account, state)
        out = account.folder / f"{type(self).__name__}.out"
        log = account.folder / f"{type(self).__name__}.log"
        begin = time.monotonic()
        with out.open("wb") as stdout, log.open("wb") as stderr:
            child = subprocess.Popen(
                command, stdout=stdout, stderr=stderr, env=self.environment(account), cwd=account.folder
            )
            held, peak, hung = Path(f"/proc/{child.pid}/status"), 0, None
            while (done := os.wait4(child.pid, os.WNOHANG))[0] == 0:
                if hung is None and time.monotonic() - begin > seconds:
                    # Not child.kill(): that looks for the end itself, and could take it from wait4.
                    os.kill(child.pid, signal.SIGKILL)
                    hung = seconds
                # The kernel's figure at the end includes what this process held at the start.
                with contextlib.suppress(OSError):
                    found = re.search(r"VmHWM:\s+(\d+) kB", held.read_text())
                    peak = max(peak, int(found[1]) * 1024 if found else 0)
                time.sleep(0.005)
        _, status, usage = done
        child.returncode = os.waitstatus_to_exitcode(status)
        return Run(self, out, child.returncode, usage, peak, hung)


class Singer(Program):
    catalog = None

    def command(self, account, state):
        config = self.write(account, "config.json", self.config(account))
        # The seed is the same everywhere, and so are the fields.
        if self.catalog is None:
            found = subprocess.run(
                [self.binary, "--config", config, "--discover"],
                check=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self.environment(account),
                timeout=SECONDS_MAX,
            )
            self.catalog = json.loads(found.stdout)
        for stream in self.catalog["streams"]:
            root = next(entry for entry in stream["metadata"] if not entry["breadcrumb"])
            root["metadata"]["selected"] = stream["tap_stream_id"] in self.streams
        catalog = self.write(account, "catalog.json", self.catalog)
        command = [self.binary, "--config", config, "--catalog", catalog]
        if state is not None:
            command += ["--state", self.write(account, "state.json", state)]
        return command

    def bookmark(self, second):
        return {"bookmarks": {"deals": {"update_time": second}}}

    def row(self, message):
        return (message["stream"], message["record"]) if message["type"] == "RECORD" else None

    def state(self, message):
        return message["value"] if message["type"] == "STATE" else None


class OurTap(Singer):
    def config(self, account):
        return {**account.config, "archived": False}


class TheirTap(Singer):
    def config(self, account):
        return {"api_token": account.token, "start_date": START}

    def environment(self, account):
        path = str(HERE / "peers/redirect")
        return {**os.environ, "PEER_ORIGIN": account.origin, "PYTHONPATH": path}


class Airbyte(Program):
    def command(self, account, state):
        config = self.write(account, "config.json", self.config(account))
        described = {
            "json_schema": {"type": "object", "properties": {}},
            "supported_sync_modes": ["full_refresh", "incremental"],
            "source_defined_cursor": True,
            "default_cursor_field": ["update_time"],
            "source_defined_primary_key": [["id"]],
        }
        modes = {"sync_mode": "incremental", "destination_sync_mode": "append"}
        catalog = {
            "streams": [{"stream": {"name": name, **described}, **modes} for name in self.streams]
        }
        command = [self.binary, "read", "--config", config]
        command += ["--catalog", self.write(account, "catalog.json", catalog), *self.more()]
        if state is not None:
            command += ["--state", self.write(account, "state.json", state)]
        return command

    def more(self):
        return []

    def bookmark(self, second):
        stream = {"stream_descriptor": {"name": "deals"}, "stream_state": {"update_time": second}}
        return [{"type": "STREAM", "stream": stream}]

    def row(self, message):
        record = message.get("record")
        return (record["stream"], record["data"]) if message["type"] == "RECORD" else None

    def state(self, message):
        return [message["state"]] if message["type"] == "STATE" else None


class Ours(Airbyte):
    def config(self, account):
        return {**account.config, "archived": False}


class Cdk(Airbyte):
    def config(self, account):
        return {**account.config, "start_date": START}

    def more(self):
        return ["--manifest-path", str(HERE / "peers/manifest.yaml")]


class Run:
    def __init__(self, program, out, code, usage, peak, hung):
        self.code, self.peak, self.hung = code, peak, hung
        self.cpu = usage.ru_utime + usage.ru_stime
        self.rows, self.count, self.state = set(), 0, None
        with out.open(encoding="utf-8") as lines:
            for line in lines:
                with contextlib.suppress(json.JSONDecodeError):
                    message = json.loads(line)
                    if found := program.row(message):
                        self.count += 1
                        self.rows.add((found[0], found[1]["id"]))
                    elif state := program.state(message):
                        self.state = state

    def ended(self):
        return f"exit {self.code}" if self.hung is None else f"hung, ended after {self.hung} s"


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("| --- |" + " ---: |" * (len(head) - 1))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)


def speed(source, programs, own, scale):
    """CPU, memory, requests and tokens of each, in turn; every one has a sandbox of its own."""
    runs, counted = {program: [] for program in programs}, {}
    with sandbox(source, "--scale", "0.1") as account:
        for program in programs:
            program.command(account, None)
    for program in programs:
        with sandbox(source, "--scale", scale) as account:
            runs[program].append(program.run(account))
        counted[program] = account.counted
    with sandbox(source, "--scale", scale) as account:
        listed = account.listed(*programs[0].streams)
        for _ in range(ROUNDS):
            for program in programs:
                for _ in range(OWN_TIMES if program in own else 1):
                    runs[program].append(program.run(account))
    # The first runs warmed up what can be, and were only counted.
    cost = {
        program: statistics.median(run.cpu / max(1, run.count) for run in found[1:]) * 1e5
        for program, found in runs.items()
    }
    rows, faults = [], []
    for program in programs:
        run = runs[program][-1]
        words = counted[program].split()
        for each in runs[program]:
            if each.code or each.rows != set(listed):
                run = each
        if program in own and (run.code or run.rows != set(listed)):
            faults.append(f"{program.name}: rows lost, or failed")
        ratios = []
        for held in own:
            ratio = cost[program] / cost[held]
            under = program not in own and ratio < RATIO_MIN
            ratios.append(f"{ratio:.1f} x" + (" under" if under else ""))
        rows.append([
            program.name + short(run, listed), came(run), f"{cost[program] * run.count / 1e5:.2f} s",
            f"{cost[program]:.2f} s", *ratios, f"{run.peak / 1e6:.0f} MB", words[1], words[-2],
        ])
    head = ["program", "records", "CPU", "CPU of 100,000", "against `read`", "against our tap",
            "peak memory", "requests", "tokens"]
    table(head, rows)
    return faults


def came(run):
    """Records, and ids where that is another number."""
    return f"{run.count:,}" + ("" if run.count == len(run.rows) else f" ({len(run.rows):,} ids)")


def short(run, listed):
    """What is to be said of a run that is not whole."""
    missing = set(listed) - run.rows
    if run.code == 0 and missing and all(listed[key]["update_time"] is None for key in missing):
        # That these are no match for updated_since is how the simulated account answers; Pipedrive
        # documents neither this nor the contrary.
        return f" (without {len(missing):,} rows that have no update_time)"
    if run.code or run.rows != set(listed):
        return f" ({run.ended()}, {len(run.rows):,} of {len(listed):,} rows)"
    return ""


def trouble(source, programs, own):
    rows, faults = [], []
    with sandbox(source, "--scale", "0.1") as account:
        # Discovery must not meet the fault.
        for program in programs:
            program.command(account, None)
    with sandbox(source, "--scale", "0.6") as account:
        # Nor must this: a fault that was not reached would apply here.
        listed = set(account.listed("deals"))
    for title, fault in FAULTS:
        cells = [title]
        for program in programs:
            with sandbox(source, "--scale", "0.6", "--fault", fault) as account:
                run = program.run(account, seconds=FAULT_SECONDS_MAX)
                missing = listed - run.rows
                cell = "complete" if not missing else f"{len(missing)} of {len(listed)} missing"
                cell += f", {run.ended()}"
                if missing and run.code == 0:
                    # No user was informed. What counts is whether the run after it makes up for it.
                    after = program.run(account, run.state, FAULT_SECONDS_MAX)
                    lost = missing - after.rows
                    cell += f", **LOST** {len(lost)}" if lost else ", **unnoticed** until the next run"
            cells.append(cell)
            if program in own and (missing or run.code):
                faults.append(f"{program.name}, {title}: {cell}")
        rows.append(cells)
    cells = ["rows of the bookmark's second"]
    for program in programs:
        with sandbox(source, "--scale", "0.1") as account:
            second, edited = same_second(account)
            # Its second must be over: ours leaves the one in which a run begins to the next.
            time.sleep(2)
            run = program.run(account, program.bookmark(second), FAULT_SECONDS_MAX)
        arrived = len(edited & run.rows)
        whole = f"{arrived} of {len(edited)} arrive"
        if run.code:
            whole += f", {run.ended()}"
        elif arrived != len(edited):
            whole = f"**LOST**, {whole}"
        cells.append(whole)
        if program in own and (run.code or arrived != len(edited)):
            faults.append(f"{program.name}, {cells[0]}: {whole}")
    rows.append(cells)
    table(["", *(program.name for program in programs)], rows)
    return faults


def same_second(account):
    """Edits deals until five share one second: that second, and which."""
    open_ones = [deal for deal in account.rows("deals") if deal["status"] == "open"]
    # Archived deals cannot be changed.
    deals = [deal["id"] for deal in open_ones if not deal["is_archived"]]
    for attempt in range(20):
        times = {}
        for key in deals[:5]:
            answer = account.ask("PATCH", f"/api/v2/deals/{key}", {"title": f"edit {attempt}"})
            times.setdefault(answer["data"]["update_time"], set()).add(("deals", key))
        if len(times) == 1:
            return next(iter(times.items()))
    raise SystemExit("no five edits fell into one second")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("source")
    parser.add_argument("tap")
    parser.add_argument("their_tap")
    parser.add_argument("cdk")
    parser.add_argument("--scale", default="20")
    parser.add_argument("--only", choices=["speed", "trouble"])
    args = parser.parse_args()
    os.environ["AIRBYTE_OFFLINE_MODE"] = os.environ["DO_NOT_TRACK"] = "1"
    # Whoever has these set would have the peers compile themselves at every start.
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"):
        os.environ.pop(name, None)
    programs = [
        Ours("source-pipedrive", args.source),
        OurTap("our tap-pipedrive", args.tap),
        TheirTap("tap-pipedrive 2.1.0 (Singer)", args.their_tap),
        Cdk("Airbyte CDK 7.39.1, our manifest", args.cdk),
    ]
    own, faults = programs[:2], []
    if args.only != "trouble":
        faults += speed(args.source, programs, own, args.scale)
        for program in programs[:3]:
            program.streams = FIVE
        faults += speed(args.source, programs[:3], own, f"{float(args.scale) / 10:g}")
        for program in programs[:3]:
            program.streams = ("deals",)
    if args.only != "speed":
        faults += trouble(args.source, programs, own)
    if faults:
        print("FAILED:", *faults, sep="\n  ")
        sys.exit(1)


if __name__ == "__main__":
    main()
