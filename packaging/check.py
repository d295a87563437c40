#!/usr/bin/env python3
"""Holds what is packaged together with what is built.

    packaging/check.py SOURCE_PIPEDRIVE TAP_PIPEDRIVE

takes the paths of both binaries, prints a line a check, and exits with 1 if any failed. It needs PyYAML,
nothing of the network, and uses `systemd-analyze` where there is one.
"""

import configparser
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import uuid
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
failures = 0


def check(what, wrong):
    """Prints a check; `wrong` says what is wrong with it, and is empty if nothing is."""
    global failures
    if wrong:
        failures += 1
    print(f"FAILED  {what}: {wrong}" if wrong else f"ok  {what}")


def same(what, found, expected):
    check(what, "" if found == expected else f"{found!r}, expected {expected!r}")


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def load(path):
    """The documents of a YAML file. YAML 1.1 takes the key `on` for a truth; no check here reads it."""
    return [document for document in yaml.safe_load_all((HERE / path).read_text()) if document]


def streams(source):
    """The names of all streams, and the properties of each."""
    lines = map(json.loads, run(source, "discover", "--sandbox").splitlines())
    catalog = next(line["catalog"] for line in lines if line["type"] == "CATALOG")
    return {stream["name"]: set(stream["json_schema"]["properties"]) for stream in catalog["streams"]}


