"""Every installed distribution: its name and version, the hash of its RECORD, and where it came from.

The RECORD (PyPA, "Recording installed projects") has the SHA-256 of each file that was installed, so its own hash
stands for the whole distribution as installed. Files that were edited since do not show in it.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from notarium.observing.reading import bytes_of
from notarium.observing.redaction import public_url

_HEADER = re.compile(rb"^(Name|Version):[ \t]*(.+?)\s*$", re.MULTILINE)
_END = re.compile(rb"\r?\n\r?\n")
"""Of the header; the package's description follows."""
_INFO = (".dist-info", ".egg-info")
EXPLICIT = "@EXPLICIT"

Json = dict[str, Any]


def observe_packages(gaps: list[str], code: Path | None = None, search: Sequence[str] | None = None) -> list[Json]:
    """[{name, version, record_sha256?, origin?}] by name, each as Python would import it.

    `code`: the Git work tree whose state is recorded; a package that is edited there needs no gap. `search`: instead
    of sys.path.
    """
    found: dict[str, Json] = {}
    for described, edited in _distributions(sys.path if search is None else search):
        name = described["name"]
        if name in found:
            # Another one further down the path: it is hidden.
            continue
        found[name] = described
        if edited is not None and not (code is not None and edited.is_relative_to(code)):
            gaps.append(f"package {name} is installed in editable form: its code is not covered by its RECORD")
    return [found[name] for name in sorted(found)]


def _distributions(search: Sequence[str]) -> Iterator[tuple[Json, Path | None]]:
    """Each distribution, and the folder it is edited in, if any."""
    for entry in search:
        folder = Path(entry or ".")
        if folder.is_dir():
            for info in sorted(each for each in folder.iterdir() if each.name.endswith(_INFO)):
                if (found := _described(info)) is not None:
                    yield found
        elif folder.is_file():
            yield from _inside(folder)


def _inside(archive: Path) -> Iterator[tuple[Json, None]]:
    """What a zip file on the path holds, as Python itself reads it."""
    # Nothing else needs it, and it takes 15 ms to import.
    import importlib.metadata

    for each in importlib.metadata.distributions(path=[str(archive)]):
        # A damaged one has no name. It cannot be recorded, and must not stop the run.
        name = each.metadata["Name"] if each.metadata else None
        read = each.read_text
        record = read("RECORD")
        digest = {"record_sha256": hashlib.sha256(record.encode()).hexdigest()} if record else {}
        if name:
            yield {"name": _normal(str(name)), "version": str(each.version), **digest}, None


def _described(info: Path) -> tuple[Json, Path | None] | None:
    # Python's own reader parses all of it as a mail, which takes longer than everything else here.
    header = bytes_of(info if info.is_file() else info / "METADATA") or bytes_of(info / "PKG-INFO") or b""
    said = {key.decode(): value.decode(errors="replace") for key, value in _HEADER.findall(_END.split(header, 1)[0])}
    if "Name" not in said:
        return None
    described: Json = {"name": _normal(said["Name"]), "version": said.get("Version", "")}
    if record := bytes_of(info / "RECORD"):
        described["record_sha256"] = hashlib.sha256(record).hexdigest()
    origin, edited = _origin(bytes_of(info / "direct_url.json"))
    return ({**described, "origin": origin} if origin else described), edited


def _normal(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _origin(data: bytes | None) -> tuple[Json | None, Path | None]:
    """What direct_url.json (PEP 610) says, without credentials and folders; and the folder it is edited in."""
    if not data:
        return None, None
    try:
        return _read_origin(json.loads(data))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {"kind": "unreadable"}, None


def _read_origin(said: Any) -> tuple[Json, Path | None]:
    url = str(said["url"])
    place = {"url": public} if (public := public_url(url)) else {}
    if "vcs_info" in said:
        vcs = said["vcs_info"]
        return {"kind": str(vcs["vcs"]), **place, "commit": str(vcs["commit_id"])}, None
    if "archive_info" in said:
        hashes = {str(name): str(value) for name, value in (said["archive_info"].get("hashes") or {}).items()}
        return {"kind": "archive", **place, "hashes": hashes}, None
    if not (said.get("dir_info") or {}).get("editable"):
        return {"kind": "folder", "editable": False}, None
    # Here and not above: its module takes a tenth of the time of the first use.
    from urllib.request import url2pathname

    return {"kind": "folder", "editable": True}, Path(url2pathname(urlsplit(url).path))


def observe_conda(prefix: Path | None = None) -> list[str] | None:
    """The lines of `conda list --explicit --sha256`, without tokens; None outside of a conda environment."""
    metadata = (prefix or Path(sys.prefix)) / "conda-meta"
    lines = sorted(_explicit(each) for each in metadata.glob("*.json"))
    return [EXPLICIT, *lines] if lines else None


def _explicit(path: Path) -> str:
    try:
        said = json.loads(bytes_of(path) or b"")
        url = public_url(str(said["url"])) or Path(urlsplit(str(said["url"])).path).name
    except (ValueError, KeyError, TypeError, RecursionError):
        return f"# {path.name} could not be read"
    if said.get("sha256"):
        return f"{url}#sha256:{said['sha256']}"
    return f"{url}#{said['md5']}" if said.get("md5") else url
