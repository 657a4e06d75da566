"""docs/operations.md is run as it stands: four institutions found a ledger in four directories, and use it.

Blocks below a comment "tested: NAME" are taken from the page. What is replaced is what a page cannot know: host names
become ports of this machine, Mercy's names those of the other members.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from notarium_node.config.sections import NodeConfig
from notarium_node.demo.local_network import free_ports

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
MEMBERS = {
    "mercy": "Mercy Hospital",
    "north": "Northern University",
    "bio": "Bio Institute",
    "delta": "Delta Clinic",
}
WAIT_S = 120.0


def block(name):
    """The one block of the page that is marked with this name."""
    [found] = re.findall(rf"<!-- tested: {name} -->\n```sh\n(.*?)```", PAGE, re.DOTALL)
    return found


class Machine:
    """One institution's machine: a directory, a shell, and where the world reaches it."""

    def __init__(self, root, member, peer_port, api_port):
        self.member = member
        self.directory = root / member
        self.directory.mkdir()
        self.api = f"http://127.0.0.1:{api_port}"
        self._places = {
            "node.mercy.example:7470": f"127.0.0.1:{peer_port}",
            "https://node.mercy.example": self.api,
            "127.0.0.1:8470": f"127.0.0.1:{api_port}",
        }
        self.process = None

    def shell(self, name, **variables):
        """Run the page's block `name`; its stdout."""
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self._local(block(name))],
            cwd=self.directory,
            env=self._environment(variables),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ran.returncode == 0, f"{name} at {self.member}: {ran.stdout}{ran.stderr}"
        return ran.stdout

    def start(self):
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", f"exec {self._local(block('run'))}"],
                cwd=self.directory,
                env=self._environment({}),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(WAIT_S) == 0, (self.directory / "log").read_text()
            self.process = None

    def wait_until(self, condition, what):
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                if condition(self.status()):
                    return
            except (OSError, urllib.error.URLError):
                pass  # It starts.
            assert time.monotonic() < deadline, f"{self.member}: {what}\n{(self.directory / 'log').read_text()}"
            time.sleep(0.05)

    def status(self):
        with urllib.request.urlopen(f"{self.api}/v1/status", timeout=5) as answer:  # noqa: S310
            return json.load(answer)

    def _local(self, text):
        for public, local in self._places.items():
            text = text.replace(public, local)
        return text.replace("Mercy Hospital", MEMBERS[self.member]).replace("mercy", self.member)

    @staticmethod
    def _environment(variables):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("NOTARIUM_")}
        path = os.pathsep.join([str(Path(sys.executable).parent), clean["PATH"]])
        return clean | {"PATH": path, "NO_COLOR": "1"} | variables


@pytest.fixture
def machines(tmp_path):
    ports = free_ports(2 * len(MEMBERS))
    made = [Machine(tmp_path, member, ports.pop(), ports.pop()) for member in MEMBERS]
    try:
        yield made
    finally:
        for machine in made:
            if machine.process is not None:
                machine.process.kill()
                machine.process.wait()


