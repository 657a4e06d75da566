"""docs/schemas/record.schema.json: all records are as it says, and what no reader takes is not."""

import copy
import dataclasses
import enum
import json
import os
import random
import sys
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from tests.client.evidence.test_models import write_weights
from tests.client.helpers import notarium, present
from tests.client.observing.gpu_machine import Libraries, cuda, number, nvml
from tests.client.observing.repositories import git, repository
from tests.support.records import SCHEMA, violations, violations_of_all

import notarium as library
from notarium.anchoring.closing import close
from notarium.anchoring.open_runs import open_runs
from notarium.anchoring.start import begin
from notarium.errors import InvalidRecordFile
from notarium.evidence.predicate import predicate_type
from notarium.evidence.record import Record
from notarium.observing.accelerators import observe_accelerators
from notarium.observing.machine import THREAD_VARIABLES
from notarium.observing.scheduler import observe_scheduler
from notarium.values.series import SHORT
from notarium_ledger.entries.commitment import RESEARCH_KINDS

SECRET = "ghp_" + "A1b2C3d4E5" * 3 + "abcdef"

OPEN = {"params", "param_types", "seeds", "variables", "flags", "digests", "terms", "parameters", "hashes", "columns"}
"""Objects whose names are the researcher's, or those of a library."""
REPEATED = {"subject", "resolvedDependencies", "byproducts"}
"""That they repeat the artifacts is the reader's to check."""


class Loss(enum.Enum):
    CROSS_ENTROPY = "ce"


@dataclasses.dataclass
class Config:
    width: int
    loss: Loss
    password: str


def objects(schema, name="file"):
    """Every object of the schema with properties, by a name."""
    if isinstance(schema, dict):
        if "properties" in schema and "description" in schema:
            yield name, schema
        for key, inside in schema.items():
            yield from objects(inside, f"{name}.{key}")
    elif isinstance(schema, list):
        for inside in schema:
            yield from objects(inside, name)


def values(value, path=()):
    """Every value inside of a JSON value, by its path."""
    yield path, value
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield from values(each, (*path, key))


def at(value, path):
    for key in path:
        value = value[key]
    return value


@pytest.fixture
def work(project):
    """The project as a repository with changes, folders of every kind of item, and a submodule."""
    root = project.root
    repository(root.parent / "other", lib__py="x = 1\n")
    repository(root, train__py="first\n")
    git(root, "remote", "add", "origin", "https://user:word@git.example.org/lab/study.git")
    git(root, "submodule", "add", str(root.parent / "other"), "other")
    git(root, "commit", "-m", "submodule")
    (root / "train.py").write_text("second\n")
    (root / "new.py").write_text("untracked\n")
    (root / "notes.odt").write_text("no source\n")
    outside = root.parent / "elsewhere"
    outside.mkdir()
    (outside / "far.csv").write_text("far\n")
    data = root / "data"
    (data / "sub").mkdir(parents=True)
    (data / "nothing").mkdir()
    (data / "__pycache__").mkdir()
    for name in ("a.csv", "b.csv", "sub/c.csv"):
        (data / name).write_text(f"content of {name}\n")
    (root / "scans").mkdir()
    (root / "scans" / "1.bin").write_text("scan")
    for name, target in {
        "near": "a.csv",
        "code": "../train.py",
        "folder": "sub",
        "scans": "../scans",
        "far": "../../elsewhere/far.csv",
        "absolute": str(outside / "far.csv"),
        "nowhere": "gone",
    }.items():
        (data / name).symlink_to(target)
    croissant = {"conformsTo": "http://mlcommons.org/croissant/1.1", "name": "scans", "license": ["CC0"]}
    (data / "croissant.json").write_text(json.dumps({**croissant, "url": {"@id": "x"}}))
    write_weights(root / "model" / "w.safetensors", head=("F32", [2, 3]))
    return root


