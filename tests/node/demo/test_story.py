"""What the demo prints: whole lines, aligned, and nothing that is read as markup."""

from pathlib import Path

from notarium_node.demo.story import Story, shown


def test_a_thing_done_is_one_line_and_its_details_below(capsys):
    story = Story()
    with story.doing("made") as details:
        details.append("two keys")
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("  ✓ made")
    assert second.strip() == "two keys"


def test_columns_are_aligned_and_steps_numbered(capsys):
    story = Story()
    story.columns(("a", "http://a"), ("longer", "[b]"))
    story.steps(("look", "curl x"), ("leave", "exit"))
    assert capsys.readouterr().out.splitlines() == [
        "  a       http://a",
        "  longer  [b]",
        "",
        "  1. look:",
        "     curl x",
        "  2. leave:",
        "     exit",
    ]


def test_a_command_is_shown_with_its_output_and_exit_code(capsys):
    Story().command(["ls", "[x]"], "[red]one\ntwo", 3)
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == [
        "$ ls [x]", "[red]one", "two", "exit code 3",
    ]  # fmt: skip


def test_paths_are_shown_as_typed_from_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "a" / "b") == "a/b"
    assert shown(Path("/etc/hosts")) == "/etc/hosts"
