"""Likely causes: why the results of two runs differ, and what about a run lets its results differ the next time.

What a cause rests on is said with it. "proven" is what was reproduced here byte by byte; all else is an inference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from notarium.evidence.record import Record
from notarium.explaining.lines import Difference, Part, lines_of
from notarium.explaining.why import Certainty, Explanation

_NAMED: Final = 5
"""Differences that a cause names."""
_GIVEN: Final = (Part.PARAMETER, Part.SEED, Part.CODE, Part.DETERMINISM)
_DETERMINISTIC: Final = ("use_deterministic_algorithms", "deterministic_algorithms", "enable_op_determinism")
"""The settings that make all of a framework deterministic; cuDNN's alone covers convolutions only."""


def causes_of_runs(before: Record, after: Record, found: Sequence[Difference]) -> list[Explanation]:
    """Why the metrics or outputs of two records differ; nothing where they do not."""
    if not any(each.part is Part.METRIC or _is_output(each) for each in found):
        return []
    causes = []
    for parts, what in (((*_GIVEN, Part.FILE), "what the run was given"), ((Part.PACKAGE,), "library version")):
        named = [each for each in found if each.part in parts and not _is_output(each)]
        if named:
            causes.append(Explanation(what, Certainty.LIKELY, _listed(named)))
    # Another card of the same model is no other device.
    machine = [each for each in found if each.part is Part.DEVICE and not each.name.endswith("uuid")]
    if machine:
        causes.append(Explanation("device", Certainty.LIKELY, _listed(machine)))
    if any(each.part in (*_GIVEN, Part.FILE) and not _is_output(each) for each in found):
        return causes
    # Given the same, chance has a part in it, whatever else differs.
    return [*causes, *(chance(before.facts) or chance(after.facts))]


def chance(facts: Mapping[str, Any]) -> list[Explanation]:
    """What about a run lets its results differ, though it is given the same again."""
    lines = lines_of(facts)
    causes = []
    if uses_gpu(facts) and not is_deterministic(facts):
        text = "the run used a GPU without deterministic algorithms: sums in another order give other last digits"
        causes.append(Explanation("GPU non-determinism", Certainty.LIKELY, text))
    if facts.get("params") is not None and not any(part is Part.SEED for part, _ in lines):
        causes.append(
            Explanation("no seed", Certainty.POSSIBLE, "the record names no seed, so each run draws other numbers")
        )
    return causes


def uses_gpu(facts: Mapping[str, Any]) -> bool:
    """Whether the record names a GPU."""
    return any(part is Part.DEVICE and value not in ([], {}, None, "") for (part, _), value in lines_of(facts).items())


def is_deterministic(facts: Mapping[str, Any]) -> bool:
    """Whether the record says that a framework was set to deterministic algorithms."""
    return any(
        part is Part.DETERMINISM and value is True and name.rpartition(".")[2] in _DETERMINISTIC
        for (part, name), value in lines_of(facts).items()
        if not name.startswith("flags_at_start")
    )


def _is_output(each: Difference) -> bool:
    return each.part is Part.FILE and each.name.startswith("output ")


def _listed(found: Sequence[Difference]) -> str:
    shown = [f"{each.part} {each.name} ({each.before or '-'} → {each.after or '-'})" for each in found[:_NAMED]]
    more = len(found) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
