"""docs/formats.md agrees with the golden vectors: its hex is theirs, its verifier judges as they say."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from notarium_ledger.entries.commitment import MEMBER_KINDS, PARAMETER_LIMITS, RELATIONS, RESEARCH_KINDS
from notarium_ledger.state.registry import Parameters

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"<!-- vector: (\S+) (.+?) -->\n```hex\n(.*?)```", PAGE, re.DOTALL)


def vectors(name: str) -> Any:
    return json.loads((ROOT / "tests" / "vectors" / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize(("file", "path", "text"), EXAMPLES, ids=[f"{file} {path}" for file, path, _ in EXAMPLES])
def test_hex_is_that_of_the_vectors(file, path, text):
    expected = vectors(file)
    for step in path.split():
        expected = expected[int(step) if step.isdigit() else step]
    shown = "".join(line.partition("#")[0] for line in text.splitlines())
    assert re.sub(r"\s", "", shown) == expected


def test_every_hex_block_is_compared():
    assert len(EXAMPLES) == PAGE.count("```hex") >= 6


@pytest.fixture(scope="module")
def program():
    """The page's own verifier: its functions by name."""
    parts = re.findall(r"<!-- tested: (?:equivocation )?verifier -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(parts) == 2
    code = "\n\n".join(parts)
    assert not re.search(r"^\s*(import|from) notarium", code, re.MULTILINE)
    namespace: dict[str, Any] = {}
    exec(compile(code, "docs/formats.md", "exec"), namespace)  # noqa: S102
    return namespace


@pytest.fixture(scope="module")
def verify(program):
    return program["verify"]


def test_the_verifier_accepts_every_valid_receipt(verify):
    document = vectors("receipts.json")
    assert document["valid"]
    for each in document["valid"]:
        text = each["text"] if isinstance(each, dict) else each
        assert verify(text.encode(), document["genesis"]) == json.loads(text)["about"]


def test_the_verifier_rejects_every_invalid_receipt(verify):
    document = vectors("receipts.json")
    accepted = []
    for each in document["invalid"]:
        try:
            verify(each["text"].encode(), document["genesis"])
        except Exception:  # noqa: S112  # The page's verifier is short: any exception means no.
            continue
        accepted.append(each["name"])
    assert len(document["invalid"]) > 20
    assert accepted == []


def test_the_equivocation_verifier_judges_as_the_vectors_say(program):
    document = vectors("equivocation.json")

    def accepted(text: str) -> bool:
        try:
            said = program["verify_equivocation"](text.encode(), document["genesis"])
        except Exception:
            return False
        return said == json.loads(text)["about"]

    assert [each["id"] for each in document["valid"] if not accepted(each["text"])] == []
    assert [each["name"] for each in document["invalid"] if accepted(each["text"])] == []
    assert len(document["invalid"]) > 40


def test_the_verifier_judges_certificates_as_the_vectors_say(program):
    document = vectors("certificates.json")
    header = bytes.fromhex(vectors("blocks.json")["valid"][0]["raw"])
    validators = [[member, bytes.fromhex(key["$hex"])] for member, key in document["validators"]]

    def accepted(certificate: str) -> bool:
        try:
            genesis = bytes.fromhex(document["genesis"])
            program["certified"](header, bytes.fromhex(certificate), validators, 1, genesis, 4)
        except Exception:
            return False
        return True

    assert [each["name"] for each in document["valid"] if not accepted(each["hex"])] == []
    assert [each["name"] for each in document["invalid"] if accepted(each["hex"])] == []


def test_the_tables_name_every_kind_and_parameter():
    for kind in (*RESEARCH_KINDS, *MEMBER_KINDS):
        assert f"| `{kind}` |" in PAGE
    for relation in RELATIONS:
        assert f"`{relation}`" in PAGE
    for name, (least, most) in PARAMETER_LIMITS.items():
        assert f"| `{name}` | {getattr(Parameters(), name)} | {least} | {most} |" in PAGE
