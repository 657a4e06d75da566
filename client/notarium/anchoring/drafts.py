"""Drafts: the records of runs that could not be signed when they ended, for want of a key, an issuer or a project.

    fit.run.draft.json      beside where the receipt would be, or in the user's own state where that cannot be written

A draft holds all that the record will hold. It proves nothing, because nobody has signed it: the record made from
it lists that as a gap.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

from notarium.anchoring import open_runs
from notarium.anchoring.outbox import now_ms
from notarium.anchoring.run_facts import KIND, RunFacts, RunStatus, SignedRun, sign_run
from notarium.anchoring.run_places import MAX_RUNS_OF_ONE_NAME
from notarium.errors import InvalidRecordFile, ProjectError, Unwritable
from notarium.evidence.artifact import Artifact, relative_name
from notarium.evidence.author import Author
from notarium.evidence.record import MAX_RECORD_BYTES, Record
from notarium.files import read_regular, write_atomically
from notarium.naming import DRAFT_SUFFIX, artifact_path, run_stem
from notarium.project import Project
from notarium.values.as_json import to_json
from notarium_ledger.encoding.json_file import iso_time, parse_json, read_time_ms

FORMAT = "notarium-draft-1"


def keep_draft(run: RunFacts, directory: Path, reserve: Path) -> Path:
    """Write the facts into `directory`, or else into `reserve`; never over another one. Raises Unwritable."""
    failure: OSError | None = None
    for folder in (directory, reserve):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            place = _free_place(folder, run.name)
            write_atomically(place, _encode(run, folder))
            return place
        except OSError as error:
            failure = failure or error
    raise Unwritable("the record of the run cannot be kept as a draft", directory, failure or OSError("no folder"))


def how_to_complete(draft: Path, directory: Path) -> str:
    """What to say of a draft whose receipt was to go to `directory`."""
    command = shlex.join(["notarium", "complete", str(draft)])
    if draft.parent != directory:
        command += f" --directory {shlex.quote(str(directory))}"
    return f"kept as a draft: correct what is wrong, then run '{command}' to sign and anchor it"


def read_draft(path: Path) -> RunFacts:
    """The facts in a draft; its paths are relative to the draft's folder. Raises ProjectError."""
    try:
        data = read_regular(path, MAX_RECORD_BYTES)
    except OSError as error:
        raise ProjectError(f"cannot read the draft {path}: {error.strerror}") from error
    try:
        if len(data) > MAX_RECORD_BYTES:
            raise ValueError(f"it has more than {MAX_RECORD_BYTES} bytes")
        run = _run(parse_json(data), path.parent)
        # Whatever is in it must be able to become a record, whoever signs that.
        Record.new(KIND, run.artifacts, run.facts).by(Author(bytes(32), "", "")).digest  # noqa: B018
        return run
    except (
        InvalidRecordFile,
        ProjectError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise ProjectError(f"{path} is not the draft of a run: {type(error).__name__}: {error}") from error


def complete(
    project: Project, path: Path, *, name: str = "", disclosure: str = "", directory: Path | None = None
) -> SignedRun:
    """Sign the run in the draft at `path`, put its entry into the outbox, and remove the draft; nothing is sent yet.

    `name`, `disclosure`: instead of those in the draft. `directory`: for the receipt, instead of the draft's folder.
    Raises NotariumError, and the draft stays then.
    """
    run = read_draft(path)
    gap = f"this was an unsigned draft until {iso_time(now_ms())}, which anyone who had the file could change"
    gaps = [*run.facts["gaps"], gap]
    run = replace(
        run,
        name=name or run.name,
        disclosure=disclosure or run.disclosure,
        facts={**run.facts, "gaps": gaps},
    )
    signed = sign_run(project, run, path.parent if directory is None else directory)
    path.unlink()
    open_runs.forget(project, str(run.facts.get("run_id", "")))
    return signed


def _free_place(folder: Path, name: str) -> Path:
    try:
        base = run_stem(name).removesuffix(".run")
    except ProjectError:
        # The name may be the reason why there is only a draft.
        base = re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:64].strip("-") or "run"
    for number in range(1, MAX_RUNS_OF_ONE_NAME + 1):
        place = folder / (f"{base}{DRAFT_SUFFIX}" if number == 1 else f"{base}.{number}{DRAFT_SUFFIX}")
        if not place.exists():
            return place
    raise FileExistsError(f"{folder} has {MAX_RUNS_OF_ONE_NAME} drafts of runs named {base!r}")


def _encode(run: RunFacts, folder: Path) -> bytes:
    document = {
        "format": FORMAT,
        "name": run.name,
        "status": run.status.value,
        "started_ms": run.started_ms,
        "ended_ms": run.ended_ms,
        "commit": run.commit,
        "disclosure": run.disclosure,
        "artifacts": [each.to_json() for each in run.artifacts],
        "refs": [[rel, _target(target, folder)] for rel, target in run.refs],
        "facts": run.facts,
    }
    return json.dumps(to_json(document), indent=1).encode() + b"\n"


def _target(target: bytes | str | Path, folder: Path) -> str:
    """An entry's id, or a path relative to the draft, so that it can be completed from any folder."""
    if isinstance(target, bytes):
        return target.hex()
    if isinstance(target, str) and re.fullmatch("[0-9a-fA-F]{64}", target):
        return target
    return relative_name(artifact_path(target), folder)


def _run(document: Any, folder: Path) -> RunFacts:
    if document["format"] != FORMAT:
        raise ValueError("written by another version of notarium")
    facts, gaps = document["facts"], document["facts"]["gaps"]
    if not isinstance(facts, dict) or not isinstance(gaps, list) or not all(isinstance(each, str) for each in gaps):
        raise ValueError("its facts must be an object, with a list of texts as gaps")
    return RunFacts(
        name=_text(document["name"]),
        status=RunStatus(document["status"]),
        started_ms=read_time_ms(document["started_ms"]),
        ended_ms=read_time_ms(document["ended_ms"]),
        commit=bytes.fromhex(document["commit"]).hex(),
        disclosure=_text(document["disclosure"]),
        artifacts=tuple(Artifact.from_json(each) for each in document["artifacts"]),
        refs=tuple((_text(rel), _named(_text(target), folder)) for rel, target in document["refs"]),
        facts=facts,
    )


def _named(target: str, folder: Path) -> str | Path:
    if not _is_utf8(target) or "\0" in target:
        raise ValueError(f"{target!r} names no file")
    return target if re.fullmatch("[0-9a-fA-F]{64}", target) else folder / target


def _is_utf8(text: str) -> bool:
    return text == text.encode(errors="replace").decode()


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value
