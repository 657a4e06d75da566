"""One place of output: data on stdout, the rest on stderr, and no name plays with the terminal."""

import json

import pytest

from notarium.cli.output import Printer, shown
from notarium.verifying.result import Finding, FindingKind, Verification, VerificationStatus


def test_with_json_stdout_is_one_document_and_nothing_else(capsys):
    printer = Printer(as_json=True)
    printer.line("for people")
    printer.data({"a": "é"})
    printer.note("noted")
    out, err = capsys.readouterr()
    assert json.loads(out) == {"a": "é"}
    assert err == "noted\n"


def test_without_json_no_document_is_printed(capsys):
    printer = Printer()
    printer.data({"a": 1})
    printer.data_on_stderr({"a": 1})
    printer.line("for people")
    assert capsys.readouterr() == ("for people\n", "")


def test_help_keeps_its_lines(capsys):
    Printer().text("one\n\n  two\n", is_error=True)
    assert capsys.readouterr() == ("", "one\n\n  two\n")


def test_names_are_neither_markup_nor_control(capsys):
    Printer().line(shown("[red]x\x1b[2J"))
    out = capsys.readouterr().out
    assert out == "[red]x\\x1b[2J\n"


def test_long_lists_of_findings_are_cut(capsys):
    findings = tuple(Finding(FindingKind.CHANGED, f"f{number}", "other") for number in range(25))
    Printer().verification(Verification("x", VerificationStatus.MISMATCH, findings=findings))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "mismatch x"
    assert lines[1] == "  changed f0 (other)"
    assert "5 more (--json lists all)" in lines[21]
    assert lines[22] == "  proven here"


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "data"],
        ["show", "ab" * 32],
        ["find", "open.csv"],
        ["find", "00" * 32],
        ["log"],
        ["verify", "data", "changed.csv"],
        ["status"],
        ["status", "--drop", "cd" * 32],
        ["status", "cd" * 32],
        ["init", "--genesis", ".notarium/genesis.json", "--issuer", "m0", "--force"],
        ["init", "--genesis", ".notarium/genesis.json", "--issuer", "m0", "--genesis-hash", "ab" * 32],
        ["equivocation", "open.csv"],
        ["anchor", "late.csv", "--timeout", "0.3"],
    ],
)
def test_no_line_is_broken_where_the_terminal_is_narrow(study, nodes, cli, monkeypatch, arguments):
    """So no hash, key, path or command is."""
    for name in ("open.csv", "changed.csv", "late.csv"):
        (study / name).write_text("x")
    cli("anchor", "open.csv", "changed.csv", "--disclosure", "public")
    (study / "changed.csv").write_text("y")
    if arguments[0] == "anchor":
        nodes[0].stop()
        cli(*arguments)
    said = []
    for columns in ("20", "1000"):
        monkeypatch.setenv("COLUMNS", columns)
        said.append(cli(*arguments))
    assert said[0] == said[1]
    assert any(len(line) > 60 for line in (said[0][1] + said[0][2]).splitlines())
