"""A node's HTTP API as the operator's commands use it, and its status as tables."""

from __future__ import annotations

import json
import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from notarium_ledger.encoding.json_file import iso_time, parse_json
from notarium_node.config.reading import ConfigError
from notarium_node.config.sections import NodeConfig

if TYPE_CHECKING:
    import aiohttp

TIMEOUT_S = 5.0
ANSWER_BYTES = 20 * 1024 * 1024
"""No answer is larger, a block of 16 MiB with its certificate included. The limit protects against a node that lies."""
ANY_HOST = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104

NO_BLOCK_YET = iso_time(0)
"""The time in a status before the first block."""


class NodeUnreachable(Exception):
    """The node does not answer, or answers something that no node would."""


def api_url(config: NodeConfig) -> str:
    """Where this machine reaches the API of the node with `config`."""
    host = ANY_HOST.get(config.api.host, config.api.host)
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"{'https' if config.api.tls_certificate else 'http'}://{host}:{config.api.port}"


@dataclass(frozen=True, slots=True)
class NodeApi:
    """A node's HTTP API, which is not trusted."""

    url: str
    certificate: Path | None = None
    """PEM file of the node's own TLS certificate, trusted for whatever name it has."""

    @classmethod
    def of(cls, config: NodeConfig | None, url: str) -> NodeApi:
        """The API of the node that either its configuration or its URL names. Raises ConfigError."""
        if config is not None and not url:
            return cls(api_url(config), config.api.tls_certificate)
        if config is None and url:
            return cls(url)
        raise ConfigError("name the node by either --config or --url")

    async def get(self, path: str, accept: str = "application/json") -> tuple[int, bytes]:
        """GET a path as that media type: HTTP status and body.

        Raises NodeUnreachable, or ConfigError for an unusable certificate.
        """
        import aiohttp  # Here, because most commands ask no node, and it is slow to import.

        context = self._context()
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session,
                session.get(f"{self.url.rstrip('/')}{path}", ssl=context, headers={"Accept": accept}) as response,
            ):
                return response.status, await self._body(response)
        except TimeoutError as error:
            raise NodeUnreachable(f"{self.url} does not answer within {TIMEOUT_S:.0f} s: see the node's log") from error
        except aiohttp.ClientConnectorCertificateError as error:
            why = f"{error.certificate_error}; {_trust_remedy()}"
            raise NodeUnreachable(f"{self.url} is not trusted: {why}") from error
        except aiohttp.ClientConnectorError as error:
            reason = error.strerror or error.os_error
            raise NodeUnreachable(f"{self.url} cannot be reached: {reason}; is the node running?") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise NodeUnreachable(f"{self.url} cannot be reached: {error}; is the node running?") from error

    async def get_json(self, path: str) -> dict[str, Any]:
        """GET a path that answers with a JSON object. Raises NodeUnreachable."""
        status, body = await self.get(path)
        try:
            answer = parse_json(body) if status == 200 else None
            json.dumps(answer, ensure_ascii=False).encode()  # Lone surrogates, for example, could not be printed.
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            received = f"HTTP {status}" if status != 200 else "something other than a JSON object"
            raise NodeUnreachable(f"{self.url} answers {received}: is this a Notarium node's API?")
        return answer

    async def status(self) -> dict[str, Any]:
        """GET /v1/status. Raises NodeUnreachable."""
        return await self.get_json("/v1/status")

    def _context(self) -> ssl.SSLContext | bool:
        if self.certificate is None:
            return True
        try:
            context = ssl.create_default_context(cafile=self.certificate)
        except OSError as error:
            raise ConfigError(f"api.tls_certificate {self.certificate} does not load: {error}") from error
        context.check_hostname = False
        return context

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for part in response.content.iter_any():
            body += part
            if len(body) > ANSWER_BYTES:
                raise NodeUnreachable(
                    f"{self.url} answers with more than {ANSWER_BYTES} bytes, which no Notarium node sends: "
                    "check the address"
                )
        return bytes(body)


def _trust_remedy() -> str:
    """How the certificate of an authority of one's own becomes trusted."""
    named = os.environ.get("SSL_CERT_FILE")
    if not named:
        return "name its authority's PEM file in SSL_CERT_FILE"
    return f"SSL_CERT_FILE names {named}" + ("" if Path(named).is_file() else ", which does not exist")


def tables(status: dict[str, Any]) -> list[RenderableType]:
    """A status for people: its plain fields, one a line, and a table for each list of records, such as the peers."""
    facts: dict[str, str] = {}
    lists: list[RenderableType] = []
    for name, value in status.items():
        if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
            lists.append(_records(name, value))
        elif isinstance(value, dict):
            facts[name] = ", ".join(f"{_shown(item)} {_words(key)}" for key, item in value.items())
        elif isinstance(value, list):
            facts[name] = "\n".join(map(_shown, value)) or "-"
        elif name == "time" and value == NO_BLOCK_YET:
            facts[name] = "-"
        else:
            facts[name] = _shown(value)
    return [_facts(facts), *lists]


def _facts(facts: dict[str, str]) -> Text:
    """Not a table: that would pad each line to the longest, and a terminal would show the padding as empty lines."""
    indent = max(map(len, facts), default=0) + 2
    return Text("\n").join(
        Text(_words(name).ljust(indent), "bold").append(value.replace("\n", "\n" + " " * indent), "not bold")
        for name, value in facts.items()
    )


def _records(name: str, records: list[dict[str, Any]]) -> Table:
    columns = list(dict.fromkeys(key for each in records for key in each))
    table = Table(*map(_words, columns), title=_words(name), title_justify="left", box=None)
    for each in records:
        # What a node sends is text, not markup; Text removes control characters.
        table.add_row(*(Text(_short(_shown(each.get(column)))) for column in columns))
    return table


def _short(text: str) -> str:
    """Keys and hashes only need to be distinguishable here; --json shows them whole."""
    return text[:12] if len(text) >= 64 else text


def _words(name: str) -> str:
    return name.replace("_", " ")


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
