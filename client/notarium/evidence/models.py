"""What a record says of a model: its digest in the terms of OpenSSF model-signing, and what its weights contain.

Model-signing describes a model folder as resources, one a file, and one digest over theirs
(https://model_signing/signature/v1.0). The resources are the artifact's list of files in another form, so a record
holds their digest, and `resources` makes the list.

Weights in the safetensors format say in a header which tensors they hold, so this can be said without loading them.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from notarium.evidence.artifact import Artifact
from notarium.evidence.contents import Contents, Item
from notarium.files import open_regular, read_regular

PREDICATE_TYPE: Final = "https://model_signing/signature/v1.0"
NOT_SIGNED: Final = (".git", ".gitattributes", ".github", ".gitignore")
"""What model-signing leaves out of a model."""
MAX_HEADER_BYTES: Final = 100_000_000
"""The limit of the safetensors format."""
_WEIGHTS: Final = ".safetensors"
_INDEX: Final = ".safetensors.index.json"

Json = dict[str, Any]


def resources(content: Contents) -> list[Json]:
    """The files of a model as model-signing lists them, in its order."""
    files = [item for item in content.items if item.has_content and not _is_left_out(item.path)]
    files.sort(key=lambda item: item.path.split("/"))
    return [{"name": item.path or ".", "algorithm": "sha256", "digest": item.sha256} for item in files]


def resources_digest(content: Contents) -> str:
    """The digest over the digests of all resources, hex: what model-signing names a model by."""
    return hashlib.sha256(b"".join(bytes.fromhex(each["digest"]) for each in resources(content))).hexdigest()


def describe_models(
    artifacts: Sequence[Artifact], directory: Path, *, are_models: bool
) -> tuple[list[Json], list[str]]:
    """[{artifact, model_signing_sha256, safetensors?}] and gaps, of those artifacts that hold safetensors.

    `directory`: of the record. `are_models`: also of those that hold none, because they are said to be models.
    """
    described: list[Json] = []
    gaps: list[str] = []
    for artifact in artifacts:
        place = Path(os.path.normpath(directory / artifact.name))
        found = _Weights.read(place, artifact)
        if not found.files and not are_models:
            continue
        said: Json = {"artifact": artifact.name, "model_signing_sha256": resources_digest(artifact.last)}
        if found.files:
            said["safetensors"] = found.to_json()
        described.append(said)
        gaps += [f"model {artifact.name}: {gap}" for gap in found.gaps]
    return described, gaps


@dataclass(slots=True)
class _Weights:
    """The tensors of all safetensors files of an artifact."""

    files: int = 0
    tensors: int = 0
    parameters: Counter[str] = field(default_factory=Counter)
    """Type of the numbers -> how many."""
    index: str = ""
    gaps: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, place: Path, artifact: Artifact) -> _Weights:
        found = cls()
        of: dict[str, str] = {}
        for item in artifact.last.items:
            name = item.path or artifact.name
            if item.has_content and name.endswith(_WEIGHTS):
                found.files += 1
                found._add(place / item.path, item, of)
        for item in artifact.last.items:
            if item.has_content and item.path.endswith(_INDEX):
                found._compare(place, item, of)
        return found

    def to_json(self) -> Json:
        said: Json = {"files": self.files, "tensors": self.tensors, "parameters": dict(sorted(self.parameters.items()))}
        return {**said, "index": self.index} if self.index else said

    def _add(self, place: Path, item: Item, of: dict[str, str]) -> None:
        """`of`: tensor -> the file that holds it."""
        name = item.path or place.name
        try:
            for tensor, dtype, count in _tensors(place, item.size):
                if tensor in of:
                    self.gaps.append(f"{name} and {of[tensor]} both hold a tensor {tensor}")
                of[tensor] = name
                self.tensors += 1
                self.parameters[dtype] += count
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            self.gaps.append(f"{name} cannot be read as safetensors ({type(error).__name__})")

    def _compare(self, place: Path, item: Item, of: dict[str, str]) -> None:
        """The index of a model in several files says which of them holds a tensor."""
        self.index = item.path
        folder = item.path.rpartition("/")[0]
        try:
            weight_map = json.loads(read_regular(place / item.path, MAX_HEADER_BYTES))["weight_map"]
            named = {tensor: f"{folder}/{file}" if folder else str(file) for tensor, file in weight_map.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            self.gaps.append(f"{item.path} cannot be read as an index ({type(error).__name__})")
            return
        for file in sorted(set(named.values()) - set(of.values())):
            self.gaps.append(f"{item.path} names {file}, which holds no tensor here")
        wrong = [tensor for tensor, file in named.items() if tensor in of and of[tensor] != file]
        if wrong:
            self.gaps.append(f"{item.path} names another file for {wrong[0]}, and {len(wrong) - 1} tensors more")


def _tensors(place: Path, size: int) -> Iterator[tuple[str, str, int]]:
    """Name, type and count of the numbers of each tensor. Raises OSError, ValueError, KeyError, TypeError."""
    with open(open_regular(place), "rb") as file:
        if os.fstat(file.fileno()).st_size != size:
            raise ValueError("not the file that was recorded")
        length = int.from_bytes(file.read(8), "little")
        if length > min(size - 8, MAX_HEADER_BYTES):
            raise ValueError("its header is longer than the file, or than allowed")
        header = json.loads(file.read(length))
    for name, tensor in header.items():
        if name != "__metadata__":
            yield name, str(tensor["dtype"]), math.prod(int(each) for each in tensor["shape"])


def _is_left_out(path: str) -> bool:
    return path.partition("/")[0] in NOT_SIGNED