def everything(run):
    """All that a run can say."""
    os.mkfifo("data/pipe")
    os.mkfifo("queue")
    Path("data/queue").symlink_to("../queue")
    run.input("data", exclude=["*.tmp"])
    run.input("scans", role="scans", follow=True)
    run.config("train.py")
    run.params({"lr": 1e-3, "big": 2**70, "nan": float("nan"), "empty": {}, "none": None, "api_key": SECRET})
    run.param("config", Config(3, Loss.CROSS_ENTROPY, "hunter2hunter2"))
    run.param("mixed", [1, "a", [2.5, (1, 2.0)], {"k e y": {1: b"x"}}])
    run.param("bytes", [b"short", b"long" * 40])
    run.param("long", list(range(5000)))
    run.param("array", np.arange(6.0).reshape(2, 3))
    run.param("masked", np.ma.masked_array([1, 2], mask=[False, True]))
    run.param("fields", np.zeros(2, dtype=[("x", "f4"), ("y", "i8")]))
    run.param("objects", np.array([{"a": 1}, None], dtype=object))
    run.param("scalar", np.float32(0.5))
    run.params({"function": len, "class": dict, "unknown": object(), "token": SECRET})
    run.seed(42)
    run.seed(np.random.default_rng(7), "numpy")
    run.seed(np.random.SeedSequence(7).spawn(2)[1], "child")
    run.seed(np.random.RandomState(3), "legacy")
    run.seed(random.Random(1), "python")
    run.seed_from_ledger()
    run.seed_from_ledger("further")
    for step in range(SHORT + 1):
        run.metric("loss", 1 / (step + 1), step=step if step % 2 else None)
    run.metrics({"auc": 0.93, "nan": float("nan"), "small": np.float32(1e-12), "inf": -np.inf})
    run.external("doi:10.1234/ABC", copy="data/a.csv")
    run.external("ipfs://bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy", role="weights")
    run.external(
        "s3://bucket/key", s3={"VersionId": "v1", "ContentLength": 3, "ETag": '"0123-2"', "ChecksumSHA256": "QUJD-2"}
    )
    run.external("https://user:word@example.org/data?signature=abc", version="2", sha256="ab" * 32)
    Path("run.log").write_text("began\n")
    run.log("run.log")
    Path("roc.png").write_bytes(b"png")
    run.figure("roc.png")
    run.output("model")
    run.output("never-written")
    run.gap("labels were not checked")
    Path("data/sub/c.csv").write_text("changed\n")
    Path("data/a.csv").unlink()
    Path("data/new.csv").write_text("new\n")
    Path("train.py").write_text("third\n")


@pytest.fixture
def whole(work):
    """The file of a record with everything in it."""
    with library.track("fit", keep_diff=True) as run:
        everything(run)
    assert run.receipt is not None
    return json.loads(present(run.record_path).read_bytes())


def test_every_field_has_a_sentence_and_no_other_fields_pass_unsaid():
    Draft202012Validator.check_schema(SCHEMA)
    for name, schema in objects(SCHEMA):
        is_open = name.endswith("other_kind")
        assert "additionalProperties" in schema or is_open, name
        for field, said in schema["properties"].items():
            sentence = said.get("description", "")
            assert sentence[:1].isupper() or sentence[:1].isdigit(), f"{name}: {field}"
            assert sentence.endswith("."), f"{name}: {field}"
            assert sentence.count(". ") == 0, f"{name}: {field}"


def test_the_kinds_and_variables_are_those_of_the_code():
    types = SCHEMA["$defs"]["statement"]["properties"]["predicateType"]["enum"]
    assert sorted(types) == sorted(predicate_type(each) for each in RESEARCH_KINDS)
    [pattern] = SCHEMA["$defs"]["threads"]["patternProperties"]
    assert all(violations({"libraries": [], each: "1"}, "threads") == [] for each in THREAD_VARIABLES), pattern


