"""The deployment files: their form, and that no hardening gets lost. Nothing here needs Docker or a running systemd."""

import configparser
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


# The image


def instructions():
    """(NAME, rest) of the Dockerfile, with continued lines joined and comments left out."""
    text = re.sub(r"^\s*#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    joined = re.sub(r"\\\n\s*", "", text)
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


def last_stage():
    given = instructions()
    start = max(number for number, (name, _) in enumerate(given) if name == "FROM")
    return given[start:]


def test_base_images_are_named_without_an_address():
    stages = [rest for name, rest in instructions() if name == "FROM"]
    assert len(stages) == 2
    assert all(stage.split()[0] == "python:3.11-slim-bookworm" for stage in stages)


def test_what_is_copied_exists_and_reaches_the_builder():
    allowed = [line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"]
    copied = [part for name, rest in instructions() if name == "COPY" and "--from" not in rest for part in rest.split()]
    sources = [each for each in copied if not each.endswith("/")]
    sources = [each for each in sources if each != "./"]
    assert {"pyproject.toml", "README.md", "LICENSE", "ledger", "client"} <= set(sources)
    for each in sources:
        assert (ROOT / each).exists(), each
        assert each in allowed, f"{each} is ignored by the builder"


def test_everything_installed_is_pinned_by_hash():
    installs = [rest for name, rest in instructions() if name == "RUN" and "pip install" in rest]
    for command in re.findall(r"pip install ([^&]*)", " && ".join(installs)):
        assert "--require-hashes" in command or ("--no-deps" in command and "--no-index" in command), command


def test_the_image_runs_as_a_user_without_rights():
    stage = dict(last_stage())
    uid, gid = stage["USER"].split(":")
    assert int(uid) > 0
    assert int(gid) > 0
    assert stage["ENTRYPOINT"] == '["notarium-node"]'
    assert "/healthz" in stage["HEALTHCHECK"]
    assert not any(name == "ADD" or "curl " in rest or "apt-get" in rest for name, rest in instructions())


# Locks


def pins(path):
    """{name==version: hashes} of a lock file."""
    found: dict[str, set[str]] = {}
    name = ""
    for line in path.read_text().splitlines():
        text = line.strip().removesuffix("\\").strip()
        if text.startswith("--hash="):
            found[name].add(text)
        else:
            name = text
            found[name] = set()
    return found


@pytest.mark.parametrize("name", ["requirements-node.lock", "requirements-build.lock"])
def test_deployed_packages_are_those_that_were_tested(name):
    everything, subset = pins(ROOT / "requirements.lock"), pins(DEPLOY / name)
    assert subset
    assert {pin: hashes for pin, hashes in subset.items() if everything.get(pin) != hashes} == {}


def test_the_node_lock_covers_the_declared_dependencies():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = project["dependencies"] + project["optional-dependencies"]["node"]
    locked = {pin.partition("==")[0] for pin in pins(DEPLOY / "requirements-node.lock")}
    assert {re.split(r"[^a-z0-9-]", each)[0] for each in declared} <= locked


# Compose


@pytest.fixture(scope="module")
def service():
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    [node] = document["services"].values()
    return node


def test_the_container_is_hardened(service):
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"] == "10001:10001"
    assert service["ulimits"]["core"] == 0
    assert service["ulimits"]["nofile"]["soft"] >= 4096
    assert service["restart"] == "unless-stopped"
    assert all("noexec" in each for each in service["tmpfs"])


def test_the_container_keeps_its_data_and_is_watched(service):
    [volume] = service["volumes"]
    assert volume["target"] == "/var/lib/notarium"
    assert any("/healthz" in part for part in service["healthcheck"]["test"])
    assert service["image"].endswith(f":{VERSION}")
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    # The peers' port is open to the world, the API is not without a decision.
    assert "7470:7470" in service["ports"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"] if "8470" in port)


def test_the_containers_environment_names_real_fields(service, tmp_path):
    from notarium_node.config.reading import load_config

    config = tmp_path / "node.toml"
    config.write_text(f'[node]\ngenesis_hash = "{"ab" * 32}"\n[peer]\nport = 1\n')
    loaded = load_config(config, service["environment"])
    assert (loaded.peer.host, loaded.peer.port) == ("", 7470)
    assert (loaded.api.host, loaded.api.port) == ("0.0.0.0", 8470)


# systemd

HARDENING = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectKernelModules": "yes",
    "ProtectControlGroups": "yes",
    "MemoryDenyWriteExecute": "yes",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces": "yes",
    "LockPersonality": "yes",
    "SystemCallArchitectures": "native",
    "UMask": "0077",
    "StateDirectory": "notarium",
    "StateDirectoryMode": "0700",
    "LimitCORE": "0",
    "LimitNOFILE": "65536",
    "Restart": "on-failure",
    "User": "notarium",
}


@pytest.fixture(scope="module")
def unit():
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[method-assign, assignment]
    parser.read(DEPLOY / "notarium-node.service")
    return parser


@pytest.mark.parametrize(("key", "value"), HARDENING.items())
def test_the_unit_is_hardened(unit, key, value):
    assert unit["Service"][key] == value


def test_the_unit_starts_a_command_that_exists(unit):
    program, command, *arguments = shlex.split(unit["Service"]["ExecStart"])
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert Path(program).name in scripts
    assert (command, arguments[0]) == ("run", "--config")
    assert Path(arguments[1]).parent == Path("/var/lib") / unit["Service"]["StateDirectory"]
    assert unit["Install"]["WantedBy"] == "multi-user.target"


def test_the_backup_runs_with_no_more_than_the_node_and_a_command_that_exists():
    backup, node = ((DEPLOY / f"notarium-{name}.service").read_text().splitlines() for name in ("backup", "node"))
    of_node = ("Restart", "StateDirectory", "StateDirectoryMode", "LimitNOFILE")
    for key, value in HARDENING.items():
        assert key in of_node or f"{key}={value}" in backup
    assert {each for each in node if each.startswith("SystemCallFilter")} <= set(backup)
    [start] = [each for each in backup if each.startswith("ExecStart=")]
    words = shlex.split(shlex.split(start.removeprefix("ExecStart="))[2].replace("exec ", ""))
    assert words[:2] == ["/opt/notarium/bin/notarium-node", "backup"]
    assert {"--config", "--with-ledger", "--passphrase-file", "--to"} == {each for each in words if each[:2] == "--"}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_understands_every_line_of_the_units(tmp_path):
    units = [*DEPLOY.glob("*.service"), *DEPLOY.glob("*.timer")]
    for each in units:
        # The program is installed on the server, not here; everything else is verified as it is.
        (tmp_path / each.name).write_text(each.read_text().replace("/opt/notarium/bin/notarium-node", "/bin/sh"))
    ran = subprocess.run(
        ["systemd-analyze", "verify", *(str(tmp_path / each.name) for each in units)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
