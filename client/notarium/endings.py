"""How both programs end: with an exit code that never lies, and with one line where something went wrong.

An exit code says what was found out about a file or a node, so no mistake of the program may borrow one: what nobody
foresaw has a code of its own.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

import typer

from notarium import terminal

UNEXPECTED = 70
"""EX_SOFTWARE of sysexits.h: a defect of the program, which says nothing about what it was asked."""
INTERRUPTED = 130
BROKEN_PIPE = 141
"""128 + the number of the signal, as a shell returns it."""
USAGE = 2
DEBUG = "NOTARIUM_DEBUG"

Explain = Callable[[Exception], tuple[str, int] | None]
"""The text and the exit code for an error that the program foresees, or None."""
Report = Callable[[str, int], None]
"""Prints an error."""

_UsageProblem: type[Exception] = next(each for each in typer.BadParameter.__mro__ if each.__name__ == "ClickException")
"""Base of errors in a command line: click's, or that of the copy of click which newer versions of Typer contain."""


def run_program(program: str, work: Callable[[], Any], explain: Explain, report: Report) -> int:
    """Do `work`, which returns an exit code or nothing; the exit code of the process, with all output written."""
    terminal.prepare()
    try:
        code = _attempt(program, work, explain, report)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader went away (`notarium log | head`), so there is nothing to report and no one to report it to.
        code = BROKEN_PIPE
    except OSError as error:
        # What was found out could not be said, for example on a full disk.
        code = USAGE
        sys.stderr.write(f"error: the output cannot be written: {error.strerror or error}\n")
    # Otherwise Python would try to write the rest at its end, and fail with a code of its own.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return code


def _attempt(program: str, work: Callable[[], Any], explain: Explain, report: Report) -> int:
    try:
        result = work()
        return int(result) if isinstance(result, int) else 0
    except typer.Exit as error:
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except SystemExit as error:
        # Click ends a program whose reader went away with the exit code 1, which means something else here.
        raise (error.__context__ if isinstance(error.__context__, BrokenPipeError) else error) from None
    except _UsageProblem as error:
        report(_usage_text(error), USAGE)
        return USAGE
    except Exception as error:
        text, code = explain(error) or _foreseen(error) or _unexpected(program, error)
        report(text, code)
        return code


def _usage_text(error: Any) -> str:
    """What is wrong with the command line, with the name of the option; `error` is a _UsageProblem."""
    return str(error.format_message()).replace(": Value error, ", ": ")


def _foreseen(error: Exception) -> tuple[str, int] | None:
    """A file or folder that this user may not use, or of the wrong kind."""
    if not isinstance(error, OSError):
        return None
    named = f"{error.filename}: " if error.filename else ""
    return f"{named}{error.strerror or error}", USAGE


def _unexpected(program: str, error: Exception) -> tuple[str, int]:
    if os.environ.get(DEBUG):
        terminal.write("".join(traceback.format_exception(error)), sys.stderr)
        remedy = "report it to the maintainers with the lines above"
    else:
        remedy = f"run the command again with {DEBUG}=1 and report what it prints to the maintainers"
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return f"a defect of {program}; this is no result ({said}); {remedy}", UNEXPECTED
