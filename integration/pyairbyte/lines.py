"""Every line the connector writes, in working order and in trouble.

    lines.py BINARY CONFIG ROUGH BROKEN DIRECTORY

The account behind CONFIG is edited on the way; the one behind ROUGH answers with passing faults,
the one behind BROKEN never lists its files. What every command wrote is held against the official
message models and the rules of Airbyte's standard tests.
"""

import copy
import datetime
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import lints
from account import CHILDREN, Account, edit
from airbyte.types import SQLTypeConversionError, _get_airbyte_type
from messages import Command, Faults

# How far an incremental read looks back, by default.
OVERLAP = datetime.timedelta(seconds=60)
# The app and the grant every sandbox knows.
OAUTH = {
    "auth_type": "oauth",
    "client_id": "sandbox-client",
    "client_secret": "sandbox-client-secret",
    "refresh_token": "100:900:sandbox-refresh-000000",
}
# Past the second a run begins in: rows saved in that one are left to the next run.
SECONDS_BEFORE_A_RUN = 2
FUTURE = "2999-01-01T00:00:00Z"
BAD_TOKEN = "0123456789abcdef0123456789abcdef01234567"


def undetermined(streams):
    """Properties of which PyAirbyte cannot determine a type, and takes text."""
    vague = []
    for stream in streams:
        for name, property in stream["json_schema"]["properties"].items():
            try:
                _get_airbyte_type(property)
            except SQLTypeConversionError:
                vague.append(f"{stream['name']}.{name}")
    return vague


