#!/usr/bin/env bash
# tap-pipedrive 2.1.0 with Python 3.11, seen on 2026-11-30, against a small server that answers as Pipedrive's API v2
# does: `updated_since` gives the rows changed at that time or later.
#
# The tap asks for the rows since its bookmark, gets them, and drops all those whose time is the bookmark's own
# second. It compares texts, and by then the row's time ends in `.000000Z` and the bookmark in `Z`: the point
# comes before the letter. A row that changed in the same second as the last row of the run before, as in an import or
# an edit of many rows, is never emitted, and the exit code is 0.
#
# Output: first run: [1]; second run: the server sends [1, 2, 3], the tap emits [3]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tap-pipedrive==2.1.0 'setuptools<81'
echo '{"api_token": "none", "start_date": "2026-01-01T00:00:00Z"}' >config.json
venv/bin/python - <<'PYTHON'
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

persons = [{"id": 1, "name": "Ada", "update_time": "2026-05-04T10:00:00Z"}]
sent = []


class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        address = urlsplit(self.path)
        answer = {"success": True, "data": [], "additional_data": {"next_cursor": None}}
        if address.path == "/api/v2/persons":
            since = parse_qs(address.query)["updated_since"][0]
            answer["data"] = [person for person in persons if person["update_time"] >= since]
            sent.append([person["id"] for person in answer["data"]])
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
# The tap itself, with another host.
program = f"""
import tap_pipedrive.tap
from tap_pipedrive.cli import main
tap_pipedrive.tap.BASE_URL = "http://127.0.0.1:{server.server_port}"
main()
"""


def tap(*arguments):
    command = [sys.executable, "-c", program, "--config", "config.json", *arguments]
    with open("tap.log", "a") as log:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=log, check=True, text=True).stdout


def read(*arguments):
    messages = [json.loads(line) for line in tap("--catalog", "catalog.json", *arguments).splitlines()]
    with open("state.json", "w") as file:
        json.dump([message["value"] for message in messages if message["type"] == "STATE"][-1], file)
    return [message["record"]["id"] for message in messages if message["type"] == "RECORD"]


catalog = json.loads(tap("--discover"))
for stream in catalog["streams"]:
    for entry in stream["metadata"]:
        entry["metadata"]["selected"] = stream["stream"] == "persons"
with open("catalog.json", "w") as file:
    json.dump(catalog, file)

first = read()
persons += [
    {"id": 2, "name": "Ben", "update_time": "2026-05-04T10:00:00Z"},
    {"id": 3, "name": "Cleo", "update_time": "2026-05-04T10:00:01Z"},
]
second = read("--state", "state.json")
print(f"first run: {first}; second run: the server sends {sent[-1]}, the tap emits {second}")
assert (first, sent[-1], second) == ([1], [1, 2, 3], [3]), "the behaviour has changed"
PYTHON
