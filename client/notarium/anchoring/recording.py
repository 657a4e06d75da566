"""What a researcher records about a run while it goes on.

Nothing here reads the network or writes a file. Each method may be called from any thread, and in other processes of
the run, from which the calls are passed on (other_processes.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from notarium.anchoring.guarding import guarded
from notarium.anchoring.inputs import Inputs
from notarium.anchoring.lifetime import Lifetime
from notarium.anchoring.run_facts import RunStatus
from notarium.errors import ProjectError
from notarium.evidence.artifact import BY_PRODUCTS, MADE
from notarium.evidence.digest_cache import DigestCache
from notarium.evidence.inventory import Selection
from notarium.evidence.references import refer
from notarium.naming import artifact_path
from notarium.observing.generators import describe_generator
from notarium.observing.observation import Observation
from notarium.values.collected import Collected, named_parts
from notarium_ledger.entries.commitment import RELATIONS


class Recording(ABC):
    """A run, as far as it is recorded. `Run` adds its beginning and its end."""

    def __init__(self, strict: bool) -> None:
        """`strict`: raise errors that are warnings otherwise."""
        self.strict = strict
        self._values = Collected(on_notice=self._warn)
        self._inputs = Inputs()
        self._outputs: dict[Path, Selection] = {}
        self._by_products: dict[Path, str] = {}
        """The roles of outputs that are by-products."""
        self._external: list[dict[str, Any]] = []
        self._refs: list[tuple[str, bytes | str | Path]] = []
        self._gaps: list[str] = []
        self._observation: Observation | None = None
        self._status: RunStatus | None = None
        self._exit_code: int | None = None
        self._life = Lifetime()

    @abstractmethod
    def _warn(self, text: str) -> None: ...

    @abstractmethod
    def _cache(self) -> DigestCache | None: ...

    @guarded
    def input(
        self, path: Path | str, role: str = "input", *, exclude: Sequence[str] = (), follow: bool = False
    ) -> None:
        """A file or folder that the run reads, as it is now. What is large is hashed in the background.

        `exclude`: patterns, as in `.notariumignore`, of what is left out of a folder. `follow`: follow also links that
        lead out of the artifact and its project.
        """
        if role in (*MADE, "subject"):
            raise ProjectError(
                f"the role {role!r} is not that of an input: it says what a run made; choose another name"
            )
        selection = Selection.of(exclude, follow)
        chosen = artifact_path(path).absolute()
        self._inputs.name(chosen, role, selection, cache=self._cache(), named_ms=self._life.now_ms())

    @guarded
    def config(self, path: Path | str) -> None:
        """A configuration file: an input with the role "config"."""
        self.input(path, "config")

    @guarded
    def output(self, path: Path | str, *, exclude: Sequence[str] = (), follow: bool = False) -> None:
        """A file or folder that the run writes. It is hashed when the run ends, so it need not exist yet.

        `exclude`, `follow`: as for an input.
        """
        self._outputs[artifact_path(path).absolute()] = Selection.of(exclude, follow)

    @guarded
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
        self._external.append(self._values.secrets.nested(said, "an external reference"))
        self._gaps += [self._values.secrets.text(each, "a gap") for each in gaps]

    def log(self, path: Path | str) -> None:
        """A file in which the run writes how it goes: a by-product, hashed when the run ends."""
        self.by_product(path, "log")

    def figure(self, path: Path | str) -> None:
        """A figure that the run draws: a by-product, hashed when the run ends."""
        self.by_product(path, "figure")

    @guarded
    def by_product(self, path: Path | str, role: str) -> None:
        """What the run makes beside its outputs. `role`: log, figure or stdout."""
        if role not in BY_PRODUCTS:
            raise ProjectError(f"{role!r} is not one of the by-products {', '.join(BY_PRODUCTS)}")
        self._by_products[artifact_path(path).absolute()] = role
        self.output(path)

    @guarded
    def param(self, name: str, value: Any, *, secret: bool | None = None) -> None:
        """One parameter: a single value, a nested configuration, an array.

        What looks like a secret is left out. `secret`: True leaves all of it out, False records what only looks so.
        """
        self._values.param(str(name), value, secret)

    @guarded
    def params(self, values: Any) -> None:
        """Several parameters: a mapping, or a namespace, data class or other configuration."""
        for name, value in named_parts(values):
            self.param(name, value)

    @guarded
    def metric(self, name: str, value: Any, step: int | None = None) -> None:
        """A measured number, kept as the decimal string that reads back as the same number."""
        self._values.metric(str(name), value, step, self._life.now_ms())

    @guarded
    def metrics(self, values: Mapping[str, Any], step: int | None = None) -> None:
        """Several measured numbers."""
        for name, value in values.items():
            self.metric(name, value, step)

    @guarded
    def seed(self, value: Any, name: str = "seed") -> None:
        """A random seed, or the generator that has it: of Python, NumPy or PyTorch, or a key of JAX."""
        self._values.seed(str(name), describe_generator(value) or value)
        if self._observation is not None:
            self._observation.seeded()

    @guarded
    def refs(self, rel: str, target: bytes | str | Path) -> None:
        """A reference to another entry: by id, receipt file, or artifact with a receipt beside it."""
        if rel not in RELATIONS:
            raise ProjectError(f"relation {rel!r} is not one of {', '.join(RELATIONS)}")
        if not isinstance(target, bytes) and (path := artifact_path(target)).exists():
            # The working directory may be another one when the run ends.
            target = path.absolute()
        self._refs.append((rel, target))

    @guarded
    def gap(self, text: str) -> None:
        """Something this record does not vouch for; the record lists it."""
        self._gaps.append(self._values.secrets.text(str(text), "a gap"))

    @guarded
    def status(
        self,
        status: RunStatus | Literal["completed", "failed", "interrupted", "unknown"],
        exit_code: int | None = None,
        signals: Sequence[str] = (),
    ) -> None:
        """How the run ended, where no exception shows it. `exit_code`, `signals`: of a command, where it was one."""
        if status not in set(RunStatus):
            raise ProjectError(f"status {status!r} is not one of {', '.join(RunStatus)}")
        self._status, self._exit_code = RunStatus(status), exit_code
        self._life.signals = list(signals)
