"""Who may sign what, and what a member's statement changes: the rules over the registry.

A membership change (members, nodes, parameters) needs the approval of members that hold at least Q of the validators'
votes. At most one takes effect in a block. It is in force from the next height on.
"""

from __future__ import annotations

from dataclasses import replace

from notarium_ledger.entries.commitment import PARAMETER_LIMITS, Body, is_member_body
from notarium_ledger.entries.entry import Entry
from notarium_ledger.errors import InvalidEntry, KeyNotPermitted, KeyRefusal, LedgerError
from notarium_ledger.signing import is_valid_key
from notarium_ledger.state.registry import Member, MembershipProposal, NodeRecord, Registry, Researcher
from notarium_ledger.types import Hash, PublicKey

MAX_OPEN_PROPOSALS = 16
"""For each member. A limit for all members together would let one member block a proposal to remove it."""


def check_author(registry: Registry, entry: Entry) -> None:
    """Raise InvalidEntry unless the entry's key may sign for the issuer or member that its body names.

    It is KeyNotPermitted, with the cause, where the key itself is the reason.
    """
    body = entry.body
    if is_member_body(body):
        member = registry.members.get(body["member"])
        if member is None:
            raise InvalidEntry(f"{body['member']} is not a member", "body.member")
        if member.key != entry.key:
            raise KeyNotPermitted(KeyRefusal.NOT_GOVERNANCE_KEY, member=member.id)
        return
    researcher = registry.researchers.get(entry.key)
    if researcher is None:
        raise KeyNotPermitted(KeyRefusal.NOT_ENROLLED)
    if researcher.revoked:
        raise KeyNotPermitted(KeyRefusal.REVOKED)
    if researcher.member != body["issuer"]:
        raise InvalidEntry(f"the key is enrolled for {researcher.member}", "body.issuer")


def apply_entry(registry: Registry, entry: Entry) -> tuple[Registry, bool]:
    """The registry after `entry`, and whether a membership change took effect. Raises InvalidEntry."""
    check_author(registry, entry)
    kind = entry.kind
    if kind == "enrol":
        return _enrol(registry, entry.body), False
    if kind == "revoke":
        return _revoke(registry, entry.body), False
    if kind == "propose":
        return _propose(registry, entry)
    if kind == "vote":
        return _vote(registry, entry.body)
    return registry, False


def _enrol(registry: Registry, body: Body) -> Registry:
    key = PublicKey(body["key"])
    if not is_valid_key(key):
        raise InvalidEntry("is of small order or not canonical", "body.key")
    if key in registry.researchers:
        raise InvalidEntry("is enrolled already, or was revoked; enrol another key", "body.key")
    return replace(registry, researchers={**registry.researchers, key: Researcher(body["member"])})


def _revoke(registry: Registry, body: Body) -> Registry:
    key = PublicKey(body["key"])
    researcher = registry.researchers.get(key)
    if researcher is None or researcher.member != body["member"]:
        raise InvalidEntry(f"is not enrolled for {body['member']}", "body.key")
    if researcher.revoked:
        raise InvalidEntry("is already revoked", "body.key")
    return replace(registry, researchers={**registry.researchers, key: replace(researcher, revoked=True)})


def _propose(registry: Registry, entry: Entry) -> tuple[Registry, bool]:
    member = entry.body["member"]
    if sum(each.member == member for each in registry.proposals.values()) >= MAX_OPEN_PROPOSALS:
        raise InvalidEntry(
            f"{MAX_OPEN_PROPOSALS} proposals of {member} are open, at most {MAX_OPEN_PROPOSALS} allowed; "
            "withdraw one first (vote with approve = false)",
            "body.action",
            limit=MAX_OPEN_PROPOSALS,
        )
    action = entry.body["action"]
    _act(registry, action)  # Refuse an impossible action now, not when the last vote arrives.
    proposal = MembershipProposal(member, action, frozenset())
    opened = replace(registry, proposals={**registry.proposals, entry.id: proposal})
    return _approve(opened, entry.id, member)


def _vote(registry: Registry, body: Body) -> tuple[Registry, bool]:
    id_ = Hash(body["proposal"])
    if id_ not in registry.proposals:
        raise InvalidEntry("is not open", "body.proposal")
    if body["approve"]:
        return _approve(registry, id_, body["member"])
    proposal = registry.proposals[id_]
    if proposal.member == body["member"]:  # The proposer withdraws it.
        return _without_proposal(registry, id_), False
    changed = replace(proposal, approvals=proposal.approvals - {body["member"]})
    return replace(registry, proposals={**registry.proposals, id_: changed}), False


