"""Meltano syncs a sandbox into three targets, four times, with a day's work in between.

    run.py TAP CONFIG WORK RESULTS [once]

The first run takes everything, the second what changed, the third is a full refresh, and the last
continues from that; with `once` there is only the first. After each one the rows of every target must be those a plain walk over the API finds, with their values. Programs
are named by the environment: MELTANO, TARGET_JSONL, TARGET_CSV, TARGET_POSTGRES, CHECK_TAP; the
database by PGHOST, PGPORT, PGUSER. Results go to RESULTS, a JSON object a line.
"""

import csv
import json
import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import yaml

from account import CHILDREN, NO_KEY, SHARED, Account, edit, key_of
from lines import Lines

# Rows saved in the second in which a run begins are left to the next one.
SECONDS_BEFORE_A_RUN = 2
# Left out by rules, as a user writes them.
LEFT_OUT = {"deals": {"cc_email"}, "persons": {"phones"}}
UNREAD = {"organization_changelog"}
# Read as a whole by rule, although it could be read by changes.
FULL_TABLE = {"persons"}
CHILD_STREAMS = {stream for stream, *_ in CHILDREN}
SECONDS_MAX = 600

ROOT = Path(__file__).resolve().parents[2]


def main():
    tap, config, work, results, *once = sys.argv[1:]
    config = json.loads(Path(config).read_text())
    project = Project(Path(work), tap, config)
    project.probe()
    account = Account(config)
    keys = project.keys()
    targets = [Jsonl(project), Csv(project), Postgres(project)]
    truths, wrong = [account.truth(keys)], []
    wrong += run_all("first", project, targets, truths, keys, results)
    if not once:
        wrong += run_again(account, project, targets, truths, keys, results)
    if wrong:
        print("FAILED:", *wrong[:40], sep="\n  ")
        sys.exit(1)


def run_again(account, project, targets, truths, keys, results):
    """What is wrong after changes, after a full refresh, and after changes again."""
    wrong = []
    edit(account, truths[-1])
    time.sleep(SECONDS_BEFORE_A_RUN)
    truths.append(account.truth(keys))
    wrong += run_all("changes", project, targets, truths, keys, results)
    remove(account, truths[-1])
    time.sleep(SECONDS_BEFORE_A_RUN)
    truths.append(account.truth(keys))
    wrong += run_all("full refresh", project, targets, truths, keys, results)
    # Meltano has merged the new state into the old one, key by key.
    rename(account, truths[-1])
    time.sleep(SECONDS_BEFORE_A_RUN)
    truths.append(account.truth(keys))
    return wrong + run_all("changes again", project, targets, truths, keys, results)


def remove(account, truth):
    """Deletes what no list names afterwards."""
    for stream, path in [("persons", "/api/v2/persons"), ("activities", "/api/v2/activities")]:
        key = next(iter(truth[stream]))
        account.ask("DELETE", f"{path}/{key}")


def rename(account, truth):
    """Edits what lists changes."""
    for stream, column in [("deals", "title"), ("persons", "name"), ("products", "name")]:
        there = [
            key
            for key, row in truth[stream].items()
            if not row.get("is_deleted") and not row.get("is_archived")
        ]
        for number, key in enumerate(there[:3]):
            account.ask("PATCH", f"/api/v2/{stream}/{key}", {column: f"renamed {number}"})


def run_all(name, project, targets, truths, keys, results):
    wrong = []
    for target in targets:
        lines = project.run(target.name, full=name == "full refresh")
        held = target.rows(keys, lines)
        faults = check(name, target, lines, held, truths, keys)
        sent = sum(map(len, lines.records.values()))
        rows = sum(map(len, held.values()))
        line = {
            "tool": f"Meltano {project.version}",
            "into": target.title,
            "run": name,
            "streams": len(lines.schemas),
            "sent": sent,
            "rows": rows,
            "right": not faults,
        }
        with Path(results).open("a") as out:
            print(json.dumps(line), file=out)
        print(f"{target.title}, {name}: {sent} sent, {rows} rows, {len(faults)} faults", flush=True)
        print(*faults[:20], sep="\n", end="\n" if faults else "", flush=True)
        wrong += [f"{target.title}, {name}: {fault}" for fault in faults]
    return wrong


