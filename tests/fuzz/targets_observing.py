"""Decoders of what a run finds on its machine: files of packages, addresses, and what its other processes logged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.fuzz.files import from_file
from tests.fuzz.target import Target

from notarium.anchoring.other_processes import Said
from notarium.observing.distributions import observe_conda, observe_packages
from notarium.observing.redaction import public_url, without_folders
from notarium.terminal import json_text

_CALLS = (
    b'{"call": "metric", "args": ["auc", {"notarium-decimal": "0.93"}], "kwargs": {}, "time_ms": 1, "pid": 2}\n'
    b'{"call": "params", "args": [{"lr": 0.5}], "kwargs": {}, "time_ms": 1760000000000, "pid": 2}\n'
)
_ORIGINS = (
    {"url": "https://me:pass@example.org/x.git", "vcs_info": {"vcs": "git", "commit_id": "ab" * 20}},
    {"url": "https://example.org/x.whl", "archive_info": {"hashes": {"sha256": "ab" * 32}}},
    {"url": "file:///home/me/x", "dir_info": {"editable": True}},
)
_CONDA = {"url": "https://conda.example.org/t/to-ken/linux-64/x-1.conda", "sha256": "ab" * 32, "md5": "ab" * 16}


def _said(path: Path) -> Any:
    return Said(path).take()


def _packages(path: Path) -> Any:
    """Of the folder that has the one of `path` in it."""
    (path.parent / "x-1.dist-info").mkdir(exist_ok=True)
    for name in ("METADATA", "direct_url.json"):
        given = path.parent / name
        (path.parent / "x-1.dist-info" / name).write_bytes(
            given.read_bytes() if given.exists() else b"Name: X_y\nVersion: 1\n"
        )
    gaps: list[str] = []
    found = observe_packages(gaps, search=[str(path.parent)])
    json_text([*found, *gaps])
    return found


def _conda(path: Path) -> Any:
    (path.parent / "conda-meta").mkdir(exist_ok=True)
    path.replace(path.parent / "conda-meta" / path.name)
    return observe_conda(path.parent)


def _address(data: bytes) -> Any:
    text = data.decode("utf-8", "replace")
    return public_url(text), without_folders(text)


TARGETS = (
    Target(
        "calls of other processes",
        from_file("run.said", _said),
        (),
        ("notarium.anchoring.other_processes:_lines",),
        (_CALLS,),
        dialect="json",
    ),
    Target(
        "direct_url.json of a package",
        from_file("direct_url.json", _packages),
        (),
        ("notarium.observing.distributions:_origin", "notarium.observing.distributions:_read_origin"),
        tuple(json.dumps(each).encode() for each in _ORIGINS),
        dialect="json",
    ),
    Target(
        "METADATA of a package",
        from_file("METADATA", _packages),
        (),
        (),
        (b"Metadata-Version: 2.1\nName: a.B_c\nVersion: 1.0\nSummary: x\n\nName: of the description\n",),
        dialect="text",
        max_bytes=65_536,
    ),
    Target(
        "package of conda",
        from_file("x.json", _conda),
        (),
        ("notarium.observing.distributions:_explicit",),
        (json.dumps(_CONDA).encode(),),
        dialect="json",
    ),
    Target(
        "address of what was installed or cloned",
        _address,
        (),
        ("notarium.observing.redaction:public_url",),
        (b"https://me:pass@example.org:8443/t/token/x?sig=1#f", b"git@example.org:group/x.git", b"file:///home/me/x"),
        dialect="text",
        max_bytes=65_536,
    ),
)
