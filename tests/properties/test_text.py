"""A name means what it shows: no body that is valid holds a character that a terminal or a reader takes for another."""

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.consortium import Consortium, key, valid_body

from notarium_ledger.encoding import canonical
from notarium_ledger.entries.commitment import check_body
from notarium_ledger.errors import InvalidEntry, InvalidGenesis
from notarium_ledger.state.genesis import Genesis

CONSORTIUM = Consortium(4)
TEXTS: dict[str, Callable[[str], dict[str, Any]]] = {
    "body.project": lambda text: valid_body("dataset", 1, project=text),
    "body.policy": lambda text: valid_body("dataset", 1, policy=text),
    "body.subjects[0].role": lambda text: valid_body("dataset", 1, subjects=[{"digest": bytes(32), "role": text}]),
    "body.subjects[0].name": lambda text: valid_body(
        "dataset", 1, subjects=[{"digest": bytes(32), "role": "input", "name": text}]
    ),
    "body.format": lambda text: valid_body("model", 1, format=text),
    "body.identifier": lambda text: valid_body("publication", 1, identifier=text),
    "body.reason": lambda text: valid_body("retraction", 1, reason=text),
    "body.action.name": lambda text: CONSORTIUM.member_body(
        "propose", action={"type": "add-member", "id": "m9", "name": text, "key": bytes(key("text").public)}
    ),
    "body.note": lambda text: CONSORTIUM.member_body(
        "propose", action={"type": "remove-member", "id": "m1"}, note=text
    ),
}
"""Every text of a body without a pattern of its own; `reason` of revoke is that of retraction."""
CHARACTERS = st.characters(exclude_categories=["Cs"]) | st.sampled_from(
    [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0), 0x61C, *range(0x200B, 0x2010), *range(0x2028, 0x2070))]
)


def reorders_or_controls(character: str) -> bool:
    """By Unicode's own properties, independently of the list of code points that validity goes by."""
    return (
        unicodedata.category(character) in ("Cc", "Zl", "Zp")
        or unicodedata.bidirectional(character) in (*("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"),)
        or character in "\u061c\u200e\u200f"
    )


@given(field=st.sampled_from(sorted(TEXTS)), before=st.text("ab", max_size=3), character=CHARACTERS)
def test_a_body_is_refused_exactly_where_a_text_reorders_or_controls(field: str, before: str, character: str) -> None:
    body = canonical.decode(canonical.encode(TEXTS[field](f"{before}{character}")))
    if not reorders_or_controls(character):
        check_body(body)
        return
    with pytest.raises(InvalidEntry, match=rf"contains U\+{ord(character):04X};") as caught:
        check_body(body)
    assert caught.value.field == field


@pytest.mark.parametrize("path", ["name", "members[0].name"])
@given(character=CHARACTERS.filter(reorders_or_controls))
def test_a_genesis_is_refused_too(path: str, character: str) -> None:
    document = Consortium(1).genesis.document
    holder = document if path == "name" else document["members"][0]
    holder["name"] = f"a{character}"
    with pytest.raises(InvalidGenesis, match=rf"contains U\+{ord(character):04X};") as caught:
        Genesis.from_document(document)
    assert caught.value.field == path
