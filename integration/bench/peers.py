"""Other connectors beside ours, on the same simulated account; see peers.sh. Python 3.11, nothing else.

All four read live deals, from no state, into a file. CPU is user + system seconds of the process as the
kernel counted them, memory the peak of its resident set, requests and tokens what the sandbox counted.
Then each meets one fault, and rows that were saved in its bookmark's own second.
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
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROUNDS = 3
SECONDS_MAX = 300
FAULT_SECONDS_MAX = 120
START = "2000-01-01T00:00:00Z"
# What is asked of a peer in CPU per record.
RATIO_MIN = 20
FAULTS = [
    ("one 500", "500@v2/deals#2"),
    ("one 429", "429@v2/deals#2"),
    ("a cut body", "truncate@v2/deals#2"),
    ("JSON that ends early", "cutjson@v2/deals#2"),
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

    def deals(self):
        """Live deals by id, deleted ones included."""
        found, cursor = {}, ""
        while cursor is not None:
            path = f"/api/v2/deals?status=open,won,lost,deleted&limit=500{cursor}"
            answer = self.ask("GET", path)
            found |= {deal["id"]: deal for deal in answer["data"] or []}
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
            held, peak = Path(f"/proc/{child.pid}/status"), 0
            while (done := os.wait4(child.pid, os.WNOHANG))[0] == 0:
                if time.monotonic() - begin > seconds:
                    child.kill()
                # The kernel's figure at the end includes what this process held at the start.
                with contextlib.suppress(OSError):
                    found = re.search(r"VmHWM:\s+(\d+) kB", held.read_text())
                    peak = max(peak, int(found[1]) * 1024 if found else 0)
                time.sleep(0.005)
        _, status, usage = done
        child.returncode = os.waitstatus_to_exitcode(status)
        return Run(self, out, child.returncode, usage, peak)


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
            catalog = json.loads(found.stdout)
            for stream in catalog["streams"]:
                root = next(entry for entry in stream["metadata"] if not entry["breadcrumb"])
                root["metadata"]["selected"] = stream["tap_stream_id"] == "deals"
            self.catalog = catalog
        catalog = self.write(account, "catalog.json", self.catalog)
        command = [self.binary, "--config", config, "--catalog", catalog]
        if state is not None:
            command += ["--state", self.write(account, "state.json", state)]
        return command

    def bookmark(self, second):
        return {"bookmarks": {"deals": {"update_time": second}}}

    def row(self, message):
        return message["record"] if message["type"] == "RECORD" else None


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
        stream = {
            "name": "deals",
            "json_schema": {"type": "object", "properties": {}},
            "supported_sync_modes": ["full_refresh", "incremental"],
            "source_defined_cursor": True,
            "default_cursor_field": ["update_time"],
            "source_defined_primary_key": [["id"]],
        }
        catalog = {
            "streams": [
                {"stream": stream, "sync_mode": "incremental", "destination_sync_mode": "append"}
            ]
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
        return message["record"]["data"] if message["type"] == "RECORD" else None


class Ours(Airbyte):
    def config(self, account):
        return {**account.config, "archived": False}


class Cdk(Airbyte):
    def config(self, account):
        return {**account.config, "start_date": START}

    def more(self):
        return ["--manifest-path", str(HERE / "peers/manifest.yaml")]


class Run:
    def __init__(self, program, out, code, usage, peak):
        self.code, self.peak = code, peak
        self.cpu = usage.ru_utime + usage.ru_stime
        self.rows, self.count = {}, 0
        with out.open(encoding="utf-8") as lines:
            for line in lines:
                with contextlib.suppress(json.JSONDecodeError):
                    if row := program.row(json.loads(line)):
                        self.count += 1
                        self.rows[row["id"]] = row

    def ended(self):
        return "hung, was ended" if self.code == -9 else f"exit {self.code}"


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("| --- |" + " ---: |" * (len(head) - 1))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)


def speed(source, programs, scale):
    """CPU, memory, requests and tokens of each, in turn; every one has a sandbox of its own."""
    runs, counted, listed = {program: [] for program in programs}, {}, {}
    with sandbox(source, "--scale", "0.1") as account:
        for program in programs:
            program.command(account, None)
    for program in programs:
        with sandbox(source, "--scale", scale) as account:
            runs[program].append(program.run(account))
        counted[program] = account.counted
    with sandbox(source, "--scale", scale) as account:
        listed = account.deals()
        for _ in range(ROUNDS):
            for program in programs:
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
        name = program.name
        if run.code or set(run.rows) != set(listed):
            name += f" ({run.ended()}, {len(run.rows)} of {len(listed)} deals)"
            if program in programs[:2]:
                faults.append(f"{program.name} lost rows or failed")
        ratios = []
        for own in programs[:2]:
            ratio = cost[program] / cost[own]
            under = program not in programs[:2] and ratio < RATIO_MIN
            ratios.append(f"{ratio:.1f} x" + (" under" if under else ""))
        rows.append([
            name, f"{run.count:,}", f"{run.cpu:.2f} s", f"{cost[program]:.2f} s", *ratios,
            f"{run.peak / 1e6:.0f} MB", words[1], words[-2],
        ])
    head = ["program", "records", "CPU", "CPU of 100,000", "against `read`", "against our tap",
            "peak memory", "requests", "tokens"]
    table(head, rows)
    return faults


def trouble(source, programs):
    rows, faults = [], []
    for title, fault in FAULTS:
        cells = [title]
        for program in programs:
            with sandbox(source, "--scale", "0.6", "--fault", fault) as account:
                run = program.run(account, seconds=FAULT_SECONDS_MAX)
                listed = account.deals()
            missing = len(set(listed) - set(run.rows))
            whole = "complete" if not missing else f"{missing} of {len(listed)} missing"
            lost = missing and run.code == 0
            cells.append(f"**LOST**, {whole}" if lost else f"{whole}, {run.ended()}")
            if program in programs[:2] and (missing or run.code):
                faults.append(f"{program.name}, {title}: {cells[-1]}")
        rows.append(cells)
    cells = ["rows of the bookmark's second"]
    for program in programs:
        with sandbox(source, "--scale", "0.1") as account:
            second, edited = same_second(account)
            # Its second must be over: ours leaves the one in which a run begins to the next.
            time.sleep(2)
            run = program.run(account, program.bookmark(second), FAULT_SECONDS_MAX)
        arrived = len(edited & set(run.rows))
        whole = f"{arrived} of {len(edited)} arrive"
        cells.append(whole if arrived == len(edited) else f"**LOST**, {whole}")
        if program in programs[:2] and arrived != len(edited):
            faults.append(f"{program.name}: {whole}")
    rows.append(cells)
    table(["", *(program.name for program in programs)], rows)
    return faults


def same_second(account):
    """Edits deals until five share one second: that second, and which."""
    deals = [key for key, deal in account.deals().items() if deal["status"] == "open"]
    for attempt in range(20):
        times = {}
        for key in deals[:5]:
            answer = account.ask("PATCH", f"/api/v2/deals/{key}", {"title": f"edit {attempt}"})
            times.setdefault(answer["data"]["update_time"], set()).add(key)
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
    faults = []
    if args.only != "trouble":
        faults += speed(args.source, programs, args.scale)
    if args.only != "speed":
        faults += trouble(args.source, programs)
    if faults:
        print("FAILED:", *faults, sep="\n  ")
        sys.exit(1)


if __name__ == "__main__":
    main()
