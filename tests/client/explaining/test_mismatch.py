"""Why a file is not what was anchored: the cause that was made here is the cause that is named."""

import gzip
import json
import pickle
import shutil
import subprocess
import unicodedata
import zipfile

import pytest

from notarium.anchoring.anchor import anchor
from notarium.anchoring.track import track

TEXT = "a,1\nb,2\ngrün,3\n"


@pytest.fixture
def anchored(project, cli):
    """Anchor a file with this content, change it, and say why it is a mismatch."""

    def why(before, now, name="data.csv", **recorded):
        place = project.root / name
        place.write_bytes(before)
        anchor(place, project=project, strict=True, **recorded)
        place.write_bytes(now)
        code, out, _ = cli("verify", name, "--offline", "--json")
        assert code == 1
        [row] = json.loads(out)["results"]
        [found] = row["why"]
        assert found["path"] == name
        return found

    return why


def causes(found):
    return [(each["what"], each["certainty"]) for each in found["causes"]]


@pytest.mark.parametrize(
    ("what", "before", "now"),
    [
        ("line ends", TEXT, TEXT.replace("\n", "\r\n")),
        ("line ends", TEXT.replace("\n", "\r\n"), TEXT),
        ("final newline", TEXT.rstrip(), TEXT),
        ("final newline", TEXT, TEXT.rstrip()),
        ("line ends and final newline", TEXT.rstrip(), TEXT.replace("\n", "\r\n")),
        ("normal form", unicodedata.normalize("NFD", TEXT), unicodedata.normalize("NFC", TEXT)),
        ("normal form", unicodedata.normalize("NFC", TEXT), unicodedata.normalize("NFD", TEXT)),
        ("byte order mark", TEXT, f"\ufeff{TEXT}"),
        ("byte order mark", f"\ufeff{TEXT}", TEXT),
        ("trailing blanks", TEXT, TEXT.replace("\n", "  \n")),
        ("appended", TEXT, TEXT + "c,4\n"),
        ("JSON layout", '{"b": 1, "a": [1, 2]}\n', '{\n "b": 1,\n "a": [\n  1,\n  2\n ]\n}\n'),
    ],
)
def test_what_a_tool_did_is_proven_by_undoing_it(anchored, what, before, now):
    assert causes(anchored(before.encode(), now.encode())) == [(what, "proven")]


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
def test_so_is_another_encoding(anchored, encoding):
    assert causes(anchored(TEXT.encode(encoding), TEXT.encode())) == [("encoding", "proven")]


def test_so_is_compression(anchored):
    content = TEXT.encode() * 100
    assert causes(anchored(content, gzip.compress(content), "a")) == [("compression", "proven")]
    one, other = gzip.compress(content, 1, mtime=0), gzip.compress(content, 9, mtime=1_700_000_000)
    assert causes(anchored(one, other, "b.gz")) == [("re-compression", "proven")]


def test_without_the_original_a_pickle_or_an_archive_is_a_possible_cause(anchored):
    """A pickle is never loaded: this one would end the process."""
    before = pickle.dumps({"weights": [1.0, 2.0]}, 4)
    hostile = b"\x80\x04cos\n_exit\n(K\x07tR."
    assert causes(anchored(before, hostile, "m.pkl")) == [("re-saved pickle", "possible")]
    one, other = gzip.compress(b"x" * 100, mtime=1), gzip.compress(b"y" * 100, mtime=2)
    assert causes(anchored(one, other, "b.gz")) == [("re-compression", "possible")]


def test_other_content_is_not_explained_away(anchored):
    assert causes(anchored(b"a,1\n", b"a,2\n")) == []


def git(folder, *arguments):
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(project):
    git(project.root, "init", "-q")
    git(project.root, "commit", "-q", "--allow-empty", "-m", "begin")
    return project.root


def committed(root, name, content):
    (root / name).write_bytes(content)
    git(root, "add", name)
    git(root, "commit", "-q", "-m", name)


def repacked(members, level):
    def write(place):
        with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as made:
            for name, content in members.items():
                made.writestr(name, content)

    return write


def test_with_the_original_in_git_lines_are_compared(repository, anchored):
    before = b"lr: 0.1\nepochs: 3\nseed: 7\n"
    committed(repository, "train.yaml", before)
    found = anchored(before, b"lr: 0.01\nepochs: 3\nseed: 7\nwarmup: 1\n", "train.yaml")
    assert [(each["name"], each["before"], each["after"]) for each in found["differences"]] == [
        ("train.yaml line 1", "lr: 0.1", "lr: 0.01"),
        ("train.yaml line 4", None, "warmup: 1"),
    ]


def test_and_so_are_archives_and_pickles(repository, anchored, tmp_path):
    members = {"w/data": b"x" * 1000, "w/version": b"3"}
    places = [tmp_path / f"{level}.zip" for level in (1, 9)]
    for place, level in zip(places, (1, 9), strict=True):
        repacked(members, level)(place)
    one, other = (place.read_bytes() for place in places)
    committed(repository, "m.pt", one)
    # A zip holds the time of each member.
    assert causes(anchored(one, other + b"", "m.pt")) == [("re-compression", "proven")] or one == other
    value = {"a": [1, 2, 3], "b": "text", "c": 1.5}
    committed(repository, "m.pkl", pickle.dumps(value, 2))
    assert causes(anchored(pickle.dumps(value, 2), pickle.dumps(value, 4), "m.pkl")) == [("re-saved pickle", "proven")]