class Suite:
    def __init__(self, binary, config_file, rough, broken, directory):
        self.binary, self.config_file, self.directory = binary, config_file, directory
        self.rough, self.broken = rough, broken
        self.config = json.loads(config_file.read_text())
        self.faults = Faults()
        grant = [OAUTH["client_secret"], OAUTH["refresh_token"], "v1u:sandbox-access"]
        self.secrets = [self.config["credentials"]["api_token"], BAD_TOKEN, *grant]
        print(f"{'command':<34}{'exit':>5}{'lines':>9}{'records':>9}{'s':>8}")

    def file(self, name, content):
        path = self.directory / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        # As platforms hand files in.
        path.chmod(0o444)
        return path

    def run(self, name, *arguments):
        command = Command(self.binary, list(map(str, arguments)), self.faults, self.secrets, name)
        print(command.summary())
        return command

    def read(self, name, catalog, state=None, config=None, succeeds=True):
        slug = name.replace(" ", "-").replace(",", "")
        arguments = ["--config", config or self.config_file]
        arguments += ["--catalog", self.file(f"{slug}.catalog", catalog)]
        if state is not None:
            arguments += ["--state", self.file(f"{slug}.state", state)]
        command = self.run(name, "read", *arguments)
        (self.directory / f"{slug}.out").write_bytes(command.stdout)
        if succeeds:
            command.succeeded()
        return lints.Read(command, catalog)

    def all(self):
        spec = lints.spec(self.run("spec", "spec").succeeded())
        problems = [error.message for error in lints.validator(spec).iter_errors(self.config)]
        self.faults.expect(not problems, "the sandbox's configuration fits the spec", problems)
        self.check()
        streams = lints.catalog(
            self.run("discover", "discover", f"--config={self.config_file}").succeeded()
        )
        self.names = [stream["name"] for stream in streams]
        self.reads(streams)
        self.settings(streams)
        self.faulty(streams)
        self.trouble(streams)
        self.odd_states(streams)
        self.abrupt_ends(streams)

    def check(self):
        status = (
            self.run("check", "check", "--config", self.config_file)
            .succeeded()
            .of("CONNECTION_STATUS")
        )
        self.faults.expect(
            [answer["status"] for answer in status] == ["SUCCEEDED"],
            "check: SUCCEEDED once",
            status,
        )

    def reads(self, streams):
        expect = self.faults.expect
        mixed = configured(streams, lambda s: s["supported_sync_modes"][-1])
        first = self.read("read", mixed).complete()
        for stream in first.streams.values():
            expect(stream.keys, "read: every stream has records", stream.name)
        own = [s["name"] for s in streams if s["supported_sync_modes"][-1] == "incremental"]
        own = [name for name in own if name not in {child for child, *_ in CHILDREN}]
        for name in own:
            stream = first.streams[name]
            newest = lints.instant(stream.state["stream"]["stream_state"]["update_time"])
            expect(max(stream.cursors) <= newest, "read: cursors stay within the state", name)

        # Nothing happened: the streams that know what changed have nothing to say.
        idle = self.read("read again, idle", mixed, first.states()).complete()
        for name, stream in idle.streams.items():
            if name in own:
                expect(not stream.keys, "read again, idle: repeats nothing", (name, stream.keys))
        self.parted(mixed, first)

        account = Account(self.config)
        keys = {name: stream.key for name, stream in first.streams.items()}
        edit(account, account.truth(keys))
        time.sleep(SECONDS_BEFORE_A_RUN)
        # The platform drops the state of a finished full refresh before the next sync.
        states = [
            state for state in first.states() if state["stream"]["stream_descriptor"]["name"] in own
        ]
        second = self.read("read again, edited", mixed, states).complete()
        for name in own:
            early = [
                c
                for c in second.streams[name].cursors
                if c < max(first.streams[name].cursors) - OVERLAP
            ]
            expect(not early, "read again, edited: cursors go on", (name, early[:3]))
        for name in (
            "deals",
            "persons",
            "notes",
            "leads",
            "organizations",
            "products",
            "activities",
        ):
            expect(second.streams[name].keys, "read again, edited: edits arrive", name)

        self.future(streams, first)
        now = self.full(streams)
        self.resumed(mixed, first, now)

    def future(self, streams, first):
        """A state that saw rows of the future has nothing to wait for; one that only says so is not believed."""
        named = [s for s in streams if "incremental" in s["supported_sync_modes"]]
        catalog = configured(named, lambda s: "incremental")
        wanted = {stream["name"] for stream in named}
        built = [
            s
            for s in copy.deepcopy(first.states())
            if s["stream"]["stream_descriptor"]["name"] in wanted
        ]
        for state in built:
            postpone(state["stream"]["stream_state"])
        bare = [
            {
                "type": "STREAM",
                "stream": {
                    "stream_descriptor": {"name": name},
                    "stream_state": {"update_time": FUTURE},
                },
            }
            for name in sorted(wanted)
        ]
        read = self.read("future state", catalog, built).complete()
        for stream in read.streams.values():
            detail = (stream.name, len(stream.keys))
            self.faults.expect(not stream.keys, "future state: yields nothing", detail)
        read = self.read("future state, bare", catalog, bare).complete()
        for name, stream in read.streams.items():
            read_all = bool(stream.keys) or not first.streams[name].keys
            self.faults.expect(read_all, "future state, bare: everything is read", name)

    def full(self, streams):
        """Twice in full: the second holds the first, later, and no state stops it."""
        catalog = configured(streams, lambda s: "full_refresh")
        one = self.read("full refresh", catalog).complete()
        two = self.read("full refresh again", catalog).complete()
        for name, stream in one.streams.items():
            again = two.streams[name]
            missing = stream.keys - again.keys
            self.faults.expect(
                not missing, "full refresh: the second holds the first", (name, list(missing)[:3])
            )
            later = not stream.emitted or min(again.emitted) >= max(stream.emitted)
            self.faults.expect(later, "full refresh: emitted_at rises", name)
        return two

    def parted(self, catalog, first):
        """Killed without edits, a read continues with exactly the rows no state covers."""
        for percent in (20, 50, 80):
            cut = beginning(first, catalog, percent)
            rest = self.read(f"the rest after {percent} %", catalog, cut.states()).complete()
            for name, stream in first.streams.items():
                wanted = stream.keys - cut.streams[name].covered
                held = rest.streams[name].keys
                self.faults.expect(
                    held == wanted,
                    "the rest: is what no state covers",
                    (percent, name, f"{len(wanted - held)} missing, {len(held - wanted)} repeated"),
                )

    def resumed(self, catalog, first, now):
        """Killed at any line, a read continues from the last states it wrote and loses nothing.

        The first read was before the edits, so going on must also bring what changed since.
        """
        for percent in (10, 35, 60, 85):
            cut = beginning(first, catalog, percent)
            rest = self.read(f"read on from {percent} %", catalog, cut.states()).complete()
            # A row that changed its list behind a walk is the next run's to find.
            more = self.read(
                f"read on from {percent} %, and again", catalog, rest.states()
            ).complete()
            for name, stream in now.streams.items():
                held = [read.streams[name].keys for read in (cut, rest, more)]
                missing = stream.keys.difference(*held)
                self.faults.expect(
                    not missing, "read on: nothing is lost", (percent, name, list(missing)[:3])
                )

    def settings(self, streams):
        """Other configurations, with the catalogs they discover."""
        for keys in ("name", "columns"):
            named = self.file(f"{keys}.json", self.config | {"custom_fields": keys})
            theirs = lints.catalog(
                self.run(f"discover, fields as {keys}", "discover", "--config", named).succeeded()
            )
            catalog = configured(theirs, lambda s: "full_refresh")
            self.read(f"read, fields as {keys}", catalog, config=named).complete()
        vague = undetermined(theirs)
        self.faults.expect(not vague, "columns: PyAirbyte knows the type of each", vague[:3])

        oauth = self.file("oauth.json", self.config | {"credentials": OAUTH})
        status = (
            self.run("check, oauth", "check", "--config", oauth).succeeded().of("CONNECTION_STATUS")
        )
        self.faults.expect(
            status and status[0]["status"] == "SUCCEEDED", "check, oauth: succeeds", status
        )
        some = [stream for stream in streams if stream["name"] in ("deals", "users")]
        self.read(
            "read, oauth", configured(some, lambda s: "full_refresh"), config=oauth
        ).complete()

        start = "2026-06-01T00:00:00Z"
        late = self.file("start.json", self.config | {"start_date": start})
        own = [s for s in streams if s["name"] in ("deals", "persons", "notes", "leads", "files")]
        read = self.read(
            "read, start date", configured(own, lambda s: "incremental"), config=late
        ).complete()
        for stream in read.streams.values():
            early = [cursor for cursor in stream.cursors if cursor < lints.instant(start)]
            self.faults.expect(
                stream.cursors and not early,
                "start date: nothing is older",
                (stream.name, early[:3]),
            )

    def faulty(self, streams):
        catalog = configured(streams, lambda s: "full_refresh")
        rough = json.loads(self.rough.read_text()) | {"backoff_millis": 1}
        read = self.read(
            "read, passing faults", catalog, config=self.file("rough.json", rough)
        ).complete()
        waits = [status for stream in read.streams.values() for status in stream.reasons]
        self.faults.expect(
            "RATE_LIMITED" in waits, "passing faults: RUNNING says RATE_LIMITED", waits
        )

        # The others go on; the one that fails says so, and so does the whole.
        broken = json.loads(self.broken.read_text()) | {"backoff_millis": 1}
        broken = self.file("broken-files.json", broken)
        read = self.read("read, one stream fails", catalog, config=broken, succeeds=False)
        expect, errors = read.expect, read.command.errors()
        expect(read.command.exit == 1, "exits with 1", read.command.exit)
        at = [error.get("stream_descriptor", {}).get("name") for error in errors]
        expect("files" in at, "TRACE ERROR names the stream", errors)
        expect(set(at) <= {"files", None}, "no other stream fails", at)
        kinds = [line.get("trace", line)["type"] for line in read.command.lines]
        after = set(kinds[kinds.index("ERROR") :])
        expect(after == {"ERROR"}, "TRACE ERROR comes after all else", after)
        for name, stream in read.streams.items():
            if name == "files":
                expect(stream.kinds[-1:] == ["INCOMPLETE"], "ends in INCOMPLETE", stream.kinds)
            else:
                stream.complete()

    def trouble(self, streams):
        expect = self.faults.expect
        catalog = self.file("all.catalog", configured(streams, lambda s: "full_refresh"))
        bad = copy.deepcopy(self.config)
        bad["credentials"]["api_token"] = BAD_TOKEN
        bad = self.file("bad-token.json", bad)
        away = copy.deepcopy(self.config)
        # Nobody listens there.
        away |= {"base_url": "http://127.0.0.1:9", "backoff_millis": 1}
        away = self.file("nobody.json", away)
        empty = self.file("empty.json", {})

        for name, config in (("bad token", bad), ("nobody there", away), ("empty config", empty)):
            command = self.run(f"check, {name}", "check", "--config", config)
            status = command.of("CONNECTION_STATUS")
            failed = [answer["status"] for answer in status] == ["FAILED"]
            expect(
                failed and status[0].get("message"), f"check, {name}: FAILED with a reason", status
            )
            expect(command.exit == 0, f"check, {name}: exits with 0", command.exit)
        self.run("discover, bad token", "discover", "--config", bad).failed("config_error")
        self.run("read, bad token", "read", "--config", bad, "--catalog", catalog).failed(
            "config_error"
        )
        self.run("read, nobody there", "read", "--config", away, "--catalog", catalog).failed(
            "transient_error"
        )

        stranger = "__AIRBYTE__stream_that_does_not_exist"
        unknown = {
            "stream": {
                "name": stranger,
                "json_schema": {"type": "object"},
                "supported_sync_modes": ["full_refresh"],
            },
            "sync_mode": "INVALID",
            "destination_sync_mode": "INVALID",
        }
        missing = self.directory / "missing.json"
        broken = self.file("broken.json", '{"credentials": ')
        own = ("--config", self.config_file)
        for name, arguments in (
            (
                "unknown stream",
                ["read", *own, "--catalog", self.file("x1", {"streams": [unknown]})],
            ),
            (
                "unknown stream, valid mode",
                [
                    "read",
                    *own,
                    "--catalog",
                    self.file("x2", {"streams": [unknown | {"sync_mode": "full_refresh"}]}),
                ],
            ),
            (
                "invalid mode",
                [
                    "read",
                    *own,
                    "--catalog",
                    self.file(
                        "x3",
                        {
                            "streams": [
                                {
                                    "stream": streams[0],
                                    "sync_mode": "INVALID",
                                    "destination_sync_mode": "append",
                                }
                            ]
                        },
                    ),
                ],
            ),
            ("missing config", ["read", "--config", missing, "--catalog", catalog]),
            ("missing config, check", ["check", "--config", missing]),
            ("missing catalog", ["read", *own, "--catalog", missing]),
            ("missing state", ["read", *own, "--catalog", catalog, "--state", missing]),
            ("broken config", ["discover", "--config", broken]),
            ("broken catalog", ["read", *own, "--catalog", broken]),
            ("broken state", ["read", *own, "--catalog", catalog, "--state", broken]),
            ("no config given", ["check"]),
        ):
            self.run(name, *arguments).failed("config_error")

    def odd_states(self, streams):
        """What platforms hand in when there is no state to speak of."""
        some = [stream for stream in streams if stream["name"] in ("users", "notes")]
        catalog = configured(some, lambda s: "incremental")
        descriptor = {"name": "notes", "namespace": None}
        gone = {"stream_descriptor": {"name": "no_longer_selected"}, "stream_state": {"since": 1}}
        for name, state in (
            ("empty file", ""),
            ("null", "null"),
            ("legacy nothing", "{}"),
            ("no states", "[]"),
            (
                "reset stream",
                [
                    {
                        "type": "STREAM",
                        "stream": {"stream_descriptor": descriptor, "stream_state": None},
                    }
                ],
            ),
            (
                "stream of old",
                [{"type": "STREAM", "stream": gone, "data": None, "destinationStats": None}],
            ),
            # A key twice, as PyAirbyte writes it.
            ("key twice", '[{"type": "STREAM", "global_": null, "stream": null, "global_": null}]'),
        ):
            read = self.read(f"state, {name}", catalog, state).complete()
            for stream in read.streams.values():
                self.faults.expect(stream.keys, f"state, {name}: reads from the start", stream.name)

    def abrupt_ends(self, streams):
        """A reader that leaves is a quiet end, and so is SIGTERM in the middle of a line."""
        catalog = self.file("abrupt.catalog", configured(streams, lambda s: "full_refresh"))
        arguments = [
            self.binary,
            "read",
            "--debug",
            "--config",
            self.config_file,
            "--catalog",
            catalog,
        ]
        for name, end, wanted in (
            ("closed pipe", lambda process: process.stdout.close(), 0),
            # What the system reports of a process that does not catch it.
            ("SIGTERM", subprocess.Popen.terminate, -signal.SIGTERM),
        ):
            # Nobody reads past the first line, so it is still at work when its end comes.
            process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            process.stdout.readline()
            end(process)
            trouble = process.stderr.read()
            code = process.wait(60)
            process.stdout.close()
            quiet = code == wanted and not trouble
            self.faults.expect(quiet, f"{name}: ends quietly", (code, trouble[-500:]))
            print(f"{name:<34}{code:>5}")


