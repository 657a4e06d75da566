"""Models in the terms of model-signing, and what safetensors say of themselves."""

import json

import pytest

from notarium.evidence.artifact import Artifact
from notarium.evidence.contents import Contents, Item
from notarium.evidence.inventory import hash_path
from notarium.evidence.links import Leads, SymbolicLink
from notarium.evidence.models import describe_models, resources, resources_digest


def write_weights(path, **tensors):
    """A safetensors file: name -> (type, shape)."""
    header = json.dumps({name: {"dtype": dtype, "shape": shape} for name, (dtype, shape) in tensors.items()}).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(len(header).to_bytes(8, "little") + header)


def describe(tmp_path, name="model", **options):
    artifact = Artifact.of(name, "output", hash_path(tmp_path / name))
    return describe_models([artifact], tmp_path, are_models=False, **options)


def test_the_digest_is_that_of_model_signing(tmp_path):
    """The value is that of model-signing 1.1.1 for these files."""
    root = tmp_path / "model"
    (root / "sub").mkdir(parents=True)
    (root / "a.bin").write_text("abc")
    (root / "sub" / "b.bin").write_text("weights")
    (root / ".gitignore").write_text("x")
    content = hash_path(root)
    assert [each["name"] for each in resources(content)] == ["a.bin", "sub/b.bin"]
    assert resources_digest(content) == "84438c49ccfc9a4a10cba48bbff878b0f9ca9ad42535738c37493b4eb4bfd5da"


def test_the_order_is_that_of_model_signing_and_what_has_no_content_is_no_resource():
    names = ["B", "a/b", "a b", "a.b", "a.bin", "sub/b.bin"]
    items = [Item(name, 1, "ab" * 32) for name in sorted(names)]
    items += [Item("x", link=SymbolicLink("y", leads=Leads.NOWHERE)), Item("y", is_folder=True)]
    assert [each["name"] for each in resources(Contents.of_folder(items))] == names


def test_a_file_of_weights(tmp_path):
    """As safetensors 0.8 writes it."""
    header = b'{"__metadata__":{"format":"np"},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},'
    header += b'"b":{"dtype":"F16","shape":[3],"data_offsets":[24,30]}}'
    header += b" " * (-len(header) % 8)
    (tmp_path / "x.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(30))
    [said], gaps = describe(tmp_path, "x.safetensors")
    assert said["safetensors"] == {"files": 1, "tensors": 2, "parameters": {"F16": 3, "F32": 6}}
    assert gaps == []


@pytest.fixture
def sharded(tmp_path):
    root = tmp_path / "model"
    for number, tensor in ((1, "a"), (2, "b")):
        write_weights(root / f"model-{number}-of-2.safetensors", **{tensor: ("BF16", [10, 10])})
    weight_map = {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}
    (root / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return root


def test_a_model_in_several_files_is_one(sharded, tmp_path):
    [said], gaps = describe(tmp_path)
    assert said["artifact"] == "model"
    assert said["safetensors"] == {
        "files": 2,
        "tensors": 2,
        "parameters": {"BF16": 200},
        "index": "model.safetensors.index.json",
    }
    assert gaps == []


def test_a_part_that_is_not_there_or_holds_another_tensor_is_a_gap(sharded, tmp_path):
    (sharded / "model-2-of-2.safetensors").unlink()
    [gap] = describe(tmp_path)[1]
    assert gap == "model model: model.safetensors.index.json names model-2-of-2.safetensors, which holds no tensor here"
    write_weights(sharded / "model-2-of-2.safetensors", c=("F32", [1]))
    write_weights(sharded / "extra.safetensors", b=("F32", [1]), a=("F32", [1]))
    gaps = describe(tmp_path)[1]
    assert any("both hold a tensor a" in each for each in gaps)
    assert any("names another file for b" in each for each in gaps)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 8,
        b"\x02" + bytes(7) + b"{",
        b"\x02" + bytes(7) + b"[]",
        b"\x09" + bytes(7) + b'{"a": 1} ',
        b"\x12" + bytes(7) + b'{"a": {"shape":1}}',
    ],
)
def test_damaged_weights_are_a_gap_and_nothing_else(tmp_path, data):
    (tmp_path / "x.safetensors").write_bytes(data)
    [said], [gap] = describe(tmp_path, "x.safetensors")
    assert said["safetensors"]["tensors"] == 0
    assert gap.startswith("model x.safetensors: x.safetensors cannot be read as safetensors")


@pytest.mark.parametrize("index", ["", "[]", '{"weight_map": 1}', '{"weight_map": {"a": []}}'])
def test_a_damaged_index_is_a_gap(sharded, tmp_path, index):
    (sharded / "model.safetensors.index.json").write_text(index)
    assert describe(tmp_path)[1]


def test_weights_that_changed_since_they_were_recorded_are_not_described(tmp_path):
    write_weights(tmp_path / "x.safetensors", a=("F32", [1]))
    artifact = Artifact.of("x.safetensors", "output", hash_path(tmp_path / "x.safetensors"))
    write_weights(tmp_path / "x.safetensors", abc=("F32", [100]))
    [said], [gap] = describe_models([artifact], tmp_path, are_models=False)
    assert said["safetensors"]["tensors"] == 0
    assert "cannot be read" in gap


def test_what_is_no_model_is_described_only_where_it_is_said_to_be_one(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.joblib").write_text("x")
    artifact = Artifact.of("model", "subject", hash_path(tmp_path / "model"))
    assert describe_models([artifact], tmp_path, are_models=False) == ([], [])
    [said], _ = describe_models([artifact], tmp_path, are_models=True)
    assert said.keys() == {"artifact", "model_signing_sha256"}
