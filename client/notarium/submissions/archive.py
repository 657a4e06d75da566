"""Unpacks the zip that somebody sent, within bounds, into a folder that is removed afterwards.

The archive is a stranger's. So its directory is measured before it is read, what comes out is counted as it comes and
not as the archive says, and nothing is written outside of the folder: no link, no name that leads out, no name twice.
What is left out is reported; an archive that grows beyond its bounds is refused as a whole.
"""

from __future__ import annotations

import os
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from notarium.errors import ProjectError
from notarium.naming import is_receipt

MAX_MEMBERS: Final = 200_000
MAX_FOLDERS: Final = 200_000
"""A name of two bytes a folder makes one of 4 KiB on most disks."""
MAX_DIRECTORY_BYTES: Final = 64 * 1024 * 1024
"""Of the list of members, which is read as a whole."""
FREE_BYTES: Final = 64 * 1024 * 1024
"""So much may come out of any archive."""
MAX_RATIO: Final = 200
"""And so many times its own size."""
MAX_PATH_BYTES: Final = 1024
MAX_NAME_BYTES: Final = 255
MAX_DEPTH: Final = 64
"""Folders, one in the other: each needs an open file when they are removed."""
_CHUNK_BYTES: Final = 1024 * 1024

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_MAX_COMMENT = 1 << 16
"""As far as zipfile looks back."""
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Of the others, Python inflates a megabyte at once, whatever comes out of it: of bzip2, that may be 20 GB."""
_DAMAGED_LIST = (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error)
"""What reading the list of members raises besides OSError: damage, a later version of the format, names not UTF-8."""
_DAMAGED = (*_DAMAGED_LIST, zlib.error, EOFError, RuntimeError, OSError)
"""What reading one member raises: damage, a name that the file system refuses."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """Where the content lies, until the context ends."""

    folder: Path
    left_out: tuple[tuple[str, str], ...]
    """(name, why) of each member that was not unpacked."""

    @property
    def has_receipts(self) -> bool:
        """Whether anything in there is named like a receipt."""
        return any(is_receipt(Path(name)) for _, _, names in os.walk(self.folder) for name in names)


@contextmanager
def unpacked(archive: Path) -> Iterator[Unpacked]:
    """The content of the zip at `archive`. Raises ProjectError for one beyond the bounds or damaged, OSError."""
    with tempfile.TemporaryDirectory(prefix="notarium-") as made, open(archive, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        _check_directory(archive, file, size)
        try:
            opened = zipfile.ZipFile(file)
        except _DAMAGED_LIST as error:
            raise ProjectError(f"{archive} is a damaged zip: {error}") from error
        with opened:
            yield Unpacked(Path(made), tuple(_Unpacking(archive, opened, Path(made), size).all()))


@dataclass(slots=True)
class _Unpacking:
    archive: Path
    opened: zipfile.ZipFile
    folder: Path
    size: int
    written: int = 0
    folders: set[Path] = field(default_factory=set)
    """That were made."""

    @property
    def limit(self) -> int:
        """Bytes that may come out."""
        return FREE_BYTES + MAX_RATIO * self.size

    def all(self) -> Iterator[tuple[str, str]]:
        """Unpack every member; (name, why) of those that are left out."""
        members = self.opened.infolist()
        if len(members) > MAX_MEMBERS:
            raise _beyond(self.archive, f"{len(members)} files, at most {MAX_MEMBERS} allowed")
        for member in members:
            reason = _refusal(member) or self._unpack(member)
            if reason:
                yield member.filename, reason

    def _unpack(self, member: zipfile.ZipInfo) -> str:
        """Write one member; why it was left out, or ""."""
        place = self.folder / member.filename
        try:
            if member.is_dir():
                self._make(place)
                return ""
            self._make(place.parent)
            # "x": of two members with one name, readers see different ones.
            with open(place, "xb") as target:
                self._copy(member, target)
        except FileExistsError:
            return "two members have this name"
        except _DAMAGED as error:
            with suppress(OSError):
                place.unlink()
            return f"cannot be unpacked: {getattr(error, 'strerror', None) or error}"
        return ""

    def _make(self, folder: Path) -> None:
        """Make a folder and those around it."""
        for each in (folder, *folder.parents):
            if each == self.folder or each in self.folders:
                break
            self.folders.add(each)
        if len(self.folders) > MAX_FOLDERS:
            raise _beyond(self.archive, f"more than {MAX_FOLDERS} folders come out of it")
        folder.mkdir(parents=True, exist_ok=True)

    def _copy(self, member: zipfile.ZipInfo, target: IO[bytes]) -> None:
        with self.opened.open(member) as source:
            while chunk := source.read(_CHUNK_BYTES):
                self.written += len(chunk)
                if self.written > self.limit:
                    raise _beyond(self.archive, f"more than {self.limit} bytes come out of {self.size}")
                target.write(chunk)


def _refusal(member: zipfile.ZipInfo) -> str:
    """Why a member must not be unpacked, or ""."""
    name = member.filename
    mode = member.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "neither a file nor a folder; links are not unpacked"
    if member.flag_bits & 0x1:
        return "is encrypted; send it without a password"
    if member.compress_type not in _METHODS:
        return "is compressed by another method than deflate; pack it again with any common tool"
    parts = name.rstrip("/").split("/")
    if not name or any(part in ("", ".", "..") for part in parts) or "\\" in name or "\0" in name:
        return "its name leads out of the archive, or is no plain path"
    try:
        sizes = [len(part.encode()) for part in parts]
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    if max(sizes) > MAX_NAME_BYTES or sum(sizes) + len(sizes) > MAX_PATH_BYTES:
        return f"its name is too long: at most {MAX_NAME_BYTES} bytes a part and {MAX_PATH_BYTES} together"
    if len(parts) > MAX_DEPTH:
        return f"it lies {len(parts)} folders deep, at most {MAX_DEPTH} allowed"
    return ""


def _check_directory(archive: Path, file: IO[bytes], size: int) -> None:
    """Raise ProjectError where the list of members is larger than anyone reads; zipfile reads all of it at once."""
    tail_at = max(0, size - _END.size - _MAX_COMMENT)
    file.seek(tail_at)
    tail = file.read(_END.size + _MAX_COMMENT)
    # As zipfile looks for it: at the very end without a comment, otherwise the last signature.
    at = len(tail) - _END.size
    if not (tail[at : at + 4] == b"PK\5\6" and tail[-2:] == b"\0\0"):
        at = tail.rfind(b"PK\5\6")
    if at < 0 or at + _END.size > len(tail):
        return
    directory = _END.unpack_from(tail, at)[5]
    locator_at = tail_at + at - _LOCATOR64.size
    if locator_at >= _END64.size:
        file.seek(locator_at - _END64.size)
        data = file.read(_END64.size + _LOCATOR64.size)
        if data.startswith(b"PK\6\6") and data[_END64.size :].startswith(b"PK\6\7"):
            directory = max(directory if directory != 0xFFFFFFFF else 0, _END64.unpack_from(data)[8])
    if directory > MAX_DIRECTORY_BYTES:
        raise _beyond(archive, f"its list of files has {directory} bytes, at most {MAX_DIRECTORY_BYTES} allowed")
    file.seek(0)


def _beyond(archive: Path, what: str) -> ProjectError:
    return ProjectError(
        f"{archive} is not unpacked: {what}; unpack it yourself where there is room, and verify the folder"
    )
