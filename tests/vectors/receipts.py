"""receipts.json: receipt files as text, and receipt batches."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tests.support.consortium import digest
from tests.vectors.chain import chain, looped

from notarium_ledger.encoding import canonical
from notarium_ledger.trust.chain import DecidedHeader, Handover
from notarium_ledger.trust.receipt import Receipt
from notarium_ledger.trust.receipt_batch import encode_receipts
from notarium_ledger.types import Hash, Height


def document() -> dict[str, Any]:
    """The file's content."""
    receipts = [chain().receipt(1, 0), chain().receipt(1, 2), chain().receipt(2, 0), chain().receipt(3, 4)]
    return {
        "about": "Receipt files of the ledger of genesis.json. An invalid one fails at `step` (docs: Receipt).",
        "genesis": chain().consortium.genesis.document,
        "valid": [receipt.encode_json().decode() for receipt in receipts],
        "invalid": [{"name": name, "step": step, "text": text} for name, step, text in _invalid()],
        "batch": {
            "entries": [receipt.entry.hex() for receipt in receipts] + [b"not decided".hex()],
            "hex": encode_receipts([*receipts, None]).hex(),
        },
    }


def _invalid() -> Iterator[tuple[str, int, str]]:
    good = chain().receipt(3, 4)
    text = good.encode_json().decode()
    yield from _other_form(text)
    yield from _other_ledger(good)
    yield from _other_handovers(good)
    yield from _other_decision(good)
    yield from _other_entry(good)
    yield "another time in about", 7, text.replace('"time":"2025-', '"time":"2024-')
    yield "another author in about", 7, text.replace('"author":"', '"author":"00', 1)
    yield "another kind in about", 7, text.replace('"kind":"dataset"', '"kind":"run"')
    yield "another index in about", 7, text.replace(',"index":', ',"index":1', 1)
    yield "another field in about", 7, text.replace('"about":{', '"about":{"checked":true,')


def _other_form(text: str) -> Iterator[tuple[str, int, str]]:
    yield "nothing", 1, ""
    yield "not JSON", 1, text[:-3]
    yield "a list", 1, "[]\n"
    yield "another media type", 1, text.replace(".v1+json", ".v2+json")
    yield "a field missing", 1, edited(text, lambda document: document.pop("path"))
    yield "an unknown field", 1, edited(text, lambda document: document.update(note="checked by us"))
    yield "no line feed at the end", 1, text[:-1]
    yield "a space", 1, text.replace('"index":', '"index": ')
    yield "reordered fields", 1, json.dumps(dict(reversed(json.loads(text).items())))
    yield "index as text", 1, edited(text, lambda document: document.update(index="10"))
    yield "index true", 1, edited(text, lambda document: document.update(index=True))
    yield "index as a float", 1, edited(text, lambda document: document.update(index=10.0))
    yield "path as text", 1, edited(text, lambda document: document.update(path=""))
    yield "path with a short hash", 1, edited(text, lambda document: document["path"].append("00"))
    yield (
        "path in upper case",
        1,
        edited(text, lambda document: document.update(path=[each.upper() for each in document["path"]])),
    )
    yield "entry not base64", 1, edited(text, lambda document: document.update(entry="?"))
    yield "header cut short", 1, edited(text, lambda document: document.update(header=document["header"][:-4]))
    yield "certificate nil", 1, edited(text, lambda document: document.update(certificate=None))
    yield "handover without its set", 1, edited(text, lambda document: document["handovers"][0].pop("validators"))
    yield "genesis in about only", 1, text.replace('"genesis":"', '"genesis":"00', 1)


