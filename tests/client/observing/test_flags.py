"""Switches of determinism, as the loaded libraries say."""

import os
import subprocess
import sys
import warnings
from types import SimpleNamespace

import pytest
from tests.client.observing.test_generators import loaded

from notarium.observing.flags import observe_flags

SHOW = (
    "import os; from notarium.observing.flags import observe_flags; gaps = []; "
    "print(observe_flags(os.environ, gaps)['PYTHONHASHSEED'], gaps)"
)


def torch(monkeypatch, **over):
    cudnn = SimpleNamespace(enabled=True, benchmark=True, deterministic=False, allow_tf32=True)
    matmul = SimpleNamespace(allow_tf32=False)
    attributes = {
        "are_deterministic_algorithms_enabled": lambda: False,
        "is_deterministic_algorithms_warn_only_enabled": lambda: False,
        "get_num_threads": lambda: 2,
        "backends": SimpleNamespace(cudnn=cudnn, cuda=SimpleNamespace(matmul=matmul)),
        **over,
    }
    return loaded(monkeypatch, "torch", **attributes)


def test_without_a_library_there_are_the_variables_only():
    gaps: list[str] = []
    environ = {
        **os.environ,
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "XLA_FLAGS": "--xla_dump_to=/home/person/x",
        "X": "y",
    }
    found = observe_flags(environ, gaps)
    found.pop("PYTHONHASHSEED")
    assert found == {"CUBLAS_WORKSPACE_CONFIG": ":4096:8", "XLA_FLAGS": "--xla_dump_to=…/x"}
    assert gaps == []


def test_the_switches_of_pytorch(monkeypatch):
    torch(monkeypatch)
    found = observe_flags({}, [])
    assert {name: value for name, value in found.items() if name.startswith("torch")} == {
        "torch.deterministic_algorithms": False,
        "torch.deterministic_warn_only": False,
        "torch.cudnn.enabled": True,
        "torch.cudnn.benchmark": True,
        "torch.cudnn.deterministic": False,
        "torch.cudnn.tf32": True,
        "torch.matmul.tf32": False,
        "torch.num_threads": 2,
    }


def test_the_newer_switch_of_tf32_counts_where_there_is_one(monkeypatch):
    class Refuses:
        """As PyTorch 2.9 where both switches were used."""

        fp32_precision = "tf32"

        @property
        def allow_tf32(self):
            raise RuntimeError("mix of the legacy and new APIs")

    module = torch(monkeypatch)
    module.backends.cuda.matmul = Refuses()
    assert observe_flags({}, [])["torch.matmul.tf32"] is True


def test_a_switch_that_cannot_be_read_is_a_gap_and_an_unknown_one_is_left_out(monkeypatch):
    def refuse():
        raise RuntimeError("not\nnow")

    module = torch(monkeypatch, are_deterministic_algorithms_enabled=refuse)
    del module.backends.cudnn.benchmark
    gaps: list[str] = []
    found = observe_flags({}, gaps)
    assert "torch.deterministic_algorithms could not be read: not now" in gaps
    assert "torch.cudnn.benchmark" not in found
    assert "torch.cudnn.deterministic" in found


def test_a_warning_of_a_library_does_not_reach_the_user(monkeypatch):
    def warn():
        warnings.warn("use the new switch", stacklevel=1)
        return True

    torch(monkeypatch, are_deterministic_algorithms_enabled=warn)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert observe_flags({}, [])["torch.deterministic_algorithms"] is True


def test_jax_and_tensorflow(monkeypatch):
    config = SimpleNamespace(
        jax_enable_x64=False, jax_default_matmul_precision=None, jax_default_prng_impl="threefry2x32"
    )
    loaded(monkeypatch, "jax", config=config)
    loaded(
        monkeypatch,
        "tensorflow.python.framework.config",
        is_op_determinism_enabled=lambda: True,
        tensor_float_32_execution_enabled=lambda: False,
    )
    found = observe_flags({}, [])
    found.pop("PYTHONHASHSEED")
    assert found == {
        "jax.enable_x64": False,
        "jax.default_prng_impl": "threefry2x32",
        "tensorflow.enable_op_determinism": True,
        "tensorflow.tf32": False,
    }


def shown(code, *options, **environ):
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
    done = subprocess.run(
        [sys.executable, *options, "-c", code], env={**clean, **environ}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_hash_seed_is_that_of_the_start():
    assert shown(SHOW) == "random []"
    assert shown(SHOW, PYTHONHASHSEED="7") == "7 []"
    assert shown(SHOW, "-E", PYTHONHASHSEED="7") == "random []"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what the variable was at the start")
def test_a_hash_seed_that_was_set_too_late_is_a_gap():
    late = "import os; os.environ['PYTHONHASHSEED'] = '0'; "
    assert "random ['PYTHONHASHSEED was set to 0 after Python had started" in shown(late + SHOW)
