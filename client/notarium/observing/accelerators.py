"""GPUs, as the libraries see them that the run itself has loaded. CUDA is never started here, and nothing is imported.

The CUDA driver API answers only where the run has started CUDA: every call returns CUDA_ERROR_NOT_INITIALIZED
otherwise. So it is asked first: it knows which devices the run could use. NVML knows those of the whole machine.
"""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from notarium.observing.loaded import Library, LoadedLibraries, function
from notarium.observing.reading import text_of

_TEXT_BYTES = 96
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76
"""CUdevice_attribute."""
DRIVER = Path("/proc/driver/nvidia")
_DRIVER_VERSION = re.compile(r"Kernel Module.*?\s(\d+(?:\.\d+)+)\s")

Json = dict[str, Any]


class _Memory(ctypes.Structure):
    """nvmlMemory_t."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


def observe_accelerators(loaded: LoadedLibraries, gaps: list[str]) -> list[Json]:
    """[{name, memory_bytes, uuid, capability?, seen_by, driver, cuda, cudnn, nccl}]; empty where no GPU was used.

    `seen_by`: "cuda" for a device that the run could use, "nvml" for one of the machine.
    """
    cuda, nvml = loaded.find("libcuda.so"), loaded.find("libnvidia-ml.so")
    devices = _by_cuda(cuda) if cuda else []
    driver = _driver_version()
    if nvml is not None and (listed := _Nvml.read(nvml)) is not None:
        devices, driver = devices or listed.devices, listed.driver or driver
    if loaded.named("libamdhip64.so"):
        gaps.append("AMD GPUs are not recorded: only those of NVIDIA are")
    versions = {"driver": driver, **library_versions(loaded)}
    return [{**each, **{name: value for name, value in versions.items() if value}} for each in devices]


def machine_gpus() -> list[Json]:
    """[{name, uuid, seen_by: "driver", driver}], as the driver's files list them, for a command in another process."""
    driver = _driver_version()
    found: list[Json] = []
    for information in sorted(DRIVER.glob("gpus/*/information")):
        rows = (line.partition(":") for line in (text_of(information) or "").splitlines())
        said = {name.strip(): value.strip() for name, _, value in rows}
        named = {"name": said.get("Model", ""), "uuid": said.get("GPU UUID", ""), "driver": driver}
        found.append({**{name: value for name, value in named.items() if value}, "seen_by": "driver"})
    return found


def library_versions(loaded: LoadedLibraries) -> dict[str, str]:
    """Versions of the CUDA runtime, cuDNN and NCCL that are loaded, whatever else is installed."""
    versions: dict[str, str] = {}
    if (runtime := loaded.find("libcudart.so", "libcudart-")) is not None and (cuda := _by_pointer(runtime)):
        versions["cuda"] = f"{cuda // 1000}.{cuda % 1000 // 10}"
    if (cudnn := loaded.find("libcudnn.so")) is not None and (ask := function(cudnn, "cudnnGetVersion")):
        ask.restype = ctypes.c_size_t
        versions["cudnn"] = _three_parts(int(ask()), since=90_000)
    if (nccl := loaded.find("libnccl.so")) is not None and (number := _by_pointer(nccl)):
        versions["nccl"] = _three_parts(number, since=20_000)
    return versions


def _three_parts(number: int, since: int) -> str:
    """Both libraries gave their major number one more digit at some version."""
    unit = 10_000 if number >= since else 1_000
    return f"{number // unit}.{number % unit // 100}.{number % 100}"


def _by_pointer(library: Library) -> int | None:
    ask = function(library, "cudaRuntimeGetVersion", "ncclGetVersion")
    number = ctypes.c_int()
    return number.value if ask is not None and ask(ctypes.byref(number)) == 0 else None


def _driver_version() -> str:
    found = _DRIVER_VERSION.search(text_of(DRIVER / "version") or "")
    return found[1] if found else ""


def _by_cuda(cuda: Library) -> list[Json]:
    count = ctypes.c_int()
    if cuda.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return []
    return [each for number in range(count.value) if (each := _cuda_device(cuda, number))]


def _cuda_device(cuda: Library, number: int) -> Json | None:
    device, size = ctypes.c_int(), ctypes.c_size_t()
    name, uuid = ctypes.create_string_buffer(_TEXT_BYTES), (ctypes.c_ubyte * 16)()
    major, minor = ctypes.c_int(), ctypes.c_int()
    results = (
        cuda.cuDeviceGet(ctypes.byref(device), number),
        cuda.cuDeviceGetName(name, _TEXT_BYTES, device),
        cuda.cuDeviceTotalMem_v2(ctypes.byref(size), device),
        cuda.cuDeviceGetAttribute(ctypes.byref(major), _CAPABILITY_MAJOR, device),
        cuda.cuDeviceGetAttribute(ctypes.byref(minor), _CAPABILITY_MINOR, device),
    )
    if any(results):
        return None
    found: Json = {
        "name": name.value.decode(errors="replace"),
        "memory_bytes": size.value,
        "capability": f"{major.value}.{minor.value}",
        "seen_by": "cuda",
    }
    # The second form is right for a part of a device (MIG), too.
    ask = function(cuda, "cuDeviceGetUuid_v2", "cuDeviceGetUuid")
    if ask is not None and ask(uuid, device) == 0:
        digits = bytes(uuid).hex()
        found["uuid"] = f"GPU-{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
    return found


@dataclass(frozen=True, slots=True)
class _Nvml:
    """What NVML says of the machine."""

    devices: list[Json]
    driver: str

    @classmethod
    def read(cls, nvml: Library) -> _Nvml | None:
        """None where it cannot be initialised: a driver without devices, or another version of it."""
        if nvml.nvmlInit_v2() != 0:
            return None
        try:
            count, driver = ctypes.c_uint(), ctypes.create_string_buffer(_TEXT_BYTES)
            if nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) != 0:
                return None
            nvml.nvmlSystemGetDriverVersion(driver, _TEXT_BYTES)
            found = (_nvml_device(nvml, number) for number in range(count.value))
            return cls([each for each in found if each], driver.value.decode(errors="replace"))
        finally:
            # Initialisations are counted: those of the run stay.
            nvml.nvmlShutdown()


def _nvml_device(nvml: Library, number: int) -> Json | None:
    device, memory = ctypes.c_void_p(), _Memory()
    name, uuid = ctypes.create_string_buffer(_TEXT_BYTES), ctypes.create_string_buffer(_TEXT_BYTES)
    if nvml.nvmlDeviceGetHandleByIndex_v2(number, ctypes.byref(device)) != 0:
        return None
    if nvml.nvmlDeviceGetName(device, name, _TEXT_BYTES) != 0:
        return None
    found: Json = {"name": name.value.decode(errors="replace"), "seen_by": "nvml"}
    if nvml.nvmlDeviceGetMemoryInfo(device, ctypes.byref(memory)) == 0:
        found["memory_bytes"] = int(memory.total)
    if nvml.nvmlDeviceGetUUID(device, uuid, _TEXT_BYTES) == 0:
        found["uuid"] = uuid.value.decode(errors="replace")
    return found
