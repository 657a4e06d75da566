"""Every reader of foreign JSON takes one encoding, no name twice, and never true for 1."""

import ast
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.consortium import Consortium
from tests.vectors.chain import chain
from tests.vectors.equivocation import document as equivocations

from notarium.ledger_access.answers import Answer
from notarium_ledger.encoding.json_file import is_same_json, parse_json
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.trust.equivocation_file import EquivocationFile
from notarium_ledger.trust.receipt import Receipt

ROOT = Path(__file__).parents[3]
GENESIS = Consortium(4).genesis.encode_json()
RECEIPT = chain().receipt(3, 0).encode_json()
EQUIVOCATION = equivocations()["valid"][0]["text"].encode()


READERS: dict[str, tuple[Callable[[bytes], Any], bytes]] = {
    "genesis": (Genesis.decode_json, GENESIS),
    "receipt": (Receipt.decode_json, RECEIPT),
    "equivocation": (EquivocationFile.decode_json, EQUIVOCATION),
    "any": (parse_json, b'{"a": 1}\n'),
}


@pytest.mark.parametrize("name", READERS)
def test_only_utf_8_without_a_byte_order_mark_is_read(name: str) -> None:
    read, good = READERS[name]
    read(good)
    text = good.decode()
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"):
        with pytest.raises(ValueError, match=r"JSON|byte order mark|UTF-8|Expecting"):
            read(text.encode(encoding))
    with pytest.raises(ValueError, match="begins with a byte order mark; save it as UTF-8 without one"):
        read(text.encode("utf-8-sig"))
    with pytest.raises(ValueError, match="is not UTF-8"):
        read(good[:-2] + b"\xff" + good[-2:])


@pytest.mark.parametrize("name", READERS)
def test_a_name_that_appears_twice_is_refused(name: str) -> None:
    read, good = READERS[name]
    document = json.loads(good)
    first = next(iter(document))
    twice = good.replace(
        b"{", b"{" + json.dumps(first).encode() + b":" + json.dumps(document[first]).encode() + b",", 1
    )
    assert json.loads(twice) == document
    with pytest.raises(ValueError, match="twice"):
        read(twice)


def test_what_json_does_not_have_is_refused() -> None:
    for text in (b"NaN", b"Infinity", b"[-Infinity]"):
        with pytest.raises(ValueError, match="is no number of JSON"):
            parse_json(text)


def numbers(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all integers in a document."""
    if type(value) is int:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from numbers(item, (*path, key))


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy with another value in one place."""
    copy = json.loads(json.dumps(document))
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copy


@pytest.mark.parametrize("wrong", [True, False, 1.0, "1", None])
@pytest.mark.parametrize("name", ["genesis", "receipt", "equivocation"])
def test_no_integer_of_a_file_is_anything_else(name: str, wrong: Any) -> None:
    read, good = READERS[name]
    document = json.loads(good)
    if name == "genesis":
        document["parameters"] = {"max_block_entries": 1, "clock_precision_ms": 1}
    places = list(numbers(document))
    assert places
    for path in places:
        with pytest.raises(ValueError, match=r"."):
            read(_written(name, changed(document, path, wrong)))


def _written(name: str, document: Any) -> bytes:
    if name == "genesis":
        return json.dumps(document).encode()
    lines = [f'"{key}":' + json.dumps(value, separators=(",", ":")) for key, value in document.items()]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def test_true_is_not_the_same_json_as_1() -> None:
    assert is_same_json({"a": 1, "b": 2}, {"b": 2, "a": 1})
    for other in (True, 1.0, "1", [1], None):
        assert not is_same_json({"a": 1}, {"a": other})


OWN = {
    ("client/notarium/anchoring/journal.py", "a line of the project's own journal"),
    ("client/notarium/anchoring/other_processes.py", "calls of this run's own processes, with NaN as a metric"),
    ("client/notarium/evidence/croissant.py", "a description of a data set, as other tools write it"),
    ("client/notarium/evidence/models.py", "headers and indexes of weights, as other tools write them"),
    ("client/notarium/explaining/content.py", "headers of weights that are compared"),
    ("client/notarium/explaining/rewriting.py", "any JSON file that is compared with what it was"),
    ("client/notarium/observing/distributions.py", "files of installed packages, as pip and conda write them"),
    ("ledger/notarium_ledger/encoding/json_file.py", "the reader"),
    ("node/notarium_node/demo/local_network.py", "answers and files of the demo's own nodes"),
}


def test_nothing_else_reads_json_by_the_library_s_default() -> None:
    """A new reader uses parse_json, or stands here with the reason."""
    found = set()
    for package in ("ledger", "consensus", "node", "client"):
        for path in (ROOT / package).rglob("*.py"):
            for each in filter(_is_attribute, ast.walk(ast.parse(path.read_text(encoding="utf-8")))):
                if ast.unparse(each) in ("json.load", "json.loads"):
                    found.add(path.relative_to(ROOT).as_posix())
    assert found == {place for place, _ in OWN}


def test_the_answer_of_a_node_is_read_so_too() -> None:
    answer = Answer("https://node", 200, "application/json", '{"a": 1}'.encode("utf-16"))
    with pytest.raises(Exception, match="not JSON"):
        answer.json_object()


def _is_attribute(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute)
