"""A node's backup: what the other members cannot give back, and on request the ledger.

A backup is a tar archive, encrypted (sealed_file.py) where it holds secret keys:

    backup.json                 what it holds: Summary
    node.toml, genesis.json, *.card.json, VOTE-FROM, and what of the API's TLS files is in the data directory
    keys/validator.key, keys/transport.key
    blocks/<first height>       with the ledger: up to 256 decisions or 8 MiB, as a canonical list
    end.json                    {"blocks": how many}: nothing is cut off

It never holds what the node has signed. A memory from the past is worse than none: a node without one knows that it
does not remember, asks the other validators, and signs nothing until it is safe. One with an old memory would vote.
"""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from notarium.files import read_regular
from notarium.key_files import Purpose
from notarium_ledger.encoding import canonical
from notarium_node.config.sections import NodeConfig
from notarium_node.identity.own_record import CARD_GLOB
from notarium_node.operator.sealed_file import SealedWriter

FORMAT = "notarium-backup/1"
SUMMARY = "backup.json"
END = "end.json"
CONFIG = "node.toml"
BLOCKS = "blocks"
PART_BLOCKS = 256
PART_BYTES = 8 * 1024 * 1024
MOST_FILE_BYTES = 8 * 1024 * 1024
"""Of one file that is not a part of the ledger; the genesis may have 4 MiB."""
NAME = re.compile(r"(keys/|tls/)?[A-Za-z0-9][A-Za-z0-9._-]{0,90}")
"""Of a file of a node in the archive."""
SECRET_MODE, PUBLIC_MODE = 0o600, 0o644


class BackupError(Exception):
    """The backup cannot be made or read. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a backup holds."""

    format: str
    created_ms: int
    software: str
    ledger: str
    genesis: str
    """The genesis hash, hex."""
    member: str
    node: str
    """The node's public key, hex."""
    has_keys: bool
    has_ledger: bool


@dataclass(frozen=True, slots=True)
class BackupFile:
    """One file of the node: its name in the archive, where it is, and whether it is secret."""

    name: str
    path: Path
    is_secret: bool = False


def files_of(config: NodeConfig, config_path: Path, with_keys: bool) -> tuple[list[BackupFile], list[Path]]:
    """What belongs into the backup, and what does but is left out: it lies outside the data directory, or in a folder
    or under a name that a restored node does not have.
    """
    node, api = config.node, config.api
    found = [BackupFile(CONFIG, config_path), BackupFile("genesis.json", node.genesis)]
    found += [BackupFile(path.name, path) for path in sorted(node.data_dir.glob(CARD_GLOB))]
    if node.vote_from_note.exists():
        found.append(BackupFile(node.vote_from_note.name, node.vote_from_note))
    if with_keys:
        found.append(BackupFile(f"keys/{Purpose.VALIDATOR.file_name}", node.validator_key, is_secret=True))
        found.append(BackupFile(f"keys/{Purpose.TRANSPORT.file_name}", node.transport_key, is_secret=True))
    outside = []
    for path, is_secret in ((api.tls_certificate, False), (api.tls_key, True)):
        if path is None or (is_secret and not with_keys):
            continue
        if path.is_relative_to(node.data_dir) and ".." not in path.parts:
            found.append(BackupFile(str(path.relative_to(node.data_dir)), path, is_secret))
        else:
            outside.append(path)
    outside += [each.path for each in found if not NAME.fullmatch(each.name)]
    return [each for each in found if NAME.fullmatch(each.name)], outside


@contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears at `path` when it is complete and on the disk, mode 0600. Raises BackupError, OSError.

    Never overwrites.
    """
    if path.exists():
        raise BackupError(f"{path} exists already and is not overwritten: choose another name")
    descriptor, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")  # Mode 0600.
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.link(name, path)  # As rename, but never over another file.
    except FileExistsError as error:
        raise BackupError(f"{path} exists already and is not overwritten: choose another name") from error
    finally:
        os.unlink(name)
    directory = os.open(path.absolute().parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


async def write(
    file: IO[bytes],
    summary: Summary,
    files: Sequence[BackupFile],
    blocks: AsyncIterator[bytes] | None,
    passphrase: bytes | None,
) -> int:
    """Write a backup; `passphrase`: None where it holds no secret. Returns the number of blocks. Raises BackupError."""
    if passphrase is None and any(each.is_secret for each in files):
        raise BackupError("secret keys are never written without encryption: give a passphrase, or leave the keys out")
    sealed = None if passphrase is None else SealedWriter(file, passphrase)
    target: Any = sealed or file
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, SUMMARY, json.dumps(asdict(summary), indent=1).encode() + b"\n")
        for each in files:
            _add(archive, each.name, _read(each.path), SECRET_MODE if each.is_secret else PUBLIC_MODE)
        count = 0 if blocks is None else await _add_blocks(archive, blocks)
        _add(archive, END, json.dumps({"blocks": count}).encode() + b"\n")
    if sealed is not None:
        sealed.finish()
    return count


async def _add_blocks(archive: tarfile.TarFile, blocks: AsyncIterator[bytes]) -> int:
    count, size = 0, 0
    waiting: list[canonical.Value] = []
    async for raw in blocks:
        if waiting and (len(waiting) == PART_BLOCKS or size + len(raw) > PART_BYTES):
            _add_part(archive, count, waiting)
            waiting, size = [], 0
        waiting.append(raw)
        count, size = count + 1, size + len(raw)
    if waiting:
        _add_part(archive, count, waiting)
    return count


def _add_part(archive: tarfile.TarFile, last: int, part: list[canonical.Value]) -> None:
    _add(archive, f"{BLOCKS}/{last - len(part) + 1}", canonical.encode(part))


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = PUBLIC_MODE) -> None:
    # Neither the time nor the user of this machine: a backup says what it holds, and nothing else.
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    archive.addfile(member, io.BytesIO(content))


def _read(path: Path) -> bytes:
    content = read_regular(path, MOST_FILE_BYTES)
    if len(content) > MOST_FILE_BYTES:
        raise BackupError(f"{path} is larger than {MOST_FILE_BYTES} bytes: it is not part of a node")
    return content
