"""`notarium complete`: a draft becomes an anchored run, by the command that was printed."""

import json
import shlex
from pathlib import Path

import pytest
from tests.client.helpers import notarium
from tests.support.records import recorded


@pytest.fixture
def draft(project, home):
    """A run for which there was no issuer: the command and its draft."""
    config = project.folder / "config.toml"
    whole = config.read_text()
    config.write_text(whole.replace('issuer = "m0"\n', ""))
    done = notarium("run", "--name", "fit one", "--json", "--", "sh", "-c", "exit 3")
    config.write_text(whole)
    assert done.returncode == 3
    return done, Path("fit one.run.draft.json")


def test_the_command_that_is_printed_completes_the_run(draft, cli, ledger):
    done, place = draft
    *_, kept, last = done.stderr.splitlines()
    assert json.loads(last)["draft"] == str(place)
    arguments = shlex.split(kept[kept.index("'notarium complete") + 1 : kept.rindex("' to sign")])
    code, out, err = cli(*arguments[1:])
    assert (code, err) == (0, "")
    assert out == "anchored fit one.run.draft.json  → fit one.run.receipt.json\n"
    assert not place.exists()
    assert ledger.entries[0].body["status"] == "failed"
    assert cli("verify", "fit one.run.receipt.json", "--offline")[0] == 0
    assert cli(*arguments[1:])[0] == 2, "there is no draft any more"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["anchor"], 2),
        (["prereg"], 2),
        (["find"], 2),
        (["show"], 2),
        (["verify"], 3),
        (["verify", "--offline"], 3),
        (["anchor", "data", "--ref", "derivedFrom=fit one.run.draft.json"], 2),
    ],
    ids=["anchor", "prereg", "find", "show", "verify", "offline", "ref"],
)
def test_whoever_takes_a_draft_for_a_file_reads_how_to_complete_it(draft, ledger, cli, arguments, code):
    """As a file, it would be anchored without a word of the run, and would look as if the run were."""
    Path("data").write_text("1")
    found, out, err = cli(*arguments, *([] if "--ref" in arguments else [draft[1]]))
    assert found == code
    assert "nobody has signed: run 'notarium complete 'fit one.run.draft.json'' to sign and anchor it" in out + err
    assert ledger.entries == []
    assert draft[1].exists()


def test_a_draft_is_no_part_of_the_folder_in_which_it_lies(draft, project, cli):
    (project.root / "data").mkdir()
    (project.root / "data" / "a.csv").write_text("a")
    place = draft[1].rename("data/fit.run.draft.json")
    assert cli("anchor", "data")[0] == 0
    assert recorded("data.record.json")["artifacts"][0]["ignored"]["first"] == ["fit.run.draft.json"]
    code, out, _ = cli("verify", place, "--offline")
    assert (code, "which nobody has signed" in out) == (3, True)
    assert cli("complete", place)[0] == 0
    assert cli("verify", "data", "--offline")[0] == 0, (
        "it became a record and a receipt, which are no part of it either"
    )


def test_a_name_can_be_put_right(project, cli):
    assert notarium("run", "--name", "a/b", "--", "true").returncode == 0
    [place] = project.root.glob("*.draft.json")
    assert cli("complete", place)[0] == 2
    assert cli("complete", place, "--name", "ab", "--disclosure", "sealed")[0] == 0
    assert recorded("ab.run.record.json")["name"] == "ab"


def test_what_cannot_be_sent_waits(draft, nodes, cli):
    nodes[0].stop()
    code, out, _ = cli("complete", draft[1], "--timeout", "0.3", "--json")
    assert code == 5
    assert json.loads(out)["status"] == "pending"
    nodes[0].start_again()
    assert cli("status", "--flush")[0] == 0
    assert Path("fit one.run.receipt.json").exists()
