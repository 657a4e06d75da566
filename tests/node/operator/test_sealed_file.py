"""A sealed file opens with its passphrase, whole and unchanged, or not at all."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import crypto_secretstream_xchacha20poly1305_ABYTES as ADDED_BYTES
from nacl.bindings import crypto_secretstream_xchacha20poly1305_HEADERBYTES as HEADER_BYTES

from notarium_node.operator.sealed_file import CHUNK_BYTES, SealedReader, SealedWriter, SealError, check_passphrase

PASSPHRASE = b"correct horse battery"


def sealed(*parts):
    file = io.BytesIO()
    writer = SealedWriter(file, PASSPHRASE)
    for part in parts:
        writer.write(part)
    writer.finish()
    return file.getvalue()


def opened(data, passphrase=PASSPHRASE):
    reader = SealedReader(io.BytesIO(data), passphrase)
    content = reader.read()
    reader.expect_end()
    return content


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_what_was_written_is_read(size):
    content = bytes(size)
    assert opened(sealed(content)) == content


def test_it_is_read_in_parts_of_any_size():
    reader = SealedReader(io.BytesIO(sealed(b"abc", b"def" * CHUNK_BYTES)), PASSPHRASE)
    assert reader.read(4) == b"abcd"
    assert len(reader.read(CHUNK_BYTES)) == CHUNK_BYTES


def test_two_of_one_content_differ():
    assert sealed(b"x") != sealed(b"x")


def test_another_passphrase_opens_nothing():
    with pytest.raises(SealError, match="passphrase is wrong"):
        opened(sealed(b"secret"), PASSPHRASE + b"!")


@given(st.data())
def test_no_byte_can_be_changed_cut_off_or_added(data):
    whole = sealed(b"secret" * 20)
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[at] ^= data.draw(st.integers(1, 255))
    for damaged in (bytes(changed), whole[:at], whole + b"x"):
        with pytest.raises(SealError):
            opened(damaged)


def test_chunks_cannot_be_left_out_or_exchanged():
    whole = sealed(b"a" * CHUNK_BYTES, b"b" * CHUNK_BYTES, b"c")
    start = whole.index(b"\n") + 1 + HEADER_BYTES
    size = 4 + CHUNK_BYTES + ADDED_BYTES
    first, second, rest = whole[start : start + size], whole[start + size : start + 2 * size], whole[start + 2 * size :]
    for wrong in (second + first + rest, first + rest, first + second):
        with pytest.raises(SealError):
            opened(whole[:start] + wrong)


def test_a_file_cannot_ask_for_more_memory_than_a_machine_has():
    head, _, rest = sealed(b"x").partition(b"\n")
    for fields in (b"99 8192", b"1 99999999999", b"1 4294967296", b"0 8192"):
        wrong = b"notarium-sealed/1 " + fields + b" " + head.rpartition(b" ")[2]
        with pytest.raises(SealError):
            opened(wrong + b"\n" + rest)


@pytest.mark.parametrize("passphrase", ["", "short", "x" * 1025, "\ud800 and eleven more"])
def test_a_weak_or_unusable_passphrase_is_refused(passphrase):
    with pytest.raises(SealError, match="passphrase"):
        check_passphrase(passphrase)
