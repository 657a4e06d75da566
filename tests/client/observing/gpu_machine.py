"""Stand-ins for the libraries of a machine with a GPU, as ctypes shows them, with what an H100 has reported.

`SimpleNamespace` stands for ctypes.CDLL: a missing function is an AttributeError for both.
"""

from __future__ import annotations

import ctypes
from types import SimpleNamespace

from notarium.observing.loaded import LoadedLibraries

NAME = b"NVIDIA H100 80GB HBM3"
DRIVER = b"580.159.04"
MEMORY = 81559 * 1024**2
UUID = bytes(range(16))
NOT_INITIALIZED = 3


def _put(pointer, value):
    pointer._obj.value = value
    return 0


def _text(buffer, value):
    buffer.value = value
    return 0


def cuda(started=True, devices=1):
    """libcuda.so.1 of a process that has started CUDA, or not."""

    def uuid(buffer, _device):
        buffer[:] = UUID
        return 0

    def count(pointer):
        return _put(pointer, devices) if started else NOT_INITIALIZED

    return SimpleNamespace(
        cuDeviceGetCount=count,
        cuDeviceGet=lambda pointer, number: _put(pointer, number),
        cuDeviceGetName=lambda buffer, _size, _device: _text(buffer, NAME),
        cuDeviceTotalMem_v2=lambda pointer, _device: _put(pointer, MEMORY - 1),
        cuDeviceGetAttribute=lambda pointer, attribute, _device: _put(pointer, {75: 9, 76: 0}[attribute]),
        cuDeviceGetUuid_v2=uuid,
    )


def nvml(devices=2, result=0):
    """libnvidia-ml.so.1; `opened` counts initialisations that were not shut down."""
    library = SimpleNamespace(opened=0)

    def initialise():
        library.opened += result == 0
        return result

    def shutdown():
        library.opened -= 1
        return 0

    def memory(_device, pointer):
        pointer._obj.total = MEMORY
        return 0

    library.nvmlInit_v2 = initialise
    library.nvmlShutdown = shutdown
    library.nvmlDeviceGetCount_v2 = lambda pointer: _put(pointer, devices)
    library.nvmlSystemGetDriverVersion = lambda buffer, _size: _text(buffer, DRIVER)
    library.nvmlDeviceGetHandleByIndex_v2 = lambda number, pointer: _put(pointer, number + 1)
    library.nvmlDeviceGetName = lambda _device, buffer, _size: _text(buffer, NAME)
    library.nvmlDeviceGetMemoryInfo = memory
    library.nvmlDeviceGetUUID = lambda _device, buffer, _size: _text(buffer, b"GPU-of-the-machine")
    return library


def number(name, value):
    """A library whose function `name` reports a version through a pointer."""
    return SimpleNamespace(**{name: lambda pointer: _put(pointer, value)})


class Asked:
    """A function of no arguments that ctypes gives a type of its result."""

    restype: type = ctypes.c_int

    def __init__(self, value):
        self.value = value

    def __call__(self):
        assert self.restype is ctypes.c_size_t
        return self.value


class Libraries(LoadedLibraries):
    """As `LoadedLibraries`, with stand-ins by file name."""

    def __init__(self, **libraries):
        self._libraries = {f"{name}.so.1".replace("nvidia_", "nvidia-"): each for name, each in libraries.items()}

    def named(self, *prefixes):
        return sorted(each for each in self._libraries if each.startswith(prefixes))

    def every(self, *prefixes):
        return [(name, each) for name, each in self._libraries.items() if name.startswith(prefixes)]

    def find(self, *prefixes):
        return next((each for name, each in self._libraries.items() if name.startswith(prefixes)), None)
