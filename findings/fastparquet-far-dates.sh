#!/usr/bin/env bash
# fastparquet 2026.9.0 with pandas 3.1.1, files written by pyarrow 26.0.1, Python 3.11, seen on 2026-11-30.
#
# Dates before 1677 and after 2262 come back as other dates, without an error: 9999-12-31, which people
# enter for "no end", is read as 1816-03-29. The dates are counted in nanoseconds in 64 bits, and what
# does not fit wraps around. Timestamps of the same years, in the same file, are read right: their unit is
# kept.
#
# Output: date 9999-12-31: 1816-03-29, date 1500-01-01: 2084-07-20, timestamp 9999-12-31: 9999-12-31
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check fastparquet==2026.9.0 pandas==3.1.1 pyarrow==26.0.1
venv/bin/python - <<'PYTHON'
import datetime

import fastparquet
import pyarrow as pa
import pyarrow.parquet

dates = [datetime.date(9999, 12, 31), datetime.date(1500, 1, 1), datetime.date(2026, 11, 30)]
table = pa.table({"until": dates, "at": pa.array(dates).cast(pa.timestamp("us"))})
pa.parquet.write_table(table, "deals.parquet")
rows = fastparquet.ParquetFile("deals.parquet").to_pandas()
until, at = ([str(value)[:10] for value in rows[name]] for name in ("until", "at"))
print(f"date 9999-12-31: {until[0]}, date 1500-01-01: {until[1]}, timestamp 9999-12-31: {at[0]}")
assert until == ["1816-03-29", "2084-07-20", "2026-11-30"], "the behaviour has changed"
assert at == ["9999-12-31", "1500-01-01", "2026-11-30"], "the behaviour has changed"
PYTHON
