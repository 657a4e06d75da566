"""`with notarium.track("study-12") as run:` records a run and anchors it, without disturbing it.

Nothing here may make the training fail, slow it down or block it. A background thread hashes inputs while the training
works. An error becomes one warning line and a gap in the record. The start is signed at once and sent in background,
the end is sent for a bounded time, and what could not be sent waits in the outbox. `strict=True` raises instead, for
CI: before the training what the end will need, and after the rest was recorded what fails at the end. The user's own
exception propagates unchanged.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from notarium.anchoring.anchor import AnchorStatus
from notarium.anchoring.commit import Disclosure, check_commitment
from notarium.anchoring.delivery import send, waits
from notarium.anchoring.drafts import how_to_complete, keep_draft
from notarium.anchoring.guarding import guarded
from notarium.anchoring.inputs import Used
from notarium.anchoring.kept_diff import keep_patch
from notarium.anchoring.lifetime import Lifetime, status_by_error
from notarium.anchoring.other_processes import Said
from notarium.anchoring.outbox import WaitingState, now_ms
from notarium.anchoring.recording import Recording
from notarium.anchoring.run_facts import KIND, RunFacts, RunStatus, SignedRun, sign_run
from notarium.anchoring.signals import ENDING_SIGNALS
from notarium.errors import NotariumError, Unwritable
from notarium.evidence.artifact import Artifact
from notarium.evidence.digest_cache import DigestCache
from notarium.evidence.inventory import Selection, hash_path
from notarium.files import check_writable
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.naming import record_of, run_stem
from notarium.observing.interpreter import command_line
from notarium.observing.observation import Observation, Observed
from notarium.project import Homes, Project, find_project
from notarium_ledger.encoding.json_file import iso_time

logger = logging.getLogger("notarium")

SEND_S = 5.0
"""How long the end of a run may wait for the network."""
CODE_S = 0.03
"""How long its start may wait for Git; the end says what the code was in any case."""
SEED_S = 60.0
"""How long a seed from the ledger may take."""


class Run(Recording):
    """One tracked run. Made by `track`; its methods may be called from any thread.

    Also in a forked process, and by a worker that got the run by pickle: what they log arrives at the end.
    """

    def __init__(
        self,
        name: str,
        *,
        directory: Path | str = ".",
        project: Project | None = None,
        disclosure: str = Disclosure.CONSORTIUM,
        strict: bool = False,
        wait: float = SEND_S,
        command: Sequence[str] | None = None,
        keep_diff: bool = False,
    ) -> None:
        """See `track`."""
        super().__init__(strict)
        self.name = name
        self.receipt: VerifiedReceipt | None = None
        """After the run: its verified receipt, or None while it is pending."""
        self.receipt_path: Path | None = None
        """After the run: where the receipt is, or will be once it has been sent."""
        self.record_path: Path | None = None
        self.draft_path: Path | None = None
        """After the run: where its record is kept if it could not be signed."""
        self.id = ""
        """After the run: the entry's id, hex."""
        self._directory = Path(directory)
        self._project = project
        self._disclosure = disclosure
        self._wait = wait
        self._command = list(command) if command is not None else None
        self._keep_diff = keep_diff
        self._observed = Observed.nothing()
        self._state = WaitingState.PENDING
        self._first_error: NotariumError | None = None
        self._warned: set[str] = set()
        self._started_ms = 0

    def __reduce__(self) -> tuple[Callable[..., Run], tuple[str, Path | None]]:
        """A copy for another process, which passes on what is logged there."""
        return _copy, (self.name, self._life.hand_out())

    def __repr__(self) -> str:
        entry = f" · {self.id[:16]}…" if self.id else ""
        at = f" · block {self.receipt.height} · #{self.receipt.index}" if self.receipt else ""
        return f"<Run {self.name!r} {self.outcome}{entry}{at}>"

    @property
    def outcome(self) -> AnchorStatus:
        """After the run: anchored, pending, quota, refused or not-anchored."""
        if self.receipt is not None:
            return AnchorStatus.ANCHORED
        return AnchorStatus(self._state) if self.id else AnchorStatus.NOT_ANCHORED

    def seed_from_ledger(self, name: str = "", *, timeout: float = SEED_S) -> int:
        """A seed that nobody chose, of 32 bits: derived from the block that decided the start of this run.

        `name`: for a further seed. Waits for that block, for at most `timeout` seconds. Where it does not come, the
        seed is drawn here, which is a warning and a gap; a strict run raises instead.
        """
        value, problem = self._life.seed(self._project, name, timeout, strict=self.strict)
        if problem:
            self._warn(problem)
            self.gap(problem)
        self.seed(value, name or "seed")
        return value

    # The context around the run.

    def __enter__(self) -> Self:
        if self._life.is_elsewhere():
            return self
        self._started_ms = now_ms()
        self._life.enter()
        try:
            self._prepare()
            self._begin()
        except BaseException:
            self._life.leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        # A child process that was forked inside the block must not anchor the same run again.
        if self._life.is_elsewhere():
            return False
        try:
            self._finish(status_by_error(error) if self._status is None else self._status)
        except Exception as problem:
            # The user's own exception takes precedence, also where the run is strict.
            if self.strict and error is None:
                raise
            self._warn(str(problem))
        finally:
            self._life.leave()
        return False

    @guarded
    def _prepare(self) -> None:
        run_stem(self.name)
        self._observation = Observation(self._sha256, command=self._command, keep_diff=self._keep_diff)
        # Without the folder of the program, which names people and projects.
        self._command = command_line() if not self._command else [Path(self._command[0]).name, *self._command[1:]]
        self._project = self._project or find_project()
        # The end needs all of these. While nothing has been trained, there is time to put them right.
        self._project.author(self._project.key())
        fields = {"status": RunStatus.COMPLETED.value}
        check_commitment(self._project, KIND, fields=fields, refs=(), disclosure=self._disclosure)
        check_writable(self._directory)

    @guarded
    def _begin(self) -> None:
        """The last step: what a strict run raises before it has not begun."""
        code = self._observation.code(CODE_S) if self._observation else Observed.nothing().code
        facts = {
            "name": self.name,
            "started": iso_time(self._started_ms),
            "command": self._values.secrets.command(self._command or []),
            "code": code.to_json(),
            "gaps": [*code.gaps, *self._values.secrets.notices],
            **self._values.secrets.salted(),
        }
        try:
            self._life.begin(
                self._project,
                facts,
                started_ms=self._started_ms,
                directory=self._directory,
                disclosure=str(self._disclosure),
            )
        except Exception as error:
            self._gaps.append(f"the start of this run was not recorded: {error}")
            if self._project is not None:
                raise

    def _finish(self, status: RunStatus) -> None:
        ended_ms = now_ms()
        artifacts: list[Artifact] = []
        self._directory = self._life.folder(self._directory)
        self._gaps.extend(self._life.repeat(self))
        try:
            with self._life.hashing(self._gaps):
                if self._observation is not None:
                    self._observed = self._observation.end(self._values.seeds.values())
                artifacts.extend(self._artifacts())
            with ENDING_SIGNALS.held():
                self._project = self._project or find_project(self._life.begun_in)
                self._directory.mkdir(parents=True, exist_ok=True)
                signed = sign_run(self._project, self._facts_now(status, ended_ms, artifacts), self._directory)
                self._life.signed()
        except (Exception, KeyboardInterrupt) as error:
            if isinstance(error, KeyboardInterrupt):
                self._gaps.append("interrupted before all inputs and outputs were hashed; those are not recorded")
            self._keep_draft(self._facts_now(status, ended_ms, artifacts), error)
            raise
        with ENDING_SIGNALS.held():
            self._deliver(self._project, signed)

    def _deliver(self, project: Project, signed: SignedRun) -> None:
        for problem in signed.problems:
            self._after_recording(problem)
        self.id, self.receipt_path = signed.waiting.id, signed.waiting.receipt_path
        self.record_path = record_of(self.receipt_path)
        # The end refers to the start, so that goes first.
        left = self._life.wait_for_start(self._wait)
        delivery = send(project, signed.waiting, left)
        # What it refers to may have been signed again, and so this entry too.
        self.id, self.receipt = delivery.waiting.id, delivery.receipt
        self._state = delivery.waiting.state
        if self._first_error is not None:
            raise self._first_error
        if delivery.error is not None:
            if self.strict:
                raise delivery.error
            remedy = "fix the cause, then run" if delivery.waiting.refused else "run"
            self._warn(f"{waits(delivery.error)} ({remedy} 'notarium status --flush' to send it)")

    def _facts_now(self, status: RunStatus, ended_ms: int, artifacts: Sequence[Artifact]) -> RunFacts:
        return RunFacts(
            name=self.name,
            status=status,
            started_ms=self._started_ms,
            ended_ms=ended_ms,
            commit=self._observed.code.exact_commit,
            disclosure=str(self._disclosure),
            artifacts=tuple(artifacts),
            refs=(*self._life.refs(), *self._refs),
            facts=self._facts(status, ended_ms),
        )

    def _keep_draft(self, run: RunFacts, error: BaseException) -> None:
        """What was recorded is never thrown away because it cannot be signed now."""
        if not isinstance(error, KeyboardInterrupt):
            self._warn(str(error))
        try:
            self.draft_path = keep_draft(run, self._directory, Homes.of(os.environ).state / "drafts")
            self._life.drafted(self.draft_path)
        except (Unwritable, OSError) as problem:
            self._warn(str(problem))
        else:
            self._warn(how_to_complete(self.draft_path, self._directory))

    def _facts(self, status: RunStatus, ended_ms: int) -> dict[str, Any]:
        ended = {} if self._exit_code is None else {"exit_code": self._exit_code}
        return {
            "name": self.name,
            "status": status.value,
            **ended,
            **self._life.facts(),
            "started": iso_time(self._started_ms),
            "ended": iso_time(ended_ms),
            "command": self._values.secrets.command(self._command or []),
            **self._values.facts(),
            **({"external": self._external} if self._external else {}),
            "environment": self._observed.environment,
            "determinism": self._observed.determinism,
            "code": self._observed.code.to_json(),
            "gaps": [*self._observed.gaps, *self._gaps, *self._values.gaps()],
        }

    def _cache(self) -> DigestCache | None:
        return self._project.homes.digest_cache() if self._project else None

    def _sha256(self, path: Path) -> str:
        """For what is observed in the background."""
        return hash_path(path, cache=self._cache(), threads=1).sha256

    def _artifacts(self) -> Iterable[Artifact]:
        cache = self._cache()
        made = (
            Used.now(path, self._by_products.get(path, "output"), selection, cache)
            for path, selection in self._outputs.items()
        )
        for used in itertools.chain(self._kept_diff(cache), self._inputs.used(cache), made):
            artifact, gaps, error = used.recorded(self._directory)
            self._gaps += gaps
            if artifact is not None:
                yield artifact
            if error is not None:
                self._after_recording(error)

    def _kept_diff(self, cache: DigestCache | None) -> Iterable[Used]:
        """What separates the code from its commit, as a file beside the record."""
        patch = self._observed.code.patch
        if patch is None:
            return
        try:
            path = keep_patch(self._directory, run_stem(self.name), patch)
        except Unwritable as error:
            self._gaps.append(str(error))
            self._after_recording(error)
        else:
            yield Used.now(path, "code", Selection(), cache)

    def _after_recording(self, error: NotariumError) -> None:
        """A strict run raises the first error of its end, but not before the rest of the record is safe."""
        if self.strict:
            self._first_error = self._first_error or error
        else:
            self._warn(str(error))

    def _warn(self, text: str) -> None:
        # The same at the start and at the end, or in each step of a loop, is one warning.
        if text in self._warned:
            return
        self._warned.add(text)
        # Logging never raises, and without any set-up it prints one line on stderr.
        logger.warning("notarium: run %r: %s", self.name, " ".join(text.split()))


def track(
    name: str,
    *,
    directory: Path | str = ".",
    project: Project | None = None,
    disclosure: str = Disclosure.CONSORTIUM,
    strict: bool = False,
    wait: float = SEND_S,
    command: Sequence[str] | None = None,
    keep_diff: bool = False,
) -> Run:
    """A run to use in a `with` statement; its receipt goes to `directory`/`name`.run.receipt.json.

    `disclosure`: "sealed" shows the digest of the record on the ledger, "consortium" also the times and the Git
    commit, "public" also names and digests of artifacts. `strict`: raise errors that are warnings otherwise.
    `wait`: seconds that the end may wait for the network. `command`: the command line that runs in another process,
    whose seeds and libraries cannot be observed from here. `keep_diff`: keep what separates the code from its commit,
    as a patch beside the record; it contains what the changed files contain.
    """
    return Run(
        name,
        directory=directory,
        project=project,
        disclosure=disclosure,
        strict=strict,
        wait=wait,
        command=command,
        keep_diff=keep_diff,
    )


def _copy(name: str, said: Path | None) -> Run:
    """What another process gets for the run."""
    run = Run(name)
    run._life = Lifetime(Said(said) if said is not None else None, is_copy=True)
    return run
