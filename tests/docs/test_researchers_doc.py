"""docs/researchers.md: its commands for the demo network, for a new key and its program work as printed."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.records import recorded, violations_of_all
from typer.main import get_command

from notarium.cli.app import app
from notarium_node.demo.local_network import Institution, LocalNetwork
from notarium_node.demo.network import RESEARCHER_AT

PAGE = (Path(__file__).parents[2] / "docs" / "researchers.md").read_text(encoding="utf-8")


def snippets(name: str) -> list[str]:
    return re.findall(rf"<!-- tested: {name} -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def demo(tmp_path):
    """A network with the demo's folders and its institution for researchers, in place of a checkout's .demo."""
    made = LocalNetwork.create(tmp_path / ".demo", [Institution(RESEARCHER_AT, "Nordhafen")])
    try:
        made.start()
        made.wait_ready()
        yield made
    finally:
        made.stop()


def shell(folder: Path, script: str) -> str:
    """The stdout of a script, with this environment's programs and nothing else of Notarium."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NOTARIUM_")}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    ran = subprocess.run(
        ["bash", "-euc", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_a_researcher_can_try_the_demo_network_get_a_new_key_and_write_a_program(demo, tmp_path):
    begin, enrol = snippets("demo")
    printed_key = "KEY=$(sed -n 's/^public key //p' init.txt)"
    shown = shell(tmp_path, f"{{ {begin} }} > init.txt\nmv ../../init.txt .; {printed_key}\n{enrol}")
    assert "anchored plan.md" in shown
    assert "verified plan.md" in shown

    study = tmp_path / ".demo" / "my-study"
    home = f"export NOTARIUM_HOME={tmp_path}/.demo/my-home DEMO={tmp_path}/.demo\n"
    check_the_study(study, home)
    [renew] = re.findall(r"^ +`(notarium init .*)`$", PAGE, re.MULTILINE)
    renew = renew.replace("https://ror.org/02mhbdp94", RESEARCHER_AT)
    revoke, enrol = (f'notarium-node {each} --key "$KEY" {enrol_options(enrol)}' for each in ("revoke", "enrol"))
    shown = shell(
        study,
        f"{home} {printed_key}\n{revoke}\n echo new > next.md; notarium prereg next.md || test $? = 3\n"
        f"mv $NOTARIUM_HOME/keys/*.key $NOTARIUM_HOME/old-key\n{renew} > init.txt\n"
        f"{printed_key}\n{enrol}\n notarium status --flush; notarium verify plan.md next.md",
    )
    assert "refused next.md" in shown
    assert re.search(r"^sent ", shown, re.MULTILINE)
    assert shown.count("verified ") == 2

    [program] = snippets("programs")
    (study / "program.py").write_text(program)
    shown = shell(study, f"{home} mkdir records; echo 1 > records/a; echo 2 > records/b; python program.py")
    assert re.fullmatch(r"\d+ \['[0-9a-f]{64}'\] False\n", shown)
    shown = shell(study, f"{home} notarium verify --receipt-only first.receipt.json; notarium show first.receipt.json")
    assert "verified first.receipt.json" in shown
    digest = hashlib.sha256((study / "records" / "a").read_bytes()).hexdigest()
    assert f'"record": "{digest}"' in shown


def check_the_study(folder: Path, home: str) -> None:
    """The page's whole study, in the folder where its plan is anchored."""
    [script], [commands] = snippets("track"), snippets("study")
    (folder / "train.py").write_text(script)
    shown = shell(folder, home + commands)
    for said in ("anchored data ", "anchored model.txt ", "verified fit.run.receipt.json", "every run that began here"):
        assert said in shown, said
    assert "seed_from_ledger" not in shown
    run = recorded(folder / "fit.run.record.json")
    assert run["status"] == "completed"
    assert [each["name"] for each in run["ledger_seeds"]] == [""]
    assert {each["role"] for each in run["artifacts"]} == {"input", "log", "output"}
    assert recorded(folder / "data.record.json")["license"] == "CC-BY-4.0"
    assert [each["path"] for each in recorded(folder / "data.record.json")["artifacts"][0]["files"]] == ["a.csv"]
    for name in ("fit", "count"):
        gaps = recorded(folder / f"{name}.run.record.json")["gaps"]
        assert not [each for each in gaps if "does not match the receipt" in each]
    assert (folder / "count.run.stdout.log").read_text().strip() == "1"
    assert json.loads((folder / "fit.dsse.json").read_bytes()).keys() == {"payload", "payloadType", "signatures"}
    assert violations_of_all(folder) == {}


def enrol_options(command: str) -> str:
    """The options behind the key of the page's command."""
    [options] = re.findall(r"--admin-key .*?(?=\necho)", command, re.DOTALL)
    return str(options).replace("\\\n", " ")


def commands(command: Any, name: str = "notarium") -> Iterator[tuple[str, set[str]]]:
    """Each command of the program with its options."""
    inside = getattr(command, "commands", {})
    for each in inside:
        yield from commands(inside[each], f"{name} {each}")
    yield name, {option for each in command.params for option in each.opts}


def test_every_command_is_on_the_page_and_every_option_of_the_page_exists():
    known = dict(commands(get_command(app)))
    assert [name for name in known if name not in PAGE] == []
    of_node = {"--key", "--admin-key", "--config"}
    used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE))
    assert used - set[str]().union(*known.values()) - of_node - {"--help"} == set()
