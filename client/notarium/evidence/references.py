"""What a record refers to without enclosing it: a DOI, a CID of IPFS, an object in S3, or any other URI.

A reference says where something is. What it was is said by a digest: of a copy that is here, or one that the place
itself vouches for. Where neither is known, the record says so.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from notarium.errors import ProjectError
from notarium.evidence.hashing import reason_of
from notarium.evidence.inventory import hash_path
from notarium.evidence.ipfs import Cid, profile_of

_DOI: Final = re.compile(r"(?:doi:|https?://(?:dx\.)?doi\.org/)?(10\.[0-9]{4,9}/\S+)", re.IGNORECASE)
_CID: Final = re.compile(r"(?:ipfs://|/ipfs/)([A-Za-z0-9]+)(/.*)?|(Qm[1-9A-HJ-NP-Za-km-z]{44}|baf[a-z2-7]{56})()")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]+", re.IGNORECASE)
_SHA256: Final = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_SIGNED: Final = re.compile(r"(?i)(^|[?&])(x-amz-(signature|credential|security-token)|sig|signature|token|key)=")

Json = dict[str, Any]


class ReferenceKind(StrEnum):
    """What a reference is."""

    DOI = "doi"
    IPFS = "ipfs"
    S3 = "s3"
    URI = "uri"


def refer(
    uri: str,
    role: str,
    *,
    sha256: str = "",
    version: str = "",
    s3: Mapping[str, Any] | None = None,
    copy: Path | None = None,
) -> tuple[Json, list[str]]:
    """{uri, kind, role, version?, size?, sha256?, digests?, profile?, copy?} and its gaps. Raises ProjectError.

    `sha256`, `version`: as the place says. `s3`: the answer of S3's HeadObject, asked for with ChecksumMode=ENABLED.
    `copy`: a file that is here, which should be what the reference leads to.
    """
    said, gaps = _located(uri)
    said["role"] = role
    if version:
        said["version"] = version
    if sha256:
        said["sha256"] = _digest(sha256)
    if s3 is not None:
        if said["kind"] != ReferenceKind.S3:
            raise ProjectError(f"{uri} is not an object in S3: write s3://BUCKET/KEY, or leave the answer of S3 out")
        gaps += _read_s3(said, s3)
    if copy is not None:
        gaps += _compare(said, copy)
    elif "sha256" not in said and said["kind"] != ReferenceKind.IPFS:
        gaps.append("no SHA-256 of its content is known here, so it may be another one by now")
    return said, [f"{role} {said['uri']}: {gap}" for gap in gaps]


def _located(text: str) -> tuple[Json, list[str]]:
    """{uri, kind, sha256?} in one form for each. Raises ProjectError."""
    if (doi := _DOI.fullmatch(text)) is not None:
        # A DOI is the same in letters of any case.
        return {"uri": f"https://doi.org/{doi[1].lower()}", "kind": ReferenceKind.DOI.value}, []
    if (found := _CID.fullmatch(text)) is not None:
        try:
            cid = Cid.parse(found[1] or found[3])
        except ValueError as error:
            raise ProjectError(f"{text}: {error}; give the CID that 'ipfs add' printed") from error
        inside = found[2] or ""
        known = {"sha256": cid.sha256.hex()} if cid.is_of_bytes and not inside else {}
        return {"uri": f"ipfs://{cid}{inside}", "kind": ReferenceKind.IPFS.value, **known}, []
    try:
        scheme = urlsplit(text).scheme
    except ValueError as error:
        raise ProjectError(f"{text!r} is no URI: {error}") from error
    if not _SCHEME.fullmatch(scheme) or not text.partition(":")[2].strip("/") or not text.isprintable():
        raise ProjectError(
            f"{text!r} is no reference: give a URI with its scheme, a DOI, or a CID; for a file use input()"
        )
    kind = ReferenceKind.S3 if scheme == "s3" else ReferenceKind.URI
    return _without_secrets(kind, text)


def _without_secrets(kind: ReferenceKind, text: str) -> tuple[Json, list[str]]:
    """A password before the host, or a signature in the query, opens the object to everyone who reads the record."""
    parts, gaps = urlsplit(text), []
    if "@" in parts.netloc:
        parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
        gaps.append("the user and password in it are left out")
    if _SIGNED.search(parts.query):
        parts = parts._replace(query="")
        gaps.append("its query is left out, because it holds a key or signature")
    return {"uri": urlunsplit(parts), "kind": kind.value}, gaps


def _digest(text: str) -> str:
    found = _SHA256.fullmatch(text.lower())
    if found is None:
        raise ProjectError(f"{text!r} is no SHA-256: give 64 hexadecimal digits")
    return found[1]


def _read_s3(said: Json, answer: Mapping[str, Any]) -> list[str]:
    """What S3 says of an object. Neither its ETag nor a checksum of parts is the digest of the content."""
    gaps = []
    version = answer.get("VersionId")
    if version and version != "null":
        said["version"] = str(version)
    else:
        gaps.append("S3 keeps no version of it, so it can be overwritten")
    if isinstance(size := answer.get("ContentLength"), int):
        said["size"] = size
    if etag := answer.get("ETag"):
        said["digests"] = {"etag": str(etag).strip('"')}
    checksum = str(answer.get("ChecksumSHA256") or "")
    if not checksum:
        gaps.append("S3 has no SHA-256 of it: upload it with --checksum-algorithm SHA256")
    elif "-" in checksum or answer.get("ChecksumType") == "COMPOSITE":
        said["digests"] = {**said.get("digests", {}), "s3-sha256-of-parts": checksum}
        gaps.append("the SHA-256 of S3 is that of its parts' digests, and not of its content")
    else:
        try:
            digest = base64.b64decode(checksum, validate=True).hex()
        except ValueError as error:
            raise ProjectError(f"{said['uri']}: ChecksumSHA256 {checksum!r} is not base64") from error
        if said.setdefault("sha256", _digest(digest)) != digest:
            gaps.append("S3 has another SHA-256 than the one that was given")
    return gaps


def _compare(said: Json, copy: Path) -> list[str]:
    """Add what a copy shows. Raises ProjectError, UnreadableArtifact."""
    content = hash_path(copy)
    if content.is_folder:
        raise ProjectError(f"{copy} is a folder: a reference is compared with a file")
    said["copy"] = content.sha256
    if said["kind"] == ReferenceKind.IPFS and "sha256" not in said:
        return _compare_cid(said, copy)
    if said.setdefault("sha256", content.sha256) == content.sha256:
        return []
    return ["the copy that is here is another one: its SHA-256 differs"]


def _compare_cid(said: Json, copy: Path) -> list[str]:
    cid, _, inside = said["uri"].removeprefix("ipfs://").partition("/")
    if inside:
        return ["a path below a CID was not compared with the copy that is here"]
    try:
        profile = profile_of(copy, Cid.parse(cid))
    except OSError as error:
        return [f"the copy that is here could not be read: {reason_of(error)}"]
    if profile is None:
        return ["the copy that is here has this CID in no known profile: it is another one, or was cut in another way"]
    said |= {"profile": profile.title, "sha256": said["copy"]}
    return []
