"""From a backup to a node's directory. Everything is checked before the directory appears; nothing is overwritten.

The restored node has no memory of what its key has signed, so it observes: it asks the other validators, and signs
nothing until that is safe (docs/adr/0015-a-lost-memory.md).
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, Any

from notarium.errors import ProjectError
from notarium.files import open_regular, read_regular
from notarium.genesis_file import read_genesis
from notarium.key_files import Purpose, load_key
from notarium_ledger.encoding import canonical
from notarium_ledger.encoding.json_file import parse_json
from notarium_ledger.encoding.reading import read_byte_strings
from notarium_ledger.errors import LedgerError
from notarium_ledger.state.genesis import Genesis
from notarium_node.config.reading import ConfigError, parse_config
from notarium_node.operator.archive import ArchiveError, read_files
from notarium_node.operator.backup import (
    BLOCKS,
    CONFIG,
    END,
    FORMAT,
    MOST_FILE_BYTES,
    NAME,
    SUMMARY,
    BackupError,
    Summary,
)
from notarium_node.operator.ledger_copy import Progress, StoreWriter
from notarium_node.operator.sealed_file import MAGIC, SealedReader
from notarium_store.store import Store

MOST_FILES = 64
_PART = re.compile(rf"{BLOCKS}/([1-9][0-9]{{0,17}})")
_MOST_PART = canonical.MAX_BYTES


@dataclass(frozen=True, slots=True)
class Restored:
    """What was laid down, or would be."""

    summary: Summary
    files: tuple[str, ...]
    height: int
    """Of the ledger in the store; 0 without one."""
    notes: tuple[str, ...]
    """Where node.toml looks for something elsewhere than it was restored to."""


def is_sealed(path: Path) -> bool:
    """Whether the backup is encrypted. Raises OSError."""
    with _opened(path) as file:
        return file.read(len(MAGIC)) == MAGIC


def restore(
    path: Path, directory: Path, passphrase: bytes | None, progress: Progress, *, only_check: bool = False
) -> Restored:
    """Lay the node in the backup at `path` down as `directory`, which must not exist or be empty.

    `only_check`: do all of it beside `directory`, then remove it. Raises BackupError, SealError, CopyError, StoreError
    or OSError, and has changed nothing then.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise BackupError(f"{directory} exists and is not empty: nothing is overwritten; choose another --dir")
    directory.absolute().parent.mkdir(parents=True, exist_ok=True)
    draft = Path(
        tempfile.mkdtemp(dir=directory.absolute().parent, prefix=f".{directory.name}.restoring.")
    )  # Mode 0700.
    try:
        with _opened(path) as file:
            restored = _Reading(draft, progress).read(file, passphrase)
        if not only_check:
            _sync_all(draft)
            draft.rename(directory)
    finally:
        if draft.exists():
            shutil.rmtree(draft)
    return restored


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    with os.fdopen(open_regular(path), "rb") as file:
        yield file


