"""Runs moto on a free port of the loopback interface and prints where (on stderr, by werkzeug).

Ends when its standard input closes, so that a test that is killed leaves no server behind.
"""

import os
import sys
import threading

from moto.server import main


def end_with_the_test():
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=end_with_the_test, daemon=True).start()
main(["-H", "127.0.0.1", "-p", "0"])
