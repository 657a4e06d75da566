"""Who may sign what, and what a member's statement changes: the rules over the registry.

A membership change (members, nodes, parameters) needs the approval of members that hold at least Q of the validators'
votes. At most one takes effect in a block. It is in force from the next height on.

A proposal and a vote carry a number above the last one of their member. So no entry of before stands for one of now,
and what changes nothing is refused with the reason.

An approval is given for a time and to a set of validators: a proposal expires, and when the validator set changes, all
open ones lapse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from notarium_ledger.encoding.canonical import Value
from notarium_ledger.entries.commitment import Body, is_member_body
from notarium_ledger.entries.entry import Entry
from notarium_ledger.errors import InvalidEntry, KeyNotPermitted, KeyRefusal, LedgerError
from notarium_ledger.signing import is_valid_key
from notarium_ledger.state.capacity import check_capacity, check_share
from notarium_ledger.state.registry import (
    MAX_OPEN_PROPOSALS,
    Member,
    MembershipProposal,
    NodeRecord,
    Registry,
)
from notarium_ledger.types import Hash, Height, PublicKey

MAX_NUMBER_STEP = 1_000_000
"""A number may leave others out, but a slip (a time in its place) must not use up all there are."""
LEAST_SAFE = 4
"""Of fewer validators none may be faulty (f = 0)."""


def check_author(registry: Registry, entry: Entry) -> None:
    """Raise InvalidEntry unless the entry's key may sign for the issuer or member that its body names.

    It is KeyNotPermitted, with the cause, where the key itself is the reason.
    """
    body = entry.body
    if is_member_body(body):
        member = _member(registry, body["member"], "body.member")
        if member.key != entry.key:
            raise KeyNotPermitted(KeyRefusal.NOT_GOVERNANCE_KEY, member=member.id)
        return
    researcher = registry.researchers.find(entry.key)
    if researcher is None:
        raise KeyNotPermitted(KeyRefusal.NOT_ENROLLED)
    issuer = registry.members.get(body["issuer"])
    if issuer is not None and issuer.serial == researcher.serial and not researcher.revoked:
        return
    owner = registry.owner(researcher)
    if researcher.revoked or owner is None:
        raise KeyNotPermitted(KeyRefusal.REVOKED)
    raise InvalidEntry(
        f"{body['issuer']} did not enrol the key {entry.key.hex()}: name {owner.id}, which did, or use another key",
        "body.issuer",
    )


def apply_entry(registry: Registry, entry: Entry, height: Height) -> tuple[Registry, bool]:
    """The registry after `entry` in the block of `height`, and whether a membership change took effect.

    Raises InvalidEntry.
    """
    check_author(registry, entry)
    kind = entry.kind
    if kind == "enrol":
        return _enrol(registry, entry.body), False
    if kind == "revoke":
        return _revoke(registry, entry.body), False
    if kind == "propose":
        return _propose(_numbered(registry, entry.body), entry, height)
    if kind == "vote":
        return _vote(_numbered(registry, entry.body), entry.body, height)
    return registry, False


def without_expired(registry: Registry, height: Height) -> Registry:
    """The registry with which the block of `height` begins: without the proposals that have expired."""
    return registry.without_proposals(key for key, each in registry.proposals.items() if each.expires < height)


def _numbered(registry: Registry, body: Body) -> Registry:
    """The registry with the number of this proposal or vote as its member's last one."""
    member, number = registry.members[body["member"]], body["number"]
    if not member.number < number <= member.number + MAX_NUMBER_STEP:
        raise InvalidEntry(
            f"{number} is not from {member.number + 1} to {member.number + MAX_NUMBER_STEP}: the last number of "
            f"{member.id} is {member.number}, so use {member.number + 1}",
            "body.number",
            limit=member.number + MAX_NUMBER_STEP,
        )
    return registry.with_member(replace(member, number=number))


def _enrol(registry: Registry, body: Body) -> Registry:
    key = _usable(body["key"], "body.key")
    if key in registry.researchers:
        raise InvalidEntry(f"{key.hex()} is enrolled already, or was revoked; enrol another key", "body.key")
    member = registry.members[body["member"]]
    check_share(registry, member)
    return registry.with_enrolled(key, member)


