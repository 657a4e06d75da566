"""One varied history in a store, its snapshot at every height, and a second store that joins by them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.support.chains import approved, change_validator, commit, grow
from tests.support.consortium import Consortium, key

from notarium_ledger.blocks.block import Decision
from notarium_ledger.state.chain_state import ChainState, Transition, apply_block
from notarium_ledger.trust.snapshot import Snapshot
from notarium_ledger.types import Height
from notarium_store import Store


@dataclass(frozen=True)
class History:
    """A decided history; lists have one element for each height, from 0 on where they hold states."""

    consortium: Consortium
    decisions: list[Decision]
    transitions: list[Transition]
    states: list[ChainState]
    snapshots: list[Snapshot]
    path: Path
    """A closed store that holds all of it."""

    def __repr__(self) -> str:
        return f"History({self.path})"

    @property
    def tip(self) -> int:
        """The last height."""
        return len(self.decisions)

    def decision(self, height: int) -> Decision:
        """Of a height."""
        return self.decisions[height - 1]

    def snapshot(self, height: int) -> Snapshot:
        """At a height."""
        return self.snapshots[height - 1]

    def parts(self, first: int, last: int) -> list[tuple[Decision, Transition]]:
        """The decisions of these heights with what they do."""
        return list(zip(self.decisions[first - 1 : last], self.transitions[first - 1 : last], strict=True))


def make_history(path: Path) -> History:
    """Sixteen blocks with groups of every size, two changes of the validator set, a parameter and a new researcher."""
    consortium = Consortium(4)
    with Store.open(path, consortium.genesis) as store:
        states, snapshots = [store.state], []

        def note() -> None:
            states.append(store.state)
            snapshot = store.snapshot()
            assert snapshot is not None
            snapshots.append(snapshot)

        def grown(*sizes: int) -> None:
            for size in sizes:
                grow(store, consortium, [size])
                note()

        grown(3, 1)
        change_validator(store, consortium, 1, "history 1")
        note()
        grown(70, 2)
        commit(
            store,
            consortium,
            approved(consortium, 3, {"type": "set-parameter", "name": "max_block_entries", "value": 500}),
        )
        note()
        grown(1, 1, 5)
        change_validator(store, consortium, 2, "history 2")
        note()
        grown(129, 1)
        enrol = consortium.member_body("enrol", 1, key=bytes(key("history researcher").public))
        commit(store, consortium, [consortium.entry(enrol)])
        note()
        grown(64, 7, 2)
        stored = [store.decision(Height(height)) for height in range(1, store.state.height + 1)]
    decisions = [each for each in stored if each is not None]
    transitions = [
        apply_block(before, decision.block, lambda _: False)
        for before, decision in zip(states[:-1], decisions, strict=True)
    ]
    return History(consortium, decisions, transitions, states, snapshots, path)
