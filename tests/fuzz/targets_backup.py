"""Decoders of a node's backup: the archive, its encryption, and what is restored from it."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest.mock import patch

from nacl import pwhash
from tests.fuzz import seeds
from tests.fuzz.files import from_file
from tests.fuzz.target import Target
from tests.vectors.chain import chain

from notarium.key_files import KeyFileError
from notarium_ledger.encoding import canonical
from notarium_node.operator import sealed_file
from notarium_node.operator.archive import ArchiveError, read_files
from notarium_node.operator.backup import FORMAT, BackupError, Summary
from notarium_node.operator.ledger_copy import CopyError
from notarium_node.operator.restore import restore
from notarium_node.operator.sealed_file import SealedReader, SealedWriter, SealError
from notarium_store.errors import StoreError

PASSPHRASE = b"correct horse battery"
ARCHIVE_BYTES = 64 * 1024


def _archive(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def _backup(*, with_ledger: bool) -> bytes:
    """A backup without keys, and so without encryption."""
    genesis = seeds.consortium().genesis
    summary = Summary(FORMAT, 1, "0", genesis.name, genesis.hash.hex(), "m0", "00" * 32, False, with_ledger)
    blocks = [each.encode() for each in chain().decisions[:1]] if with_ledger else []
    return _archive(
        {
            "backup.json": json.dumps(asdict(summary)).encode(),
            "node.toml": seeds.NODE_TOML.replace(b"ab" * 32, genesis.hash.hex().encode()),
            "genesis.json": genesis.encode_json(),
            **({"blocks/1": canonical.encode([*blocks])} if blocks else {}),
            "end.json": json.dumps({"blocks": len(blocks)}).encode(),
        }
    )


def _restored(path: Path) -> Any:
    found = restore(path, path.parent / "node", None, lambda *_: None, only_check=True)
    if sorted(each.name for each in path.parent.iterdir()) != [path.name]:
        raise AssertionError("a check leaves nothing behind")
    return found


def _sealed_seed() -> bytes:
    file = io.BytesIO()
    least_ops, least_mem = pwhash.argon2id.OPSLIMIT_MIN, pwhash.argon2id.MEMLIMIT_MIN
    with patch.multiple(pwhash.argon2id, OPSLIMIT_MODERATE=least_ops, MEMLIMIT_MODERATE=least_mem):
        writer = SealedWriter(file, PASSPHRASE)
    writer.write(b"what is in it" * 100)
    writer.finish()
    return file.getvalue()


def _opened(data: bytes) -> bytes:
    # A fuzzer would spend its time on Argon2id, whose parameters are in the first line.
    with patch.multiple(sealed_file, _MOST_OPS=1, _MOST_MEM=1 << 16):
        reader = SealedReader(io.BytesIO(data), PASSPHRASE)
    content = reader.read()
    reader.expect_end()
    return content


BACKUPS = (
    Target(
        "archive of a backup",
        lambda data: list(read_files(io.BytesIO(data).read, lambda name: ARCHIVE_BYTES)),
        (ArchiveError,),
        ("notarium_node.operator.archive:read_files", "notarium_node.operator.archive:_parse"),
        (_archive({"backup.json": b"{}", "keys/a.key": b"x" * 600}), _archive({})),
        dialect="text",
        max_bytes=40_000,
    ),
    Target(
        "backup",
        from_file("backup", _restored),
        (BackupError, CopyError, KeyFileError, StoreError),
        (
            "notarium_node.operator.restore:_Reading._check_parts",
            "notarium_node.operator.restore:_Reading._take_blocks",
            "notarium_node.operator.restore:_Reading.read",
            "notarium_node.operator.restore:_document",
        ),
        (_backup(with_ledger=False), _backup(with_ledger=True)),
        dialect="text",
        max_bytes=40_000,
    ),
    Target(
        "sealed file",
        _opened,
        (SealError,),
        (
            "notarium_node.operator.sealed_file:SealedReader.__init__",
            "notarium_node.operator.sealed_file:SealedReader._pull",
            "notarium_node.operator.sealed_file:SealedReader.read",
        ),
        (_sealed_seed(),),
        dialect="text",
        max_bytes=40_000,
    ),
)
