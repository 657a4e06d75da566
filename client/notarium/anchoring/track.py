"""`with notarium.track("study-12") as run:` records a run and anchors it, without disturbing it.

Nothing here may make the training fail, slow it down or block it. A background thread hashes inputs while the training
works. An error becomes one warning line and a gap in the record. The network is used only at the end, for a bounded
time, and what could not be sent waits in the outbox. `strict=True` raises instead, for CI: before the training what the
end will need, and after the rest was recorded what fails at the end. The user's own exception propagates unchanged.
"""

from __future__ import annotations

import functools
import itertools
import logging
import os
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, Literal, ParamSpec, Self

from notarium.anchoring.anchor import AnchorStatus
from notarium.anchoring.commit import Disclosure, check_commitment
from notarium.anchoring.delivery import send, waits
from notarium.anchoring.drafts import keep_draft
from notarium.anchoring.inputs import Inputs, Used
from notarium.anchoring.outbox import WaitingState, now_ms
from notarium.anchoring.run_facts import KIND, RunFacts, RunStatus, sign_run
from notarium.errors import InvalidMetric, NotariumError, ProjectError, Unwritable
from notarium.evidence.artifact import Artifact
from notarium.evidence.digest_cache import DigestCache
from notarium.evidence.environment import Code, command_line, describe_code, describe_environment
from notarium.evidence.inventory import Selection
from notarium.evidence.references import refer
from notarium.evidence.values import decimal_text, to_json
from notarium.files import check_writable
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.naming import artifact_path, record_of, run_stem
from notarium.project import Homes, Project, find_project
from notarium_ledger.encoding.json_file import iso_time
from notarium_ledger.entries.commitment import RELATIONS

logger = logging.getLogger("notarium")

SEND_S = 5.0
"""How long the end of a run may wait for the network."""

P = ParamSpec("P")


