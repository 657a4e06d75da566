"""The machine, from what the system says."""

import os
from types import SimpleNamespace

import numpy as np
import pytest
from tests.client.observing.gpu_machine import Libraries

from notarium.observing import machine
from notarium.observing.loaded import LoadedLibraries
from notarium.observing.machine import observe_cpu, observe_memory, observe_platform, observe_threads, ranges


def test_this_machine_has_a_system_processors_and_memory():
    assert observe_platform().keys() >= {"system", "release", "machine"}
    cpu = observe_cpu()
    assert cpu["count"] == os.cpu_count()
    assert observe_memory()["memory_bytes"] > 2**20


def test_the_processors_that_may_be_used_are_ranges():
    assert ranges([8, 0, 1, 2, 3]) == "0-3,8"
    assert ranges([5]) == "5"
    assert ranges([]) == ""


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("processor\t: 0\nmodel name\t: AMD EPYC 7763 64-Core\nmodel name\t: other\n", "AMD EPYC 7763 64-Core"),
        ("processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n", "ARM implementer 0x41 part 0xd0c"),
    ],
)
def test_the_model_of_the_first_processor(tmp_path, monkeypatch, text, model):
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(machine, "CPU_INFO", tmp_path / "cpuinfo")
    assert observe_cpu()["model"] == model


def test_what_a_container_allows_is_recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    assert "limit" not in observe_cpu()
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    (tmp_path / "memory.max").write_text("1073741824\n")
    assert observe_cpu()["limit"] == "1.50"
    assert observe_memory()["memory_limit_bytes"] == 2**30
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert "limit" not in observe_cpu()
    assert "memory_limit_bytes" not in observe_memory()


def test_threads_are_the_variables_and_the_loaded_libraries():
    assert np.ones(2) @ np.ones(2) == 2
    found = observe_threads({"OMP_NUM_THREADS": "3", "SECRET": "x"}, LoadedLibraries.now())
    assert found["OMP_NUM_THREADS"] == "3"
    assert "SECRET" not in found
    if blas := [each for each in found["libraries"] if "openblas" in each["name"]]:
        assert blas[0]["threads"] >= 1
        assert "OpenBLAS" in blas[0]["configuration"]
    assert observe_threads({}, LoadedLibraries(())) == {"libraries": []}


def test_asking_mkl_must_not_load_the_rest_of_it():
    mkl = SimpleNamespace(MKL_Get_Max_Threads=lambda: 4)
    idle = observe_threads({}, Libraries(libmkl_rt=mkl))
    assert "threads" not in idle["libraries"][0]
    used = observe_threads({}, Libraries(libmkl_rt=mkl, libmkl_core=SimpleNamespace()))
    assert used["libraries"][0]["threads"] == 4