class Part:
    """The beginning of a command's output."""

    def __init__(self, command, lines):
        self.lines, self.expect = lines, command.expect


def beginning(read, catalog, percent):
    """The read as it would have been, had it been killed there."""
    lines = read.command.lines
    return lints.Read(Part(read.command, lines[: len(lines) * percent // 100]), catalog)


def configured(streams, mode):
    """A catalog as the CDK's tests and some platforms write it: full of nulls."""
    return {
        "streams": [
            {
                "stream": {"namespace": None, "source_defined_cursor": None, **stream},
                "sync_mode": mode(stream),
                "destination_sync_mode": "append",
                "cursor_field": None,
                "primary_key": None,
                "generation_id": None,
                "minimum_generation_id": None,
                "sync_id": None,
                "destination_object_name": None,
                "include_files": None,
            }
            for stream in streams
        ]
    }


def postpone(state):
    """Moves every watermark of a real state into the future."""
    for key, value in state.items():
        if key in ("since", "update_time"):
            state[key] = FUTURE
        elif isinstance(value, dict):
            postpone(value)


def main():
    suite = Suite(sys.argv[1], *map(Path, sys.argv[2:]))
    suite.all()
    print(f"{len(suite.names)} streams, {suite.faults.checked} checks")
    if faults := suite.faults.report():
        print("FAILED:", *faults, sep="\n  ")
        sys.exit(1)


if __name__ == "__main__":
    main()
