"""equivocation.json: equivocation files of the chain of genesis.json, as text."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.support.consortium import digest, key
from tests.support.liars import lie
from tests.vectors.chain import chain
from tests.vectors.receipts import edited

from notarium_ledger.blocks.statements import SignedStatement, StatementKind
from notarium_ledger.blocks.validators import Validator, ValidatorSet
from notarium_ledger.encoding import canonical
from notarium_ledger.signing import EQUIVOCATION_TAG, tagged_hash
from notarium_ledger.trust.chain import DecidedHeader, Handover
from notarium_ledger.trust.equivocation import Equivocation, conflict
from notarium_ledger.trust.equivocation_file import EquivocationFile
from notarium_ledger.types import Hash


def document() -> dict[str, Any]:
    """The file's content."""
    valid = [
        _file(1, StatementKind.PROPOSAL),
        _file(2, StatementKind.PREPARE),
        _file(3, StatementKind.COMMIT),
        _file(4, StatementKind.ROUND_CHANGE),
    ]
    return {
        "about": "Equivocation files of the ledger of genesis.json. An invalid one fails at `step` (docs: formats).",
        "genesis": chain().consortium.genesis.document,
        "valid": [{"id": file.equivocation.id.hex(), "text": _text(file)} for file in valid],
        "invalid": [{"name": name, "step": step, "text": text} for name, step, text in _invalid()],
    }


def _set(height: int) -> ValidatorSet:
    """Who signs `height`; block 2 gives m1 another key."""
    return chain().states[height - 1].registry.validators


def _equivocation(height: int, kind: StatementKind = StatementKind.COMMIT, **over: Any) -> Equivocation:
    """By m1, with the key it has at `height`."""
    liar = chain().consortium.validator_keys[1] if height < 3 else key("vectors validator 1 again")
    return lie(chain().consortium, liar, height, kind, **{"validators": _set(height), **over})


def _file(height: int, kind: StatementKind = StatementKind.COMMIT) -> EquivocationFile:
    return EquivocationFile(
        _equivocation(height, kind), _set(height), chain().decided(height - 1) if height > 1 else None
    )


def _text(file: EquivocationFile) -> str:
    return file.encode_json().decode()


def _invalid() -> Iterator[tuple[str, int, str]]:
    good = _file(4)
    yield from _other_form(_text(good))
    yield from _other_ledger(good)
    yield from _other_chain(good)
    yield from _other_accused(good)
    yield from _other_statements(good)
    text = _text(good)
    yield "another member in about", 7, text.replace('"member":"m1"', '"member":"m2"')
    yield "another kind in about", 7, text.replace('"kind":"commit"', '"kind":"prepare"')
    yield "another height in about", 7, text.replace('"height":4', '"height":5')
    yield "another block in about", 7, text.replace('"first":{"block":"', '"first":{"block":"00')
    yield "another field in about", 7, text.replace('"about":{', '"about":{"guilty":true,')


def _other_form(text: str) -> Iterator[tuple[str, int, str]]:
    yield "nothing", 1, ""
    yield "not JSON", 1, text[:-3]
    yield "a list", 1, "[]\n"
    yield "a receipt's media type", 1, text.replace("equivocation.v1+json", "receipt.v1+json")
    yield "a field missing", 1, edited(text, lambda document: document.pop("validators"))
    yield "an unknown field", 1, edited(text, lambda document: document.update(note="checked by us"))
    yield "no line feed at the end", 1, text[:-1]
    yield "reordered fields", 1, json.dumps(dict(reversed(json.loads(text).items())))
    yield "genesis in upper case", 1, edited(text, lambda it: it.update(genesis=it["genesis"].upper()))
    yield "equivocation not base64", 1, edited(text, lambda document: document.update(equivocation="?"))
    yield "equivocation nil", 1, edited(text, lambda document: document.update(equivocation=None))
    yield "header without certificate", 1, edited(text, lambda document: document.update(certificate=None))
    yield "handovers without header", 1, edited(text, lambda it: it.update(header=None, certificate=None))
    yield "validators not in order", 1, _with(text, "validators", _reversed_set())
    value: Any = canonical.decode(base64.b64decode(json.loads(text)["equivocation"]))
    for name, changed in (
        ("equivocation of version 2", [2, *value[1:]]),
        ("equivocation of version 0", [0, *value[1:]]),
        ("equivocation with a third statement", [*value, value[3]]),
        ("equivocation with the greater statement first", [*value[:3], value[4], value[3]]),
        ("equivocation with a short hash", [value[0], value[1][:-1], *value[2:]]),
        ("a vote of type 4", [*value[:4], [4, *value[4][1:]]]),
        ("a vote at height 0", [*value[:3], *([each[0], 0, *each[2:]] for each in value[3:])]),
        ("a vote with a short signature", [*value[:4], [*value[4][:5], value[4][5][:-1]]]),
    ):
        yield name, 1, _with(text, "equivocation", canonical.encode(changed))
    yield "proposals of type true", 1, _type_true()
    longer = base64.b64decode(json.loads(text)["equivocation"]) + b"\0"
    yield "equivocation with a byte behind it", 1, _with(text, "equivocation", longer)


