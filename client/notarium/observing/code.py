"""The code that ran, as far as Git knows it: the commit, and how the work tree differed from it.

Notarium's own files never count: a receipt beside a script does not make its commit another one. For a changed work
tree the digest of one patch is recorded. It holds the changes of tracked files and every untracked source, so
`git apply` on the commit gives the code that ran.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from notarium.files import read_regular
from notarium.naming import DRAFT_SUFFIX, FOLDER, PATCH_SUFFIX, RECEIPT_SUFFIX, RECORD_SUFFIX
from notarium.observing.git import Git, GitFailed, excluding
from notarium.observing.redaction import public_url
from notarium.observing.script import SAVED, Script, is_source

OWN_FILES: Final = (
    f"{FOLDER}/**",
    *(f"*{each}" for each in (RECEIPT_SUFFIX, RECORD_SUFFIX, DRAFT_SUFFIX, PATCH_SUFFIX)),
)
NOT_SOURCES: Final = (
    *OWN_FILES,
    *(".notariumignore", ".gitattributes", ".ipynb_checkpoints/**", "node_modules/**", "site-packages/**"),
)
"""What is never listed as untracked. The first two are written by `notarium init`, the others by tools."""
MAX_SOURCES: Final = 1000
MAX_SOURCE_BYTES: Final = 1024 * 1024
MAX_PATCH_BYTES: Final = 64 * 1024 * 1024
_DIFF: Final = (
    *("-c", "diff.suppressBlankEmpty=false", "diff", "HEAD", "--binary", "--full-index", "--no-color"),
    *("--no-ext-diff", "--no-textconv", "--no-renames"),
    *("--src-prefix=a/", "--dst-prefix=b/", "--no-relative", "--diff-algorithm=myers", "--no-indent-heuristic", "-U3"),
    *("--inter-hunk-context=0", "--submodule=short", "-O/dev/null"),
)
"""No option of the user's configuration may change a byte of it."""
_STATES: Final = {"-": "absent", "+": "other commit", "U": "conflict", " ": "as committed"}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Code:
    """The code that ran."""

    commit: str
    """Hex; "" where there is no commit."""
    dirty: bool | None
    """None where it is not known."""
    gaps: tuple[str, ...] = ()
    """What this does not vouch for."""
    facts: Json = field(default_factory=dict)
    """tree, branch, remote, submodules, diff, untracked, untracked_others, script: each where it is known."""
    top: Path | None = None
    """The folder of the work tree."""
    patch: bytes | None = None
    """What `facts["diff"]` is the digest of, where it was asked for."""

    @property
    def exact_commit(self) -> str:
        """The commit where the code was exactly that, else ""."""
        return self.commit if self.dirty is False else ""

    def to_json(self) -> Json:
        """{commit, dirty} and the facts; commit and dirty are null outside of a repository."""
        return {"commit": self.commit or None, "dirty": self.dirty, **self.facts}


def observe_code(folder: Path, script: Script | None = None, *, keep_diff: bool = False) -> Code:
    """The state of the work tree that holds `folder`, or else the script."""
    try:
        code = _tree(folder, keep_diff)
        if not code.commit and script is not None and not script.is_installed:
            code = _tree(script.path.parent, keep_diff)
    except GitFailed as error:
        code = Code("", None, (f"{error}: the code that ran is not recorded",))
    return code if script is None else _with_script(code, script)


def _with_script(code: Code, script: Script) -> Code:
    gaps = list(code.gaps)
    facts = dict(code.facts)
    try:
        facts["script"] = script.describe(code.top)
    except OSError as error:
        gaps.append(f"{script.path.name} could not be read ({error.strerror}): its digest is not recorded")
    if script.is_notebook:
        gaps.append(SAVED)
    if code.top is not None and not script.is_installed and not script.path.is_relative_to(code.top):
        gaps.append(f"{script.path.name} is outside of the work tree of commit {code.commit[:12]}")
    return replace(code, gaps=tuple(gaps), facts=facts)


def _tree(folder: Path, keep_diff: bool) -> Code:
    git = Git(folder)
    said = git.text("rev-parse", "--show-toplevel", "HEAD", "HEAD^{tree}", "--abbrev-ref", "HEAD")
    if said is None:
        return Code("", None, ("not in a Git repository with a commit: the code that ran is not recorded",))
    top_name, commit, tree, branch = said.rsplit("\n", 3)
    top = Path(top_name)
    git = Git(top)
    facts: Json = {"tree": tree, **({} if branch == "HEAD" else {"branch": branch})}
    gaps: list[str] = []
    if remote := _remote(git, branch):
        facts["remote"] = remote
    if (top / ".gitmodules").exists():
        facts["submodules"] = _submodules(git, gaps)
    code = Code(commit, None, (), facts, top)
    try:
        return _compared(git, code, gaps, keep_diff)
    except GitFailed as error:
        unknown = f"{error}: whether the code that ran is commit {commit[:12]} is not known"
        return replace(code, gaps=(*gaps, unknown))


