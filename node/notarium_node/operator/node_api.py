"""Asking a node how it is, over its HTTP API, and showing the answer."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import aiohttp
from rich.table import Table

from notarium_node.config import ConfigError, NodeConfig

TIMEOUT_S = 5.0
ANSWER_BYTES = 16 * 1024 * 1024
"""No answer is larger, and whoever asks for equivocations may ask a liar."""
ANY_HOST = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104


class Unreachable(Exception):
    """The node does not answer, or not as a node does."""


def api_url(config: NodeConfig) -> str:
    """Where this machine reaches the API of the node with `config`."""
    host = ANY_HOST.get(config.api.host, config.api.host)
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"{'https' if config.api.tls_certificate else 'http'}://{host}:{config.api.port}"


async def fetch(url: str, path: str, certificate: Path | None = None) -> tuple[int, bytes]:
    """GET a path of the API: HTTP status and body. `certificate`: PEM file of the node's own TLS certificate, trusted
    whatever its name. Raises Unreachable, or ConfigError where that file cannot be used.
    """
    context: ssl.SSLContext | bool = True
    if certificate is not None:
        try:
            context = ssl.create_default_context(cafile=certificate)
        except OSError as error:
            raise ConfigError(f"api.tls_certificate {certificate} does not load: {error}") from error
        context.check_hostname = False
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session,
            session.get(f"{url.rstrip('/')}{path}", ssl=context) as response,
        ):
            body = bytearray()
            async for part in response.content.iter_any():
                body += part
                if len(body) > ANSWER_BYTES:
                    raise Unreachable(f"{url} answers with more than {ANSWER_BYTES} bytes, as no Notarium node does")
            return response.status, bytes(body)
    except TimeoutError as error:
        raise Unreachable(f"{url} does not answer within {TIMEOUT_S:.0f} s: see the node's log") from error
    except aiohttp.ClientConnectorError as error:
        raise Unreachable(
            f"{url} cannot be reached: {error.strerror or error.os_error}; is the node running?"
        ) from error
    except (aiohttp.ClientError, ValueError) as error:
        raise Unreachable(f"{url} cannot be reached: {error}; is the node running?") from error


async def get_json(url: str, path: str, certificate: Path | None = None) -> dict[str, Any]:
    """GET a path that answers with a JSON object. Raises Unreachable."""
    status, body = await fetch(url, path, certificate)
    try:
        answer = json.loads(body) if status == 200 else None
        json.dumps(answer, ensure_ascii=False).encode()  # What cannot be written again cannot be shown.
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        told = f"HTTP {status}" if status != 200 else "something else than a JSON object"
        raise Unreachable(f"{url} answers {told}: is this a Notarium node's API?")
    return answer


async def get_status(url: str, certificate: Path | None = None) -> dict[str, Any]:
    """GET /v1/status. Raises Unreachable."""
    return await get_json(url, "/v1/status", certificate)


def tables(status: dict[str, Any]) -> list[Table]:
    """The answer as tables: one with the plain fields, one more for each list of records (peers)."""
    facts = Table(show_header=False, box=None)
    facts.add_column(style="bold")
    facts.add_column(overflow="fold")
    lists = []
    for name, value in status.items():
        if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
            lists.append(_records(name, value))
        elif isinstance(value, dict):
            facts.add_row(_words(name), ", ".join(f"{_shown(item)} {_words(key)}" for key, item in value.items()))
        elif isinstance(value, list):
            facts.add_row(_words(name), "\n".join(map(_shown, value)) or "-")
        else:
            facts.add_row(_words(name), _shown(value))
    return [facts, *lists]


def _records(name: str, records: list[dict[str, Any]]) -> Table:
    columns = list(dict.fromkeys(key for each in records for key in each))
    table = Table(title=_words(name), title_justify="left")
    for column in columns:
        table.add_column(_words(column), overflow="fold")
    for each in records:
        table.add_row(*(_short(_shown(each.get(column))) for column in columns))
    return table


def _short(text: str) -> str:
    """Keys and hashes are for telling apart here; --json shows them whole."""
    return text[:12] if len(text) >= 64 else text


def _words(name: str) -> str:
    return name.replace("_", " ")


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