@pytest.mark.slow
def test_the_ceremony_and_what_follows_it(machines, tmp_path):
    for machine in machines:
        machine.shell("keygen")
    for sender in machines:
        for receiver in machines:
            (receiver.directory / "cards").mkdir(exist_ok=True)
            shutil.copy(sender.directory / "node" / f"{sender.member}.card.json", receiver.directory / "cards")
    # Two stand for all, since each start of a program takes its time; the files of the other two are theirs.
    read_out = {hash_read_aloud(machine.shell("genesis")) for machine in machines[:2]}
    assert len(read_out) == 1, "not everybody made the same genesis"
    for machine in machines[2:]:
        shutil.copy(machines[1].directory / "genesis.json", machine.directory)
    [spoken] = read_out
    for machine in machines:
        machine.shell("init", HASH_READ_BY_PHONE=spoken)
        machine.shell("offline")
        machine.start()
    for machine in machines:
        machine.wait_until(lambda status: status["ready"], "not ready")
    mercy = machines[0]
    assert re.search(r"ready +yes", mercy.shell("status"))

    key = researchers_key(mercy, tmp_path)
    assert "enrolled" in mercy.shell("enrol", RESEARCHER_KEY=key)

    passphrase = mercy.directory / "passphrase"
    passphrase.write_text("correct horse battery\n")
    passphrase.chmod(0o600)
    mercy.shell("backup")
    assert "can be restored" in mercy.shell("check-backup")
    mercy.stop()
    # Two more blocks, as the page wants them, and then a restore on an empty disk.
    north, height = machines[1], machines[1].status()["height"]
    for seed in (b"\1", b"\2"):
        north.shell("enrol", RESEARCHER_KEY=public_key(seed * 32))
    shutil.rmtree(mercy.directory / "node")
    mercy.shell("restore")
    mercy.start()
    mercy.wait_until(lambda status: status["ready"] and status["height"] == height + 2, "does not catch up")
    assert "revoked" in mercy.shell("revoke", RESEARCHER_KEY=key)

    for machine in machines:
        machine.wait_until(lambda status: status["height"] == height + 3, "does not follow")
    tips = {machine.status()["tip"] for machine in machines}
    for machine in machines:
        machine.stop()
    assert tips == {mercy.shell("check").split("tip")[1].split()[0]}


def hash_read_aloud(output):
    """The groups of four that `genesis` ends with."""
    [spoken] = re.findall(
        r"^\n?((?:[0-9a-f]{4} ){7}[0-9a-f]{4}\n(?:[0-9a-f]{4} ){7}[0-9a-f]{4})$", output, re.MULTILINE
    )
    return spoken


def researchers_key(machine, tmp_path):
    """What `notarium init` prints for the institution."""
    folder = tmp_path / "study"
    folder.mkdir()
    ran = subprocess.run(
        [
            *(Path(sys.executable).with_name("notarium"), "init", "--issuer", machine.member, "--json"),
            *("--genesis", machine.directory / "genesis.json"),
        ],
        cwd=folder,
        env=machine._environment({"NOTARIUM_HOME": str(tmp_path / "home")}),
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(ran.stdout)["public_key"]


def public_key(seed):
    from notarium_ledger.signing import SigningKey

    return SigningKey(seed).public.hex()


def test_every_field_of_the_configuration_is_listed_with_its_default_and_its_limits():
    table = PAGE.partition("## Every field of node.toml")[2]
    cells = [row.split("|")[1:5] for row in table.splitlines() if row.startswith("| `")]
    rows = {name.strip(" `"): [each.strip(" `") for each in rest] for name, *rest in cells}
    schema = NodeConfig.model_json_schema()
    expected: dict[str, tuple[Any, list[str]]] = {}
    for section, info in NodeConfig.model_fields.items():
        described = getattr(info.annotation, "model_fields", {})
        name = schema["properties"][section]["$ref"].rpartition("/")[2]
        for field, shape in schema["$defs"][name]["properties"].items():
            numbers = [each for each in shape.get("anyOf", [shape]) if each.get("type") == "integer"]
            limits = [str(each.get(name, "none")) for each in numbers for name in ("minimum", "maximum")]
            expected[f"{section}.{field}"] = (described[field].default, limits or ["", ""])
    assert rows.keys() == expected.keys()
    for name, (default, limits) in expected.items():
        if isinstance(default, int) or (isinstance(default, str) and default):
            assert rows[name][0] == str(default), name
        assert rows[name][1:] == limits, name


def test_log_messages_are_those_of_the_code():
    import notarium_node

    package = Path(notarium_node.__file__).parent
    code = " ".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
    table = PAGE.partition("| log message (level)")[2].partition("\n\n")[0]
    messages = [text for row in table.splitlines()[2:] for text in re.findall(r"`([^`]+)`", row.split("|")[1])]
    assert len(messages) > 10
    for message in messages:
        assert message.removesuffix(" ...") in code, message
