"""Why two runs of one thing have two results."""

import pytest

from notarium.evidence.record import Record
from notarium.explaining.causes import causes_of_runs, chance, is_deterministic, uses_gpu
from notarium.explaining.lines import Difference, Part

GPU = {"environment": {"gpus": [{"name": "H100"}]}, "params": {}, "seeds": {"seed": 1}}
METRIC = Difference(Part.METRIC, "loss", "2.2545127868652344", "2.2545130252838135")
OUTPUT = Difference(Part.FILE, "output model.pt", "a", "b")


def causes(found, before=None, after=None):
    one, other = (Record("run", (), facts or {}) for facts in (before, after))
    return [(each.what, str(each.certainty)) for each in causes_of_runs(one, other, found)]


@pytest.mark.parametrize("result", [METRIC, OUTPUT])
@pytest.mark.parametrize(
    ("part", "name", "what"),
    [
        (Part.PARAMETER, "lr", "what the run was given"),
        (Part.SEED, "seed", "what the run was given"),
        (Part.FILE, "input data", "what the run was given"),
        (Part.CODE, "commit", "what the run was given"),
        (Part.DETERMINISM, "flags.tf32", "what the run was given"),
        (Part.PACKAGE, "numpy", "library version"),
        (Part.DEVICE, "[H100].driver", "device"),
    ],
)
def test_what_differs_may_explain_the_result(result, part, name, what):
    found = causes([result, Difference(part, name, "1", "2")], GPU, GPU)
    # Given other things, a run needs no chance to end otherwise; with another library or driver it may have a part.
    chance_too = [("GPU non-determinism", "likely")] if part in (Part.PACKAGE, Part.DEVICE) else []
    assert found == [(what, "likely"), *chance_too]


def test_equal_results_need_no_cause():
    assert causes([Difference(Part.SEED, "seed", "1", "2")], GPU, GPU) == []
    assert causes([], GPU, GPU) == []


@pytest.mark.parametrize("result", [METRIC, OUTPUT])
def test_where_nothing_else_differs_the_gpu_remains(result):
    """Three runs of one seed on an H100: three weight digests."""
    assert causes([result], GPU, GPU) == [("GPU non-determinism", "likely")]
    deterministic = {**GPU, "determinism": {"flags": {"torch.use_deterministic_algorithms": True}}}
    assert causes([result], deterministic, deterministic) == []
    assert causes([result], {**deterministic}, GPU) == [("GPU non-determinism", "likely")]


def test_another_card_of_the_same_model_is_no_cause():
    found = [METRIC, Difference(Part.DEVICE, "[H100].uuid", "GPU-1", "GPU-2")]
    assert causes(found, GPU, GPU) == [("GPU non-determinism", "likely")]


def test_what_was_set_at_the_start_and_not_at_the_end_does_not_count():
    flags = {"flags": {"torch.deterministic_algorithms": False}}
    assert not is_deterministic({"determinism": {**flags, "flags_at_start": {"torch.deterministic_algorithms": True}}})
    assert is_deterministic({"determinism": {"flags": {"torch.deterministic_algorithms": True}}})


def test_without_a_seed_chance_is_possible():
    assert [each.what for each in chance({"params": {}})] == ["no seed"]
    assert [each.what for each in chance({"params": {}, "seeds": {"seed": 1}})] == []
    assert chance({"gaps": []}) == [], "no run"


@pytest.mark.parametrize("gpus", [None, [], {}])
def test_no_gpu_is_no_gpu(gpus):
    assert not uses_gpu({"environment": {"gpus": gpus}})


def test_cudnn_alone_is_not_deterministic():
    assert not is_deterministic({"determinism": {"flags": {"torch.backends.cudnn.deterministic": True}}})
    assert not is_deterministic({"determinism": {"flags": {"torch.use_deterministic_algorithms": False}}})