def test_a_submission_does_not_choose_the_repository(repository, anchored, cli, project, monkeypatch):
    """A repository's settings choose programs to run."""
    marker = project.root.parent / "ran"
    hostile = project.root.parent / "their"
    hostile.mkdir()
    committed(repository, "x.yaml", b"a: 1\n")
    (project.root / "x.yaml").write_bytes(b"a: 1\n")
    anchor(project.root / "x.yaml", project=project, strict=True)
    for name in ("x.yaml", "x.yaml.receipt.json", "x.yaml.record.json"):
        shutil.copy(project.root / name, hostile / name)
    shutil.copytree(project.root / ".git", hostile / ".git")
    git(hostile, "config", "core.fsmonitor", f"touch {marker}")
    git(hostile, "config", "alias.cat-file", f"!touch {marker}")
    (hostile / "x.yaml").write_bytes(b"a: 2\n")
    code, out, _ = cli("verify", hostile / "x.yaml", "--offline", "--json")
    assert (code, json.loads(out)["results"][0]["why"][0]["differences"]) == (1, [])
    assert not marker.exists()


def test_a_look_alike_name_is_the_same_file_under_another_form(project, cli):
    folder = project.root / "data"
    folder.mkdir()
    (folder / unicodedata.normalize("NFC", "grün.csv")).write_text("x")
    (folder / "Upper.csv").write_text("y")
    (folder / "old.csv").write_text("z")
    anchor(folder, project=project, strict=True)
    (folder / unicodedata.normalize("NFC", "grün.csv")).rename(folder / unicodedata.normalize("NFD", "grün.csv"))
    (folder / "Upper.csv").rename(folder / "upper.csv")
    (folder / "old.csv").rename(folder / "new.csv")
    [row] = json.loads(cli("verify", "data", "--offline", "--json")[1])["results"]
    found = {cause["what"]: cause["certainty"] for each in row["why"] for cause in each["causes"]}
    assert found == {"normal form of the name": "proven", "case of the name": "proven", "renamed": "proven"}


def test_since_which_anchor_a_file_is_another(project, cli):
    (project.root / "data.csv").write_text("first")
    anchor("data.csv", project=project, strict=True)
    for name, content in (("before", "first"), ("after", "other!")):
        (project.root / "data.csv").write_text(content)
        with track(name, strict=True) as run:
            run.input("data.csv")
    code, out, _ = cli("verify", "data.csv", "--offline")
    assert code == 1
    assert "unchanged until before.run (#2, " in out
    assert "; after.run (#4, " in out
    assert "recorded other content" in out
    assert "another anchor's content (proven): it is what after.run (#4" in out


def test_a_superseded_anchor_is_seen_too(project, cli):
    """The older receipt lies in .notarium/superseded."""
    for content in ("first", "again"):
        (project.root / "data.csv").write_text(content)
        anchor("data.csv", project=project, strict=True)
    (project.root / "data.csv").write_text("first")
    [row] = json.loads(cli("verify", "data.csv", "--offline", "--json")[1])["results"]
    [why] = row["why"]
    assert causes(why) == [("another anchor's content", "proven")]
    assert why["causes"][0]["text"].startswith("it is what data.csv (#0, ")


def test_anchors_of_a_submission_are_looked_for_in_there(project, cli, tmp_path, monkeypatch):
    sent = project.root / "sent"
    (sent / "runs").mkdir(parents=True)
    (sent / "data.csv").write_text("first")
    anchor(sent / "data.csv", project=project, strict=True)
    (sent / "data.csv").write_text("other")
    with track("fit", directory=sent, strict=True) as run:
        run.input(sent / "data.csv")
    elsewhere = tmp_path / "reviewer"
    shutil.copytree(sent, elsewhere / "sent")
    monkeypatch.chdir(elsewhere)
    genesis = project.root / ".notarium" / "genesis.json"
    document = json.loads(cli("verify", "sent", "--offline", "--genesis", genesis, "--json")[1])
    [why] = [each for row in document["results"] for each in row["why"]]
    assert "; fit.run (#2, " in why["since"]


def test_an_output_that_another_run_wrote_is_explained_by_what_that_run_was_given(project, cli):
    for seed in (1, 2):
        with track("fit", strict=True) as run:
            run.param("lr", 0.1)
            run.seed(seed)
            (project.root / "model.bin").write_bytes(f"weights of seed {seed}".encode())
            run.output("model.bin")
    [row] = json.loads(cli("verify", "fit.run.receipt.json", "--offline", "--json")[1])["results"]
    [why] = row["why"]
    assert causes(why)[0] == ("another anchor's content", "proven")
    [given] = [each for each in why["causes"] if each["what"] == "what the run was given"]
    assert "seed seed (1 → 2)" in given["text"]


def test_a_verdict_without_a_mismatch_is_not_explained(study, cli):
    assert json.loads(cli("verify", "data", "--offline", "--json")[1])["results"][0]["why"] == []
    (study / "data.record.json").unlink()
    (study / "data" / "part-1.csv").write_text("changed")
    assert json.loads(cli("verify", "data", "--offline", "--json")[1])["results"][0]["why"] == []


def test_a_zip_is_explained_by_its_own_names(project, cli, tmp_path):
    (project.root / "sent").mkdir()
    (project.root / "sent" / "data.csv").write_bytes(b"a\n")
    anchor("sent/data.csv", project=project, strict=True)
    (project.root / "sent" / "data.csv").write_bytes(b"a\r\n")
    archive = shutil.make_archive(str(tmp_path / "x"), "zip", "sent")
    [row, *_] = json.loads(cli("verify", archive, "--offline", "--json")[1])["results"]
    assert [each["path"] for each in row["why"]] == [f"{archive}/data.csv"]
