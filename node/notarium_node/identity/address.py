"""HOST:PORT, where other nodes reach a node."""

from __future__ import annotations

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


def split_address(address: str) -> tuple[str, int]:
    """("host", port) of "host:port"; IPv6 in brackets. Raises ValueError."""
    host, separator, port = address.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not separator or not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) <= 65_535:
        raise ValueError(f"{address!r} is not HOST:PORT with a port from 1 to 65535")
    if (":" in host and not bracketed) or any(character in host for character in " /@?#\\"):
        raise ValueError(f"{address!r} is not HOST:PORT (write an IPv6 address in brackets: [::1]:7000)")
    return (host[1:-1] if bracketed else host), int(port)
