"""track(strict=True) raises what otherwise is a warning; what the end of a run needs is missed at its beginning."""

import pytest
from tests.client.helpers import facts_of, warnings_of

import notarium
from notarium.anchoring.outbox import outbox_of
from notarium.errors import InvalidMetric, NotariumError, ProjectError, Unreachable, UnreadableArtifact


def test_strict_raises_what_otherwise_is_a_warning(project, nodes):
    with pytest.raises(InvalidMetric, match=r"metric 'x': .*high") as caught, notarium.track("a", strict=True) as run:
        run.metric("x", "high")
    assert isinstance(caught.value, NotariumError)
    assert isinstance(caught.value, ValueError), "as Python calls such a value"
    with pytest.raises(UnreadableArtifact), notarium.track("b", strict=True) as run:
        run.output("nothing")
    with pytest.raises(ProjectError), notarium.track("c", strict=True) as run:
        run.refs("derivedFrom", "nothing")
    nodes[0].stop()
    with pytest.raises(Unreachable), notarium.track("d", strict=True, wait=0.3):
        pass
    assert len(outbox_of(project).list()) >= 1


def test_strict_does_not_hide_the_exception_of_the_training(project, nodes):
    nodes[0].stop()
    with pytest.raises(ZeroDivisionError), notarium.track("fit", strict=True, wait=0.3):
        _ = 1 / 0


def test_strict_keeps_the_record_before_it_raises(project, ledger):
    """An hour of training is worth more than the name of a file that it did not write."""
    (project.root / "data.csv").write_text("1")
    run = notarium.track("fit", strict=True)

    def train():
        with run:
            run.input("data.csv")
            run.metric("auc", 0.9)
            run.refs("derivedFrom", "data.csv")
            run.output("model.bin")

    with pytest.raises(UnreadableArtifact, match="model"):
        train()
    assert run.receipt is not None
    said = facts_of(run)
    assert said["metrics"][0]["value"] == "0.9"
    assert [each["name"] for each in said["artifacts"]] == ["data.csv"]
    assert any("model.bin is not recorded" in each for each in said["gaps"])
    assert any("reference derivedFrom is not recorded" in each for each in said["gaps"])


def _without_key(project, home):
    (home / "keys" / "test.key").unlink()


def _without_issuer(project, home):
    config = project.folder / "config.toml"
    config.write_text(config.read_text().replace('issuer = "m0"\n', ""))


def _file_in_place_of_the_folder(project, home):
    (project.root / "out").write_text("")


PREVENTED = pytest.mark.parametrize(
    ("prepare", "options", "said"),
    [
        (_without_key, {}, "researcher key"),
        (_without_issuer, {}, "no issuer is configured"),
        (_file_in_place_of_the_folder, {"directory": "out"}, "out"),
        (lambda project, home: None, {"disclosure": "secret"}, "disclosure 'secret' is not one of"),
        (lambda project, home: None, {"name": "a/b"}, "a/b"),
    ],
    ids=["key", "issuer", "folder", "disclosure", "name"],
)


@PREVENTED
def test_what_the_end_needs_is_missed_before_the_training(project, home, caplog, prepare, options, said):
    prepare(project, home)
    options = {"name": "fit", **options}
    ran = []
    with pytest.raises(NotariumError, match=said), notarium.track(**options, strict=True):
        ran.append("strict")
    with notarium.track(**options):
        assert any(said in each for each in warnings_of(caplog)), "while there is time to put it right"
        ran.append("not strict")
    assert ran == ["not strict"]


def test_an_input_that_is_not_there_is_missed_before_the_training(project, caplog):
    ran = []

    def train():
        with notarium.track("fit", strict=True) as run:
            run.input("data.csv")
            ran.append("strict")

    with pytest.raises(UnreadableArtifact, match=r"data\.csv"):
        train()
    assert ran == []
    with notarium.track("fit") as run:
        run.input("data.csv")
        assert "does not exist" in warnings_of(caplog)[-1]
    assert run.receipt is not None


def test_what_is_put_right_during_the_training_is_no_obstacle(project, home):
    key = home / "keys" / "test.key"
    key.rename(home / "key")
    with notarium.track("fit") as run:
        (home / "key").rename(key)
    assert run.receipt is not None
    assert facts_of(run)["command"]


def test_strict_without_a_project_fails_before_the_training(tmp_path, home, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = []
    with pytest.raises(NotariumError), notarium.track("fit", strict=True):
        ran.append(1)
    assert ran == []
