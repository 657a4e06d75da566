"""Content identifiers of IPFS: read, and computed from a file.

A CID of a file is the root of a tree of chunks, so one file has as many CIDs as there are ways to cut it. Two profiles
are in use (IPIP-499); a third is what importers in JavaScript do by default. A CID verifies a file only together with
the profile that gives it.

https://github.com/multiformats/cid, https://ipld.io/specs/codecs/dag-pb, https://specs.ipfs.tech/unixfs/
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from notarium.files import READ_BYTES, open_regular

_RAW: Final = 0x55
_DAG_PB: Final = 0x70
_SHA2_256: Final = b"\x12\x20"
_FILE: Final = b"\x08\x02"
"""UnixFS type 2, in field 1."""
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Cid:
    """A CID whose multihash is SHA-256."""

    version: int
    codec: int
    sha256: bytes

    @classmethod
    def parse(cls, text: str) -> Cid:
        """From version 0 in base 58 ("Qm…") or version 1 in base 32 ("b…"). Raises ValueError."""
        if len(text) == 46 and text.startswith("Qm"):
            data = _from_base58(text) if set(text) <= set(_BASE58) else b""
            if len(data) != 34 or data[:2] != _SHA2_256:
                raise ValueError(f"{text} is no CID of version 0")
            return cls(0, _DAG_PB, data[2:])
        if not text.startswith("b") or len(text) != 59:
            raise ValueError(f"{text} is no CID in base 32 with a SHA-256, nor one of version 0")
        data = base64.b32decode(text[1:].upper() + "=" * (-len(text[1:]) % 8))
        if data[0] != 1 or data[1] not in (_RAW, _DAG_PB) or data[2:4] != _SHA2_256:
            raise ValueError(f"{text} is no CID of a file with a SHA-256")
        return cls(1, data[1], data[4:])

    @property
    def is_of_bytes(self) -> bool:
        """Whether its SHA-256 is that of the file itself, and not of a tree of chunks."""
        return self.codec == _RAW

    def __str__(self) -> str:
        if self.version == 0:
            return _to_base58(_SHA2_256 + self.sha256)
        data = bytes((1, self.codec)) + _SHA2_256 + self.sha256
        return "b" + base64.b32encode(data).decode().lower().rstrip("=")


class Profile(Enum):
    """How a file is cut: its name, bytes of a chunk, children of a node, whether leaves are raw, version of the CID."""

    V0_2015 = ("unixfs-v0-2015", 256 * 1024, 174, False, 0)
    V1_2025 = ("unixfs-v1-2025", 1024 * 1024, 1024, True, 1)
    RAW_LEAVES = ("256 KiB, 174 children, raw leaves", 256 * 1024, 174, True, 1)

    def __init__(self, title: str, chunk: int, width: int, raw: bool, version: int) -> None:
        self.title, self.chunk, self.width, self.raw, self.version = title, chunk, width, raw, version


@dataclass(frozen=True, slots=True)
class _Node:
    cid: bytes
    file_bytes: int
    total_bytes: int
    """With those of all nodes below."""


def cid_of(chunks: Iterable[bytes], profile: Profile) -> Cid:
    """The CID of what `chunks` hold together, cut as the profile says."""
    nodes = [_leaf(chunk, profile) for chunk in _cut(chunks, profile.chunk)]
    is_leaf = len(nodes) == 1
    while len(nodes) > 1:
        nodes = [_parent(nodes[at : at + profile.width], profile) for at in range(0, len(nodes), profile.width)]
    codec = _RAW if is_leaf and profile.raw else _DAG_PB
    return Cid(profile.version, codec, nodes[0].cid[-32:])


def profile_of(path: Path, cid: Cid) -> Profile | None:
    """The profile in which the file at `path` has this CID; None where it has it in no profile. Raises OSError."""
    for profile in Profile:
        if profile.version == cid.version and cid_of(_read(path), profile) == cid:
            return profile
    return None


def _read(path: Path) -> Iterator[bytes]:
    with open(open_regular(path), "rb", buffering=0) as file:
        while part := file.read(READ_BYTES):
            yield part


def _cut(parts: Iterable[bytes], size: int) -> Iterator[bytes]:
    """In pieces of `size` bytes, at least one."""
    kept, is_first = bytearray(), True
    for part in parts:
        kept += part
        while len(kept) >= size:
            yield bytes(kept[:size])
            del kept[:size]
            is_first = False
    if kept or is_first:
        yield bytes(kept)


def _leaf(chunk: bytes, profile: Profile) -> _Node:
    if profile.raw:
        return _Node(_binary(chunk, _RAW, profile), len(chunk), len(chunk))
    content = _field(2, chunk) if chunk else b""
    block = _field(1, _FILE + content + _number(3, len(chunk)))
    return _Node(_binary(block, _DAG_PB, profile), len(chunk), len(block))


def _parent(children: list[_Node], profile: Profile) -> _Node:
    links = b"".join(
        _field(2, _field(1, child.cid) + _field(2, b"") + _number(3, child.total_bytes)) for child in children
    )
    size = sum(child.file_bytes for child in children)
    sizes = b"".join(_number(4, child.file_bytes) for child in children)
    block = links + _field(1, _FILE + _number(3, size) + sizes)
    return _Node(_binary(block, _DAG_PB, profile), size, len(block) + sum(child.total_bytes for child in children))


def _binary(block: bytes, codec: int, profile: Profile) -> bytes:
    digest = _SHA2_256 + hashlib.sha256(block).digest()
    return digest if profile.version == 0 else bytes((1, codec)) + digest


def _field(number: int, data: bytes) -> bytes:
    """A field of bytes in Protocol Buffers."""
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    said = bytearray()
    while value > 0x7F:
        said.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*said, value])


def _from_base58(text: str) -> bytes:
    value = 0
    for character in text:
        value = value * 58 + _BASE58.index(character)
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _to_base58(data: bytes) -> str:
    value, said = int.from_bytes(data, "big"), ""
    while value:
        value, digit = divmod(value, 58)
        said = _BASE58[digit] + said
    return said
