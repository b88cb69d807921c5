"""Runs cfn-lint on templates, warnings included."""

import sys

from cfnlint.runner import main

if __name__ == "__main__":
    sys.argv = ["cfn-lint", "--", *sys.argv[1:]]
    main()
