"""PyAirbyte reads a sandbox into DuckDB, twice, with a day's work in between.

    run.py BINARY CONFIG CACHE 3>&1 >LOG 2>&1

PyAirbyte talks a lot on both outputs, so the report goes to descriptor 3.
After each run every stream's rows in the cache must be those a plain walk over the API finds.
The second run continues from the state the first one left in the cache.
"""

import functools
import json
import os
import sys
import time
from importlib import metadata
from pathlib import Path

import airbyte as ab
import duckdb
from airbyte.caches import DuckDBCache

from account import CHILDREN, NO_KEY, Account, edit

say = functools.partial(print, file=os.fdopen(3, "w", buffering=1))

# Rows saved in the second in which a run begins are left to the next one.
SECONDS_BEFORE_A_RUN = 2


def main():
    binary, config, cache_file = sys.argv[1], json.loads(Path(sys.argv[2]).read_text()), sys.argv[3]
    started = time.monotonic()
    source = ab.get_source("source-pipedrive", config=config, local_executable=binary)
    source.check()
    streams = source.get_available_streams()
    catalog = {stream.name: stream for stream in source.discovered_catalog.streams}
    assert sorted(streams) == sorted(catalog), "get_available_streams and discover differ"
    keys = {
        name: [path[0] for path in stream.source_defined_primary_key]
        for name, stream in catalog.items()
    }
    incremental = {
        name
        for name, stream in catalog.items()
        if any(mode.value == "incremental" for mode in stream.supported_sync_modes)
    }
    say(f"check and discover: {len(streams)} streams, {time.monotonic() - started:.1f} s")

    account = Account(config)
    source.select_all_streams()
    truth = account.truth(keys)
    before = read(source, cache_file, keys)
    expected = edit(account, truth)
    time.sleep(SECONDS_BEFORE_A_RUN)
    later = account.truth(keys)
    after = read(source, cache_file, keys, since=before.newest)

    wrong = table(keys, incremental, truth, before, later, after)
    for name, run in [("first", before), ("changes", after)]:
        note(name, run, not wrong)
    wrong += edited(cache_file, expected, keys)
    say(f"{len(expected)} edited values looked up, {account.requests} plain requests")
    if wrong:
        say("FAILED:", *wrong, sep="\n  ")
        sys.exit(1)


def note(name, run, right):
    """Adds a line to the file RESULTS names, for the table of all orchestrators."""
    line = {
        "tool": f"PyAirbyte {metadata.version('airbyte')}",
        "into": "DuckDB",
        "run": name,
        "streams": len(run.keys),
        "sent": sum(map(len, run.sent.values())),
        "rows": sum(map(len, run.keys.values())),
        "right": right,
    }
    if path := os.environ.get("RESULTS"):
        with open(path, "a") as out:
            print(json.dumps(line), file=out)


class Run:
    """What a cache holds after a run: keys by stream, and which of them the run wrote."""

    def __init__(self):
        self.keys, self.sent, self.newest = {}, {}, None


def read(source, cache_file, keys, since=None):
    started = time.monotonic()
    # A cache object of its own for each run: what the second one knows, it has from the file.
    cache = DuckDBCache(db_path=cache_file)
    result = source.read(cache=cache)
    seconds = time.monotonic() - started
    cache.close()
    run = Run()
    with duckdb.connect(str(cache_file), read_only=True) as database:
        for stream, columns in keys.items():
            names = ", ".join(f'"{column.lower()}"' for column in columns)
            sql = f'select _airbyte_extracted_at, {names} from main."{stream}"'
            try:
                rows = database.sql(sql).fetchall()
            except duckdb.CatalogException:
                # A stream that sent nothing need not have a table.
                rows = []
            run.keys[stream] = ["|".join(map(str, key)) for _, *key in rows]
            run.sent[stream] = {
                "|".join(map(str, key)) for when, *key in rows if since is None or when > since
            }
            newest = max((when for when, *_ in rows), default=None)
            if newest and (run.newest is None or newest > run.newest):
                run.newest = newest
    say(f"read: {result.processed_records} records, {seconds:.1f} s")
    return run


def table(keys, incremental, truth, before, later, after):
    """Prints one line per stream; returns what is wrong."""
    wrong = []
    children = {stream for stream, *_ in CHILDREN}
    columns = ["truth 1", "run 1", "truth 2", "run 2", "sent in 2"]
    say("".join([f"{'stream':<28}"] + [f"{column:>10}" for column in columns] + ["  ok"]))
    for stream in keys:
        # What left the API's lists stays in a copy that only ever merges.
        gone = set(truth[stream]) - set(later[stream])
        whole = set(truth[stream]) | set(later[stream])
        changed = {key for key, row in later[stream].items() if truth[stream].get(key) != row}
        sent = after.sent[stream]
        faults = [
            *differing("run 1", set(truth[stream]), before.keys[stream]),
            *differing("run 2", whole, after.keys[stream]),
        ]
        if stream not in incremental:
            faults += differing("sent in run 2", set(later[stream]), sent)
        else:
            # A row without a key of its own cannot be told from another: only counted.
            named = {key for key in changed if not key.startswith(NO_KEY)}
            if missed := named - sent:
                faults.append(f"changed and not sent: {sorted(missed)[:5]}")
            # Children come with every row of a changed parent; the rest comes only when changed.
            most = max(20, len(whole) // 5) if stream in children else len(changed)
            if len(sent) > most:
                faults.append(f"{len(sent)} records sent for {len(changed)} changes")
        held = truth[stream], before.keys[stream], later[stream], after.keys[stream], sent
        counts = [len(keys) for keys in held]
        verdict = "NO" if faults else f"yes, {len(gone)} gone stay" if gone else "yes"
        say("".join([f"{stream:<28}"] + [f"{count:>10}" for count in counts] + [f"  {verdict}"]))
        wrong += [f"{stream}: {fault}" for fault in faults]
    held = truth, before.keys, later, after.keys, after.sent
    totals = [sum(map(len, streams.values())) for streams in held]
    say("".join([f"{'all':<28}"] + [f"{count:>10}" for count in totals]))
    return wrong


def differing(where, truth, found):
    """Compares keys; rows that have none in the API by number alone."""
    faults = []
    if len(found) != len(set(found)):
        faults.append(f"{where}: {len(found) - len(set(found))} keys twice")
    if any(key.startswith(NO_KEY) for key in truth):
        if len(truth) != len(set(found)):
            faults.append(f"{where}: {len(set(found))} rows instead of {len(truth)}")
    elif truth != set(found):
        missing, extra = sorted(truth - set(found)), sorted(set(found) - truth)
        faults.append(
            f"{where}: {len(missing)} missing {missing[:5]}, {len(extra)} extra {extra[:5]}"
        )
    return faults


def edited(cache_file, expected, keys):
    """Looks the edited values up in the cache."""
    wrong = []
    with duckdb.connect(str(cache_file), read_only=True) as database:
        for stream, key, column, value in expected:
            [key_column] = keys[stream]
            rows = database.execute(
                f'select "{column}" from main."{stream}" where cast("{key_column}" as varchar) = ?',
                [key],
            ).fetchall()
            if rows != [(value,)]:
                wrong.append(f"{stream} {key}: {column} is {rows}, not {value!r}")
    return wrong


if __name__ == "__main__":
    main()
