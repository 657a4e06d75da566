"""Environment variables: a list, and nothing else."""

import re

from notarium.observing.variables import ALLOWED, MAX_VALUE_CHARACTERS, observe_variables


def test_only_those_of_the_list_are_recorded_and_without_folders():
    environ = {
        "CUDA_VISIBLE_DEVICES": "0,1",
        "TF_XLA_FLAGS": "--tf_xla_dump=/home/person/x",
        "AWS_SECRET_ACCESS_KEY": "hunter2",
        "HOME": "/home/person",
    }
    assert observe_variables(environ) == {"CUDA_VISIBLE_DEVICES": "0,1", "TF_XLA_FLAGS": "--tf_xla_dump=…/x"}


def test_a_long_value_is_cut():
    assert len(observe_variables({"OMP_PLACES": "0," * 5000})["OMP_PLACES"]) == MAX_VALUE_CHARACTERS


def test_no_variable_of_the_list_is_named_like_a_secret():
    assert [each for each in ALLOWED if re.search("TOKEN(?!IZERS)|KEY|SECRET|PASS|USER|HOME|ADDR|HOST", each)] == []
    assert list(ALLOWED) == sorted(ALLOWED)
