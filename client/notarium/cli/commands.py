"""What the commands do; `cli` says how they are called."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from notarium import project
from notarium.anchoring import anchor as anchoring
from notarium.anchoring import journal
from notarium.anchoring import track as tracking
from notarium.anchoring.anchor import Anchored, reference
from notarium.anchoring.commit import Delivery, Ref, deliver, outbox_of, targets
from notarium.anchoring.outbox import Waiting
from notarium.cli.output import REFUSED_REMEDY, Printer, describe_receipt, shown
from notarium.cli.verify import genesis_for
from notarium.errors import ExitCode, ProjectError
from notarium.evidence.contents import hash_path
from notarium.key_files import create_key, load_key
from notarium.ledger_access.blocking import BlockingClient
from notarium.ledger_access.client import entry_id
from notarium.naming import artifact_path, is_receipt, receipt_beside
from notarium.project import Homes, Project, find_project
from notarium.verifying.verification import VerificationStatus, Verifying
from notarium_ledger.encoding.json_file import iso_time
from notarium_ledger.entries.commitment import RELATIONS

SHOWN_REASON = 160


def enrol_command(issuer: str, key: str) -> str:
    """What the institution's administrator runs, in the node's folder, to enrol a researcher's key."""
    return f"notarium-node enrol --member {shlex.quote(issuer)} --key {key}"


ENROL_ELSEWHERE = "--admin-key FILE --genesis FILE --url https://NODE"
"""Options of that command where node.toml and keys/admin.key are not in the working directory."""


def read_hash(text: str) -> bytes:
    """A hash as people pass it on: in hex, perhaps in groups, with spaces, colons or hyphens. Raises ProjectError."""
    digits = re.sub(r"[\s:-]", "", text)
    if not re.fullmatch(r"[0-9A-Fa-f]{64}", digits):
        raise ProjectError(
            f"--genesis-hash is malformed: {len(digits)} characters where 64 hexadecimal digits are needed "
            "(groups, spaces and colons do not matter; quote it)"
        )
    return bytes.fromhex(digits)


def init(
    printer: Printer, genesis_file: Path, genesis_hash: str, nodes: list[str], issuer: str, name: str, force: bool
) -> None:
    """Pin a ledger and make a key; says how the key gets enrolled."""
    genesis = project.read_genesis(genesis_file)
    if genesis_hash and read_hash(genesis_hash) != genesis.hash:
        raise ProjectError(
            f"{genesis_file} has the hash {genesis.hash.hex()}, not {genesis_hash}: it is another ledger's, or it was "
            "changed; ask your institution for the right file"
        )
    if issuer not in genesis.registry.members:
        printer.note(f"[yellow]note:[/] {shown(issuer)} is not among the founding members; fine if it joined later")
    root = Path.cwd()
    chosen = nodes or [each.api for each in genesis.registry.nodes.values() if each.api]
    if not chosen:
        raise ProjectError("the genesis document names no API address: give at least one --node URL")
    config = project.create_project(root, genesis, chosen, issuer, name or root.name, replace=force)
    key_path = Path(os.environ.get("NOTARIUM_KEY") or Homes.of(os.environ).key_file(genesis.name))
    created = not key_path.exists()
    key = create_key(key_path) if created else load_key(key_path)
    enrolled = key.public in genesis.registry.researchers
    command = enrol_command(issuer, key.public.hex())
    printer.data(
        {
            "config": str(config),
            "ledger": genesis.name,
            "genesis_hash": genesis.hash.hex(),
            "nodes": chosen,
            "key": str(key_path),
            "key_created": created,
            "public_key": key.public.hex(),
            "enrolled_at_genesis": enrolled,
            "enrol_command": command,
        }
    )
    printer.line(f"[green]pinned[/] {shown(genesis.name)}  genesis {genesis.hash.hex()}")
    if not genesis_hash:
        printer.note("[yellow]note:[/] compare this hash with your institution's over another channel (by phone)")
    printer.line(f"{'created' if created else 'found'} key {shown(str(key_path))}")
    printer.line(f"public key {key.public.hex()}")
    if not enrolled:
        printer.line("Your institution's administrator enrols it, on the institution's node, in the node's folder:")
        printer.line(f"  {shown(command)}")
        printer.line(f"or, from elsewhere, with {ENROL_ELSEWHERE} added.")


