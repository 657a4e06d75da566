"""Why a second run of the same code with the same seed gives the same result, or another one.

Observed twice: when the run begins, and when it ends, because libraries are loaded and seeds set in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from notarium.observing.flags import observe_flags
from notarium.observing.generators import global_states, known_seeds, seeded_states

Json = dict[str, Any]

UNKNOWN_SEED = "{} drew random numbers from a seed that is not known: call run.seed(SEED) right after seeding"
NO_DETERMINISM = (
    "PyTorch used a GPU without torch.use_deterministic_algorithms(True): another run with the same seed can give "
    "other weights"
)


class Determinism:
    """What is seen of generators and switches from the start of a run to its end."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """`environ`: the process's own, which may change."""
        self._environ = environ
        self._points: list[dict[str, str]] = []
        self._flags: Json | None = None

    def observe(self) -> None:
        """When the run begins, and whenever it names a seed."""
        self._points.append(global_states())
        if self._flags is None:
            # What cannot be read now is tried again at the end, and is a gap only then.
            self._flags = observe_flags(self._environ, [])

    def end(self, seeds: Iterable[Any], gaps: list[str]) -> Json:
        """{seeds: {generator: {seed?, start?, end?}}, flags, flags_at_start?}. `seeds`: what the run named.

        `start` and `end`: digests of the generator's state. `flags_at_start`: those that were different then.
        """
        flags = observe_flags(self._environ, gaps)
        self._points.append(global_states())
        named = [each for each in seeds if isinstance(each, int) and not isinstance(each, bool)]
        known = seeded_states(named)
        reported = known_seeds()
        observed: dict[str, Json] = {}
        for generator in sorted({*self._points[-1], *reported}):
            digests = [each[generator] for each in self._points if generator in each]
            matches = (known[generator, each] for each in digests if (generator, each) in known)
            seed = reported.get(generator, next(matches, None))
            observed[generator] = {**_span(digests), **({} if seed is None else {"seed": seed})}
            if seed is None and len(set(digests)) > 1:
                gaps.append(UNKNOWN_SEED.format(generator))
        if any(each.startswith("torch.cuda") for each in reported) and not flags.get("torch.deterministic_algorithms"):
            gaps.append(NO_DETERMINISM)
        before = {name: value for name, value in (self._flags or {}).items() if flags.get(name) != value}
        return {"seeds": observed, "flags": flags, **({"flags_at_start": before} if before else {})}


def _span(digests: list[str]) -> Json:
    return {"start": digests[0], "end": digests[-1]} if digests else {}
