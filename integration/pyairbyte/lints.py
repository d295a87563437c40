"""Rules for SPEC, CATALOG and the records of a read, as Airbyte's standard tests have them."""

import datetime
import re

import jsonschema

FORBIDDEN = {
    "$ref",
    "allOf",
    "anyOf",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "if",
    "not",
    "patternProperties",
    "prefixItems",
    "then",
}
SECRET = re.compile(r"token|secret|password|passphrase|private_?key|api_?key|credential", re.I)
SPEC_BYTES_MAX = 32_000
TYPES = {"null", "string", "boolean", "integer", "number", "array", "object"}

DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z")
formats = jsonschema.FormatChecker(formats=[])


@formats.checks("date-time", raises=ValueError)
def date_time(value):
    """UTC, spelt with Z: some loaders drop an offset without converting."""
    if isinstance(value, str):
        if not DATE_TIME.fullmatch(value):
            return False
        datetime.datetime.fromisoformat(value)
    return True


@formats.checks("date", raises=ValueError)
def date(value):
    if isinstance(value, str):
        if len(value) != len("2026-01-31"):
            return False
        datetime.date.fromisoformat(value)
    return True


def whole(_, value):
    """5.0 is not an integer here."""
    return isinstance(value, int) and not isinstance(value, bool)


Strict = jsonschema.validators.extend(
    jsonschema.Draft7Validator,
    type_checker=jsonschema.Draft7Validator.TYPE_CHECKER.redefine("integer", whole),
)


def validator(schema):
    return Strict(schema, format_checker=formats)


def schemas(schema, place="$"):
    """A schema and all schemas within it, with their places."""
    yield place, schema
    for name, inner in (schema.get("properties") or {}).items():
        yield from schemas(inner, f"{place}.{name}")
    if isinstance(schema.get("items"), dict):
        yield from schemas(schema["items"], f"{place}[]")
    for number, option in enumerate(schema.get("oneOf") or []):
        yield from schemas(option, f"{place}<{number}>")


def spec(command):
    expect, specs = command.expect, command.of("SPEC")
    if not expect(len(specs) == 1, "exactly one SPEC", len(specs)):
        return None
    expect(len(command.stdout) < SPEC_BYTES_MAX, "stays under 32 kB", len(command.stdout))
    expect(command.lines[0]["type"] == "SPEC", "SPEC comes first")
    root = specs[0]["connectionSpecification"]
    jsonschema.Draft7Validator.check_schema(root)
    expect(root.get("type") == "object", "the root is an object")
    expect(root.get("title"), "the root has a title")
    for place, schema in schemas(root):
        expect(
            not FORBIDDEN & set(schema), "no forbidden keyword", (place, FORBIDDEN & set(schema))
        )
        expect(schema.get("additionalProperties", True) is True, "takes more properties", place)
        expect("type" in schema, "every property has a type", place)
        if schema.get("type") == "object":
            expect(schema.get("properties") or schema.get("oneOf"), "no empty objects", place)
        orders = [
            inner["order"]
            for inner in (schema.get("properties") or {}).values()
            if "order" in inner
        ]
        expect(len(orders) == len(set(orders)), "orders are unique", (place, orders))
        values = schema.get("enum", [])
        expect(len(values) == len(set(map(str, values))), "enum values are distinct", place)
        if schema.get("format") in ("date", "date-time"):
            expect("pattern" in schema, "a format has a pattern", place)
        name = place.rsplit(".", 1)[-1]
        if SECRET.search(name) and schema.get("type") == "string":
            expect(schema.get("airbyte_secret") is True, "secrets are marked", place)
        if "oneOf" in schema:
            one_of(expect, place, schema)
    return root


def one_of(expect, place, schema):
    options = schema["oneOf"]
    expect(schema.get("type") == "object", "oneOf stands in an object", place)
    constants = []
    for option in options:
        expect(option.get("title"), "every option has a title", place)
        tags = {name: inner for name, inner in option["properties"].items() if "const" in inner}
        if not expect(len(tags) == 1, "every option has one const", (place, list(tags))):
            continue
        [(name, tag)] = tags.items()
        constants.append((name, tag["const"]))
        expect(not {"default", "enum"} & set(tag), "a const stands alone", place)
        expect(name in option.get("required", []), "the const is required", place)
    expect(
        len({name for name, _ in constants}) == 1,
        "options share the const's name",
        (place, constants),
    )
    expect(len(set(constants)) == len(options), "consts are unique", (place, constants))


def catalog(command):
    expect, catalogs = command.expect, command.of("CATALOG")
    if not expect(len(catalogs) == 1, "exactly one CATALOG", len(catalogs)):
        return []
    streams = catalogs[0]["streams"]
    names = [stream["name"] for stream in streams]
    expect(streams, "streams are found")
    expect(len(names) == len(set(names)), "stream names are unique", names)
    for stream in streams:
        name, schema, modes = stream["name"], stream["json_schema"], stream["supported_sync_modes"]
        jsonschema.Draft7Validator.check_schema(schema)
        expect("full_refresh" in modes, "full refresh is offered", name)
        expect(len(modes) == len(set(modes)), "sync modes are distinct", name)
        if "incremental" in modes:
            expect(stream.get("source_defined_cursor"), "incremental streams have a cursor", name)
        properties = schema.get("properties", {})
        expect(properties, "schemas have properties", name)
        # What a database makes of column names.
        columns = [re.sub(r"[^a-z0-9]", "_", column.lower()) for column in properties]
        expect(len(columns) == len(set(columns)), "columns stay apart in lower case", name)
        for path in stream["source_defined_primary_key"]:
            key = properties.get(path[0], {})
            expect(len(path) == 1 and key, "primary keys are columns", (name, path))
            expect(
                not {"object", "array"} & set(key.get("type", [])),
                "primary keys are scalar",
                (name, path),
            )
        expect(stream["source_defined_primary_key"], "every stream has a primary key", name)
        for path in [stream["default_cursor_field"]] if stream.get("default_cursor_field") else []:
            expect(path[0] in properties, "the cursor is a column", (name, path))
        for place, inner in schemas(schema, name):
            expect(not {"$ref", "allOf", "not"} & set(inner), "no forbidden keyword", place)
            expect(
                inner.get("additionalProperties", True) is not False, "takes more properties", place
            )
            types = inner.get("type", [])
            types = {types} if isinstance(types, str) else set(types)
            expect(types and types <= TYPES, "types are known", (place, types))
    return streams


