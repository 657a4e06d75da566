"""docs/architecture.md has the rooms, their order and the files as the code has them."""

import re
import tomllib
from pathlib import Path

import pytest
from tests.house.sources import ROOT, modules

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
MODULES = [str(path) for path, _ in modules()]
MAX_STEPS = 10


def section(title: str) -> str:
    return re.split(r"\n##+ ", PAGE.split(f" {title}\n", 1)[1], maxsplit=1)[0]


def rooms(folder: str) -> list[list[str]]:
    """The first column of the folder's table, top to bottom; neighbours with the same letter are one level."""
    levels: list[tuple[str, list[str]]] = []
    for name, path, letter in re.findall(r"^\| \[`([\w.]+?)/?`\]\((\S+?)\)(?: \((\w)\))? \|", section(folder), re.M):
        assert path == f"../{folder}/{name}"
        if levels and letter and levels[-1][0] == letter:
            levels[-1][1].append(name.removesuffix(".py"))
        else:
            levels.append((letter, [name.removesuffix(".py")]))
    return [sorted(names) for _, names in levels]


@pytest.mark.parametrize("folder", ["node/notarium_node", "client/notarium", "ledger/notarium_ledger"])
def test_the_tables_of_rooms_have_the_order_of_the_contracts(folder):
    package = Path(folder).name
    [layers] = [each["layers"] for each in CONTRACTS if each.get("containers") == [package]]
    assert rooms(folder) == [sorted(each.split(" | ")) for each in layers]


@pytest.mark.parametrize("walk", re.findall(r"^## (The walk of .+)$", PAGE, re.MULTILINE))
def test_a_walk_has_few_steps_that_are_numbered_and_each_names_a_file(walk):
    steps = re.split(r"^(\d+)\. ", section(walk), flags=re.MULTILINE)[1:]
    numbers, texts = [int(each) for each in steps[::2]], steps[1::2]
    assert numbers == list(range(1, len(numbers) + 1))
    assert 5 < len(numbers) <= MAX_STEPS
    assert [text for text in texts if ".py)" not in text] == []


def test_the_label_of_a_link_is_the_end_of_its_path():
    links = re.findall(r"\[`([\w/.]+\.py)`\]\((\S+?)\)", PAGE)
    assert len(links) > 60
    assert [(label, path) for label, path in links if not f"{path}".endswith(f"/{label}")] == []


def test_each_file_where_something_fails_is_one_file():
    cells = [row.rsplit(" | ", 1)[1] for row in section("When things fail").splitlines() if row.startswith("| ")][1:]
    assert len(cells) > 10
    for cell in cells:
        folder = ""
        for name in re.findall(r"`([\w/]+\.py)`", cell):
            # A bare name is in the folder of the file before it.
            matches = [each for each in MODULES if each.endswith(f"/{name if '/' in name else folder + name}")]
            assert len(matches) == 1, f"{name} of {cell}: {matches}"
            folder = matches[0].rpartition("/")[0].split("/", 1)[1] + "/"
