"""What a record says, and whether its file is what the schema says."""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from notarium.evidence.record import Record


def recorded(place: Path | str) -> dict[str, Any]:
    """The facts of the record at `place`, and its artifacts, whatever kind it is of. Its signature holds."""
    record = Record.decode(Path(place).read_bytes())
    return {**record.facts, "artifacts": [each.to_json() for each in record.artifacts]}


SCHEMA: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "docs" / "schemas" / "record.schema.json").read_text(encoding="utf-8")
)
"""JSON Schema of a record's file."""


def violations(document: Any, of: str = "") -> list[str]:
    """Where `document` is not what the schema says; `of`: one of its definitions."""
    wanted = {"$defs": SCHEMA["$defs"], "$ref": f"#/$defs/{of}"} if of else SCHEMA
    return [f"{each.json_path}: {each.message[:300]}" for each in Draft202012Validator(wanted).iter_errors(document)]


def violations_of_all(folder: Path) -> dict[str, list[str]]:
    """Those of each record below `folder`, by its path; a folder without any is an error."""
    found = {str(place.relative_to(folder)): json.loads(place.read_bytes()) for place in folder.rglob("*.record.json")}
    assert found
    return {name: wrong for name, document in found.items() if (wrong := violations(document))}
