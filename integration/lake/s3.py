"""`sync warehouse` and `backup` on S3 servers of others, in good times and bad ones.

    s3.py BINARY CONFIG SLOW_CONFIG DIRECTORY

CONFIG is a small account, edited on the way; the one behind SLOW_CONFIG takes its time, so that
runs can be met halfway. Prints a line per check and server; fails if one of them does not hold.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

from account import Account
from servers import REGION, Ceph, Moto, Weak, running
from vault import proven, whole
from warehouse import Bucket, Program, Run, Wrong, check, ended, expect, news, truth, versions

RESOURCES = ["deals", "persons", "leads", "pipelines"]
FORMATS = ["parquet", "ndjson"]
# Past the second a run begins in: rows saved in that one are left to the next run.
SECONDS_BEFORE_A_RUN = 2
# Runs that are killed side by side.
HANDS = 3
RACES = 6
# Far beyond the steps of the runs here.
STEPS_MAX = 400


class Report:
    def __init__(self):
        self.wrong = 0
        print(f"{'server':<26}{'check':<44}{'s':>7}  result")

    def line(self, server, what, seconds, result):
        print(f"{server:<26}{what:<44}{seconds:>7.1f}  {result}", flush=True)

    def check(self, server, what, action, *arguments):
        begin = time.monotonic()
        try:
            result = action(*arguments)
        except Exception as error:
            self.wrong += 1
            self.line(server.name, what, time.monotonic() - begin, f"FAILED: {error}")
            if not isinstance(error, Wrong):
                traceback.print_exc()
            return None
        self.line(server.name, what, time.monotonic() - begin, f"ok {result or ''}")
        return result


class Suite:
    def __init__(self, binary, config, slow, folder, stride):
        self.program = Program(binary, config, folder, RESOURCES)
        self.slow = Program(binary, slow, folder, RESOURCES)
        self.backups = Program(binary, config, folder, RESOURCES, ["backup"])
        self.files = Program(binary, config, folder, ["files"], ["backup"])
        self.keys = self.program.keys()
        self.account = Account(self.program.config)
        self.folder, self.stride = folder, stride
        # A backup has a step or more for each page: some of them, fewer on Ceph, which takes its time.
        self.backup_stride = {"moto": 2 * stride["moto"] - 1, "ceph": 7 * stride["ceph"]}
        self.report = Report()
        self.before = self.after = None

    def all(self):
        with running(Moto, self.folder) as moto, running(Ceph, self.folder) as ceph, running(Weak, moto) as weak:
            self.before = truth(self.account, self.keys, RESOURCES)
            servers = [moto, ceph]
            for server in servers:
                server.client().create_bucket(Bucket=Bucket.name)
            for server in [*servers, weak]:
                for form in FORMATS:
                    self.report.check(server, f"first run, {form}", self.first, server, form)
                self.report.check(server, "first backup", self.first_backup, server)
            self.edit()
            time.sleep(SECONDS_BEFORE_A_RUN)
            self.after = truth(self.account, self.keys, RESOURCES)
            for server in [*servers, weak]:
                for form in FORMATS:
                    self.report.check(server, f"second run after edits, {form}", self.second, server, form)
                self.report.check(server, "second backup, and the two compared", self.second_backup, server)
            self.bad_times(ceph)
            # A run waits for minutes before it gives a server up; the other server is worked on meanwhile.
            with concurrent.futures.ThreadPoolExecutor(1) as aside:
                waiting = aside.submit(self.power_is_cut, ceph)
                self.bad_times(moto)
                self.report.check(weak, "says that conditions are ignored", self.weakness, weak)
                self.report.check(weak, "killed while it holds the lock", self.abandoned, weak)
                self.report.check(weak, "two writers at once", self.race, weak)
                waiting.result()
            self.power_is_cut(moto)

    def power_is_cut(self, server):
        self.report.check(server, "server killed under a run", self.power_cut, server)

    def bad_times(self, server):
        for start in (self.no_backup, self.old_backup):
            self.report.check(server, start.__doc__, self.broken_backup, server, start)
        self.report.check(server, "attachments", self.attachments, server)
        for form in FORMATS:
            for start in (self.fresh, self.copied):
                self.report.check(server, f"{start.__doc__}, {form}", self.killed, server, form, start)
        self.report.check(server, "two writers at once", self.race, server)
        self.report.check(server, "keys and region from a profile", self.profile, server)
        self.report.check(server, "unusable places and manifests", self.refusals, server)

    def first(self, server, form):
        place = Bucket(server, f"base-{form}-{server.name[-7:]}")
        run = self.run(place, "--format", form).succeeded()
        rows = check(place, versions(self.before), self.keys)
        expect(sum(run.report["counts"].values()) == rows, "counts", run.report["counts"], rows)
        return f"{rows} rows"

    def base(self, server, form):
        return Bucket(server, f"base-{form}-{server.name[-7:]}")

    def edit(self):
        """A moment's work in the account."""
        change, rows = self.account.ask, {name: list(found.values()) for name, found in self.before.items()}
        opened = iter([deal for deal in rows["deals"] if deal["status"] == "open" and not deal["is_archived"]])
        for number in range(2):
            change("PATCH", f"/api/v2/deals/{next(opened)['id']}", {"title": f"edited {number}, ünïcödé ✓"})
        change("PATCH", f"/api/v2/deals/{next(opened)['id']}", {"is_archived": True})
        change("DELETE", f"/api/v2/deals/{next(opened)['id']}")
        change("POST", "/api/v2/deals", {"title": "new deal"})
        change("PATCH", f"/api/v2/persons/{rows['persons'][0]['id']}", {"name": "edited person"})
        change("POST", "/api/v2/persons", {"name": "new person"})
        lead = next(lead for lead in rows["leads"] if not lead["is_archived"])
        change("PATCH", f"/api/v1/leads/{lead['id']}", {"title": "edited lead"})
        change("PATCH", f"/api/v2/pipelines/{rows['pipelines'][0]['id']}", {"name": "edited pipeline"})

    def second(self, server, form):
        place = self.base(server, form).copy(f"second-{form}-{server.name[-7:]}")
        old = place.list()
        report = self.run(place, "--format", form).succeeded().report
        check(place, versions(self.before, self.after), self.keys)
        changed = news(self.before, self.after)
        counts = {name: report["counts"].get(name, 0) for name in changed}
        expect(counts == changed, "only changes are appended", report["counts"], changed)
        kept = [name for name in old if name.endswith((".parquet", ".ndjson"))]
        expect(set(kept) <= set(place.list()), "files of the first run stay", kept)
        # Nothing happened since.
        report = self.run(place, "--format", form).succeeded().report
        expect(not any(report["counts"].values()), "an idle run appends nothing", report["counts"])
        check(place, versions(self.before, self.after), self.keys)
        return f"{sum(changed.values())} rows"

    def backup(self, place, *flags, program=None, **settings):
        program = program or self.backups
        return program.run(place.url, *flags, environment=place.environment, **settings)

    def vault(self, server):
        return Bucket(server, f"vault-{server.name[-7:]}")

    def first_backup(self, server):
        place = self.vault(server)
        self.backup(place).succeeded()
        rows = whole(place, self.before, self.keys)
        self.alone("verify", place).succeeded()
        return f"{rows} rows"

    def second_backup(self, server):
        old = self.vault(server)
        new = old.copy(f"vault-second-{server.name[-7:]}")
        self.backup(new).succeeded()
        rows = whole(new, self.after, self.keys)
        self.alone("verify", new).succeeded()
        report = self.alone("diff", old, new.url, "--all-fields").report
        changed = {(row["resource"], row["id"]) for row in report["changes"]}
        wanted = {
            (resource, key)
            for resource in RESOURCES
            for key in set(self.before[resource]) | set(self.after[resource])
            if self.before[resource].get(key) != self.after[resource].get(key)
        }
        expect(changed == wanted, "the diff names what was edited", changed ^ wanted)
        new.remove("persons.json")
        self.alone("verify", new).failed(65, "finding")
        return f"{rows} rows, {len(changed)} changed"

    def alone(self, word, place, *flags):
        """A command that needs no account."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        command = [self.program.binary, "backup", word, place.url, *flags, "-o", "json"]
        run = subprocess.run(command, env=kept | place.environment, text=True, capture_output=True, timeout=300)
        run = Run(run.returncode, run.stdout, run.stderr)
        expect(run.report is not None, "a report", run.stderr[-500:])
        return run

    def no_backup(self, server, number):
        """backup killed at every step, resumed"""
        return Bucket(server, f"vault-fresh-{number}")

    def old_backup(self, server, number):
        """later backup killed at every step, resumed"""
        return self.vault(server).copy(f"vault-copied-{number}")

    def broken_backup(self, server, start):
        def one(step):
            place = start(server, step)
            run = self.backup(place, crash_at_step=step)
            if run.status == 0:
                return None
            expect(run.status == -signal.SIGABRT, f"step {step}: killed", run.status, run.stderr[-500:])
            try:
                proven(place)
                self.backup(place).succeeded()
                whole(place, self.after, self.keys)
            except Wrong as error:
                raise Wrong(f"step {step}: {error}") from error
            return step

        return self.every_step(server, one, self.backup_stride[server.name], 1)

    def attachments(self, server):
        place = Bucket(server, "attachments")
        self.backup(place, "--include", "file_contents", program=self.files).succeeded()
        index = json.loads(place.get("fileContents.json"))
        stored = [row for row in index if "sha256" in row]
        for row in stored:
            body = place.get(f"files/{row['sha256']}")
            expect(hashlib.sha256(body).hexdigest() == row["sha256"], "an attachment is what it is called", row)
            expect(len(body) == row["bytes"], "an attachment's size", row)
        self.alone("verify", place).succeeded()
        place.remove(f"files/{stored[0]['sha256']}")
        self.alone("verify", place).failed(65, "finding")
        return f"{len(stored)} attachments"

    def fresh(self, server, form, number):
        """killed at every step of a first run"""
        return Bucket(server, f"fresh-{form}-{number}"), versions(self.after)

    def copied(self, server, form, number):
        """killed at every step of a second run"""
        place = self.base(server, form).copy(f"copied-{form}-{number}")
        return place, versions(self.before, self.after)

    def killed(self, server, form, start):
        """Runs killed at every step and resumed; ends with the first one that has fewer steps."""

        def one(step):
            place, wanted = start(server, form, step)
            run = self.run(place, "--format", form, crash_at_step=step)
            if run.status == 0:
                return None
            expect(run.status == -signal.SIGABRT, f"step {step}: killed", run.status, run.stderr[-500:])
            try:
                self.run(place, "--format", form).succeeded()
                check(place, wanted, self.keys)
            except Wrong as error:
                raise Wrong(f"step {step}: {error}") from error
            return step

        begin = self.first_step(server, form == FORMATS[0])
        return self.every_step(server, one, self.stride[server.name], begin)

    def first_step(self, server, other):
        """The servers take turns: each step of each kind of run is killed at on one of them."""
        return 1 if (server.name == "moto") == other else 2

    def every_step(self, server, one, stride, first):
        """Calls `one` with step after step, several side by side, until it has no such step."""
        kills = 0
        with concurrent.futures.ThreadPoolExecutor(HANDS) as hands:
            for begin in range(first, STEPS_MAX, HANDS * stride):
                steps = range(begin, begin + HANDS * stride, stride)
                found = list(hands.map(one, steps))
                kills += sum(step is not None for step in found)
                if None in found:
                    expect(kills * stride > 10, "there are steps to be killed at", kills)
                    return f"{kills} kills" + (f", {stride} steps apart" if stride > 1 else "")
        raise Wrong(f"more than {STEPS_MAX} steps")

    def race(self, server):
        """Whoever comes second says so; what the other one wrote stays whole."""
        wins = []
        for number in range(RACES):
            place = Bucket(server, f"race-{number}-{server.name[-7:]}")
            racers = [self.start(place, "--format", "parquet") for _ in range(2)]
            runs = [ended(racer) for racer in racers]
            for run in runs:
                if run.status != 0:
                    run.failed(74, "another run|is writing|process", place.url)
            wins.append(sum(run.status == 0 for run in runs))
            self.unlocked(server, place).succeeded()
            check(place, versions(self.after), self.keys)
        return f"winners {wins}"

    def unlocked(self, server, place):
        """A run after others have gone, perhaps without having given back their lock."""
        flags = ["--break-lock"] if isinstance(server, Weak) else []
        return self.run(place, "--format", "parquet", *flags)

    def profile(self, server):
        """As the tools of others have it: files, and the name of a section."""
        keys, settings = self.folder / "credentials", self.folder / "settings"
        keys.write_text(
            f"[lake]\naws_access_key_id = {server.key}\naws_secret_access_key = {server.secret}\n"
        )
        settings.write_text(f"[profile lake]\nregion = {REGION}\nendpoint_url = {server.endpoint}\n")
        place = Bucket(server, "profile")
        place.environment = {
            "AWS_PROFILE": "lake",
            "AWS_SHARED_CREDENTIALS_FILE": str(keys),
            "AWS_CONFIG_FILE": str(settings),
        }
        self.run(place).succeeded()
        place.environment["AWS_PROFILE"] = "nobody"
        self.run(place).failed(78, "nobody", "AWS_PROFILE")

    def refusals(self, server):
        base = self.base(server, "parquet")
        missing = Bucket(server, "x", bucket="nobody-made-this")
        self.run(missing).failed(74, "bucket", "nobody-made-this", "create")
        if server.checks_signatures:
            wrong = server.environment(secret="wrong" * 8)
            run = self.program.run(base.url, environment=wrong)
            run.failed(74, "credentials|denied|signature", Bucket.name, "AWS_SECRET_ACCESS_KEY")
            expect("wrong" * 8 not in run.stderr + run.stdout, "no secret in sight")

        def spoilt(name, change):
            place = base.copy(f"spoilt-{name}")
            newest = max(name for name in place.list() if name.startswith("_manifest/"))
            body = change(place.manifest())
            for path in (newest, "manifest.json"):
                place.put(path, body)
            return place, place.list()

        def foreign(manifest):
            manifest["account"]["company_id"] += 1
            return json.dumps(manifest).encode()

        def newer(manifest):
            return json.dumps(manifest | {"version": 99}).encode()

        def torn(manifest):
            return json.dumps(manifest).encode()[:-40]

        place, held = spoilt("foreign", foreign)
        self.run(place).failed(78, "compan|account", "s3://")
        expect(place.list() == held, "another company's warehouse is left alone")
        for name, change, word in (("newer", newer, "newer|version"), ("torn", torn, "manifest")):
            place, held = spoilt(name, change)
            self.run(place).failed(65, word, "s3://")
            expect(place.list() == held, "a manifest that is not understood is left alone")
        place = base.copy("spoilt-gap")
        gone = place.manifest()["files"]["deals"][0]["path"]
        place.remove(gone)
        self.run(place).failed(65, Path(gone).name)
        return "missing bucket, foreign, newer, torn, gap" + (
            ", wrong secret" if server.checks_signatures else ""
        )

    def weakness(self, weak):
        place = Bucket(weak, "weakness")
        dropped, weak.written = weak.dropped, []
        run = self.run(place, "--format", "parquet").succeeded()
        expect(weak.dropped > dropped, "it asked for conditions")
        expect("condition" in run.stderr, "it says that they are ignored", run.stderr)
        locks = [path for path in weak.written if "lock" in path]
        expect(locks, "it writes a lock object instead", weak.written)
        left = [name for name in place.list() if "lock" in name]
        expect(not left, "and takes it away", left)
        check(place, versions(self.after), self.keys)

    def abandoned(self, weak):
        """A lock that was left behind stops the next run, until it is broken."""
        locked = 0
        for step in range(5, STEPS_MAX, 6):
            place = Bucket(weak, f"abandoned-{step}")
            run = self.run(place, "--format", "parquet", crash_at_step=step)
            if run.status == 0:
                break
            if any("lock" in name for name in place.list()):
                locked += 1
                self.run(place, "--format", "parquet").failed(74, "break-lock", "process|run")
            self.run(place, "--format", "parquet", "--break-lock").succeeded()
            check(place, versions(self.after), self.keys)
        expect(locked > 0, "runs were killed while they held the lock", locked)
        return f"{locked} locks broken"

    def power_cut(self, server):
        """The server goes while a run writes; after it is back, the next run makes it whole."""
        account = Account(self.slow.config)
        wanted = versions(truth(account, self.keys, RESOURCES))
        place = Bucket(server, "power-cut")
        run = self.start(place, "--format", "parquet", program=self.slow)
        end = time.monotonic() + 60
        while not any(name.endswith(".parquet") for name in place.list()):
            expect(run.poll() is None and time.monotonic() < end, "a part appears", run.poll())
            time.sleep(0.01)
        server.kill()
        begin = time.monotonic()
        ended(run).failed(74, "s3://")
        seconds = time.monotonic() - begin
        server.start()
        if not server.keeps_objects:
            server.client().create_bucket(Bucket=Bucket.name)
        self.start_slow(place).succeeded()
        check(place, wanted, self.keys)
        return f"gave up after {seconds:.0f} s, made whole by the next run"

    def start_slow(self, place):
        return ended(self.start(place, "--format", "parquet", program=self.slow))

    def start(self, place, *flags, program=None, **settings):
        program = program or self.program
        return program.start(place.url, *flags, environment=place.environment, **settings)

    def run(self, place, *flags, **settings):
        return ended(self.start(place, *flags, **settings))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("config")
    parser.add_argument("slow_config")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=2, help="steps between kills on each server")
    args = parser.parse_args()
    # So that whatever ends this process ends the servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    stride = {"moto": args.every, "ceph": args.every}
    suite = Suite(args.binary, args.config, args.slow_config, args.folder, stride)
    suite.all()
    if suite.report.wrong:
        sys.exit(f"FAILED: {suite.report.wrong} checks")


if __name__ == "__main__":
    main()
