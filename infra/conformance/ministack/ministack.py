#!/usr/bin/env python3
"""Runs a command beside an empty ministack (https://pypi.org/project/ministack/), whose address it finds in
MINISTACK_URL: an object store that has nothing in common with the one of the local cloud.

Usage: ministack.py MINISTACK COMMAND [ARGUMENT...]
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

# Whose signatures it checks: the clients of the emulators (infra/emulators/src/lib.rs).
ACCESS_KEY_ID = "PORTICOLOCALACCESSKEY"
SECRET_ACCESS_KEY = "portico-local-secret-access-key"
# How long it may take to listen, and to stop.
START_SECONDS = 30
STOP_SECONDS = 10


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_until_listening(ministack, address):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if ministack.poll() is not None:
            sys.exit(f"ministack ended while it started: {ministack.returncode}")
        try:
            urllib.request.urlopen(f"{address}/_ministack/health", timeout=1).close()
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.05)
    sys.exit(f"ministack did not listen within {START_SECONDS} s")


def main(binary, *command):
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as data:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": data,
            "TMPDIR": data,
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "SERVICES": "s3",
            "LOG_LEVEL": "ERROR",
            "MINISTACK_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        }
        ministack = subprocess.Popen([binary], env=environment, cwd=data, stdout=subprocess.DEVNULL)
        try:
            wait_until_listening(ministack, address)
            ran = subprocess.run(command, env={**os.environ, "MINISTACK_URL": address}, check=False)
        finally:
            ministack.terminate()
            try:
                ministack.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                ministack.kill()
    sys.exit(ran.returncode)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
