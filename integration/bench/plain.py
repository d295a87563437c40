"""What a short program would do: the whole bundle in memory, sent in batches, fetched and compared.

    plain.py BUNDLE ORIGIN KEY

Stages go as Unassigned, Won and Lost by the status of a row. Prints how many rows were there afterwards
as they were sent.
"""

import http.client
import json
import sys
from urllib.parse import urlsplit

ARRAYS = ("accounts", "contacts", "opportunities", "leads", "activities")
BATCH = 500


def main():
    bundle = json.load(open(sys.argv[1]))
    there = http.client.HTTPConnection(urlsplit(sys.argv[2]).netloc)
    headers = {"Authorization": f"Bearer {sys.argv[3]}", "Content-Type": "application/json"}

    def ask(method, path, body=None):
        there.request(method, f"/api/v1/crm/{path}", body and json.dumps(body).encode(), headers)
        answer = there.getresponse()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status}")
        return json.loads(answer.read())

    pipeline = ask("GET", "opportunity_pipelines")["opportunity_pipelines"][0]
    stages = {}
    for stage in pipeline["stages"]:
        stages.setdefault(stage["stage_type"], stage["id"])
    for row in bundle["opportunities"]:
        row["pipeline_id"], row["pipeline_stage_id"] = pipeline["id"], stages[row["status"]]
    for array in ARRAYS:
        rows = bundle[array]
        for at in range(0, len(rows), BATCH):
            ask("POST", "import", {array: rows[at : at + BATCH]})
    export = ask("GET", "export")
    verified = 0
    for array in ARRAYS:
        held = {row["public_id"]: row for row in export[array]}
        for row in bundle[array]:
            other = held.get(row["public_id"], {})
            verified += all(other.get(key) == value for key, value in row.items())
    events = ask("GET", "change_events")["change_events"]
    imported = {event["record_id"] for event in events if event["event_type"] == "imported"}
    print(json.dumps({"verified": verified, "imported": len(imported)}))


main()
