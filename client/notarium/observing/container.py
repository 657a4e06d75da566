"""The container that the run is in. What its image is, it knows from inside only where the runtime says so.

Podman writes the image's id into the container, and Apptainer shows the image's file, whose SHA-256 is taken. Docker
says nothing: whoever starts the container hands the digest over in NOTARIUM_IMAGE, and the record says that it is
claimed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from notarium.errors import UnreadableArtifact
from notarium.observing.reading import text_of
from notarium.observing.redaction import public_url

IMAGE_VARIABLE = "NOTARIUM_IMAGE"
ROOT = Path("/")
_DIGEST = re.compile(r"(?:(?P<name>[^@\s]+)@)?(?P<digest>sha256:[0-9a-f]{64})")
_LINE = re.compile(r'^(\w+)="?([^"\n]*)"?$', re.MULTILINE)
_SIF = ("APPTAINER_CONTAINER", "SINGULARITY_CONTAINER")

Json = dict[str, Any]


def observe_container(
    environ: Mapping[str, str], gaps: list[str], sha256: Callable[[Path], str], root: Path = ROOT
) -> Json | None:
    """{runtime, image?, image_digest?, digest_from?}, or None outside of a container.

    `sha256`: reads a file. `digest_from`: "runtime", "file", or "claimed" in NOTARIUM_IMAGE.
    """
    found = _apptainer(environ, gaps, sha256) or _podman(root) or _docker(environ, root)
    claimed = environ.get(IMAGE_VARIABLE, "")
    if claimed:
        found = _claimed(found or {"runtime": "unknown"}, claimed, gaps)
    if found is not None and "image_digest" not in found:
        gaps.append(
            f"the image of this {found['runtime']} container is not known from inside; set {IMAGE_VARIABLE} to "
            "NAME@sha256:DIGEST when you start it"
        )
    return found


def _claimed(found: Json, claimed: str, gaps: list[str]) -> Json:
    said = _DIGEST.fullmatch(claimed)
    if said is None:
        gaps.append(f"{IMAGE_VARIABLE} is not recorded: it must be NAME@sha256:DIGEST with 64 hexadecimal digits")
        return found
    if "image_digest" in found:
        # What the runtime itself says counts for more.
        return found
    name = {"image": said["name"]} if said["name"] else {}
    return {**found, **name, "image_digest": said["digest"], "digest_from": "claimed"}


def _apptainer(environ: Mapping[str, str], gaps: list[str], sha256: Callable[[Path], str]) -> Json | None:
    image = next((environ[each] for each in _SIF if environ.get(each)), "")
    if not image:
        return None
    runtime = "apptainer" if environ.get(_SIF[0]) else "singularity"
    if "://" in image:
        return {"runtime": runtime, "image": public_url(image)}
    described: Json = {"runtime": runtime, "image": Path(image).name}
    if Path(image).is_dir():
        gaps.append(f"the container's image {Path(image).name} is a folder: it can change, and has no digest")
        return described
    try:
        return {**described, "image_digest": f"sha256:{sha256(Path(image))}", "digest_from": "file"}
    except (OSError, UnreadableArtifact):
        # The folder of the image need not be visible inside; the caller says what is missing.
        return described


def _podman(root: Path) -> Json | None:
    text = text_of(root / "run/.containerenv")
    if text is None:
        return None
    said = dict(_LINE.findall(text))
    image = {"image": said["image"]} if said.get("image") else {}
    if not said.get("imageid"):
        return {"runtime": "podman", **image}
    digest = f"sha256:{said['imageid'].removeprefix('sha256:')}"
    return {"runtime": "podman", **image, "image_digest": digest, "digest_from": "runtime"}


def _docker(environ: Mapping[str, str], root: Path) -> Json | None:
    if "KUBERNETES_SERVICE_HOST" in environ:
        return {"runtime": "kubernetes"}
    return {"runtime": "docker"} if (root / ".dockerenv").exists() else None
