"""How commands print and fail."""

import json

import pytest

from notarium_node.operator.cli.output import NodeExitCode, end_with_error, print_json


def test_an_error_goes_to_stderr_each_line_marked(capsys):
    with pytest.raises(SystemExit) as caught:
        end_with_error("one [wrong]\ntwo", NodeExitCode.USAGE, as_json=False)
    captured = capsys.readouterr()
    assert (caught.value.code, captured.out) == (2, "")
    assert captured.err == "error: one [wrong]\nerror: two\n"


def test_programs_get_the_error_as_one_object_on_stdout(capsys):
    with pytest.raises(SystemExit):
        end_with_error("no route", NodeExitCode.UNREACHABLE, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"error": "no route", "exit_code": 5}


def test_names_are_printed_as_they_are_written(capsys):
    print_json({"name": "Västerhav"})
    assert capsys.readouterr().out == '{"name": "Västerhav"}\n'
