"""A consortium with keys, and valid decisions of it, for tests. Everything is deterministic.

consortium = Consortium(4)
state = consortium.state
entry = consortium.entry(consortium.body("dataset"))
decision, transition = consortium.decide(state, [entry])
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

from notarium_ledger.blocks.block import Block, Decision, Header
from notarium_ledger.blocks.certificate import QuorumCertificate, Seal
from notarium_ledger.blocks.statements import StatementKind, vote_bytes
from notarium_ledger.blocks.validators import ValidatorSet
from notarium_ledger.entries.entry import Entry, decode_entry, sign_batch, sign_entry
from notarium_ledger.signing import SigningKey
from notarium_ledger.state.chain_state import ChainState, Transition, advance
from notarium_ledger.state.genesis import FORMAT, Genesis
from notarium_ledger.types import Hash, PublicKey, Round

START_MS = 1_760_000_000_000


def digest(label: object) -> bytes:
    """32 bytes that depend on `label` only."""
    return sha256(f"notarium test {label}".encode()).digest()


def key(label: object) -> SigningKey:
    """The key named `label`."""
    return SigningKey(digest(f"key {label}"))


class Consortium:
    """`n` members m0, m1, …, each with a validator; observers and researchers belong to them in turn."""

    def __init__(self, n: int, observers: int = 0, researchers: int = 1, name: str = "test", **parameters: int) -> None:
        self.name = name
        self.members = [f"m{number}" for number in range(n)]
        self.validator_keys = [key(f"{name} validator {number}") for number in range(n)]
        self.observer_keys = [key(f"{name} observer {number}") for number in range(observers)]
        self.admin_keys = [key(f"{name} admin {number}") for number in range(n)]
        self.researcher_keys = [key(f"{name} researcher {number}") for number in range(researchers)]
        self.keys_by_public: dict[bytes, SigningKey] = {each.public: each for each in self.validator_keys}
        """Keys that can seal; a test that adds a validator adds its key here."""
        self.genesis = Genesis.from_document(self._document(parameters))
        self._serial = 0
        self._numbers: Counter[str] = Counter()

    @property
    def researcher(self) -> SigningKey:
        """The first researcher's key, enrolled for m0."""
        return self.researcher_keys[0]

    @property
    def state(self) -> ChainState:
        """The state before the first block."""
        return ChainState.initial(self.genesis.hash, self.genesis.registry)

    def body(self, kind: str = "dataset", **over: Any) -> dict[str, Any]:
        """A valid body of a commitment; each call gives another. `over` replaces fields, None removes one."""
        self._serial += 1
        return valid_body(kind, self._serial, **over)

    def member_body(self, kind: str, member: int = 0, **fields: Any) -> dict[str, Any]:
        """A body by which member number `member` speaks; a proposal or vote has a greater number each time."""
        id_ = self.members[member]
        if kind in ("propose", "vote") and "number" not in fields:
            self._numbers[id_] += 1
            fields["number"] = self._numbers[id_]
        return {"v": 1, "kind": kind, "member": id_, **fields}

    def raw(self, body: dict[str, Any], signer: SigningKey | None = None) -> bytes:
        """The wire bytes of `body`, signed by `signer`, or else by whom it names."""
        return sign_entry(signer or self._signer(body), self.genesis.hash, body)

    def entry(self, body: dict[str, Any] | None = None, signer: SigningKey | None = None) -> Entry:
        """A signed entry; without a body, another one each time."""
        return decode_entry(self.raw(self.body() if body is None else body, signer))

    def entries(self, count: int) -> list[Entry]:
        """`count` distinct entries under as few signatures as possible (batch form), so that many are cheap."""
        bodies = [self.body() for _ in range(count)]
        raws: list[bytes] = []
        for start in range(0, count, 4096):
            raws += sign_batch(self.researcher, self.genesis.hash, bodies[start : start + 4096])
        return [decode_entry(raw) for raw in raws]

    def decide(
        self,
        state: ChainState,
        entries: Sequence[Entry],
        time_ms: int | None = None,
        round: int = 0,
        signers: Iterable[PublicKey] | None = None,
    ) -> tuple[Decision, Transition]:
        """The decided block of `entries` on `state`, sealed by the first Q validators of its set (or by `signers`)."""
        validators = state.registry.validators
        time_ms = max(state.time_ms + 1, START_MS + 1000 * (state.height + 1)) if time_ms is None else time_ms
        height = type(state.height)(state.height + 1)
        transition = advance(state, entries, time_ms, validators.proposer(height, Round(round)))
        certificate = self.certify(transition.header, validators, round, signers)
        block = Block(transition.header, tuple(entry.raw for entry in entries))
        return Decision(block, certificate), transition

    def certify(
        self, header: Header, validators: ValidatorSet, round: int = 0, signers: Iterable[PublicKey] | None = None
    ) -> QuorumCertificate:
        """The certificate of any header, by the first Q validators or by `signers`."""
        chosen = sorted(
            [each.key for each in validators.validators][: validators.quorum] if signers is None else signers
        )
        message = vote_bytes(
            StatementKind.COMMIT, Hash(self.genesis.hash), validators.hash, header.height, Round(round), header.hash
        )
        seals = tuple(Seal(each, self.keys_by_public[each].sign(message)) for each in chosen)
        return QuorumCertificate(header.height, Round(round), header.hash, seals)

    def node_document(self, member: int, role: str, node_key: SigningKey) -> dict[str, Any]:
        """A node as a genesis document names it; its certificate is no real one."""
        return {
            "member": self.members[member],
            "role": role,
            "key": node_key.public.hex(),
            "certificate": base64.b64encode(fake_certificate(node_key)).decode(),
            "address": f"127.0.0.1:{9000 + member}",
        }

    def _signer(self, body: dict[str, Any]) -> SigningKey:
        if "member" in body:
            return self.admin_keys[self.members.index(body["member"])]
        return next(
            each
            for number, each in enumerate(self.researcher_keys)
            if self.members[number % len(self.members)] == body["issuer"]
        )

    def _document(self, parameters: dict[str, int]) -> dict[str, Any]:
        members = [
            {"id": id_, "name": f"Member {id_}", "key": admin.public.hex()}
            for id_, admin in zip(self.members, self.admin_keys, strict=True)
        ]
        nodes = [self.node_document(number, "validator", each) for number, each in enumerate(self.validator_keys)]
        nodes += [
            self.node_document(number % len(self.members), "observer", each)
            for number, each in enumerate(self.observer_keys)
        ]
        researchers = [
            {"member": self.members[number % len(self.members)], "key": each.public.hex()}
            for number, each in enumerate(self.researcher_keys)
        ]
        return {
            "format": FORMAT,
            "name": self.name,
            "created_ms": START_MS,
            "members": members,
            "nodes": nodes,
            "researchers": researchers,
            "parameters": parameters,
        }


