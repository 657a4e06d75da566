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
from notarium.anchoring.commit import Disclosure, Ref
from notarium.anchoring.delivery import waits
from notarium.anchoring.references import reference
from notarium.cli.options import (
    FIELDS_HELP,
    VALUES_HELP,
    Deep,
    DisclosureOption,
    Exclude,
    Follow,
    Json,
    Refs,
    Strict,
    Timeout,
    given_path,
    parse_fields,
    parse_refs,
    parse_values,
)
from notarium.cli.output import Printer, shown
from notarium.errors import ExitCode, NotariumError
from notarium.project import Project, find_project
from notarium.verdicts import gravest
from notarium_ledger.encoding.json_file import iso_time
from notarium_ledger.errors import LedgerError

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
    exclude: Sequence[str] = ()
    follow: bool = False
    timeout: float


def prereg(
    *,
    file: Annotated[Path, typer.Argument(parser=given_path, metavar="FILE", help="The plan.")],
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
    paths: Annotated[
        list[Path], typer.Argument(parser=given_path, metavar="PATH...", help="The files or folders to anchor.")
    ],
    kind: Annotated[KindChoice, typer.Option(help="The kind of entry.")] = KindChoice.DATASET,
    disclosure: DisclosureOption = Disclosure.CONSORTIUM,
    ref: Refs = None,
    set_field: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help=f"A field of the commitment itself. {FIELDS_HELP}"),
    ] = None,
    fact: Annotated[
        list[str] | None,
        typer.Option("--fact", metavar="NAME=VALUE", help=f"Kept in the record, off the ledger. {VALUES_HELP}"),
    ] = None,
    strict: Strict = False,
    exclude: Exclude = None,
    follow: Follow = False,
    deep: Deep = False,
    timeout: Timeout = ANCHOR_S,
    as_json: Json = False,
) -> int:
    """Anchor files and folders; receipts and records are written beside them."""
    options = _Options(
        kind=kind,
        disclosure=disclosure,
        refs=parse_refs(ref),
        fields=parse_fields(set_field, "--set"),
        facts=parse_values(fact, "--fact"),
        strict=strict,
        deep=deep,
        exclude=exclude or (),
        follow=follow,
        timeout=timeout,
    )
    return _anchor(Printer(as_json), paths, options)


@dataclass(frozen=True, slots=True)
class _Failed:
    """A path that was not anchored; nothing of it waits in the outbox unless the error says so."""

    path: Path
    reason: str
    exit_code: ExitCode

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        return {
            "path": str(self.path),
            "status": "failed",
            "reason": self.reason,
            "exit_code": int(self.exit_code),
        }


def _anchor(printer: Printer, paths: Sequence[Path], options: _Options) -> int:
    """Anchor each path by itself: an error about one neither stops nor hides the others."""
    here = find_project()
    # Said before the first byte is hashed: whoever cannot sign would wait for nothing.
    here.issuer_or_fail()
    here.key()
    refs = [reference(here, rel, target) for rel, target in options.refs]
    results: list[Anchored | _Failed] = []
    for path in paths:
        result = _anchor_one(printer, here, path, options, refs)
        if isinstance(result, _Failed):
            printer.error(result.reason)
        else:
            _print(printer, result)
        results.append(result)
    failed = [each for each in results if isinstance(each, _Failed)]
    code = gravest([ExitCode.OK, *(each.exit_code for each in results)])
    said: dict[str, Any] = {"results": [each.to_json() for each in results]}
    if failed:
        said |= {"error": "; ".join(each.reason for each in failed), "exit_code": int(code)}
        if len(paths) > 1:
            printer.note(f"{len(failed)} of {len(paths)} paths failed; the results of the others are valid")
    printer.data(said)
    return code


def _anchor_one(
    printer: Printer, here: Project, path: Path, options: _Options, refs: Sequence[Ref]
) -> Anchored | _Failed:
    try:
        with printer.hashing() as on_progress:
            return anchor_artifact(
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
                exclude=options.exclude,
                follow=options.follow,
                on_progress=on_progress,
            )
    except NotariumError as error:
        return _Failed(path, str(error), error.exit_code)
    except LedgerError as error:
        return _Failed(path, f"{path}: {error}", ExitCode.USAGE)
    except OSError as error:
        return _Failed(path, f"{error.filename or path}: {error.strerror or error}", ExitCode.USAGE)


def _print(printer: Printer, result: Anchored) -> None:
    path = shown(str(result.path))
    if result.error is not None:
        is_refused = result.status is AnchorStatus.REFUSED
        colour = "red" if is_refused else "yellow"
        printer.line(f"[{colour}]{result.status}[/] {path}  in the outbox as {result.id[:16]}…")
        printer.note(shown(waits(result.error)))
        if is_refused:
            printer.refused_remedy(result.id[:16], on_stderr=True)
        else:
            printer.note(_SENT_AGAIN)
    else:
        receipt = result.receipt
        at = f"  #{receipt.index} · block {receipt.height} · {iso_time(receipt.time_ms)}" if receipt else ""
        printer.line(f"[green]{result.status}[/] {path}{at}  → {shown(str(result.receipt_path))}")
    if result.other_project is not None:
        place = shown(str(result.other_project))
        printer.note(
            f"[yellow]note:[/] {path} lies in the project {place}; the project of the current folder was used instead"
        )