def _compared(git: Git, code: Code, gaps: list[str], keep_diff: bool) -> Code:
    """`code` with what separates the work tree from the commit. Raises GitFailed."""
    facts, commit = code.facts, code.commit[:12]
    changed = git.names("diff", "HEAD", "--name-only", "-z", "--no-renames", *excluding(OWN_FILES))
    _changes_inside(facts.get("submodules", ()), changed, gaps)
    sources = _sources(git, gaps, facts)
    if changed:
        gaps.append(f"{len(changed)} tracked file(s) differ from commit {commit}: see code.diff")
    if sources:
        facts["untracked"] = sources
        gaps.append(f"{len(sources)} untracked source(s) are not in commit {commit}: see code.untracked")
    if not changed and not sources:
        return replace(code, dirty=False, gaps=tuple(gaps))
    patch = _patch(git, [each["path"] for each in sources])
    if patch is None:
        gaps.append("git could not make the diff: its digest is not recorded")
    else:
        facts["diff"] = {"sha256": hashlib.sha256(patch).hexdigest(), "size": len(patch)}
        if keep_diff and len(patch) > MAX_PATCH_BYTES:
            gaps.append(f"the diff is not kept: {len(patch)} bytes, at most {MAX_PATCH_BYTES} are")
            keep_diff = False
    return replace(code, dirty=True, gaps=tuple(gaps), patch=patch if keep_diff else None)


def _remote(git: Git, branch: str) -> str | None:
    """The address that the branch follows, else that of "origin"; without credentials."""
    # It fails where nothing matches.
    said_by_git = os.fsdecode(git.ask("config", "-z", "--get-regexp", r"^(remote|branch)\.") or b"")
    rows = (each.partition("\n") for each in said_by_git.split("\0"))
    said = {name: value for name, _, value in rows}
    name = said.get(f"branch.{branch}.remote", "origin")
    url = said.get(f"remote.{name}.url", "")
    return public_url(url) if url else None


def _submodules(git: Git, gaps: list[str]) -> list[Json]:
    """[{path, commit, state}] of every one, also inside others."""
    said = git.text("submodule", "status", "--recursive")
    if said is None:
        gaps.append("the submodules are not recorded: git submodule status fails here")
    found: list[Json] = []
    for line in (said or "").split("\n"):
        commit, _, rest = line[1:].partition(" ")
        if rest:
            # A description in brackets follows where the submodule has been checked out.
            path = rest.rpartition(" (")[0] if rest.endswith(")") and line[0] != "-" else rest
            found.append({"path": path, "commit": commit, "state": _STATES.get(line[0], line[0])})
    if changed := [each["path"] for each in found if each["state"] != _STATES[" "]]:
        gaps.append(f"submodule(s) that are not at the recorded commit: {', '.join(changed)}")
    return found


def _changes_inside(submodules: Iterable[Json], changed: Sequence[str], gaps: list[str]) -> None:
    """A submodule at the recorded commit whose own files differ: its parent's diff says no more than that."""
    for each in submodules:
        if each["state"] == _STATES[" "] and each["path"] in changed:
            each["state"] = "changed"
            gaps.append(f"submodule {each['path']} has changes of its own, which are not in the diff")


def _sources(git: Git, gaps: list[str], facts: Json) -> list[Json]:
    """[{path, size, sha256}] of untracked files that are code; `facts` get the number of the others."""
    try:
        names = git.names("ls-files", "--others", "--exclude-standard", "-z", *excluding(NOT_SOURCES))
    except GitFailed as error:
        gaps.append(f"{error}: untracked sources are not recorded")
        return []
    wanted = [each for each in names if is_source(each)]
    found = [each for name in wanted[:MAX_SOURCES] if (each := _source(git.folder, name)) is not None]
    if len(wanted) < len(names):
        facts["untracked_others"] = len(names) - len(wanted)
    if len(found) < len(wanted):
        gaps.append(
            f"{len(wanted) - len(found)} untracked source(s) are not recorded: links, names that are not UTF-8, larger "
            f"than {MAX_SOURCE_BYTES // 1024} KiB, or after the first {MAX_SOURCES}"
        )
    return found


def _source(top: Path, name: str) -> Json | None:
    path = top / name
    if path.is_symlink():
        return None
    try:
        name.encode()
        data = read_regular(path, MAX_SOURCE_BYTES)
    except (OSError, UnicodeEncodeError):
        # It has gone, may not be read, or has no name in a record: the caller counts it.
        return None
    if len(data) > MAX_SOURCE_BYTES:
        return None
    return {"path": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _patch(git: Git, untracked: Sequence[str]) -> bytes | None:
    """The changes of tracked files and the untracked ones as new files. The repository stays as it is."""
    if not untracked:
        return git.ask(*_DIFF, *excluding(OWN_FILES))
    # Git shows a file that "git add --intent-to-add" has named as a new one. Index and objects are copies.
    index, objects = git.text("rev-parse", "--git-path", "index"), git.text("rev-parse", "--git-path", "objects")
    if index is None or objects is None:
        return None
    with tempfile.TemporaryDirectory(prefix="notarium-") as folder:
        environ = {
            "GIT_INDEX_FILE": os.path.join(folder, "index"),
            "GIT_OBJECT_DIRECTORY": folder,
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str((git.folder / objects).absolute()),
        }
        if (git.folder / index).exists():
            shutil.copyfile(git.folder / index, environ["GIT_INDEX_FILE"])
        names = b"\0".join(os.fsencode(each) for each in untracked)
        added = ("--literal-pathspecs", "add", "--intent-to-add", "--pathspec-from-file=-", "--pathspec-file-nul")
        if git.ask(*added, data=names, environ=environ) is None:
            return None
        return git.ask(*_DIFF, *excluding(OWN_FILES), environ=environ)