def fake_certificate(node_key: SigningKey) -> bytes:
    """Bytes that stand for a node's X.509 certificate where no TLS is spoken."""
    return digest(f"certificate {node_key.public.hex()}") * 4


_NEEDED: dict[str, dict[str, Any]] = {
    "preregistration": {},
    "dataset": {},
    "run-start": {},
    "run": {"status": "completed"},
    "model": {},
    "federated-round": {"round": 1, "participants": 3},
    "publication": {"record": None, "identifier": "doi:10.1000/182"},
    "review": {"record": None, "verdict": "accept", "refs": [{"rel": "reviews", "entry": digest("reviewed")}]},
    "replication": {"outcome": "reproduced", "refs": [{"rel": "replicates", "entry": digest("replicated")}]},
    "retraction": {"record": None, "reason": "error", "refs": [{"rel": "supersedes", "entry": digest("taken back")}]},
    "batch": {"record": None, "root": digest("batch root"), "size": 10},
}


def valid_body(kind: str, serial: int, **over: Any) -> dict[str, Any]:
    """A valid body of a commitment kind; `serial` makes it unlike others. In `over`, None removes a field."""
    body = {
        "v": 1,
        "kind": kind,
        "issuer": "m0",
        "project": f"project-{serial}",
        "disclosure": "public",
        "record": digest(f"record {serial}"),
        **_NEEDED[kind],
        **over,
    }
    return {name: value for name, value in body.items() if value is not None}
