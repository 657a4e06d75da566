"""One place of output: data on stdout, the rest on stderr, and no name plays with the terminal."""

import json

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
    assert out == "[red]x\N{REPLACEMENT CHARACTER}[2J\n"


def test_long_lists_of_findings_are_cut(capsys):
    findings = tuple(Finding(FindingKind.CHANGED, f"f{number}", "other") for number in range(25))
    Printer().verification(Verification("x", VerificationStatus.MISMATCH, findings=findings))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "mismatch x"
    assert lines[1] == "  changed f0 (other)"
    assert len(lines) == 22
    assert "5 more (--json lists all)" in lines[-1]
