"""Runs the commands of README.md and follows its links.

    readme.py README CONFIG FOLDER

Every block marked `sh` is run by bash in FOLDER, one after the other, against the sandbox CONFIG names;
what stands for a real account is replaced. Blocks marked otherwise are no commands, or are run elsewhere
(`bash`: by CI itself and the benches; `console`: by orchestrators.sh; `crontab`: by backup.sh). Links
within the repository must lead to a file, and to a heading of it.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

SECONDS_MAX = 180


def main():
    readme, config, folder = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()), sys.argv[3]
    faults = broken_links(readme)
    text = readme.read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.S | re.M)
    if len(blocks) < 8:
        faults.append(f"only {len(blocks)} blocks of commands were found")
    token = config["credentials"]["api_token"]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PIPEDRIVE_", "DRIPPULSE_"))},
        "PIPEDRIVE_BASE_URL": config["base_url"],
        "PIPEDRIVE_API_TOKEN": token,
        "ORIGIN": config["base_url"],
        "TOKEN": token,
    }
    stand_ins = [
        ("PIPEDRIVE_COMPANY_DOMAIN=acme", "PIPEDRIVE_COMPANY_DOMAIN="),
        ("PIPEDRIVE_API_TOKEN=...", f"PIPEDRIVE_API_TOKEN={token}"),
        # The sandbox is the other CRM as well.
        ("https://crm.example.test", config["base_url"]),
        ("DRIPPULSE_API_KEY=...", "DRIPPULSE_API_KEY=adcrm_test_first"),
        # Object stores are for s3.sh.
        ("s3://lake/crm", "lake-crm"),
        # It serves until it is told to end.
        ("source-pipedrive sandbox", "timeout --preserve-status 2 source-pipedrive sandbox"),
    ]
    for block in blocks:
        script = block
        for shown, real in stand_ins:
            script = script.replace(shown, real)
        # A push asks, on a terminal: it gets one, and the answer.
        script = re.sub(
            r"^(source-pipedrive bundle push (?!.*--dry-run)[^#\n]*?) *(#.*)?$",
            r"echo y | script -qefc '\1' /dev/null",
            script,
            flags=re.M,
        )
        done = subprocess.run(
            # A reader that has seen enough, like head, is no failure of ours.
            ["bash", "-euc", script],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )
        ended = done.returncode == 0 or "sandbox" in block and done.returncode in (130, 143)
        first = block.strip().splitlines()[0]
        print(f"{'ran' if ended else 'FAILED'}: {first}")
        if not ended:
            faults.append(f"{block}exit {done.returncode}\n{done.stdout[-1500:]}{done.stderr[-1500:]}")
    if faults:
        print("FAILED:", *faults, sep="\n")
        sys.exit(1)


def broken_links(page):
    """Links of a page that lead nowhere, and of the pages it links to."""
    faults, pages, seen = [], [page.resolve()], set()
    while pages:
        page = pages.pop()
        if page in seen:
            continue
        seen.add(page)
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            if re.match(r"https?://", target):
                continue
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            if not file.exists():
                faults.append(f"{page.name}: no file {target}")
            elif anchor and anchor not in anchors(file):
                faults.append(f"{page.name}: no heading {target}")
            elif file.suffix == ".md":
                pages.append(file)
    print(f"{len(seen)} pages, {len(faults)} broken links")
    return faults


def anchors(page):
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


if __name__ == "__main__":
    main()
