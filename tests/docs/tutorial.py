"""`make tutorial`: executes docs/tutorial.md as it is printed, and compares what it prints.

The page is a script. A block `sh` is run, in one shell from the first to the last; a block that follows a line
`<!-- file: NAME -->` is written to that file; a block `text` after a block `sh` is what this printed, where `…` stands
for anything. The shell begins in a folder that holds what a checkout holds, so no file of the checkout changes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tutorial.md"
_BLOCK = re.compile(r"(?:<!-- file: (?P<file>\S+) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)```", re.DOTALL)
_END = "--- end of step"
TIMEOUT_S = 300


@dataclass(slots=True)
class Step:
    """One block that is run or written, and what it shall print."""

    number: int
    script: str
    expected: str | None = None


class Differs(Exception):
    """A step printed something else, or failed."""


def steps(page: str) -> list[Step]:
    """The steps of the page, in order."""
    found: list[Step] = []
    for block in _BLOCK.finditer(page):
        text = block["text"]
        if block["file"]:
            found.append(Step(len(found) + 1, f"cat > {block['file']} <<'END-OF-FILE'\n{text}END-OF-FILE\n"))
        elif block["kind"] == "sh":
            found.append(Step(len(found) + 1, text))
        elif block["kind"] == "text":
            found[-1].expected = text
    return found


def run(folder: Path, page: str) -> Iterator[tuple[Step, str]]:
    """Each step and what it printed. Raises Differs at the first that prints anything else than the page."""
    for each in ROOT.iterdir():
        if each.name not in (".demo", ".git", ".bench"):
            (folder / each.name).symlink_to(each)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("NOTARIUM_", "MAKE"))}
    environment |= {"NO_COLOR": "1", "COLUMNS": "100", "GIT_CONFIG_GLOBAL": os.devnull}
    shell = subprocess.Popen(
        ["bash", "-u"],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        for step in steps(page):
            yield step, _printed(shell, step)
    finally:
        shell.communicate("exit\n", timeout=TIMEOUT_S)


def _printed(shell: subprocess.Popen[str], step: Step) -> str:
    assert shell.stdin is not None
    assert shell.stdout is not None
    # The script of a step is read whole before it runs, so none of its programs reads the next one.
    shell.stdin.write(f'{{\n{step.script}\n}} < /dev/null\necho "{_END} $?"\n')
    shell.stdin.flush()
    lines: list[str] = []
    for line in shell.stdout:
        if line.startswith(_END):
            if line.split()[-1] != "0":
                raise Differs(f"step {step.number} ended with {line.split()[-1]}:\n{step.script}\n{''.join(lines)}")
            break
        lines.append(line)
    else:
        raise Differs(f"step {step.number} ended the shell:\n{step.script}\n{''.join(lines)}")
    printed = "".join(lines)
    if step.expected is not None and not matches(step.expected, printed):
        raise Differs(f"step {step.number} printed\n{printed}\nand the page says\n{step.expected}")
    return printed


def matches(expected: str, printed: str) -> bool:
    """Whether it is this text; `…` in it stands for anything, a line of it alone for any lines."""
    pattern = re.escape(expected.rstrip("\n")).replace("…", ".*")
    return re.fullmatch(pattern, printed.rstrip("\n"), re.DOTALL) is not None


@contextmanager
def ended(folder: Path) -> Iterator[None]:
    """Whatever happens, the consortium that the page starts in `folder` is stopped."""
    try:
        yield
    finally:
        subprocess.run(["make", "demo-down"], cwd=folder, check=False, capture_output=True)


def main() -> int:
    """Entry point: 0 the page is true, 1 it is not."""
    with tempfile.TemporaryDirectory(prefix="notarium-tutorial-") as folder, ended(Path(folder)):
        try:
            for step, printed in run(Path(folder), PAGE.read_text(encoding="utf-8")):
                print(f"\n$ {step.script.strip()}\n{printed}", end="", flush=True)
        except Differs as error:
            print(f"\n{error}", file=sys.stderr)
            return 1
    print("\nThe page is true.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
