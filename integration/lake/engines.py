"""Query engines read a warehouse as it stands.

    engines.py BINARY CONFIG DIRECTORY

The account behind CONFIG is read into Parquet on disk and on an S3 server, edited, and read again.
After each run every engine has to find in every table what plain HTTP calls find in the account:
keys, texts, times, sums. What is asked of them is the documentation's query for the current rows.
"""

import datetime
import hashlib
import math
import os
import re
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb
import duckdb_extension_httpfs
import polars
import pyarrow
import pyarrow.dataset
import pyarrow.parquet

from account import NO_KEY, Account, edit, key_of
from servers import REGION, Moto, running
from warehouse import Bucket, Folder, Program, expect, instant, unlike

SECONDS_BEFORE_A_RUN = 2
NEW_FIELD, NEW_COLUMN = "Renewal risk", "renewal_risk"
TEXTS = ["title", "name", "subject", "content", "field_name", "file_name", "code"]
# Resources whose vanished rows a key sweep finds.
SWEPT = {
    "persons", "organizations", "activities", "products", "leads", "notes", "pipelines", "stages",
    "deals",
}


@dataclass
class Table:
    """A resource's files, and the columns that are looked at."""

    name: str
    files: list
    keys: list
    text: str | None
    time: str | None

    @property
    def columns(self):
        return [*self.keys, *filter(None, [self.text, self.time]), "_deleted"]


class DuckDb:
    name = "duckdb"

    def __init__(self, server=None):
        self.database = duckdb.connect()
        self.database.execute("set timezone = 'UTC'; set threads = 2")
        if server:
            package = Path(duckdb_extension_httpfs.__file__).parent
            [extension] = package.glob("extensions/*/httpfs.duckdb_extension")
            self.database.execute(f"load '{extension}'")
            self.database.execute(
                f"""create secret (type s3, key_id '{server.key}', secret '{server.secret}',
                region '{REGION}', endpoint '{server.endpoint.removeprefix("http://")}',
                url_style 'path', use_ssl false)"""
            )

    def open(self, table, root):
        # As the documentation has it: the folder is the table.
        keys = ", ".join(table.keys)
        everything = f"read_parquet('{root}/{table.name}/*.parquet', union_by_name=true)"
        self.database.execute(f"create or replace view everything as select * from {everything}")
        self.database.execute(
            f"""create or replace view current as select * from {everything}
            qualify row_number() over (partition by {keys} order by _synced_at desc) = 1"""
        )

    def one(self, query):
        return self.database.sql(query).fetchone()[0]

    def count(self):
        return self.one("select count(*) from everything")

    def rows(self, table):
        shown = [f"epoch_us({name})" if name == table.time else name for name in table.columns]
        return self.database.sql(f"select {', '.join(shown)} from current").fetchall()

    def total(self, column):
        return self.one(f"select sum({column}) from current")

    def nested(self, column, field):
        return self.one(f"select sum(one.{field}) from (select unnest({column}) as one from current)")

    def close(self):
        self.database.close()


class Spark:
    name = "pyspark"

    def __init__(self, scratch):
        from pyspark.sql import SparkSession

        builder = SparkSession.builder.master("local[2]").appName("lake")
        settings = {
            "spark.ui.enabled": "false",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.memory": "1g",
            "spark.sql.shuffle.partitions": "1",
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.warehouse.dir": str(scratch / "spark"),
            "spark.local.dir": str(scratch / "spark-local"),
            "spark.log.level": "ERROR",
        }
        for name, value in settings.items():
            builder = builder.config(name, value)
        # It talks a lot while it starts, wherever standard error leads then.
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
        sys.stderr.flush()
        kept = os.dup(2)
        with (scratch / "spark.log").open("ab") as log:
            os.dup2(log.fileno(), 2)
        try:
            self.session = builder.getOrCreate()
        finally:
            os.dup2(kept, 2)
            os.close(kept)

    def open(self, table, root):
        keys = ", ".join(table.keys)
        read = self.session.read.option("mergeSchema", "true").parquet(f"{root}/{table.name}")
        read.createOrReplaceTempView("everything")
        self.session.sql(
            f"""select * from (select *, row_number() over
            (partition by {keys} order by _synced_at desc) as _number from everything)
            where _number = 1"""
        ).createOrReplaceTempView("current")

    def one(self, query):
        return self.session.sql(query).collect()[0][0]

    def count(self):
        return self.one("select count(*) from everything")

    def rows(self, table):
        shown = [f"unix_micros({name})" if name == table.time else name for name in table.columns]
        return [tuple(row) for row in self.session.sql(f"select {', '.join(shown)} from current").collect()]

    def total(self, column):
        return self.one(f"select sum({column}) from current")

    def nested(self, column, field):
        return self.one(f"select sum(one.{field}) from (select explode({column}) as one from current)")

    def close(self):
        self.session.stop()