def _revoke(registry: Registry, body: Body) -> Registry:
    key = PublicKey(body["key"])
    researcher = registry.researchers.get(key)
    if researcher is None:
        raise InvalidEntry(f"{key.hex()} is not enrolled; look it up in the list of researchers' keys", "body.key")
    if researcher.serial != registry.members[body["member"]].serial:
        owner = registry.owner(researcher)
        reason = "was enrolled by a member that was removed, so it is refused already; nothing is left to do"
        if owner is not None:
            reason = f"is enrolled for {owner.id}, which alone can revoke it"
        raise InvalidEntry(f"{key.hex()} {reason}", "body.key")
    if researcher.revoked:
        raise InvalidEntry(f"{key.hex()} is already revoked; nothing is left to do", "body.key")
    return registry.with_researcher(key, replace(researcher, revoked=True))


def _propose(registry: Registry, entry: Entry, height: Height) -> tuple[Registry, bool]:
    member = entry.body["member"]
    opened = [each for each in registry.proposals.values() if each.member == member and each.expires >= height]
    if len(opened) >= MAX_OPEN_PROPOSALS:
        raise InvalidEntry(
            f"{MAX_OPEN_PROPOSALS} proposals of {member} are open, at most {MAX_OPEN_PROPOSALS} allowed; "
            "withdraw one first (vote with approve = false)",
            "body.action",
            limit=MAX_OPEN_PROPOSALS,
        )
    action = entry.body["action"]
    _act(registry, action)  # Refuse an impossible action now, not when the last vote arrives.
    expires = Height(height + registry.parameters.proposal_blocks)
    proposal = MembershipProposal(member, action, frozenset(), expires)
    if not _has_vote(registry, member):
        return registry.with_proposal(entry.id, proposal), False
    return _approve(registry, entry.id, proposal, member)


def _vote(registry: Registry, body: Body, height: Height) -> tuple[Registry, bool]:
    id_, member = Hash(body["proposal"]), body["member"]
    proposal = registry.proposals.get(id_)
    if proposal is None or proposal.expires < height:
        raise InvalidEntry(
            f"{id_.hex()} is not open: it was decided, was withdrawn, expired or lapsed, or never was: compare the id; "
            "propose it again if needed",
            "body.proposal",
        )
    if proposal.member == member and not body["approve"]:  # The proposer withdraws it.
        return registry.without_proposals([id_]), False
    if not _has_vote(registry, member):
        raise InvalidEntry(f"{member} has no validator, so it has no vote; set one first (set-node)", "body.member")
    # One that changes nothing is refused, so that nobody fills the log or the mempools with it.
    if body["approve"]:
        if member in proposal.approvals:
            raise InvalidEntry(f"{member} has approved {id_.hex()} already, and its vote counts", "body.approve")
        return _approve(registry, id_, proposal, member)
    if member not in proposal.approvals:
        raise InvalidEntry(f"{member} has not approved {id_.hex()}, so there is nothing to take back", "body.approve")
    return registry.with_proposal(id_, replace(proposal, approvals=proposal.approvals - {member})), False


def _has_vote(registry: Registry, member: str) -> bool:
    return any(each.member == member for each in registry.validators.validators)


def _approve(registry: Registry, id_: Hash, proposal: MembershipProposal, member: str) -> tuple[Registry, bool]:
    approvals = proposal.approvals | {member}
    votes = sum(validator.member in approvals for validator in registry.validators.validators)
    if votes < votes_needed(registry, proposal.action):
        return registry.with_proposal(id_, replace(proposal, approvals=approvals)), False
    after = _act(registry.without_proposals([id_]), dict(proposal.action))
    if after.validators.hash != registry.validators.hash:
        after = after.without_proposals(after.proposals)  # Their approvals were given to another set.
    return after, True


def votes_needed(registry: Registry, action: Mapping[str, Value]) -> int:
    """The votes by which the action takes effect: Q, and one more for an action that says `below_four`."""
    validators = registry.validators
    return min(len(validators), validators.quorum + 1) if action.get("below_four") else validators.quorum


