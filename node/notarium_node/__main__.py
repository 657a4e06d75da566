"""`notarium-node`, and `python -m notarium_node`: the operator's commands.

Imports nothing that a researcher's installation lacks, so that it can say what is missing.
"""

from __future__ import annotations

import sys

MISSING = """\
error: the Python package {name!r} is not installed, and notarium-node needs it.
Install the node's extra: pip install 'notarium[node]'
"""
USAGE = 2
"""The exit code for usage and configuration, as in operator/cli/output.py."""


def main() -> None:
    """Entry point of the console script."""
    try:
        from notarium_node.operator.cli.app import main as run_command

        run_command()
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if not package or package.startswith("notarium"):
            raise
        sys.stderr.write(MISSING.format(name=package))
        sys.exit(USAGE)


if __name__ == "__main__":
    main()
