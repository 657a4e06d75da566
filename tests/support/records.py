"""What a record says."""

from pathlib import Path
from typing import Any

from notarium.evidence.record import Record


def recorded(place: Path | str) -> dict[str, Any]:
    """The facts of the record at `place`, and its artifacts, whatever kind it is of. Its signature holds."""
    record = Record.decode(Path(place).read_bytes())
    return {**record.facts, "artifacts": [each.to_json() for each in record.artifacts]}