def anchor(
    printer: Printer,
    paths: Sequence[Path],
    kind: str,
    disclosure: str,
    refs: Sequence[str],
    fields: Sequence[str],
    facts: Sequence[str],
    strict: bool,
    deep: bool,
    timeout: float,
) -> None:
    """Anchor each path; exits as unreachable where one of them had to be left in the outbox."""
    from typer import Exit

    here = find_project()
    chosen = _refs(here, refs)
    results: list[Anchored] = []
    for path in paths:
        with printer.hashing() as on_progress:
            result = anchoring.anchor(
                path,
                kind,
                project=here,
                facts=_pairs(facts, "--fact"),
                fields=_pairs(fields, "--set"),
                refs=chosen,
                disclosure=disclosure,
                timeout=timeout,
                strict=strict,
                deep=deep,
                on_progress=on_progress,
            )
        printer.anchored(result)
        results.append(result)
    printer.data({"results": [each.to_json() for each in results]})
    errors = [each.error for each in results if each.error is not None]
    if errors:
        raise Exit(errors[0].exit_code)


def run(
    printer: Printer,
    command: Sequence[str],
    name: str,
    inputs: Sequence[Path],
    outputs: Sequence[Path],
    params: Sequence[str],
    directory: Path,
    disclosure: str,
    refs: Sequence[str],
    strict: bool,
    timeout: float,
) -> int:
    """Run a command inside a tracked run; its exit code, or notarium's own where it is strict."""
    if shutil.which(command[0]) is None:
        # As a shell says it, and before anything is recorded of a run that there never was.
        exists = Path(command[0]).exists()
        code, text = (126, "may not be executed") if exists else (127, "command not found")
        if printer.as_json:
            sys.stderr.write(json.dumps({"error": f"{command[0]}: {text}", "exit_code": code}) + "\n")
        else:
            printer.error(f"{command[0]}: {text}")
        return code
    here = find_project(directory) if strict else None
    tracked = tracking.track(
        name or Path(command[0]).name,
        directory=directory,
        project=here,
        disclosure=disclosure,
        strict=strict,
        wait=timeout,
        command=[Path(command[0]).name, *command[1:]],
    )
    with tracked:
        for path in inputs:
            tracked.input(path)
        for path in outputs:
            tracked.output(path)
        tracked.params(_pairs(params, "--param"))
        for rel, target in _split_refs(refs):
            tracked.refs(rel, target)
        code = _call(command)
        tracked.status("completed" if code == 0 else "interrupted" if code == 128 + signal.SIGINT else "failed")
        tracked.param("exit_code", code)
    outcome = {
        "name": tracked.name,
        "exit_code": code,
        "id": tracked.id or None,
        "status": "anchored" if tracked.receipt else "pending" if tracked.id else "not-anchored",
        "receipt": str(tracked.receipt_path) if tracked.receipt_path else None,
        "bundle": str(tracked.bundle_path) if tracked.bundle_path else None,
    }
    if printer.as_json:
        sys.stderr.write(json.dumps(outcome) + "\n")
    elif tracked.receipt is not None:
        printer.note(f"[green]anchored[/] run {shown(tracked.name)}  → {shown(str(tracked.receipt_path))}")
    return code


def _call(command: Sequence[str]) -> int:
    """Exit code of a command that shares our terminal and streams; 128 + n where signal n ended it."""
    # Ctrl-C goes to the command (the terminal sends it to the whole group): it decides what that means, we record it.
    # A handler, and not SIG_IGN, because the command would inherit the latter.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        code = subprocess.Popen(command).wait()
    except FileNotFoundError as error:
        raise ProjectError(f"{command[0]}: command not found") from error
    except PermissionError as error:
        raise ProjectError(f"{command[0]}: may not be executed") from error
    finally:
        signal.signal(signal.SIGINT, before)
    return 128 - code if code < 0 else code


