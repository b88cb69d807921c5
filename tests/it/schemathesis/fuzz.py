"""Runs Schemathesis against a server, as a process of its own would."""

import sys

from schemathesis.cli import schemathesis

sys.exit(schemathesis(sys.argv[1:]))
