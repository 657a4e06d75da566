"""From the model's words to the engine's: blocks, messages and certificates with real bytes and real signatures.

Ed25519 signs deterministically, so what is made here for an honest member equals, bit for bit, what its engine made.
"""

from __future__ import annotations

import json
from typing import Any

from tests.consensus.harness import Club

from notarium_consensus.justification import Prepared
from notarium_consensus.messages import Message, Proposal, RoundChange
from notarium_ledger.blocks.block import Block, Decision
from notarium_ledger.blocks.certificate import QuorumCertificate, Seal
from notarium_ledger.blocks.statements import SignedRoundChange, StatementKind, Vote
from notarium_ledger.types import Hash, PublicKey, Round

Value = dict[str, Any]


class Words:
    """The dictionary of one consortium of four. Every signature is made once."""

    def __init__(self) -> None:
        self.club = Club(4)
        self._votes: dict[tuple[StatementKind, int, int, str], Vote] = {}
        self._changes: dict[str, SignedRoundChange] = {}
        self._proposals: dict[str, Proposal] = {}
        self._blocks: dict[str, Value] = {}

    def block(self, value: Value) -> Block:
        """The content rules of tests/simulation/chain.py: an entry that starts with "ok" is valid."""
        entry = f"{'ok' if value['ok'] else 'no'} block {value['name']} of member {value['by']}"
        block = self.club.block(value["by"], entry.encode())
        self._blocks[block.hash.hex()] = {"by": value["by"], "name": value["name"], "ok": value["ok"]}
        return block

    def fresh_block(self, member: int, round_: int) -> Block:
        """`freshBlock` of the model: what an honest member builds."""
        return self.block({"by": member, "name": round_, "ok": True})

    def vote(self, type_: StatementKind, value: Value) -> Vote:
        """A PREPARE or COMMIT."""
        block = self.block(value["block"])
        slot = (type_, value["signer"], value["round"], block.hash.hex())
        if slot not in self._votes:
            self._votes[slot] = self.club.vote(type_, value["signer"], value["round"], block)
        return self._votes[slot]

    def prepares(self, values: list[Value]) -> tuple[Vote, ...]:
        """In ascending order of keys; a signer that comes twice stays so."""
        votes = [self.vote(StatementKind.PREPARE, value) for value in values]
        return tuple(sorted(votes, key=lambda vote: (vote.key, vote.round, vote.block_hash)))

    def signed_change(self, value: Value) -> SignedRoundChange:
        """The core of a ROUND-CHANGE."""
        core = {name: value[name] for name in ("signer", "round", "claim")}
        slot = json.dumps(core, sort_keys=True)
        if slot not in self._changes:
            tag, claim = value["claim"]
            prepared = None if tag == "None" else (claim["round"], self.block(claim["block"]))
            self._changes[slot] = self.club.signed_change(value["signer"], value["round"], prepared)
        return self._changes[slot]

    def change(self, value: Value) -> RoundChange:
        """A ROUND-CHANGE with the prepares that shall prove its claim, and the claimed block or not."""
        block = self.block(value["claim"][1]["block"]) if value["whole"] else None
        return RoundChange(self.signed_change(value), block, self.prepares(value["prepares"]))

    def proposal(self, value: Value) -> Proposal:
        """A PROPOSAL with its justification."""
        slot = json.dumps(value, sort_keys=True)
        if slot not in self._proposals:
            changes = [self.signed_change(change) for change in value["changes"]]
            prepares = self.prepares(value["prepares"])
            block = self.block(value["block"])
            self._proposals[slot] = self.club.proposal(value["signer"], value["round"], block, changes, prepares)
        return self._proposals[slot]

    def message(self, value: tuple[str, Value]) -> Message:
        """The model's sum type `Message`."""
        tag, content = value
        if tag == "Proposal":
            return self.proposal(content)
        if tag == "RoundChange":
            return self.change(content)
        return self.vote({"Prepare": StatementKind.PREPARE, "Commit": StatementKind.COMMIT}[tag], content)

    def lock(self, value: tuple[str, Value]) -> Prepared | None:
        """What a member is locked on."""
        tag, lock = value
        if tag == "None":
            return None
        return Prepared(Round(lock["round"]), self.block(lock["block"]), self.prepares(lock["prepares"]))

    def decision(self, value: Value) -> Decision:
        """A block with a certificate, good or stitched together."""
        block = self.block(value["block"])
        votes = [self.vote(StatementKind.COMMIT, seal) for seal in value["seals"]]
        seals = tuple(Seal(vote.key, vote.signature) for vote in sorted(votes, key=lambda vote: (vote.key, vote.round)))
        return Decision(block, QuorumCertificate(self.club.height, Round(value["round"]), block.hash, seals))

    # ---- and back ----------------------------------------------------------------------------------------------

    def signer(self, key: PublicKey) -> int:
        """Whose key that is."""
        return [each.public for each in self.club.keys].index(key)

    def block_value(self, block_hash: Hash) -> Value:
        """What the model calls a block that was made here before."""
        return self._blocks[block_hash.hex()]

    def vote_value(self, vote: Vote) -> Value:
        """A PREPARE or COMMIT."""
        return {"signer": self.signer(vote.key), "round": vote.round, "block": self.block_value(vote.block_hash)}

    def core_value(self, change: SignedRoundChange) -> Value:
        """The core of a ROUND-CHANGE."""
        claim: Any = ("None", [])
        if change.prepared is not None:
            claim = ("Some", {"round": change.prepared[0], "block": self.block_value(change.prepared[1])})
        return {"signer": self.signer(change.key), "round": change.round, "claim": claim}

    def message_value(self, message: Message) -> tuple[str, Value]:
        """The model's sum type `Message`."""
        if isinstance(message, Vote):
            return {StatementKind.PREPARE: "Prepare", StatementKind.COMMIT: "Commit"}[message.kind], self.vote_value(
                message
            )
        prepares = [self.vote_value(vote) for vote in message.prepares]
        if isinstance(message, RoundChange):
            core = self.core_value(message.signed)
            return "RoundChange", {**core, "prepares": prepares, "whole": message.block is not None}
        return "Proposal", {
            "signer": self.signer(message.key),
            "round": message.round,
            "block": self.block_value(message.block.hash),
            "changes": [self.core_value(change) for change in message.round_changes],
            "prepares": prepares,
        }

    def lock_value(self, lock: Prepared | None) -> tuple[str, Any]:
        """What a member is locked on."""
        if lock is None:
            return "None", []
        prepares = [self.vote_value(vote) for vote in lock.prepares]
        return "Some", {"round": lock.round, "block": self.block_value(lock.block.hash), "prepares": prepares}

    def certificate_value(self, decision: Decision) -> Value:
        """A certificate."""
        certificate = decision.certificate
        block = self.block_value(certificate.block)
        return {
            "round": certificate.round,
            "block": block,
            "seals": [
                {"signer": self.signer(seal.key), "round": certificate.round, "block": block}
                for seal in certificate.seals
            ],
        }

    def show(self, item: object) -> str:
        """A readable form of what differs."""
        if isinstance(item, Block):
            return item.entries[0].decode()
        if isinstance(item, Proposal):
            changes = ", ".join(map(self.show, item.round_changes))
            return f"PROPOSAL of {self._name(item.key)}, round {item.round}, {self.show(item.block)} [{changes}] " + (
                f"[{', '.join(map(self.show, item.prepares))}]"
            )
        if isinstance(item, Vote):
            return f"{item.kind.name} of {self._name(item.key)}, round {item.round}, {item.block_hash.hex()[:6]}"
        if isinstance(item, SignedRoundChange):
            claim = "none" if item.prepared is None else f"{item.prepared[1].hex()[:6]} of round {item.prepared[0]}"
            return f"ROUND-CHANGE of {self._name(item.key)}, round {item.round}, prepared {claim}"
        if isinstance(item, RoundChange):
            return f"{self.show(item.signed)} [{', '.join(map(self.show, item.prepares))}]"
        if isinstance(item, Prepared):
            return f"{self.show(item.block)}, round {item.round} [{', '.join(map(self.show, item.prepares))}]"
        if isinstance(item, list | tuple | set | frozenset):
            return "{" + "; ".join(sorted(map(self.show, item))) + "}"
        return str(item)

    def _name(self, key: bytes) -> str:
        names = {each.public: str(number) for number, each in enumerate(self.club.keys)}
        return names.get(key, key.hex()[:6])  # type: ignore[call-overload]
