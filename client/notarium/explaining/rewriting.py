"""What a tool may have done to a file, by undoing it: where that gives the recorded digest, the cause is proven.

The recorded size sorts out almost every attempt before anything is hashed. Without the original, what a pickle or an
archive holds cannot be compared; with it, they are compared by what they contain. No pickle is ever loaded.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import itertools
import json
import lzma
import pickletools
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Final

from notarium.evidence.contents import Item
from notarium.explaining.at_hand import MAX_BYTES, is_content
from notarium.explaining.why import Certainty, Explanation

_BOM: Final = b"\xef\xbb\xbf"
_GZIP: Final = b"\x1f\x8b"
_PACKED: Final = (_GZIP, b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
"""gzip, bzip2, xz, Zstandard."""
_MAX_TEXT: Final = 4 * 1024 * 1024
_MAX_JSON: Final = 1024 * 1024
"""Larger ones are not written again in all these ways."""
_MAX_NESTED: Final = 500_000
"""Values of a JSON text, each as often as it is deep: so many steps does the writer take for each layout."""
_MAX_DEPTH: Final = 64
_MOST_OPERATIONS: Final = 1_000_000
"""Of a pickle."""
_XZ_BYTES: Final = 128 * 1024 * 1024
"""Of memory that a file in xz may ask for; 'xz -9' needs half of it."""
_MEMO: Final = frozenset({"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "FRAME", "PROTO", "GET", "BINGET", "LONG_BINGET"})
"""What a pickle says about itself and not about its content."""
_OTHER_ENCODINGS: Final = ("utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1")
_DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, ValueError, RuntimeError)

Undo = Callable[[bytes], bytes]


def proven(now: bytes, item: Item) -> Explanation | None:
    """What was done to the recorded content to make it what it is now, where undoing it gives that content."""
    for said, candidate in (*_text_forms(now), *_encodings(now), *_json_layouts(now), *_packings(now)):
        if is_content(candidate, item):
            what, _, text = said.partition(": ")
            return Explanation(what, Certainty.PROVEN, text)
    if len(now) > item.size and is_content(now[: item.size], item):
        added = len(now) - item.size
        return Explanation(
            "appended", Certainty.PROVEN, f"{added:,} bytes came after its end; before them nothing changed"
        )
    return None


def compared(name: str, before: bytes, now: bytes) -> Explanation | None:
    """What two contents of a packed or pickled file have in common, where the original is at hand."""
    if _to_lf(before).rstrip(b"\n") == _to_lf(now).rstrip(b"\n"):
        return Explanation("line ends", Certainty.PROVEN, f"{name} differs in line ends only")
    one, other = _unpacked(before), _unpacked(now)
    if one is not None and one == other:
        return Explanation("re-compression", Certainty.PROVEN, f"{name} holds the same content, packed in another way")
    first, second = _operations(before), _operations(now)
    if first is not None and first == second:
        text = f"{name} holds the same objects, pickled again (another protocol, or another order of writing)"
        return Explanation("re-saved pickle", Certainty.PROVEN, text)
    if _as_json(before) is not None and _as_json(before) == _as_json(now):
        return Explanation("JSON layout", Certainty.PROVEN, f"{name} holds the same values in another layout")
    return None


def hint(name: str, now: bytes) -> Explanation | None:
    """What kind of file this is, where such files often change without their content."""
    if is_pickle(now):
        text = (
            "a pickle that is saved again has other bytes, even where its objects are the same; the record has no more"
        )
        return Explanation("re-saved pickle", Certainty.POSSIBLE, text)
    if now.startswith(_PACKED) or zipfile.is_zipfile(io.BytesIO(now)):
        text = f"{name} is compressed: packing the same content again gives other bytes (times, level, order)"
        return Explanation("re-compression", Certainty.POSSIBLE, text)
    return None


def is_pickle(data: bytes) -> bool:
    """Whether `data` begins and ends as a pickle of protocol 2 or later."""
    return len(data) > 3 and data[0] == 0x80 and 2 <= data[1] <= 5 and data.endswith(b".")


def _text_forms(now: bytes) -> Iterator[tuple[str, bytes]]:
    """Normal form, line ends, final newline, byte order mark and trailing blanks, the fewest changes first."""
    if b"\0" in now or len(now) > _MAX_TEXT:
        return
    forms = [("", now), *_normal_forms(now)]
    ways = sorted(itertools.product(*_UNDONE), key=lambda way: sum(bool(name) for name, _ in way))
    for way, (form, base) in itertools.product(ways, forms):
        said, candidate = [form] if form else [], base
        for name, undo in way:
            if name:
                said, candidate = [*said, name], undo(candidate)
        if said:
            yield _together(said), candidate


def _normal_forms(now: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        text = now.decode()
    except UnicodeDecodeError:
        return
    if not text.isascii():
        yield "normal form: NFD then, NFC now", unicodedata.normalize("NFD", text).encode()
        yield "normal form: NFC then, NFD now", unicodedata.normalize("NFC", text).encode()


def _together(said: list[str]) -> str:
    """ "line ends: a" and "final newline: b" are "line ends and final newline: a; b"."""
    names, texts = zip(*(each.split(": ", 1) for each in said), strict=True)
    return f"{' and '.join(names)}: {'; '.join(texts)}"


def _same(data: bytes) -> bytes:
    return data


def _to_lf(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n")


def _to_crlf(data: bytes) -> bytes:
    return _to_lf(data).replace(b"\n", b"\r\n")


def _without_trailing_blanks(data: bytes) -> bytes:
    return b"\n".join(line.rstrip(b" \t") for line in data.split(b"\n"))


_NOTHING: Final[tuple[str, Undo]] = ("", _same)
_UNDONE: Final[tuple[tuple[tuple[str, Undo], ...], ...]] = (
    (_NOTHING, ("line ends: LF then, CRLF now", _to_lf), ("line ends: CRLF then, LF now", _to_crlf)),
    (
        _NOTHING,
        ("final newline: none then, one now", lambda data: data.rstrip(b"\r\n")),
        ("final newline: one then, none now", lambda data: data + (b"\r\n" if b"\r\n" in data else b"\n")),
    ),
    (
        _NOTHING,
        ("byte order mark: none then, one now", lambda data: data.removeprefix(_BOM)),
        ("byte order mark: one then, none now", lambda data: _BOM + data),
    ),
    (_NOTHING, ("trailing blanks: none then, some now", _without_trailing_blanks)),
)
"""What may have been done, and how it is undone: one of each row, in this order."""


def _encodings(now: bytes) -> Iterator[tuple[str, bytes]]:
    """Saved again as UTF-8."""
    try:
        text = now.decode("utf-8-sig")
    except UnicodeDecodeError:
        return
    for encoding in _OTHER_ENCODINGS:
        try:
            yield f"encoding: {encoding} then, UTF-8 now", text.encode(encoding)
        except UnicodeEncodeError:
            continue


def _json_layouts(now: bytes) -> Iterator[tuple[str, bytes]]:
    """Written again by a JSON tool."""
    value = _as_json(now) if len(now) <= _MAX_JSON else None
    if not isinstance(value, dict | list) or _is_too_nested(value):
        return
    for indent, sort, ascii_only in itertools.product((None, 1, 2, 4, "\t"), (False, True), (False, True)):
        for separators in ((", ", ": "), (",", ":")) if indent is None else ((",", ": "),):
            text = json.dumps(value, indent=indent, sort_keys=sort, ensure_ascii=ascii_only, separators=separators)
            for end in ("", "\n"):
                yield "JSON layout: the same values, laid out in another way", (text + end).encode(errors="replace")


def _is_too_nested(value: object) -> bool:
    """Whether its parts lie too deep, or are too many for their depth, to be written again in all these ways."""
    count, level = 0, [value]
    for depth in range(_MAX_DEPTH):
        count += depth * len(level)
        if not level or count > _MAX_NESTED:
            break
        inside = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list))
        level = list(itertools.chain.from_iterable(inside))
    return bool(level)


def _packings(now: bytes) -> Iterator[tuple[str, bytes]]:
    """Compressed since, or compressed again by gzip without a time."""
    content = _inflated(now)
    if content is None:
        return
    yield "compression: not compressed then, compressed now", content
    if now.startswith(_GZIP) and len(content) <= MAX_BYTES // 4:
        for level in range(10):
            packed = gzip.compress(content, level, mtime=0)
            yield "re-compression: the same content, compressed by gzip in another way", packed
            # With the header as it is now: name and time stay, the level differs.
            head = _gzip_head(now)
            yield "re-compression: the same content, compressed at another level", now[:head] + packed[10:]


def _gzip_head(data: bytes) -> int:
    """Length of a gzip header (RFC 1952)."""
    flags, at = data[3], 10
    if flags & 4:
        at += 2 + int.from_bytes(data[at : at + 2], "little")
    for flag in (8, 16):
        if flags & flag:
            at = data.index(b"\0", at) + 1
    return at + (2 if flags & 2 else 0)


def _inflated(data: bytes) -> bytes | None:
    """What a gzip, bzip2 or xz file holds, where it is not too large."""
    try:
        if data.startswith(_GZIP):
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
                content = file.read(MAX_BYTES + 1)
        elif data.startswith(b"BZh"):
            with bz2.BZ2File(io.BytesIO(data)) as file:
                content = file.read(MAX_BYTES + 1)
        elif data.startswith(b"\xfd7zXZ"):
            # LZMAFile takes no bound: a header of a few bytes may ask for gigabytes.
            reader = lzma.LZMADecompressor(memlimit=_XZ_BYTES)
            content = reader.decompress(data, MAX_BYTES + 1)
            if not reader.eof or reader.unused_data:
                return None
        else:
            return None
    except _DAMAGED:
        return None
    return content if len(content) <= MAX_BYTES else None


def _unpacked(data: bytes) -> object:
    """What a compressed file or an archive holds, in a form that can be compared; None for any other."""
    inflated = _inflated(data)
    if inflated is not None:
        return inflated
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as opened:
            # torch.save names a folder in it by the file.
            names = [(each.filename.partition("/")[2] or each.filename, each) for each in opened.infolist()]
    except _DAMAGED:
        return None
    return sorted((name, each.CRC, each.file_size) for name, each in names)


def _operations(data: bytes) -> bytes | None:
    """Digest of the operations of a pickle without its bookkeeping, never carried out; None for anything else."""
    if not is_pickle(data):
        return None
    found = hashlib.sha256()
    try:
        for operation, argument, _ in itertools.islice(pickletools.genops(data), _MOST_OPERATIONS):
            if operation.name not in _MEMO:
                said = (_FAMILY.get(operation.name, operation.name), argument)
                found.update(f"{said!r}\n".encode(errors="surrogatepass"))
    except (ValueError, IndexError, KeyError, UnicodeDecodeError, AttributeError):
        return None
    return found.digest()


_FAMILY: Final = {
    **dict.fromkeys(("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE"), "text"),
    **dict.fromkeys(("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"), "bytes"),
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "INT", "LONG1", "LONG4", "LONG"), "integer"),
}
"""Operations that say the same in several protocols."""


def _as_json(data: bytes) -> object | None:
    if data[:1] not in b"{[" or not data:
        return None
    try:
        value: object = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value
