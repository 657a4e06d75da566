"""How large a registry may become: checked where a change makes it larger, so that no later step meets the limit.

    keys of former members + for each member max(its keys, max_member_keys) ≤ MAX_KEYS

Each member has a share of the keys that no other can use up, so an enrolment asks only for the own member's share.
"""

from __future__ import annotations

from notarium_ledger.errors import InvalidEntry, LedgerError
from notarium_ledger.state.registry import MAX_KEYS, MAX_MEMBERS, MAX_NODES, Member, Registry


def check_capacity(registry: Registry) -> None:
    """Raise LedgerError where the registry has more members, nodes or reserved keys than the rules allow."""
    members, nodes = len(registry.members), len(registry.nodes)
    if members > MAX_MEMBERS:
        raise LedgerError(
            f"{members} members, at most {MAX_MEMBERS} allowed; remove one first", "members", limit=MAX_MEMBERS
        )
    if nodes > MAX_NODES:
        raise LedgerError(f"{nodes} nodes, at most {MAX_NODES} allowed; remove one first", "nodes", limit=MAX_NODES)
    share = registry.parameters.max_member_keys
    reserved = sum(max(each.keys, share) for each in registry.members.values())
    former = registry.totals.former_keys
    if former + reserved > MAX_KEYS:
        raise LedgerError(
            f"{members} members may enrol {share} keys each and former members enrolled {former}: {former + reserved} "
            f"keys, at most {MAX_KEYS} allowed; lower max_member_keys",
            "parameters.max_member_keys",
            limit=MAX_KEYS,
        )


def check_share(registry: Registry, member: Member) -> None:
    """Raise InvalidEntry where the member cannot enrol one more key."""
    share = registry.parameters.max_member_keys
    if member.keys >= share:
        raise InvalidEntry(
            f"{member.id} enrolled {member.keys} keys, at most {share} allowed (max_member_keys), the revoked ones "
            "included; propose a higher max_member_keys (set-parameter)",
            "body.key",
            limit=share,
        )
