"""The genesis document in a file: the trust root of everything that is verified here."""

from __future__ import annotations

from pathlib import Path

from notarium.errors import ProjectError
from notarium.files import read_regular
from notarium_ledger.errors import LedgerError
from notarium_ledger.state.genesis import MAX_GENESIS_BYTES, Genesis


def read_genesis(path: Path) -> Genesis:
    """The genesis document in `path`. Raises ProjectError."""
    try:
        return Genesis.decode_json(read_regular(path, MAX_GENESIS_BYTES))
    except OSError as error:
        raise ProjectError(
            f"cannot read the genesis file {path}: {error.strerror}; get it from your institution"
        ) from error
    except LedgerError as error:
        raise ProjectError(f"{path} is not a valid genesis file: {error}") from error
