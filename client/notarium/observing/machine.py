"""The machine: system, processors, memory, and the threads that numerical libraries use."""

from __future__ import annotations

import ctypes
import os
import platform
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from notarium.files import read_regular
from notarium.observing.loaded import LoadedLibraries, function
from notarium.observing.reading import text_of

CPU_INFO = Path("/proc/cpuinfo")
CGROUP = Path("/sys/fs/cgroup")
_FIRST_PROCESSOR_BYTES = 8192
"""The kernel asks each processor for its state while the file is read, so only the first is read."""
_MODEL = re.compile(r"^model name\s*:\s*(.+)$", re.MULTILINE)
_ARM = re.compile(r"^CPU (implementer|part)\s*:\s*(\S+)$", re.MULTILINE)

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "OMP_DYNAMIC",
    "MKL_DYNAMIC",
)
_LIBRARIES = ("libopenblas", "libscipy_openblas", "libmkl_rt", "libblis", "libgomp", "libiomp5", "libomp")
_DISPATCHER = "libmkl_rt"
_COUNTERS = (
    "openblas_get_num_threads",
    "openblas_get_num_threads64_",
    "scipy_openblas_get_num_threads",
    "scipy_openblas_get_num_threads64_",
    "MKL_Get_Max_Threads",
    "bli_thread_get_num_threads",
    "omp_get_max_threads",
)
_CONFIGURATIONS = (
    "openblas_get_config",
    "openblas_get_config64_",
    "scipy_openblas_get_config",
    "scipy_openblas_get_config64_",
)

Json = dict[str, Any]


def observe_platform() -> Json:
    """{system, release, machine, libc?}."""
    described: Json = {"system": platform.system(), "release": platform.release(), "machine": platform.machine()}
    libc = _libc()
    return {**described, "libc": libc} if libc else described


def observe_cpu() -> Json:
    """{model?, count, affinity?, limit?}: all processors, those that may be used, and how much."""
    described: Json = {"count": os.cpu_count() or 0}
    if model := _cpu_model():
        described["model"] = model
    if hasattr(os, "sched_getaffinity"):
        described["affinity"] = ranges(os.sched_getaffinity(0))
    quota, _, period = _limit("cpu.max").partition(" ")
    if quota.isdigit() and period.isdigit() and int(period):
        described["limit"] = f"{int(quota) / int(period):.2f}"
    return described


def observe_memory() -> Json:
    """{memory_bytes?, memory_limit_bytes?}: of the machine, and what a container or a scheduler allows."""
    described: Json = {}
    try:
        described["memory_bytes"] = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        # Not every system says.
        return described
    limit = _limit("memory.max")
    return {**described, "memory_limit_bytes": int(limit)} if limit.isdigit() else described


def observe_threads(environ: Mapping[str, str], loaded: LoadedLibraries) -> Json:
    """{variables that are set, libraries: [{name, threads?, configuration?}]} of BLAS and OpenMP."""
    set_ones: Json = {name: environ[name] for name in THREAD_VARIABLES if name in environ}
    libraries: list[Json] = []
    for name, library in loaded.every(*_LIBRARIES):
        described: Json = {"name": name}
        # MKL's dispatcher loads the rest of MKL when it is first asked something.
        is_idle = name.startswith(_DISPATCHER) and not loaded.named("libmkl_core")
        if not is_idle and (count := function(library, *_COUNTERS)) is not None:
            described["threads"] = int(count())
        if (configuration := function(library, *_CONFIGURATIONS)) is not None:
            configuration.restype = ctypes.c_char_p
            described["configuration"] = (configuration() or b"").decode(errors="replace").strip()
        libraries.append(described)
    return {**set_ones, "libraries": sorted(libraries, key=lambda each: str(each["name"]))}


def ranges(numbers: Iterable[int]) -> str:
    """As the kernel writes lists of processors: "0-3,8"."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def _libc() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError, AttributeError):
        # Another C library than GNU's: the platform's own name for it is all there is.
        return ""


def _cpu_model() -> str:
    try:
        said = read_regular(CPU_INFO, _FIRST_PROCESSOR_BYTES).decode(errors="replace")
    except OSError:
        return platform.processor()
    if found := _MODEL.search(said):
        return found[1].strip()
    arm = dict(_ARM.findall(said))
    return f"ARM implementer {arm['implementer']} part {arm['part']}" if len(arm) > 1 else platform.processor()


def _limit(name: str) -> str:
    """A limit of the control group, or "" where there is no such file."""
    return (text_of(CGROUP / name) or "").strip()
