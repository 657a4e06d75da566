"""The patch of a run whose code was not its commit, kept beside the record on request."""

from __future__ import annotations

import hashlib
from pathlib import Path

from notarium.errors import Unwritable
from notarium.files import write_atomically
from notarium.naming import PATCH_SUFFIX


def keep_patch(directory: Path, stem: str, patch: bytes) -> Path:
    """Write it and return where. Runs of one name and one state of the code share the file. Raises Unwritable."""
    place = directory.absolute() / f"{stem}.{hashlib.sha256(patch).hexdigest()[:12]}{PATCH_SUFFIX}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        write_atomically(place, patch)
    except OSError as error:
        raise Unwritable("the diff of the code cannot be kept", directory, error) from error
    return place
