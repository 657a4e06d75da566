"""The Merkle map: its root depends on the content only, and is the one of the definition."""

from hashlib import sha256
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from notarium_ledger.state.merkle_map import MerkleMap

keys = st.binary(max_size=3)
contents = st.dictionaries(keys, st.binary(max_size=5), max_size=40)
changes = st.lists(st.dictionaries(keys, st.none() | st.binary(max_size=5), max_size=20), max_size=5)


def bits(key: bytes) -> str:
    return "".join(f"{each:08b}" for each in sha256(key).digest())


def root_by_definition(content: dict[bytes, bytes], prefix: str = "") -> bytes:
    """As the module's text says it, without a tree."""
    here = [key for key in content if bits(key).startswith(prefix)]
    if not here:
        return bytes(32)
    if len(here) == 1:
        (key,) = here
        return sha256(b"\x00" + sha256(key).digest() + sha256(content[key]).digest()).digest()
    left, right = (root_by_definition(content, prefix + bit) for bit in "01")
    return sha256(b"\x01" + left + right).digest()


def of(content: dict[bytes, bytes]) -> MerkleMap:
    return MerkleMap().updated(content)


def test_the_smallest_maps() -> None:
    assert MerkleMap().root == bytes(32)
    alone = sha256(b"\x00" + sha256(b"key").digest() + sha256(b"value").digest()).digest()
    assert of({b"key": b"value"}).root == alone
    a, b = sorted((b"a", b"b"), key=bits)
    assert [bits(a)[0], bits(b)[0]] == ["0", "1"], "the two differ in their first bit"
    assert of({b"a": b"1", b"b": b"2"}).root == root_by_definition({b"a": b"1", b"b": b"2"})


@given(contents)
def test_the_root_is_that_of_the_definition(content: dict[bytes, bytes]) -> None:
    assert of(content).root == root_by_definition(content)


@given(contents, changes)
def test_a_changed_map_is_the_map_of_the_changed_content(content: dict[bytes, bytes], steps: Any) -> None:
    """Step by step or at once, in whatever order: content, length, order and root are those of a new map."""
    changed = of(content)
    for step in steps:
        before, known = changed, dict(content)
        changed = changed.updated(step)
        content = {key: value for key, value in {**content, **step}.items() if value is not None}
        again = of(content)
        assert changed == again
        assert changed.root == again.root
        assert list(changed.items()) == list(again.items()) == sorted(content.items())
        assert list(changed.walk()) == sorted(content.items(), key=lambda each: bits(each[0]))
        assert len(changed) == len(content)
        assert all(changed.get(key) == content.get(key) for key in [*content, *step])
        assert dict(before.items()) == known, "changed in place"
        one_by_one = before
        for key in sorted(step, reverse=True):
            one_by_one = one_by_one.updated({key: step[key]})
        assert one_by_one == changed
    assert changed.root == root_by_definition(content)


@given(contents, contents)
def test_deletion_undoes_insertion(content: dict[bytes, bytes], more: dict[bytes, bytes]) -> None:
    new = {key: value for key, value in more.items() if key not in content}
    undone = of(content).updated(new).updated(dict.fromkeys(new))
    assert undone == of(content)
    assert undone.updated(dict.fromkeys(content)).root == bytes(32)


@given(contents, contents)
def test_two_contents_have_two_roots(one: dict[bytes, bytes], other: dict[bytes, bytes]) -> None:
    assert (of(one).root == of(other).root) == (one == other)


def test_what_does_not_change_is_shared() -> None:
    """An update costs the paths of its records, not the map: it makes about log2(n) new nodes."""
    large = of({number.to_bytes(4, "big"): b"" for number in range(20_000)})
    changed = large.updated({b"new": b"record"})
    assert len(new_nodes(large, changed)) < 40
    assert len(new_nodes(changed, changed.updated({b"new": None}))) < 40


def new_nodes(before: MerkleMap, after: MerkleMap) -> list[Any]:
    def nodes(map_: MerkleMap) -> dict[int, Any]:
        found, waiting = {}, [map_._node]
        while waiting:
            node = waiting.pop()
            if node is not None:
                found[id(node)] = node
                waiting += node[1:3] if len(node) == 4 else ()
        return found

    known = nodes(before)
    return [node for id_, node in nodes(after).items() if id_ not in known]
