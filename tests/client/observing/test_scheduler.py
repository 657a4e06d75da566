"""The job of a scheduler, from the variables of real ones."""

import pytest

from notarium.observing.scheduler import observe_scheduler

SLURM = {
    "SLURM_JOB_ID": "4711",
    "SLURM_ARRAY_JOB_ID": "4700",
    "SLURM_ARRAY_TASK_ID": "11",
    "SLURM_JOB_NODELIST": "gpu[01-02]",
    "SLURM_JOB_NUM_NODES": "2",
    "SLURM_NTASKS": "8",
    "SLURM_PROCID": "0",
    "SLURM_RESTART_COUNT": "1",
    "SLURM_JOB_USER": "person",
}


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        (
            SLURM,
            {
                **{"name": "slurm", "job": "4700", "array_index": "11", "nodes": "gpu[01-02]", "node_count": "2"},
                **{"tasks": "8", "rank": "0", "restarts": "1"},
            },
        ),
        ({"SLURM_JOB_ID": "1", "SLURM_NNODES": "1"}, {"name": "slurm", "job": "1", "node_count": "1"}),
        ({"LSB_JOBID": "5", "LSB_JOBINDEX": "0", "LSB_HOSTS": "a a"}, {"name": "lsf", "job": "5", "nodes": "a a"}),
        ({"LSB_JOBID": "5", "LSB_JOBINDEX": "3"}, {"name": "lsf", "job": "5", "array_index": "3"}),
        ({"PBS_JOBID": "5.x", "PBS_ARRAY_INDEX": "2"}, {"name": "pbs", "job": "5.x", "array_index": "2"}),
        ({"JOB_ID": "5", "SGE_TASK_ID": "undefined"}, {"name": "gridengine", "job": "5"}),
        ({"JOB_ID": "of another program"}, None),
        ({}, None),
    ],
)
def test_a_job_is_recognised_by_its_own_variables(environ, found):
    assert observe_scheduler(environ) == found
