"""Which files of two records differ: artifacts by role and name, the files of a folder by their paths."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from notarium.evidence.artifact import Artifact
from notarium.evidence.contents import Item
from notarium.explaining.content import content_differences
from notarium.explaining.lines import Difference, Part

AtHand = Callable[[Artifact, Item], bytes | None]
"""The content of a file as it was recorded, where it is at hand."""


@dataclass(frozen=True, slots=True)
class Pair:
    """An artifact of each record that stand for the same; None where one record has no such artifact."""

    before: Artifact | None
    after: Artifact | None


def file_differences(
    before: Sequence[Artifact], after: Sequence[Artifact], old: AtHand, new: AtHand
) -> list[Difference]:
    """What differs in content or name. `old`, `new`: where the content of either record is at hand, its lines, too."""
    return [each for pair in pairs_of(before, after) for each in _of_pair(pair, old, new)]


def pairs_of(before: Sequence[Artifact], after: Sequence[Artifact]) -> list[Pair]:
    """By role and name; then by content, by the last part of the name, and by role alone where one is left of each."""
    olds, news, found = list(before), list(after), list[Pair]()

    def match(key: Callable[[Artifact], object], *, only: bool) -> None:
        same = defaultdict[object, deque[Artifact]](deque)
        for new in news:
            same[key(new)].append(new)
        left, counts = list[Artifact](), Counter(map(key, olds))
        for old in olds:
            here = same[key(old)]
            if here and not (only and (len(here) > 1 or counts[key(old)] > 1)):
                found.append(Pair(old, here.popleft()))
            else:
                left.append(old)
        olds[:], news[:] = left, [each for those in same.values() for each in those]

    match(lambda each: (each.role, each.name), only=False)
    match(lambda each: (each.role, each.sha256), only=False)
    match(lambda each: (each.role, each.name.rpartition("/")[2]), only=True)
    match(lambda each: each.role, only=True)
    order = {id(each): number for number, each in enumerate([*before, *after])}
    found += [Pair(each, None) for each in olds] + [Pair(None, each) for each in news]
    return sorted(found, key=lambda pair: order[id(pair.before or pair.after)])


def _of_pair(pair: Pair, old: AtHand, new: AtHand) -> Iterator[Difference]:
    before, after = pair.before, pair.after
    if before is None or after is None:
        each = before or after
        if each is not None:
            text = _artifact_text(each)
            name = f"{each.role} {each.name}"
            yield Difference(Part.FILE, name, text if before else None, text if after else None)
        return
    name = f"{before.role} {before.name}"
    if before.content.has_same_bytes(after.content):
        if before.name != after.name:
            yield Difference(Part.FILE, name, before.name, after.name, "same content by another name")
        return
    if before.name != after.name:
        yield Difference(Part.FILE, name, before.name, after.name, "another name, and other content")
    if before.is_folder and after.is_folder:
        yield from _of_folders(name, before, after, old, new)
        return
    yield Difference(Part.FILE, name, _artifact_text(before), _artifact_text(after))
    if not before.is_folder and not after.is_folder:
        yield from _inside(before.name, old(before, before.items[0]), new(after, after.items[0]))


def _of_folders(name: str, before: Artifact, after: Artifact, old: AtHand, new: AtHand) -> Iterator[Difference]:
    """File by file; a file that has another name now is one difference and not two."""
    olds, news = {each.path: each for each in before.items}, {each.path: each for each in after.items}
    gone = {path: item for path, item in olds.items() if path not in news}
    come = {path: item for path, item in news.items() if path not in olds}
    by_content = {item.sha256: path for path, item in come.items() if item.sha256}
    for path in sorted(olds.keys() | news.keys()):
        one, other = olds.get(path), news.get(path)
        if one is not None and path in gone and (moved := by_content.get(one.sha256)) in come:
            yield Difference(Part.FILE, f"{name}/{path}", path, moved, "same content by another name")
            come.pop(str(moved))
        elif one is not None and other is not None:
            if one != other:
                yield Difference(Part.FILE, f"{name}/{path}", item_text(one), item_text(other))
                yield from _inside(f"{before.name}/{path}", old(before, one), new(after, other))
        elif one is not None:
            yield Difference(Part.FILE, f"{name}/{path}", item_text(one), None)
    for path, item in come.items():
        yield Difference(Part.FILE, f"{name}/{path}", None, item_text(item))


def _inside(name: str, before: bytes | None, after: bytes | None) -> Iterator[Difference]:
    if before is not None and after is not None:
        yield from content_differences(name, before, after)


def _artifact_text(each: Artifact) -> str:
    kind = f"folder of {len(each.items)} files, " if each.is_folder else ""
    return f"{kind}{each.content.size:,} bytes, sha256 {each.sha256[:12]}…"


def item_text(item: Item) -> str:
    """A file for people; of a link and of anything else without content, what the record says of it."""
    if item.sha256:
        return f"{item.size:,} bytes, sha256 {item.sha256[:12]}…"
    return ", ".join(f"{name} {value}" for name, value in item.to_json().items() if name != "path")
