"""What a run does never disturbs the training: errors become warnings, and calls of other processes are passed on."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from notarium.anchoring.lifetime import Lifetime
from notarium.anchoring.outbox import now_ms
from notarium.errors import NotariumError


class Guarded(Protocol):
    """What has guarded methods."""

    strict: bool
    """Whether errors are raised."""
    _life: Lifetime

    def _warn(self, text: str) -> None: ...


P = ParamSpec("P")
S = TypeVar("S", bound=Guarded)


def guarded(method: Callable[Concatenate[S, P], None]) -> Callable[Concatenate[S, P], None]:
    """Let no error of `method` reach the training, unless the run is strict."""

    @functools.wraps(method)
    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            if self._life.is_elsewhere():
                self._life.pass_on(method.__name__, args, kwargs, now_ms())
            else:
                method(self, *args, **kwargs)
        except NotariumError as error:
            # It names what it is about.
            if self.strict:
                raise
            self._warn(str(error))
        except Exception as error:
            if self.strict:
                raise
            # The name of a public method says which call it was; an internal one says nothing to the researcher.
            name = method.__name__
            self._warn(str(error) if name.startswith("_") else f"{name}: {error}")

    return call
