"""From two conflicting messages to the lasting proof of equivocation (notarium_ledger.trust.equivocation)."""

from __future__ import annotations

from notarium_consensus.messages import Signed, signed_part
from notarium_ledger.trust import equivocation
from notarium_ledger.trust.equivocation import Equivocation as Equivocation
from notarium_ledger.types import Hash


def conflict(genesis: Hash, validators: Hash, one: Signed, other: Signed) -> Equivocation:
    """The proof of equivocation by two authenticated messages of one signer, height, round and kind."""
    return equivocation.conflict(genesis, validators, signed_part(one), signed_part(other))
