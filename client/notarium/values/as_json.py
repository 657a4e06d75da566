"""Any value as nested JSON, for the facts of a record that no path or type has to describe."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from notarium.values.arrays import described, is_array
from notarium.values.names import class_name, is_named, qualified_name
from notarium.values.parts import parts
from notarium.values.scalars import scalar

HIDDEN: Final = "[secret]"


def to_json(value: Any, on_unknown: Callable[[str], None] = lambda _: None) -> Any:
    """`value` as RFC 8785 JSON represents it exactly; what JSON cannot represent becomes text, a name or a digest.

    `on_unknown` is called with the class of each object of which only that is known.

    Integers and whole floats from 2^53 on, NaN and infinities become text, because JSON readers round or refuse them.
    What is JSON already stays as it is.
    """
    single = scalar(value)
    if single is not None:
        return HIDDEN if single.is_secret else single.value
    inner = functools.partial(to_json, on_unknown=on_unknown)
    if is_array(value):
        return described(value, inner)[0]
    if is_named(value):
        return qualified_name(value)
    inside = parts(value)
    if inside is None:
        on_unknown(class_name(type(value)))
        return class_name(type(value))
    if inside.is_list:
        return [inner(item) for _, item in inside.items]
    return {to_json(str(key)): inner(item) for key, item in inside.items}
