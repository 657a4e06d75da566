"""Python scripts in processes of their own, for tests of what ends them."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

from tests.client.helpers import present

WAIT_S = 60


def script(text: str) -> list[str]:
    """The command that runs `text`."""
    return [sys.executable, "-c", textwrap.dedent(text)]


def run_script(text: str, **options) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(script(text), capture_output=True, text=True, timeout=WAIT_S, check=False, **options)


@contextmanager
def up(command: list[str], **options) -> Iterator[subprocess.Popen[str]]:
    """A process that has printed the line "up"; it is killed where a test fails."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, **options) as process:
        try:
            line = present(process.stdout).readline()
            assert line == "up\n", line + present(process.stderr).read()
            yield process
        finally:
            process.kill()
