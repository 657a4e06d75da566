"""Functions, classes and objects by their qualified names: never by a `repr`, which holds addresses of memory."""

from __future__ import annotations

from typing import Any


def class_name(kind: type) -> str:
    """`package.module.Class`; without the module for what Python has built in."""
    return _dotted(getattr(kind, "__module__", None), getattr(kind, "__qualname__", kind.__name__))


def is_named(value: Any) -> bool:
    """Whether `value` is known by a name of its own: a class, a function, a method, a module."""
    return isinstance(value, type) or (callable(value) and isinstance(_own_name(value), str))


def qualified_name(value: Any) -> str:
    """The name of a class or function, as one would import it."""
    if isinstance(value, type):
        return class_name(value)
    module = getattr(value, "__module__", None)
    # The functions of NumPy and the bound methods of C have no module; their class or owner has one.
    if not isinstance(module, str):
        module = getattr(type(getattr(value, "__self__", value)), "__module__", None)
    return _dotted(module, str(_own_name(value)))


def is_a(value: Any, *names: str) -> bool:
    """Whether the class of `value`, or one that it inherits from, has one of these qualified names.

    So a library's values are known without importing the library.
    """
    return not names_of(value).isdisjoint(names)


def names_of(value: Any) -> set[str]:
    """The qualified names of the class of `value` and of all that it inherits from."""
    return {class_name(each) for each in type(value).__mro__}


def _own_name(value: Any) -> Any:
    return getattr(value, "__qualname__", None) or getattr(value, "__name__", None)


def _dotted(module: Any, name: str) -> str:
    return name if module in (None, "builtins") else f"{module}.{name}"
