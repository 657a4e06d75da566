"""Mistake 11: which Ed25519 signatures are valid is ambiguous in RFC 8032 (CometBFT adr-079). Two nodes with different
libraries then differ over a block. Here libsodium's rule is part of validity, everywhere, and its edges are vectors.
"""

from __future__ import annotations

import json
import pathlib
from dataclasses import replace
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from tests.consensus.harness import GENESIS, Bench
from tests.mistakes.planted import must_fail
from tests.support import edwards
from tests.support.consortium import Consortium

from notarium_consensus import authentication
from notarium_consensus.events import ProtocolViolation
from notarium_ledger import signing
from notarium_ledger.blocks import certificate as certificates
from notarium_ledger.blocks.certificate import Seal
from notarium_ledger.entries import entry as entries
from notarium_ledger.entries.entry import decode_entry, verify_signature
from notarium_ledger.errors import InvalidCertificate, InvalidEntry
from notarium_ledger.state import governance
from notarium_ledger.state.governance import apply_entry
from notarium_ledger.types import Height, Signature

CASES: list[dict[str, Any]] = json.loads(
    (pathlib.Path(__file__).parents[1] / "vectors" / "ed25519.json").read_text("utf-8")
)["cases"]


def another_librarys_rule(patch: pytest.MonkeyPatch) -> None:
    """OpenSSL's: it takes keys and commitments of small order."""

    def verify(key: bytes, message: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True

    for module in (signing, authentication, certificates, entries):
        patch.setattr(module, "verify", verify)


def the_scalar_may_be_large(patch: pytest.MonkeyPatch) -> None:
    """S is taken modulo L, as early implementations did: signatures become malleable."""
    strict = signing.verify

    def verify(key: bytes, message: bytes, signature: bytes) -> bool:
        scalar = int.from_bytes(signature[32:], "little") % edwards.L
        return strict(key, message, signature[:32] + scalar.to_bytes(32, "little"))

    for module in (signing, authentication, certificates, entries):
        patch.setattr(module, "verify", verify)


def any_key_can_be_enrolled(patch: pytest.MonkeyPatch) -> None:
    """A key is 32 bytes."""
    patch.setattr(governance, "is_valid_key", lambda key: len(key) == 32)


def malleable(signature: bytes) -> Signature:
    """The same signature with S + L, which fits into 32 bytes."""
    scalar = int.from_bytes(signature[32:], "little") + edwards.L
    return Signature(signature[:32] + scalar.to_bytes(32, "little"))


def test_mistake_11_the_edges_of_the_rule_are_vectors_and_we_keep_to_them() -> None:
    assert len(CASES) >= 20
    for case in CASES:
        key, message, signature = (bytes.fromhex(case[name]) for name in ("key", "message", "signature"))
        assert signing.verify(key, message, signature) is case["valid"], case["name"]
        assert signing.is_valid_key(key) is case["enrollable"], case["name"]


@pytest.mark.parametrize("size", [4, 7])
def test_mistake_11_votes_certificates_and_entries_are_held_to_one_rule(size: int) -> None:
    """A malleable signature is refused by each of them: if one took it, nodes would differ over what is decided."""
    bench = Bench(own=0, size=size)
    club, block = bench.club, bench.club.block(1)
    vote = club.prepare(1, 0, block)
    bench.receive(replace(vote, signature=malleable(vote.signature)))
    assert ["signature" in violation.reason for violation in bench.events(ProtocolViolation)] == [True]

    certificate = club.decision(block, range(club.validators.quorum)).certificate
    last = certificate.seals[-1]
    bent = replace(certificate, seals=(*certificate.seals[:-1], Seal(last.key, malleable(last.signature))))
    with pytest.raises(InvalidCertificate, match="invalid"):
        bent.verify(GENESIS, club.validators, Height(1), block.hash)

    consortium = Consortium(1)
    raw = consortium.entry().raw
    entry = decode_entry(raw)
    at = raw.index(entry.signature)
    other = decode_entry(raw[:at] + malleable(entry.signature) + raw[at + 64 :])
    verify_signature(entry, consortium.genesis.hash)
    with pytest.raises(InvalidEntry, match="not valid"):
        verify_signature(other, consortium.genesis.hash)


def test_mistake_11_a_key_for_which_anybody_can_sign_is_enrolled_nowhere() -> None:
    """Keys of small order, of mixed order, and not canonical: as researcher's, member's and node's key."""
    consortium = Consortium(4)
    bad = sorted({bytes.fromhex(case["key"]) for case in CASES if not case["enrollable"]})
    assert len(bad) >= 8
    for key in bad:
        node = {
            "member": "m0", "role": "observer", "key": key, "certificate": bytes(64), "address": "host:1",
        }  # fmt: skip
        for body in (
            consortium.member_body("enrol", 0, key=key),
            consortium.member_body("propose", 0, action={"type": "add-member", "id": "new", "name": "New", "key": key}),
            consortium.member_body("propose", 0, action={"type": "set-node", "node": node}),
        ):
            with pytest.raises(InvalidEntry, match="small order or not canonical"):
                apply_entry(consortium.genesis.registry, consortium.entry(body), Height(1))


def test_mistake_11_planted_is_caught_by_each_test() -> None:
    must_fail(another_librarys_rule, test_mistake_11_the_edges_of_the_rule_are_vectors_and_we_keep_to_them)
    must_fail(the_scalar_may_be_large, test_mistake_11_the_edges_of_the_rule_are_vectors_and_we_keep_to_them)
    must_fail(the_scalar_may_be_large, test_mistake_11_votes_certificates_and_entries_are_held_to_one_rule, 4)
    must_fail(any_key_can_be_enrolled, test_mistake_11_a_key_for_which_anybody_can_sign_is_enrolled_nowhere)


def test_mistake_11_planted_the_libraries_do_differ() -> None:
    """Otherwise there would be nothing to freeze."""
    with pytest.MonkeyPatch.context() as patch:
        another_librarys_rule(patch)
        differing = [
            case["name"]
            for case in CASES
            if signing.verify(*(bytes.fromhex(case[name]) for name in ("key", "message", "signature"))) != case["valid"]
        ]
    assert differing
