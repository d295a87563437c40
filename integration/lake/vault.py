"""A backup from outside: what lies in the place is held against the account, without the program's help."""

import hashlib
import json
import re

from account import key_of
from warehouse import expect

# Backup files are called after these.
STEMS = {"deals": "deals", "persons": "persons", "leads": "leads", "pipelines": "pipelines"}


def whole(place, wanted, keys, stems=None):
    """The backup is complete, every file is proven by the manifest, and its rows are the account's.

    `wanted` holds the rows by key of each resource.
    """
    stems = stems or STEMS
    manifest, there = place.manifest(), place.list()
    expect(manifest["complete"] and "next" not in manifest, "complete", manifest["failed"] if "failed" in manifest else "")
    known = {"manifest.json", "manifest.lock"} | {f"{stem}.json" for stem in manifest["files"]}
    strangers = [name for name in there if name not in known and not re.match(r"_manifest/|files/", name)]
    expect(not strangers, "nothing else lies there", strangers)
    for stem, file in manifest["files"].items():
        body = place.get(f"{stem}.json")
        expect(len(body) == file["bytes"], f"{stem}.json: bytes as in the manifest", len(body))
        expect(hashlib.sha256(body).hexdigest() == file["sha256"], f"{stem}.json: SHA-256 as in the manifest")
    for resource, truth in wanted.items():
        rows = json.loads(place.get(f"{stems[resource]}.json"))
        expect(len(rows) == manifest["counts"][stems[resource]], f"{resource}: counts", len(rows))
        found = {key_of(row, keys[resource]): row for row in rows}
        expect(len(found) == len(rows), f"{resource}: every key once", len(rows), len(found))
        lost, extra = sorted(set(truth) - set(found)), sorted(set(found) - set(truth))
        expect(not lost and not extra, f"{resource}: lost, and too many", lost[:3], extra[:3])
        other = [key for key, row in truth.items() if found[key] != row]
        expect(not other, f"{resource}: rows as the account has them", other[:3])
    return sum(map(len, wanted.values()))


def proven(place):
    """After any interruption: each file the manifest calls whole is there, with its hash."""
    there = place.list()
    commits = [name for name in there if re.fullmatch(r"_manifest/\d{20}\.json", name)]
    if not commits:
        return
    manifest = json.loads(place.get(max(commits)))
    for stem, file in manifest.get("files", {}).items():
        staged = file.get("staged")
        body = place.get(staged if staged in there else f"{stem}.json")
        expect(hashlib.sha256(body).hexdigest() == file["sha256"], f"{stem}.json: SHA-256 as in the manifest")
