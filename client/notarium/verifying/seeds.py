"""Whether the seeds that a run took from the ledger are those of its start. Needs no network."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from notarium.evidence.record import Record
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.ledger_access.receipt_file import load_receipt
from notarium.naming import FOLDER, RECEIPT_SUFFIX
from notarium_ledger.blocks.block import Header
from notarium_ledger.entries.commitment import Body
from notarium_ledger.errors import LedgerError
from notarium_ledger.trust.receipt import ReceiptVerifier
from notarium_ledger.trust.seed import check_first_block, derive_seed

_RUN_ID: Final = re.compile("[0-9a-f]{16}")
_MAX_SHOWN: Final = 200
"""Characters of what a record says, which may come from a stranger."""


@dataclass(frozen=True, slots=True)
class SeedCheck:
    """What is to be said of the seeds that a run took from the ledger."""

    proven: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    not_shown: tuple[str, ...] = ()


NO_SEEDS: Final = SeedCheck()


def check_seeds_of(record: Record, receipt: VerifiedReceipt, place: Path, verifier: ReceiptVerifier) -> SeedCheck:
    """The seeds in the record of a run, whose `receipt` lies at `place`; its start is looked for beside and above."""
    claimed, run_id = record.facts.get("ledger_seeds"), record.facts.get("run_id")
    if not claimed:
        return NO_SEEDS
    start = _start(str(run_id), place, verifier) if _RUN_ID.fullmatch(str(run_id)) else None
    if start is None:
        return SeedCheck(not_shown=("that its seeds came from the ledger: the receipt of its start is not here",))
    if wrong := check_seeds(record.facts, receipt.body, start):
        return SeedCheck(wrong=tuple(wrong))
    seeds = ", ".join(f"{each['name'][:_MAX_SHOWN] or 'seed'} {each['seed']}" for each in claimed)
    return SeedCheck(proven=(f"nobody chose the seeds ({seeds}): they are those of the block of the run's start",))


def _start(run_id: str, place: Path, verifier: ReceiptVerifier) -> VerifiedReceipt | None:
    for folder in place.absolute().parents:
        with suppress(OSError, LedgerError):
            return load_receipt(folder / FOLDER / "runs" / f"{run_id}.start{RECEIPT_SUFFIX}", verifier)
    return None


def check_seeds(facts: Mapping[str, Any], body: Body, start: VerifiedReceipt) -> list[str]:
    """What is wrong with the record's `ledger_seeds`; nothing where each is what the start's block gives.

    `facts`: of the record of a run. `body`: of the run's entry. `start`: the receipt of its start.
    """
    claimed = facts.get("ledger_seeds", [])
    if not isinstance(claimed, Sequence) or isinstance(claimed, str):
        return ["ledger_seeds is not a list"]
    if claimed and {"rel": "ends", "entry": start.id} not in body.get("refs", ()):
        return [f"the run does not refer to {start.id.hex()[:16]}… as its start"]
    return [problem for each in claimed if (problem := _problem(each, facts.get("seeds"), start))]


def _problem(claimed: Any, seeds: Any, start: VerifiedReceipt) -> str:
    """What is wrong with one seed, or ""."""
    try:
        name, value = claimed["name"], claimed["seed"]
        parent = Header.decode(bytes.fromhex(claimed["parent_header"])) if claimed["parent_header"] else None
        check_first_block(start.header, start.index, parent)
        expected = derive_seed(start.header.hash, start.id, name)
        recorded, place = seeds[name or "seed"], (claimed["start"], claimed["block"])
    except (LedgerError, ValueError, LookupError, TypeError, AttributeError) as error:
        return f"a seed from the ledger cannot be checked: {str(error)[:_MAX_SHOWN]}"
    if place != (start.id.hex(), start.header.hash.hex()):
        return f"the seed {_shown(name)} names another start or block than that of the receipt"
    if value != expected or recorded != expected:
        return f"the seed {_shown(name or 'seed')} is {_shown(recorded)}, and the block of the start gives {expected}"
    return ""


def _shown(value: Any) -> str:
    return repr(value)[:_MAX_SHOWN]
