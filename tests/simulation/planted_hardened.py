"""Known mistakes of the second kind: no lie and no lost message shows them, only volume, thin lines, time and votes.

`make simulate-planted` plants them with those of planted.py and planted_subtle.py.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

from tests.simulation.edge_of_time import EdgeOfTime
from tests.simulation.old_entries import OldEntries, Overload
from tests.simulation.planted import Planted, Replacement

from notarium_consensus import engine
from notarium_consensus.effects import Persist
from notarium_consensus.instance import Instance
from notarium_consensus.messages import encode_message
from notarium_consensus.own_messages import OwnMessages
from notarium_consensus.phase import Phase
from notarium_consensus.timers import HeightTimers
from notarium_ledger.blocks.block import Header
from notarium_ledger.blocks.statements import StatementKind
from notarium_ledger.errors import KeyNotPermitted
from notarium_ledger.state import capacity, chain_state, governance
from notarium_ledger.state.registry import Registry
from notarium_ledger.types import Height
from notarium_node.driving import block_work
from notarium_store.store import Store

# ---- who may write what --------------------------------------------------------------------------------------------


def _no_bound_on_work() -> list[Replacement]:
    return [(chain_state, "CLASS_LIMITS", MappingProxyType({}))]


def _no_cap_of_keys() -> list[Replacement]:
    return [(governance, "check_share", lambda *_: None), (capacity, "check_share", lambda *_: None)]


def _approvals_kept_across_sets() -> list[Replacement]:
    approve = governance._approve

    def keeping(registry: Registry, id_: Any, proposal: Any, member: str) -> Any:
        after, changed = approve(registry, id_, proposal, member)
        if changed and after.validators.hash != registry.validators.hash:
            for each, opened in registry.proposals.items():
                if each != id_ and opened.member in after.members:
                    after = after.with_proposal(each, opened)
        return after, changed

    return [(governance, "_approve", keeping)]


def _proposals_never_expire() -> list[Replacement]:
    vote = governance._vote
    return [
        (chain_state, "without_expired", lambda registry, _: registry),
        (governance, "_vote", lambda registry, body, _: vote(registry, body, Height(0))),
    ]


def _fewer_than_four_by_any_vote() -> list[Replacement]:
    return [(governance, "LEAST_SAFE", 0)]


def _below_four_by_a_quorum() -> list[Replacement]:
    return [(governance, "votes_needed", lambda registry, _: registry.validators.quorum)]


def _revoked_keys_write() -> list[Replacement]:
    check = governance.check_author

    def lenient(registry: Any, entry: Any) -> None:
        try:
            check(registry, entry)
        except KeyNotPermitted:
            if entry.key not in registry.researchers:
                raise

    return [(governance, "check_author", lenient), (chain_state, "check_author", lenient)]


def _members_without_validator_vote() -> list[Replacement]:
    return [(governance, "_has_vote", lambda *_: True)]


def _anybody_withdraws() -> list[Replacement]:
    vote = governance._vote

    def open_to_all(registry: Any, body: Any, height: Any) -> Any:
        opened = registry.proposals.get(body["proposal"])
        if opened is not None and not body["approve"]:
            return registry.without_proposals([body["proposal"]]), False
        return vote(registry, body, height)

    return [(governance, "_vote", open_to_all)]


def _numbers_in_any_order() -> list[Replacement]:
    def careless(registry: Registry, body: Any) -> Registry:
        return registry.with_member(replace(registry.members[body["member"]], number=body["number"]))

    return [(governance, "_numbered", careless)]


def _since_the_first_block() -> list[Replacement]:
    return [(Header, "next_since", property(lambda header: header.since))]


def _two_changes_in_a_block() -> list[Replacement]:
    apply = governance.apply_entry
    return [(chain_state, "apply_entry", lambda *subject: (apply(*subject)[0], False))]


def _state_root_of_the_block_before() -> list[Replacement]:
    advance = chain_state.advance

    def stale(state: Any, entries: Any, time_ms: int, proposer: Any) -> Any:
        made = advance(state, entries, time_ms, proposer)
        header = replace(made.header, state_root=state.registry.hash)
        return replace(made, header=header, state=replace(made.state, tip=header.hash))

    return [(chain_state, "advance", stale), (block_work, "advance", stale)]


def _registry_not_stored() -> list[Replacement]:
    commit = Store.commit_many

    def forgetful(self: Store, parts: Any) -> None:
        commit(self, [(decision, replace(made, registry_changes={})) for decision, made in parts])

    return [(Store, "commit_many", forgetful)]


# ---- what is signed, and when --------------------------------------------------------------------------------------


def _stale_verdict_kept() -> list[Replacement]:
    def keeping(self: block_work.BlockWork) -> None:
        tip = self._store.state.tip
        self._transitions = {name: made for name, made in self._transitions.items() if made.header.parent == tip}

    def begin_to_sign(self: Instance) -> None:
        proposal = self._accepted
        self.own.allow()
        if self.own.may_sign and proposal is not None and self.phase is Phase.PREPARING and self._timely:
            self._keep(self.own.vote(StatementKind.PREPARE, self.round, proposal.block.hash))
        self._start_round_timer()
        self._run()

    return [(Instance, "begin_to_sign", begin_to_sign), (block_work.BlockWork, "forget", keeping)]


def _the_parent_s_time_not_awaited() -> list[Replacement]:
    return [(HeightTimers, "may_propose", lambda self, round_: True)]


def _own_messages_unbounded() -> list[Replacement]:
    send = OwnMessages._send

    def hoarding(self: OwnMessages, message: Any) -> Any:
        sent = send(self, message)
        name = b"all" + message.round.to_bytes(4, "big") + bytes((message.kind,))
        self._effects.emit(Persist(self._context.height, name, encode_message(message)))
        return sent

    decode = engine.decode_record  # type: ignore[attr-defined]

    def reading(record: Any, height: Any) -> Any:
        return decode({name: value for name, value in record.items() if name[:3] != b"all"}, height)

    return [(OwnMessages, "_send", hoarding), (engine, "decode_record", reading)]


HARDENED: tuple[Planted, ...] = (
    Planted("no bound on the work of a block", _no_bound_on_work, "content", 50, schedule="busy", liars=(Overload,)),
    Planted("no cap of keys", _no_cap_of_keys, "content", 50, schedule="governing"),
    Planted("approvals kept across sets", _approvals_kept_across_sets, "content", 100, schedule="governing"),
    Planted("proposals never expire", _proposals_never_expire, "content", 20, schedule="governing"),
    Planted("fewer than four by an ordinary vote", _fewer_than_four_by_any_vote, "content", 50, schedule="governing"),
    Planted("below four by a quorum", _below_four_by_a_quorum, "content", 100, schedule="governing"),
    Planted("revoked keys write", _revoked_keys_write, "content", 50, schedule="governing"),
    Planted("members without validator vote", _members_without_validator_vote, "content", 100, schedule="governing"),
    Planted("any member withdraws another's proposal", _anybody_withdraws, "content", 50, schedule="governing"),
    Planted("numbers of votes in any order", _numbers_in_any_order, "content", 50, schedule="governing"),
    Planted("a new set signs since the first block", _since_the_first_block, "content", 50, schedule="changing"),
    Planted("two membership changes in a block", _two_changes_in_a_block, "content", 100, schedule="governing"),
    Planted("state root of the block before", _state_root_of_the_block_before, "content", 20, schedule="governing"),
    Planted("changes of the registry not stored", _registry_not_stored, "state", 20, schedule="governing"),
    Planted(
        "a verdict formed without history is kept",
        _stale_verdict_kept,
        "content",
        200,
        schedule="joining",
        liars=(OldEntries,),
    ),
    Planted(
        "the parent's time is not awaited",
        _the_parent_s_time_not_awaited,
        "false report",
        100,
        schedule="crowded",
        liars=(EdgeOfTime,),
    ),
    Planted("own messages without bound", _own_messages_unbounded, "memory", 50, schedule="thin"),
)
