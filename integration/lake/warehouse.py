"""A warehouse from outside: runs the program, and reads what it left without its help.

Rows are taken from the files the manifest names, in its order, and held against what plain HTTP
calls find in the account. Several versions of a key are several changes of it.
"""

import datetime
import io
import json
import math
import os
import re
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet

from account import key_of

# What the program adds to every row.
OWN = {"_synced_at", "_deleted", "_extra"}
NAKED = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)")


class Wrong(Exception):
    """The program did not do what it promises."""


def expect(held, what, *shown):
    if not held:
        raise Wrong(": ".join([what, *(repr(one)[:250] for one in shown)]))


@dataclass
class Run:
    """A command that has ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def report(self):
        """The summary, or nothing if it was killed or failed before."""
        try:
            return json.loads(self.stdout)
        except ValueError:
            return None

    @property
    def error(self):
        """The error object on stderr."""
        for line in reversed(self.stderr.splitlines()):
            if line.startswith("{"):
                return json.loads(line)
        return {}

    def succeeded(self):
        expect(self.status == 0, "exit code", self.status, self.stderr[-1500:])
        expect(self.report and self.report["complete"], "a complete report", self.stdout)
        return self

    def failed(self, status, *words):
        """Ended with this exit code, and a message that holds all these words."""
        expect(self.status == status, f"exit code instead of {status}", self.status, self.stderr[-1500:])
        error = self.error
        expect(error.get("exitCode") == status, "one JSON object on stderr", self.stderr)
        said = f"{error.get('message')} {error.get('path')}"
        for word in words:
            expect(re.search(word, said, re.I), f"the message says {word!r}", said)
        return self


class Program:
    """The program and the account it reads."""

    def __init__(self, binary, config, folder, resources=None, words=("sync", "warehouse")):
        self.binary, self.folder, self.resources, self.words = binary, folder, resources, words
        self.config = json.loads(Path(config).read_text())
        self.count = 0

    def command(self, place, *flags, **settings):
        """`settings` go into the configuration."""
        self.count += 1
        config = self.folder / f"config-{self.count}-{os.urandom(3).hex()}.json"
        config.write_text(json.dumps(self.config | settings))
        command = [self.binary, *self.words, "--config", config, "--dir", place, "-o", "json"]
        if self.resources:
            command += ["--resources", ",".join(self.resources)]
        return list(map(str, [*command, *flags]))

    def start(self, place, *flags, environment=None, **settings):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return subprocess.Popen(
            self.command(place, *flags, **settings), env=kept | (environment or {}), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )

    def run(self, place, *flags, environment=None, seconds=300, **settings):
        process = self.start(place, *flags, environment=environment, **settings)
        return ended(process, seconds)

    def keys(self):
        """Primary key columns of all streams."""
        config = self.folder / "discover.json"
        config.write_text(json.dumps(self.config))
        out = subprocess.run(
            [self.binary, "discover", "--config", config], check=True, stdout=subprocess.PIPE
        ).stdout
        [catalog] = filter(None, (json.loads(line).get("catalog") for line in out.splitlines()))
        return {
            stream["name"]: [path[0] for path in stream["source_defined_primary_key"]]
            for stream in catalog["streams"]
        }


def ended(process, seconds=300):
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise Wrong(f"still running after {seconds} s: {' '.join(process.args)}") from None
    return Run(process.returncode, out, err)


class Folder:
    """A warehouse on disk."""

    def __init__(self, path):
        self.path = Path(path)
        self.url = str(path)
        self.environment = {}

    def get(self, name):
        return (self.path / name).read_bytes()

    def list(self):
        return {
            str(path.relative_to(self.path)): path.stat().st_size
            for path in self.path.rglob("*")
            if path.is_file()
        }

    def manifest(self):
        return json.loads(self.get("manifest.json"))


class Bucket:
    """A warehouse on an S3 server."""

    name = "lake"

    def __init__(self, server, prefix, bucket=None):
        self.server, self.prefix, self.client = server, prefix, server.client()
        self.name = bucket or self.name
        self.url = f"s3://{self.name}/{prefix}"
        self.environment = server.environment()

    def get(self, name):
        return self.client.get_object(Bucket=self.name, Key=f"{self.prefix}/{name}")["Body"].read()

    def put(self, name, body):
        self.client.put_object(Bucket=self.name, Key=f"{self.prefix}/{name}", Body=body)

    def remove(self, name):
        self.client.delete_object(Bucket=self.name, Key=f"{self.prefix}/{name}")

    def list(self):
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=f"{self.prefix}/"
        )
        return {
            found["Key"].removeprefix(f"{self.prefix}/"): found["Size"]
            for page in pages
            for found in page.get("Contents", [])
        }

    def manifest(self):
        """The newest commit; the copy for readers has to be the same."""
        newest = max(name for name in self.list() if re.fullmatch(r"_manifest/\d{20}\.json", name))
        commit = self.get(newest)
        expect(commit == self.get("manifest.json"), "manifest.json is the newest commit", newest)
        return json.loads(commit)

    def copy(self, prefix):
        for name in self.list():
            self.client.copy_object(
                Bucket=self.name,
                Key=f"{prefix}/{name}",
                CopySource={"Bucket": self.name, "Key": f"{self.prefix}/{name}"},
            )
        return Bucket(self.server, prefix, self.name)


def rows(place, manifest, resource):
    """All rows of a resource, in the order they were committed."""
    found = []
    for file in manifest["files"].get(resource, []):
        body = place.get(file["path"])
        if file["path"].endswith(".parquet"):
            expect(len(body) == file["bytes"], f"{file['path']}: bytes as committed", len(body))
            read = pyarrow.parquet.read_table(io.BytesIO(body)).to_pylist()
        else:
            expect(len(body) >= file["bytes"], f"{file['path']}: bytes as committed", len(body))
            read = [json.loads(line) for line in body[: file["bytes"]].splitlines()]
        expect(len(read) == file["rows"], f"{file['path']}: rows as committed", len(read), file["rows"])
        found += read
    return found


def check(place, wanted, keys):
    """Every key has exactly the versions it should have, in this order, and no file is left over.

    `wanted` holds for each resource the versions by key.
    """
    manifest = place.manifest()
    named = {file["path"] for files in manifest["files"].values() for file in files}
    there = {
        name for name in place.list() if re.search(r"\.(parquet|ndjson)(\.zst|\.gz)?$", name)
    }
    expect(there == named, "the files are those of the manifest", sorted(there ^ named))
    faults = []
    for resource, truth in wanted.items():
        found = {}
        for row in rows(place, manifest, resource):
            found.setdefault(key_of(row, keys[resource]), []).append(row)
        lost, extra = sorted(set(truth) - set(found)), sorted(set(found) - set(truth))
        if lost or extra:
            faults.append(f"{resource}: {len(lost)} lost {lost[:3]}, {len(extra)} too many {extra[:3]}")
        columns = manifest.get("columns", {}).get(resource, {})
        for key in set(truth) & set(found):
            if len(truth[key]) != len(found[key]):
                faults.append(f"{resource} {key}: {len(found[key])} versions, not {len(truth[key])}")
                continue
            for want, got in zip(truth[key], found[key], strict=True):
                faults += [f"{resource} {key}: {fault}" for fault in unlike(want, got, columns)]
            stamps = [row["_synced_at"] for row in found[key] if "_synced_at" in row]
            if stamps != sorted(set(stamps)):
                faults.append(f"{resource} {key}: _synced_at does not tell the order: {stamps}")
    expect(not faults, f"{len(faults)} faults", *faults[:3])
    return sum(len(versions) for truth in wanted.values() for versions in truth.values())


def unlike(want, got, columns):
    """How a row differs from what the API says; `columns` are the names of custom fields."""
    extra = json.loads(got["_extra"]) if isinstance(got.get("_extra"), str) else got.get("_extra") or {}
    extra = dict(extra)
    nested = want.get("custom_fields")
    flat = {name: value for name, value in want.items() if name != "custom_fields"}
    if "custom_fields" in got:
        flat["custom_fields"] = nested
    elif nested:
        kept = extra.get("custom_fields")
        extra |= kept if isinstance(kept, dict) else {}
        flat |= nested
    for name, value in flat.items():
        # Leads have the parts of a value side by side: `<hash>_currency`.
        code, _, part = name.partition("_")
        column = f"{columns[code]}_{part}" if part and code in columns else columns.get(name, name)
        cell = got.get(column)
        if same(value, cell):
            continue
        # What does not fit its column, or not all of it, is there in full.
        if extra.get(name) == value or extra.get(column) == value:
            continue
        yield f"{column} is {cell!r}, not {value!r}; _extra is {extra!r}"


def same(want, got):
    """Whether a typed value is what the API's JSON says."""
    match want, got:
        case None, None:
            return True
        # A column of many shapes holds JSON.
        case bool(), str():
            return json.dumps(want) == got
        case (bool(), _) | (_, bool()):
            return want is got
        case str(), datetime.datetime():
            return instant(want) == (got if got.tzinfo else got.replace(tzinfo=datetime.UTC))
        case str(), datetime.date():
            return want == got.isoformat()
        case str(), str():
            naked = NAKED.fullmatch(want) and instant(want) == instant(got)
            # The last is JSON, in a column of many shapes.
            return want == got or naked or got == json.dumps(want, ensure_ascii=False)
        case (int() | float()), str():
            return str(want) == got
        # v1 has option ids as text, and several with commas between.
        case str(), int():
            return want == str(got)
        case str(), list():
            return want == ",".join(map(str, got))
        case (int() | float()), _ if got is not None and not isinstance(got, (dict, list)):
            return math.isclose(want, got, rel_tol=1e-15, abs_tol=0)
        case dict(), dict():
            known = all(same(value, got.get(name)) for name, value in want.items())
            return known and all(got[name] is None for name in got if name not in want)
        case list(), list():
            return len(want) == len(got) and all(map(same, want, got))
        # Keys that are not known beforehand come as a list of pairs.
        case dict(), list() if all(isinstance(pair, tuple) for pair in got):
            return same(want, dict(got))
        case (dict() | list()), str():
            try:
                return json.loads(got) == want
            except ValueError:
                return False
    return False


def instant(text):
    try:
        when = datetime.datetime.fromisoformat(text)
    except ValueError:
        return text
    return when if when.tzinfo else when.replace(tzinfo=datetime.UTC)


def versions(*truths):
    """What a warehouse has to hold that saw these states of the account one after the other."""
    wanted = {}
    for truth in truths:
        for resource, found in truth.items():
            held = wanted.setdefault(resource, {})
            for key, row in found.items():
                seen = held.setdefault(key, [])
                if not seen or seen[-1] != row:
                    seen.append(row)
    return wanted


def news(before, after):
    """How many rows of each resource are new or changed."""
    return {
        resource: sum(before[resource].get(key) != row for key, row in found.items())
        for resource, found in after.items()
    }


def truth(account, keys, resources):
    """The rows of some resources by key, as plain HTTP finds them."""
    found = {}
    for resource in resources:
        listed = [(key_of(row, keys[resource]), row) for row in account.rows_of(resource)]
        twice = [key for key, times in Counter(key for key, _ in listed).items() if times > 1]
        expect(not twice, f"{resource}: keys tell rows apart", twice)
        found[resource] = dict(listed)
    return found
