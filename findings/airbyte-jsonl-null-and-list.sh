#!/usr/bin/env bash
# airbyte-cdk 7.39.1 with its file sources (S3, GCS, Azure, SFTP: all of them read JSON lines with this
# class) and Python 3.11, seen on 2026-11-29.
#
# A key that holds null in one line and a list in another cannot be inferred: the stream is refused,
# although null and text, null and a number, or null and an object are no problem. A list can be merged
# with lists alone, and null counts as something else.
#
# Output: null and text: string; null and object: object; null and list: SchemaInferenceError
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'airbyte-cdk[file-based]==7.39.1' 2>install.log ||
    { cat install.log >&2; exit 1; }
NLTK_DATA=$folder venv/bin/python 2>errors.log - <<'PYTHON' || { cat errors.log >&2; exit 1; }
from airbyte_cdk.sources.file_based.file_types.jsonl_parser import JsonlParser
from airbyte_cdk.sources.file_based.schema_helpers import merge_schemas


def inferred(*records):
    schema = {}
    try:
        for record in records:
            schema = merge_schemas(schema, JsonlParser._infer_schema_for_record(record))
    except Exception as error:
        return type(error).__name__
    return schema["key"]["type"]


found = [inferred({"key": None}, {"key": other}) for other in ("text", {"a": 1}, [1])]
print(f"null and text: {found[0]}; null and object: {found[1]}; null and list: {found[2]}")
assert found == ["string", "object", "SchemaInferenceError"], "the behaviour has changed"
PYTHON