def test_a_run_with_everything_is_as_the_schema_says(whole):
    assert violations(whole) == []
    predicate = whole["statement"]["predicate"]
    said = json.dumps(whole)
    assert SECRET not in said
    assert "hunter2" not in said
    record, definition = predicate["notarium_record"], predicate["buildDefinition"]
    # Otherwise the test shows less than it says.
    for field in SCHEMA["$defs"]["notarium_record"]["properties"].keys() - {"exit_code", "signals", "closed"}:
        assert field in record, field
    assert set(record["code"]) >= {"tree", "branch", "remote", "submodules", "diff", "untracked"}
    [data] = [each for each in record["artifacts"] if each["name"] == "data"]
    forms = {tuple(sorted(each)) for each in data["files"]}
    assert len(forms) == len(SCHEMA["$defs"]["item"]["oneOf"]), forms
    assert set(data) == {"name", "role", "type", "size", "sha256", "files", "ignored", "after"}
    assert {*data["after"]} == {"size", "sha256", "changed", "gone"}
    assert {each["name"] for each in record["metrics"] if "count" in each} == {"loss"}
    assert "secret" in definition["externalParameters"]["param_types"].values()
    assert violations_of_all(Path()) == {}


def test_records_of_all_kinds_are_as_the_schema_says(work, cli):
    assert cli("prereg", "notes.odt", "--disclosure", "public")[0] == 0
    assert cli("anchor", "data", "--exclude", "*.tmp", "--fact", f"token={SECRET}", "--fact", "sites=[1]")[0] == 0
    assert cli("anchor", "model", "--kind", "model", "--follow", "--disclosure", "sealed")[0] == 0
    assert cli("anchor", "train.py", "--kind", "publication", "--set", "identifier=doi:10.1/x")[0] == 0
    assert cli("anchor", "new.py", "--kind", "review", "--set", "verdict=accept", "--ref", "reviews=data")[0] == 0
    library.anchor("scans", "federated-round", fields={"round": 1, "participants": 2}, facts={"deep": {"a": [1.5]}})
    assert len(violations_of_all(Path())) == 0
    assert len(list(Path().glob("*.record.json"))) == 6


def test_records_of_commands_that_fail_or_end_by_a_signal_are_as_the_schema_says(work, cli):
    failing = ("sh", "-c", "echo hello; exit 3", "--password", SECRET)
    options = ("--keep-stdout", "--keep-diff", "--input", "data", "--param", f"password={SECRET}")
    assert notarium("run", "--name", "failed", *options, "--", *failing).returncode == 3
    assert notarium("run", "--name", "ended", "--", "sh", "-c", "kill -TERM $$").returncode == 143
    assert notarium("run", "--name", "python", "--", sys.executable, "train.py").returncode != 0
    assert violations_of_all(Path()) == {}
    said = {name: json.loads(Path(f"{name}.run.record.json").read_bytes()) for name in ("failed", "ended", "python")}
    assert said["failed"]["statement"]["predicate"]["runDetails"]["byproducts"]
    assert said["ended"]["statement"]["predicate"]["notarium_record"]["status"] == "interrupted"
    assert said["python"]["statement"]["predicate"]["notarium_record"]["code"]["script"]["name"] == "train.py"


def test_records_of_runs_that_never_ended_or_were_drafts_are_as_the_schema_says(project, cli):
    said = {"name": "gone", "started": "2025-10-09T08:53:20.000Z", "command": ["a"], "gaps": []}
    code = {"commit": None, "dirty": None}
    start = begin(project, {**said, "code": code}, started_ms=1, directory=project.root, disclosure="consortium")
    start.wait(60)
    start._mark._release()
    [left] = open_runs(project)
    close(project, left, project.root)
    with library.track("a/b", directory=project.root / "out"):
        pass
    [draft] = project.root.glob("out/*.draft.json")
    assert cli("complete", draft, "--name", "fit")[0] == 0
    assert len(list(project.root.glob("**/*.run.record.json"))) == 2
    assert violations_of_all(project.root) == {}


def test_what_a_machine_with_gpus_and_a_scheduler_says_is_as_the_schema_says():
    loaded = Libraries(
        libcuda=cuda(devices=2),
        libnvidia_ml=nvml(devices=8),
        libcudart=number("cudaRuntimeGetVersion", 13000),
        libnccl=number("ncclGetVersion", 22809),
    )
    for libraries in (loaded, Libraries(libnvidia_ml=nvml(devices=2))):
        gpus = observe_accelerators(libraries, [])
        assert len(gpus) == 2
        assert [violations(each, "gpu") for each in gpus] == [[], []]
    slurm = {"SLURM_JOB_ID": "17", "SLURM_ARRAY_TASK_ID": "3", "SLURM_JOB_NODELIST": "n[1-2]", "SLURM_PROCID": "0"}
    assert violations(observe_scheduler(slurm), "scheduler") == []


