"""The archive in a backup: plain files as they were written; whatever else tar can say is refused unread."""

import io
import tarfile

import pytest

from notarium_node.operator.archive import PADDING_BYTES, ArchiveError, read_files

FILES = [("backup.json", b"{}"), ("keys/a.key", b"x" * 512), ("blocks/1", b"y" * 700), ("end.json", b"")]


def plain(name, size=0, **over):
    info = tarfile.TarInfo(name)
    info.size = size
    for field, value in over.items():
        setattr(info, field, value)
    return info


def written(files=FILES, mode="w|", form=tarfile.PAX_FORMAT):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode, format=form) as archive:
        for name, content in files:
            archive.addfile(plain(name, len(content)), io.BytesIO(content))
    return file.getvalue()


class Counting(io.BytesIO):
    """How much was asked for at once."""

    most = 0

    def read(self, size=-1, /):
        self.most = max(self.most, size)
        return super().read(size)


def read(data, most=1024):
    return list(read_files(io.BytesIO(data).read, lambda name: most))


def test_what_was_written_is_read():
    assert read(written()) == FILES
    assert read(written([])) == []


def header(info, content=b"", form=tarfile.GNU_FORMAT):
    return info.tobuf(form, "utf-8", "surrogateescape") + content


BEGINNING = header(plain("backup.json", 2), b"{}" + bytes(510))


@pytest.mark.parametrize(
    "hostile",
    [
        header(plain("x" * 90_000)),
        header(plain("././@PaxHeader", 8 << 30, type=tarfile.XHDTYPE)),
        header(plain("././@LongLink", 8 << 30, type=tarfile.GNUTYPE_LONGNAME)),
        header(plain("g", 8 << 30, type=tarfile.XGLTYPE)),
        header(plain("large", 8 << 40)),
        header(plain("sparse", 10, type=tarfile.GNUTYPE_SPARSE)),
        header(plain("link", type=tarfile.SYMTYPE, linkname="/etc/passwd")),
        header(plain("hard", type=tarfile.LNKTYPE, linkname="/etc/passwd")),
        header(plain("folder", type=tarfile.DIRTYPE)),
        header(plain("pipe", type=tarfile.FIFOTYPE)),
        header(plain("disk", type=tarfile.BLKTYPE)),
        b"\x01" * 512,
        header(plain("wrong"))[:-1] + b"\x01",
        header(plain("a\xe9\u202e")),
    ],
    ids=lambda each: each[:20],
)
def test_what_else_tar_can_say_is_refused_before_it_is_read(hostile):
    source = Counting(BEGINNING + hostile + bytes(20_000))
    files = read_files(source.read, lambda name: 1024)
    assert next(files) == ("backup.json", b"{}")
    with pytest.raises(ArchiveError):
        next(files)
    assert source.most <= 1024


def test_a_negative_size_is_refused():
    info = bytearray(header(plain("n", 8 << 40)))
    info[124:136] = b"\xff" * 11 + b"\xfe"
    info[148:156] = b"%06o\0 " % (256 + sum(info[:148]) + sum(info[156:]))
    with pytest.raises(ArchiveError, match="no plain file"):
        read(bytes(info) + bytes(1024))


def test_no_archive_is_cut_off_unnoticed():
    whole = written()
    end = len(whole.rstrip(b"\0")) + 1
    for length in range(0, end + 300, 37):
        with pytest.raises(ArchiveError, match="cut off"):
            read(whole[:length])


def test_nothing_follows_the_end_but_a_few_zeros():
    whole = written()
    assert read(whole + bytes(512)) == FILES
    for more in (b"x", bytes(PADDING_BYTES + 1), written()):
        with pytest.raises(ArchiveError, match="more follows"):
            read(whole + more)


@pytest.mark.parametrize("mode", ["w|gz", "w|bz2", "w|xz"])
def test_a_compressed_archive_is_not_unpacked(mode):
    """So no bomb is either."""
    with pytest.raises(ArchiveError):
        read(written([("bomb", bytes(50 << 20))], mode))


def test_the_padding_of_a_file_holds_nothing():
    data = bytearray(written())
    data[512 + 2] = 1
    with pytest.raises(ArchiveError, match="not padded with zeros"):
        read(bytes(data))
