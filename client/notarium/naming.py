"""The names of receipts and records beside what they are about.

data/            data.receipt.json              data.record.json
model.joblib     model.joblib.receipt.json      model.joblib.record.json
a run "fit"      fit.run.receipt.json           fit.run.record.json
its draft        fit.run.draft.json             where the run could not be signed
its output       fit.run.stdout.log             what its command printed, on request
its code         fit.run.0123456789ab.code.patch   how it differed from the commit, on request
"""

from __future__ import annotations

import shlex
from pathlib import Path

from notarium.errors import ProjectError

FOLDER = ".notarium"
"""In a project's folder: its configuration, and the state of this working copy."""
RECEIPT_SUFFIX = ".receipt.json"
RECORD_SUFFIX = ".record.json"
DRAFT_SUFFIX = ".run.draft.json"
PATCH_SUFFIX = ".code.patch"
STDOUT_SUFFIX = ".stdout.log"
OWN_FILES = (
    f"{FOLDER}/",
    f"*{RECEIPT_SUFFIX}",
    f"*{RECORD_SUFFIX}",
    f"*{DRAFT_SUFFIX}",
    f"*.run.*{PATCH_SUFFIX}",
    f"*.run{STDOUT_SUFFIX}",
)
"""What Notarium writes, as patterns: it is no part of an artifact."""
EMPTY_PATH = "an empty path; give '.' for the current folder"
MAX_NAME_BYTES = 200
"""A file name may have 255 bytes on common file systems; the suffixes and a number need room."""


def receipt_beside(artifact: Path) -> Path:
    """Where the receipt of the artifact at `artifact` lies."""
    return artifact.parent / (artifact.name + RECEIPT_SUFFIX)


def record_of(receipt: Path) -> Path:
    """The record that belongs to a receipt file, whether it exists or not."""
    return receipt.parent / (stem_of(receipt) + RECORD_SUFFIX)


def receipt_of(record: Path) -> Path:
    """The receipt that belongs to a record file."""
    return record.parent / (record.name.removesuffix(RECORD_SUFFIX) + RECEIPT_SUFFIX)


def stem_of(receipt: Path) -> str:
    """The name of what the receipt is about."""
    return receipt.name.removesuffix(RECEIPT_SUFFIX)


def is_receipt(path: Path) -> bool:
    """Whether `path` is named like a receipt."""
    return path.name.endswith(RECEIPT_SUFFIX)


def is_record(path: Path) -> bool:
    """Whether `path` is named like a record."""
    return path.name.endswith(RECORD_SUFFIX)


def is_draft(path: Path) -> bool:
    """Whether `path` is named like the draft of a run."""
    return path.name.endswith(DRAFT_SUFFIX)


def not_signed(draft: Path) -> str:
    """What to say of a draft where something anchored, or to be anchored, is expected."""
    return (
        f"is the draft of a run, which nobody has signed: run 'notarium complete {shlex.quote(str(draft))}' to sign "
        "and anchor it"
    )


def check_no_draft(path: Path) -> None:
    """Raise ProjectError for what is named like a draft: as an ordinary file it would prove nothing about its run."""
    if is_draft(path):
        raise ProjectError(f"{path} {not_signed(path)}")


def run_stem(name: str) -> str:
    """The file name that represents the run `name`. Raises ProjectError where it cannot be a file name."""
    if not name or name.startswith(".") or any(each in name for each in "/\\\0\n\r") or not name.isprintable():
        raise ProjectError(
            f"{name!r} is not a valid name for a run: it becomes a file name; use no slash and no leading dot"
        )
    if len(name.encode(errors="replace")) > MAX_NAME_BYTES:
        raise ProjectError(f"the run name has more than {MAX_NAME_BYTES} bytes; choose a shorter one")
    return f"{name}.run"


def artifact_path(path: Path | str) -> Path:
    """`path` in the form that names can be made from: no trailing slash, "." and "~" resolved.

    Raises ProjectError for an empty text, as an unset variable of a script gives it: it would mean the current folder.
    """
    if not str(path):
        raise ProjectError(EMPTY_PATH)
    chosen = Path(path).expanduser()
    return chosen if chosen.name not in ("", "..") else chosen.resolve()
