"""URLs and variables without what they must not carry into a record: credentials, and folders of this machine."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

_SCP_LIKE = re.compile(r"(?:[^/@\s]+@)?(?P<host>[^/:@\s]{2,}):(?P<path>[^\s]*)")
"""user@host:path, as Git and SSH take it. One letter before the colon is a drive of Windows."""
_CONDA_TOKEN = re.compile(r"/t/[^/]+/")
_ABSOLUTE_PATH = re.compile(r"(?<![\w.~$%}/-])~?/(?!/)(?:[^\s,;:='\"/]+/)*([^\s,;:='\"/]*)")


def public_url(url: str) -> str | None:
    """`url` without user, password, query and fragment; None where it names a folder of this machine.

    A token in the path of a conda channel is left out, too. Also None for a text that cannot be parsed as an address,
    because nothing shows where its password begins.
    """
    try:
        parts = urlsplit(url) if "://" in url else None
    except ValueError:
        return None
    if parts is None:
        scp = _SCP_LIKE.fullmatch(url)
        return f"{scp['host']}:{scp['path']}" if scp else None
    if parts.scheme in ("", "file") or not parts.netloc:
        return None
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, _CONDA_TOKEN.sub("/t/<token>/", parts.path), "", ""))


def without_folders(text: str) -> str:
    """`text` with each absolute path cut to its last name: folders name people and projects."""
    return _ABSOLUTE_PATH.sub(lambda found: f"…/{found[1]}", text)