class Polars:
    name = "polars"

    def __init__(self, server=None):
        self.options = server and {
            "aws_endpoint_url": server.endpoint,
            "aws_access_key_id": server.key,
            "aws_secret_access_key": server.secret,
            "aws_region": REGION,
            "aws_allow_http": "true",
            "aws_virtual_hosted_style_request": "false",
        }

    def open(self, table, root):
        parts = [polars.scan_parquet(f"{root}/{file}", storage_options=self.options) for file in table.files]
        self.everything = polars.concat(parts, how="diagonal_relaxed").collect()
        self.current = self.everything.sort("_synced_at").unique(table.keys, keep="last")

    def count(self):
        return self.everything.height

    def rows(self, table):
        columns = [polars.col(name) for name in table.columns]
        if table.time:
            columns[table.columns.index(table.time)] = polars.col(table.time).dt.timestamp("us")
        return self.current.select(columns).rows()

    def total(self, column):
        return self.current[column].sum()

    def nested(self, column, field):
        return self.current[column].explode().struct.field(field).sum()

    def close(self):
        pass


class Arrow:
    name = "pyarrow dataset"

    def open(self, table, root):
        files = [f"{root}/{file}" for file in table.files]
        schema = pyarrow.unify_schemas([pyarrow.parquet.read_schema(file) for file in files])
        self.everything = pyarrow.dataset.dataset(files, schema=schema, format="parquet")
        # The language has no windows; the order is enough to tell the last of each key.
        self.sorted = self.everything.to_table().sort_by("_synced_at")
        self.current = {}
        for number, key in enumerate(zip(*(self.sorted[key].to_pylist() for key in table.keys), strict=True)):
            self.current[key] = number

    def count(self):
        return self.everything.count_rows()

    def taken(self, column):
        return self.sorted[column].take(list(self.current.values()))

    def rows(self, table):
        columns = [self.taken(name) for name in table.columns]
        if table.time:
            place = table.columns.index(table.time)
            columns[place] = columns[place].cast(pyarrow.timestamp("us", "UTC")).cast("int64")
        return list(zip(*(column.to_pylist() for column in columns), strict=True))

    def total(self, column):
        return pyarrow.compute.sum(self.taken(column)).as_py()

    def nested(self, column, field):
        inside = self.taken(column).combine_chunks().flatten()
        return pyarrow.compute.sum(inside.field(field)).as_py()

    def close(self):
        pass


def tables(place, keys):
    """The tables of a warehouse, by their files' own schemas."""
    manifest, found = place.manifest(), []
    for name, files in sorted(manifest["files"].items()):
        if not files:
            continue
        with pyarrow.parquet.ParquetFile(pyarrow.BufferReader(place.get(files[0]["path"]))) as file:
            schema = file.schema_arrow
        text = next((one for one in TEXTS if one in schema.names and one not in keys[name]), None)
        timed = "update_time" in schema.names and pyarrow.types.is_timestamp(schema.field("update_time").type)
        found.append(
            Table(name, [file["path"] for file in files], keys[name], text, "update_time" if timed else None)
        )
    return found


def recipes(folder, truth, gone):
    """The guide's Python and SQL, executed as written, in the folder of the warehouse that they name."""
    guide = (Path(__file__).parents[2] / "docs/guide/warehouse.md").read_text()
    written = [text for text in re.findall(r"```python\n(.*?)```", guide, re.DOTALL) if "warehouse/" in text]
    expect(len(written) == 2, f"the guide has {len(written)} recipes")
    live = {key for key, row in truth["deals"].items() if not removed(row)}
    code = next(row["field_code"] for row in truth["deal_fields"].values() if row["field_name"] == NEW_FIELD)
    here, faults, count = os.getcwd(), [], 0
    for recipe in written:
        names = {}
        os.chdir(folder)
        try:
            exec(recipe, names)
        finally:
            os.chdir(here)
        deals, title = names["deals"], recipe.splitlines()[0]
        keys = {str(key) for key in deals["id"].to_list()} if "polars" in recipe else set(map(str, deals["id"].to_pylist()))
        count += len(keys)
        if keys - gone["deals"] != live:
            faults.append(f"{title}: {len(keys)} deals, not {len(live)}")
        values = deals[NEW_COLUMN].to_list() if "polars" in recipe else deals[NEW_COLUMN].to_pylist()
        want = [truth["deals"][key]["custom_fields"].get(code) for key in live]
        got = math.fsum(value for value in values if value is not None)
        faults += sums(f"{title}: {NEW_COLUMN}", got, want)
    [query] = re.findall(r"```sql\n(.*?);\n```", guide, re.DOTALL)
    os.chdir(folder)
    try:
        keys = {str(key) for (key,) in duckdb.sql(f"select id from ({query})").fetchall()}
    finally:
        os.chdir(here)
    count += len(keys)
    if keys - gone["deals"] != live:
        faults.append(f"DuckDB: {len(keys)} deals, not {len(live)}")
    expect(not faults, f"{len(faults)} faults", *faults[:8])
    return count, "as they are written"


