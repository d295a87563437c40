"""Runs the commands of the documentation and follows its links.

    readme.py ROOT CONFIG FOLDER

Pages are all Markdown files of the repository in ROOT. Each page gets a folder of its own below FOLDER,
with the configuration of a sandbox as config.json, and its blocks are run there in their order:

    sh                run by bash against the sandbox that CONFIG names; stand-ins replace a real account
    text, after sh    lines that the command before must print, with any numbers; "…" stands for more lines

Blocks of other kinds are not run here (`bash`: by CI and the benchmarks; `console`: by orchestrators.sh;
`crontab`: by backup.sh; `python`: by wheel.sh and engines.sh). Links within the repository must lead to a
file, and to a heading of it.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

SECONDS_MAX = 180
README_LINES_MAX = 200
# Fewer mean that blocks are no longer found.
BLOCKS_MIN = 24


def main():
    root, config, folder = (Path(argument).resolve() for argument in sys.argv[1:])
    pages = markdown(root)
    faults = broken_links(pages)
    if len((root / "README.md").read_text().splitlines()) > README_LINES_MAX:
        faults.append(f"README.md has more than {README_LINES_MAX} lines")
    account, count = json.loads(config.read_text()), 0
    environment, stand_ins = setting(account)
    for page in pages:
        blocks = commands(page)
        if not blocks:
            continue
        name = page.relative_to(root)
        print(f"-- {name}")
        place = folder / name.with_suffix("")
        place.mkdir(parents=True)
        shutil.copy(config, place / "config.json")
        for block, printed in blocks:
            fault = run(block, printed, place, environment, stand_ins)
            count += 1
            print(f"{'FAILED' if fault else 'ran'}: {block.strip().splitlines()[0]}", flush=True)
            if fault:
                faults.append(f"{name}:\n{block}{fault}")
    if count < BLOCKS_MIN:
        faults.append(f"only {count} blocks of commands were found")
    if faults:
        print("FAILED:", *faults, sep="\n")
        sys.exit(1)
    print(f"{count} blocks of commands ran")


def markdown(root):
    """All Markdown files that are part of the repository, the README first."""
    listed = ["git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    names = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split("\n")
    pages = {root / name for name in names if name and (root / name).is_file()}
    return sorted(pages, key=lambda page: (page.parent != root, page.name != "README.md", page))


def commands(page):
    """Blocks of commands, each with the output that the page shows for it."""
    found = re.finditer(r"^```sh\n(.*?)^```\n(?:\s*^```text\n(.*?)^```)?", page.read_text(), re.S | re.M)
    return [(block[1], block[2]) for block in found]


def setting(account):
    """The environment of the commands, and what is put in place of a real account."""
    token, origin = account["credentials"]["api_token"], account["base_url"]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PIPEDRIVE_", "DRIPPULSE_"))},
        "PIPEDRIVE_BASE_URL": origin,
        "PIPEDRIVE_API_TOKEN": token,
        "ORIGIN": origin,
        "TOKEN": token,
    }
    stand_ins = [
        ("PIPEDRIVE_COMPANY_DOMAIN=acme", "PIPEDRIVE_COMPANY_DOMAIN="),
        ("PIPEDRIVE_API_TOKEN=...", f"PIPEDRIVE_API_TOKEN={token}"),
        # The sandbox is the other CRM as well.
        ("https://crm.example.test", origin),
        ("DRIPPULSE_API_KEY=...", "DRIPPULSE_API_KEY=adcrm_test_first"),
        # Object stores are for s3.sh.
        ("s3://lake/crm", "lake-crm"),
        # It serves until it is stopped.
        ("source-pipedrive sandbox", "timeout --preserve-status 2 source-pipedrive sandbox"),
    ]
    return environment, stand_ins


def run(block, printed, folder, environment, stand_ins):
    """Runs a block; returns what is wrong with it, or nothing."""
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
    # A reader that has seen enough, like head, is no failure of ours.
    command = ["bash", "-euc", script]
    if printed:
        # Shown is what people see on a terminal.
        command = ["script", "-qefc", "stty cols 120 && " + shlex.join(command), "/dev/null"]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )
    if done.returncode != 0 and not ("sandbox" in block and done.returncode in (130, 143)):
        return f"exit {done.returncode}\n{done.stdout[-1500:]}{done.stderr[-1500:]}"
    # Lines of a progress display end with moves of the cursor.
    seen = plain(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", " ", done.stdout))
    missing = [line for line in (printed or "").splitlines() if line != "…" and plain(line) not in seen]
    return "does not print:\n" + "\n".join(missing) if missing else ""


def plain(line):
    """A line of output without what may differ from run to run."""
    return " ".join(re.sub(r"\d[\d,]*", "#", line).split())


def broken_links(pages):
    """Links that lead nowhere."""
    faults, count = [], 0
    for page in pages:
        prose = re.sub(r"^```.*?^```|`[^`\n]*`", "", page.read_text(), flags=re.S | re.M)
        for target in re.findall(r"\]\(([^)\s]+)\)", prose):
            if re.match(r"https?://", target):
                continue
            count += 1
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            if not file.exists():
                faults.append(f"{page}: no file {target}")
            elif anchor and anchor not in anchors(file):
                faults.append(f"{page}: no heading {target}")
    print(f"{len(pages)} pages, {count} links, {len(faults)} broken")
    return faults


def anchors(page):
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


if __name__ == "__main__":
    main()
