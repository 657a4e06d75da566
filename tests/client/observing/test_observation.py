"""What surrounds one run, from its start to its end."""

import os
import random
import signal
import sys
import threading

import pytest
from tests.client.observing.repositories import git, repository
from tests.client.observing.test_distributions import install

from notarium.observing.code import observe_code
from notarium.observing.observation import ANOTHER_PROCESS, OTHER_PACKAGES, Observation, Observed, observe_here


@pytest.fixture
def work(tmp_path, monkeypatch):
    repository(tmp_path, train__py="1\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def no_file(path):
    raise AssertionError(path)


def test_a_run_in_this_process_has_everything(work):
    observation = Observation(no_file)
    random.seed(5)
    observation.seeded()
    random.random()
    found = observation.end([5])
    assert found.environment.keys() >= {
        *("python", "packages", "platform", "cpu", "memory_bytes", "threads", "variables"),
    }
    assert found.determinism["seeds"]["random"]["seed"] == 5
    assert found.code.commit == git(work, "rev-parse", "HEAD")
    assert "gpus" not in found.environment


def test_the_code_is_that_of_the_folder_of_the_start(work, monkeypatch):
    moved = threading.Event()

    def later(*arguments, **options):
        moved.wait(30)
        return observe_code(*arguments, **options)

    monkeypatch.setattr("notarium.observing.observation.observe_code", later)
    observation = Observation(no_file)
    assert observation.code(0).gaps == ("the code that ran was not read in time and is not recorded",)
    monkeypatch.chdir("/")
    moved.set()
    assert observation.code().commit == git(work, "rev-parse", "HEAD")


def test_the_code_is_that_of_the_start(work, monkeypatch):
    observation = Observation(no_file)
    commit = observation.code().commit
    git(work, "commit", "--allow-empty", "-m", "during the run")
    monkeypatch.chdir("/")
    assert observation.end([]).code.commit == commit


def test_no_secret_of_the_environment_and_no_folder_is_recorded(work, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    text = str(Observation(no_file).end([]))
    assert "hunter2" not in text
    facts = Observation(no_file).end([])
    assert str(work) not in str((facts.environment, facts.determinism, facts.code.to_json(), facts.gaps))


def test_a_command_has_its_own_process_which_is_said(work):
    found = Observation(no_file, command=["sh", "-c", "true"]).end([])
    assert found.determinism == {}
    assert "packages" not in found.environment
    assert {ANOTHER_PROCESS, OTHER_PACKAGES} <= set(found.gaps)
    program = work / "env" / "bin" / "train"
    install(work / "env" / "lib" / "python3.12" / "site-packages", "lib", "1")
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (work / "env" / "pyvenv.cfg").write_text("version = 3.12.3\n")
    other = Observation(no_file, command=[str(program)]).end([])
    assert other.environment["python"] == {"version": "3.12.3"}
    assert other.environment["packages"] == [{"name": "lib", "version": "1"}]
    assert OTHER_PACKAGES not in other.gaps
    same = Observation(no_file, command=[sys.executable, "train.py"]).end([])
    assert same.environment["packages"]
    assert same.code.facts["script"]["name"] == "train.py"
    assert OTHER_PACKAGES not in same.gaps


def test_what_is_here_has_the_form_of_a_record(work, monkeypatch):
    recorded = Observation(no_file).end([])
    monkeypatch.chdir("/")
    here = observe_here(work, no_file)
    assert here.environment.keys() == recorded.environment.keys()
    assert here.environment["packages"] == recorded.environment["packages"]
    assert here.code.commit == recorded.code.commit
    assert "script" not in here.code.facts


def test_what_cannot_be_read_is_a_gap_and_the_rest_is_there(work, monkeypatch):
    def broken(*_arguments):
        raise RuntimeError("no such thing")

    for name in ("observe_packages", "observe_cpu", "observe_flags"):
        module = "determinism" if name == "observe_flags" else "observation"
        monkeypatch.setattr(f"notarium.observing.{module}.{name}", broken)
    found = Observation(no_file).end([])
    assert "packages: could not be read and is not recorded (RuntimeError: no such thing)" in found.gaps
    assert any(each.startswith("cpu:") for each in found.gaps)
    assert any(each.startswith("determinism:") for each in found.gaps)
    assert found.environment["python"]
    assert found.code.commit


def test_what_is_not_read_in_time_is_a_gap(work, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr("notarium.observing.observation.observe_packages", lambda *_: release.wait(30))
    monkeypatch.setattr("notarium.observing.observation.WAIT_S", 0.0)
    observation = Observation(no_file)
    found = observation.end([])
    release.set()
    assert "packages and container were not read in time and are not recorded" in found.gaps
    assert found.environment["platform"]


def test_the_image_of_a_container_is_read_by_what_the_run_hands_over(work, monkeypatch):
    image = work / "x.sif"
    image.touch()
    monkeypatch.setenv("APPTAINER_CONTAINER", str(image))
    found = Observation(lambda path: "ab" * 32).end([])
    assert found.environment["container"]["image_digest"] == "sha256:" + "ab" * 32


def test_a_forked_process_does_not_wait_for_a_thread_that_it_does_not_have(work, monkeypatch):
    moved = threading.Event()
    monkeypatch.setattr("notarium.observing.observation.observe_code", lambda *_, **__: moved.wait(60))
    monkeypatch.setattr("notarium.observing.observation.WAIT_S", 60)
    observation = Observation(no_file)
    child = os.fork()
    if child == 0:
        # Anything that waits is ended by this signal, and the parent sees that.
        signal.alarm(10)
        os._exit(0 if observation.code().gaps else 1)
    _, status = os.waitpid(child, 0)
    moved.set()
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_run_that_never_began_says_so():
    assert Observed.nothing().gaps == ("what surrounded the run was not recorded",)
