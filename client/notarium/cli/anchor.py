"""The commands `anchor` and `prereg`: files and folders become commitments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from notarium.anchoring.anchor import ANCHOR_S, Anchored, AnchorStatus
from notarium.anchoring.anchor import anchor as anchor_artifact
from notarium.anchoring.commit import Disclosure
from notarium.anchoring.references import reference
from notarium.cli.options import (
    FIELDS_HELP,
    VALUES_HELP,
    Deep,
    DisclosureOption,
    Json,
    Refs,
    Strict,
    Timeout,
    parse_fields,
    parse_refs,
    parse_values,
)
from notarium.cli.output import Printer, shown
from notarium.errors import ExitCode
from notarium.project import find_project
from notarium_ledger.encoding.json_file import iso_time

_SENT_AGAIN = (
    "It is sent again with the next entry, or by 'notarium status --flush'. That is safe: equal entries are one entry."
)


class KindChoice(StrEnum):
    """What is anchored. Runs are tracked instead, and batches are for programs."""

    DATASET = "dataset"
    FEDERATED_ROUND = "federated-round"
    MODEL = "model"
    PREREGISTRATION = "preregistration"
    PUBLICATION = "publication"
    REPLICATION = "replication"
    RETRACTION = "retraction"
    REVIEW = "review"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """How to anchor each path of one command line."""

    kind: KindChoice
    disclosure: Disclosure
    refs: Sequence[tuple[str, str]]
    fields: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    strict: bool
    deep: bool = False
    timeout: float


def prereg(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The plan.")],
    disclosure: DisclosureOption = Disclosure.CONSORTIUM,
    ref: Refs = None,
    strict: Strict = False,
    timeout: Timeout = ANCHOR_S,
    as_json: Json = False,
) -> int:
    """Anchor a preregistration: the plan, before the data."""
    options = _Options(
        kind=KindChoice.PREREGISTRATION,
        disclosure=disclosure,
        refs=parse_refs(ref),
        strict=strict,
        timeout=timeout,
    )
    return _anchor(Printer(as_json), [file], options)


def anchor(
    *,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="The files or folders to anchor.")],
    kind: Annotated[KindChoice, typer.Option(help="The kind of entry.")] = KindChoice.DATASET,
    disclosure: DisclosureOption = Disclosure.CONSORTIUM,
    ref: Refs = None,
    set_field: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help=f"A field of the commitment itself. {FIELDS_HELP}"),
    ] = None,
    fact: Annotated[
        list[str] | None,
        typer.Option("--fact", metavar="NAME=VALUE", help=f"Kept in the evidence, off the ledger. {VALUES_HELP}"),
    ] = None,
    strict: Strict = False,
    deep: Deep = False,
    timeout: Timeout = ANCHOR_S,
    as_json: Json = False,
) -> int:
    """Anchor files and folders; receipts and evidence are written beside them."""
    options = _Options(
        kind=kind,
        disclosure=disclosure,
        refs=parse_refs(ref),
        fields=parse_fields(set_field, "--set"),
        facts=parse_values(fact, "--fact"),
        strict=strict,
        deep=deep,
        timeout=timeout,
    )
    return _anchor(Printer(as_json), paths, options)


def _anchor(printer: Printer, paths: Sequence[Path], options: _Options) -> int:
    """Anchor each path; the exit code of the first that is left in the outbox."""
    here = find_project()
    refs = [reference(here, rel, target) for rel, target in options.refs]
    results: list[Anchored] = []
    for path in paths:
        with printer.hashing() as on_progress:
            result = anchor_artifact(
                path,
                options.kind.value,
                project=here,
                facts=options.facts,
                fields=options.fields,
                refs=refs,
                disclosure=options.disclosure,
                timeout=options.timeout,
                strict=options.strict,
                deep=options.deep,
                on_progress=on_progress,
            )
        _print(printer, result)
        results.append(result)
    printer.data({"results": [each.to_json() for each in results]})
    return next((each.error.exit_code for each in results if each.error is not None), ExitCode.OK)


def _print(printer: Printer, result: Anchored) -> None:
    path, reason = shown(str(result.path)), shown(str(result.error))
    if result.status is AnchorStatus.PENDING:
        printer.line(f"[yellow]pending[/] {path}  in the outbox as {result.id[:16]}…")
        printer.note(f"[yellow]not anchored yet:[/] {reason}")
        printer.note(_SENT_AGAIN)
    elif result.status is AnchorStatus.REFUSED:
        printer.line(f"[red]refused[/] {path}  in the outbox as {result.id[:16]}…")
        printer.note(f"[red]refused:[/] {reason}")
        printer.refused_remedy(result.id, on_stderr=True)
    else:
        receipt = result.receipt
        at = f"  #{receipt.index} · block {receipt.height} · {iso_time(receipt.time_ms)}" if receipt else ""
        printer.line(f"[green]{result.status}[/] {path}{at}  → {shown(str(result.receipt_path))}")
    if result.other_project is not None:
        place = shown(str(result.other_project))
        printer.note(
            f"[yellow]note:[/] {path} lies in the project {place}; the project of the current folder was used instead"
        )
