"""Where a node is reached: HOST:PORT by its peers, and the base URL of its API by researchers.

    address = host ":" port
    api     = ("http" / "https") "://" host [":" port] ["/" letters, digits and any of / . _ ~ % -]
    host    = labels with "." between them / "[" IPv6 address "]"
    label   = 1 to 63 of the letters A to Z and a to z, digits, "-" and "_"
    port    = 1 to 65535, without leading zeros

Both are in entries and in genesis, so this is part of validity. The rule is about characters only. It uses no library
for addresses, because a library's rules change with its version. Only dialling shows whether a host exists.
"""

from __future__ import annotations

import re
from typing import Final

from notarium_ledger.encoding.canonical import Value
from notarium_ledger.encoding.schema import text
from notarium_ledger.errors import InvalidEntry

MAX_CHARS: Final = 255

_LABEL: Final = "[A-Za-z0-9_-]{1,63}"
_HOST: Final = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]{{2,45}}\])"
_PORT: Final = "(?:[1-9][0-9]{0,4})"
_ADDRESS: Final = re.compile(f"({_HOST}):({_PORT})")
_API: Final = re.compile(rf"https?://{_HOST}(?::({_PORT}))?(?:/[A-Za-z0-9/._~%-]*)?")
_MOST_PORT: Final = 65_535
_HOSTS: Final = (
    "The host is a name of ASCII letters (xn--... for others), an IPv4 address, or an IPv6 address in brackets; the "
    f"port is from 1 to {_MOST_PORT}"
)

_text = text(MAX_CHARS)


def split_address(address: str) -> tuple[str, int]:
    """("host", port) of "host:port", the brackets of an IPv6 address removed. Raises InvalidEntry."""
    found = _ADDRESS.fullmatch(address)
    if found is None or int(found[2]) > _MOST_PORT:
        raise InvalidEntry(f"{_shown(address)} is not HOST:PORT, as in node.example.org:7000 or [::1]:7000. {_HOSTS}")
    return found[1].strip("[]"), int(found[2])


def peer_address(value: Value) -> None:
    """A checker: HOST:PORT."""
    _text(value)
    split_address(str(value))


def api_url(value: Value) -> None:
    """A checker: the base URL of an API."""
    _text(value)
    found = _API.fullmatch(str(value))
    if found is None or int(found[1] or 1) > _MOST_PORT:
        raise InvalidEntry(
            f"{_shown(str(value))} is not http(s)://HOST[:PORT][/PATH], as in https://node.example.org:8443. {_HOSTS}; "
            "there is no user, query or fragment"
        )


def _shown(value: str) -> str:
    return ascii(value if len(value) <= MAX_CHARS else value[:MAX_CHARS] + "...")
