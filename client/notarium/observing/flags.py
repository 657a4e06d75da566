"""The switches that decide whether a second run with the same seed computes the same, where their library is loaded.

Nothing is imported and no switch is changed. A library that is only half imported, or a version of it that lacks a
switch, leaves that one out; a switch that cannot be read is a gap.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from notarium.observing.reading import bytes_of
from notarium.observing.variables import variable_value

VARIABLES: Final = (
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDNN_DETERMINISTIC",
    "JAX_THREEFRY_PARTITIONABLE",
    "MKL_CBWR",
    "NVIDIA_TF32_OVERRIDE",
    "TF_CUDNN_DETERMINISTIC",
    "TF_DETERMINISTIC_OPS",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "XLA_FLAGS",
)
HASH_SEED: Final = "PYTHONHASHSEED"
START_ENVIRONMENT: Final = Path("/proc/self/environ")

_MODULES: Final[dict[str, dict[str, Callable[[Any], Any]]]] = {
    "torch": {
        "torch.deterministic_algorithms": lambda torch: torch.are_deterministic_algorithms_enabled(),
        "torch.deterministic_warn_only": lambda torch: torch.is_deterministic_algorithms_warn_only_enabled(),
        "torch.cudnn.enabled": lambda torch: torch.backends.cudnn.enabled,
        "torch.cudnn.benchmark": lambda torch: torch.backends.cudnn.benchmark,
        "torch.cudnn.deterministic": lambda torch: torch.backends.cudnn.deterministic,
        "torch.cudnn.tf32": lambda torch: _tf32(torch.backends.cudnn, "conv"),
        "torch.matmul.tf32": lambda torch: _tf32(torch.backends.cuda, "matmul"),
        "torch.num_threads": lambda torch: torch.get_num_threads(),
    },
    "jax": {
        "jax.enable_x64": lambda jax: jax.config.jax_enable_x64,
        "jax.default_matmul_precision": lambda jax: jax.config.jax_default_matmul_precision,
        "jax.default_prng_impl": lambda jax: jax.config.jax_default_prng_impl,
        "jax.threefry_partitionable": lambda jax: jax.config.jax_threefry_partitionable,
    },
    "tensorflow.python.framework.config": {
        "tensorflow.enable_op_determinism": lambda config: config.is_op_determinism_enabled(),
        "tensorflow.tf32": lambda config: config.tensor_float_32_execution_enabled(),
    },
}


def observe_flags(environ: Mapping[str, str], gaps: list[str]) -> dict[str, Any]:
    """Switch -> its value: true, false, a number or text."""
    flags: dict[str, Any] = {HASH_SEED: hash_seed(environ, gaps)}
    flags |= {name: variable_value(environ[name]) for name in VARIABLES if name in environ}
    for module, switches in _MODULES.items():
        if (loaded := sys.modules.get(module)) is not None:
            for name, read in switches.items():
                value = _read(name, read, loaded, gaps)
                if isinstance(value, bool | int | str):
                    flags[name] = value
    return flags


def _read(name: str, read: Callable[[Any], Any], loaded: Any, gaps: list[str]) -> Any:
    try:
        with warnings.catch_warnings():
            # A library warns of its own older switches; that is no concern of whoever only asks.
            warnings.simplefilter("ignore")
            return read(loaded)
    except AttributeError:
        # This version has no such switch.
        return None
    except Exception as error:
        gaps.append(f"{name} could not be read: {' '.join(str(error).split())[:200]}")
        return None


def _tf32(backend: Any, part: str) -> bool:
    """PyTorch 2.9 has another switch, and refuses to read the older one where both were used."""
    owner = getattr(backend, part, backend)
    precision = getattr(owner, "fp32_precision", None)
    if isinstance(precision, str) and precision != "none":
        return precision == "tf32"
    return bool(owner.allow_tf32 if hasattr(owner, "allow_tf32") else backend.allow_tf32)


def hash_seed(environ: Mapping[str, str], gaps: list[str]) -> str:
    """The seed of Python's hashes: a number, or "random". It is what the variable was when Python started."""
    at_start = _at_start(environ)
    now = environ.get(HASH_SEED, "")
    if now != at_start:
        gaps.append(f"{HASH_SEED} was set to {now or 'nothing'} after Python had started, which has no effect")
    ignored = sys.flags.ignore_environment
    return at_start if at_start and not ignored else "random"


def _at_start(environ: Mapping[str, str]) -> str:
    at_start = bytes_of(START_ENVIRONMENT)
    if at_start is None:
        return environ.get(HASH_SEED, "")
    variables = at_start.split(b"\0")
    prefix = f"{HASH_SEED}=".encode()
    return next((os.fsdecode(each.removeprefix(prefix)) for each in variables if each.startswith(prefix)), "")