def _type_true() -> str:
    """In place of type 1, whose signed bytes are the same: only the type shows it. The id follows."""
    text = _text(_file(4, StatementKind.PROPOSAL))
    value: Any = canonical.decode(base64.b64decode(json.loads(text)["equivocation"]))
    assert [each[0] for each in value[3:]] == [1, 1]
    data = canonical.encode([*value[:3], *([True, *each[1:]] for each in value[3:])])
    changed = _with(text, "equivocation", data)
    return edited(changed, lambda document: document["about"].update(id=tagged_hash(EQUIVOCATION_TAG, data).hex()))


def _with(text: str, field: str, data: bytes) -> str:
    return edited(text, lambda document: document.update({field: base64.b64encode(data).decode()}))


def _reversed_set() -> bytes:
    value: Any = _set(4).to_value()
    return canonical.encode(value[::-1])


def _other_ledger(good: EquivocationFile) -> Iterator[tuple[str, int, str]]:
    another = Hash(digest("another genesis"))
    yield "another ledger", 2, _text(replace(good, equivocation=replace(good.equivocation, genesis=another)))
    parent = chain().decided(3)
    foreign = replace(parent, header=replace(parent.header, genesis=another))
    yield "a block of another ledger", 2, _text(replace(good, parent=foreign))


def _other_chain(good: EquivocationFile) -> Iterator[tuple[str, int, str]]:
    parent = chain().decided(3)
    (handover,) = parent.handovers
    old = chain().consortium.genesis.registry.validators

    def file(*handovers: Handover) -> str:
        return _text(replace(good, parent=DecidedHeader(parent.header, parent.certificate, handovers)))

    yield "handover to another set", 3, file(replace(handover, validators=old))
    yield "handover with another certificate", 3, file(replace(handover, certificate=parent.certificate))
    yield "handover twice", 3, file(handover, handover)
    yield "handovers left out", 4, file()
    other = chain().decided(1)
    yield "another certificate", 4, _text(replace(good, parent=replace(parent, certificate=other.certificate)))
    renamed = replace(parent.header, next_validators=old.hash)
    yield "a header with another next set", 4, _text(replace(good, parent=replace(parent, header=renamed)))
    yield "the block two before", 4, _text(replace(good, parent=chain().decided(2)))
    yield "no block before at height 4", 4, _text(replace(good, parent=None))
    yield "a block before height 1", 4, _text(replace(_file(1), parent=chain().decided(1)))


def _other_accused(good: EquivocationFile) -> Iterator[tuple[str, int, str]]:
    old, consortium = chain().consortium.genesis.registry.validators, chain().consortium
    yield "the set before the handover", 5, _text(replace(good, validators=old))
    names = {"m1": "m2", "m2": "m1"}
    renamed = [Validator(names.get(each.member, each.member), each.key) for each in good.validators.validators]
    yield "the key under another member's name", 5, _text(replace(good, validators=ValidatorSet(tuple(renamed))))
    yield "statements that name another set", 5, _text(replace(good, equivocation=_equivocation(4, validators=old)))
    both = EquivocationFile(_equivocation(4, validators=old), old, good.parent)
    yield "both of the set before the handover", 5, _text(both)
    late = EquivocationFile(lie(consortium, consortium.validator_keys[1], 4, validators=_set(4)), _set(4), good.parent)
    yield "a key that was replaced before", 5, _text(late)
    early = EquivocationFile(
        lie(consortium, key("vectors validator 1 again"), 2, validators=old), old, chain().decided(1)
    )
    yield "a key that came only later", 5, _text(early)
    first = EquivocationFile(lie(consortium, key("stranger"), 1), old, None)
    yield "no validator at all", 5, _text(first)


def _other_statements(good: EquivocationFile) -> Iterator[tuple[str, int, str]]:
    equivocation = good.equivocation
    first, second = equivocation.first, equivocation.second

    def file(**over: Any) -> str:
        return _text(replace(good, equivocation=replace(equivocation, **over)))

    def second_of(**how: Any) -> str:
        """The second statement taken from another lie."""
        return file(**_ordered(first, _equivocation(4, **how).second))

    yield "the same statement twice", 6, file(second=first)
    yield "the same words, two signatures", 6, file(**_ordered(first, replace(first, signature=second.signature)))
    yield (
        "signatures swapped",
        6,
        file(first=replace(first, signature=second.signature), second=replace(second, signature=first.signature)),
    )
    yield "statements of two rounds", 6, second_of(round=1)
    yield "statements of two kinds", 6, second_of(kind=StatementKind.PREPARE)
    yield "a vote and a round change", 6, second_of(kind=StatementKind.ROUND_CHANGE)
    other = lie(chain().consortium, chain().consortium.validator_keys[2], 4, validators=_set(4))
    yield "statements of two keys", 6, file(**_ordered(first, other.second))


def _ordered(one: SignedStatement, other: SignedStatement) -> dict[str, SignedStatement]:
    pair = conflict(Hash(b""), Hash(b""), one, other)
    return {"first": pair.first, "second": pair.second}