def edited(text: str, edit: Callable[[dict[str, Any]], object]) -> str:
    """The file with an edit, in the same layout."""
    content = json.loads(text)
    edit(content)
    parts = [f"{json.dumps(name)}:{json.dumps(value, separators=(',', ':'))}" for name, value in content.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _file(receipt: Receipt) -> str:
    return receipt.encode_json().decode()


def _other_ledger(good: Receipt) -> Iterator[tuple[str, int, str]]:
    header = replace(good.decided.header, genesis=Hash(digest("another genesis")))
    yield "another ledger", 2, _file(replace(good, decided=replace(good.decided, header=header)))


def _other_handovers(good: Receipt) -> Iterator[tuple[str, int, str]]:
    consortium, decided = chain().consortium, good.decided
    (handover,) = decided.handovers
    first = chain().decisions[0]

    def file(*handovers: Handover) -> str:
        return _file(replace(good, decided=DecidedHeader(decided.header, decided.certificate, handovers)))

    foreign = replace(handover.header, genesis=Hash(digest("another genesis")))
    yield "handover of another ledger", 3, file(replace(handover, header=foreign))
    yield "handover with another certificate", 3, file(replace(handover, certificate=first.certificate))
    old = consortium.genesis.registry.validators
    yield "handover to another set", 3, file(replace(handover, validators=old))
    yield "handover twice", 3, file(handover, handover)
    same = Handover(first.block.header, first.certificate, old)
    yield "handover to the same set", 3, file(same, handover)
    renamed = replace(handover.header, next_validators=Hash(digest("nobody")))
    yield "handover header changed", 3, file(replace(handover, header=renamed))
    later = chain().decided(3)
    yield "handover after the block", 3, file(handover, Handover(later.header, later.certificate, old))
    yield "handovers left out", 4, file()
    yield "handover certificate of round true", 1, edited(_file(good), _round_true)
    since = replace(handover.header, since=Height(2))
    yield "handover of a set in force since another height", 3, file(replace(handover, header=since))
    yield from _left_out_loops()
    for height in (1, 2):
        early = chain().receipt(height, 0)
        with_later = DecidedHeader(early.decided.header, early.decided.certificate, (handover,))
        yield f"block {height} with the handover of block 2", 3, _file(replace(early, decided=with_later))


def _round_true(document: dict[str, Any]) -> None:
    """In place of round 1, whose votes have the same bytes: only the type shows it."""
    handover = document["handovers"][0]
    value: Any = canonical.decode(base64.b64decode(handover["certificate"]))
    assert value[1] == 1
    value[1] = True
    handover["certificate"] = base64.b64encode(canonical.encode(value)).decode()


def _left_out_loops() -> Iterator[tuple[str, int, str]]:
    """The founders signed up to block 2 and sign again after block 4: by their hash alone nothing would be missing."""
    after = looped().receipt(5, 0)
    first, second = after.decided.handovers

    def file(*handovers: Handover) -> str:
        return _file(replace(after, decided=replace(after.decided, handovers=handovers)))

    yield "a loop of handovers left out", 4, file()
    yield "the second handover of a loop left out", 4, file(first)
    yield "the first handover of a loop left out", 3, file(second)


def _other_decision(good: Receipt) -> Iterator[tuple[str, int, str]]:
    consortium, decided = chain().consortium, good.decided
    validators = chain().states[2].registry.validators
    few = consortium.certify(decided.header, validators, signers=[each.key for each in validators.validators][:2])
    yield "too few seals", 4, _file(replace(good, decided=replace(decided, certificate=few)))
    other = chain().decisions[0].certificate
    yield "certificate of another block", 4, _file(replace(good, decided=replace(decided, certificate=other)))
    header = replace(decided.header, tree_root=Hash(digest("another root")))
    yield "header with another root", 4, _file(replace(good, decided=replace(decided, header=header)))


def _other_entry(good: Receipt) -> Iterator[tuple[str, int, str]]:
    neighbour = chain().receipt(3, 3)
    yield "a neighbour's entry", 5, _file(replace(good, entry=neighbour.entry))
    yield "a neighbour's index", 5, _file(replace(good, index=neighbour.index))
    yield "a neighbour's path", 5, _file(replace(good, path=neighbour.path))
    yield "path too short", 5, _file(replace(good, path=good.path[:-1]))
    yield "path too long", 5, _file(replace(good, path=(*good.path, good.path[0])))
    yield "index beyond the tree", 5, _file(replace(good, index=good.decided.header.tree_size))
    yield "index below zero", 5, _file(replace(good, index=-1))
    value: Any = canonical.decode(good.entry)
    value[3] = bytes(64)
    yield "another signature", 5, _file(replace(good, entry=canonical.encode(value)))
    yield (
        "an entry that is none",
        6,
        edited(_file(good), lambda document: document.update(entry=base64.b64encode(b"\x91\x01").decode())),
    )
