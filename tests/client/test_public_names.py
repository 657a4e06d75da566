"""What `import notarium` promises to researchers' scripts, and what it costs."""

import importlib.metadata
import subprocess
import sys

import pytest

import notarium

PUBLIC = {
    "Anchored", "BlockingClient", "Client", "Genesis", "LyingNode", "NotAnchored", "NotDecided", "NotariumError",
    "Project", "ProjectError", "QuotaUsedUp", "Ref", "Rejected", "Run", "SigningKey", "Unreachable", "Verification",
    "VerifiedReceipt", "anchor", "find_project", "track", "verify",
}  # fmt: skip


def test_the_public_names_are_these():
    assert set(notarium.__all__) == PUBLIC
    assert set(dir(notarium)) >= PUBLIC
    with pytest.raises(AttributeError, match="no attribute 'receipts'"):
        _ = notarium.receipts


def test_the_version_is_that_of_the_installed_package():
    assert notarium.__version__ == importlib.metadata.version("notarium")
    assert "__version__" in dir(notarium)
    # A star import takes names to work with, not this.
    assert "__version__" not in notarium.__all__


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_the_package_is_fast_because_nothing_is_imported():
    # Time depends on the machine, the number of modules does not: aiohttp alone would be hundreds.
    assert (
        int(run("import sys; before = set(sys.modules); import notarium; print(len(set(sys.modules) - before))")) < 10
    )


def test_every_public_name_is_there_also_after_a_module_of_the_same_name():
    code = "import notarium.anchoring.track; print([callable(getattr(notarium, each)) for each in notarium.__all__])"
    assert "False" not in run("import notarium; " + code)
