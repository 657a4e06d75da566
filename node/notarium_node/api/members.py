"""GET /v1/members: the registry as JSON, made in slices, because it can list half a million researchers' keys.

A large answer takes seconds of the event loop in all. It is made once for all who ask within a few seconds, and votes
pass between the slices.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from itertools import islice

from notarium_ledger.state.chain_state import ChainState
from notarium_ledger.types import Height
from notarium_node.api.views import registry_json, researchers_json
from notarium_store.store import Store

SLICE = 1_000
"""Keys that are listed in one turn of the event loop."""
LARGE_BYTES = 1024 * 1024
FRESH_S = 10.0
"""An answer larger than LARGE_BYTES is given this long before a new one is made; its height says how old it is."""


@dataclass(frozen=True, slots=True)
class _MadeList:
    height: Height
    body: bytes
    made_s: float


class MembersList:
    """The answer of one node."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._making = asyncio.Lock()
        self._last: _MadeList | None = None

    async def body(self) -> bytes:
        """The JSON of the registry after the last block, or, where it is large, after one of a few seconds ago."""
        async with self._making:
            now = asyncio.get_running_loop().time()
            last, state = self._last, self._store.state
            if last is not None:
                is_fresh = now - last.made_s < FRESH_S and len(last.body) > LARGE_BYTES
                if is_fresh or last.height == state.height:
                    return last.body
            self._last = _MadeList(state.height, await _listed(state), now)
            return self._last.body


async def _listed(state: ChainState) -> bytes:
    shown = json.dumps(registry_json(state.registry, state.height))
    parts: list[str] = []
    rows = researchers_json(state.registry)
    while each := [json.dumps(row) for row in islice(rows, SLICE)]:
        parts.append(", ".join(each))
        await asyncio.sleep(0)
    return f'{shown[:-1]}, "researchers": [{", ".join(parts)}]}}'.encode()
