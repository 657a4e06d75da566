"""A study as it is sent to reviewers: a plan, data, runs, and what was not sent along."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.client.fake_node import FakeLedger
from tests.support.consortium import START_MS, Consortium

from notarium.anchoring.anchor import anchor
from notarium.anchoring.commit import Ref
from notarium.anchoring.delivery import send
from notarium.anchoring.run_facts import RunFacts, RunStatus, sign_run
from notarium.evidence.artifact import Artifact
from notarium.evidence.inventory import hash_path
from notarium.project import Project
from notarium_ledger.encoding.json_file import iso_time


@pytest.fixture
def ledger():
    """Its researchers belong to m0 and m1."""
    return FakeLedger(Consortium(4, observers=1, researchers=2))


@dataclass
class Study:
    """A folder below the project of whoever verifies, written as the project's own researcher."""

    project: Project
    ledger: FakeLedger
    folder: Path

    @property
    def now_ms(self) -> int:
        return max(self.ledger.state.time_ms, START_MS)

    def add(self, name: str, kind: str = "dataset", text: str = "", **options) -> bytes:
        """Anchor a file; its entry's id."""
        (self.folder / name).write_text(text or name)
        done = anchor(self.folder / name, kind, project=self.project, strict=True, **options)
        return bytes.fromhex(done.id)

    def run(self, name: str, *refs: tuple[str, bytes], started_ms=None, ended_ms=None, status="completed") -> bytes:
        """A run that wrote NAME.out, just now by the ledger's clock; its entry's id."""
        (self.folder / f"{name}.out").write_text(name)
        started_ms = self.now_ms if started_ms is None else started_ms
        ended_ms = started_ms + 500 if ended_ms is None else ended_ms
        facts = {
            "status": status,
            "started": iso_time(started_ms),
            "ended": iso_time(ended_ms),
            "gaps": ["no GPU seen"],
        }
        run = RunFacts(
            name=name,
            status=RunStatus(status),
            started_ms=started_ms,
            ended_ms=ended_ms,
            commit="",
            disclosure="consortium",
            artifacts=(Artifact(f"{name}.out", "output", hash_path(self.folder / f"{name}.out")),),
            refs=refs,
            facts=facts,
        )
        signed = sign_run(self.project, run, self.folder)
        return bytes.fromhex(send(self.project, signed.waiting, 5.0).waiting.id)

    def retract(self, name: str, target: bytes) -> bytes:
        return self.add(name, "retraction", fields={"reason": "wrong labels"}, refs=[Ref("supersedes", target)])

    def remove(self, stem: str) -> None:
        """Do not send this entry and its files."""
        for path in self.folder.glob(f"{stem}*"):
            os.unlink(path)

    def zip(self) -> Path:
        return Path(shutil.make_archive(str(self.folder.parent / "submission"), "zip", self.folder))


@pytest.fixture
def study(project, ledger):
    folder = project.root / "sent"
    folder.mkdir()
    return Study(project, ledger, folder)
