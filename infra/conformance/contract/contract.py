#!/usr/bin/env python3
"""Holds the running API against its description, as each of the people who may sign in.

Starts a cloud of its own on free ports with empty data, signs in the demo's people, and lets schemathesis
(https://schemathesis.readthedocs.io) make requests from `docs/openapi.json`: examples, limits, and random ones, fitting
and not. What it checks, and why anything is left out, is in `schemathesis.toml`.

Usage: contract.py SCHEMATHESIS PORTICO_LOCAL [ROLE...]
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import xml.etree.ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
HOOKS = Path(__file__).with_name("hooks.py")
DESCRIPTION = ROOT / "docs" / "openapi.json"
# The doors of a cloud, by their flags.
DOORS = ("web", "api", "live", "webhook", "salesforce", "aws", "dynamodb")
# The same on every laptop; no secret.
PASSWORD = "Portico-demo-2026"
NORDHAVEN = "acct_019a0d3c5a0070008000000000000001"
# What everybody does, and what is added by whoever may do most on either side: "coverage" goes through every limit of
# every field, which depends little on who asks and takes more time than all the rest.
PHASES = "examples,fuzzing,stateful"
WITH_EVERY_LIMIT = "examples,coverage,fuzzing,stateful"
# One person of each role. People of the consultancy say whose records they look at. Those who take longest begin.
PEOPLE = (
    ("manager", "mara.lindqvist@nordhaven.example", None, WITH_EVERY_LIMIT),
    ("admin", "robin.vance@consultancy.example", NORDHAVEN, WITH_EVERY_LIMIT),
    ("member", "jonas.weber@nordhaven.example", None, PHASES),
    ("billing", "ines.albrecht@nordhaven.example", None, PHASES),
    ("agent", "sam.keller@consultancy.example", NORDHAVEN, PHASES),
)
# How long the cloud may take to be ready, and to stop.
START_SECONDS = 60
STOP_SECONDS = 10
# How long one request to it may take.
REQUEST_SECONDS = 10
# How long one person's run may take: several times what it takes on a small machine.
RUN_SECONDS = 230
# How many people at once: each is a process of its own, and CI has two processors.
AT_ONCE = 2


def free_ports(count):
    """Ports that nobody uses at this moment, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return ports


def ask(url, body=None, headers=None):
    request = urllib.request.Request(url, data=body, headers=headers or {})
    with urllib.request.urlopen(request, timeout=REQUEST_SECONDS) as answer:
        return json.load(answer)


def wait_until_ready(cloud, api):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if cloud.poll() is not None:
            sys.exit(f"the cloud ended while it started: {cloud.returncode}")
        try:
            return ask(f"{api}/_local/health")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    sys.exit(f"the cloud was not ready after {START_SECONDS} seconds")


def sign_in(health, email):
    """An access token."""
    attempt = {
        "AuthFlow": "USER_PASSWORD_AUTH",
        "ClientId": health["sign_in"]["client_id"],
        "AuthParameters": {"USERNAME": email, "PASSWORD": PASSWORD},
    }
    headers = {
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": "AWSCognitoIdentityProviderService.InitiateAuth",
    }
    answer = ask(health["addresses"]["aws"], json.dumps(attempt).encode(), headers)
    return answer["AuthenticationResult"]["AccessToken"]


def description_for(account, directory):
    """The description as this person may use it: people of the consultancy must name an account, and this one."""
    if account is None:
        return DESCRIPTION
    document = json.loads(DESCRIPTION.read_text())
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == "account":
                    parameter["required"] = True
                    parameter["schema"] = {"type": "string", "enum": [account]}
                    parameter.pop("example", None)
                    parameter.pop("examples", None)
    path = Path(directory) / "openapi.json"
    path.write_text(json.dumps(document))
    return path


def check(schemathesis, api, role, token, account, phases):
    """Whether the API keeps to its description for this person."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.xml"
        command = [
            schemathesis,
            f"--config-file={CONFIGURATION}",
            "run",
            str(description_for(account, directory)),
            f"--url={api}/v1",
            f"--phases={phases}",
            "--no-color",
            f"--report-junit-path={report}",
        ]
        started = time.monotonic()
        environment = {**os.environ, "CONTRACT_TOKEN": token, "SCHEMATHESIS_HOOKS": str(HOOKS), "PYTHONHASHSEED": "0"}
        try:
            run = subprocess.run(
                command, capture_output=True, text=True, env=environment, cwd=directory, timeout=RUN_SECONDS
            )
        except subprocess.TimeoutExpired:
            print(f"  {role:<8} FAILED  it took more than {RUN_SECONDS} seconds", flush=True)
            return False
        seconds = time.monotonic() - started
        cases = failures = 0
        if report.exists():
            for suite in xml.etree.ElementTree.parse(report).getroot().iter("testsuite"):
                cases += int(suite.get("tests", 0))
                failures += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        sound = run.returncode == 0 and cases > 0 and failures == 0
        operations = re.search(r"^ *Tested: (\d+)$", run.stdout, re.MULTILINE)
        operations = operations[1] if operations else "no"
        summary = re.search(r"^ *(\d+ generated.*)$", run.stdout, re.MULTILINE)
        summary = summary[1] if summary else "nothing was made up"
        print(f"  {role:<8} {seconds:5.1f} s  {'passed' if sound else 'FAILED'}  {operations} operations, {summary} ({phases})", flush=True)
        if not sound:
            print(run.stdout, run.stderr, sep="\n", flush=True)
        return sound


def main():
    schemathesis, portico_local = (str(Path(argument).absolute()) for argument in sys.argv[1:3])
    known = [role for role, *_ in PEOPLE]
    roles = sys.argv[3:] or known
    if unknown := set(roles).difference(known):
        sys.exit(f"no such role: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    with tempfile.TemporaryDirectory() as data:
        ports = dict(zip(DOORS, free_ports(len(DOORS))))
        command = [portico_local, "--data", data, "--log", "error"]
        for door, port in ports.items():
            command += [f"--{door}-port", str(port)]
        cloud = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        try:
            api = f"http://127.0.0.1:{ports['api']}"
            health = wait_until_ready(cloud, api)
            print(f"{health['parts']['routes']['count']} routes against their description, as", flush=True)
            people = [
                (role, sign_in(health, email), account, phases)
                for role, email, account, phases in PEOPLE
                if role in roles
            ]
            # Each is asked, whatever became of the others.
            with ThreadPoolExecutor(AT_ONCE) as runs:
                sound = list(runs.map(lambda person: check(schemathesis, api, *person), people))
        finally:
            cloud.terminate()
            try:
                cloud.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                cloud.kill()
    sys.exit(0 if all(sound) else 1)


if __name__ == "__main__":
    main()
