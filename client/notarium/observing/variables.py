"""The environment variables that are recorded: a fixed list of those that change what numerical programs compute.

All others stay out, because they contain secrets and names of people. Those of a scheduler, of threads and of
determinism stand with the facts that they are about.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from notarium.observing.redaction import without_folders

ALLOWED: Final = (
    "CUDA_DEVICE_ORDER",
    "CUDA_LAUNCH_BLOCKING",
    "CUDA_MODULE_LOADING",
    "CUDA_VISIBLE_DEVICES",
    "GOMP_CPU_AFFINITY",
    "HIP_VISIBLE_DEVICES",
    "JAX_DEFAULT_MATMUL_PRECISION",
    "JAX_ENABLE_X64",
    "JAX_PLATFORMS",
    "KMP_AFFINITY",
    "KMP_BLOCKTIME",
    "LANG",
    "LC_ALL",
    "LC_NUMERIC",
    "LOCAL_RANK",
    "MKL_ENABLE_INSTRUCTIONS",
    "NCCL_ALGO",
    "NCCL_PROTO",
    "NVIDIA_VISIBLE_DEVICES",
    "OMP_PLACES",
    "OMP_PROC_BIND",
    "OMP_SCHEDULE",
    "OPENBLAS_CORETYPE",
    "PYTHONOPTIMIZE",
    "PYTHONUTF8",
    "PYTORCH_ALLOC_CONF",
    "PYTORCH_CUDA_ALLOC_CONF",
    "RANK",
    "ROCR_VISIBLE_DEVICES",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_XLA_FLAGS",
    "TOKENIZERS_PARALLELISM",
    "TORCHINDUCTOR_MAX_AUTOTUNE",
    "TZ",
    "WORLD_SIZE",
    "XLA_PYTHON_CLIENT_MEM_FRACTION",
    "XLA_PYTHON_CLIENT_PREALLOCATE",
)
MAX_VALUE_CHARACTERS: Final = 1000


def observe_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Those of the list that are set, with absolute paths cut to their last name."""
    return {name: variable_value(environ[name]) for name in ALLOWED if name in environ}


def variable_value(value: str) -> str:
    """A variable's value as it is recorded."""
    return without_folders(value)[:MAX_VALUE_CHARACTERS]