def views(engine, place, truth, gone):
    """The views that lie beside the warehouse: each table's current rows, by its key."""
    if not place.url.startswith("s3://"):
        engine.database.execute(f"set file_search_path = '{place.url}'")
    engine.database.execute(place.get("views.sql").decode())
    faults, count = [], 0
    for (name,) in engine.database.sql("select view_name from duckdb_views() where not internal").fetchall():
        if name not in truth:
            continue
        live = {key for key, row in truth[name].items() if not removed(row)}
        rows = engine.one(f'select count(*) from "{name}"')
        count += rows
        # Rows that left the API's lists stay until a sweep.
        if not len(live) <= rows <= len(live) + len(gone[name]):
            faults.append(f"{name}: {rows} rows, not {len(live)}")
    engine.database.execute("reset file_search_path")
    expect(count and not faults, f"{len(faults)} faults", *faults[:8])
    return count, "as they are written"


def micros(text):
    zero = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return (instant(text) - zero) // datetime.timedelta(microseconds=1)


def compare(engine, place, found, truth, gone, swept=False):
    """Holds every table, as this engine sees it, against the account; returns rows and checksum.

    `gone` are rows that left the API's lists: they stay as they were until a sweep finds them.
    """
    faults, count, digest = [], 0, hashlib.sha256()
    for table in found:
        engine.open(table, place.url)
        count += engine.count()
        rows = engine.rows(table)
        seen = {"|".join(map(str, row[: len(table.keys)])): row for row in rows}
        if len(seen) != len(rows):
            faults.append(f"{table.name}: {len(rows) - len(seen)} keys twice")
        wanted = {key: row for key, row in truth[table.name].items() if not key.startswith(NO_KEY)}
        unnamed = len(truth[table.name]) - len(wanted)
        deleted = {key for key in seen if seen[key][-1] and key not in wanted}
        if stray := deleted - gone[table.name]:
            faults.append(f"{table.name}: said to be deleted, without reason: {sorted(stray)[:3]}")
        extra = set(seen) - set(wanted) - deleted
        if lost := set(wanted) - set(seen):
            faults.append(f"{table.name}: lost {sorted(lost)[:3]} of {len(wanted)}")
        if unnamed == 0 and (stray := extra - (set() if swept and table.name in SWEPT else gone[table.name])):
            faults.append(f"{table.name}: too many {sorted(stray)[:3]}")
        if unnamed and len(seen) < len(wanted) + unnamed:
            faults.append(f"{table.name}: {len(seen)} rows, not {len(wanted) + unnamed}")
        for key in sorted(set(wanted) & set(seen)):
            row, values = wanted[key], dict(zip(table.columns, seen[key], strict=True))
            if bool(values["_deleted"]) != removed(row):
                faults.append(f"{table.name} {key}: _deleted is {values['_deleted']}")
            if table.text:
                text = row.get(table.text)
                digest.update(f"{key}={values[table.text]}\n".encode())
                if str(values[table.text] or "") != str(text or ""):
                    faults.append(f"{table.name} {key}: {values[table.text]!r}, not {text!r}")
            if table.time and row.get(table.time):
                if values[table.time] != micros(row[table.time]):
                    faults.append(f"{table.name} {key}: {values[table.time]}, not {row[table.time]}")
        live = [row for key, row in wanted.items() if key in seen]
        stale = bool(extra | deleted)
        if table.name == "deals" and not stale:
            faults += sums("deals.value", engine.total("value"), [row["value"] for row in live])
        code = next((row["field_code"] for row in truth["deal_fields"].values() if row["field_name"] == NEW_FIELD), None)
        if table.name == "deals" and code and not stale:
            risks = [row["custom_fields"].get(code) for row in live]
            faults += sums(NEW_COLUMN, engine.total(NEW_COLUMN), risks)
        if table.name == "products" and not stale:
            prices = [one["price"] for row in live for one in row["prices"]]
            faults += sums("products.prices.price", engine.nested("prices", "price"), prices)
    expect(not faults, f"{len(faults)} faults", *faults[:8])
    return count, digest.hexdigest()[:12]


def removed(row):
    """Whether the API itself says that the row is deleted."""
    return row.get("is_deleted") is True or row.get("status") == "deleted"


def sums(what, got, values):
    want = math.fsum(value for value in values if value is not None)
    if not math.isclose(float(got or 0), want, rel_tol=1e-9):
        yield f"{what}: the sum is {got}, not {want}"


