"""What a terminal gets: characters that are seen as what they are, and that its encoding has."""

import io
import json
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.table import Table

from notarium import terminal
from notarium.cli.output import Printer, shown
from notarium_node.operator.cli import output as of_the_node

STEERING = "\x1b[2J\x9b31m\x7f\u202ereversed\u2066\u200b\u2028\ufeff\ud800\u061c\U000e0041\u034f\u3164\r\n\tend"
ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=40)
ENCODINGS = st.sampled_from(["utf-8", "ascii", "latin-1", "cp1252", "koi8-r"])


class Screen(io.TextIOWrapper):
    """A stream as strict as a terminal: what its encoding lacks is an error."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, errors="strict", newline="")

    @property
    def said(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)  # type: ignore[attr-defined]


def on_screen(encoding, work, monkeypatch):
    screens = Screen(encoding), Screen(encoding)
    with monkeypatch.context() as patched:
        patched.setattr("sys.stdout", screens[0])
        patched.setattr("sys.stderr", screens[1])
        work()
        return "".join(screen.said for screen in screens)


def check_is_harmless(said, encoding):
    for character in said.replace("\n", ""):
        assert character.isprintable(), f"U+{ord(character):04X}"
        assert unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
        assert character not in "\u034f\u115f\u1160\u17b4\u180b\u3164\ufe0f\uffa0\U000e0100", "shows nothing"
        character.encode(encoding)


@given(ANY_TEXT, ENCODINGS)
@example(STEERING, "utf-8")
@example(STEERING, "ascii")
@example("[red]\\", "utf-8")
def test_whatever_a_name_is_each_line_of_the_client_is_one_harmless_line(text, encoding):
    ways = {
        "a line": lambda printer: printer.line(f"[green]verified[/] {shown(text)}"),
        "a note": lambda printer: printer.note(f"[yellow]note:[/] {shown(text)}"),
        "an error": lambda printer: printer.error(text),
        "a line that forgot to escape": lambda printer: printer.line(shown("x") + text.replace("[", "")),
    }
    for way in ways.values():
        said = on_screen(encoding, lambda way=way: way(Printer()), pytest.MonkeyPatch())
        assert said.endswith("\n")
        assert said.count("\n") == 1
        check_is_harmless(said, encoding)


@given(ANY_TEXT, ENCODINGS)
@example(STEERING, "ascii")
def test_whatever_a_node_says_the_operators_program_prints_it_harmlessly(text, encoding):
    table = Table("one", title=text.replace("[", ""))
    table.add_row(text.replace("[", ""))
    of_the_operator = (
        lambda: of_the_node.out.print(text, markup=False),
        lambda: of_the_node.err.print(text, markup=False),
        lambda: of_the_node.out.print(table),
        lambda: of_the_node.print_error(text, 2, as_json=False),
    )
    for way in of_the_operator:
        check_is_harmless(on_screen(encoding, way, pytest.MonkeyPatch()), encoding)


@given(ANY_TEXT)
@example(STEERING)
def test_json_is_ascii_and_a_program_reads_back_what_it_was(text):
    for indent in (None, 1):
        said = terminal.json_text({text: [text]}, indent)
        assert json.loads(said) == {text: [text]}
        assert said.isascii()
        check_is_harmless(said, "ascii")
    for print_it in (Printer(as_json=True).data, Printer(as_json=True).data_on_stderr, of_the_node.print_json):
        said = on_screen("ascii", lambda way=print_it: way({"name": text}), pytest.MonkeyPatch())
        assert json.loads(said) == {"name": text}


def test_what_can_be_seen_stays_as_it_is():
    for text in ("plain", "Västerhav · 東京 · Ελλάδα", "emoji 🧪", "a\\x9b b"):
        assert terminal.printable(text) == text


def test_an_escape_names_the_character():
    assert terminal.printable("a\x9bb\u202ec\n\ud800") == r"a\x9bb\u202ec\x0a\ud800"
    assert terminal.printable("\U000e0041") == r"\U000e0041"
    assert terminal.printable("é → 1…", "ascii") == r"\xe9 -> 1..."


def test_colours_are_those_of_the_program_and_none_comes_from_a_name(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    name = shown("\x1b[31mred :bomb:")
    said = on_screen("utf-8", lambda: Printer().line(f"[green]ok[/] {name}"), monkeypatch)
    assert said == "\x1b[32mok\x1b[0m \\x1b[31mred :bomb:\n"


def test_help_keeps_its_lines_and_loses_what_steers():
    screen = Screen("ascii")
    terminal.write("one\n\n  two…\x9b\n", screen)
    assert screen.said == "one\n\n  two...\\x9b\n"


def test_what_prints_on_its_own_cannot_fail_on_the_encoding(monkeypatch):
    def work():
        terminal.prepare()
        print("Västerhav →")

    assert on_screen("ascii", work, monkeypatch) == "V\\xe4sterhav \\u2192\n"


def test_a_stream_that_was_closed_is_no_error(monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    terminal.prepare()
    Printer().line("lost")
