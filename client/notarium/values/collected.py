"""What a run says of itself while it goes on: parameters, seeds and metrics, and which of them are left out."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from notarium.errors import InvalidMetric
from notarium.values.as_json import to_json
from notarium.values.flatten import Flat, flatten, same
from notarium.values.parts import parts
from notarium.values.scalars import number, scalar
from notarium.values.secrets import NoSecrets, Secrets
from notarium.values.series import Series

MAX_STEP: Final = 2**53


class Collected:
    """The values of one run; any thread may add some."""

    def __init__(self, on_notice: Callable[[str], None] = lambda _: None) -> None:
        """`on_notice` is called for each secret that is left out."""
        self.secrets = Secrets(on_notice=on_notice)
        self._lock = threading.Lock()
        self._params: dict[str, Flat] = {}
        self._seeds: dict[str, Any] = {}
        self._metrics: dict[str, Series] = {}
        self._refused: dict[str, int] = {}
        self._again: dict[str, None] = {}

    def param(self, name: str, value: Any, secret: bool | None = None) -> None:
        """One parameter. Its value now: what the run changes in it afterwards is not recorded.

        `secret`: whether it is one, where neither name nor shape says it rightly.
        """
        with self._lock:
            secrets = NoSecrets(self.secrets) if secret is False else self.secrets
            flat = flatten(name, value, secrets, is_secret=secret is True)
            before = self._params.get(name)
            if before is not None and not same(before, flat):
                shown = self.secrets.text(name, "the name of a parameter")
                self._again[f"parameter {shown} was given again with another value: the record has the last one"] = None
            self._params[name] = flat

    def seed(self, name: str, value: Any) -> None:
        """A random seed."""
        self._seeds[name] = to_json(value)

    def metric(self, name: str, value: Any, step: Any, time_ms: int) -> None:
        """One measured number. Raises InvalidMetric, and then the record says that the number is missing."""
        try:
            measured = value if type(value) is float else number(value)
            at = step if step is None or (type(step) is int and 0 <= step < MAX_STEP) else _whole(step)
        except ValueError as error:
            self._refused[name] = self._refused.get(name, 0) + 1
            raise InvalidMetric(f"metric {name!r}: {error}; log one number for each metric") from error
        series = self._metrics.get(name)
        if series is None:
            # Two threads may come here at once; both must have the same one.
            series = self._metrics.setdefault(name, Series(name))
        series.add(measured, at, time_ms)

    @property
    def seeds(self) -> Mapping[str, Any]:
        """Those that were named, by name."""
        return self._seeds

    def facts(self) -> dict[str, Any]:
        """params, param_types, seeds, metrics, and the salt of the digests of secrets where there are any."""
        with self._lock:
            found: dict[str, Any] = {"params": {}, "param_types": {}, "seeds": self._seeds, "metrics": []}
            for flat in self._params.values():
                found["params"] |= flat.values
                found["param_types"] |= flat.types
        for series in list(self._metrics.values()):
            found["metrics"] += series.to_json()
        return {**found, **self.secrets.salted()}

    def gaps(self) -> list[str]:
        """What the record does not vouch for."""
        with self._lock:
            flats = list(self._params.values())
        named = Counter(path for each in flats for path in each.values)
        twice = sorted(path for path, times in named.items() if times > 1)
        return [
            *(gap for each in flats for gap in each.gaps),
            *self._again,
            *(f"two parameters are named {path}: the record has the last one" for path in twice),
            *(
                f"metric {name}: {count} values are missing: the value or the step was no number"
                for name, count in self._refused.items()
            ),
            *self.secrets.notices,
        ]


def named_parts(values: Any) -> Iterable[tuple[str, Any]]:
    """The parameters in a mapping, a namespace or another configuration. Raises ValueError for anything else."""
    inside = parts(values)
    if inside is None or inside.is_list:
        raise ValueError(f"not a configuration: a value of the type {type(values).__name__}; give a name to it")
    return [(str(key), value) for key, value in inside.items]


def _whole(step: Any) -> int:
    """Raises ValueError for a step that is no whole number, or larger than JSON keeps it."""
    plain = scalar(step)
    # An integer that JSON does not keep is text.
    whole = plain.value if plain is not None and isinstance(plain.value, int | float) else None
    if whole is None or isinstance(whole, bool) or whole != int(whole):
        raise ValueError(f"the step {step!r} is not a whole number below 2^53")
    return int(whole)
