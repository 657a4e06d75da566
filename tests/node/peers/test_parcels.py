"""Large messages in pieces: what is sent when, what is not sent again, and what a peer cannot make of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notarium_node.peers import parcels
from notarium_node.peers.parcels import (
    ACKNOWLEDGE_BYTES,
    MAX_WAITING,
    PIECE_BYTES,
    BadPiece,
    ParcelAssembly,
    ParcelQueue,
)

LARGE = 3 * PIECE_BYTES + 5


def body(letter, size=LARGE):
    return letter * size


def frames(outbox):
    found = []
    while (frame := outbox.next_frame()) is not None:
        found.append(frame)
    return found


def deliver(outbox, inbox, now_s=0.0):
    """All that waits, and the acknowledgements back: the messages that came out."""
    messages = []
    for frame in frames(outbox):
        message = inbox.take(frame)
        if message is not None:
            messages.append(message)
        if (answer := inbox.acknowledgement()) is not None:
            outbox.on_arrived(answer, now_s)
    return messages


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=12), st.integers(1, 9))
def test_what_goes_in_comes_out(messages, piece):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parcels, "PIECE_BYTES", piece)
        outbox, inbox = ParcelQueue(), ParcelAssembly(40)
        for message in messages:
            outbox.put(message, None, 0.0)
        assert outbox.bytes == sum(map(len, messages))
        assert deliver(outbox, inbox) == messages
        assert outbox.is_empty
        assert inbox.arrived == sum(map(len, messages))


def test_the_oldest_is_the_one_that_has_waited_longest_of_all_kinds():
    outbox = ParcelQueue()
    assert outbox.oldest_s(9.0) == 0
    outbox.put(body(b"a"), None, 1.0)
    outbox.put(body(b"b"), "slot", 2.0)
    assert outbox.oldest_s(9.0) == 8
    for _ in range(4):  # Consensus first.
        outbox.next_frame()
    outbox.put(body(b"c"), "other slot", 3.0)
    assert outbox.oldest_s(9.0) == 8
    outbox.next_frame()  # Of the new one.
    assert outbox.oldest_s(9.0) == 8
    frames(outbox)
    assert outbox.oldest_s(9.0) == 0
    outbox.put(body(b"d"), None, 5.0)
    outbox.next_frame()
    assert outbox.oldest_s(9.0) == 4, "one that is sent in part has not been sent"


def test_consensus_goes_before_what_waits_but_does_not_break_into_a_message():
    outbox = ParcelQueue()
    for letter in (b"a", b"b"):
        outbox.put(body(letter), None, 0.0)
    first = outbox.next_frame() or b""
    outbox.put(body(b"p"), "proposal", 0.0)
    inbox = ParcelAssembly(LARGE)
    assert inbox.take(first) is None
    assert [message[:1] for message in deliver(outbox, inbox)] == [b"a", b"p", b"b"]


def test_a_slot_is_taken_until_its_message_has_arrived_and_as_long_again():
    outbox, inbox = ParcelQueue(), ParcelAssembly(LARGE)
    assert outbox.put(body(b"x"), 1, now_s=10.0) == "queued"
    assert outbox.put(body(b"x"), 1, now_s=11.0) == "under way"
    assert outbox.put(body(b"y"), 2, now_s=11.0) == "queued"
    sent = frames(outbox)
    assert outbox.put(body(b"x"), 1, now_s=12.0) == "under way", "sent whole, but not acknowledged"
    for frame in sent[:4]:
        inbox.take(frame)
    outbox.on_arrived(inbox.acknowledgement() or b"", now_s=18.0)
    assert outbox.put(body(b"x"), 1, now_s=25.9) == "under way", "it took eight seconds: another eight"
    assert outbox.put(body(b"y"), 2, now_s=25.9) == "under way", "the other has not arrived"
    assert outbox.put(body(b"x"), 1, now_s=26.0) == "queued"
    assert outbox.bytes == LARGE


def test_of_many_that_wait_the_oldest_goes():
    outbox, inbox = ParcelQueue(), ParcelAssembly(LARGE)
    outbox.put(body(b"c"), None, 0.0)
    placed = [outbox.put(bytes([slot]) * LARGE, slot, 0.0) for slot in range(MAX_WAITING + 1)]
    assert placed == ["queued"] * MAX_WAITING + ["displaced"]
    assert outbox.put(bytes([0]) * LARGE, 0, 0.0) == "displaced", "its slot is free again"
    assert outbox.bytes == (MAX_WAITING + 1) * LARGE
    assert [message[:1] for message in deliver(outbox, inbox)] == [*(bytes([n]) for n in (*range(2, 9), 0)), b"c"]


def test_gossip_and_consensus_have_each_their_own_room_and_of_consensus_the_oldest_gives_way():
    outbox, inbox = ParcelQueue(room_bytes=3 * LARGE), ParcelAssembly(2 * LARGE)
    assert outbox.put(body(b"g"), None, 0.0) == "queued"
    placed = [outbox.put(body(letter), letter, 0.0) for letter in (b"p", b"q", b"r")]
    placed += [outbox.put(body(b"g"), None, 0.0) for _ in range(3)]
    assert placed == ["queued"] * 5 + ["dropped"]
    assert outbox.put(body(b"s"), b"s", 0.0) == "displaced"
    assert outbox.put(body(b"t", 2 * LARGE), b"t", 0.0) == "displaced", "two, as it is twice as long"
    assert outbox.put(body(b"u", 3 * LARGE + 1), b"u", 0.0) == "dropped"
    assert outbox.bytes == 6 * LARGE
    assert [message[:1] for message in deliver(outbox, inbox)] == [b"s", b"t", b"g", b"g", b"g"]


def test_a_peer_that_acknowledges_nothing_makes_no_slots_without_end():
    outbox = ParcelQueue()
    for slot in range(100):
        outbox.put(b"x", slot, 0.0)
        frames(outbox)
    assert len(outbox._slots) <= parcels.MAX_SLOTS + 1
    assert outbox.put(b"x", 99, 0.0) == "under way"


def test_few_slots_are_remembered():
    outbox, inbox = ParcelQueue(), ParcelAssembly(LARGE)
    for slot in range(100):
        outbox.put(b"x", slot, 0.0)
        deliver(outbox, inbox)
    assert len(outbox._slots) <= parcels.MAX_SLOTS + 1


def test_pieces_are_acknowledged_now_and_then_and_at_the_end():
    outbox, inbox = ParcelQueue(), ParcelAssembly(1 << 20)
    outbox.put(body(b"x", 2 * ACKNOWLEDGE_BYTES + 1), None, 0.0)
    owed = []
    for frame in frames(outbox):
        inbox.take(frame)
        owed.append(inbox.acknowledgement() is not None)
    assert owed == [False, False, False, True] * 2 + [True]


@pytest.mark.parametrize(
    ("sent", "reason", "is_oversized"),
    [
        ([b"\xc1\x03" + bytes(PIECE_BYTES - 1)], "piece of 32767 bytes", False),
        ([b"\xc1\x03" + bytes(PIECE_BYTES + 1)], "piece of 32769 bytes", False),
        ([b"\xc1\x04" + bytes(PIECE_BYTES + 1)], "piece of 32769 bytes", False),
        ([b"\xc1\x03"], "piece of 0 bytes", False),
        ([b"\xc1\x04"], "piece of 0 bytes", False),
        ([b"\xc1\x03" + bytes(PIECE_BYTES)] * 4, f"exceeds {LARGE} bytes", True),
        ([b"\xc1\x03" + bytes(PIECE_BYTES)] * 3 + [b"\xc1\x04" + bytes(6)], f"exceeds {LARGE} bytes", True),
    ],
)
def test_a_piece_that_no_honest_peer_sends(sent, reason, is_oversized):
    inbox = ParcelAssembly(LARGE)
    for frame in sent[:-1]:
        inbox.take(frame)
    with pytest.raises(BadPiece, match=reason) as caught:
        inbox.take(sent[-1])
    assert caught.value.is_oversized is is_oversized


@pytest.mark.parametrize("count", [0, 9, 10, 21, 2**64 - 1])
def test_an_acknowledgement_that_no_honest_peer_sends(count):
    outbox = ParcelQueue()
    outbox.put(bytes(20), None, 0.0)
    frames(outbox)
    outbox.on_arrived(b"\xc1\x05" + (10).to_bytes(8, "big"), 0.0)
    with pytest.raises(BadPiece, match="acknowledges"):
        outbox.on_arrived(b"\xc1\x05" + count.to_bytes(8, "big"), 0.0)


def test_an_acknowledgement_of_another_length():
    with pytest.raises(BadPiece, match="unknown"):
        ParcelQueue().on_arrived(b"\xc1\x05\x00", 0.0)
