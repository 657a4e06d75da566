"""Random generators: their seeds where they know them, and digests of their states."""

import random
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from tests.client.helpers import present

from notarium.observing.generators import (
    describe_generator,
    global_states,
    known_seeds,
    seeded_states,
    state_digest,
)


def test_a_numpy_generator_names_its_seed_and_nothing_is_drawn():
    for make in (np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64):
        generator = np.random.Generator(make(42))
        before = repr(generator.bit_generator.state)
        found = present(describe_generator(generator))
        assert found["generator"] == f"numpy.{make.__name__}"
        assert found["seed"] == 42
        assert repr(generator.bit_generator.state) == before
        generator.random()
        assert present(describe_generator(generator))["state_sha256"] != found["state_sha256"]


def test_a_spawned_generator_and_a_sequence_name_what_they_come_from():
    child = np.random.default_rng(7).spawn(2)[1]
    assert describe_generator(child) == {
        "generator": "numpy.PCG64",
        "seed": 7,
        "spawn_key": [1],
        "state_sha256": state_digest(child.bit_generator.state),
    }
    assert describe_generator(np.random.SeedSequence([1, 2])) == {"generator": "numpy.SeedSequence", "seed": [1, 2]}
    unseeded = present(describe_generator(np.random.default_rng()))
    assert unseeded["seed"] > 2**64


def test_generators_that_do_not_know_their_seed_have_a_state():
    first, second = np.random.RandomState(1), np.random.RandomState(1)
    assert describe_generator(first) == describe_generator(second)
    second.rand()
    assert describe_generator(first) != describe_generator(second)
    assert describe_generator(random.Random(1)) == describe_generator(random.Random(1))
    assert describe_generator(random.Random(1)) != describe_generator(random.Random(2))


@pytest.mark.parametrize("value", [1, "1", None, [1], np.int64(3), np.zeros(2, "uint32"), object()])
def test_what_is_no_generator_is_none(value):
    assert describe_generator(value) is None


def test_the_global_states_change_with_use_only():
    assert global_states() == global_states()
    before = global_states()
    random.random()
    assert global_states()["numpy"] == before["numpy"]
    assert global_states()["random"] != before["random"]
    np.random.rand()
    assert global_states()["numpy"] != before["numpy"]


def test_a_state_right_after_seeding_is_recognised():
    random.seed(41)
    np.random.seed(42)
    states = global_states()
    known = seeded_states([41, 42, -1, 2**40])
    assert known["random", states["random"]] == 41
    assert known["numpy", states["numpy"]] == 42
    random.random()
    assert ("random", global_states()["random"]) not in known


# Stand-ins: these libraries are too large for the tests' environment, and only their own answers count.


class Generator:
    """As torch.Generator."""

    __module__ = "torch._C"
    device = "cpu"

    def __init__(self, seed):
        self._seed = seed

    def initial_seed(self):
        return self._seed

    def get_state(self):
        return np.array([self._seed, 0], "uint8")


def loaded(monkeypatch, name, **attributes):
    module = ModuleType(name)
    for each, value in attributes.items():
        setattr(module, each, value)
    monkeypatch.setitem(sys.modules, name, module)
    return module


def test_pytorch_reports_its_seeds_and_cuda_is_not_started(monkeypatch):
    class Cuda:
        started = False

        def is_initialized(self):
            return self.started

        @property
        def default_generators(self):
            assert self.started, "reading this starts CUDA"
            return (Generator(5), Generator(6))

    cuda = Cuda()
    loaded(monkeypatch, "torch", default_generator=Generator(3), cuda=cuda)
    assert known_seeds() == {"torch": 3}
    cuda.started = True
    assert known_seeds() == {"torch": 3, "torch.cuda:0": 5, "torch.cuda:1": 6}
    assert global_states()["torch"] == state_digest([3, 0])
    assert describe_generator(Generator(9)) == {"generator": "torch.Generator", "seed": 9, "device": "cpu"}


def test_tensorflow_reports_its_seed_once_it_has_one(monkeypatch):
    place = SimpleNamespace(context=None)
    loaded(monkeypatch, "tensorflow.python.eager.context", context_safe=lambda: place.context)
    assert known_seeds() == {}
    place.context = SimpleNamespace(_seed=None)
    assert known_seeds() == {}
    place.context = SimpleNamespace(_seed=12)
    assert known_seeds() == {"tensorflow": 12}


def test_keys_of_jax_are_their_words(monkeypatch):
    class Key:
        __module__ = "jaxlib._jax"

        def __init__(self, dtype, words):
            self.dtype, self.words, self.shape = dtype, words, () if dtype.startswith("key") else (len(words),)

        def tolist(self):
            return self.words

    loaded(monkeypatch, "jax", random=SimpleNamespace(key_data=lambda key: np.array(key.words)))
    assert describe_generator(Key("key<fry>", [0, 7])) == {"generator": "jax.fry", "key": [0, 7]}
    assert describe_generator(Key("uint32", [0, 7])) == {"generator": "jax.key", "key": [0, 7]}
    assert describe_generator(Key("float32", [0, 7])) is None


def test_a_library_that_is_half_imported_has_no_generators_yet(monkeypatch):
    loaded(monkeypatch, "torch")
    assert known_seeds() == {}
    assert "torch" not in global_states()
