"""A node's directory, and backups of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from notarium.key_files import Purpose, load_key
from notarium_node.config.reading import load_config
from notarium_node.operator.backup import FORMAT, BackupFile, Summary, files_of, new_file, write

PASSPHRASE = b"correct horse battery"


def summary(directory: Path, **over: object) -> Summary:
    """Of a backup of the node in `directory`."""
    config = load_config(directory / "node.toml", {})
    key = load_key(config.node.validator_key, Purpose.VALIDATOR).public.hex()
    said = {"has_keys": True, "has_ledger": False, **over}
    return Summary(FORMAT, 1, "0", "Demo", config.node.genesis_hash, "mercy", key, **said)  # type: ignore[arg-type]


def files_in(directory: Path, with_keys: bool = True) -> list[BackupFile]:
    """What belongs into it."""
    return files_of(load_config(directory / "node.toml", {}), directory / "node.toml", with_keys)[0]


async def made(
    directory: Path,
    path: Path,
    passphrase: bytes | None = PASSPHRASE,
    with_keys: bool = True,
    blocks: Sequence[bytes] | None = None,
) -> Path:
    """A backup at `path`."""
    said = summary(directory, has_keys=with_keys, has_ledger=blocks is not None)
    with new_file(path) as file:
        source = None if blocks is None else _each(blocks)
        await write(file, said, files_in(directory, with_keys), source, passphrase)
    return path


async def _each(blocks: Sequence[bytes]) -> AsyncIterator[bytes]:
    for raw in blocks:
        yield raw
