"""Random generators: what was handed over as a seed, and the global ones of the libraries that are loaded.

A seed cannot be read from the state of `random` and of NumPy's global generator. So their states are recorded as
digests, and compared with the state right after seeding with each seed that the run named. A NumPy Generator, a PyTorch
and a TensorFlow generator know their seed.
"""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final

Json = dict[str, Any]

_LEGACY_SEEDS: Final = 2**32
"""NumPy's global generator takes smaller seeds only."""


def state_digest(state: Any) -> str:
    """SHA-256 of the state as Python's `repr` writes it, with arrays as lists."""
    return hashlib.sha256(repr(_plain(state)).encode()).hexdigest()


def describe_generator(value: Any) -> Json | None:
    """A generator, seed sequence or JAX key as a fact; None for anything else. Nothing is drawn from it."""
    if isinstance(value, random.Random):
        return {"generator": _name(value), "state_sha256": state_digest(value.getstate())}
    # A library that is not loaded has made no object.
    for library, describe in _DESCRIBERS.items():
        if _of(value, library) and library in sys.modules and (described := describe(value)) is not None:
            return described
    return None


def _of(value: Any, library: str) -> bool:
    return any(each.__module__.partition(".")[0] in (library, f"{library}lib") for each in type(value).__mro__)


def _name(value: Any) -> str:
    return f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"


def _numpy(value: Any) -> Json | None:
    bits = getattr(value, "bit_generator", value)
    sequence = getattr(bits, "seed_seq", None)
    if type(value).__name__ == "SeedSequence":
        return {"generator": _name(value), **_entropy(value)}
    if type(value).__name__ == "RandomState":
        return {"generator": _name(value), "state_sha256": state_digest(value.get_state(legacy=False))}
    if sequence is None or not hasattr(bits, "state"):
        return None
    return {"generator": _name(bits), **_entropy(sequence), "state_sha256": state_digest(bits.state)}


def _entropy(sequence: Any) -> Json:
    entropy = _plain(getattr(sequence, "entropy", None))
    spawned = list(getattr(sequence, "spawn_key", ()))
    return {"seed": entropy, **({"spawn_key": spawned} if spawned else {})}


def _torch(value: Any) -> Json | None:
    if type(value).__name__ != "Generator":
        return None
    return {"generator": _name(value), "seed": int(value.initial_seed()), "device": str(value.device)}


def _jax(value: Any) -> Json | None:
    """A key: of the typed kind, or the two or four words of the older kind."""
    name = str(getattr(value, "dtype", ""))
    if name.startswith("key<"):
        words = sys.modules["jax"].random.key_data(value)
        return {"generator": f"jax.{name.removeprefix('key<').rstrip('>')}", "key": _plain(words)}
    if name == "uint32" and getattr(value, "shape", None) in ((2,), (4,)):
        return {"generator": "jax.key", "key": _plain(value)}
    return None


_DESCRIBERS: Final[dict[str, Callable[[Any], Json | None]]] = {"numpy": _numpy, "torch": _torch, "jax": _jax}


def global_states() -> dict[str, str]:
    """Generator -> digest of its state, for `random` and the global generators of NumPy and PyTorch on the CPU."""
    states = {"random": state_digest(random.getstate())}
    if (numpy := sys.modules.get("numpy.random")) is not None:
        states["numpy"] = state_digest(numpy.get_state(legacy=False))
    if (torch := _torch_generator()) is not None:
        states["torch"] = state_digest(torch.get_state())
    return states


def known_seeds() -> dict[str, int]:
    """Generator -> the seed that it itself reports: of PyTorch and TensorFlow."""
    seeds: dict[str, int] = {}
    if (generator := _torch_generator()) is not None:
        seeds["torch"] = int(generator.initial_seed())
        cuda = sys.modules["torch"].cuda
        # There are no generators of GPUs before CUDA has started.
        if cuda.is_initialized():
            generators = enumerate(cuda.default_generators)
            seeds |= {f"torch.cuda:{number}": int(each.initial_seed()) for number, each in generators}
    tensorflow = sys.modules.get("tensorflow.python.eager.context")
    context = tensorflow.context_safe() if tensorflow is not None else None
    if context is not None and isinstance(seed := getattr(context, "_seed", None), int):
        seeds["tensorflow"] = seed
    return seeds


def _torch_generator() -> Any | None:
    """PyTorch's global generator on the CPU; None where PyTorch is not loaded, or is only half imported."""
    return getattr(sys.modules.get("torch"), "default_generator", None)


def seeded_states(seeds: Iterable[int]) -> dict[tuple[str, str], int]:
    """(generator, digest of its state right after seeding) -> seed, for `random` and NumPy's global generator."""
    states: dict[tuple[str, str], int] = {}
    numpy = sys.modules.get("numpy.random")
    for seed in seeds:
        states["random", state_digest(random.Random(seed).getstate())] = seed  # noqa: S311
        if numpy is not None and 0 <= seed < _LEGACY_SEEDS:
            states["numpy", state_digest(numpy.RandomState(seed).get_state(legacy=False))] = seed
    return states


def _plain(state: Any) -> Any:
    if isinstance(state, dict):
        return {name: _plain(value) for name, value in state.items()}
    if isinstance(state, list | tuple):
        return [_plain(each) for each in state]
    tolist = getattr(state, "tolist", None)
    return tolist() if callable(tolist) else state
