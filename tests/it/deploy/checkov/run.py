"""Runs checkov's checks on a file and prints what failed, one check and resource a line.

Calls the runner and not the command line, which asks its vendor's servers for guidelines first.

    python run.py kubernetes|dockerfile|cloudformation FILE
"""

import importlib
import logging
import sys

from checkov.runner_filter import RunnerFilter

logging.disable(logging.CRITICAL)
framework, path = sys.argv[1:]
runner = importlib.import_module(f"checkov.{framework}.runner").Runner()
report = runner.run(root_folder=None, files=[path], runner_filter=RunnerFilter(framework=[framework]))
if not report.passed_checks:
    sys.exit(f"nothing in {path} was looked at")
for check in report.failed_checks:
    print(check.check_id, check.resource, check.check_name, sep="\t")
