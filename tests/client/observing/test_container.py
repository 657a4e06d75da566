"""Containers, by the files and variables that each runtime leaves inside."""

import hashlib

import pytest

from notarium.errors import UnreadableArtifact
from notarium.observing.container import observe_container

DIGEST = "sha256:" + "ab" * 32


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def root(tmp_path):
    (tmp_path / "run").mkdir()
    return tmp_path


def observe(environ, root):
    gaps: list[str] = []
    return observe_container(environ, gaps, sha256, root), gaps


def test_outside_of_a_container_there_is_nothing_to_say(root):
    assert observe({}, root) == (None, [])


def test_docker_does_not_say_its_image_which_is_a_gap_with_a_remedy(root):
    (root / ".dockerenv").touch()
    found, [gap] = observe({}, root)
    assert found == {"runtime": "docker"}
    assert "set NOTARIUM_IMAGE to NAME@sha256:DIGEST" in gap


def test_a_digest_that_was_handed_over_is_recorded_as_claimed(root):
    (root / ".dockerenv").touch()
    found, gaps = observe({"NOTARIUM_IMAGE": f"registry.example/lab/train@{DIGEST}"}, root)
    assert found == {
        "runtime": "docker",
        "image": "registry.example/lab/train",
        "image_digest": DIGEST,
        "digest_from": "claimed",
    }
    assert gaps == []
    found, gaps = observe({"NOTARIUM_IMAGE": "train:latest"}, root)
    assert found == {"runtime": "docker"}
    assert len(gaps) == 2
    assert observe({"NOTARIUM_IMAGE": DIGEST, "KUBERNETES_SERVICE_HOST": "x"}, root)[0]["runtime"] == "kubernetes"


def test_podman_says_the_id_of_its_image(root):
    text = (
        f'engine="podman-4.3.1"\nname="x"\nimage="docker.io/library/python:3.12"\nimageid="{"cd" * 32}"\nrootless=1\n'
    )
    (root / "run" / ".containerenv").write_text(text)
    found, gaps = observe({"NOTARIUM_IMAGE": DIGEST}, root)
    assert found == {
        "runtime": "podman",
        "image": "docker.io/library/python:3.12",
        "image_digest": "sha256:" + "cd" * 32,
        "digest_from": "runtime",
    }
    assert gaps == []
    (root / "run" / ".containerenv").write_text("")
    assert observe({}, root)[0] == {"runtime": "podman"}


def test_the_image_of_apptainer_is_read_where_it_is_visible(root):
    image = root / "train.sif"
    image.write_bytes(b"image")
    found, gaps = observe({"APPTAINER_CONTAINER": str(image)}, root)
    digest = "sha256:" + hashlib.sha256(b"image").hexdigest()
    assert found == {"runtime": "apptainer", "image": "train.sif", "image_digest": digest, "digest_from": "file"}
    assert gaps == []
    found, [gap] = observe({"SINGULARITY_CONTAINER": "/not/visible/train.sif"}, root)
    assert found == {"runtime": "singularity", "image": "train.sif"}
    assert "not known from inside" in gap
    assert "is a folder" in observe({"APPTAINER_CONTAINER": str(root)}, root)[1][0]
    found, _ = observe({"APPTAINER_CONTAINER": "docker://user:secret@host/train:1"}, root)
    assert found["image"] == "docker://host/train:1"


def test_an_image_that_may_not_be_read_is_as_one_that_is_not_there(root):
    (root / "train.sif").touch()

    def refused(path):
        raise UnreadableArtifact(str(path), "Permission denied")

    gaps: list[str] = []
    found = observe_container({"APPTAINER_CONTAINER": str(root / "train.sif")}, gaps, refused, root)
    assert found == {"runtime": "apptainer", "image": "train.sif"}
    assert len(gaps) == 1