@pytest.fixture
def statement(whole):
    """Its statement, with less of what there is much of."""
    statement = whole["statement"]
    environment = statement["predicate"]["buildDefinition"]["internalParameters"]["environment"]
    environment["packages"] = environment["packages"][:1]
    environment["python"] |= {"optimize": 0}
    ours = statement["predicate"]["notarium_record"]
    ours["metrics"] = ours["metrics"][:2]
    # The salt of the record has changed nothing else.
    assert violations(statement, "statement") == []
    Record.from_statement(statement)
    return statement


def is_refused_by_the_reader(statement):
    try:
        Record.from_statement(statement)
    except InvalidRecordFile:
        return True
    return False


def test_a_field_that_no_record_has_is_refused(statement):
    """Also where a reader takes it, because it is a fact like others."""
    taken = []
    for path, value in values(statement):
        if isinstance(value, dict) and not set(path) & OPEN:
            damaged = copy.deepcopy(statement)
            at(damaged, path)["unknown"] = 1
            if not violations(damaged, "statement"):
                taken.append(path)
    assert taken == []


def test_what_a_reader_refuses_where_a_field_is_missing_is_refused(statement):
    for path, value in values(statement):
        if isinstance(value, dict) and not set(path) & REPEATED:
            for name in value:
                damaged = copy.deepcopy(statement)
                del at(damaged, path)[name]
                if is_refused_by_the_reader(damaged) and not is_derived(path, name):
                    assert violations(damaged, "statement"), (path, name)


def is_derived(path, name):
    """Whether a reader finds the fault by a digest, or by what repeats the field."""
    return name == "symlink" or (*path[-1:], name) in {("notarium_record", "code"), ("runDetails", "byproducts")}


def test_values_of_another_type_are_refused(statement):
    for path, value in values(statement):
        if not isinstance(value, dict | list) and not set(path) & OPEN:
            for other in ([["x"]], {"x": {"y": [1]}}):
                damaged = copy.deepcopy(statement)
                at(damaged, path[:-1])[path[-1]] = other
                assert violations(damaged, "statement"), path


DAMAGED = [
    (("payloadType",), "application/json"),
    (("signatures",), []),
    (("signatures", 0, "keyid"), "AB" * 32),
    (("signatures", 0, "sig"), "short"),
    (("statement", "_type"), "https://in-toto.io/Statement/v0.1"),
    (("statement", "subject"), []),
    (("statement", "predicateType"), "urn:notarium:predicate:run:v1"),
    (("statement", "predicateType"), "urn:notarium:predicate:dataset:v1"),
    (("statement", "predicate", "buildDefinition", "buildType"), "https://example.org"),
    (("statement", "predicate", "notarium_record", "status"), "finished"),
    (("statement", "predicate", "notarium_record", "salt"), "ab"),
    (("statement", "predicate", "notarium_record", "author", "key"), "zz"),
    (("statement", "predicate", "notarium_record", "artifacts", 1, "name"), "/etc/passwd"),
    (("statement", "predicate", "notarium_record", "artifacts", 1, "type"), "file"),
    (("statement", "predicate", "notarium_record", "artifacts", 1, "files", 0, "path"), "../up"),
    (("statement", "predicate", "notarium_record", "artifacts", 1, "files", 0, "leads"), "outside"),
    (("statement", "predicate", "notarium_record", "artifacts", 1, "files", 0, "sha256"), "AB" * 32),
    (("statement", "predicate", "notarium_record", "metrics", 0, "values"), "no base64!"),
    (("statement", "predicate", "notarium_record", "gaps"), [1]),
    (("statement", "predicate", "runDetails", "metadata", "startedOn"), "yesterday"),
]


def test_damaged_records_are_refused(whole):
    for place, value in DAMAGED:
        damaged = copy.deepcopy(whole)
        at(damaged, place[:-1])[place[-1]] = value
        assert violations(damaged), place