def show(printer: Printer, target: str, genesis_file: Path | None, timeout: float) -> None:
    """Show one verified entry."""
    path = artifact_path(target)
    if path.exists() or is_receipt(path):
        place = path if is_receipt(path) else receipt_beside(path)
        verifying = Verifying(genesis_for(place, genesis_file), receipt_only=True)
        result = verifying.verify_receipt_file(place)
        if result.status is not VerificationStatus.VERIFIED:
            from typer import Exit

            printer.verification(result)
            printer.data(result.to_json())
            raise Exit(result.status.exit_code)
        receipt = verifying.load(place)
    else:
        wanted = entry_id(target)
        here = find_project()
        genesis = project.read_genesis(genesis_file) if genesis_file else here.genesis
        with BlockingClient(genesis, here.nodes, timeout=timeout) as client:
            receipt = client.receipt(wanted)
    document = describe_receipt(receipt)
    printer.data(document)
    for name, value in document.items():
        if isinstance(value, dict | list):
            # JSON escapes control characters itself, and has lines of its own.
            lines = json.dumps(value, indent=1).splitlines()
            printer.line(f"[bold]{name}[/] " + "\n".join(map(shown, lines)))
        else:
            printer.line(f"[bold]{name}[/] {shown(str(value))}")


def find(printer: Printer, target: str, timeout: float) -> int:
    """Find entries by a digest, or by the digest of a file or folder."""
    here = find_project()
    path = artifact_path(target)
    digest = hash_path(path, cache=here.homes.digest_cache()).sha256 if path.exists() else entry_id(target).hex()
    with BlockingClient(here.genesis, here.nodes, timeout=timeout) as client:
        found = client.find(digest)
    printer.data({"digest": digest, "entries": [describe_receipt(each) for each in found]})
    for each in found:
        body = each.body
        printer.line(
            f"{each.id.hex()}  {body['kind']} · {shown(str(body.get('issuer', '')))} · {iso_time(each.time_ms)}"
        )
    if not found:
        printer.error(f"no entry names {digest}; plain digests are on the ledger only where disclosure is public")
        return ExitCode.NOT_ANCHORED
    return ExitCode.OK


def log(printer: Printer) -> None:
    """List what was anchored from this project, with its state."""
    here = find_project()
    pending = {each.id: "refused" if each.refused else "pending" for each in outbox_of(here).list()}
    rows: list[dict[str, Any]] = []
    for record in journal.read(here.folder):
        place = here.folder.absolute().parent / record.receipt
        receipt = anchoring.read_receipt(here, place)
        if record.id in pending:
            state = pending[record.id]
        elif receipt is not None and receipt.id.hex() == record.id:
            state = "anchored"
        else:
            state = "superseded" if receipt is not None else "no receipt"
        rows.append(
            {
                "time": iso_time(record.time_ms),
                "status": state,
                "kind": record.kind,
                "id": record.id,
                "receipt": record.receipt,
            }
        )
    printer.data({"entries": rows})
    for row in rows:
        printer.line(f"{row['time']}  {row['status']:<10} {row['kind']:<16} {row['id'][:16]}…  {shown(row['receipt'])}")