class Read:
    """A read, stream by stream: the order of its messages, its records, its last states.

    Of a stream, `keys` are all that came and `covered` those that came before its last state.
    """

    def __init__(self, command, configured):
        self.command, self.expect = command, command.expect
        self.streams = {
            entry["stream"]["name"]: Stream(entry["stream"], command.expect)
            for entry in configured["streams"]
        }
        for line in command.lines:
            if line["type"] == "RECORD":
                self.stream(line["record"]["stream"], "RECORD", line["record"])
            elif line["type"] == "STATE":
                state = line["state"]
                self.expect(state.get("type") == "STREAM", "states are of one stream", state)
                self.stream(state["stream"]["stream_descriptor"]["name"], "STATE", state)
            elif line["type"] == "TRACE" and line["trace"]["type"] == "STREAM_STATUS":
                status = line["trace"]["stream_status"]
                self.stream(status["stream_descriptor"]["name"], status["status"], status)

    def stream(self, name, kind, payload):
        if self.expect(name in self.streams, "messages are of configured streams", (name, kind)):
            self.streams[name].take(kind, payload)

    def complete(self):
        for stream in self.streams.values():
            stream.complete()
        return self

    def states(self):
        """The last STATE of each stream, as a platform hands them back."""
        return [stream.state for stream in self.streams.values() if stream.state]


class Stream:
    def __init__(self, description, expect):
        self.name = description["name"]
        self.key = [path[0] for path in description["source_defined_primary_key"]]
        self.cursor = (description.get("default_cursor_field") or [None])[0]
        self.properties = set(description["json_schema"]["properties"])
        self.validator = validator(description["json_schema"])
        self.expect = lambda holds, rule, detail="": expect(holds, rule, (self.name, detail))
        self.kinds, self.keys, self.cursors, self.emitted = [], set(), [], []
        self.covered, self.reasons = set(), []
        self.state, self.uncovered, self.loose = None, 0, []

    def take(self, kind, payload):
        self.expect("COMPLETE" not in self.kinds, "nothing comes after COMPLETE", kind)
        # Statuses by themselves; of records and states only whether they came.
        if kind != "RECORD" or self.kinds[-1:] != ["RECORD"]:
            self.kinds.append(kind)
        self.reasons += [reason["type"] for reason in payload.get("reasons") or []]
        if kind == "RECORD":
            self.record(payload)
        elif kind == "STATE":
            held = payload["stream"].get("stream_state")
            self.expect(held, "states are not empty", payload)
            counted = payload["sourceStats"]["recordCount"]
            self.expect(counted == self.uncovered, "recordCount counts", (counted, self.uncovered))
            if self.state and self.uncovered:
                self.expect(
                    held != self.state["stream"]["stream_state"], "states differ after records"
                )
            self.state, self.uncovered = payload, 0
            self.covered.update(self.loose)
            self.loose.clear()

    def record(self, record):
        data = record["data"]
        self.uncovered += 1
        self.emitted.append(record["emitted_at"])
        self.expect(
            type(record["emitted_at"]) is int, "emitted_at is an integer", record["emitted_at"]
        )
        for error in self.validator.iter_errors(data):
            self.expect(False, "records are of their schema", (error.json_path, error.message))
        self.expect(
            set(data) <= self.properties,
            "records hold no undeclared key",
            set(data) - self.properties,
        )
        key = tuple(data.get(column) for column in self.key)
        scalar = all(type(part) in (int, str) for part in key)
        self.expect(scalar, "primary keys are there and scalar", key)
        self.expect(str(key) not in self.keys, "primary keys are unique in a run", key)
        self.keys.add(str(key))
        self.loose.append(str(key))
        if self.cursor and data.get(self.cursor):
            self.cursors.append(instant(data[self.cursor]))

    def complete(self):
        statuses = [kind for kind in self.kinds if kind not in ("RECORD", "STATE")]
        self.expect(
            re.fullmatch(r"STARTED( RUNNING)+ COMPLETE", " ".join(statuses)),
            "is STARTED, RUNNING, COMPLETE",
            statuses,
        )
        self.expect(self.kinds[:1] == ["STARTED"], "STARTED comes first", self.kinds[:3])
        self.expect("STATE" in self.kinds, "has a STATE")
        self.expect(
            self.kinds[-2:] == ["STATE", "COMPLETE"], "ends in STATE, COMPLETE", self.kinds[-3:]
        )
        self.expect(self.uncovered == 0, "states cover all records", self.uncovered)
        self.expect(self.emitted == sorted(self.emitted), "emitted_at never falls")


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
