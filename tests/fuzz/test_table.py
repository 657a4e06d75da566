"""The table is complete: whatever in the product looks like a decoder is in it, or exempt with a reason."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fuzz.target import Defect, Target, check, check_seeds
from tests.fuzz.targets import EXEMPT, TARGETS

ROOT = Path(__file__).parent.parent.parent
PACKAGES = (
    "ledger/notarium_ledger",
    "ledger/notarium_store",
    "consensus/notarium_consensus",
    "node/notarium_node",
    "client/notarium",
)
NAME = re.compile(r"_?(decode|unpack|parse|load|from|verify_json)(_.*|$)|read|.*_from_(value|document)")
"""A function that is called so takes something apart."""
CALLS = re.compile(
    r"(json|tomllib)\.loads?|.*\.(unpackb|unpack|unpack_from|b64decode|fromhex|load_(der|pem)_.*)"
    r"|canonical\.decode(_shortest)?|urlsplit|parse_json|csv\.reader|ast\.(literal_eval|parse)"
    r"|zipfile\.\w+|.*\.decompress|(gzip|bz2|lzma)\.(?!compress)\w+|pickletools\.\w+|datetime\.fromisoformat"
)
"""Whoever calls one of these does."""


def decoders() -> set[str]:
    """ "module:qualified name" of everything that looks like a decoder."""
    return {name for path in sources() for name, body in functions(path) if is_decoder(name, body)}


def sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def functions(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """Every function and method of a module, by its name."""
    parts = path.relative_to(ROOT).with_suffix("").parts[1:]
    module = ".".join(parts).removesuffix(".__init__")

    def walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.AST]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                yield from walk(child, f"{prefix}{child.name}.")
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{module}:{prefix}{child.name}", child

    yield from walk(ast.parse(path.read_text()), "")


def is_decoder(name: str, body: ast.AST) -> bool:
    if NAME.fullmatch(re.split(r"[.:]", name)[-1]):
        return True
    calls = (ast.unparse(each.func) for each in ast.walk(body) if isinstance(each, ast.Call))
    return any(CALLS.fullmatch(each) for each in calls)


def test_every_decoder_is_in_the_table_or_exempt():
    missing = decoders() - {name for target in TARGETS for name in target.covers} - EXEMPT.keys()
    assert not missing, "add a target to tests/fuzz/targets_*.py, or an exemption with its reason to targets.py"


def test_the_table_names_what_there_is():
    known = {name for path in sources() for name, _ in functions(path)}
    named = {name for target in TARGETS for name in target.covers} | EXEMPT.keys()
    assert named <= known, sorted(named - known)
    covered = {name for target in TARGETS for name in target.covers}
    assert not covered & EXEMPT.keys()
    assert len({target.name for target in TARGETS}) == len(TARGETS)


@pytest.mark.parametrize("target", TARGETS, ids=[target.name for target in TARGETS])
def test_every_target_accepts_its_seeds(target):
    check_seeds(target)


def broken(decode, **more) -> Target:
    return Target("broken", decode, (ValueError,), (), (b"seed",), **more)


@pytest.mark.parametrize(
    "target",
    [
        broken(lambda data: {}[data]),
        broken(lambda data: 1, encode=lambda value: b"other"),
        broken(lambda data: data + b"+", encode=lambda value: value, is_canonical=False),
    ],
)
def test_the_check_itself_can_fail(target):
    """An undocumented error, a second encoding, and a value that does not come back."""
    with pytest.raises(Defect):
        check(target, b"data")