def status(printer: Printer, flush: bool, drop: Sequence[str], timeout: float) -> int:
    """The nodes and the outbox; with `drop` entries are taken out of it, with `flush` the rest is sent first."""
    here = find_project()
    dropped = [outbox_of(here).matching(each) for each in drop]
    _check_unreferenced(dropped, outbox_of(here).list())
    for each in dropped:
        outbox_of(here).remove(each.id)
    waiting = outbox_of(here).list()
    sent: list[Delivery] = deliver(here, waiting, timeout) if flush else []
    waiting = outbox_of(here).list()
    with BlockingClient(here.genesis, here.nodes, timeout=timeout, attempt_timeout=min(timeout, 5.0)) as client:
        nodes = client.status()
    printer.data(
        {
            "ledger": here.genesis.name,
            "genesis_hash": here.genesis.hash.hex(),
            "nodes": [
                {"url": each.url, "ready": each.ready, "problem": each.problem or None, "answer": each.answer}
                for each in nodes
            ],
            "dropped": [each.id for each in dropped],
            "sent": [each.waiting.id for each in sent if each.receipt is not None],
            "outbox": [_waiting_json(each) for each in waiting],
        }
    )
    for node in nodes:
        said = node.answer or {}
        if node.problem:
            printer.line(f"[red]{'unusable':<11}[/] {shown(node.url)}  {shown(node.problem)}")
            continue
        state = "[green]ready[/]      " if node.ready else "[yellow]not ready[/]  "
        role, member, height = (shown(str(said.get(name, "?"))) for name in ("role", "member", "height"))
        reasons = shown(" · ".join(map(str, said.get("reasons") or [])))
        printer.line(f"{state} {shown(node.url)}  {role} of {member} · height {height} {reasons}")
    for delivery in sent:
        if delivery.receipt is not None:
            printer.line(f"[green]sent[/] {delivery.waiting.id[:16]}…  → {shown(str(delivery.waiting.receipt_path))}")
    for each in dropped:
        printer.line(f"dropped {each.id[:16]}…  {each.kind}  {shown(str(each.receipt_path))}")
    for each in waiting:
        state = "[red]refused[/]" if each.refused else "[yellow]waiting[/]"
        printer.line(f"{state} {each.id[:16]}…  {each.kind}  {shown(_short(each.reason))}")
        if each.refused:
            printer.line(f"  {REFUSED_REMEDY.format(id=each.id[:16])}")
    if flush and waiting:
        errors = [each.error for each in sent if each.error is not None]
        return errors[0].exit_code if errors else ExitCode.UNREACHABLE
    return ExitCode.OK if any(not each.problem for each in nodes) else ExitCode.UNREACHABLE


def _check_unreferenced(dropped: Sequence[Waiting], waiting: Sequence[Waiting]) -> None:
    """Raise ProjectError where what stays refers to what goes: it would be anchored with a reference to nothing."""
    gone = {each.id for each in dropped}
    for each in waiting:
        if each.id not in gone and (missing := sorted(gone & targets(each))):
            raise ProjectError(
                f"{each.id[:16]}… refers to {missing[0][:16]}… and waits, too: drop both, or mend what the latter lacks"
            )


def _waiting_json(waiting: Waiting) -> dict[str, Any]:
    return {
        "id": waiting.id,
        "kind": waiting.kind,
        "receipt": str(waiting.receipt_path),
        "time": iso_time(waiting.created_ms),
        "reason": waiting.reason or None,
        "refused": waiting.refused,
    }


def _short(reason: str) -> str:
    """What fits a line; --json has it all."""
    return reason if len(reason) <= SHOWN_REASON else f"{reason[: SHOWN_REASON - 1]}…"


def _refs(here: Project, texts: Sequence[str]) -> list[Ref]:
    return [reference(here, rel, target) for rel, target in _split_refs(texts)]


def _split_refs(texts: Sequence[str]) -> list[tuple[str, str]]:
    pairs = []
    for text in texts:
        rel, sign, target = text.partition("=")
        if not sign or not target or rel not in RELATIONS:
            raise ProjectError(f"--ref {text!r}: expected REL=TARGET with REL one of {', '.join(RELATIONS)}")
        pairs.append((rel, target))
    return pairs


def _pairs(texts: Sequence[str], option: str) -> dict[str, Any]:
    """NAME=VALUE pairs; a value that reads as an integer is one."""
    result: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise ProjectError(f"{option} {text!r}: expected NAME=VALUE")
        digits = value.removeprefix("-")
        result[name] = int(value) if digits.isascii() and digits.isdigit() and len(digits) < 16 else value
    return result
