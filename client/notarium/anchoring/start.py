"""The start of a run, on record from its first second: a small signed entry, to which the end refers.

    .notarium/runs/ID.start.record.json, ID.start.receipt.json

It is signed and in the outbox before the run goes on, and sent in the background. Whatever ends the run, `kill -9` and
a power cut included, the start stays: a run that is not shown later is seen to be missing.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from notarium.anchoring.commit import Disclosure, commit
from notarium.anchoring.delivery import START, deliver
from notarium.anchoring.open_runs import OpenMark, runs_folder, start_place
from notarium.anchoring.other_processes import Said
from notarium.anchoring.outbox import Waiting
from notarium.errors import Unwritable
from notarium.evidence.record import Record
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.ledger_access.receipt_file import find_receipt
from notarium.project import Project

SEND_S: Final = 60.0
"""How long the start is sent in the background; what is not decided by then waits in the outbox."""

logger = logging.getLogger("notarium")


class Start:
    """The start of a run of this process, signed and about to be sent."""

    def __init__(self, project: Project, run_id: str, waiting: Waiting, mark: OpenMark) -> None:
        """Made by `begin`."""
        self.run_id = run_id
        self.place = waiting.receipt_path
        """Of its receipt."""
        self.said = Said(mark.said)
        """What other processes of the run log."""
        self._project = project
        self._waiting = waiting
        self._mark = mark
        # A daemon: the end of the program does not wait for it, and what was not sent is in the outbox.
        self._sending = threading.Thread(target=self._send, name="notarium-start", daemon=True)
        self._sending.start()

    def wait(self, timeout: float) -> None:
        """Wait until it is sent, or cannot be for now, for at most `timeout` seconds."""
        self._sending.join(timeout)

    def receipt(self) -> VerifiedReceipt | None:
        """Its receipt, if there is one yet."""
        return find_receipt(self.place, self._project.genesis)

    def drafted(self, draft: Path) -> None:
        """The run has ended; its record could not be signed and waits as a draft. Raises OSError."""
        self._mark.drafted(draft)

    def ended(self) -> None:
        """The end of the run is signed. Raises OSError."""
        self._mark.ended()

    def _send(self) -> None:
        try:
            deliver(self._project, [self._waiting], SEND_S)
        except Exception as error:
            # The end of the run sends it again, and says what is wrong then.
            logger.debug("notarium: the start of a run was not sent: %s", error)


def begin(project: Project, facts: Mapping[str, Any], *, started_ms: int, directory: Path, disclosure: str) -> Start:
    """Sign the start of a run, keep it, and begin to send it. `facts`: what is known of the run; its `name` is needed.

    Raises NotariumError, and nothing has begun then.
    """
    run_id = secrets.token_hex(8)
    folder = runs_folder(project)
    try:
        # Before the entry is signed: a start without this file would never be listed as open.
        mark = OpenMark(folder, run_id, str(facts["name"]), started_ms, directory)
        Said.create(mark.said)
    except OSError as error:
        raise Unwritable("the start of the run cannot be recorded", folder, error) from error
    record = Record.new(START, (), {**facts, "run_id": run_id})
    fields = {} if disclosure == Disclosure.SEALED else {"started_ms": started_ms}
    try:
        waiting = commit(project, record, start_place(folder, run_id), fields=fields, disclosure=disclosure)
    except BaseException:
        mark.ended()
        raise
    return Start(project, run_id, waiting, mark)
