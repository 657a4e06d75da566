"""The README's example works as printed, and what it points to is there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from notarium.key_files import create_key
from notarium_node.demo.local_network import Institution, LocalNetwork

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "deploy/README.md"]
PAGES += [str(each.relative_to(ROOT)) for each in sorted((ROOT / "docs").rglob("*.md"))]


@pytest.fixture
def network(tmp_path):
    """One institution, and a researcher's key that it has enrolled."""
    key = create_key(tmp_path / "researcher.key")
    made = LocalNetwork.create(
        tmp_path / "network", [Institution("clinic", "Clinic")], researchers=[("clinic", key.public)]
    )
    try:
        made.start()
        made.wait_ready()
        yield made
    finally:
        made.stop()


def run_example(folder: Path, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the README's program in a new folder, with `settings` and nothing else of Notarium in the environment."""
    [example] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in example.splitlines() if line.strip()]) == 5
    folder.mkdir()
    others = {name: value for name, value in os.environ.items() if not name.startswith("NOTARIUM_")}
    return subprocess.run(
        [sys.executable, "-c", example],
        cwd=folder,
        env={**others, "NOTARIUM_HOME": str(folder.parent / "home"), **settings},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_python_example_works_as_printed_and_survives_what_may_be_missing(network, tmp_path):
    assert "It prints `decided in block 1: verified`" in README
    create_key(tmp_path / "not-enrolled.key")
    settings = {
        "NOTARIUM_GENESIS": str(network.genesis_file),
        "NOTARIUM_NODES": network.nodes[0].api,
        "NOTARIUM_ISSUER": "clinic",
        "NOTARIUM_KEY": str(tmp_path / "researcher.key"),
    }
    assert {name for name in settings if f"`{name}`" in README} == set(settings)
    ran = run_example(tmp_path / "study", settings)
    assert ran.returncode == 0, ran.stderr
    assert re.fullmatch(r"decided in block \d+: verified\n", ran.stdout), ran.stdout
    assert (tmp_path / "study" / "first-run.run.receipt.json").is_file()

    cases = {
        "no project": {},
        "refused": {**settings, "NOTARIUM_KEY": str(tmp_path / "not-enrolled.key")},
        "not anchored yet": {**settings, "NOTARIUM_NODES": "http://127.0.0.1:9"},
    }
    for warning, changed in cases.items():
        ran = run_example(tmp_path / warning.replace(" ", "-"), changed)
        assert (ran.returncode, ran.stdout) == (0, ""), ran.stderr
        first, *kept = ran.stderr.splitlines()
        assert warning in first
        assert len(kept) == (warning == "no project"), "what nobody could sign is kept as a draft, and that is said"


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    """Files that a page links to exist, and a #fragment is a heading of the page it points into."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        linked = (ROOT / page).parent / path if path else ROOT / page
        assert linked.exists(), f"{page} links to {target}"
        if fragment:
            assert fragment in anchors(linked), f"{page} links to {target}"


def anchors(page: Path) -> set[str]:
    """Fragments of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {each.strip().replace(" ", "-") for each in plain}


@pytest.mark.parametrize("page", PAGES)
def test_pages_name_no_address_of_a_machine(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])/(work|root|home)/", text)


@pytest.mark.parametrize("command", ["notarium", "notarium-node"])
def test_every_command_of_the_table_exists(command):
    named = set()
    for row in re.findall(r"^\| (.+?) \|", README, re.MULTILINE):
        quoted = re.findall(r"`([^`]+)`", row)
        if quoted and quoted[0].split()[0] == command:
            # `notarium show`, `find`, ...: the later ones are short for the same program.
            named |= {quoted[0].split()[1], *(each.split()[0] for each in quoted[1:])}
    shown = subprocess.run(
        [Path(sys.executable).with_name(command), "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert named
    assert {each for each in named if each not in shown} == set()
