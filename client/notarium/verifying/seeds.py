"""Whether the seeds that a run took from the ledger are those of its start. Needs no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from notarium.ledger_access.answers import VerifiedReceipt
from notarium_ledger.blocks.block import Header
from notarium_ledger.entries.commitment import Body
from notarium_ledger.errors import LedgerError
from notarium_ledger.trust.seed import check_first_block, derive_seed

_MAX_SHOWN = 200


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
    """What a record says may be long."""
    return repr(value)[:_MAX_SHOWN]
