"""What a record says of its models and data sets, besides their bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from notarium.evidence.artifact import Artifact
from notarium.evidence.croissant import describe_data_sets
from notarium.evidence.models import describe_models


def described_artifacts(kind: str, artifacts: Sequence[Artifact], directory: Path) -> tuple[dict[str, Any], list[str]]:
    """The facts {models?, data_sets?} of a record in `directory`, and gaps: what contradicts the bytes."""
    here = directory.absolute()
    models, gaps = describe_models(artifacts, here, are_models=kind == "model")
    data_sets, more = describe_data_sets(artifacts, here)
    facts = {"models": models, "data_sets": data_sets}
    return {name: said for name, said in facts.items() if said}, [*gaps, *more]
