"""Leads a program's requests for Pipedrive's host to PEER_ORIGIN, without touching its code.

The sandbox takes tokens in a header only, so one in the query is moved there. It has the field lists of
version 2 only, since those of version 1 are out of support: they are answered from those.
"""

import json
import os
import re

from requests.adapters import HTTPAdapter

HOST = "https://api.pipedrive.com"
TOKEN = re.compile(r"api_token=([^&]*)&?")
FIELDS = re.compile(r"/v1/((?:deal|person|organization|product|activity)Fields)\?.*")

origin = os.environ["PEER_ORIGIN"]
send = HTTPAdapter.send


def redirected(self, request, *arguments, **named):
    if not request.url.startswith(HOST):
        return send(self, request, *arguments, **named)
    path = request.url[len(HOST) :]
    if token := TOKEN.search(path):
        request.headers["x-api-token"] = token[1]
        path = TOKEN.sub("", path, count=1)
    fields = FIELDS.fullmatch(path)
    request.url = origin + (f"/api/v2/{fields[1]}?limit=500" if fields else path)
    answer = send(self, request, *arguments, **named)
    if fields and answer.status_code == 200:
        keys = {"key": "field_code", "name": "field_name", "field_type": "field_type"}
        rows = [{old: row[new] for old, new in keys.items()} for row in answer.json()["data"]]
        answer._content = json.dumps({"success": True, "data": rows}).encode()
    return answer


HTTPAdapter.send = redirected
