"""The equivocations that a node has, as lists, tables and files that anyone can verify."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from notarium.files import read_regular
from notarium_ledger.encoding.json_file import parse_json
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.trust.equivocation_file import MAX_EQUIVOCATION_FILE_BYTES, EquivocationFile, describe
from notarium_node.operator.node_api import NodeApi, NodeUnreachable
from notarium_node.operator.setup import SetupError

PAGE = 1000
MOST_ROWS = 10_000
"""A node keeps 1,024. The list of a node that lies might never end."""


class NotFound(Exception):
    """The node does not have this equivocation, or lacks the block that proves whose key it is."""


def read(path: Path, genesis: Genesis) -> EquivocationFile:
    """The verified proof in a file. Raises SetupError where it cannot be read, InvalidEquivocationFile."""
    try:
        data = read_regular(path, MAX_EQUIVOCATION_FILE_BYTES)
    except OSError as error:
        raise SetupError(f"cannot read {path}: {error.strerror}") from error
    return _verified(data, genesis)


async def listed(api: NodeApi) -> list[dict[str, Any]]:
    """All rows of GET /v1/equivocations, as the node sends them. Raises NodeUnreachable."""
    rows: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page = await api.get_json(f"/v1/equivocations?limit={PAGE}&after={after}")
        found, following = page.get("equivocations"), page.get("next")
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise NodeUnreachable(
                f"{api.url} does not answer with a list of equivocations: is this a Notarium node's API?"
            )
        rows += found
        if len(rows) > MOST_ROWS:
            raise NodeUnreachable(f"{api.url} lists more equivocations than any node keeps")
        after = following if type(following) is int and following > after else None
    return rows


async def fetch(api: NodeApi, beginning: str, genesis: Genesis) -> EquivocationFile:
    """The one proof whose id begins like this, verified. Raises NotFound, InvalidEquivocationFile, NodeUnreachable."""
    ids = [str(each.get("id", "")) for each in await listed(api)]
    found = [each for each in ids if each.startswith(beginning.lower())]
    if len(found) != 1:
        raise NotFound(f"{len(found)} equivocations have an id that begins with {beginning!r}; see the list")
    status, body = await api.get(f"/v1/equivocations/{found[0]}")
    if status != 200:
        raise NotFound(_detail(body) or f"{api.url} answers HTTP {status}")
    file = _verified(body, genesis)
    if file.equivocation.id.hex() != found[0]:
        raise NotFound(f"{api.url} answers with another equivocation than {found[0]}: ask another node")
    return file


def _verified(data: bytes, genesis: Genesis) -> EquivocationFile:
    file = EquivocationFile.decode_json(data)
    file.verify(genesis)
    return file


def _detail(body: bytes) -> str:
    """The detail of a problem document, or ""."""
    try:
        problem = parse_json(body)
    except (ValueError, RecursionError):
        return ""
    detail = problem.get("detail") if isinstance(problem, dict) else None
    return detail.encode(errors="replace").decode() if isinstance(detail, str) else ""


def facts(file: EquivocationFile) -> dict[str, Any]:
    """What a verified file proves, for --json."""
    return describe(file.equivocation, file.validators.member_of(file.equivocation.key))


def lines(proven: dict[str, Any]) -> RenderableType:
    """The same for people, one fact a line."""
    return Text("\n".join(f"{name:<7} {_in_words(value)}" for name, value in proven.items()))


def _in_words(value: Any) -> str:
    """A statement is a map with one name: the block, or what was prepared before a round change."""
    if not isinstance(value, dict):
        return str(value)
    if "block" in value:
        return f"block {value['block']}"
    prepared = value["prepared"]
    return f"block {prepared['block']}, prepared in round {prepared['round']}" if prepared else "nothing prepared"


def table(rows: list[dict[str, Any]]) -> RenderableType:
    """The list for people."""
    if not rows:
        return Text("no equivocations: this node holds no proof that a validator signed two different things")
    columns = ("number", "member", "kind", "height", "round", "id")
    shown = Table(*columns, title=f"{len(rows)} equivocations", title_justify="left", box=None)
    for row in rows:
        # What a node sends is text, not markup; Text removes control characters.
        shown.add_row(*(Text(str(row.get(column, ""))) for column in columns))
    return shown
