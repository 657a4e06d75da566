"""Who may say what: authors, and the keys that members enrol and revoke."""

import pytest
from tests.ledger.state.governing import NEW, NEXT, SMALL_ORDER, Fields, apply, cause_of
from tests.support.consortium import Consortium, digest, key

from notarium_ledger.errors import InvalidEntry, KeyRefusal
from notarium_ledger.signing import SigningKey
from notarium_ledger.state.chain_state import advance
from notarium_ledger.state.governance import apply_entry, check_author
from notarium_ledger.state.registry import Registry


def test_a_researcher_speaks_for_the_own_institution_only(consortium: Consortium, registry: Registry) -> None:
    mine, theirs = consortium.researcher_keys[0], consortium.researcher_keys[1]
    check_author(registry, consortium.entry(consortium.body(issuer="m0"), signer=mine))
    check_author(registry, consortium.entry(consortium.body(issuer="m1"), signer=theirs))
    for issuer, signer, field in (
        ("m1", mine, "body.issuer"),
        ("m0", theirs, "body.issuer"),
        ("nobody", mine, "body.issuer"),
        ("m0", key("stranger"), "key"),
        ("m0", consortium.admin_keys[0], "key"),
        ("m0", consortium.validator_keys[0], "key"),
    ):
        with pytest.raises(InvalidEntry) as caught:
            check_author(registry, consortium.entry(consortium.body(issuer=issuer), signer=signer))
        assert caught.value.field == field


@pytest.mark.parametrize("kind", ["enrol", "revoke", "propose", "vote"])
def test_only_the_governance_key_speaks_for_a_member(consortium: Consortium, registry: Registry, kind: str) -> None:
    extra: dict[str, Fields] = {
        "enrol": {"key": NEW},
        "revoke": {"key": bytes(consortium.researcher.public)},
        "propose": {"action": {"type": "remove-member", "id": "m3"}},
        "vote": {"proposal": digest("p"), "approve": True},
    }
    body = consortium.member_body(kind, 0, **extra[kind])
    wrong: list[SigningKey] = [consortium.admin_keys[1], consortium.researcher, consortium.validator_keys[0]]
    for signer in wrong:
        with pytest.raises(InvalidEntry) as caught:
            apply_entry(registry, consortium.entry(body, signer), NEXT)
        assert caught.value.field == "key"
        assert cause_of(caught.value) is KeyRefusal.NOT_GOVERNANCE_KEY
    with pytest.raises(InvalidEntry) as caught:
        apply_entry(registry, consortium.entry({**body, "member": "m9"}, consortium.admin_keys[0]), NEXT)
    assert caught.value.field == "body.member"


# Researchers' keys


def test_an_enrolled_key_may_speak_from_the_next_entry_on(consortium: Consortium, registry: Registry) -> None:
    new = key("new")
    entry = consortium.entry(consortium.body(issuer="m2"), signer=new)
    with pytest.raises(InvalidEntry, match="key: is not enrolled") as caught:
        apply_entry(registry, entry, NEXT)
    assert cause_of(caught.value) is KeyRefusal.NOT_ENROLLED
    after, changes = apply(registry, consortium, consortium.member_body("enrol", 2, key=NEW))
    assert changes == [False]
    assert apply_entry(after, entry, NEXT) == (after, False)
    assert registry.researchers.keys() == {each.public for each in consortium.researcher_keys}, "changed in place"
    transition = advance(
        consortium.state,
        [consortium.entry(consortium.member_body("enrol", 2, key=NEW)), entry],
        1,
        consortium.validator_keys[0].public,
    )
    assert transition.state.registry == after.with_uses(transition.state.registry.uses)


def test_a_revoked_key_never_speaks_again(consortium: Consortium, registry: Registry) -> None:
    mine = bytes(consortium.researcher.public)
    revoke = consortium.member_body("revoke", 0, key=mine)
    after, _ = apply(registry, consortium, revoke)
    with pytest.raises(InvalidEntry, match="key: was revoked") as refused:
        apply_entry(after, consortium.entry(), NEXT)
    assert cause_of(refused.value) is KeyRefusal.REVOKED
    with pytest.raises(InvalidEntry, match=f"{mine.hex()} is already revoked; nothing is left to do"):
        apply(after, consortium, revoke)
    for member in (0, 3):
        with pytest.raises(InvalidEntry, match=f"{mine.hex()} is enrolled already, or was revoked; enrol another key"):
            apply(after, consortium, consortium.member_body("enrol", member, key=mine))


FIRST = bytes(key("test researcher 0").public)
NOT_CANONICAL = bytes.fromhex("ee" + "ff" * 30 + "7f")
"""1, written as p + 1."""
UNUSABLE = "is of small order or not canonical, so it is not a valid key; make another"


@pytest.mark.parametrize(
    ("kind", "member", "public", "reason"),
    [
        ("enrol", 0, SMALL_ORDER, UNUSABLE),
        ("enrol", 0, NOT_CANONICAL, UNUSABLE),
        ("enrol", 1, FIRST, "is enrolled already, or was revoked; enrol another key"),
        ("revoke", 1, FIRST, "is enrolled for m0, which alone can revoke it"),
        ("revoke", 0, NEW, "is not enrolled; look it up in the list of researchers' keys"),
    ],
)
def test_keys_that_cannot_be_enrolled_or_revoked(
    consortium: Consortium, registry: Registry, kind: str, member: int, public: bytes, reason: str
) -> None:
    with pytest.raises(InvalidEntry) as caught:
        apply(registry, consortium, consortium.member_body(kind, member, key=public))
    assert str(caught.value) == f"body.key: {public.hex()} {reason}"


def test_who_writes_for_another_s_key_learns_whose_it_is(consortium: Consortium, registry: Registry) -> None:
    entry = consortium.entry(consortium.body(issuer="m1"), signer=consortium.researcher)
    with pytest.raises(InvalidEntry) as caught:
        check_author(registry, entry)
    assert str(caught.value) == (
        f"body.issuer: m1 did not enrol the key {entry.key.hex()}: name m0, which did, or use another key"
    )
