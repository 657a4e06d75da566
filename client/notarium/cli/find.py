"""The command `find`: the entries that name a digest, oldest first, and who was first."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from notarium.cli.ids import ID_DIGITS, id_digits, wanted_id
from notarium.cli.options import GenesisFile, Json, Nodes, Timeout, with_nodes
from notarium.cli.output import Printer, ledger_of, shown
from notarium.errors import ExitCode, NotAnchored, ProjectError
from notarium.evidence.author import Author
from notarium.evidence.hashing import hash_path
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.ledger_access.blocking import BlockingClient
from notarium.ledger_access.describing import describe_receipt
from notarium.naming import artifact_path, check_no_draft
from notarium.project import Project, find_project
from notarium.verifying.people import time_text
from notarium_ledger.entries.commitment import RESEARCH_KINDS

_LIMIT = 100
_ALL = 2**62


def find(
    *,
    target: Annotated[str, typer.Argument(metavar="FILE|DIGEST|ID")],
    issuer: Annotated[str, typer.Option("--issuer", metavar="ID", help="Only entries of this institution.")] = "",
    project: Annotated[str, typer.Option("--project", metavar="NAME", help="Only entries of this project.")] = "",
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help="Only entries of this kind, such as run.")] = "",
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="Only what was decided then or later: 2026-01-31, in UTC.")
    ] = "",
    until: Annotated[
        str, typer.Option("--until", metavar="TIME", help="Only what was decided before: 2026-01-31T12:00:00Z.")
    ] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many entries.")] = _LIMIT,
    everything: Annotated[bool, typer.Option("--all", help="All entries, however many.")] = False,
    after: Annotated[
        int, typer.Option("--after", min=-1, metavar="INDEX", help="Go on after this log index, as an answer says.")
    ] = -1,
    genesis: GenesisFile = None,
    node: Nodes = None,
    timeout: Timeout = 10.0,
    as_json: Json = False,
) -> int:
    """Find the ledger's entries that name a file, a folder or a digest, oldest first, and say who was first.

    An id, or its beginning as `notarium log` prints it, stands for the record that this entry commits to.
    """
    printer = Printer(as_json)
    if kind and kind not in RESEARCH_KINDS:
        raise ProjectError(f"--kind {kind!r}: expected one of {', '.join(RESEARCH_KINDS)}")
    times = {"since_ms": _time_ms(since, "--since"), "until_ms": _time_ms(until, "--until")}
    here = with_nodes(find_project(genesis_file=genesis), node)
    path = artifact_path(target)
    check_no_draft(path)
    digest = hash_path(path, cache=here.homes.digest_cache()).sha256 if path.exists() else ""
    with BlockingClient(here.genesis, here.nodes, timeout=timeout) as client:
        digest = digest or _digest(client, here, target)
        most = _ALL if everything else limit
        found = client.find(digest, issuer=issuer, project=project, kind=kind, **times, limit=most, after=after)
        # Whoever was first may be outside of the filters.
        first = next(iter(client.find(digest, limit=1).receipts), None)
    rows = [{**describe_receipt(each), "standing": _standing(each, first)} for each in found.receipts]
    said: dict[str, Any] = {**ledger_of(here.genesis), "digest": digest}
    said["first"] = None if first is None else describe_receipt(first)
    printer.data({**said, "entries": rows, "more": found.more, "next": found.next})
    for each in found.receipts:
        printer.line(f"{_standing(each, first)}: {each.id.hex()}  {shown(_line(each))}")
    if first is not None and first.id not in {each.id for each in found.receipts}:
        printer.line(f"the first to name it: {first.id.hex()}  {shown(_line(first))}")
    if found.more:
        printer.line(f"more: run this command again with --after {found.next}, or with --all")
    elif not found.receipts:
        what = "no other entry" if after >= 0 else "no such entry" if first is not None else "no entry"
        printer.error(f"{what} names {digest}; plain digests are on the ledger only where disclosure is public")
    return ExitCode.OK if found.receipts else ExitCode.NOT_ANCHORED


def _standing(each: VerifiedReceipt, first: VerifiedReceipt | None) -> str:
    """How an entry stands to the first one of all that name the digest."""
    if first is None or each.id == first.id:
        return "first"
    return "later by the same author" if each.entry.key == first.entry.key else "later by another author"


def _line(each: VerifiedReceipt) -> str:
    return f"{each.body['kind']} · {Author.of(each.entry)} · {time_text(each.time_ms)} · #{each.index}"


def _time_ms(text: str, option: str) -> int | None:
    """Milliseconds since 1970 of a date or time, in UTC where it names no other offset. Raises ProjectError."""
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ProjectError(f"{option} {text!r}: expected a date or time such as 2026-01-31T12:00:00Z") from None
    milliseconds = (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000
    return max(0, round(milliseconds))


def _digest(client: BlockingClient, here: Project, target: str) -> str:
    """The digest that is meant: `target` itself, or the first one of the entry whose id it is. Raises NotariumError."""
    digits = id_digits(target)
    if len(digits) == ID_DIGITS and client.find(digits, limit=1).receipts:
        return digits
    try:
        digests = client.receipt(wanted_id(here, target, "a digest or an id")).digests
    except NotAnchored:
        # No id of an entry, so it is a digest that nothing names.
        return digits
    return digests[0].hex() if digests else digits