def instructions(dockerfile):
    """The instructions of a Dockerfile, without comments, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", dockerfile.read_text(), flags=re.M)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [tuple(line.split(None, 1)) for line in lines if line.strip()]


def pairs(text):
    """`A="b"` as a pair."""
    name, _, value = text.partition("=")
    return name, value.strip('"')


def image(package, metadata, known):
    steps = instructions(HERE / "airbyte/Dockerfile")
    bases = [rest for word, rest in steps if word == "FROM"]
    final = steps[max(at for at, (word, _) in enumerate(steps) if word == "FROM") :]
    env = dict(pairs(rest) for word, rest in final if word == "ENV")
    labels = dict(pairs(rest) for word, rest in final if word == "LABEL")
    entrypoint = [json.loads(rest) for word, rest in final if word == "ENTRYPOINT"]
    user = [rest for word, rest in final if word == "USER"]
    version = package["version"]

    same("the builder's Rust is Cargo.toml's", bases[0].split()[0], f"rust:{package['rust-version']}-bookworm")
    same("the image has a shell and the builder's libc", bases[-1], "debian:bookworm-slim")
    same("one entrypoint, the binary", entrypoint, [["/usr/local/bin/source-pipedrive"]])
    same("AIRBYTE_ENTRYPOINT is the entrypoint", env.get("AIRBYTE_ENTRYPOINT"), " ".join(entrypoint[-1]))
    copied = [rest.split()[-1] for word, rest in final if word == "COPY"]
    same("it is copied where it is called", copied, entrypoint[-1])
    same("the image's user is airbyte, by number", user, ["1000"])
    check("certificates are installed", "" if any("ca-certificates" in rest for _, rest in final) else "none")
    same("label io.airbyte.name", labels.get("io.airbyte.name"), metadata["dockerRepository"])
    same("label io.airbyte.version", labels.get("io.airbyte.version"), metadata["dockerImageTag"])
    same("dockerImageTag is Cargo.toml's version", metadata["dockerImageTag"], version)
    same("license is Cargo.toml's", metadata["license"], package["license"])
    same("definitionId is a UUID", str(uuid.UUID(metadata["definitionId"])), metadata["definitionId"])
    check("the icon is there", "" if (HERE / "airbyte" / metadata["icon"]).is_file() else metadata["icon"])
    unknown = set(metadata["suggestedStreams"]["streams"]) - set(known)
    check("suggestedStreams exist", ", ".join(sorted(unknown)))
    let_in = (HERE / "airbyte/Dockerfile.dockerignore").read_text().split("\n*\n")[1].split()
    absent = [line for line in let_in if not (ROOT / line.removeprefix("!")).exists()]
    check("what the image is built from exists", ", ".join(absent))


def flat(schema, prefix=""):
    """The settings of a JSON schema, nested ones by dotted names."""
    for name, setting in schema["properties"].items():
        if "properties" in setting:
            yield from flat(setting, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", setting


def kind(setting):
    """What Meltano calls such a setting."""
    [of] = [name for name in setting["type"] if name != "null"] if isinstance(setting["type"], list) else [setting["type"]]
    if "enum" in setting:
        return "options"
    return "date_iso8601" if setting.get("format") == "date-time" else of


def meltano(tap, known):
    about = json.loads(run(tap, "--about", "--format=json"))
    [plugin] = load("meltano/tap-pipedrive.yml")[0]["plugins"]["extractors"]
    same("the extractor is called like the tap", (plugin["name"], plugin["executable"]), (about["name"],) * 2)
    check("the tap has these capabilities", ", ".join(sorted(set(plugin["capabilities"]) - set(about["capabilities"]))))
    told = dict(flat(about["settings"]))
    written = {setting["name"]: setting for setting in plugin["settings"]}
    same("settings are named once", len(written), len(plugin["settings"]))
    same("settings are those the tap tells", sorted(written), sorted(told))
    for name in sorted(written.keys() & told.keys()):
        ours, its = written[name], told[name]
        options = sorted(option["value"] for option in ours.get("options", []))
        same(
            f"setting {name}",
            (ours["kind"], ours.get("value"), ours.get("sensitive", False), options),
            (kind(its), its.get("default"), its.get("secret", False), sorted(its.get("enum", []))),
        )
        check(f"setting {name} is explained", "" if ours.get("label") and ours.get("description") else "no label or description")
    groups = plugin["settings_group_validation"]
    check("required settings exist", ", ".join(sorted({name for group in groups for name in group} - set(written))))

    [project] = load("meltano/meltano.yml")
    [environment] = project["environments"]
    same("the default environment exists", environment["name"], project["default_environment"])
    [chosen] = environment["config"]["plugins"]["extractors"]
    same("the project configures the tap", chosen["name"], plugin["name"])
    check("it sets settings that exist", ", ".join(sorted(set(chosen["config"]) - set(written))))
    lost = [path for path in project["include_paths"] if not (HERE / "meltano" / path).is_file()]
    check("what the project includes exists", ", ".join(lost))
    for rule in chosen["select"]:
        stream, _, attribute = rule.removeprefix("!").partition(".")
        found = any(fnmatchcase(name, attribute.split(".")[0]) for name in known.get(stream, ()))
        check(f"select {rule}", "" if found else "there is no such stream or property")


def shells(document):
    """Checks that a shell can parse the scripts of a workflow."""
    for job in document["jobs"].values():
        for step in job["steps"]:
            if "run" in step:
                # GitHub fills these in before the shell sees the script.
                script = re.sub(r"\$\{\{.*?\}\}", "x", step["run"])
                done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
                check(f"shell of {step['name']!r}", done.stderr.strip())


def workflows(package):
    [document] = load("github/nightly-backup.yml")
    same("the workflow runs this version", document["env"]["VERSION"], package["version"])
    same("the workflow builds with this Rust", document["env"]["RUST"], package["rust-version"])
    shells(document)
    used = set(re.findall(r"secrets\.(\w+)", (HERE / "github/nightly-backup.yml").read_text()))
    same("the workflow's secrets", used, {"PIPEDRIVE_API_TOKEN", "PIPEDRIVE_COMPANY_DOMAIN"})
    [document] = load("../.github/workflows/ci.yml")
    same("CI builds with this Rust", document["env"]["RUST"], package["rust-version"])
    same("and so does its image", document["jobs"]["linux"]["container"], f"rust:{package['rust-version']}-bookworm")
    shells(document)


def units(source):
    names = ["pipedrive-backup.service", "pipedrive-backup.timer"]
    parsed = {}
    for name in names:
        # Keys may come twice (ExecStart), and mean more than the last of them.
        unit = configparser.RawConfigParser(strict=False, interpolation=None, delimiters="=")
        unit.optionxform = str
        unit.read(HERE / "systemd" / name)
        parsed[name] = unit
    service, timer = (parsed[name] for name in names)
    needed = {"Type": "oneshot", "DynamicUser": "yes", "ProtectSystem": "strict", "NoNewPrivileges": "yes"}
    needed |= {"StateDirectory": "pipedrive-backup", "EnvironmentFile": "/etc/pipedrive.env"}
    same("the service is shut in", {key: service["Service"].get(key) for key in needed}, needed)
    check("the service fails on 3", "SuccessExitStatus" if "SuccessExitStatus" in service["Service"] else "")
    check("the timer has a time", "" if timer["Timer"].get("OnCalendar") else "no OnCalendar")
    same("the timer starts with the machine", timer["Install"].get("WantedBy"), "timers.target")
    if not shutil.which("systemd-analyze"):
        print("--  systemd-analyze is not here: units were only parsed")
        return
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            # It looks for the binary that is started.
            text = (HERE / "systemd" / name).read_text().replace("ExecStart=source-pipedrive", f"ExecStart={source}")
            (Path(folder) / name).write_text(text)
        paths = [str(Path(folder) / name) for name in names]
        done = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True)
        ours = [line for line in done.stderr.splitlines() if "pipedrive" in line]
        check("systemd-analyze verify", "; ".join(ours) or (done.stderr.strip() if done.returncode else ""))


def pods(package, metadata):
    """Images, and what `podFailurePolicy` asks for."""
    jobs = [one for one in load("kubernetes/cronjob.yaml") if one["kind"] == "CronJob"]
    claims = {one["metadata"]["name"] for one in load("kubernetes/cronjob.yaml") if one["kind"] == "PersistentVolumeClaim"}
    for job in jobs:
        name, spec = job["metadata"]["name"], job["spec"]["jobTemplate"]["spec"]
        pod = spec["template"]["spec"]
        containers = pod.get("initContainers", []) + pod["containers"]
        images = {container["image"] for container in containers}
        same(f"{name}: the image", images, {f"{metadata['dockerRepository']}:{package['version']}"})
        same(f"{name}: one run at a time", job["spec"]["concurrencyPolicy"], "Forbid")
        same(f"{name}: podFailurePolicy needs it", pod["restartPolicy"], "Never")
        codes = next(rule["onExitCodes"]["values"] for rule in spec["podFailurePolicy"]["rules"] if "onExitCodes" in rule)
        same(f"{name}: exit codes in order, once, and none is 0", codes, sorted(set(codes) - {0}))
        same(f"{name}: not root", (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]), (True, 1000))
        loose = [one["name"] for one in containers if not one["securityContext"]["readOnlyRootFilesystem"]]
        check(f"{name}: the root is read-only", ", ".join(loose))
        asked = {volume["persistentVolumeClaim"]["claimName"] for volume in pod.get("volumes", [])}
        check(f"{name}: volumes are claimed", ", ".join(asked - claims))


def calls(source):
    """Every flag that is written here is one the binary knows."""
    text = "".join((HERE / path).read_text() for path in [
        "github/nightly-backup.yml", "systemd/pipedrive-backup.service"])
    lines = re.findall(r"/bin/source-pipedrive ([a-z][^|>&#\n\\]*)", text)
    lines += [" ".join(container["args"]) for one in load("kubernetes/cronjob.yaml") if one["kind"] == "CronJob"
              for pod in [one["spec"]["jobTemplate"]["spec"]["template"]["spec"]]
              for container in pod.get("initContainers", []) + pod["containers"]]
    for line in sorted({" ".join(line.split()) for line in lines}):
        words = line.split()
        command = words[:2] if words[:2] in (["sync", "warehouse"], ["backup", "verify"], ["backup", "diff"]) else words[:1]
        known = set(re.findall(r"--[a-z-]+", run(source, *command, "--help")))
        flags = {word.split("=")[0] for word in words if word.startswith("--")}
        check(f"source-pipedrive {line}", ", ".join(sorted(flags - known)))


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    source, tap = (Path(shutil.which(path) or path).absolute() for path in sys.argv[1:])
    package = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]
    for path in sorted([*HERE.rglob("*.y*ml"), *ROOT.glob(".github/workflows/*.yml")]):
        try:
            list(yaml.safe_load_all(path.read_text()))
            wrong = ""
        except yaml.YAMLError as error:
            wrong = str(error)
        check(f"{path.relative_to(ROOT)} is YAML", wrong)
    if failures:
        raise SystemExit(1)
    metadata = load("airbyte/metadata.yaml")[0]["data"]
    same("source-pipedrive is this version", run(source, "--version").split()[-1], package["version"])
    known = streams(source)
    image(package, metadata, known)
    meltano(tap, known)
    workflows(package)
    units(source)
    pods(package, metadata)
    calls(source)
    print(f"{failures} failed" if failures else "all passed")
    raise SystemExit(1 if failures else 0)


if __name__ == "__main__":
    main()
