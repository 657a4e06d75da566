"""Who sends bad signatures pays for it: what follows from the same address is refused before anything is verified.

A request with few entries is verified all the same, because a check costs about as much as its refusal. So an honest
researcher behind the address of a stranger (a NAT, a gateway) can go on with single entries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from aiohttp import web

from notarium_node.api.problems import ApiProblem, ProblemType
from notarium_node.entries.admission import Outcome
from notarium_node.http.debts import Debts

MOST = 4_096
"""Bad signatures that an address may have sent: those of one whole batch, such as by a client with a wrong genesis."""
FORGIVEN_PER_S = 10
FEW = 16
"""Entries of a request that is always verified: 0.7 ms."""


class BadSignatures:
    """Counts them by address."""

    def __init__(self, address: Callable[[web.BaseRequest], str]) -> None:
        """`address`: of the client."""
        self._address = address
        self._debts = Debts(MOST, FORGIVEN_PER_S)

    def check(self, request: web.BaseRequest, entries: int | None = None) -> None:
        """Raise ApiProblem where the address owes too much for `entries`; None: certainly more than a few."""
        if entries is not None and entries <= FEW:
            return
        wait_s = self._debts.wait_s(self._address(request), asyncio.get_running_loop().time())
        if wait_s:
            raise ApiProblem(
                ProblemType.BAD_SIGNATURES,
                f"entries: your address has sent {MOST} bad signatures, and {FORGIVEN_PER_S} are forgiven each second; "
                f"until then, at most {FEW} entries a request are verified",
                remedy=f"Send at most {FEW} entries a request, wait, or ask another node.",
                retry_after_s=wait_s,
                field="entries",
                limit=FEW,
            )

    def note(self, request: web.BaseRequest, outcomes: Sequence[Outcome]) -> None:
        """What came of a request: its bad signatures are owed."""
        bad = sum(1 for each in outcomes if each.malicious and each.error is not None and each.error.field == "sig")
        if bad:
            self._debts.add(self._address(request), bad, asyncio.get_running_loop().time())
