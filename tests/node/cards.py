"""Cards of four institutions, whose keys are known."""

from notarium_ledger.signing import SigningKey
from notarium_ledger.state.registry import Member, NodeRecord
from notarium_node.identity import tls
from notarium_node.identity.card import Card


def admin(number):
    return SigningKey(bytes([number, 1]) * 16)


def card(number, *, role="validator", member=None, **changes):
    key = SigningKey(bytes([number, 2]) * 16).public
    seed = bytes([number, 3]) * 16
    id_ = member or f"inst-{number}"
    fields = {"address": f"node{number}.example:7000", "api": f"https://node{number}.example"} | changes
    signer = int(id_.rpartition("-")[2])
    return Card(
        Member(id_, f"Institute {signer}", admin(signer).public),
        NodeRecord(id_, role, key, tls.make_certificate(seed), fields["address"], fields["api"]),
        1_700_000_000_000 + number,
    )


CARDS = [card(number) for number in range(1, 5)]