def _approve(registry: Registry, id_: Hash, member: str) -> tuple[Registry, bool]:
    proposal = registry.proposals[id_]
    approvals = proposal.approvals | {member}
    votes = sum(validator.member in approvals for validator in registry.validators.validators)
    if votes < registry.validators.quorum:
        changed = replace(proposal, approvals=approvals)
        return replace(registry, proposals={**registry.proposals, id_: changed}), False
    return _act(_without_proposal(registry, id_), dict(proposal.action)), True


def _without_proposal(registry: Registry, id_: Hash) -> Registry:
    return replace(registry, proposals={key: each for key, each in registry.proposals.items() if key != id_})


def _act(registry: Registry, action: Body) -> Registry:
    """Carry out an approved action. Raises InvalidEntry where the registry does not allow it, or no longer does."""
    kind = action["type"]
    try:
        if kind == "add-member":
            return _add_member(registry, action)
        if kind == "remove-member":
            return _remove_member(registry, action["id"])
        if kind == "set-node":
            return _set_node(registry, action["node"])
        if kind == "remove-node":
            return _remove_node(registry, PublicKey(action["key"]))
        return _set_parameter(registry, action["name"], action["value"])
    except InvalidEntry:
        raise
    except LedgerError as error:  # Such as a change that would leave no validator.
        raise InvalidEntry(error.reason, "body.action", limit=error.limit) from error


def _add_member(registry: Registry, action: Body) -> Registry:
    if action["id"] in registry.members:
        raise InvalidEntry(f"{action['id']} is already a member", "body.action.id")
    if not is_valid_key(action["key"]):
        raise InvalidEntry("is of small order or not canonical", "body.action.key")
    member = Member(action["id"], action["name"], PublicKey(action["key"]))
    return replace(registry, members={**registry.members, member.id: member})


def _remove_member(registry: Registry, id_: str) -> Registry:
    if id_ not in registry.members:
        raise InvalidEntry(f"{id_} is not a member", "body.action.id")
    return replace(
        registry,
        members={key: each for key, each in registry.members.items() if key != id_},
        nodes={key: each for key, each in registry.nodes.items() if each.member != id_},
        researchers={
            key: replace(each, revoked=True) if each.member == id_ else each
            for key, each in registry.researchers.items()
        },
        # Nobody could withdraw its proposals, and its approvals would count again if it were added again.
        proposals={
            key: replace(each, approvals=each.approvals - {id_})
            for key, each in registry.proposals.items()
            if each.member != id_
        },
    )


def _set_node(registry: Registry, node: Body) -> Registry:
    record = NodeRecord(
        node["member"], node["role"], PublicKey(node["key"]), node["certificate"], node["address"], node.get("api", "")
    )
    if record.member not in registry.members:
        raise InvalidEntry(f"{record.member} is not a member", "body.action.node.member")
    if not is_valid_key(record.key):
        raise InvalidEntry("is of small order or not canonical", "body.action.node.key")
    present = registry.nodes.get(record.key)
    if present is not None and present.member != record.member:
        raise InvalidEntry("belongs to another member", "body.action.node.key")
    others = {
        key: each
        for key, each in registry.nodes.items()
        if key != record.key and not (each.member == record.member and each.role == record.role == "validator")
    }
    if any(each.certificate == record.certificate for each in others.values()):
        raise InvalidEntry("is used by another node", "body.action.node.certificate")
    return replace(registry, nodes={**others, record.key: record})


def _remove_node(registry: Registry, node_key: PublicKey) -> Registry:
    if node_key not in registry.nodes:
        raise InvalidEntry("is not a node", "body.action.key")
    return replace(registry, nodes={key: each for key, each in registry.nodes.items() if key != node_key})


def _set_parameter(registry: Registry, name: str, value: int) -> Registry:
    least, most = PARAMETER_LIMITS[name]
    if not least <= value <= most:
        raise InvalidEntry(f"{value} is not from {least} to {most}", f"body.action.{name}", limit=most)
    return replace(registry, parameters=replace(registry.parameters, **{name: value}))
