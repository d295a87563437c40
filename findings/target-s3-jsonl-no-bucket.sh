#!/usr/bin/env bash
# target-s3-jsonl 2.0.1 with target-core 0.0.7 and boto3 1.24.91, against moto 5.2.5, Python 3.11, seen on
# 2026-11-30.
#
# An upload that fails is not noticed: with a bucket that does not exist, the target prints the state on
# its standard output, writes nothing to its log and exits with 0. The next run begins after that
# state, and the records are nowhere but in a file of the target's own temporary folder. Uploads run on threads
# of a pool, and nobody asks these whether they went well.
#
# Output: bucket that exists: exit 0, state, 1 object; bucket that does not exist: exit 0, state, 0 objects, log: 0 lines
set -euo pipefail
folder=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server"; rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check target-s3-jsonl==2.0.1 target-core==0.0.7 boto3==1.24.91
"${PYTHON:-python3.11}" -m venv s3
s3/bin/pip install --quiet --disable-pip-version-check 'moto[s3,server]==5.2.5'
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1
s3/bin/python >server.out 2>server.log - <<'PYTHON' &
import time

from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
time.sleep(600)
PYTHON
server=$!
for _ in {1..600}; do
    [[ -s server.out ]] && break
    sleep 0.2
done
export S3=http://127.0.0.1:$(<server.out)
s3/bin/python -c 'import boto3, os; boto3.client("s3", endpoint_url=os.environ["S3"]).create_bucket(Bucket="there")'
load() {
    mkdir "work-$1"
    echo "{\"s3_bucket\": \"$1\", \"aws_endpoint_url\": \"$S3\", \"work_dir\": \"work-$1\"}" >config.json
    code=0
    venv/bin/target-s3-jsonl --config config.json >"$1.out" 2>"$1.log" <<'RECORDS' || code=$?
{"type":"SCHEMA","stream":"labels","schema":{"type":"object","properties":{"id":{"type":"integer"}}},"key_properties":["id"]}
{"type":"RECORD","stream":"labels","record":{"id":1}}
{"type":"STATE","value":{"bookmarks":{"labels":{"id":1}}}}
RECORDS
    [[ $(<"$1.out") == *bookmarks* ]] && state=state || state="no state"
    objects=$(s3/bin/python - "$1" <<'PYTHON'
import os
import sys

import boto3

client = boto3.client("s3", endpoint_url=os.environ["S3"])
try:
    print(client.list_objects_v2(Bucket=sys.argv[1])["KeyCount"])
except client.exceptions.NoSuchBucket:
    print(0)
PYTHON
    )
}
load there
there="exit $code, $state, $objects object"
load absent
absent="exit $code, $state, $objects objects, log: $(wc -l <absent.log) lines"
echo "bucket that exists: $there; bucket that does not exist: $absent"
[[ $there == "exit 0, state, 1 object" && $absent == "exit 0, state, 0 objects, log: 0 lines" ]] ||
    { echo "the behaviour has changed" >&2; exit 1; }
