"""Types of the part of plyvel (LevelDB) that notarium_store uses.

At run time `plyvel` itself exports DB, the errors, destroy_db and repair_db only. Snapshot, WriteBatch
and PrefixedDB are named here for annotations: import them under TYPE_CHECKING.
"""

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Generic, Literal, Self, TypeVar, overload

_Item = TypeVar("_Item", covariant=True)

__version__: str
__leveldb_version__: str

class Error(Exception): ...
class IOError(Error, OSError): ...
class CorruptionError(Error): ...
class IteratorInvalidError(Error): ...

def destroy_db(name: str) -> None: ...
def repair_db(
    name: str,
    *,
    paranoid_checks: bool | None = None,
    write_buffer_size: int | None = None,
    max_open_files: int | None = None,
    lru_cache_size: int | None = None,
    block_size: int | None = None,
    block_restart_interval: int | None = None,
    max_file_size: int | None = None,
    compression: Literal["snappy"] | None = "snappy",
    bloom_filter_bits: int = 0,
    comparator: Callable[[bytes, bytes], int] | None = None,
    comparator_name: bytes | None = None,
) -> None: ...

class _Iterator(Generic[_Item]):
    """What `iterator()` returns; `_Item` follows include_key and include_value."""

    def __iter__(self) -> Self: ...
    def __next__(self) -> _Item: ...
    def prev(self) -> _Item: ...
    def seek(self, target: bytes) -> None: ...
    def seek_to_start(self) -> None: ...
    def seek_to_stop(self) -> None: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None: ...

class _Readable:
    """What DB, PrefixedDB and Snapshot share."""

    @overload
    def get(
        self, key: bytes, default: None = None, *, verify_checksums: bool = False, fill_cache: bool = True
    ) -> bytes | None: ...
    @overload
    def get(self, key: bytes, default: bytes, *, verify_checksums: bool = False, fill_cache: bool = True) -> bytes: ...
    @overload
    def iterator(
        self,
        *,
        reverse: bool = False,
        start: bytes | None = None,
        stop: bytes | None = None,
        include_start: bool = True,
        include_stop: bool = False,
        prefix: bytes | None = None,
        include_key: Literal[True] = True,
        include_value: Literal[True] = True,
        verify_checksums: bool = False,
        fill_cache: bool = True,
    ) -> _Iterator[tuple[bytes, bytes]]: ...
    @overload
    def iterator(
        self,
        *,
        reverse: bool = False,
        start: bytes | None = None,
        stop: bytes | None = None,
        include_start: bool = True,
        include_stop: bool = False,
        prefix: bytes | None = None,
        include_key: Literal[True] = True,
        include_value: Literal[False],
        verify_checksums: bool = False,
        fill_cache: bool = True,
    ) -> _Iterator[bytes]: ...
    @overload
    def iterator(
        self,
        *,
        reverse: bool = False,
        start: bytes | None = None,
        stop: bytes | None = None,
        include_start: bool = True,
        include_stop: bool = False,
        prefix: bytes | None = None,
        include_key: Literal[False],
        include_value: Literal[True] = True,
        verify_checksums: bool = False,
        fill_cache: bool = True,
    ) -> _Iterator[bytes]: ...
    def __iter__(self) -> Iterator[tuple[bytes, bytes]]: ...

class Snapshot(_Readable):
    def close(self) -> None: ...
    def release(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None: ...

class WriteBatch:
    """Made by `write_batch()`; as a context manager it is written on leaving the block."""

    def put(self, key: bytes, value: bytes) -> None: ...
    def delete(self, key: bytes) -> None: ...
    def clear(self) -> None: ...
    def write(self) -> None: ...
    def append(self, source: WriteBatch) -> None: ...
    @property
    def approximate_size(self) -> int: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None: ...

class _Writable(_Readable):
    def put(self, key: bytes, value: bytes, *, sync: bool = False) -> None: ...
    def delete(self, key: bytes, *, sync: bool = False) -> None: ...
    def write_batch(self, *, transaction: bool = False, sync: bool = False) -> WriteBatch: ...
    def snapshot(self) -> Snapshot: ...
    def prefixed_db(self, prefix: bytes) -> PrefixedDB: ...

class PrefixedDB(_Writable):
    @property
    def prefix(self) -> bytes: ...
    @property
    def db(self) -> DB: ...

class DB(_Writable):
    name: str
    def __init__(
        self,
        name: str,
        *,
        create_if_missing: bool = False,
        error_if_exists: bool = False,
        paranoid_checks: bool | None = None,
        write_buffer_size: int | None = None,
        max_open_files: int | None = None,
        lru_cache_size: int | None = None,
        block_size: int | None = None,
        block_restart_interval: int | None = None,
        max_file_size: int | None = None,
        compression: Literal["snappy"] | None = "snappy",
        bloom_filter_bits: int = 0,
        comparator: Callable[[bytes, bytes], int] | None = None,
        comparator_name: bytes | None = None,
    ) -> None: ...
    @property
    def closed(self) -> bool: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None: ...
    def compact_range(self, *, start: bytes | None = None, stop: bytes | None = None) -> None: ...
    def approximate_size(self, start: bytes, stop: bytes) -> int: ...
    def get_property(self, name: bytes) -> bytes | None: ...
