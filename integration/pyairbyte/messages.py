"""One command of the connector: what it wrote, line by line, against the official models."""

import json
import re
import subprocess
import time

from airbyte_protocol.models import AirbyteMessage, AirbyteStateBlob
from pydantic import BaseModel, ValidationError

# Payload key of each message type, and where a source may send which.
PAYLOADS = {
    "RECORD": "record",
    "STATE": "state",
    "LOG": "log",
    "SPEC": "spec",
    "CONNECTION_STATUS": "connectionStatus",
    "CATALOG": "catalog",
    "TRACE": "trace",
    "CONTROL": "control",
}
LEGAL = {
    "spec": {"SPEC"},
    "check": {"CONNECTION_STATUS", "CONTROL"},
    "discover": {"CATALOG", "CONTROL"},
    "read": {"RECORD", "STATE", "CONTROL"},
}
ANYWHERE = {"LOG", "TRACE"}

COMMAND_SECONDS_MAX = 120
LINE_BYTES_MAX = 5_000_000


class Faults:
    """What went wrong, each kind counted and shown once."""

    def __init__(self):
        self.found = {}
        self.checked = 0

    def expect(self, holds, rule, detail=""):
        self.checked += 1
        if not holds:
            self.found.setdefault(rule, []).append(str(detail)[:400])
        return holds

    def report(self):
        return [f"{rule} ({len(details)}×): {details[0]}" for rule, details in self.found.items()]


class Command:
    """Runs the binary to its end and checks every line it wrote."""

    def __init__(self, binary, arguments, faults, secrets=(), name=None):
        self.name = name or arguments[0]
        self.faults = faults
        started = time.monotonic()
        done = subprocess.run(
            [binary, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_SECONDS_MAX,
        )
        self.seconds = time.monotonic() - started
        self.exit, self.stdout, self.stderr = done.returncode, done.stdout, done.stderr
        for secret in secrets:
            leaked = secret.encode() in self.stdout or secret.encode() in self.stderr
            self.expect(not leaked, "a secret is in the output")
        self.lines, self.messages = [], []
        self.parse(LEGAL.get(arguments[0], set()) | ANYWHERE)

    def expect(self, holds, rule, detail=""):
        return self.faults.expect(holds, f"{self.name}: {rule}", detail)

    def parse(self, legal):
        self.expect(not self.stdout or self.stdout.endswith(b"\n"), "last line is complete")
        self.expect(b"\r" not in self.stdout, "no carriage returns")
        # On \n alone: Python's splitlines would also cut at other separators.
        for number, raw in enumerate(self.stdout.split(b"\n")[:-1], 1):
            place = f"line {number}: {raw[:300]!r}"
            if not self.expect(raw.strip() != b"", "no blank lines", place):
                continue
            self.expect(len(raw) < LINE_BYTES_MAX, "lines stay small", f"line {number}")
            try:
                line = json.loads(raw, parse_constant=not_json, object_pairs_hook=unrepeated)
                json.dumps(line, ensure_ascii=False).encode()
                message = AirbyteMessage.model_validate_json(raw, strict=True)
            except (ValueError, ValidationError) as error:
                self.expect(False, "every line is a message", f"{error} in {place}")
                continue
            payload = PAYLOADS.get(line["type"])
            self.expect(set(line) == {"type", payload}, "exactly the payload of its type", place)
            self.expect(line["type"] in legal, "message types legal here", place)
            self.expect(
                not unknown(message), "no key the models do not know", (unknown(message), place)
            )
            if line["type"] == "STATE":
                counted = re.search(rb'"recordCount":\d+\.0[,}]', raw)
                self.expect(counted, "recordCount has a decimal point", place)
            self.lines.append(line)
            self.messages.append(message)

    def of(self, kind):
        """Payloads of one message type."""
        return [line[PAYLOADS[kind]] for line in self.lines if line["type"] == kind]

    def errors(self):
        return [trace["error"] for trace in self.of("TRACE") if trace["type"] == "ERROR"]

    def succeeded(self):
        self.expect(self.exit == 0, "exits with 0", (self.exit, self.errors(), self.stderr[-500:]))
        self.expect(not self.errors(), "has no TRACE ERROR", self.errors())
        return self

    def failed(self, kind):
        """TRACE ERROR that says who must act, and exit code 1."""
        self.expect(self.exit == 1, "exits with 1", (self.exit, self.stderr[-500:]))
        errors = self.errors()
        if self.expect(errors, "has a TRACE ERROR", self.stdout[-500:]):
            types = {error.get("failure_type") for error in errors}
            self.expect(types == {kind}, f"failure_type is {kind}", types)
            self.expect(all(error["message"].strip() for error in errors), "says what failed")
        self.expect(not self.of("RECORD"), "sends no record")
        return self

    def summary(self):
        records = len(self.of("RECORD"))
        return f"{self.name:<34}{self.exit:>5}{len(self.lines):>9}{records:>9}{self.seconds:>8.2f}"


def not_json(constant):
    raise ValueError(f"{constant} is not JSON")


def unrepeated(pairs):
    keys = [key for key, _ in pairs]
    if len(keys) != len(set(keys)):
        raise ValueError(
            f"a key stands twice: {sorted(key for key in keys if keys.count(key) > 1)}"
        )
    return dict(pairs)


def unknown(value, place=""):
    """Keys the official models have no field for; the state of a stream is ours to fill."""
    found = []
    if isinstance(value, BaseModel) and not isinstance(value, AirbyteStateBlob):
        found += [f"{place}.{key}" for key in value.model_extra or {}]
        for field in type(value).model_fields:
            found += unknown(getattr(value, field), f"{place}.{field}")
    elif isinstance(value, list):
        for item in value:
            found += unknown(item, place)
    return found
