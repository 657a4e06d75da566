"""GPUs: what the loaded libraries of a machine with an H100 say, and nothing where none is loaded."""

import sys

import pytest
from tests.client.observing.gpu_machine import MEMORY, Asked, Libraries, cuda, number, nvml

from notarium.observing import accelerators
from notarium.observing.accelerators import library_versions, machine_gpus, observe_accelerators
from notarium.observing.loaded import LoadedLibraries

VERSION_FILE = """NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  Release Build  (nixbld@)
GCC version:  gcc version 15.3.0 (GCC)
"""


@pytest.fixture(autouse=True)
def no_driver(tmp_path, monkeypatch):
    monkeypatch.setattr(accelerators, "DRIVER", tmp_path / "driver")
    return tmp_path / "driver"


def test_a_process_without_gpu_libraries_has_no_gpu_and_loads_none():
    gaps: list[str] = []
    assert observe_accelerators(LoadedLibraries.now(), gaps) == []
    assert gaps == []
    assert "torch" not in sys.modules


def test_devices_that_the_run_could_use_count_and_nvml_adds_the_driver():
    library = nvml(devices=8)
    loaded = Libraries(
        libcuda=cuda(devices=2),
        libnvidia_ml=library,
        libcudart=number("cudaRuntimeGetVersion", 13000),
        libnccl=number("ncclGetVersion", 22809),
    )
    found = observe_accelerators(loaded, [])
    assert len(found) == 2
    assert found[0] == {
        "name": "NVIDIA H100 80GB HBM3",
        "memory_bytes": MEMORY - 1,
        "capability": "9.0",
        "uuid": "GPU-00010203-0405-0607-0809-0a0b0c0d0e0f",
        "seen_by": "cuda",
        "driver": "580.159.04",
        "cuda": "13.0",
        "nccl": "2.28.9",
    }
    assert library.opened == 0


def test_before_cuda_has_started_the_machine_is_what_nvml_lists():
    found = observe_accelerators(Libraries(libcuda=cuda(started=False), libnvidia_ml=nvml(devices=2)), [])
    assert [each["seen_by"] for each in found] == ["nvml", "nvml"]
    assert found[0]["memory_bytes"] == MEMORY
    assert found[0]["uuid"] == "GPU-of-the-machine"
    assert observe_accelerators(Libraries(libcuda=cuda(started=False)), []) == []
    assert observe_accelerators(Libraries(libnvidia_ml=nvml(result=9)), []) == []


def test_without_nvml_the_driver_is_what_the_kernel_module_says(no_driver):
    no_driver.mkdir()
    (no_driver / "version").write_text(VERSION_FILE)
    [found] = observe_accelerators(Libraries(libcuda=cuda()), [])
    assert found["driver"] == "580.159.04"


@pytest.mark.parametrize(
    ("cudnn", "nccl", "versions"),
    [
        (91900, 22809, {"cudnn": "9.19.0", "nccl": "2.28.9"}),
        (8907, 2708, {"cudnn": "8.9.7", "nccl": "2.7.8"}),
        (90100, 21005, {"cudnn": "9.1.0", "nccl": "2.10.5"}),
    ],
)
def test_versions_are_those_that_are_loaded(cudnn, nccl, versions):
    libraries = Libraries(
        libcudnn=type("C", (), {"cudnnGetVersion": Asked(cudnn)})(), libnccl=number("ncclGetVersion", nccl)
    )
    assert library_versions(libraries) == versions


def test_an_amd_gpu_is_a_gap():
    gaps: list[str] = []
    assert observe_accelerators(Libraries(libamdhip64=object()), gaps) == []
    assert gaps == ["AMD GPUs are not recorded: only those of NVIDIA are"]


def test_for_a_command_the_files_of_the_driver_list_the_machine(no_driver):
    assert machine_gpus() == []
    place = no_driver / "gpus" / "0000:01:00.0"
    place.mkdir(parents=True)
    (no_driver / "version").write_text(VERSION_FILE)
    (place / "information").write_text("Model: \t\t NVIDIA H100 80GB HBM3\nGPU UUID: \t GPU-1\nBus Type: PCIe\n")
    assert machine_gpus() == [
        {"name": "NVIDIA H100 80GB HBM3", "uuid": "GPU-1", "driver": "580.159.04", "seen_by": "driver"}
    ]