def check(name, target, lines, held, truths, keys):
    """What is wrong with the rows a target holds, and with what was sent for them."""
    faults = []
    before, now = truths[-2] if len(truths) > 1 else {}, truths[-1]
    expected_streams = set(keys) - UNREAD
    # What the account lacks has no rows, and may be left out.
    empty = {stream for stream in expected_streams if not now[stream]}
    if missing := (expected_streams ^ set(lines.schemas)) - empty:
        faults.append(f"streams differ: {sorted(missing)}")
    for stream in sorted(expected_streams & set(lines.schemas)):
        schema = lines.schemas[stream]["schema"]
        if left := LEFT_OUT.get(stream, set()) & set(schema["properties"]):
            faults.append(f"{stream}: {left} was deselected")
        whole = "bookmark_properties" not in lines.schemas[stream] and stream not in CHILD_STREAMS
        nameless = any(key.startswith(NO_KEY) for key in now[stream])
        truth = {key: as_sent(row, schema) for key, row in now[stream].items()}
        rows = held.get(stream, {})
        if nameless:
            if len(rows) < len(truth):
                faults.append(f"{stream}: {len(rows)} rows instead of {len(truth)}")
            continue
        for key in truth:
            if key not in rows:
                faults.append(f"{stream} {key} is missing")
            elif stream in SHARED:
                # Each of those that list it shows its own side.
                continue
            elif difference := target.difference(truth[key], rows[key], schema):
                faults.append(f"{stream} {key}: {difference}")
        # What left the account's lists stays in a target that only ever merges.
        known = set().union(*(set(truth[stream]) for truth in truths))
        gone = set(rows) - set(truth)
        allowed = set() if whole and target.versions else known - set(truth)
        if extra := gone - allowed:
            faults.append(f"{stream}: {len(extra)} rows too many, {sorted(extra)[:3]}")
        sent = {key_of(row, keys[stream]) for row in lines.records[stream]}
        if len(sent) != len(lines.records[stream]):
            faults.append(f"{stream}: a row was sent twice")
        if whole or not name.startswith("changes"):
            if sent != set(truth):
                faults.append(f"{stream}: {len(sent)} rows sent of {len(truth)}")
        elif stream not in CHILD_STREAMS:
            changed = {key for key, row in now[stream].items() if before[stream].get(key) != row}
            repeated = name == "changes again"
            if not sent >= changed if repeated else sent != changed:
                faults.append(f"{stream}: sent {sorted(sent)[:5]}, changed {sorted(changed)[:5]}")
    return faults


def as_sent(value, schema):
    """A value of the API as it must arrive: declared properties, RFC 3339, one type a column."""
    if isinstance(value, str) and schema.get("format") == "date-time":
        if not value or value.startswith("0000"):
            return None
        return value if "T" in value else value.replace(" ", "T") + "Z"
    if isinstance(value, str) and schema.get("format") == "date":
        return None if not value or value.startswith("0000") else value
    if schema.get("x-json") and value is not None and not isinstance(value, str):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if isinstance(value, list):
        return [as_sent(item, schema.get("items", {})) for item in value]
    if isinstance(value, dict):
        properties = schema.get("properties")
        top = properties is not None and "type" in schema and schema["type"] == "object"
        sent = {
            name: as_sent(member, (properties or {}).get(name, {}))
            for name, member in value.items()
            if not top or name in properties
        }
        for name, member in value.items():
            if top and f"{name}_object" in properties and isinstance(member, dict):
                # Text in most accounts; where it is an object, its label, and the object beside it.
                sent[name] = member["label"]
                sent[f"{name}_object"] = as_sent(member, properties[f"{name}_object"])
        return {**dict.fromkeys(properties or {}), **sent}
    return value


