#!/usr/bin/env bash
# chdb 4.4.0 (ClickHouse 26.9), daft 0.7.26, pyarrow 25.0.1, Python 3.11, seen on 2026-11-30.
#
# Two Parquet files are read as one table. The column `code` holds numbers in the first file, and texts in the second,
# where a code with a letter came up. Both readers take the type of one file, the first that is named, and turn the
# values of the other into it; what is no number is null, without an error. In the other order of names all values are
# right. With a pattern like *.parquet ClickHouse takes the files in the order of the folder's own list.
#
# Output: numbers first: ClickHouse [17, None, 20], daft [17, None, 20]; texts first: ClickHouse ['17', 'A-19', '20'], daft ['17', 'A-19', '20']
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check chdb==4.4.0 chdb-core==26.9.0 daft==0.7.26 pyarrow==25.0.1
cat >files.py <<'PYTHON'
import pyarrow as pa
import pyarrow.parquet

pa.parquet.write_table(pa.table({"id": [1], "code": [17]}), "numbers.parquet")
pa.parquet.write_table(pa.table({"id": [2, 3], "code": ["A-19", "20"]}), "texts.parquet")
PYTHON
cat >clickhouse.py <<'PYTHON'
import json
import os
import sys

import chdb

query = f"select code from file('{os.getcwd()}/{{{','.join(sys.argv[1:])}}}.parquet', Parquet) order by id"
print([row[0] for row in map(json.loads, str(chdb.query(query, "JSONCompactEachRow")).splitlines())])
PYTHON
cat >daft.read.py <<'PYTHON'
import os
import sys

import daft

rows = daft.read_parquet([f"{name}.parquet" for name in sys.argv[1:]]).sort("id").to_pydict()
print(rows["code"], flush=True)
# The process leaves at once: threads of daft may still be there.
os._exit(0)
PYTHON
export DAFT_PROGRESS_BAR=0 DO_NOT_TRACK=true
venv/bin/python files.py
both() {
    echo "ClickHouse $(venv/bin/python clickhouse.py "$@"), daft $(venv/bin/python daft.read.py "$@" 2>errors.log)"
}
numbers=$(both numbers texts)
texts=$(both texts numbers)
echo "numbers first: $numbers; texts first: $texts"
[[ $numbers == "ClickHouse [17, None, 20], daft [17, None, 20]" &&
    $texts == "ClickHouse ['17', 'A-19', '20'], daft ['17', 'A-19', '20']" ]] ||
    { cat errors.log >&2; echo "the behaviour has changed" >&2; exit 1; }