def _guarded(
    method: Callable[Concatenate[Run, P], None],
) -> Callable[Concatenate[Run, P], None]:
    """Let no error of `method` reach the training, unless the run is strict."""

    @functools.wraps(method)
    def guarded(self: Run, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(self, *args, **kwargs)
        except NotariumError as error:
            # It names what it is about.
            if self.strict:
                raise
            self._warn(str(error))
        except Exception as error:
            if self.strict:
                raise
            # The name of a public method says which call it was; an internal one says nothing to the researcher.
            name = method.__name__
            self._warn(str(error) if name.startswith("_") else f"{name}: {error}")

    return guarded


class Run:
    """One tracked run. Made by `track`; its methods may be called from any thread."""

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
    ) -> None:
        """See `track`."""
        self.name = name
        self.strict = strict
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
        self._params: dict[str, Any] = {}
        self._metrics: list[dict[str, Any]] = []
        self._seeds: dict[str, Any] = {}
        self._inputs = Inputs()
        self._outputs: dict[Path, Selection] = {}
        self._external: list[dict[str, Any]] = []
        self._refs: list[tuple[str, bytes | str | Path]] = []
        self._gaps: list[str] = []
        self._code = Code("", False, ("the state of the code was not recorded",))
        self._status: RunStatus | None = None
        self._exit_code: int | None = None
        self._state = WaitingState.PENDING
        self._first_error: NotariumError | None = None
        self._warned: set[str] = set()
        self._started_ms = 0
        self._pid = 0

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

    # What a researcher records about the run.

    @_guarded
    def input(
        self, path: Path | str, role: str = "input", *, exclude: Sequence[str] = (), follow: bool = False
    ) -> None:
        """A file or folder that the run reads, as it is now. What is large is hashed in the background.

        `exclude`: patterns, as in `.notariumignore`, of what is left out of a folder. `follow`: follow also links that
        lead out of the artifact and its project.
        """
        selection = Selection.of(exclude, follow)
        chosen = artifact_path(path).absolute()
        self._inputs.name(chosen, role, selection, cache=self._cache(), named_ms=now_ms())

    @_guarded
    def config(self, path: Path | str) -> None:
        """A configuration file: an input with the role "config"."""
        self.input(path, "config")

    @_guarded
    def output(self, path: Path | str, *, exclude: Sequence[str] = (), follow: bool = False) -> None:
        """A file or folder that the run writes. It is hashed when the run ends, so it need not exist yet.

        `exclude`, `follow`: as for an input.
        """
        self._outputs[artifact_path(path).absolute()] = Selection.of(exclude, follow)

    @_guarded
    def external(
        self,
        uri: str,
        role: str = "input",
        *,
        sha256: str = "",
        version: str = "",
        s3: Mapping[str, Any] | None = None,
        copy: Path | str | None = None,
    ) -> None:
        """What the run uses and the record only refers to: a URI, a DOI, a CID of IPFS, or an object in S3.

        `sha256`, `version`: as the place says. `s3`: the answer of S3's HeadObject, asked for with
        ChecksumMode=ENABLED. `copy`: a file that is here, to be compared with it.
        """
        here = None if copy is None else artifact_path(copy).absolute()
        said, gaps = refer(uri, role, sha256=sha256, version=version, s3=s3, copy=here)
        self._external.append(said)
        self._gaps += gaps

    @_guarded
    def param(self, name: str, value: Any) -> None:
        """One parameter."""
        self._params[str(name)] = to_json(value)

    @_guarded
    def params(self, values: Mapping[str, Any]) -> None:
        """Several parameters."""
        self._params.update({str(name): to_json(value) for name, value in values.items()})

    @_guarded
    def metric(self, name: str, value: Any, step: int | None = None) -> None:
        """A measured number, kept as the decimal string that reads back as the same number."""
        try:
            text = decimal_text(value)
        except ValueError as error:
            raise InvalidMetric(f"metric {str(name)!r}: {error}; log one number for each metric") from error
        row: dict[str, Any] = {"name": str(name), "value": text, "time": iso_time(now_ms())}
        self._metrics.append(row if step is None else {**row, "step": int(step)})

    @_guarded
    def metrics(self, values: Mapping[str, Any], step: int | None = None) -> None:
        """Several measured numbers."""
        for name, value in values.items():
            self.metric(name, value, step)

    @_guarded
    def seed(self, value: int, name: str = "seed") -> None:
        """A random seed."""
        self._seeds[str(name)] = to_json(value)

    @_guarded
    def refs(self, rel: str, target: bytes | str | Path) -> None:
        """A reference to another entry: by id, receipt file, or artifact with a receipt beside it."""
        if rel not in RELATIONS:
            raise ProjectError(f"relation {rel!r} is not one of {', '.join(RELATIONS)}")
        self._refs.append((rel, target))

    @_guarded
    def gap(self, text: str) -> None:
        """Something this record does not vouch for; the record lists it."""
        self._gaps.append(str(text))

    @_guarded
    def status(
        self, status: RunStatus | Literal["completed", "failed", "interrupted"], exit_code: int | None = None
    ) -> None:
        """How the run ended, where no exception shows it. `exit_code`: of the command, where the run was one."""
        if status not in set(RunStatus):
            raise ProjectError(f"status {status!r} is not one of {', '.join(RunStatus)}")
        self._status, self._exit_code = RunStatus(status), exit_code

    # The context around the run.

    def __enter__(self) -> Self:
        self._pid = os.getpid()
        self._started_ms = now_ms()
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Literal[False]:
        # A child process that was forked inside the block must not anchor the same run again.
        if os.getpid() == self._pid:
            try:
                self._finish(_status_by(error) if self._status is None else self._status)
            except Exception as problem:
                # The user's own exception takes precedence, also where the run is strict.
                if self.strict and error is None:
                    raise
                self._warn(str(problem))
        return False

    @_guarded
    def _start(self) -> None:
        run_stem(self.name)
        if self._command is None:
            self._command = command_line()
        self._project = self._project or find_project()
        self._code = describe_code(Path.cwd())
        # The end needs all of these. While nothing has been trained, there is time to put them right.
        self._project.author(self._project.key())
        fields = {"status": RunStatus.COMPLETED.value}
        check_commitment(self._project, KIND, fields=fields, refs=(), disclosure=self._disclosure)
        check_writable(self._directory)

    def _finish(self, status: RunStatus) -> None:
        ended_ms = now_ms()
        artifacts: list[Artifact] = []
        try:
            artifacts.extend(self._artifacts())
            self._project = self._project or find_project()
            self._directory.mkdir(parents=True, exist_ok=True)
            signed = sign_run(self._project, self._facts_now(status, ended_ms, artifacts), self._directory)
        except (Exception, KeyboardInterrupt) as error:
            if isinstance(error, KeyboardInterrupt):
                self._gaps.append("interrupted before all inputs and outputs were hashed; those are not recorded")
            self._keep_draft(self._facts_now(status, ended_ms, artifacts), error)
            raise
        for problem in signed.problems:
            self._after_recording(problem)
        self.id, self.receipt_path = signed.waiting.id, signed.waiting.receipt_path
        self.record_path = record_of(self.receipt_path)
        delivery = send(self._project, signed.waiting, self._wait)
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
            commit="" if self._code.dirty else self._code.commit,
            disclosure=str(self._disclosure),
            artifacts=tuple(artifacts),
            refs=tuple(self._refs),
            facts=self._facts(status, ended_ms),
        )

    def _keep_draft(self, run: RunFacts, error: BaseException) -> None:
        """What was recorded is never thrown away because it cannot be signed now."""
        if not isinstance(error, KeyboardInterrupt):
            self._warn(str(error))
        try:
            self.draft_path = keep_draft(run, self._directory, Homes.of(os.environ).state / "drafts")
        except Unwritable as problem:
            self._warn(str(problem))
            return
        command = shlex.join(["notarium", "complete", str(self.draft_path)])
        if self.draft_path.parent != self._directory:
            command += f" --directory {shlex.quote(str(self._directory))}"
        self._warn(f"kept as a draft: correct what is wrong, then run '{command}' to sign and anchor it")

    def _facts(self, status: RunStatus, ended_ms: int) -> dict[str, Any]:
        ended = {} if self._exit_code is None else {"exit_code": self._exit_code}
        return {
            "name": self.name,
            "status": status.value,
            **ended,
            "started": iso_time(self._started_ms),
            "ended": iso_time(ended_ms),
            "command": self._command or [],
            "params": self._params,
            "seeds": self._seeds,
            "metrics": self._metrics,
            **({"external": self._external} if self._external else {}),
            "environment": describe_environment(),
            "code": self._code.to_json(),
            "gaps": [*self._code.gaps, *self._gaps],
        }

    def _cache(self) -> DigestCache | None:
        return self._project.homes.digest_cache() if self._project else None

    def _artifacts(self) -> Iterable[Artifact]:
        cache = self._cache()
        outputs = (Used.now(path, "output", selection, cache) for path, selection in self._outputs.items())
        for used in itertools.chain(self._inputs.used(cache), outputs):
            yield from self._recorded(used)

    def _recorded(self, used: Used) -> Iterable[Artifact]:
        artifact, gaps, error = used.recorded(self._directory)
        self._gaps += gaps
        if artifact is not None:
            yield artifact
        if error is not None:
            self._after_recording(error)

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
) -> Run:
    """A run to use in a `with` statement; its receipt goes to `directory`/`name`.run.receipt.json.

    `disclosure`: "sealed" shows the digest of the record on the ledger, "consortium" also the times and the Git
    commit, "public" also names and digests of artifacts. `strict`: raise errors that are warnings otherwise.
    `wait`: seconds that the end may wait for the network.
    """
    return Run(
        name,
        directory=directory,
        project=project,
        disclosure=disclosure,
        strict=strict,
        wait=wait,
        command=command,
    )


def _status_by(error: BaseException | None) -> RunStatus:
    if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
        return RunStatus.COMPLETED
    return RunStatus.FAILED if isinstance(error, Exception | SystemExit) else RunStatus.INTERRUPTED
