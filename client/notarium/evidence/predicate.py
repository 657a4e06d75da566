"""The predicate of a record's statement: where each fact stands, so that the field's tools find it.

A run is a SLSA v1 provenance (https://slsa.dev/spec/v1.0/provenance) of a build type of our own: what went in stands in
`buildDefinition`, what happened in `runDetails`, and all that SLSA has no place for in `notarium_record`. Its
`resolvedDependencies`, `byproducts` and the statement's subjects repeat artifacts and code in the form that other tools
read; all are made from the rest, so they cannot contradict it.

Every other kind has a predicate type of its own, with its facts, `artifacts` and `author` side by side.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from notarium.errors import InvalidRecordFile
from notarium.evidence.artifact import BY_PRODUCTS, MADE, Artifact
from notarium.evidence.author import Author
from notarium.evidence.contents import SHA256

RUN: Final = "run"
SLSA: Final = "https://slsa.dev/provenance/v1"
BUILD_TYPE: Final = "urn:notarium:build:run:v1"
BUILDER: Final = "urn:notarium:client"
PREFIX: Final = "urn:notarium:predicate:"
_SUFFIX: Final = ":v1"
RESERVED: Final = ("artifacts", "author", "salt")
"""Names that no fact may take."""
OBSERVED: Final = ("code", "data_sets", "models", "secrets_salt")
"""Names of facts that the client itself finds out, so a researcher's fact may not take them."""
FOLDER: Final = "notarium-folder-v1"
"""The algorithm of a folder's digest, so that no other tool takes it for the SHA-256 of a file."""

_OURS: Final = "notarium_record"
_EXTERNAL: Final = ("name", "command", "params", "param_types", "seeds")
_INTERNAL: Final = ("environment", "determinism")
_METADATA: Final = {"started": "startedOn", "ended": "finishedOn"}

Json = dict[str, Any]


def predicate_type(kind: str) -> str:
    """Of records of this kind."""
    return SLSA if kind == RUN else f"{PREFIX}{kind}{_SUFFIX}"


def subjects(kind: str, artifacts: Sequence[Artifact], facts: Mapping[str, Any]) -> list[Json]:
    """What the statement is about: a run's outputs, or itself where it has none; otherwise every artifact."""
    about = [each for each in artifacts if kind != RUN or each.role == "output"]
    return [_descriptor(each) for each in about] or [_itself(kind, facts)]


def predicate(kind: str, artifacts: Sequence[Artifact], facts: Mapping[str, Any], author: Author) -> Json:
    """The predicate of a record of this kind."""
    named = {"artifacts": [each.to_json() for each in artifacts], "author": author.to_json()}
    if kind != RUN:
        return {**facts, **named}
    external, internal = _taken(facts, _EXTERNAL), _taken(facts, _INTERNAL)
    by_products = [_descriptor(each) for each in artifacts if each.role in BY_PRODUCTS]
    metadata = {slsa: facts[name] for name, slsa in _METADATA.items() if name in facts}
    placed = {*_EXTERNAL, *_INTERNAL, *_METADATA}
    ours = {name: value for name, value in facts.items() if name not in placed}
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": external,
            "internalParameters": internal,
            "resolvedDependencies": _dependencies(artifacts, facts),
        },
        "runDetails": {
            "builder": {"id": BUILDER},
            "metadata": metadata,
            **({"byproducts": by_products} if by_products else {}),
        },
        _OURS: {**ours, **named},
    }


def kind_of(statement: Json) -> str:
    """The kind that a statement's predicate type names. Raises InvalidRecordFile."""
    named = statement["predicateType"]
    if named == SLSA:
        return RUN
    kind = str(named).removeprefix(PREFIX).removesuffix(_SUFFIX)
    if kind == RUN or named != predicate_type(kind):
        raise InvalidRecordFile(f"predicateType is neither {SLSA} nor {PREFIX}KIND{_SUFFIX}")
    return kind


def read_predicate(kind: str, value: Json) -> tuple[tuple[Artifact, ...], Json, Author]:
    """Artifacts, facts and author. Raises InvalidRecordFile, ValueError, KeyError, TypeError or AttributeError.

    What is derived, or is in no place where `predicate` puts it, is not read: the caller compares.
    """
    facts = dict(value[_OURS] if kind == RUN else value)
    artifacts = tuple(Artifact.from_json(each) for each in facts.pop("artifacts"))
    author = Author.from_json(facts.pop("author", None))
    if kind == RUN:
        definition, metadata = value["buildDefinition"], value["runDetails"]["metadata"]
        facts |= _taken(definition["externalParameters"], _EXTERNAL)
        facts |= _taken(definition["internalParameters"], _INTERNAL)
        facts |= {name: metadata[slsa] for name, slsa in _METADATA.items() if slsa in metadata}
    return artifacts, facts, author


def _taken(facts: Mapping[str, Any], names: Sequence[str]) -> Json:
    return {name: facts[name] for name in names if name in facts}


def _dependencies(artifacts: Sequence[Artifact], facts: Mapping[str, Any]) -> list[Json]:
    """What the run was made from: its code, and its inputs."""
    code = facts.get("code") or {}
    commit = code.get("commit") if isinstance(code, dict) else None
    found = [{"name": "code", "digest": {"gitCommit": commit}}] if commit else []
    return [*found, *(_descriptor(each) for each in artifacts if each.role not in MADE)]


def _descriptor(artifact: Artifact) -> Json:
    """As in-toto's ResourceDescriptor."""
    algorithm = FOLDER if artifact.is_folder else SHA256
    return {"name": artifact.name, "digest": {algorithm: artifact.sha256}, "annotations": {"role": artifact.role}}


def _itself(kind: str, facts: Mapping[str, Any]) -> Json:
    """A statement needs a subject. The salt is in this record only, so its digest names no other one."""
    digest = hashlib.sha256(str(facts.get("salt", "")).encode()).hexdigest()
    return {"name": str(facts.get("name") or kind), "digest": {SHA256: digest}}
