"""Lines wait for a reader in a thread; whoever logs does not. Real pipes."""

import errno
import fcntl
import os
import threading

import pytest

from notarium_node.health.log_writer import QUEUE_BYTES, Descriptor, LogWriter

LINE = b"x" * 1023 + b"\n"
ROOM = QUEUE_BYTES // len(LINE)


def described(count):
    return b"lost %d\n" % count


class Gate:
    """A file whose reader reads nothing until it is opened, and then fails where `error` is set."""

    def __init__(self):
        self.open, self.entered = threading.Event(), threading.Event()
        self.lines, self.error = [], None

    def write(self, data):
        self.entered.set()
        self.open.wait()
        if self.error:
            raise self.error
        self.lines.extend(data.splitlines(keepends=True))


@pytest.fixture
def gate():
    made = Gate()
    yield made
    made.open.set()


def test_the_order_is_kept(gate):
    gate.open.set()
    writer = LogWriter(gate.write, described)
    lines = [b"%d\n" % number for number in range(1000)]
    for each in lines:
        writer.put(each)
    assert writer.close(10)
    assert (gate.lines, writer.lost) == (lines, 0)


def test_where_nobody_reads_whoever_logs_goes_on_and_the_loss_is_counted_in_its_place(gate):
    writer = LogWriter(gate.write, described)
    writer.put(b"first\n")
    gate.entered.wait()
    for _ in range(ROOM + 7):
        writer.put(LINE)
    assert writer.lost == 7
    assert not writer.flush(0)
    gate.open.set()
    assert writer.flush(10)
    writer.put(b"later\n")
    assert writer.close(10)
    assert gate.lines == [b"first\n", *[LINE] * ROOM, b"lost 7\n", b"later\n"]


def test_after_a_loss_there_is_room_again_once_half_is_free(gate):
    """Otherwise each written line makes room for one, and every second line of the log tells of losses."""
    writer = LogWriter(gate.write, described)
    writer.put(b"first\n")
    gate.entered.wait()
    for _ in range(ROOM + 1):
        writer.put(LINE)
    writer.put(b"small\n")
    assert writer.lost == 2


def test_the_end_waits_for_no_reader(gate):
    writer = LogWriter(gate.write, described)
    writer.put(LINE)
    gate.entered.wait()
    assert not writer.close(0)
    writer.put(LINE)
    assert writer.lost == 1


def test_what_cannot_be_written_is_counted_and_reported_once_it_can(gate):
    gate.open.set()
    gate.error = OSError(errno.ENOSPC, "disk full")
    writer = LogWriter(gate.write, described)
    for _ in range(3):
        writer.put(LINE)
    assert writer.flush(10)
    assert writer.lost == 3
    gate.error = None
    writer.put(b"again\n")
    assert writer.close(10)
    assert gate.lines == [b"lost 3\n", b"again\n"]


def test_a_descriptor_writes_whole_lines_to_a_pipe_that_does_not_block():
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(write, False)
    writer = LogWriter(Descriptor(write), described)
    for _ in range(64):
        writer.put(LINE)
    with open(read, "rb") as reader:
        assert [reader.readline() for _ in range(64)] == [LINE] * 64
    assert writer.flush(10)
    writer.put(LINE)  # Nobody holds the other end now.
    assert writer.close(10)
    assert writer.lost == 1
    os.close(write)


def test_a_line_after_a_torn_one_begins_on_its_own(monkeypatch):
    read, write = os.pipe()
    real, faults = os.write, iter([False, True, False])

    def failing(descriptor, data):
        if next(faults):
            raise OSError(errno.ENOSPC, "disk full")
        return real(descriptor, data[:4])

    monkeypatch.setattr(os, "write", failing)
    descriptor = Descriptor(write)
    with pytest.raises(OSError, match="disk full"):
        descriptor(b"torn line\n")
    descriptor(b"ab\n")
    os.close(write)
    with open(read, "rb") as reader:
        assert reader.read() == b"torn\nab\n"
