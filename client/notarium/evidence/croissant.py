"""Data sets in the terms of Croissant 1.1 (https://docs.mlcommons.org/croissant/).

A data set that comes with a Croissant file says there what it is called, which version it is, and who may use it. A
record repeats that, and says where the file and the data disagree. `croissant` describes an artifact as such a file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from notarium.evidence.artifact import Artifact
from notarium.evidence.contents import Item
from notarium.evidence.media_types import media_type
from notarium.files import read_regular

CONFORMS_TO: Final = "http://mlcommons.org/croissant/1.1"
FILE_NAMES: Final = ("croissant.json", "metadata.json")
MAX_BYTES: Final = 16 * 1024 * 1024
_TERMS: Final = ("name", "version", "license", "url", "citeAs", "datePublished", "conformsTo")
_UNKNOWN_TYPE: Final = "application/octet-stream"

Json = dict[str, Any]


def describe_data_sets(artifacts: Sequence[Artifact], directory: Path) -> tuple[list[Json], list[str]]:
    """[{artifact, file, terms, files_compared}] of the artifacts that hold a Croissant file, and gaps.

    `directory`: of the record.
    """
    described: list[Json] = []
    gaps: list[str] = []
    for artifact in artifacts:
        place = Path(os.path.normpath(directory / artifact.name))
        for item in artifact.last.items:
            if item.path in FILE_NAMES and item.has_content and (said := _read(place / item.path)) is not None:
                count, found = _compare(said, artifact)
                terms = {term: _plain(said[term]) for term in _TERMS if term in said}
                about = {"artifact": artifact.name, "file": item.path, "terms": terms, "files_compared": count}
                described.append(about)
                gaps += [f"data set {artifact.name}: {item.path} {gap}" for gap in found]
    return described, gaps


def croissant(artifact: Artifact, terms: Mapping[str, Any]) -> Json:
    """A folder or file as a Croissant data set: a FileObject for each file. `terms`: name, license, version ..."""
    files = [item for item in artifact.last.items if item.has_content]
    return {
        "@context": {
            "@vocab": "https://schema.org/",
            "sc": "https://schema.org/",
            "cr": "http://mlcommons.org/croissant/",
            "dct": "http://purl.org/dc/terms/",
            "conformsTo": "dct:conformsTo",
            "citeAs": "cr:citeAs",
        },
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": artifact.name,
        **terms,
        "distribution": [_file_object(item, artifact) for item in files],
    }


def _file_object(item: Item, artifact: Artifact) -> Json:
    path = item.path or artifact.name
    return {
        "@type": "cr:FileObject",
        "@id": path,
        "name": path,
        "contentUrl": path,
        "contentSize": f"{item.size} B",
        "encodingFormat": media_type(path) or _UNKNOWN_TYPE,
        "sha256": item.sha256,
    }


def _read(place: Path) -> Json | None:
    """None where it is another JSON file, or cannot be read; its bytes are recorded all the same."""
    try:
        data = read_regular(place, MAX_BYTES)
        document = json.loads(data) if len(data) <= MAX_BYTES else None
    except (OSError, ValueError, RecursionError):
        return None
    is_one = isinstance(document, dict) and "mlcommons.org/croissant" in str(document.get("conformsTo"))
    return document if is_one else None


def _compare(said: Json, artifact: Artifact) -> tuple[int, list[str]]:
    """How many files of the data set have the digest that the Croissant file says, and what disagrees."""
    here = {item.path: item for item in artifact.last.items if item.has_content}
    agreeing, gaps = 0, []
    distribution = said.get("distribution")
    for each in distribution if isinstance(distribution, list) else []:
        path, digest = (each.get("contentUrl"), each.get("sha256")) if isinstance(each, dict) else (None, None)
        if not isinstance(path, str) or not isinstance(digest, str) or "://" in path:
            continue
        item = here.get(path.removeprefix("./"))
        if item is None:
            gaps.append(f"names {path}, which is not here")
        elif item.sha256 != digest.lower():
            gaps.append(f"says another SHA-256 of {path}")
        else:
            agreeing += 1
    return agreeing, gaps


def _plain(value: Any) -> Any:
    """Text and lists of text as they are, anything else as JSON text: terms are to be read, not computed with."""
    if isinstance(value, str) or (isinstance(value, list) and all(isinstance(each, str) for each in value)):
        return value
    return json.dumps(value, sort_keys=True)
