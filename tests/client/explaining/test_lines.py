"""Records as lines: whatever they hold, also what a later version writes."""

from typing import Any

import pytest

from notarium.explaining.lines import Part, differences, lines_of, packages_of, without_secrets


def found(before, after):
    return [
        (str(each.part), each.name, each.before, each.after) for each in differences(lines_of(before), lines_of(after))
    ]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"params": {"lr": 0.1}}, {"params": {"lr": 0.01}}, [("parameter", "lr", "0.1", "0.01")]),
        ({"params": {"m": {"w": 64}}}, {"params": {"m": {"w": 32}}}, [("parameter", "m.w", "64", "32")]),
        ({"params": {"m.w": 64}}, {"params": {"m.w": 32}}, [("parameter", "m.w", "64", "32")]),
        ({"params": {"a": 1}}, {"params": {"a": "1"}}, [("parameter", "a", "1", '"1"')]),
        ({"params": {"a": 1}}, {"params": {"a": 1.0}}, []),
        ({"params": {"a": True}}, {"params": {"a": 1}}, [("parameter", "a", "true", "1")]),
        ({"params": {"a": [1, 2]}}, {"params": {"a": [1, 3]}}, [("parameter", "a", "[1, 2]", "[1, 3]")]),
        ({"params": {}}, {"params": {"a": None}}, [("parameter", "a", None, "null")]),
        (
            {"params": {"x": {"dtype": "float64", "shape": [3, 4], "sha256": "ab"}}},
            {"params": {"x": {"dtype": "float32", "shape": [3, 5], "sha256": "ab"}}},
            [("parameter", "x.dtype", "float64", "float32"), ("parameter", "x.shape", "[3, 4]", "[3, 5]")],
        ),
        (
            {"param_types": {"m.w": "int"}},
            {"param_types": {"m.w": "text"}},
            [("parameter", "m.w (type)", "int", "text")],
        ),
        ({"seeds": {"seed": 1}}, {"seeds": {"seed": 2}}, [("seed", "seed", "1", "2")]),
        ({"status": "completed"}, {"status": "failed"}, [("outcome", "status", "completed", "failed")]),
        ({"command": ["a", "b"]}, {"command": ["a", "c"]}, [("fact", "command", '["a", "b"]', '["a", "c"]')]),
        ({"salt": "1", "started": "2", "gaps": ["x"]}, {"salt": "3", "ended": "4", "gaps": []}, []),
        (
            {"environment": {"packages": {"Scikit_Learn": "1.0"}, "python": "3.11"}},
            {"environment": {"packages": [{"name": "scikit-learn", "version": "1.1", "origin": {"kind": "index"}}]}},
            [
                ("package", "scikit-learn", "1.0", "1.1"),
                ("package", "scikit-learn origin", None, '{"kind": "index"}'),
                ("environment", "python", "3.11", None),
            ],
        ),
        (
            {"environment": {"gpus": [{"name": "H100", "driver": "550"}]}},
            {"environment": {"gpus": [{"name": "H100", "driver": "560"}]}},
            [("device", "[H100].driver", "550", "560")],
        ),
        (
            {"environment": {"gpus": [{"name": "H100", "uuid": 1}, {"name": "H100", "uuid": 2}]}},
            {"environment": {"gpus": [{"name": "H100", "uuid": 1}, {"name": "H100", "uuid": 3}]}},
            [("device", "[1].uuid", "2", "3")],
        ),
        ({"something new": {"a": 1}}, {"something new": {"a": 2}}, [("fact", "something new.a", "1", "2")]),
    ],
)
def test_each_kind_of_difference(before, after, expected):
    assert found(before, after) == expected
    assert found(after, before) == [(part, name, new, old) for part, name, old, new in expected]
    assert found(before, before) == found(after, after) == []


def test_a_secret_is_one_word_where_its_digest_says_nothing():
    one, other = (lines_of({"params": {"url": f"https://u:[secret {digest}]@h/", "n": 1}}) for digest in ("ab", "cd"))
    assert len(differences(one, other)) == 1
    assert differences(without_secrets(one), without_secrets(other)) == []


def test_hostile_depth_ends():
    deep: dict[str, Any] = {"a": 1}
    for _ in range(300):
        deep = {"a": deep}
    assert len(lines_of({"params": deep})) == 1


def test_versions_by_name():
    facts = {"environment": {"packages": [{"name": "NumPy", "version": "1.26", "record_sha256": "ab"}]}}
    assert packages_of(facts) == {"numpy": "1.26"}
    assert packages_of({}) == packages_of({"environment": None}) == packages_of({"environment": {"packages": 3}}) == {}


def test_parts_come_in_the_order_in_which_they_matter():
    before = {"environment": {"packages": {"a": "1"}}, "params": {"z": 1}, "status": "x"}
    after = {"environment": {"packages": {"a": "2"}}, "params": {"z": 2}, "status": "y"}
    parts = [each.part for each in differences(lines_of(before), lines_of(after))]
    assert parts == [Part.OUTCOME, Part.PARAMETER, Part.PACKAGE]


def test_a_long_name_is_cut_and_kept_apart():
    """Everything inside repeats it: a name of a megabyte with a thousand values took a gigabyte."""
    long = "a" * 5000
    facts = {"params": {f"{long}{end}": [{"b": number} for number in range(3)] for end in "xy"}}
    lines = lines_of(facts)
    assert len(lines) == 6
    assert max(len(name) for _, name in lines) < 400
    [(_, name, before, after)] = found(
        facts, {"params": {**facts["params"], f"{long}y": [{"b": 0}, {"b": 1}, {"b": 9}]}}
    )
    assert (name[:10], before, after) == ("a" * 10, "2", "9")
