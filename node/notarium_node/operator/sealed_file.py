"""A file encrypted with a passphrase, written and read as a stream in constant memory.

    notarium-sealed/1 <ops> <mem> <salt hex>\\n     parameters of Argon2id (RFC 9106), then
    24 bytes                                        header of the secretstream
    u32be length ‖ chunk, ...                       libsodium's secretstream, XChaCha20-Poly1305

Each chunk is authenticated together with all before it, and the last one is marked, so that no byte of the file can be
changed, moved, left out or cut off unnoticed. The parameters are authenticated as additional data of each chunk.
"""

from __future__ import annotations

import os
import re
import struct
from typing import IO

from nacl import pwhash
from nacl.bindings import (
    crypto_secretstream_xchacha20poly1305_ABYTES as ADDED_BYTES,
)
from nacl.bindings import (
    crypto_secretstream_xchacha20poly1305_HEADERBYTES as HEADER_BYTES,
)
from nacl.bindings import (
    crypto_secretstream_xchacha20poly1305_init_pull,
    crypto_secretstream_xchacha20poly1305_init_push,
    crypto_secretstream_xchacha20poly1305_pull,
    crypto_secretstream_xchacha20poly1305_push,
    crypto_secretstream_xchacha20poly1305_state,
)
from nacl.bindings import (
    crypto_secretstream_xchacha20poly1305_TAG_FINAL as FINAL,
)
from nacl.bindings import (
    crypto_secretstream_xchacha20poly1305_TAG_MESSAGE as MORE,
)
from nacl.exceptions import CryptoError

MAGIC = b"notarium-sealed/1 "
KEY_BYTES = 32
CHUNK_BYTES = 256 * 1024
LEAST_PASSPHRASE = 12
"""Characters."""
MOST_PASSPHRASE = 1024
_HEAD = re.compile(rb"notarium-sealed/1 ([0-9]{1,3}) ([0-9]{1,10}) ([0-9a-f]{32})\n")
_MOST_HEAD = 80
_MOST_OPS, _MOST_MEM = 16, 1 << 30
"""What a file may ask of the machine that reads it."""
_LENGTH = struct.Struct(">I")


class SealError(Exception):
    """A sealed file cannot be read. The message says why and what to do."""


def check_passphrase(passphrase: str) -> bytes:
    """The passphrase as bytes. Raises SealError."""
    if not LEAST_PASSPHRASE <= len(passphrase) <= MOST_PASSPHRASE:
        raise SealError(
            f"the passphrase has {len(passphrase)} characters, {LEAST_PASSPHRASE} to {MOST_PASSPHRASE} needed"
        )
    try:
        return passphrase.encode()
    except UnicodeEncodeError as error:
        raise SealError("the passphrase is not valid UTF-8: choose another") from error


class SealedWriter:
    """Encrypts what is written; `finish` writes the last chunk."""

    def __init__(self, file: IO[bytes], passphrase: bytes) -> None:
        salt = os.urandom(pwhash.argon2id.SALTBYTES)
        ops, mem = pwhash.argon2id.OPSLIMIT_MODERATE, pwhash.argon2id.MEMLIMIT_MODERATE
        self._file = file
        self._head = b"%b%d %d %b\n" % (MAGIC, ops, mem, salt.hex().encode())
        self._state = crypto_secretstream_xchacha20poly1305_state()
        key = pwhash.argon2id.kdf(KEY_BYTES, passphrase, salt, ops, mem)
        self._waiting = bytearray()
        file.write(self._head + crypto_secretstream_xchacha20poly1305_init_push(self._state, key))

    def write(self, data: bytes) -> int:
        """Encrypt some bytes."""
        self._waiting += data
        while len(self._waiting) > CHUNK_BYTES:
            self._push(bytes(self._waiting[:CHUNK_BYTES]), MORE)
            del self._waiting[:CHUNK_BYTES]
        return len(data)

    def finish(self) -> None:
        """Write what is left, as the last chunk."""
        self._push(bytes(self._waiting), FINAL)
        self._waiting.clear()

    def _push(self, chunk: bytes, tag: int) -> None:
        sealed = crypto_secretstream_xchacha20poly1305_push(self._state, chunk, self._head, tag)
        self._file.write(_LENGTH.pack(len(sealed)) + sealed)


class SealedReader:
    """Decrypts a file from its beginning; raises SealError for whatever is not exactly what was written."""

    def __init__(self, file: IO[bytes], passphrase: bytes) -> None:
        self._file = file
        self._head = head = file.readline(_MOST_HEAD)
        found = _HEAD.fullmatch(head)
        if found is None:
            raise SealError("not an encrypted backup of this version: its first line is unknown")
        ops, mem, salt = int(found[1]), int(found[2]), bytes.fromhex(found[3].decode())
        if not pwhash.argon2id.OPSLIMIT_MIN <= ops <= _MOST_OPS or not pwhash.argon2id.MEMLIMIT_MIN <= mem <= _MOST_MEM:
            raise SealError(f"asks for Argon2id with {ops} passes and {mem} bytes, at most {_MOST_OPS} and {_MOST_MEM}")
        key = pwhash.argon2id.kdf(KEY_BYTES, passphrase, salt, ops, mem)
        self._state = crypto_secretstream_xchacha20poly1305_state()
        header = file.read(HEADER_BYTES)
        if len(header) != HEADER_BYTES:
            raise SealError("cut off after its first line: use another copy")
        crypto_secretstream_xchacha20poly1305_init_pull(self._state, header, key)
        self._ready = bytearray()
        self._ended = False
        self._is_first = True

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; fewer only at the end, and there only if the end is the end that was written."""
        while not self._ended and (size < 0 or len(self._ready) < size):
            self._pull()
        taken = bytes(self._ready if size < 0 else self._ready[:size])
        del self._ready[: len(taken)]
        return taken

    def expect_end(self) -> None:
        """Raise SealError unless the last chunk was read, and nothing follows."""
        while not self._ended:
            self._pull()
        if self._file.read(1):
            raise SealError("bytes follow its end: use another copy")

    def _pull(self) -> None:
        length = self._file.read(_LENGTH.size)
        size = _LENGTH.unpack(length)[0] if len(length) == _LENGTH.size else 0
        sealed = self._file.read(size) if ADDED_BYTES <= size <= CHUNK_BYTES + ADDED_BYTES else b""
        if not sealed or len(sealed) != size:
            raise SealError("damaged or cut off: use another copy")
        try:
            chunk, tag = crypto_secretstream_xchacha20poly1305_pull(self._state, sealed, self._head)
        except (CryptoError, ValueError, RuntimeError) as error:
            wrong = "the passphrase is wrong, or the file is damaged" if self._is_first else "damaged"
            raise SealError(f"{wrong}: check the passphrase, or use another copy") from error
        self._is_first = False
        self._ready += chunk
        self._ended = tag == FINAL
