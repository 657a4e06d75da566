"""What a fuzz target is, and what must hold for every input to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Target:
    """A decoder of bytes that somebody else wrote."""

    name: str
    decode: Callable[[bytes], Any]
    """Takes the bytes as they come from outside."""
    errors: tuple[type[Exception], ...]
    """The documented ones. Anything else that gets out is a defect."""
    covers: tuple[str, ...]
    """"module:qualified name" of the product's functions under test (test_table.py holds the list against the code)."""
    seeds: tuple[bytes, ...]
    """Valid inputs, from which the spoiled ones are made."""
    encode: Callable[[Any], bytes] | None = None
    """The inverse of `decode`, where there is one."""
    is_canonical: bool = True
    """Whether one value has one encoding: then what decodes encodes to the same bytes. Else only to the same value."""
    dialect: str = "msgpack"
    """Shapes the nesting and the inflated lengths of the mutations: "msgpack", "json" or "text"."""
    memory_factor: int = 0
    """How many bytes it may hold for each byte of input. 0: 32 for JSON, which is what `json` makes of a list of empty
    lists; else 12.
    """
    memory_bytes: int = 6 << 20
    """How many it may hold whatever the input: 65,536 empty maps in an entry or batch have 88 bytes each."""
    max_bytes: int = 1 << 20
    """The greatest input that a test of this target tries."""


OWN = 110
"""memory_factor of what this program wrote itself and then takes in whatever its size: a map is one byte and 88."""


def memory_limit(target: Target, size: int) -> int:
    """How many bytes the target may hold at one time for an input of that size."""
    return target.memory_bytes + size * (target.memory_factor or (32 if target.dialect == "json" else 12))


class Defect(AssertionError):
    """A law of the table was broken."""


def check(target: Target, data: bytes) -> bool:
    """Whether `target` accepts `data`. Raises Defect for an undocumented error or a second encoding of one value."""
    try:
        value = target.decode(data)
    except target.errors:
        return False
    except Exception as error:
        raise Defect(f"{target.name}: {type(error).__name__} is not documented: {str(error)[:500]}") from error
    if target.encode is None:
        return True
    again = target.encode(value)
    if target.is_canonical:
        if again != data:
            raise Defect(f"{target.name}: accepts bytes that it would write in another way")
    elif target.decode(again) != value:
        raise Defect(f"{target.name}: what it wrote reads as something else")
    return True


def check_seeds(target: Target) -> None:
    """Raise Defect unless the target has seeds and accepts each: a table of refusals would test nothing."""
    if not target.seeds:
        raise Defect(f"{target.name}: no seeds")
    for seed in target.seeds:
        if not check(target, seed):
            raise Defect(f"{target.name}: refuses its own seed {seed[:40]!r}")


def names(targets: Sequence[Target]) -> list[str]:
    """Their names, for pytest's ids."""
    return [each.name for each in targets]