class Project:
    """A Meltano project in a folder of its own, with the plugin as it is packaged."""

    def __init__(self, work, tap, config):
        self.folder, self.tap, self.lines, self.run_number = work, tap, work / "lines", 0
        work.mkdir()
        self.lines.mkdir()
        wrapper = work / "tap"
        # What it writes is kept for a second look.
        wrapper.write_text(
            "#!/bin/bash\nset -o pipefail\n"
            'case " $* " in *" --catalog "*) ;; *) exec "$TAP" "$@" ;; esac\n'
            '"$TAP" "$@" | tee "$LINES"\n'
        )
        wrapper.chmod(0o755)
        plugin = yaml.safe_load((ROOT / "packaging/meltano/tap-pipedrive.yml").read_text())
        [extractor] = plugin["plugins"]["extractors"]
        extractor["executable"] = str(wrapper)
        extractor["config"] = {
            "base_url": config["base_url"],
            "emit_activate_version_messages": True,
        }
        extractor["select"] = [
            "*.*",
            *(f"!{stream}.{name}" for stream, names in LEFT_OUT.items() for name in names),
            *(f"!{stream}.*" for stream in UNREAD),
        ]
        extractor["metadata"] = {
            stream: {"replication-method": "FULL_TABLE"} for stream in FULL_TABLE
        }
        database = {
            "host": os.environ["PGHOST"],
            "port": int(os.environ["PGPORT"]),
            "user": os.environ["PGUSER"],
            "password": "",
            "database": "postgres",
            "default_target_schema": schema_of(work),
            # Its soft deletes fail on tables with a column called `version` (0.8.1; webhooks,
            # mail_threads).
            "hard_delete": True,
        }
        loaders = {
            "target-jsonl": {"destination_path": str(work / "jsonl"), "do_timestamp_file": False},
            "target-csv": {"output_path": str(work / "csv")},
            "target-postgres": database,
        }
        meltano = {
            "default_environment": "dev",
            "environments": [{"name": "dev"}],
            "send_anonymous_usage_stats": False,
            "plugins": {
                "extractors": [extractor],
                "loaders": [
                    {
                        "name": name,
                        "namespace": name.replace("-", "_"),
                        "executable": os.environ[name.replace("-", "_").upper()],
                        "settings": [
                            {"name": key, "kind": kind_of(value)} for key, value in config.items()
                        ],
                        "config": config,
                    }
                    for name, config in loaders.items()
                ],
            },
        }
        (work / "meltano.yml").write_text(yaml.safe_dump(meltano))
        for folder in ("jsonl", "csv"):
            (work / folder).mkdir()
        self.environment = {
            **os.environ,
            "TAP": tap,
            "TAP_PIPEDRIVE_API_TOKEN": config["credentials"]["api_token"],
            "MELTANO_CLI_LOG_LEVEL": "warning",
        }
        self.version = self.meltano("--version").stdout.split()[-1]

    def meltano(self, *arguments, lines=os.devnull):
        done = subprocess.run(
            [os.environ["MELTANO"], *arguments],
            cwd=self.folder,
            env={**self.environment, "LINES": str(lines)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )
        if done.returncode:
            tail = (done.stdout + done.stderr)[-6000:]
            raise SystemExit(f"meltano {' '.join(arguments)}: exit {done.returncode}\n{tail}")
        if self.environment["TAP_PIPEDRIVE_API_TOKEN"] in done.stdout + done.stderr:
            raise SystemExit(f"meltano {' '.join(arguments)} shows the token")
        return done

    def probe(self):
        """The commands a person tries first."""
        about = json.loads(self.meltano("invoke", "tap-pipedrive", "--about", "--format=json").stdout)
        assert about["name"] == "tap-pipedrive"
        assert "[selected" in self.meltano("select", "tap-pipedrive", "--list").stdout
        self.meltano("--environment=dev", "config", "test", "tap-pipedrive")
        print(f"Meltano {self.version}: about, select and test work", flush=True)

    def keys(self):
        catalog = json.loads(self.meltano("invoke", "tap-pipedrive", "--discover").stdout)
        return {stream["stream"]: stream["key_properties"] for stream in catalog["streams"]}

    def run(self, target, full):
        self.run_number += 1
        kept = self.lines / f"{self.run_number}-{target}.jsonl"
        flags = ["--full-refresh"] if full else []
        self.meltano("run", *flags, "tap-pipedrive", target, lines=kept)
        lines = Lines(kept)
        state = json.loads(self.meltano("state", "get", f"dev:tap-pipedrive-to-{target}").stdout)
        # A full refresh is merged into what was kept.
        if not full and state["singer_state"] != lines.last_state:
            raise SystemExit(f"{target}: the state that was kept is not the last one sent")
        looked_at = subprocess.run(
            [os.environ["CHECK_TAP"]],
            stdin=kept.open(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )
        if looked_at.returncode:
            raise SystemExit(f"singer-check-tap: {looked_at.stdout[-2000:]}{looked_at.stderr[-2000:]}")
        return lines


def schema_of(work):
    """The schema of the database that is a project's own."""
    return work.name.replace("-", "_")


def kind_of(value):
    return {bool: "boolean", int: "integer"}.get(type(value), "string")


class Jsonl:
    """target-jsonl adds to its files: of two lines with one key the later one holds."""

    name, title, versions = "target-jsonl", "target-jsonl", False

    def __init__(self, project):
        self.folder = project.folder / "jsonl"

    def rows(self, keys, _lines):
        held = {}
        for path in self.folder.glob("*.jsonl"):
            rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
            held[path.stem] = {key_of(row, keys[path.stem]): row for row in rows}
        return held

    def difference(self, expected, found, _schema):
        return different(expected, found)


class Csv:
    """target-csv rewrites its files with every run, and nested values as Python spells them."""

    name, title, versions = "target-csv", "target-csv", False

    def __init__(self, project):
        self.folder, self.held = project.folder / "csv", {}

    def rows(self, keys, lines):
        csv.field_size_limit(1 << 30)
        for path in self.folder.glob("*.csv"):
            if not lines.records[path.stem]:
                continue
            with path.open(newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    self.held.setdefault(path.stem, {})[key_of(row, keys[path.stem])] = row
        return self.held

    def difference(self, expected, found, schema):
        values = {}
        for name, text in found.items():
            property_schema = schema["properties"][name]
            values[name] = self.value(text, property_schema, expected.get(name))
        return different(expected, values)

    def value(self, text, schema, expected):
        if text == "":
            # An empty text and none look the same.
            return expected if expected in ("", None) else None
        if "string" in schema["type"]:
            if schema.get("format") == "date-time":
                when = datetime.fromisoformat(text)
                # A fraction is not spelled as it came.
                wanted = datetime.fromisoformat(expected.replace("Z", "+00:00"))
                return expected if when == wanted else text
            return text
        return eval(text, {"__builtins__": {}, "Decimal": float})


class Postgres:
    """A real database, which deletes the rows that are gone on request."""

    name, title, versions = "target-postgres", "target-postgres, PostgreSQL 15", True

    def __init__(self, project):
        self.folder, self.schema = project.folder, schema_of(project.folder)

    def query(self, sql):
        arguments = ["--no-psqlrc", "--tuples-only", "--no-align", "--quiet", "--command", sql]
        done = subprocess.run(
            [os.environ["PSQL"], *arguments, "postgres"],
            check=True,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )
        return done.stdout.splitlines()

    def rows(self, keys, _lines):
        held = {}
        tables = f"select tablename from pg_tables where schemaname = '{self.schema}'"
        for table in self.query(tables):
            sql = f'select row_to_json(t) from {self.schema}."{table}" t'
            rows = map(json.loads, self.query(sql))
            held[table] = {key_of(row, keys[table]): row for row in rows}
        return held

    def difference(self, expected, found, schema):
        values = {}
        for name, value in found.items():
            form = schema["properties"].get(name, {}).get("format")
            if form == "date-time" and value is not None and expected.get(name) is not None:
                wanted = datetime.fromisoformat(expected[name].rstrip("Z"))
                same = datetime.fromisoformat(value) == wanted
                value = expected[name] if same else value
            if not name.startswith("_sdc_"):
                values[name] = value
        return different(expected, values)


def different(expected, found):
    """The first column that differs; one that is absent is null."""
    for name in {**expected, **found}:
        if expected.get(name) != found.get(name):
            return f"{name} is {found.get(name)!r}, not {expected.get(name)!r}"
    return None


if __name__ == "__main__":
    main()
