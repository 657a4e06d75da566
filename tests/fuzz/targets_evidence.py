"""Decoders of what lies in a researcher's folders and comes from elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.fuzz.files import from_file
from tests.fuzz.target import Target

from notarium.errors import ProjectError
from notarium.evidence.artifact import Artifact
from notarium.evidence.croissant import CONFORMS_TO, describe_data_sets
from notarium.evidence.ignore import Rules, read_patterns
from notarium.evidence.inventory import hash_path
from notarium.evidence.models import describe_models
from notarium.evidence.references import refer

_PATHS = ("a/b/c.csv", "x.tmp", "logs/2026/run.log", "!bang", "a" * 200)
_HEADER = b'{"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"__metadata__":{"format":"np"}}'
_INDEX = {"metadata": {"total_size": 24}, "weight_map": {"w": "model-1-of-2.safetensors"}}
_CROISSANT = {
    "conformsTo": CONFORMS_TO,
    "name": "cohort",
    "license": ["CC-BY-4.0"],
    "distribution": [{"@type": "cr:FileObject", "contentUrl": "a.csv", "sha256": "ab" * 32}],
}
_ANSWER = {"VersionId": "v1", "ContentLength": 12, "ETag": '"5d41"', "ChecksumSHA256": "q" * 43 + "="}


def _folder_of(path: Path) -> Artifact:
    return Artifact.of(path.parent.name, "subject", hash_path(path.parent))


def _weights(path: Path) -> Any:
    return describe_models([_folder_of(path)], path.parent.parent, are_models=True)


def _data_set(path: Path) -> Any:
    return describe_data_sets([_folder_of(path)], path.parent.parent)


def _patterns(data: bytes) -> list[bool]:
    rules = Rules([each.text for each in read_patterns(data.decode("utf-8", "replace"))])
    return [rules.leave_out_within(path, False) for path in _PATHS]


def _s3(data: bytes) -> Any:
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return refer("s3://bucket/key", "input", s3=answer) if isinstance(answer, dict) else None


TARGETS = (
    Target(
        "ignore file",
        _patterns,
        (ValueError,),
        ("notarium.evidence.ignore:Pattern.read",),
        (b"*.tmp\n!keep.tmp\n", b"/data/**/raw/\n# x\n\\#y\n[a-z]?\\ \n"),
        dialect="text",
        max_bytes=8192,
    ),
    Target(
        "weights in safetensors",
        from_file("model.safetensors", _weights),
        (),
        (
            "notarium.evidence.models:_Weights.read",
            "notarium.evidence.models:_tensors",
            "notarium.evidence.models:resources_digest",
        ),
        (len(_HEADER).to_bytes(8, "little") + _HEADER,),
        dialect="json",
    ),
    Target(
        "index of weights",
        from_file("model.safetensors.index.json", _weights),
        (),
        ("notarium.evidence.models:_Weights._compare",),
        (json.dumps(_INDEX).encode(),),
        dialect="json",
    ),
    Target(
        "croissant file",
        from_file("croissant.json", _data_set),
        (),
        ("notarium.evidence.croissant:_read",),
        (json.dumps(_CROISSANT).encode(),),
        dialect="json",
    ),
    Target(
        "reference to what is elsewhere",
        lambda data: refer(data.decode("utf-8", "replace"), "input"),
        (ProjectError,),
        (
            "notarium.evidence.references:_located",
            "notarium.evidence.references:_without_secrets",
            "notarium.evidence.ipfs:Cid.parse",
            "notarium.evidence.ipfs:_from_base58",
        ),
        (
            b"doi:10.5281/zenodo.1",
            b"QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o",
            b"ipfs://bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4/a",
            b"https://me:pass@example.org/x?sig=abc",
        ),
        dialect="text",
        max_bytes=8192,
    ),
    Target(
        "answer of S3",
        _s3,
        (ProjectError,),
        ("notarium.evidence.references:_read_s3",),
        (json.dumps(_ANSWER).encode(),),
        dialect="json",
    ),
)
