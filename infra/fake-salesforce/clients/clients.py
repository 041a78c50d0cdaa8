#!/usr/bin/env python3
"""Lets clients that other people wrote use the fake org: what they do against Salesforce has to work against it too.

Starts an empty org of its own for each client on a free port, and hands it the address and the keys. A client that
disagrees with the org fails here, and it is the org that is then corrected.

Usage: clients.py FAKE_SALESFORCE PYTHON NODE     (PYTHON has simple-salesforce)
"""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
KEYS = HERE.parent / "tests" / "it" / "keys"
# What assertions are made out to: the audience that both clients sign for when they are not told another.
LOGIN_URL = "https://login.salesforce.com"
# How long an org may take to listen, and to stop.
START_SECONDS = 15
STOP_SECONDS = 10
# How long a client may take: several times what it takes on a small machine.
RUN_SECONDS = 60


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_until_listening(org, address):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if org.poll() is not None:
            sys.exit(f"the org ended while it started: {org.returncode}")
        try:
            urllib.request.urlopen(f"{address}/_fake/settings", timeout=1).close()
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.05)
    sys.exit(f"the org did not listen within {START_SECONDS} s")


def run(binary, command):
    """Runs one client against an org that nobody else uses."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    org = subprocess.Popen(
        [binary, "--port", str(port), "--public-key", KEYS / "test-public.pem", "--login-url", LOGIN_URL, "--empty"],
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until_listening(org, address)
        arguments = [address, KEYS / "test-private.pem", KEYS / "other-private.pem"]
        return subprocess.run([*command, *arguments], timeout=RUN_SECONDS, check=False).returncode
    finally:
        org.terminate()
        try:
            org.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            org.kill()


def main(binary, python, node):
    clients = {
        "simple-salesforce": [python, HERE / "simple_salesforce_client.py"],
        "jsforce": [node, HERE / "jsforce_client.mjs"],
    }
    failed = [name for name, command in clients.items() if run(binary, command) != 0]
    if failed:
        sys.exit(f"disagree with the org: {', '.join(failed)}")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
