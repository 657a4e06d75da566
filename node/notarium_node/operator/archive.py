"""The archive in a backup, as it is read: plain files in tar's oldest form, and nothing else that tar has.

`tarfile` writes it, but does not read it: it follows what headers say about other headers, and takes a name of many
gigabytes into memory. What a header may ask for is known here before a byte of it is read.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator

PADDING_BYTES = tarfile.RECORDSIZE + 2 * tarfile.BLOCKSIZE
"""Zeros after the last file."""
_BLOCK = tarfile.BLOCKSIZE
_SHOWN = 60


class ArchiveError(Exception):
    """Not such an archive. The message says why."""


Read = Callable[[int], bytes]
"""Exactly so many bytes; fewer at the end only."""


def read_files(read: Read, most_bytes: Callable[[str], int]) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file, in order; `most_bytes`: of the file with that name. Raises ArchiveError."""
    while any(header := _exactly(read, _BLOCK, "a header")):
        name, size = _parse(header)
        most = most_bytes(name)
        if size > most:
            raise ArchiveError(f"{name[:_SHOWN]!r} has {size} bytes, at most {most} allowed")
        content = _exactly(read, size, name)
        if any(_exactly(read, -size % _BLOCK, name)):
            raise ArchiveError(f"{name[:_SHOWN]!r} is not padded with zeros")
        yield name, content
    rest = read(PADDING_BYTES + 1)
    if len(rest) > PADDING_BYTES or any(rest):
        raise ArchiveError("more follows its end")


def _parse(header: bytes) -> tuple[str, int]:
    try:
        member = tarfile.TarInfo.frombuf(header, "ascii", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError) as error:
        raise ArchiveError(f"a header cannot be read: {error}") from error
    if member.type != tarfile.REGTYPE or member.size < 0:
        raise ArchiveError(f"{member.name[:_SHOWN]!r} is no plain file")
    return member.name, member.size


def _exactly(read: Read, size: int, what: str) -> bytes:
    content = read(size)
    if len(content) != size:
        raise ArchiveError(f"cut off in {what[:_SHOWN]!r}")
    return content
