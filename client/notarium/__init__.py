"""What a researcher imports: anchor commitments, fetch receipts, verify them offline.

    import notarium

    with notarium.track("study-12") as run:
        run.input("data/")
        run.param("learning_rate", 0.001)
        ...
        run.metric("auc", 0.93)
        run.output("model.joblib")

Names are imported when they are first used, so that `import notarium` is fast.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # As in typing, whose import alone would take half of the time.
if TYPE_CHECKING:
    from typing import Any

    __version__: str

    from notarium.anchoring.anchor import Anchored, anchor
    from notarium.anchoring.commit import Ref
    from notarium.anchoring.track import Run, track
    from notarium.errors import (
        LyingNode,
        NotAnchored,
        NotariumError,
        NotDecided,
        ProjectError,
        QuotaUsedUp,
        Rejected,
        Unreachable,
    )
    from notarium.ledger_access.answers import VerifiedReceipt
    from notarium.ledger_access.blocking import BlockingClient
    from notarium.ledger_access.client import Client
    from notarium.project import Project, find_project
    from notarium.verifying.result import Verification
    from notarium.verifying.verification import verify
    from notarium_ledger.signing import SigningKey
    from notarium_ledger.state.genesis import Genesis

_HOME = {
    "Anchored": "notarium.anchoring.anchor",
    "BlockingClient": "notarium.ledger_access.blocking",
    "Client": "notarium.ledger_access.client",
    "Genesis": "notarium_ledger.state.genesis",
    "LyingNode": "notarium.errors",
    "NotAnchored": "notarium.errors",
    "NotDecided": "notarium.errors",
    "NotariumError": "notarium.errors",
    "Project": "notarium.project",
    "ProjectError": "notarium.errors",
    "QuotaUsedUp": "notarium.errors",
    "Ref": "notarium.anchoring.commit",
    "Rejected": "notarium.errors",
    "Run": "notarium.anchoring.track",
    "SigningKey": "notarium_ledger.signing",
    "Unreachable": "notarium.errors",
    "Verification": "notarium.verifying.result",
    "VerifiedReceipt": "notarium.ledger_access.answers",
    "anchor": "notarium.anchoring.anchor",
    "find_project": "notarium.project",
    "track": "notarium.anchoring.track",
    "verify": "notarium.verifying.verification",
}

__all__ = [
    "Anchored",
    "BlockingClient",
    "Client",
    "Genesis",
    "LyingNode",
    "NotAnchored",
    "NotDecided",
    "NotariumError",
    "Project",
    "ProjectError",
    "QuotaUsedUp",
    "Ref",
    "Rejected",
    "Run",
    "SigningKey",
    "Unreachable",
    "Verification",
    "VerifiedReceipt",
    "anchor",
    "find_project",
    "track",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        # Here and not above: importlib.metadata alone would take longer than this whole module.
        return importlib.import_module("importlib.metadata").version("notarium")
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'notarium' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME, "__version__"})