class _Reading:
    """One backup, read from its beginning to its end."""

    def __init__(self, directory: Path, progress: Progress) -> None:
        self._directory = directory
        self._progress = progress
        self._files: list[str] = []
        self._summary: Summary | None = None
        self._store: Store | None = None
        self._writer: StoreWriter | None = None
        self._end: int | None = None

    def read(self, file: IO[bytes], passphrase: bytes | None) -> Restored:
        """Raises what `restore` says."""
        sealed = None if passphrase is None else SealedReader(file, passphrase)
        try:
            for name, content in read_files((sealed or file).read, _most_bytes):
                self._take(name, content)
            if sealed is not None:
                sealed.expect_end()
        except ArchiveError as error:
            raise BackupError(f"not a backup, or damaged: {error}; use another copy") from error
        finally:
            if self._store is not None:
                self._store.close()
        if self._summary is None or self._end is None:
            raise BackupError("cut off: its last part is missing; use another copy")
        height = 0 if self._writer is None else self._writer.height
        if height != self._end:
            raise BackupError(f"holds {height} blocks, but says {self._end}: use another copy")
        notes = self._check_parts(self._summary)
        return Restored(self._summary, tuple(self._files), height, notes)

    def _take(self, name: str, content: bytes) -> None:
        if self._end is not None:
            raise BackupError(f"{name!r} follows its end: use another copy")
        if self._summary is None:
            self._summary = _summary(name, content)
        elif (part := _PART.fullmatch(name)) is not None:
            self._take_blocks(int(part[1]), content)
        elif name == END:
            self._end = _count(content)
        else:
            self._lay(name, content)

    def _lay(self, name: str, content: bytes) -> None:
        """Write one of the node's files. Keys and all else are for its owner only."""
        if NAME.fullmatch(name) is None or name == SUMMARY or name in self._files or len(self._files) == MOST_FILES:
            raise BackupError(f"{name!r} is not a file of a node: this is no backup of one")
        target = self._directory / name
        target.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        self._files.append(name)

    def _take_blocks(self, first: int, content: bytes) -> None:
        if self._writer is None:
            self._store = Store.open(self._directory / "store", self._genesis())
            self._writer = StoreWriter(self._store)
        if first != self._writer.height + 1:
            raise BackupError(f"block {first} follows block {self._writer.height}: use another copy")
        try:
            part = read_byte_strings(canonical.decode(content), "blocks")
        except LedgerError as error:
            raise BackupError(f"the blocks from {first} on cannot be read: {error}; use another copy") from error
        for raw in part:
            self._writer.add(raw)
            self._progress(self._writer.height, 0)
        self._writer.flush()

    def _genesis(self) -> Genesis:
        try:
            genesis = read_genesis(self._directory / "genesis.json")
        except ProjectError as error:
            raise BackupError(f"the genesis file in it: {error}") from error
        if self._summary is None or genesis.hash.hex() != self._summary.genesis:
            raise BackupError(f"the genesis file in it has the hash {genesis.hash.hex()}, but it says another one")
        return genesis

    def _check_parts(self, summary: Summary) -> tuple[str, ...]:
        """What is laid down is one node of one ledger; the notes for the operator. Raises BackupError, KeyFileError."""
        genesis, keys = self._genesis(), self._directory / "keys"
        path = self._directory / CONFIG
        try:
            node = parse_config(tomllib.loads(read_regular(path, MOST_FILE_BYTES).decode()), path).node
        except (OSError, ValueError, ConfigError) as error:
            raise BackupError(f"{CONFIG} in it cannot be used: {error}") from error
        if node.genesis_hash != genesis.hash.hex():
            raise BackupError(f"{CONFIG} in it pins {node.genesis_hash}, but its genesis file has {genesis.hash.hex()}")
        if summary.has_keys:
            key = load_key(keys / Purpose.VALIDATOR.file_name, Purpose.VALIDATOR)
            if key.public.hex() != summary.node:
                raise BackupError(f"its key is that of node {key.public.hex()}, but it says {summary.node}")
        (self._directory / "store").mkdir(mode=0o700, exist_ok=True)
        places = {
            "node.data_dir": (node.data_dir, self._directory),
            "node.genesis": (node.genesis, self._directory / "genesis.json"),
            "node.validator_key": (node.validator_key, keys / Purpose.VALIDATOR.file_name),
            "node.transport_key": (node.transport_key, keys / Purpose.TRANSPORT.file_name),
        }
        return tuple(
            f"{CONFIG} has {name} = {is_at}: put it there, or remove this line for what was restored"
            for name, (is_at, restored) in places.items()
            if os.path.normpath(is_at) != os.path.normpath(restored)
        )


def _most_bytes(name: str) -> int:
    return _MOST_PART if _PART.fullmatch(name) else MOST_FILE_BYTES


def _document(content: bytes, what: str) -> dict[str, Any]:
    try:
        document = parse_json(content)
    except (ValueError, RecursionError) as error:
        raise BackupError(f"{what} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise BackupError(f"{what} is not a JSON object")
    return document


def _summary(name: str, content: bytes) -> Summary:
    document = _document(content, SUMMARY) if name == SUMMARY else {}
    if document.get("format") != FORMAT:
        raise BackupError(f"not a backup of this version ({FORMAT}): it begins with {name[:60]!r}")
    kinds = {"int": int, "bool": bool, "str": str}
    if document.keys() != {each.name for each in fields(Summary)} or any(
        type(document[each.name]) is not kinds[str(each.type)] for each in fields(Summary)
    ):
        raise BackupError(f"{SUMMARY} lacks a field, or has another one or another type: use another copy")
    return Summary(**document)


def _count(content: bytes) -> int:
    count = _document(content, END).get("blocks")
    if type(count) is not int or count < 0:
        raise BackupError(f"{END} does not say how many blocks there are: use another copy")
    return count


def _sync_all(directory: Path) -> None:
    """Files and names are on the disk before the directory appears."""
    for path in (*directory.rglob("*"), directory):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