def _act(registry: Registry, action: Body) -> Registry:
    """Carry out an approved action. Raises InvalidEntry where the registry does not allow it, or no longer does."""
    kind = action["type"]
    try:
        if kind == "add-member":
            after = _add_member(registry, action)
        elif kind == "remove-member":
            after = _remove_member(registry, action["id"])
        elif kind == "set-node":
            after = _set_node(registry, action["node"])
        elif kind == "remove-node":
            after = _remove_node(registry, PublicKey(action["key"]))
        else:
            after = _set_parameter(registry, action["name"], action["value"])
    except InvalidEntry:
        raise
    except LedgerError as error:  # Such as a change that would leave no validator.
        raise InvalidEntry(error.reason, "body.action", limit=error.limit) from error
    before, left = len(registry.validators), len(after.validators)
    if left < min(before, LEAST_SAFE) and not action.get("below_four"):
        needed = min(before, registry.validators.quorum + 1)
        raise InvalidEntry(
            f"leaves {left} validators; of fewer than {LEAST_SAFE} none may be faulty. Propose it with below_four = "
            f"true, which needs {needed} votes, or add a validator first",
            "body.action",
            limit=LEAST_SAFE,
        )
    return after


def _add_member(registry: Registry, action: Body) -> Registry:
    if action["id"] in registry.members:
        raise InvalidEntry(f"{action['id']} is already a member; choose another id", "body.action.id")
    key = _usable(action["key"], "body.action.key")
    totals = registry.totals
    member = Member(action["id"], action["name"], key, totals.members_added, number=totals.former_number)
    after = registry.with_member(member).with_totals(replace(totals, members_added=totals.members_added + 1))
    check_capacity(after)
    return after


def _remove_member(registry: Registry, id_: str) -> Registry:
    _member(registry, id_, "body.action.id")
    # Nobody could withdraw its proposals. Its keys stay: no member has their serial any more, so they are refused.
    return registry.without_member(id_)


def _set_node(registry: Registry, node: Body) -> Registry:
    _member(registry, node["member"], "body.action.node.member")
    key = _usable(node["key"], "body.action.node.key")
    record = NodeRecord(node["member"], node["role"], key, node["certificate"], node["address"], node.get("api", ""))
    present = registry.nodes.get(key)
    if present is not None and present.member != record.member:
        raise InvalidEntry(
            f"{key.hex()} is a node of {present.member}; make another key for this node (keygen)",
            "body.action.node.key",
        )
    if present == record:
        raise InvalidEntry(
            f"{key.hex()} is a node with exactly this record already; nothing is left to do", "body.action.node"
        )
    replaced = [
        other
        for other, each in registry.nodes.items()
        if other == key or (each.member == record.member and each.role == record.role == "validator")
    ]
    for other, each in registry.nodes.items():
        if other not in replaced and each.certificate == record.certificate:
            raise InvalidEntry(
                f"is used by the node {other.hex()} of {each.member}; make another for this node (keygen)",
                "body.action.node.certificate",
            )
    after = registry.with_nodes([record], replaced)
    check_capacity(after)
    return after


def _remove_node(registry: Registry, node_key: PublicKey) -> Registry:
    if node_key not in registry.nodes:
        raise InvalidEntry(f"{node_key.hex()} is not a node; look it up in the list of nodes", "body.action.key")
    return registry.with_nodes((), [node_key])


def _set_parameter(registry: Registry, name: str, value: int) -> Registry:
    if getattr(registry.parameters, name) == value:
        raise InvalidEntry(f"{name} is {value} already; nothing is left to do", "body.action.value")
    after = registry.with_parameters(replace(registry.parameters, **{name: value}))
    check_capacity(after)
    return after


def _member(registry: Registry, id_: str, field: str) -> Member:
    member = registry.members.get(id_)
    if member is None:
        raise InvalidEntry(f"{id_} is not a member; look it up in the list of members", field)
    return member


def _usable(key: bytes, field: str) -> PublicKey:
    if not is_valid_key(key):
        reason = "is of small order or not canonical, so it is not a valid key; make another"
        raise InvalidEntry(f"{key.hex()} {reason}", field)
    return PublicKey(key)
