"""`notarium-node equivocations`: what a node holds, as lists, tables and files that anyone can verify."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from notarium_ledger.state.genesis import Genesis
from notarium_ledger.trust.equivocation_file import MAX_EQUIVOCATION_FILE_BYTES, EquivocationFile, describe
from notarium_node.config import NodeConfig
from notarium_node.operator import node_api as asking
from notarium_node.operator.enrolment import EnrolmentError, read_genesis
from notarium_node.startup import StartupError, load_genesis

PAGE = 1000
MOST_ROWS = 10_000
"""A node keeps 1,024 pieces. The list of a liar might never end."""


class NotFound(Exception):
    """The node has no such equivocation, or not yet what proves whose it is."""


def pinned(config: NodeConfig | None, genesis_file: Path | None) -> Genesis:
    """What equivocations are verified against. Raises StartupError or InvalidGenesis."""
    if genesis_file is not None:
        try:
            return read_genesis(genesis_file)
        except EnrolmentError as error:
            raise StartupError(str(error)) from error
    if config is None:
        raise StartupError(
            "equivocations are verified against the pinned genesis: name the file by --config or --genesis"
        )
    return load_genesis(config)


def read(path: Path, genesis: Genesis) -> EquivocationFile:
    """The verified equivocation in a file. Raises StartupError where it cannot be read, InvalidEquivocationFile."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_EQUIVOCATION_FILE_BYTES + 1)
    except OSError as error:
        raise StartupError(f"cannot read {path}: {error.strerror}") from error
    return _verified(data, genesis)


def _verified(data: bytes, genesis: Genesis) -> EquivocationFile:
    file = EquivocationFile.decode_json(data)
    file.verify(genesis)
    return file


@dataclass(frozen=True, slots=True)
class Asked:
    """A node's API."""

    url: str
    certificate: Path | None
    """PEM file of its own TLS certificate."""

    async def listed(self) -> list[dict[str, Any]]:
        """All rows of GET /v1/equivocations, as the node says. Raises Unreachable."""
        rows: list[dict[str, Any]] = []
        after: int | None = 0
        while after is not None:
            page = await asking.get_json(self.url, f"/v1/equivocations?limit={PAGE}&after={after}", self.certificate)
            found, following = page.get("equivocations"), page.get("next")
            if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
                raise asking.Unreachable(f"{self.url} answers something else than a list of equivocations")
            rows += found
            if len(rows) > MOST_ROWS:
                raise asking.Unreachable(f"{self.url} lists more equivocations than any node keeps")
            after = following if isinstance(following, int) and following > after else None
        return rows

    async def file(self, beginning: str, genesis: Genesis) -> EquivocationFile:
        """The one piece whose id begins so, verified. Raises NotFound, InvalidEquivocationFile, Unreachable."""
        ids = [str(each.get("id", "")) for each in await self.listed()]
        found = [each for each in ids if each.startswith(beginning.lower())]
        if len(found) != 1:
            raise NotFound(f"{len(found)} equivocations have an id that begins with {beginning!r}; see the list")
        status, body = await asking.fetch(self.url, f"/v1/equivocations/{found[0]}", self.certificate)
        if status != 200:
            raise NotFound(_told(body) or f"{self.url} answers HTTP {status}")
        file = _verified(body, genesis)
        if file.equivocation.id.hex() != found[0]:
            raise NotFound(f"{self.url} answers with another piece than {found[0]}: ask another node")
        return file


def _told(body: bytes) -> str:
    """The detail of a problem document, or ""."""
    try:
        problem = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    detail = problem.get("detail") if isinstance(problem, dict) else None
    return detail.encode(errors="replace").decode() if isinstance(detail, str) else ""


def about(file: EquivocationFile) -> dict[str, Any]:
    """For --json: what the file says of itself, which was verified."""
    return describe(file.equivocation, file.validators.member_of(file.equivocation.key))


def facts(file: EquivocationFile) -> RenderableType:
    """One piece for people, a fact a line."""
    return Text("\n".join(f"{name:<7} {_in_words(value)}" for name, value in about(file).items()))


def _in_words(value: Any) -> str:
    """A statement is a map of one name: the block, or what was prepared before a round change."""
    if not isinstance(value, dict):
        return str(value)
    if "block" in value:
        return f"block {value['block']}"
    prepared = value["prepared"]
    return f"block {prepared['block']}, prepared in round {prepared['round']}" if prepared else "nothing prepared"


def table(rows: list[dict[str, Any]]) -> RenderableType:
    """The list for people."""
    shown = Table(title=f"{len(rows)} equivocations", title_justify="left")
    columns = ("number", "member", "kind", "height", "round", "id")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        # What a node says is text, not markup; Text takes out control characters.
        shown.add_row(*(Text(str(row.get(column, ""))) for column in columns))
    return shown
