"""The shape of the distribution: what an install holds and what the client drags in."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "notarium_ledger": "ledger",
    "notarium_store": "ledger",
    "notarium_consensus": "consensus",
    "notarium_node": "node",
    "notarium": "client",
}


@pytest.mark.parametrize(("package", "folder"), PACKAGES.items())
def test_every_package_ships_its_types(package, folder):
    assert (ROOT / folder / package / "py.typed").is_file()


def test_importing_the_client_loads_no_server_and_no_leveldb():
    code = "import sys, notarium; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "notarium" in loaded
    assert not {"plyvel", "pydantic", "notarium_node", "notarium_consensus", "notarium_store"} & set(loaded)


def test_lock_file_holds_names_versions_and_hashes_only():
    line = re.compile(r"[a-z0-9][a-z0-9.-]*==[^ /]+ \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert lines
    assert [text for text in lines if not line.fullmatch(text)] == []
