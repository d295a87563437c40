"""Singer lines held against the protocol as the strictest target does it.

    lines.py FILE...

Every line is JSON; SCHEMA comes once for a stream and before its records; a record holds the declared
properties, all of them, no others and in their order, its key, and values strictly of their types; the
last word is a STATE.
"""

import json
import re
import sys
from datetime import date, datetime
from pathlib import Path

UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def types_of(schema):
    found = schema["type"]
    return [found] if isinstance(found, str) else found


def is_of(value, kind):
    if isinstance(value, bool):
        return kind == "boolean"
    return {
        "null": value is None,
        "integer": isinstance(value, int) and -(2**63) <= value < 2**63,
        "number": isinstance(value, (int, float)),
        "string": isinstance(value, str),
        "object": isinstance(value, dict),
        "array": isinstance(value, list),
        "boolean": False,
    }[kind]


def strict(schema, value, path):
    """Raises ValueError where a value is not what its schema declares."""
    if not any(is_of(value, kind) for kind in types_of(schema)):
        raise ValueError(f"{path}: {value!r} is none of {types_of(schema)}")
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError(f"{path}: NUL")
        form = schema.get("format")
        if form == "date" and date.fromisoformat(value).isoformat() != value:
            raise ValueError(f"{path}: {value!r} is no date")
        if form == "date-time":
            if not UTC.fullmatch(value):
                raise ValueError(f"{path}: {value!r} is no time in UTC")
            datetime.fromisoformat(value[:19])
    elif isinstance(value, list) and "items" in schema:
        for item in value:
            strict(schema["items"], item, path)
    elif isinstance(value, dict):
        declared = schema.get("properties", {})
        if list(value)[: len(declared)] != list(declared):
            raise ValueError(f"{path}: begins with {list(value)}, not with {list(declared)}")
        for name, property_schema in declared.items():
            strict(property_schema, value[name], f"{path}.{name}")


class Lines:
    """What a run of the tap wrote, checked while it is read."""

    def __init__(self, path):
        self.schemas, self.records, self.last_state, self.activated = {}, {}, None, set()
        last = None
        with Path(path).open(encoding="utf-8") as lines:
            for line in lines:
                message = json.loads(line)
                last = message["type"]
                getattr(self, last.lower())(message)
        if last not in (None, "STATE"):
            raise ValueError(f"{path}: ends with {last}")

    def schema(self, message):
        stream = message["stream"]
        if stream in self.schemas:
            raise ValueError(f"{stream}: a second SCHEMA")
        properties = message["schema"]["properties"]
        for key in message["key_properties"]:
            if "null" in types_of(properties[key]):
                raise ValueError(f"{stream}: key {key} may be null")
        self.schemas[stream] = message
        self.records[stream] = []

    def record(self, message):
        stream, record = message["stream"], message["record"]
        schema = self.schemas[stream]
        if extra := set(record) - set(schema["schema"]["properties"]):
            raise ValueError(f"{stream}: {extra} undeclared")
        strict(schema["schema"], record, stream)
        for key in schema["key_properties"]:
            if record.get(key) is None:
                raise ValueError(f"{stream}: no {key}")
        if not UTC.fullmatch(message["time_extracted"]):
            raise ValueError(f"{stream}: time_extracted {message['time_extracted']}")
        self.records[stream].append(record)

    def state(self, message):
        self.last_state = message["value"]
        if not isinstance(self.last_state["bookmarks"], dict):
            raise ValueError("STATE without bookmarks")

    def activate_version(self, message):
        self.activated.add(message["stream"])


if __name__ == "__main__":
    for name in sys.argv[1:]:
        found = Lines(name)
        count = sum(map(len, found.records.values()))
        print(f"{Path(name).name}: {count} records of {len(found.schemas)} streams pass")
