"""The scheduler's job that the run is part of, from the variables that the scheduler sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_SCHEDULERS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "slurm": {
        "job": ("SLURM_ARRAY_JOB_ID", "SLURM_JOB_ID"),
        "array_index": ("SLURM_ARRAY_TASK_ID",),
        "nodes": ("SLURM_JOB_NODELIST", "SLURM_NODELIST"),
        "node_count": ("SLURM_JOB_NUM_NODES", "SLURM_NNODES"),
        "tasks": ("SLURM_NTASKS",),
        "rank": ("SLURM_PROCID",),
        "restarts": ("SLURM_RESTART_COUNT",),
    },
    "lsf": {"job": ("LSB_JOBID",), "array_index": ("LSB_JOBINDEX",), "nodes": ("LSB_HOSTS",)},
    "pbs": {"job": ("PBS_JOBID",), "array_index": ("PBS_ARRAY_INDEX", "PBS_ARRAYID"), "node_count": ("PBS_NUM_NODES",)},
    "gridengine": {"job": ("JOB_ID",), "array_index": ("SGE_TASK_ID",), "node_count": ("NHOSTS",)},
    "flux": {"job": ("FLUX_JOB_ID",), "node_count": ("FLUX_JOB_NNODES",), "rank": ("FLUX_TASK_RANK",)},
}
"""Each scheduler's variables, the first that is set counts. "job" must be set for the scheduler to be recognised."""
_REQUIRED: Final = {"gridengine": "SGE_TASK_ID"}
"""JOB_ID alone is a name that other programs use, too."""
_NOT_SET: Final = ("", "undefined")
_NO_ARRAY: Final = {"lsf": "0"}


def observe_scheduler(environ: Mapping[str, str]) -> dict[str, Any] | None:
    """{name, job, array_index?, nodes?, node_count?, tasks?, rank?, restarts?}, or None outside of a job."""
    for name, fields in _SCHEDULERS.items():
        said = {field: value for field, variables in fields.items() if (value := _first(environ, variables))}
        if "job" not in said or _REQUIRED.get(name, fields["job"][-1]) not in environ:
            continue
        if said.get("array_index") == _NO_ARRAY.get(name):
            said.pop("array_index", None)
        return {"name": name, **said}
    return None


def _first(environ: Mapping[str, str], variables: tuple[str, ...]) -> str:
    values = (environ.get(each, "") for each in variables)
    return next((each for each in values if each not in _NOT_SET), "")