class Report:
    def __init__(self):
        self.wrong = 0
        print(f"{'what':<52}{'s':>7}{'rows':>9}  checksum or fault")

    def step(self, what, action, *arguments):
        begin = time.monotonic()
        try:
            rows, note = action(*arguments)
        except Exception as error:
            self.wrong += 1
            rows, note = "", f"FAILED: {type(error).__name__}: {error}"
        print(f"{what:<52}{time.monotonic() - begin:>7.1f}{rows:>9}  {note}", flush=True)


def main():
    binary, config, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    report = Report()
    program = Program(binary, config, folder)
    keys, account = program.keys(), Account(program.config)
    with running(Moto, folder) as server:
        server.client().create_bucket(Bucket=Bucket.name)
        disk, bucket = Folder(folder / "warehouse"), Bucket(server, "warehouse")
        engines = {
            disk: [DuckDb(), Polars(), Arrow(), Spark(folder)],
            bucket: [DuckDb(server), Polars(server)],
        }

        def sync(place, *flags):
            done = program.run(place.url, "--format", "parquet", *flags, environment=place.environment)
            counts = done.succeeded().report["counts"]
            return sum(counts.values()), ", ".join(f"{name} {count}" for name, count in counts.items() if count)[:60]

        where = {disk: "disk", bucket: "S3"}

        def read(when, truth, before, swept=False, leave=()):
            gone = {name: set(before.get(name, {})) - set(found) for name, found in truth.items()}
            for place, readers in engines.items():
                found = tables(place, keys)
                for engine in readers:
                    if engine.name in leave:
                        continue
                    what = f"{when}: {engine.name} reads {len(found)} tables from {where[place]}"
                    report.step(what, compare, engine, place, found, truth, gone, swept)

        truth = account.truth(keys)
        for place in engines:
            report.step(f"first run, to {where[place]}", sync, place)
        if report.wrong:
            sys.exit("FAILED: there is nothing to read")
        # One long look by the slowest of them is enough.
        read("first run", truth, {}, leave={"pyspark"})
        report.step("every value, by pyarrow", whole, disk, keys, [truth])
        edit(account, truth)
        new_field(account, truth)
        time.sleep(SECONDS_BEFORE_A_RUN)
        later = account.truth(keys)
        for place in engines:
            report.step(f"second run, to {where[place]}", sync, place)
        read("second run", later, truth)
        gone = {name: set(truth.get(name, {})) - set(found) for name, found in later.items()}
        for place in (disk, bucket):
            report.step(f"views.sql on {where[place]}", views, engines[place][0], place, later, gone)
        report.step("the recipes of the guide", recipes, folder, later, gone)
        report.step("every value, by pyarrow", whole, disk, keys, [truth, later])
        report.step("third run, with a key sweep", sync, disk, "--deletes", "sweep")
        engines.pop(bucket)
        read("after the sweep", later, truth, swept=True, leave={"pyspark"})
        for readers in engines.values():
            for engine in readers:
                engine.close()
    if report.wrong:
        sys.exit(f"FAILED: {report.wrong} checks")


def new_field(account, truth):
    """A custom field that the first files know nothing of, and one that shares its name."""
    def create(**field):
        return account.ask("POST", "/api/v2/dealFields", field)["data"]

    risk = create(field_name=NEW_FIELD, field_type="double")
    same = create(field_name="Region", field_type="enum", options=[{"label": "north"}, {"label": "süd"}])
    # Archived deals cannot be changed.
    open_ones = [deal for deal in truth["deals"].values() if deal["status"] == "open"]
    deals = [deal["id"] for deal in open_ones if not deal["is_archived"]][-4:]
    for number, deal in enumerate(deals):
        values = {risk["field_code"]: number + 0.25, same["field_code"]: same["options"][number % 2]["id"]}
        account.ask("PATCH", f"/api/v2/deals/{deal}", {"custom_fields": values})


def whole(place, keys, truths):
    """Every column of every row that is current, against the API's own JSON."""
    manifest, faults, count = place.manifest(), [], 0
    for name in manifest["files"]:
        current = {}
        for file in manifest["files"][name]:
            for row in pyarrow.parquet.read_table(pyarrow.BufferReader(place.get(file["path"]))).to_pylist():
                key = key_of(row, keys[name])
                if key not in current or current[key]["_synced_at"] < row["_synced_at"]:
                    current[key] = row
        columns = manifest.get("columns", {}).get(name, {})
        for key, row in truths[-1][name].items():
            if key in current:
                count += len(row)
                faults += [f"{name} {key}: {fault}" for fault in unlike(row, current[key], columns)]
            elif not key.startswith(NO_KEY):
                faults.append(f"{name} {key}: lost")
    expect(not faults, f"{len(faults)} faults", *faults[:8])
    return count, "values"


if __name__ == "__main__":
    main()
